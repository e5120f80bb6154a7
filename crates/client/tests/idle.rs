//! What nobody uses is let go, connections and topics, and the next send finds its way all the same: on an emulated
//! cluster, with a virtual network and a paused clock.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::{sync::Arc, time::Duration};

use maxq::{Client, ClientConfig, Event, Events, Message, Producer, ProducerConfig, Stream};
use maxq_emulator::{Cluster, Effect, Fault, On, VirtualNetwork};
use maxq_protocol::RequestCode;
use tokio::time::sleep;

const TOPIC: &str = "T";
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const INSTANT: Duration = Duration::from_millis(10);

struct World {
    network: VirtualNetwork,
    cluster: Cluster,
    producer: Producer,
    events: Events,
}

impl World {
    async fn with(set: impl FnOnce(ClientConfig) -> ClientConfig) -> Self {
        let network = VirtualNetwork::seeded(1);
        network.latency(Duration::from_millis(1)..=Duration::from_millis(1));
        let cluster = Cluster::builder().virtual_network(&network).topic(TOPIC, 2).start().await.unwrap();
        // Servers close what is silent, too. These are more patient than any client here, so it is the client that does.
        cluster.fault(Fault::on(On::Connect).then(Effect::IdleClose { after: 24 * HOUR }));
        let wires = network.clone();
        let config = ClientConfig::new(cluster.name_servers()).seed(1).connector(move |address: String| {
            let network = wires.clone();
            async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
        });
        let client = Client::lazy(set(config)).unwrap();
        let events = client.events();
        let producer = client.producer(ProducerConfig::new("idle")).unwrap();
        Self { network, cluster, producer, events }
    }

    async fn send(&self) {
        self.producer.send(Message::new(TOPIC, "x")).await.unwrap();
    }

    fn broker(&self) -> Arc<str> {
        self.cluster.broker(0).address().to_string().into()
    }

    /// How many connections there are: to the name server, and to the broker.
    fn connections(&self) -> [usize; 2] {
        [&*self.cluster.name_servers(), &*self.broker()].map(|address| self.network.connections(address))
    }

    /// What was told since the last look.
    fn told(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.events.try_next()).collect()
    }

    /// How often the name server was asked for the route of the topic.
    fn asked(&self) -> u64 {
        let requests = self.cluster.requests();
        let of_topic = requests.iter().filter(|request| request.topic.as_deref() == Some(TOPIC));
        of_topic.filter(|request| request.code == RequestCode::GET_ROUTEINFO_BY_TOPIC).count() as u64
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_word_is_closed_after_two_minutes() {
    closes_after(120 * SECOND, |config| config).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_word_is_closed_after_the_time_that_was_set() {
    for idle in [SECOND / 2, 20 * SECOND] {
        closes_after(idle, |config| config.connection_max_idle(idle)).await;
    }
}

/// Of a client that says nothing by itself, but for the heartbeats of its start. (Without any more, the broker forgets the
/// client and closes the connection ten seconds after the longest of these times.)
async fn closes_after(idle: Duration, set: impl FnOnce(ClientConfig) -> ClientConfig) {
    let silent = |config: ClientConfig| config.heartbeat_interval(24 * HOUR).route_interval(24 * HOUR);
    let mut world = World::with(|config| set(silent(config))).await;
    world.send().await;
    sleep(2 * SECOND).await;
    world.send().await;
    world.told();
    sleep(idle - INSTANT).await;
    assert_eq!(world.connections()[1], 1, "{idle:?}");
    sleep(2 * INSTANT).await;
    assert_eq!(world.connections(), [0, 0], "{idle:?}");
    assert_eq!(world.told(), [], "{idle:?}: what the client closes by itself is not lost");
    world.send().await;
    assert_eq!(world.told(), [Event::Connected { address: world.broker() }], "{idle:?}");
    assert_eq!((world.cluster.stored_count(TOPIC), world.connections()), (3, [0, 1]), "{idle:?}");
}

/// The answer to a heartbeat is a word.
#[tokio::test(start_paused = true)]
async fn heartbeats_keep_a_connection_open() {
    let ways: [fn(ClientConfig) -> ClientConfig; 2] =
        [|config| config, |config| config.connection_max_idle(31 * SECOND)];
    for set in ways {
        let mut world = World::with(set).await;
        // So the topic stays in use, though nobody sends.
        world.producer.prewarm(&[TOPIC]).await.unwrap();
        world.send().await;
        world.told();
        sleep(HOUR).await;
        world.send().await;
        assert_eq!((world.told(), world.connections()), (vec![], [1, 1]));
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_come_too_seldom_dial_each_time() {
    let mut world = World::with(|config| config.connection_max_idle(10 * SECOND)).await;
    world.producer.prewarm(&[TOPIC]).await.unwrap();
    sleep(2 * SECOND).await;
    world.told();
    // Twenty heartbeats, and twenty questions for the route.
    sleep(600 * SECOND).await;
    let told = world.told();
    for address in [world.broker(), world.cluster.name_servers().into()] {
        let dials = told.iter().filter(|event| **event == Event::Connected { address: address.clone() });
        assert_eq!(dials.count(), 20, "{address}");
    }
    assert_eq!(told.len(), 40, "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_nobody_uses_is_forgotten_after_ten_minutes() {
    forgets_after(600 * SECOND, |config| config).await;
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_nobody_uses_is_forgotten_after_the_time_that_was_set() {
    for idle in [60 * SECOND, HOUR] {
        forgets_after(idle, |config| config.topic_max_idle(idle)).await;
    }
}

async fn forgets_after(idle: Duration, set: impl FnOnce(ClientConfig) -> ClientConfig) {
    let mut world = World::with(set).await;
    world.send().await;
    sleep(idle + SECOND).await;
    // At the send, and then every 30 s.
    let asked = idle.as_secs() / 30;
    assert_eq!(world.asked(), asked, "{idle:?}");
    // Its broker is no longer ours: no heartbeat goes there, and the connection is let go.
    assert_eq!(world.connections()[1], 0, "{idle:?}");
    world.cluster.clear_requests();
    world.told();
    sleep(HOUR).await;
    assert_eq!((world.cluster.requests(), world.told()), (vec![], vec![]), "{idle:?}");
    world.send().await;
    assert_eq!((world.asked(), world.cluster.stored_count(TOPIC)), (1, 2), "{idle:?}");
    // It is polled again.
    sleep(31 * SECOND).await;
    assert_eq!(world.asked(), 2, "{idle:?}");
}

#[tokio::test(start_paused = true)]
async fn a_topic_in_use_is_polled_on() {
    let world = World::with(|config| config.topic_max_idle(60 * SECOND)).await;
    for _ in 0..12 {
        world.send().await;
        sleep(50 * SECOND).await;
    }
    assert_eq!(world.asked(), 21, "at the first send, and then every 30 s for ten minutes");
}
