//! A topic's route becomes the queues that a producer may write to.
//!
//! The rules are those of Apache's `MQClientInstance.topicRouteData2TopicPublishInfo`: brokers in the order of their
//! names, only writable queues, only brokers with a master. For a topic that does not exist yet, the route of the
//! default topic stands in, with at most as many queues per broker as the new topic will get.

use alloc::{collections::BTreeMap, sync::Arc, vec::Vec};
use core::fmt;

use maxq_protocol::{
    Topic,
    body::{TopicRouteData, perm},
};

/// The broker id of a master.
const MASTER: i64 = 0;

/// Where a producer may write a topic. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishInfo {
    topic: Topic,
    brokers: Vec<Broker>,
    queues: Vec<PublishQueue>,
    origin: Origin,
}

/// A broker with a master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// The broker's name.
    pub name: Arc<str>,
    /// `host:port` of its master.
    pub address: Arc<str>,
}

/// A writable queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublishQueue {
    /// The index of its broker in [`PublishInfo::brokers`].
    pub broker: usize,
    /// The queue id.
    pub queue_id: i32,
}

/// Whose route this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The topic's own.
    Topic,
    /// The default topic's: the topic does not exist yet and brokers will create it at the first message.
    DefaultTopic {
        /// How many queues per broker at most.
        max_queues: i32,
    },
}

/// Why a route gives no queue to write to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoQueues {
    /// The route lists no queues.
    Empty,
    /// No queue has the write permission.
    NotWritable {
        /// The permission bits of the first queue.
        perm: i32,
    },
    /// Queues are writable, but no broker that holds them has a master.
    NoMaster,
    /// The topic is mapped to logical queues (a static topic), which is not supported.
    StaticTopic,
}

impl PublishInfo {
    /// What `route` offers to a producer of `topic`.
    ///
    /// # Errors
    /// Nothing can be written, and why.
    pub fn new(topic: Topic, route: &TopicRouteData, origin: Origin) -> Result<Self, NoQueues> {
        if route.topic_queue_mapping_by_broker.as_ref().is_some_and(|mapping| !mapping.is_empty()) {
            return Err(NoQueues::StaticTopic);
        }
        let mut info = Self { topic, brokers: Vec::new(), queues: Vec::new(), origin };
        let mut masters = masters_of(route);
        match route.order_topic_conf.as_deref().filter(|conf| !conf.is_empty()) {
            Some(conf) => info.add_ordered(conf, &mut masters),
            None => info.add_writable(route, &mut masters),
        }
        if info.queues.is_empty() { Err(why_empty(route, &masters)) } else { Ok(info) }
    }

    /// The topic.
    pub const fn topic(&self) -> &Topic {
        &self.topic
    }

    /// The brokers in the order of their names (or of the order configuration).
    pub fn brokers(&self) -> &[Broker] {
        &self.brokers
    }

    /// The writable queues.
    pub fn queues(&self) -> &[PublishQueue] {
        &self.queues
    }

    /// Whose route this is.
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// The queue of this broker with this id, whether or not the route lists the id: the broker judges that.
    pub fn queue_of(&self, broker_name: &str, queue_id: i32) -> Option<PublishQueue> {
        let broker = self.brokers.iter().position(|broker| &*broker.name == broker_name)?;
        Some(PublishQueue { broker, queue_id })
    }

    /// The ids of the queues of one broker.
    fn ids_of(&self, broker_name: &str) -> Vec<i32> {
        let queues = self.queues.iter().filter(|queue| &*self.brokers[queue.broker].name == broker_name);
        queues.map(|queue| queue.queue_id).collect()
    }

    fn add_writable(&mut self, route: &TopicRouteData, masters: &mut Masters<'_>) {
        let mut entries: Vec<_> =
            route.queue_datas.iter().filter(|entry| perm::is_writable(entry.perm)).collect();
        entries.sort_by(|a, b| a.broker_name.cmp(&b.broker_name));
        for entry in entries {
            let queues = match self.origin {
                Origin::Topic => entry.write_queue_nums,
                Origin::DefaultTopic { max_queues } => entry.read_queue_nums.min(max_queues),
            };
            self.add_queues(&entry.broker_name, queues, masters);
        }
    }

    /// `b0:2;b1:1`: as many queues of each broker, in this order. A malformed item is passed over.
    fn add_ordered(&mut self, conf: &str, masters: &mut Masters<'_>) {
        for item in conf.split(';') {
            let Some((name, queues)) = item.split_once(':') else { continue };
            let Ok(queues) = queues.trim().parse() else { continue };
            self.add_queues(name.trim(), queues, masters);
        }
    }

