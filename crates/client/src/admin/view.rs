//! What administration shows: plain values, made from the protocol's bodies.

use std::collections::BTreeMap;

use maxq_protocol::body::{BrokerData, ClusterInfo, TopicConfig, TopicRouteData, TopicStats, perm};

use crate::MessageQueue;

/// A cluster: a name and its brokers.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// for cluster in client.admin().clusters().await? {
///     println!("{}: {} brokers", cluster.name, cluster.brokers.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cluster {
    /// The cluster's name.
    pub name: String,
    /// Its brokers, by name.
    pub brokers: Vec<Broker>,
}

/// A broker: a master and its replicas under one name.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// let route = client.admin().route("orders").await?;
/// for broker in &route.brokers {
///     println!("{}: master at {:?}, {} addresses", broker.name, broker.master(), broker.addresses.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broker {
    /// The broker's name.
    pub name: String,
    /// The cluster that it belongs to.
    pub cluster: String,
    /// `host:port` by broker id; 0 is the master.
    pub addresses: BTreeMap<i64, String>,
}

/// The route of a topic.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// let route = client.admin().route("orders").await?;
/// assert_eq!((route.readable_queues().len(), route.writable_queues().len()), (4, 4));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicRoute {
    /// The topic.
    pub topic: String,
    /// The brokers that hold it, by name.
    pub brokers: Vec<Broker>,
    /// What each of them holds, by broker name.
    pub queues: Vec<QueueGroup>,
}

/// The queues of a topic on one broker.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// for group in client.admin().route("orders").await?.queues {
///     println!("{}: {} to read, {} to write, perm {}", group.broker, group.read_queues, group.write_queues, group.perm);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueGroup {
    /// The broker's name.
    pub broker: String,
    /// Queues that can be read.
    pub read_queues: i32,
    /// Queues that can be written.
    pub write_queues: i32,
    /// Permission bits: 4 read, 2 write, 1 inherit.
    pub perm: i32,
}

/// All about a topic.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// # use maxq::Message;
/// producer.send(Message::new("orders", "paid")).await?;
/// let description = client.admin().describe_topic("orders").await?;
/// assert_eq!(description.messages(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicDescription {
    /// The topic.
    pub topic: String,
    /// What each broker holds of it, by broker name.
    pub brokers: Vec<TopicAtBroker>,
}

/// What one broker holds of a topic.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// for at in client.admin().describe_topic("orders").await?.brokers {
///     println!("{}: {} queues, ordered: {:?}", at.broker.name, at.write_queues, at.order);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicAtBroker {
    /// The broker.
    pub broker: Broker,
    /// Queues that can be read.
    pub read_queues: i32,
    /// Queues that can be written.
    pub write_queues: i32,
    /// Permission bits: 4 read, 2 write, 1 inherit.
    pub perm: i32,
    /// Whether the topic is ordered; brokers of 4.9 do not tell.
    pub order: Option<bool>,
    /// Attributes such as `message.type`; brokers of 4.9 have none.
    pub attributes: BTreeMap<String, String>,
    /// Its queues by id; empty without a master.
    pub queues: Vec<QueueState>,
}

/// The offsets of one queue.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// for at in client.admin().describe_topic("orders").await?.brokers {
///     for state in &at.queues {
///         println!("{}: {} messages, the last one at {:?}", state.queue, state.messages(), state.last_stored);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueState {
    /// The queue.
    pub queue: MessageQueue,
    /// The oldest offset.
    pub min_offset: i64,
    /// The next offset that will be written.
    pub max_offset: i64,
    /// When the newest message was stored, in milliseconds since 1970 by the broker's clock.
    pub last_stored: Option<i64>,
}

/// What a master says of a topic.
#[derive(Default)]
pub(super) struct TopicDetails {
    pub(super) stats: TopicStats,
    pub(super) config: Option<TopicConfig>,
}

impl TopicDescription {
    /// How many messages are in all queues.
    pub fn messages(&self) -> u64 {
        let queues = self.brokers.iter().flat_map(|broker| &broker.queues);
        queues.map(QueueState::messages).fold(0, u64::saturating_add)
    }
}

impl TopicAtBroker {
    pub(super) fn new(broker: Broker, group: Option<&QueueGroup>, details: TopicDetails) -> Self {
        let mut queues: Vec<_> = details
            .stats
            .offset_table
            .into_iter()
            .map(|(key, stats)| QueueState {
                queue: MessageQueue::new(key.topic, broker.name.as_str(), key.queue_id),
                min_offset: stats.min_offset,
                max_offset: stats.max_offset,
                last_stored: (stats.last_update_timestamp > 0).then_some(stats.last_update_timestamp),
            })
            .collect();
        queues.sort_by_key(|state| state.queue.queue_id());
        Self {
            broker,
            read_queues: group.map_or(0, |group| group.read_queues),
            write_queues: group.map_or(0, |group| group.write_queues),
            perm: group.map_or(0, |group| group.perm),
            order: details.config.as_ref().map(|config| config.order),
            attributes: details.config.map(|config| config.attributes).unwrap_or_default(),
            queues,
        }
    }
}

