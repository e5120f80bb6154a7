//! The events of a client: on an emulated cluster, with a virtual network and a paused clock.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![expect(clippy::disallowed_methods, reason = "sends are timed in the made-up time of the runtime")]

use std::{sync::Arc, time::Duration};

use maxq::{
    Breaker, BrokerStats, Client, ClientConfig, Event, Events, Message, Producer, ProducerConfig, Stream,
};
use maxq_emulator::{Cluster, VirtualNetwork};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

const TOPIC: &str = "T";
const SECOND: Duration = Duration::from_secs(1);

struct World {
    cluster: Cluster,
    client: Client,
    producer: Producer,
    events: Events,
}

impl World {
    async fn of(brokers: usize) -> Self {
        let network = VirtualNetwork::seeded(1);
        network.latency(Duration::from_micros(500)..=Duration::from_micros(1_500));
        let cluster = Cluster::builder().virtual_network(&network).brokers(brokers).topic(TOPIC, 2);
        let cluster = cluster.start().await.unwrap();
        let client = ClientConfig::new(cluster.name_servers()).seed(1).connector(move |address: String| {
            let network = network.clone();
            async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
        });
        let client = Client::lazy(client).unwrap();
        let events = client.events();
        let producer = client.producer(ProducerConfig::new("events")).unwrap();
        Self { cluster, client, producer, events }
    }

    fn address(&self, broker: usize) -> Arc<str> {
        self.cluster.broker(broker).address().to_string().into()
    }

    fn name_server(&self) -> Arc<str> {
        self.cluster.name_servers().into()
    }

    /// Four tasks send one message after the other for so long.
    async fn send_for(&self, seconds: u64) {
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut senders = JoinSet::new();
        for _ in 0..4 {
            let producer = self.producer.clone();
            senders.spawn(async move {
                while Instant::now() < until {
                    producer.send(Message::new(TOPIC, "x")).await.unwrap();
                    sleep(Duration::from_millis(20)).await;
                }
            });
        }
        senders.join_all().await;
    }

    /// What was told since the last look.
    fn told(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.events.try_next()).collect()
    }

    fn stats_of(&self, broker: usize) -> BrokerStats {
        let address = self.address(broker);
        self.producer.stats().brokers.into_iter().find(|broker| broker.address == address).unwrap()
    }
}

