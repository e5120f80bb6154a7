//! A process that pauses must not blame its brokers.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![allow(clippy::disallowed_methods, reason = "the pause is a real one")]

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use maxq::{Client, ClientConfig, Message, ProducerConfig};
use maxq_emulator::Cluster;

/// After a pause the answers of all brokers wait in the sockets. Whoever is read first wakes a sender, and that sender
/// finds the next broker suspect while the first one "answers".
#[test]
fn a_client_that_pauses_shuts_nobody_out() {
    // Who is read first is chance on a runtime of threads.
    for _ in 0..2 {
        round();
    }
}

fn round() {
    let servers = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let cluster = servers.block_on(Cluster::builder().brokers(2).topic("T", 4).start()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let config = ClientConfig::new(cluster.name_servers()).seed(3);
    let client = runtime.block_on(runtime.spawn(Client::connect(config))).unwrap().unwrap();
    let guard = runtime.enter();
    let producer = client.producer(ProducerConfig::new("regression")).unwrap();
    drop(guard);
    let ends = Arc::new(Mutex::new(Vec::new()));
    let until = Instant::now() + Duration::from_millis(2_300);
    let senders: Vec<_> = (0..16)
        .map(|_| {
            let (producer, ends) = (producer.clone(), ends.clone());
            runtime.spawn(async move {
                while Instant::now() < until {
                    let receipt = producer.send(Message::new("T", "x")).await.unwrap();
                    ends.lock().unwrap().push((Instant::now(), receipt.queue().broker_name().to_owned()));
                }
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    // The only worker stands still.
    runtime.block_on(runtime.spawn(async { std::thread::sleep(Duration::from_millis(1_000)) })).unwrap();
    let resumed = Instant::now();
    for sender in senders {
        runtime.block_on(sender).unwrap();
    }
    let ends = ends.lock().unwrap();
    let share = |from: Instant, to: Instant| {
        let at: Vec<_> = ends.iter().filter(|(at, _)| (from..to).contains(at)).collect();
        let first = at.iter().filter(|(_, broker)| *broker == ends[0].1).count();
        (first, at.len() - first)
    };
    let (a, b) = share(resumed + Duration::from_millis(20), resumed + Duration::from_millis(700));
    assert!(a.min(b) * 3 > a.max(b), "after the pause: {a} sends to one and {b} to the other");
    drop((client, producer));
    runtime.shutdown_timeout(Duration::from_secs(1));
    servers.block_on(cluster.stop());
}
