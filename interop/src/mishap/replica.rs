//! A master with a replica: what is told when one of them is gone.

use std::time::Duration;

use anyhow::{Context as _, Result};
use maxq::{ErrorCode, Outcome, SendErrorKind, StoreStatus};

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

/// All three are stored, and the receipt says how well.
pub(super) fn synchronous(ground: &Ground<'_>) -> Result<()> {
    const TOPIC: &str = "interop-in-sync";
    ground.on(&Layout::masters(1).replica(Replication::Synchronous), |cluster| {
        let library = ground.library(cluster)?;
        library.ensure_topic(TOPIC, 2)?;
        let producer = library.producer()?;
        let mut told = Told::default();
        let mut send = || {
            let sample = told.next("in sync?");
            let result = library.run(async { producer.send(message(TOPIC, &sample)).await });
            told.note(&sample, &result);
            anyhow::Ok(result?.status())
        };
        until("the replica is in sync", || Ok(send()? == StoreStatus::Ok))?;
        cluster.signal(Part::Replica, Signal::Stop)?;
        expect::that("status while the replica is frozen", send()?).is(&StoreStatus::ReplicaTimeout)?;
        cluster.signal(Part::Replica, Signal::Continue)?;
        until("the replica is in sync again", || Ok(send()? == StoreStatus::Ok))?;
        cluster.signal(Part::Replica, Signal::Kill)?;
        // 4.9 knows that nobody is there; 5.x waits for whoever may come.
        let expected =
            if ground.apache.is_4() { StoreStatus::NoReplica } else { StoreStatus::ReplicaTimeout };
        until("the master has noticed", || Ok(send()? == expected))?;
        cluster.restart(Part::Replica)?;
        until("a new replica is in sync", || Ok(send()? == StoreStatus::Ok))?;
        ground.reads(cluster, TOPIC, &told).map(drop)
    })
}
