//! The producer for programs without async, on an emulated cluster with real sockets.

use std::time::Duration;

use maxq::{ClientConfig, ErrorCode, Message, MessageBatch, Outcome, ProducerConfig, blocking::Producer};
use maxq_emulator::{Cluster, Effect, Fault, On};
use tokio::runtime::Runtime;

const TOPIC: &str = "T";
const SECOND: Duration = Duration::from_secs(1);

/// A cluster that runs in threads of its own, as a real one does.
struct World {
    runtime: Runtime,
    cluster: Cluster,
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a thread can be started");
        let cluster = runtime.block_on(Cluster::builder().brokers(2).topic(TOPIC, 2).start());
        Self { cluster: cluster.expect("ports are free"), runtime }
    }

    fn producer(&self) -> Producer {
        let url = format!("rocketmq://{}/?group=blocking", self.cluster.name_servers());
        Producer::connect(&url).expect("the emulator answers")
    }

    fn stored(&self) -> u64 {
        self.cluster.stored_count(TOPIC)
    }
}

fn message(n: usize) -> Message {
    Message::new(TOPIC, format!("body {n}"))
}

#[test]
fn it_sends_from_a_main_without_async() {
    let world = World::new();
    let producer = world.producer();
    let receipt = producer.send(message(0)).wait().expect("it is stored");
    assert_eq!(receipt.queue().topic(), TOPIC);
    producer.send(message(1)).timeout(SECOND).oneway().wait().expect("the socket takes it");
    let batch = MessageBatch::new((2..5).map(message)).expect("they fit together");
    assert_eq!(producer.send_batch(batch).wait().expect("it is stored").receipts().len(), 3);
    let (tell, told) = std::sync::mpsc::channel();
    producer
        .send(message(5))
        .enqueue(move |end| tell.send(end.is_ok()).unwrap_or_default())
        .expect("there is room");
    assert_eq!(told.recv_timeout(10 * SECOND), Ok(true));
    assert_eq!(producer.flush(SECOND).pending, 0);
    let stats = producer.stats();
    assert_eq!((stats.begun, stats.acknowledged, stats.handed_over), (6, 5, 1));
    let report = producer.close(SECOND);
    assert_eq!((report.unknown, report.unsent.len()), (0, 0));
    assert_eq!(world.stored(), 6);
    let error = producer.send(message(6)).wait().expect_err("it is closed");
    assert_eq!((error.code(), error.outcome()), (ErrorCode::CLOSED, Outcome::NotSent));
}

#[test]
fn many_threads_share_one_producer() {
    let world = World::new();
    let producer = world.producer();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let producer = producer.clone();
            scope.spawn(move || {
                for n in 0..50 {
                    producer.send(message(n)).wait().expect("it is stored");
                }
            });
        }
    });
    assert_eq!(world.stored(), 400);
}

#[test]
fn inside_async_code_it_is_an_error_and_the_message_comes_back() {
    let world = World::new();
    let producer = world.producer();
    world.runtime.block_on(async {
        let error = producer.send(message(0)).wait().expect_err("it would block");
        assert_eq!((error.code(), error.outcome()), (ErrorCode::CONFIG, Outcome::NotSent));
        assert!(error.to_string().contains("use maxq::Producer there"), "{error}");
        assert_eq!(error.into_messages(), [message(0)]);
        let config = ClientConfig::new(world.cluster.name_servers());
        let error = Producer::with(config, ProducerConfig::new("blocking")).expect_err("it would block");
        assert!(error.to_string().contains("stop the async runtime"), "{error}");
    });
    producer.send(message(0)).wait().expect("outside it works");
}

#[test]
fn inside_async_code_nothing_is_waited_for_and_nothing_is_called_done() {
    let world = World::new();
    let producer = world.producer();
    world.cluster.fault(Fault::on(On::Route).then(Effect::DropRequest));
    producer.send(Message::new("unknown", "x")).enqueue(drop).expect("there is room");
    let (flushed, closed) =
        world.runtime.block_on(async { (producer.flush(SECOND), producer.close(Duration::ZERO)) });
    assert_eq!((flushed.pending, closed.unknown), (1, 1));
}

#[test]
fn dropping_the_last_clone_leaves_in_order_and_ends_the_thread() {
    let world = World::new();
    let producer = world.producer();
    producer.send(message(0)).wait().expect("it is stored");
    let clone = producer.clone();
    for n in 1..20 {
        clone.send(message(n)).enqueue(drop).expect("there is room");
    }
    drop(producer);
    drop(clone);
    // The drop has waited: everything is stored, and the brokers were told.
    assert_eq!(world.stored(), 20);
    assert!(world.cluster.clients().is_empty(), "{:?}", world.cluster.clients());
}

#[test]
fn a_cluster_that_is_not_there_leaves_no_thread_behind() {
    let error = Producer::connect("rocketmq://127.0.0.1:1/?group=g").expect_err("nobody listens there");
    assert_eq!(error.code(), ErrorCode::NAME_SERVER_UNREACHABLE);
}
