//! The figures of a producer: on an emulated cluster, with a virtual network and a paused clock.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::time::Duration;

use maxq::{
    Breaker, Client, ClientConfig, CompressionChoice, Latencies, Message, MessageBatch, Producer,
    ProducerConfig, RetryPolicy, Stats, Stream,
};
use maxq_emulator::{Cluster, Effect, Fault, Goodbye, On, VirtualNetwork, When};
use tokio::time::sleep;

const TOPIC: &str = "T";
const SECOND: Duration = Duration::from_secs(1);
/// One way on the network.
const WAY: Duration = Duration::from_millis(1);

struct World {
    network: VirtualNetwork,
    cluster: Cluster,
    client: Client,
    producer: Producer,
}

impl World {
    async fn of(brokers: usize) -> Self {
        Self::with(brokers, ProducerConfig::new("stats")).await
    }

    async fn with(brokers: usize, config: ProducerConfig) -> Self {
        let network = VirtualNetwork::seeded(1);
        network.latency(WAY..=WAY);
        let cluster = Cluster::builder().virtual_network(&network).brokers(brokers).topic(TOPIC, 2);
        let cluster = cluster.start().await.unwrap();
        let dialled = network.clone();
        let client = ClientConfig::new(cluster.name_servers()).seed(1).connector(move |address: String| {
            let network = dialled.clone();
            async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
        });
        let client = Client::connect(client).await.unwrap();
        let producer = client.producer(config).unwrap();
        Self { network, cluster, client, producer }
    }

    /// Connections are open, and the brokers know us.
    async fn warm(&self) {
        self.producer.prewarm(&[TOPIC]).await.unwrap();
        sleep(SECOND / 10).await;
    }
}

fn message(n: usize) -> Message {
    Message::new(TOPIC, format!("body {n}"))
}

/// Whether this is what was counted, up to the width of a bucket.
fn are_about(latencies: &Latencies, expected: Duration) -> bool {
    is_about(latencies.quantile(0.0), expected) && is_about(latencies.max(), expected)
}

fn is_about(counted: Duration, expected: Duration) -> bool {
    counted >= expected && counted <= expected * 9 / 8 + Duration::from_micros(1)
}

fn sum(stats: &Stats) -> u64 {
    stats.acknowledged + stats.refused + stats.not_sent + stats.unknown + stats.handed_over + stats.under_way
}

#[tokio::test(start_paused = true)]
async fn what_is_buffered_and_in_flight_returns_to_nothing() {
    let world = World::of(2).await;
    world.warm().await;
    (0..2).for_each(|broker| world.cluster.freeze_broker(broker));
    for n in 0..10 {
        drop(world.producer.send(message(n)).try_enqueue().unwrap());
    }
    let stats = world.producer.stats();
    assert_eq!((stats.begun, stats.under_way), (10, 10));
    assert_eq!((stats.buffered.messages, stats.buffered.bytes, stats.in_flight.messages), (10, 60, 0));
    sleep(WAY).await;
    let stats = world.producer.stats();
    assert_eq!((stats.buffered.messages, stats.buffered.bytes), (0, 0));
    assert_eq!((stats.in_flight.messages, stats.in_flight.bytes), (10, 60));
    (0..2).for_each(|broker| world.cluster.thaw_broker(broker));
    world.producer.flush(SECOND).await;
    let stats = world.producer.stats();
    assert_eq!((stats.buffered, stats.in_flight), (maxq::Load::default(), maxq::Load::default()));
    assert_eq!((stats.begun, stats.acknowledged, stats.under_way), (10, 10, 0));
}

