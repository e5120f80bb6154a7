//! Who this client is to the cluster: what its roles need of routes, what its heartbeats announce, and of whom brokers
//! are told when it leaves.
//!
//! The route keeper and the heartbeat serve roles and know no kinds of them: producers today, consumers later.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use maxq_protocol::{
    Group, Topic,
    body::{HeartbeatData, JsonDialect, ProducerData, to_json},
    header::UnregisterClient,
};

use crate::route::{Route, Wish};

/// One member of a group.
pub(crate) trait Role: Send + Sync {
    /// The topics whose routes it needs at all times, used or not.
    fn topics(&self) -> Vec<(Topic, Wish)>;

    /// Whether this topic is one of them.
    fn needs(&self, topic: &Topic) -> bool;

    /// Adds what heartbeats say of it.
    fn announce(&self, beat: &mut HeartbeatData);

    /// The route of a topic that it needs was fetched anew, changed or not. Called by the route keeper: it must be quick.
    fn on_route(&self, _topic: &Topic, _route: &Arc<Route>) {}

    /// What brokers are told when the client closes.
    fn on_close(&self, client_id: &str) -> UnregisterClient;
}

/// All producers of one group: to a broker they are one.
struct ProducerRole {
    group: Group,
    /// How many producers there are.
    count: usize,
    /// What was prewarmed.
    topics: BTreeMap<Topic, Wish>,
}

impl Role for ProducerRole {
    fn topics(&self) -> Vec<(Topic, Wish)> {
        self.topics.iter().map(|(topic, wish)| (topic.clone(), *wish)).collect()
    }

    fn needs(&self, topic: &Topic) -> bool {
        self.topics.contains_key(topic)
    }

    fn announce(&self, beat: &mut HeartbeatData) {
        beat.producer_data_set.push(ProducerData { group_name: self.group.to_string() });
    }

    fn on_close(&self, client_id: &str) -> UnregisterClient {
        farewell_of_producer(client_id, &self.group)
    }
}

/// What a broker is told when the last producer of a group leaves.
pub(crate) fn farewell_of_producer(client_id: &str, group: &Group) -> UnregisterClient {
    UnregisterClient {
        client_id: client_id.to_owned(),
        producer_group: Some(group.to_string()),
        consumer_group: None,
    }
}

/// The roles of one client.
#[derive(Default)]
pub(crate) struct Roles {
    producers: Mutex<BTreeMap<Group, ProducerRole>>,
    /// Until there are consumers, the roles of tests.
    #[cfg(test)]
    others: Mutex<Vec<Arc<dyn Role>>>,
}

impl Roles {
    pub(crate) fn add_producer(&self, group: &Group) {
        let new = || ProducerRole { group: group.clone(), count: 0, topics: BTreeMap::new() };
        self.producers().entry(group.clone()).or_insert_with(new).count += 1;
    }

    /// Says whether that was the last producer of the group.
    pub(crate) fn remove_producer(&self, group: &Group) -> bool {
        let mut producers = self.producers();
        let Some(role) = producers.get_mut(group) else { return false };
        role.count -= 1;
        if role.count > 0 {
            return false;
        }
        producers.remove(group);
        true
    }

    /// The producers of `group` need the routes of these topics from now on.
    pub(crate) fn add_topics(&self, group: &Group, topics: &[Topic], wish: Wish) {
        if let Some(role) = self.producers().get_mut(group) {
            role.topics.extend(topics.iter().map(|topic| (topic.clone(), wish)));
        }
    }

    /// The topics whose routes some role needs at all times.
    pub(crate) fn topics(&self) -> BTreeMap<Topic, Wish> {
        let mut topics = BTreeMap::new();
        self.each(|role| topics.extend(role.topics()));
        topics
    }

    /// Tells of a route those who need it.
    pub(crate) fn on_route(&self, topic: &Topic, route: &Arc<Route>) {
        self.each(|role| {
            if role.needs(topic) {
                role.on_route(topic, route);
            }
        });
    }

    /// The body of a heartbeat, or `None` when there is nobody to announce.
    pub(crate) fn heartbeat(&self, client_id: &str) -> Option<Vec<u8>> {
        let mut data = HeartbeatData { client_id: client_id.to_owned(), ..HeartbeatData::default() };
        let mut is_empty = true;
        self.each(|role| {
            role.announce(&mut data);
            is_empty = false;
        });
        if is_empty { None } else { Some(to_json(&data, JsonDialect::Standard)) }
    }

    /// What brokers are told when the client closes.
    pub(crate) fn farewells(&self, client_id: &str) -> Vec<UnregisterClient> {
        let mut farewells = Vec::new();
        self.each(|role| farewells.push(role.on_close(client_id)));
        farewells
    }

