//! A master with a replica: what is told when one of them is gone.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context as _, Result, bail};
use maxq::{ErrorCode, MessageQueue, Outcome, Producer, RetryPolicy, SendErrorKind, StoreStatus};

use super::ground::{Ground, Told, until, watchful};
use crate::{
    apache::{Layout, Part, Replication},
    expect,
    library::{Library, message},
    message::Sample,
    signal::Signal,
};

/// A replica takes no writes and says so; without its master there is nobody to send to.
pub(super) fn asynchronous(ground: &Ground<'_>) -> Result<()> {
    const TOPIC: &str = "interop-replica";
    ground.on(&Layout::masters(1).replica(Replication::Asynchronous), |cluster| {
        let library = ground.library(cluster)?;
        library.ensure_topic(TOPIC, 2)?;
        let (master, replica) = (cluster.brokers()[0].address.to_string(), cluster.replica()?.to_string());
        let clusters = library.run(library.admin().clusters())?;
        let addresses = &clusters[0].brokers[0].addresses;
        expect::that("addresses of the broker by id", addresses.clone()).is(&[
            (0, master.clone()),
            (1, replica.clone()),
        ]
        .into())?;
        let producer = library.producer()?;
        let mut told = Told::default();
        let mut send = |body: &str| {
            let sample = told.next(body);
            let sending = producer.send(message(TOPIC, &sample)).timeout(Duration::from_secs(2));
            let result = library.run(async { sending.await });
            told.note(&sample, &result);
            result
        };
        expect::that("status with a replica that is not waited for", send("first")?.status())
            .is(&StoreStatus::Ok)?;

        let astray = Library::with(watchful(cluster).map_address(&master, &replica))?;
        let producer = astray.producer()?;
        let result =
            astray.run(async { producer.send(message(TOPIC, &Sample::new("to the replica"))).await });
        let error = result.err().context("a replica has stored a message")?;
        // 4.9 answers as with a full disk; 5.x says that it is busy, before it looks at the message.
        let (kind, stable, code, words) = match ground.apache.is_4() {
            true => (SendErrorKind::Refused, ErrorCode::UNAVAILABLE, 14, "service not available now"),
            false => (SendErrorKind::Busy, ErrorCode::BUSY, 2, "system busy"),
        };
        let said = (error.kind(), error.outcome(), error.code());
        expect::that(&format!("kind, outcome and code of {error}"), said).is(&(
            kind,
            Outcome::Refused,
            stable,
        ))?;
        let last = error.attempts().last().context("no attempt")?;
        expect::that("the replica's code", last.code()).is(&Some(code))?;
        expect::contains("the replica's words", last.remark().unwrap_or_default(), &[words])?;
        drop(astray);

        cluster.signal(Part::Broker(0), Signal::Kill)?;
        until("the route has no master", || {
            let error = send("without a master").err().context("nobody has stored a message")?;
            Ok(error.code() == ErrorCode::NO_MASTER && error.outcome() == Outcome::NotSent)
        })?;
        cluster.restart(Part::Broker(0))?;
        until("the master is used again", || Ok(send("again").is_ok()))?;
        ground.reads(cluster, TOPIC, &told).map(drop)
    })
}

/// All three are stored, and the receipt says how well. Who wants them confirmed gets a copy from the other broker.
pub(super) fn synchronous(ground: &Ground<'_>) -> Result<()> {
    const TOPIC: &str = "interop-in-sync";
    ground.on(&Layout::masters(2).replica(Replication::Synchronous), |cluster| {
        let library = ground.library(cluster)?;
        library.ensure_topic(TOPIC, 2)?;
        let producer = library.producer()?;
        let replicated = MessageQueue::new(TOPIC, "broker-0", 0);
        let mut told = Told::default();
        let send = |told: &mut Told| {
            let sample = told.next("in sync?");
            let sending = producer.send(message(TOPIC, &sample)).to(replicated.clone());
            let result = library.run(async { sending.await });
            told.note(&sample, &result);
            anyhow::Ok(result?.status())
        };
        until("the replica is in sync", || Ok(send(&mut told)? == StoreStatus::Ok))?;
        cluster.signal(Part::Replica, Signal::Stop)?;
        expect::that("status while the replica is frozen", send(&mut told)?)
            .is(&StoreStatus::ReplicaTimeout)?;
        cluster.signal(Part::Replica, Signal::Continue)?;
        until("the replica is in sync again", || Ok(send(&mut told)? == StoreStatus::Ok))?;
        cluster.signal(Part::Replica, Signal::Kill)?;
        // 4.9 knows that nobody is there; 5.x waits for whoever may come.
        let expected =
            if ground.apache.is_4() { StoreStatus::NoReplica } else { StoreStatus::ReplicaTimeout };
        until("the master has noticed", || Ok(send(&mut told)? == expected))?;
        let copied = copied(&library, &producer, TOPIC, &mut told)?;
        cluster.restart(Part::Replica)?;
        until("a new replica is in sync", || Ok(send(&mut told)? == StoreStatus::Ok))?;
        let seen = ground.reads(cluster, TOPIC, &told)?;
        let copies = seen.iter().filter(|message| message.body == copied.body);
        let brokers: BTreeSet<_> = copies.map(|message| message.broker.as_str()).collect();
        expect::that("brokers that have the copied message", brokers).is(&["broker-0", "broker-1"].into())
    })
}

/// A message that `broker-0` has stored without its replica, and `broker-1` as it should be.
fn copied(library: &Library, producer: &Producer, topic: &str, told: &mut Told) -> Result<Sample> {
    // Whose turn it is first, the client knows: after some messages both have had it.
    for _ in 0..8 {
        let sample = told.next("copied?");
        let policy = RetryPolicy::default().retry_when_not_stored_ok(true);
        let sending = producer.send(message(topic, &sample)).retry(policy);
        let result = library.run(async { sending.await });
        told.note(&sample, &result);
        let receipt = result?;
        expect::that("status with another broker to ask", receipt.status()).is(&StoreStatus::Ok)?;
        let asked: Vec<_> = receipt.attempts().iter().map(|attempt| attempt.broker().to_owned()).collect();
        match asked.as_slice() {
            [one] => {
                expect::that("the broker that confirmed at once", one.as_str()).is(&"broker-1")?;
                expect::holds("no copy is announced", !receipt.maybe_duplicate())?;
            }
            several => {
                expect::that("brokers that were asked", several.to_vec())
                    .are(&["broker-0".to_owned(), "broker-1".to_owned()])?;
                expect::holds("the receipt announces a copy", receipt.maybe_duplicate())?;
                return Ok(sample);
            }
        }
    }
    bail!("broker-0 was never asked first")
}