/// Whatever happens: each message ends in one way, and the ways are those of the report.
#[tokio::test(start_paused = true)]
async fn the_counts_agree_with_the_report_of_closing_under_faults() {
    let policies = [RetryPolicy::default(), RetryPolicy::never_after_unknown(), RetryPolicy::none()];
    for policy in policies {
        let world = World::with(2, ProducerConfig::new("stats").retry(policy).limits(64, 64 << 20)).await;
        world.cluster.fault(Fault::on(On::Send).skip(20).times(20).then(Effect::DropAnswer));
        world.cluster.fault(Fault::on(On::Send).chance(0.2).then(Effect::delay(SECOND / 10)));
        world.cluster.fault(Fault::on(On::Send).chance(0.1).then(Effect::disk_full()));
        world
            .cluster
            .fault(Fault::on(On::Send).chance(0.05).then(Effect::refuse(13, "the message is illegal")));
        for n in 0..300 {
            drop(world.producer.send(message(n)).enqueue().await.unwrap());
            if n % 10 == 0 {
                world.producer.send(message(n)).oneway().await.unwrap();
            }
        }
        let before = world.producer.stats();
        assert_eq!((before.begun, sum(&before), before.handed_over), (330, 330, 30));
        let report = world.producer.close(10 * SECOND).await;
        let after = world.producer.stats();
        assert_eq!((sum(&after), after.under_way), (330, 0), "{policy:?}: {after:?}");
        let ended = [
            after.acknowledged - before.acknowledged,
            after.refused - before.refused,
            after.not_sent - before.not_sent,
            after.unknown - before.unknown,
        ];
        assert_eq!(
            ended,
            [report.acknowledged, report.refused, report.not_sent, report.unknown],
            "{policy:?}"
        );
        assert_eq!((after.buffered, after.in_flight), (maxq::Load::default(), maxq::Load::default()));
        assert_eq!(after.latency.total.count(), after.acknowledged);
        let latency = &after.latency;
        let counted = [latency.queue.count(), latency.network.count(), latency.broker.count()];
        assert_eq!(counted, [counted[0]; 3]);
        assert!(counted[0] >= after.acknowledged + after.refused, "an answered attempt is counted");
        if policy == RetryPolicy::none() {
            assert_eq!(after.retries.total(), 0, "{:?}", after.retries);
        } else {
            assert!(after.retries.unavailable > 0 && after.retries.bad_answer == 0, "{:?}", after.retries);
        }
        assert_eq!(after.retries.no_answer > 0, policy == RetryPolicy::default(), "{:?}", after.retries);
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_counted_by_what_made_it_necessary() {
    let faults = [
        ("busy", Effect::refuse(2, "[REJECTREQUEST]system busy")),
        ("unavailable", Effect::refuse(14, "service not available now")),
        ("no answer", Effect::DropAnswer),
        ("lost connection", Effect::Close { when: When::default(), goodbye: Goodbye::Reset }),
        ("stale route", Effect::refuse(17, "topic[T] not exist")),
        ("leaving", Effect::go_away()),
        ("long form", Effect::not_supported(310)),
    ];
    for (name, effect) in faults {
        let world = World::of(2).await;
        world.warm().await;
        world.cluster.fault(Fault::on(On::Send).once().then(effect));
        world.producer.send(message(0)).await.unwrap();
        let retries = world.producer.stats().retries;
        let count = match name {
            "busy" => retries.busy,
            "unavailable" => retries.unavailable,
            "no answer" => retries.no_answer,
            "lost connection" => retries.lost_connection,
            "stale route" => retries.stale_route,
            "leaving" => retries.leaving,
            _ => retries.long_form,
        };
        assert_eq!((count, retries.total()), (1, 1), "{name}: {retries:?}");
        world.cluster.stop().await;
    }
    let world = World::of(2).await;
    world.warm().await;
    world.cluster.kill_broker(1).await;
    sleep(SECOND / 10).await;
    for n in 0..8 {
        world.producer.send(message(n)).await.unwrap();
    }
    let retries = world.producer.stats().retries;
    assert_eq!(
        (retries.failed_dial, retries.total()),
        (1, 1),
        "its breaker opens with the first: {retries:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_send_is_split_between_queue_network_and_broker() {
    let world = World::of(1).await;
    world.warm().await;
    let work = Duration::from_millis(20);
    world.cluster.fault(Fault::on(On::Send).then(Effect::delay(work)));
    for n in 0..20 {
        world.producer.send(message(n)).await.unwrap();
    }
    let latency = world.producer.stats().latency;
    assert_eq!([latency.total.count(), latency.queue.count()], [20, 20]);
    assert!(are_about(&latency.total, 2 * WAY + work), "{latency:?}");
    assert_eq!(latency.queue.max(), Duration::ZERO, "{latency:?}");
    assert!(are_about(&latency.network, 2 * WAY), "heartbeats have shown it: {latency:?}");
    assert!(are_about(&latency.broker, work), "{latency:?}");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_room_is_queueing() {
    let world = World::with(1, ProducerConfig::new("stats").limits(1, 1 << 20)).await;
    world.warm().await;
    let work = Duration::from_millis(20);
    world.cluster.fault(Fault::on(On::Send).then(Effect::delay(work)));
    let turn = 2 * WAY + work;
    let (first, second, third) = tokio::join!(
        world.producer.send(message(0)).into_future(),
        world.producer.send(message(1)).into_future(),
        async { world.producer.send(message(2)).enqueue().await.unwrap().await },
    );
    assert!(first.is_ok() && second.is_ok() && third.is_ok());
    let latency = world.producer.stats().latency;
    for (part, turns) in [(0.33, 0), (0.66, 1), (1.0, 2)] {
        let (queued, total) = (latency.queue.quantile(part), latency.total.quantile(part));
        assert!(is_about(queued, turns * turn), "{part}: {queued:?}");
        assert!(is_about(total, (turns + 1) * turn), "{part}: {total:?}");
    }
    assert!(are_about(&latency.broker, work), "{latency:?}");
}

/// A broker that does not read for a while: what is more than the network holds waits for the socket.
#[tokio::test(start_paused = true)]
async fn waiting_for_the_socket_is_queueing() {
    let world = World::with(1, ProducerConfig::new("stats").compression(CompressionChoice::Off)).await;
    world.warm().await;
    world.cluster.freeze_broker(0);
    let body = || Message::new(TOPIC, vec![b'x'; 1 << 20]);
    let (first, second, ()) = tokio::join!(
        world.producer.send(body()).into_future(),
        world.producer.send(body()).into_future(),
        async {
            sleep(SECOND / 5).await;
            world.cluster.thaw_broker(0);
        }
    );
    assert!(first.is_ok() && second.is_ok());
    let latency = world.producer.stats().latency;
    assert!(latency.queue.max() >= SECOND / 5, "{latency:?}");
    assert!(latency.broker.max() < SECOND / 10, "{latency:?}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_many_messages_and_one_answer() {
    let world = World::of(1).await;
    world.producer.send_batch(MessageBatch::new((0..5).map(message)).unwrap()).await.unwrap();
    let stats = world.producer.stats();
    assert_eq!((stats.begun, stats.acknowledged), (5, 5));
    assert_eq!((stats.latency.total.count(), stats.latency.broker.count()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_producer_counts_its_own_messages_also_over_new_connections() {
    let world = World::of(1).await;
    let other = world.client.producer(ProducerConfig::new("other")).unwrap();
    for n in 0..3 {
        world.producer.send(message(n)).await.unwrap();
        other.send(message(n)).await.unwrap();
        other.send(message(n)).await.unwrap();
        world.cluster.kill_broker(0).await;
        sleep(SECOND / 10).await;
        world.cluster.restart_broker(0).await.unwrap();
        // Its breaker has let it rest.
        sleep(30 * SECOND).await;
    }
    let (stats, others) = (world.producer.stats(), other.stats());
    assert_eq!((stats.acknowledged, stats.latency.queue.count()), (3, 3), "{stats:?}");
    assert_eq!((others.acknowledged, others.latency.queue.count()), (6, 6), "{others:?}");
}

#[tokio::test(start_paused = true)]
async fn the_figures_tell_how_each_broker_stands() {
    let world = World::of(2).await;
    world.warm().await;
    let stats = world.producer.stats();
    let names: Vec<_> = stats.brokers.iter().map(|broker| broker.name.to_string()).collect();
    assert_eq!(names, [0, 1].map(|broker| world.cluster.broker(broker).name().to_owned()));
    assert!(stats.brokers.iter().all(|broker| broker.is_connected && !broker.is_suspect));
    assert!(stats.brokers.iter().all(|broker| broker.breaker == Breaker::Closed));
    let address = world.cluster.broker(1).address().to_string();
    world.network.cut(&address);
    world.network.refuse(&address);
    sleep(SECOND / 10).await;
    for n in 0..8 {
        world.producer.send(message(n)).await.unwrap();
    }
    let stats = world.producer.stats();
    assert!(!stats.brokers[1].is_connected);
    assert!(matches!(stats.brokers[1].breaker, Breaker::Open { rest } if rest > SECOND / 2), "{stats:?}");
    assert!((WAY..=2 * WAY).contains(&stats.brokers[0].usual_latency), "{stats:?}");
}
