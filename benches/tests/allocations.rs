//! How often a send asks for memory, in the steady state: the message, the future, the header, the answer.
//!
//! Only the client is counted: the null broker is another process, and the counter belongs to this thread, on which the
//! runtime runs. A growing buffer asks too, so this looks at thousands of sends after a thousand others.

#![expect(clippy::unwrap_used, reason = "in a test a panic is how to say that it failed")]

use std::{net::SocketAddr, process::Command, sync::Arc};

use maxq_bench::{
    child::NullBrokerProcess,
    client::{self, Sender},
    load::{Load, Way},
    measure::Meter,
};
use tokio::{runtime, task::JoinSet};

/// What one send may ask for, whatever the way; for a batch, what one of its messages may.
const MOST: f64 = 10.0;

fn broker() -> NullBrokerProcess {
    NullBrokerProcess::start_by(Command::new(env!("CARGO_BIN_EXE_maxq-bench")), &[]).unwrap()
}

/// Allocations for each message.
fn allocations(name_server: SocketAddr, way: Way, inflight: usize) -> f64 {
    let messages = 5_120;
    let load = Load {
        name_server,
        way,
        inflight: inflight.try_into().unwrap(),
        messages: Some(messages.try_into().unwrap()),
        ..Load::default()
    };
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (client, producer) = runtime.block_on(client::connect(&load, None)).unwrap();
    let send = || {
        let meter = Arc::new(Meter::new(&load));
        runtime.block_on(async {
            let mut senders = JoinSet::new();
            for task in 0..load.tasks() {
                senders.spawn(Sender::new(&load, &producer, &meter).beginning_at(task).run(way));
            }
            meter.steady(&load, &mut senders).await.unwrap();
        });
        meter.all_well().unwrap();
        assert_eq!(meter.messages(), messages);
    };
    send();
    let counted = allocation_counter::measure(send);
    runtime.block_on(client.close(std::time::Duration::from_secs(1)));
    counted.count_total as f64 / messages as f64
}

#[test]
fn a_send_asks_for_memory_at_most_ten_times() {
    let broker = broker();
    for (way, inflight) in [(Way::Awaited, 1), (Way::Awaited, 64), (Way::Oneway, 16), (Way::Batch, 8)] {
        let each = allocations(broker.name_server(), way, inflight);
        println!("{way}, {inflight} in flight: {each:.1} allocations per message");
        assert!(
            each <= MOST,
            "{way}, {inflight} in flight: {each:.1} allocations per message, {MOST} are allowed"
        );
        // A counter that does not count would be content with everything.
        assert!(each >= 1.0, "{way}, {inflight} in flight: {each:.1}");
    }
}