    /// A broker that gets no queues is none to choose, so it is not listed.
    fn add_queues(&mut self, name: &str, queues: i32, masters: &mut Masters<'_>) {
        let Some(master) = masters.get_mut(name) else { return };
        let room = MAX_QUEUES.saturating_sub(self.queues.len()) as i32;
        let queues = queues.clamp(0, room);
        if queues == 0 {
            return;
        }
        let broker = *master.listed.get_or_insert_with(|| {
            self.brokers.push(Broker { name: name.into(), address: master.address.into() });
            self.brokers.len() - 1
        });
        self.queues.extend((0..queues).map(|queue_id| PublishQueue { broker, queue_id }));
    }
}

/// A route is data from the network and may not decide our memory: no topic has more queues than this.
const MAX_QUEUES: usize = 65_536;

/// The brokers that have a master, by name: a route is data from the network and may not decide our time either.
type Masters<'a> = BTreeMap<&'a str, Master<'a>>;

struct Master<'a> {
    address: &'a str,
    /// Its index in [`PublishInfo::brokers`], once it is there.
    listed: Option<usize>,
}

fn masters_of(route: &TopicRouteData) -> Masters<'_> {
    let mut masters = Masters::new();
    for broker in &route.broker_datas {
        if let Some(address) = broker.broker_addrs.get(&MASTER) {
            masters.entry(&broker.broker_name).or_insert(Master { address, listed: None });
        }
    }
    masters
}

fn why_empty(route: &TopicRouteData, masters: &Masters<'_>) -> NoQueues {
    let Some(first) = route.queue_datas.first() else { return NoQueues::Empty };
    let mut writable = route.queue_datas.iter().filter(|entry| perm::is_writable(entry.perm)).peekable();
    if writable.peek().is_none() {
        return NoQueues::NotWritable { perm: first.perm };
    }
    if writable.any(|entry| masters.contains_key(&*entry.broker_name)) {
        NoQueues::Empty
    } else {
        NoQueues::NoMaster
    }
}

impl fmt::Display for NoQueues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the route lists no queues"),
            Self::NotWritable { perm } => write!(f, "no queue is writable (perm {perm})"),
            Self::NoMaster => f.write_str("no broker of the topic has a master"),
            Self::StaticTopic => {
                f.write_str("the topic is mapped to logical queues (static topic), which is not supported")
            }
        }
    }
}

/// What differs between two routes of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteChanges {
    /// Names of brokers that were not there before.
    pub added: Vec<Arc<str>>,
    /// Names of brokers that are not there any more.
    pub removed: Vec<Arc<str>>,
    /// Names of brokers whose master has another address.
    pub moved: Vec<Arc<str>>,
    /// Whether some broker that stays has other queues to write to.
    pub queues: bool,
}

impl RouteChanges {
    /// What differs between `old` and `new`; nothing to write to is no broker at all.
    pub fn between(old: Option<&PublishInfo>, new: Option<&PublishInfo>) -> Self {
        let brokers = |info: Option<&PublishInfo>| info.map_or_else(Vec::new, |info| info.brokers.clone());
        let (before, after) = (brokers(old), brokers(new));
        let named = |brokers: &[Broker], name: &str| brokers.iter().position(|other| *other.name == *name);
        let mut changes = Self::default();
        for broker in &after {
            match named(&before, &broker.name) {
                None => changes.added.push(broker.name.clone()),
                Some(known) if before[known].address != broker.address => {
                    changes.moved.push(broker.name.clone())
                }
                Some(_) => {}
            }
        }
        for broker in &before {
            if named(&after, &broker.name).is_none() {
                changes.removed.push(broker.name.clone());
            }
        }
        if let (Some(old), Some(new)) = (old, new) {
            changes.queues = new.brokers.iter().any(|broker| {
                old.queue_of(&broker.name, 0).is_some()
                    && old.ids_of(&broker.name) != new.ids_of(&broker.name)
            });
        }
        changes
    }

    /// Whether nothing differs.
    pub const fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.moved.is_empty() && !self.queues
    }
}

