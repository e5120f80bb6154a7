//! Brokers whose disk is full, by their own measure.

use std::time::Duration;

use anyhow::{Context as _, Result};
use maxq::{ErrorCode, MessageQueue, Outcome, SendErrorKind};

use super::ground::{Ground, Told, until_within};
use crate::{
    apache::{Apache, Layout, Oddity, Part},
    expect,
    library::message,
    machine,
    signal::Signal,
};

/// One is full: the other one takes what it refuses. Both are full: the error has the broker's own words.
pub(super) fn full(ground: &Ground<'_>) -> Result<()> {
    const TOPIC: &str = "interop-full";
    ground.on(&Layout::masters(2).odd(0, Oddity::DiskIsFull), |cluster| {
        let library = ground.library(cluster)?;
        library.ensure_topic(TOPIC, 2)?;
        let producer = library.producer()?;
        let mut told = Told::default();
        let mut send = |body: &str, to: Option<&str>| {
            let sample = told.next(body);
            let mut sending = producer.send(message(TOPIC, &sample));
            if let Some(broker) = to {
                sending = sending.to(MessageQueue::new(TOPIC, broker, 0));
            }
            let result = library.run(async { sending.await });
            told.note(&sample, &result);
            result
        };
        until_within(LOOKS, "broker-0 refuses", || {
            Ok(send("does broker-0 refuse?", Some("broker-0")).is_err())
        })?;
        let error = send("to the full one", Some("broker-0")).err().context("it has stored a message")?;
        is_refused(&error)?;
        for _ in 0..16 {
            let receipt = send("to anyone", None)?;
            expect::that("broker that stored it", receipt.queue().broker_name()).is(&"broker-1")?;
            expect::holds("the receipt warns of no duplicate", !receipt.maybe_duplicate())?;
        }
        cluster.spoil(1, Oddity::DiskIsFull);
        cluster.signal(Part::Broker(1), Signal::Kill)?;
        cluster.restart(Part::Broker(1))?;
        until_within(LOOKS, "both refuse", || match send("does anybody take it?", None) {
            Ok(_) => Ok(false),
            Err(error) => Ok(error.code() == ErrorCode::UNAVAILABLE),
        })?;
        is_refused(&send("to nobody", None).err().context("a full broker has stored a message")?)?;
        ground.reads(cluster, TOPIC, &told).map(drop)
    })
}

fn is_refused(error: &maxq::SendError) -> Result<()> {
    let said = (error.kind(), error.outcome(), error.code());
    expect::that(&format!("kind, outcome and code of {error}"), said).is(&(
        SendErrorKind::Refused,
        Outcome::Refused,
        ErrorCode::UNAVAILABLE,
    ))?;
    let last = error.attempts().last().context("no attempt")?;
    expect::that("the broker's code", last.code()).is(&Some(14))?;
    expect::contains("the broker's words", last.remark().unwrap_or_default(), &["service not available now"])
}

/// Brokers of 5.x take no disk for full of which less than 35 % is used, whatever they are told
/// (`DefaultMessageStore.CleanCommitLogService.getDiskSpaceWarningLevelRatio`).
pub(super) fn obstacle(apache: &Apache) -> Option<&'static str> {
    let is_used_enough = || machine::disk_used(&std::env::temp_dir()).is_some_and(|percent| percent > 35);
    (!apache.is_4() && !is_used_enough())
        .then_some("brokers of 5.x take no disk for full that is used by less than 35 %, as this one is")
}

/// Brokers of 4.9 look at their disk one second after their start (`isSpaceFull`), those of 5.x after a minute
/// (`cleanFilesPeriodically`); then both every ten seconds.
const LOOKS: Duration = Duration::from_secs(100);
