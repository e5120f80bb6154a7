//! The warning about messages that went with their runtime: it is the last that anybody hears of them. On an emulated
//! cluster, with a virtual network and a paused clock.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::time::Duration;

use maxq::{Client, ClientConfig, Message, MessageQueue, Producer, ProducerConfig, Stream};
use maxq_emulator::{Cluster, VirtualNetwork};
use support::log::Log;
use tokio::{
    runtime::{Builder, Runtime},
    time::sleep,
};

const TOPIC: &str = "T";
const SECOND: Duration = Duration::from_secs(1);

struct World {
    cluster: Cluster,
    producer: Producer,
}

impl World {
    async fn new() -> Self {
        let network = VirtualNetwork::seeded(1);
        network.latency(Duration::from_millis(1)..=Duration::from_millis(1));
        let cluster = Cluster::builder().virtual_network(&network).topic(TOPIC, 2).start().await.unwrap();
        let client = ClientConfig::new(cluster.name_servers()).seed(1).connector(move |address: String| {
            let network = network.clone();
            async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
        });
        let client = Client::lazy(client).unwrap();
        let producer = client.producer(ProducerConfig::new("warnings")).unwrap();
        Self { cluster, producer }
    }

    /// Enqueues so many messages, whose deliveries nobody holds.
    async fn enqueue(&self, messages: usize) {
        for _ in 0..messages {
            drop(self.producer.send(message()).enqueue().await.unwrap());
        }
    }
}

fn message() -> Message {
    Message::new(TOPIC, "x")
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// Expects one line, with all of this in it.
fn assert_said(log: &Log, parts: &[&str]) {
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    for part in parts {
        assert!(lines[0].contains(part), "{part:?} is not in {:?}", lines[0]);
    }
}

#[test]
fn the_messages_that_a_runtime_took_with_it_are_counted_when_their_producer_goes() {
    let (log, _listening) = Log::listen();
    let runtime = runtime();
    let world = runtime.block_on(async {
        let world = World::new().await;
        // Acknowledged: these are not lost.
        world.enqueue(2).await;
        assert_eq!(world.producer.flush(SECOND).await.acknowledged, 2);
        world.cluster.freeze_broker(0);
        world.enqueue(3).await;
        sleep(SECOND / 100).await;
        assert_eq!(world.producer.stats().in_flight.messages, 3);
        world
    });
    drop(runtime);
    assert_eq!(log.lines(), [""; 0], "its figures can still be asked for");
    assert_eq!(world.producer.stats().unknown, 3);
    drop(world);
    let sentence = "the runtime ended under enqueued messages, or their tasks panicked, and nobody knows which are \
                    stored: close the producer first";
    assert_said(&log, &["WARN", "group=warnings", "messages=3", sentence]);
}

#[test]
fn a_message_whose_task_panicked_is_counted_too() {
    let (log, _listening) = Log::listen();
    let runtime = runtime();
    let world = runtime.block_on(async {
        let world = World::new().await;
        let selector = |_: &[MessageQueue], _: &Message| -> Option<usize> { panic!("a bug of the caller's") };
        let delivery = world.producer.send(message()).select_by(selector).enqueue().await.unwrap();
        delivery.await.unwrap_err();
        world.enqueue(1).await;
        world.producer.client().close(SECOND).await;
        world
    });
    drop((world, runtime));
    assert_said(&log, &["WARN", "group=warnings", "messages=1", "or their tasks panicked"]);
}

#[test]
fn nothing_is_said_when_everything_was_acknowledged() {
    let (log, _listening) = Log::listen();
    let runtime = runtime();
    let world = runtime.block_on(async {
        let world = World::new().await;
        world.enqueue(3).await;
        world.producer.send(message()).enqueue().await.unwrap().await.unwrap();
        assert_eq!(world.producer.flush(SECOND).await.pending, 0);
        assert_eq!(world.cluster.stored_count(TOPIC), 4);
        world
    });
    drop(runtime);
    drop(world);
    assert_eq!(log.lines(), [""; 0]);
}

#[test]
fn nothing_is_said_of_a_producer_that_was_closed_although_its_broker_was_silent() {
    let (log, _listening) = Log::listen();
    let runtime = runtime();
    let world = runtime.block_on(async {
        let world = World::new().await;
        world.enqueue(1).await;
        world.producer.flush(SECOND).await;
        world.cluster.freeze_broker(0);
        world.enqueue(3).await;
        assert_eq!(world.producer.client().close(10 * SECOND).await.unknown, 3);
        world
    });
    drop((world, runtime));
    let lines = log.lines();
    assert!(!lines.iter().any(|line| line.contains("runtime ended")), "they were told: {lines:?}");
}