impl fmt::Display for RouteChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (what, names) in [("added", &self.added), ("removed", &self.removed), ("moved", &self.moved)] {
            if !names.is_empty() {
                parts.push(alloc::format!("{what} {}", names.join(", ")));
            }
        }
        if self.queues {
            parts.push("other queues".into());
        }
        f.write_str(&parts.join("; "))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use alloc::{borrow::ToOwned, string::ToString, vec};

    use super::*;
    use maxq_protocol::body::{BrokerData, QueueData};

    pub(crate) fn info_of(brokers: &[(&str, i32)]) -> PublishInfo {
        let entries: Vec<_> = brokers.iter().map(|(name, queues)| (*name, *queues, 6)).collect();
        PublishInfo::new(Topic::new("T").unwrap(), &route(&entries), Origin::Topic).unwrap()
    }

    fn route(entries: &[(&str, i32, i32)]) -> TopicRouteData {
        let mut route = TopicRouteData::default();
        for (n, (name, queues, perm)) in entries.iter().enumerate() {
            route.broker_datas.push(BrokerData {
                broker_name: (*name).to_owned(),
                broker_addrs: BTreeMap::from([(0, alloc::format!("10.0.0.{n}:10911"))]),
                ..BrokerData::default()
            });
            route.queue_datas.push(QueueData {
                broker_name: (*name).to_owned(),
                read_queue_nums: *queues,
                write_queue_nums: *queues,
                perm: *perm,
                ..QueueData::default()
            });
        }
        route
    }

    fn publish(route: &TopicRouteData, origin: Origin) -> Result<PublishInfo, NoQueues> {
        PublishInfo::new(Topic::new("T").unwrap(), route, origin)
    }

    #[test]
    fn brokers_stand_in_the_order_of_their_names() {
        let info = publish(&route(&[("b", 1, 6), ("a", 2, 6)]), Origin::Topic).unwrap();
        let names: Vec<_> = info.brokers().iter().map(|broker| broker.name.to_string()).collect();
        assert_eq!(names, ["a", "b"]);
        let ids: Vec<_> = info.queues().iter().map(|queue| (queue.broker, queue.queue_id)).collect();
        assert_eq!(ids, [(0, 0), (0, 1), (1, 0)]);
    }

    #[test]
    fn queues_without_write_permission_or_master_are_left_out() {
        let mut data = route(&[("a", 2, 4), ("b", 2, 6), ("c", 2, 6)]);
        data.broker_datas[2].broker_addrs = BTreeMap::from([(1, "10.0.0.9:10911".to_owned())]);
        let info = publish(&data, Origin::Topic).unwrap();
        assert_eq!(info.brokers().len(), 1);
        assert_eq!(&*info.brokers()[0].name, "b");
    }

    #[test]
    fn an_empty_route_says_why() {
        assert_eq!(publish(&route(&[]), Origin::Topic), Err(NoQueues::Empty));
        assert_eq!(publish(&route(&[("a", 4, 4)]), Origin::Topic), Err(NoQueues::NotWritable { perm: 4 }));
        let mut data = route(&[("a", 4, 6)]);
        data.broker_datas.clear();
        assert_eq!(publish(&data, Origin::Topic), Err(NoQueues::NoMaster));
    }

    #[test]
    fn the_default_topic_gives_at_most_what_the_new_topic_will_get() {
        let info = publish(&route(&[("a", 8, 7)]), Origin::DefaultTopic { max_queues: 4 }).unwrap();
        assert_eq!(info.queues().len(), 4);
        let info = publish(&route(&[("a", 2, 7)]), Origin::DefaultTopic { max_queues: 4 }).unwrap();
        assert_eq!(info.queues().len(), 2);
    }

    #[test]
    fn what_changed_between_two_routes() {
        let old = publish(&route(&[("a", 2, 6), ("b", 2, 6), ("c", 2, 6)]), Origin::Topic).unwrap();
        assert!(RouteChanges::between(Some(&old), Some(&old)).is_empty());
        // b is gone, so that c stands where b stood: at another address. a has one queue more, d is new.
        let new = publish(&route(&[("a", 3, 6), ("c", 2, 6), ("d", 1, 6)]), Origin::Topic).unwrap();
        let changes = RouteChanges::between(Some(&old), Some(&new));
        assert_eq!(changes.to_string(), "added d; removed b; moved c; other queues");
        assert_eq!(RouteChanges::between(Some(&old), None).removed.len(), 3);
        let first = RouteChanges::between(None, Some(&new));
        assert_eq!((first.added.len(), first.queues), (3, false));
    }

    #[test]
    fn a_static_topic_is_refused_and_not_misrouted() {
        let mut data = route(&[("a", 4, 6)]);
        data.topic_queue_mapping_by_broker = Some(Default::default());
        assert!(publish(&data, Origin::Topic).is_ok(), "an empty mapping is none");
        data.topic_queue_mapping_by_broker =
            Some([("a".to_owned(), Default::default())].into_iter().collect());
        assert_eq!(publish(&data, Origin::Topic), Err(NoQueues::StaticTopic));
    }

    #[test]
    fn an_order_configuration_decides_the_queues() {
        let mut data = route(&[("b0", 8, 6), ("b1", 8, 6)]);
        data.order_topic_conf = Some("b0:2;b1:1;;nonsense;b9:3".to_owned());
        let info = publish(&data, Origin::Topic).unwrap();
        let ids: Vec<_> = info.queues().iter().map(|queue| (queue.broker, queue.queue_id)).collect();
        assert_eq!(ids, vec![(0, 0), (0, 1), (1, 0)]);
    }
}