    /// Every role, producers first.
    fn each(&self, mut visit: impl FnMut(&dyn Role)) {
        for role in self.producers().values() {
            visit(role);
        }
        #[cfg(test)]
        for role in self.others.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            visit(&**role);
        }
    }

    fn producers(&self) -> MutexGuard<'_, BTreeMap<Group, ProducerRole>> {
        self.producers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use maxq_emulator::{Cluster, VirtualNetwork};
    use tokio::time::sleep;

    use super::*;
    use crate::{Client, ClientConfig, Producer, ProducerConfig, Stream};

    const SECOND: Duration = Duration::from_secs(1);

    /// What a consumer will be to the rest of the client: it needs topics, and hears of their routes.
    struct Listener {
        group: Group,
        topic: Topic,
        heard: Mutex<Vec<(Topic, i32)>>,
    }

    impl Role for Listener {
        fn topics(&self) -> Vec<(Topic, Wish)> {
            vec![(self.topic.clone(), Wish::Own)]
        }

        fn needs(&self, topic: &Topic) -> bool {
            self.topic == *topic
        }

        fn announce(&self, beat: &mut HeartbeatData) {
            beat.producer_data_set.push(ProducerData { group_name: self.group.to_string() });
        }

        fn on_route(&self, topic: &Topic, route: &Arc<Route>) {
            let queues = route.data.queue_datas.iter().map(|queues| queues.read_queue_nums).sum();
            self.heard.lock().unwrap().push((topic.clone(), queues));
        }

        fn on_close(&self, client_id: &str) -> UnregisterClient {
            farewell_of_producer(client_id, &self.group)
        }
    }

    impl Listener {
        /// The topics of which it heard since the last look, each with its number of queues.
        fn heard(&self) -> Vec<(Topic, i32)> {
            std::mem::take(&mut *self.heard.lock().unwrap())
        }
    }

    /// A client with a listener that needs "mine", and with a producer.
    struct World {
        cluster: Cluster,
        listener: Arc<Listener>,
        producer: Producer,
        mine: Topic,
    }

    impl World {
        async fn new() -> Self {
            let network = VirtualNetwork::seeded(1);
            network.latency(Duration::from_millis(1)..=Duration::from_millis(1));
            let cluster = Cluster::builder().virtual_network(&network).topic("mine", 2).topic("other", 2);
            let cluster = cluster.start().await.unwrap();
            let config =
                ClientConfig::new(cluster.name_servers()).seed(1).connector(move |address: String| {
                    let network = network.clone();
                    async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
                });
            let client = Client::lazy(config).unwrap();
            let (group, mine) = (Group::new("listeners").unwrap(), Topic::new("mine").unwrap());
            let listener = Arc::new(Listener { group, topic: mine.clone(), heard: Mutex::default() });
            client.shared().roles.others.lock().unwrap().push(listener.clone());
            let producer = client.producer(ProducerConfig::new("producers")).unwrap();
            Self { cluster, listener, producer, mine }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_hears_of_the_routes_of_its_topics_and_of_no_others() {
        let World { cluster, listener, producer, mine } = World::new().await;
        for topic in ["other", "mine"] {
            assert_eq!(producer.queues(topic).await.unwrap().len(), 2);
        }
        assert_eq!(listener.heard(), [(mine.clone(), 2)]);
        for topic in ["other", "mine"] {
            cluster.create_topic(topic, 3).unwrap();
        }
        // Both are looked at anew, because they are in use.
        sleep(31 * SECOND).await;
        assert_eq!(producer.queues("other").await.unwrap().len(), 3);
        assert_eq!(listener.heard(), [(mine, 3)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_topics_of_a_role_are_kept_fresh_though_nobody_sends() {
        let World { cluster, listener, producer, mine } = World::new().await;
        producer.queues("other").await.unwrap();
        let hour = 3_600 * SECOND;
        sleep(hour + SECOND).await;
        assert_eq!(listener.heard(), vec![(mine.clone(), 2); 120], "every 30 s");
        let asked = |topic: &str| {
            let requests = cluster.requests();
            requests.iter().filter(|request| request.topic.as_deref() == Some(topic)).count()
        };
        assert_eq!((asked("mine"), asked("other")), (120, 20), "what no role needs is forgotten");
        // Its broker is ours: it knows us by the heartbeats.
        assert_eq!(cluster.clients().len(), 1);
        cluster.create_topic("mine", 3).unwrap();
        sleep(30 * SECOND).await;
        assert_eq!(listener.heard(), [(mine, 3)]);
    }

    #[test]
    fn the_producers_of_a_group_are_one_role_until_the_last_has_left() {
        let roles = Roles::default();
        assert_eq!(roles.heartbeat("c"), None, "there is nobody to announce");
        let (orders, events) = (Group::new("orders").unwrap(), Group::new("events").unwrap());
        let topic = Topic::new("T").unwrap();
        for group in [&orders, &orders, &events] {
            roles.add_producer(group);
        }
        roles.add_topics(&orders, std::slice::from_ref(&topic), Wish::Own);
        let beat = String::from_utf8(roles.heartbeat("c").unwrap()).unwrap();
        assert!(beat.contains(r#"[{"groupName":"events"},{"groupName":"orders"}]"#), "{beat}");
        let farewells = roles.farewells("c");
        let groups: Vec<_> = farewells.iter().filter_map(|left| left.producer_group.as_deref()).collect();
        assert_eq!(groups, ["events", "orders"]);

        assert!(!roles.remove_producer(&orders));
        assert_eq!(roles.topics().get(&topic), Some(&Wish::Own));
        assert!(roles.remove_producer(&orders) && !roles.remove_producer(&orders));
        assert!(roles.topics().is_empty(), "nobody needs it any more");
    }
}