impl QueueState {
    /// How many messages are in the queue.
    pub fn messages(&self) -> u64 {
        u64::try_from(self.max_offset.saturating_sub(self.min_offset)).unwrap_or(0)
    }
}

impl Broker {
    /// `host:port` of the master.
    pub fn master(&self) -> Option<&str> {
        self.addresses.get(&0).map(String::as_str)
    }

    fn new(data: BrokerData) -> Self {
        Self { name: data.broker_name, cluster: data.cluster, addresses: data.broker_addrs }
    }
}

impl Cluster {
    pub(crate) fn all_of(info: ClusterInfo) -> Vec<Self> {
        let ClusterInfo { broker_addr_table, cluster_addr_table } = info;
        let brokers_of = |names: std::collections::BTreeSet<String>| {
            names.iter().filter_map(|name| broker_addr_table.get(name).cloned().map(Broker::new)).collect()
        };
        cluster_addr_table
            .into_iter()
            .map(|(name, names)| Self { name, brokers: brokers_of(names) })
            .collect()
    }
}

impl TopicRoute {
    pub(super) fn new(topic: &str, data: TopicRouteData) -> Self {
        let mut brokers: Vec<_> = data.broker_datas.into_iter().map(Broker::new).collect();
        brokers.sort_by(|a, b| a.name.cmp(&b.name));
        let mut queues: Vec<_> = data
            .queue_datas
            .into_iter()
            .map(|data| QueueGroup {
                broker: data.broker_name,
                read_queues: data.read_queue_nums,
                write_queues: data.write_queue_nums,
                perm: data.perm,
            })
            .collect();
        queues.sort_by(|a, b| a.broker.cmp(&b.broker));
        Self { topic: topic.to_owned(), brokers, queues }
    }

    /// Every queue that can be read, by broker name and queue id.
    pub fn readable_queues(&self) -> Vec<MessageQueue> {
        self.queues_of(|group| if perm::is_readable(group.perm) { group.read_queues } else { 0 })
    }

    /// Every queue that can be written on a broker with a master, by broker name and queue id.
    pub fn writable_queues(&self) -> Vec<MessageQueue> {
        let has_master =
            |name: &str| self.brokers.iter().any(|broker| broker.name == name && broker.master().is_some());
        self.queues_of(|group| {
            if perm::is_writable(group.perm) && has_master(&group.broker) { group.write_queues } else { 0 }
        })
    }

    fn queues_of(&self, count: impl Fn(&QueueGroup) -> i32) -> Vec<MessageQueue> {
        self.queues
            .iter()
            .flat_map(|group| {
                (0..count(group).min(65_536))
                    .map(|queue_id| MessageQueue::new(self.topic.as_str(), group.broker.as_str(), queue_id))
            })
            .take(65_536)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a broker says of its queues may be anything.
    #[test]
    fn impossible_offsets_are_counted_without_a_panic() {
        let state = |min_offset, max_offset| QueueState {
            queue: MessageQueue::new("T", "b", 0),
            min_offset,
            max_offset,
            last_stored: None,
        };
        assert_eq!((state(2, 5).messages(), state(5, 2).messages()), (3, 0));
        let broker = Broker { name: "b".to_owned(), cluster: "C".to_owned(), addresses: BTreeMap::new() };
        let mut at = TopicAtBroker::new(broker, None, TopicDetails::default());
        at.queues = vec![state(i64::MIN, i64::MAX); 3];
        let description = TopicDescription { topic: "T".to_owned(), brokers: vec![at] };
        assert_eq!(description.messages(), u64::MAX);
    }

    #[test]
    fn only_queues_of_a_master_with_the_permission_can_be_written() {
        let broker = |name: &str, id| Broker {
            name: name.to_owned(),
            cluster: "C".to_owned(),
            addresses: BTreeMap::from([(id, "h:1".to_owned())]),
        };
        let group = |name: &str, perm, write_queues| QueueGroup {
            broker: name.to_owned(),
            read_queues: 1,
            write_queues,
            perm,
        };
        let route = TopicRoute {
            topic: "T".to_owned(),
            brokers: vec![broker("a", 0), broker("b", 1), broker("c", 0)],
            queues: vec![group("a", 6, 2), group("b", 6, 2), group("c", 4, 2), group("d", 6, -1)],
        };
        let queues = [MessageQueue::new("T", "a", 0), MessageQueue::new("T", "a", 1)];
        assert_eq!(route.writable_queues(), queues);
        assert_eq!(route.readable_queues().len(), 4);
    }
}