fn breaker_of(event: &Event) -> Option<&'static str> {
    match event {
        Event::BrokerSuspected { .. } => Some("suspected"),
        Event::BreakerOpened { .. } => Some("opened"),
        Event::BreakerHalfOpened { .. } => Some("half open"),
        Event::BrokerReadmitted { .. } => Some("readmitted"),
        Event::BreakerClosed { .. } => Some("closed"),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_send_tells_of_its_connections_and_its_route() {
    let mut world = World::of(1).await;
    assert_eq!(world.events.try_next(), None);
    world.producer.send(Message::new(TOPIC, "x")).await.unwrap();
    let expected = [
        Event::Connected { address: world.name_server() },
        Event::RouteChanged { topic: TOPIC.into() },
        Event::Connected { address: world.address(0) },
    ];
    assert_eq!(world.told(), expected);
    // Nothing happens, so nothing is told.
    world.producer.send(Message::new(TOPIC, "x")).await.unwrap();
    sleep(30 * SECOND).await;
    assert_eq!(world.told(), []);
    let close = world.client.close(SECOND);
    let (_, event) = tokio::join!(close, world.events.next());
    assert_eq!((event, world.events.next().await), (Some(Event::Closed), None));
}

#[tokio::test(start_paused = true)]
async fn a_frozen_broker_is_suspected_opened_half_open_and_closed_in_this_order() {
    let mut world = World::of(2).await;
    world.send_for(1).await;
    world.told();
    world.cluster.freeze_broker(1);
    world.send_for(1).await;
    let frozen = world.stats_of(1);
    assert!(matches!(frozen.breaker, Breaker::Open { .. }), "{frozen:?}");
    world.send_for(4).await;
    let address = world.address(1);
    let told = world.told();
    let steps: Vec<_> = told.iter().filter_map(breaker_of).collect();
    assert_eq!(steps[..2], ["suspected", "opened"], "{told:?}");
    assert!(steps.iter().all(|step| ["suspected", "opened"].contains(step)), "{told:?}");
    let suspected = told.iter().find(|event| breaker_of(event) == Some("suspected")).unwrap();
    assert!(
        matches!(suspected, Event::BrokerSuspected { address: of, waited }
            if *of == address && *waited > SECOND / 4 && *waited < SECOND / 2),
        "{suspected}"
    );
    // Not a byte came for a whole time-out: the link may be dead.
    let mute = Event::Lost { address: address.clone(), cause: "no answer in time".into() };
    assert!(told.contains(&mute), "{told:?}");
    world.cluster.thaw_broker(1);
    let mut seen = Vec::new();
    for _ in 0..12 {
        world.send_for(1).await;
        seen.push(world.stats_of(1).breaker);
    }
    let told = world.told();
    let steps: Vec<_> = told.iter().filter_map(breaker_of).collect();
    assert_eq!(steps, ["half open", "readmitted", "closed"], "{told:?}");
    assert!(seen.iter().any(|breaker| matches!(breaker, Breaker::HalfOpen { eighths: 1.. })), "{seen:?}");
    assert_eq!(seen.last(), Some(&Breaker::Closed));
    assert!(!world.stats_of(1).is_suspect);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_dies_is_lost_and_then_connected_again() {
    let mut world = World::of(2).await;
    world.send_for(1).await;
    world.told();
    let address = world.address(1);
    world.cluster.kill_broker(1).await;
    world.send_for(1).await;
    world.cluster.restart_broker(1).await.unwrap();
    // The next look at the name server finds it.
    sleep(31 * SECOND).await;
    world.send_for(1).await;
    let expected = [
        Event::Lost { address: address.clone(), cause: "the peer closed the connection".into() },
        Event::RouteChanged { topic: TOPIC.into() },
        Event::RouteChanged { topic: TOPIC.into() },
        Event::Connected { address },
    ];
    assert_eq!(world.told(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_the_client_closes_by_itself_is_not_lost() {
    let mut world = World::of(2).await;
    world.send_for(1).await;
    world.told();
    world.client.close(SECOND).await;
    assert_eq!(world.told(), [Event::Closed]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_listener_is_told_what_it_missed_and_holds_nobody_up() {
    let mut world = World::of(1).await;
    let mut quick = world.client.events();
    let mut heard = 0;
    for n in 0..300 {
        let topic = format!("new-{n}");
        world.cluster.create_topic(&topic, 1).unwrap();
        world.producer.queues(&topic).await.unwrap();
        heard += std::iter::from_fn(|| quick.try_next()).count();
    }
    let told = world.told();
    assert_eq!(told[0], Event::Missed { count: heard as u64 - 256 });
    assert_eq!(told.len(), 257);
    assert_eq!(told.last(), Some(&Event::RouteChanged { topic: "new-299".into() }));
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_comes_too_late_hears_the_end() {
    let world = World::of(1).await;
    let World { client, producer, mut events, .. } = world;
    client.close(SECOND).await;
    assert_eq!(client.events().next().await, None);
    drop((client, producer));
    assert_eq!((events.next().await, events.next().await), (Some(Event::Closed), None));
}

#[tokio::test(start_paused = true)]
async fn events_keep_no_client_alive() {
    let World { client, producer, mut events, .. } = World::of(1).await;
    drop((client, producer));
    assert_eq!(events.next().await, Some(Event::Closed));
}

#[test]
fn a_runtime_that_ends_ends_the_events() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let mut world = runtime.block_on(World::of(1));
    drop(runtime);
    assert_eq!(world.told(), [Event::Closed]);
}
