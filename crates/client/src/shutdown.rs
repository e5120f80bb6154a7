//! The order of leaving.
//!
//! Refuse new sends, wait for those under way, unregister at the brokers, close the connections, join the tasks. The
//! last three happen once, as a task of their own, so that a caller who stops waiting interrupts nothing.

use std::{
    sync::{Arc, atomic::Ordering::AcqRel},
    time::Duration,
};

use maxq_policy::Time;
use maxq_protocol::header::UnregisterClient;
use tokio::task::{JoinHandle, JoinSet};

use crate::{
    client::Shared,
    producer::{Counts, Shared as SharedProducer},
    remoting::Call,
    roles::farewell_of_producer,
};

/// What became of the messages that were under way when closing began.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// use std::time::Duration;
/// # use maxq::Message;
///
/// drop(producer.send(Message::new("orders", "paid")).enqueue().await?);
/// let report = producer.close(Duration::from_secs(5)).await;
/// for message in report.unsent {
///     eprintln!("not sent: {message:?}");
/// }
/// # assert_eq!(report.unknown, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CloseReport {
    /// Stored and acknowledged.
    pub acknowledged: u64,
    /// Refused by a broker.
    pub refused: u64,
    /// Not sent.
    pub not_sent: u64,
    /// May or may not be stored: no answer, one-way, or still under way when the time was over.
    pub unknown: u64,
    /// Messages that are certainly not stored and that nobody else holds: of those in `not_sent` and `refused`, the
    /// enqueued ones whose [`Delivery`](crate::Delivery) was dropped. Who awaits a send, holds its delivery or has given
    /// it a callback gets the message back with the error there instead.
    pub unsent: Vec<crate::Message>,
}

impl CloseReport {
    fn add(&mut self, began: Counts, ended: Counts, still_under_way: u64) {
        self.acknowledged += ended.acknowledged - began.acknowledged;
        self.refused += ended.refused - began.refused;
        self.not_sent += ended.not_sent - began.not_sent;
        self.unknown += ended.unknown - began.unknown + still_under_way;
    }
}

/// Closes one producer: no new sends, waits for those under way, unregisters its group.
pub(crate) async fn close_producer(
    client: &Arc<Shared>,
    producer: &SharedProducer,
    within: Duration,
) -> CloseReport {
    let deadline = client.clock.now() + within;
    let mut report = CloseReport::default();
    let began = producer.refuse_new();
    drain(client, producer, began, deadline, &mut report).await;
    if let Some(left) = leave_group(client, producer) {
        // It goes on in the background when the time is over.
        drop(tokio::time::timeout_at(client.clock.instant(deadline), left).await);
    }
    report
}

/// Takes a producer out of its group, and the group off the brokers when it was the last: as a task of its own, which
/// takes a second at most.
pub(crate) fn leave_group(client: &Arc<Shared>, producer: &SharedProducer) -> Option<JoinHandle<()>> {
    if !producer.leave_once() || !client.roles.remove_producer(&producer.group) {
        return None;
    }
    let farewell = farewell_of_producer(&client.id, &producer.group);
    let leaving = client.clone();
    let task = async move { unregister(&leaving, vec![farewell], Time::NEVER).await };
    Some(client.farewells.spawn_on(task, &client.runtime))
}

/// Closes a client and all that is built on it.
pub(crate) async fn close_client(client: &Arc<Shared>, within: Duration) -> CloseReport {
    let deadline = client.clock.now() + within;
    let mut report = CloseReport::default();
    let producers: Vec<_> =
        client.producers().into_iter().map(|producer| (producer.refuse_new(), producer)).collect();
    begin_leaving(client, deadline);
    for (began, producer) in &producers {
        drain(client, producer, *began, deadline, &mut report).await;
    }
    let left = client.tasks.wait();
    drop(tokio::time::timeout_at(client.clock.instant(deadline), left).await);
    report
}

/// Begins to leave when the last handle is dropped. Nothing is under way then that anybody waits for.
pub(crate) fn leave_in_background(client: &Arc<Shared>) {
    begin_leaving(client, client.clock.now() + LAST);
}

/// Waits until nothing of `producer` is under way.
async fn drain(
    client: &Shared,
    producer: &SharedProducer,
    began: Counts,
    deadline: Time,
    report: &mut CloseReport,
) {
    let idle = tokio::time::timeout_at(client.clock.instant(deadline), producer.idle()).await;
    if idle.is_err() {
        // What nobody waits for and is not in flight ends now; its tasks need a moment.
        producer.give_up_unsent();
        drop(tokio::time::timeout(MOMENT, producer.idle()).await);
    }
    let (ended, under_way) = producer.counts_and_rest();
    report.add(began, ended, under_way);
    report.unsent.append(&mut producer.take_unsent());
}

/// Starts the one task that waits for what is under way, unregisters, and stops everything.
fn begin_leaving(client: &Arc<Shared>, deadline: Time) {
    if client.leaving.swap(true, AcqRel) {
        return;
    }
    let leaving = client.clone();
    let task = async move {
        let producers = leaving.producers();
        let idle = async {
            for producer in &producers {
                producer.idle().await;
            }
        };
        drop(tokio::time::timeout_at(leaving.clock.instant(deadline), idle).await);
        unregister(&leaving, leaving.roles.farewells(&leaving.id), deadline).await;
        leaving.farewells.close();
        leaving.farewells.wait().await;
        leaving.stop.cancel();
        leaving.remoting.stop();
        tracing::info!(client = %leaving.id, "client closed");
    };
    client.tasks.spawn_on(task, &client.runtime);
    client.tasks.close();
}

/// Tells every master that we have a connection to who of us is gone; Apache's
/// `MQClientInstance.unregisterClient` asks all of them, one after the other, dead ones included.
async fn unregister(client: &Arc<Shared>, farewells: Vec<UnregisterClient>, deadline: Time) {
    let deadline = deadline.min(client.clock.now() + LAST);
    let mut calls = JoinSet::new();
    for address in client.routes.masters().keys() {
        if !client.remoting.is_connected(address) {
            continue;
        }
        for farewell in &farewells {
            let request = farewell.clone();
            let (remoting, address) = (client.remoting.clone(), address.clone());
            calls.spawn(async move { drop(remoting.call(&address, Call::new(&request, deadline)).await) });
        }
    }
    while calls.join_next().await.is_some() {}
}

/// How long tasks that give up may take for it.
const MOMENT: Duration = Duration::from_millis(50);
/// A broker that does not answer may not delay leaving for longer.
const LAST: Duration = Duration::from_secs(1);
