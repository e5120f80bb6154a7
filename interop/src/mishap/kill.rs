//! One or two brokers of several die, or freeze, under load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use maxq::{Parity, Producer, RetryPolicy, SendError, SendReceipt};
use tokio::task::JoinSet;

use super::ground::{Ground, Told};
use crate::{
    apache::{Layout, Part},
    clock, expect,
    faults::{self, Fault},
    library::{self, message},
    message::Sample,
    signal::Signal,
};

/// SIGKILL and a new start, sixteen senders.
pub(super) fn one_of_two(ground: &Ground<'_>) -> Result<()> {
    drill(ground, Fault::Kill)
}

/// SIGSTOP and SIGCONT, sixteen senders.
pub(super) fn frozen(ground: &Ground<'_>) -> Result<()> {
    drill(ground, Fault::Freeze)
}

fn drill(ground: &Ground<'_>, fault: Fault) -> Result<()> {
    let broken = faults::short(ground.apache, fault, &ground.folder)?;
    if broken.is_empty() {
        return Ok(());
    }
    bail!("{}", broken.join("\n"))
}

/// Of three brokers two die, one after the other: no send fails, whatever the rules for trying again.
pub(super) fn two_of_three(ground: &Ground<'_>) -> Result<()> {
    const TOPIC: &str = "interop-three";
    ground.on(&Layout::masters(3), |cluster| {
        let library = ground.library(cluster)?;
        library.ensure_topic(TOPIC, 4)?;
        let producer = library.producer_with(library::producing().timeout(Duration::from_secs(5)))?;
        let stopped = Arc::new(AtomicBool::new(false));
        let mut senders = JoinSet::new();
        for number in 0..SENDERS {
            let sender = send(producer.clone(), TOPIC, number, stopped.clone());
            library.run(async { senders.spawn(sender) });
        }
        for part in [Part::Broker(0), Part::Broker(1)] {
            clock::pass(Duration::from_secs(1));
            cluster.signal(part, Signal::Kill)?;
        }
        clock::pass(Duration::from_secs(2));
        cluster.restart(Part::Broker(0))?;
        cluster.restart(Part::Broker(1))?;
        clock::pass(Duration::from_secs(1));
        stopped.store(true, Ordering::Relaxed);
        let (mut told, mut errors) = (Told::default(), Vec::new());
        while let Some(ended) = library.run(senders.join_next()) {
            for (sample, result) in ended.context("a sender panicked")? {
                told.note(&sample, &result);
                errors.extend(result.err().map(|error| error.to_string()));
            }
        }
        expect::that("sends that failed", errors).are(&[])?;
        expect::holds("every sender has sent something", told.count() > SENDERS)?;
        // By the library itself: a process of Java more would be the fifth.
        let mut seen = Vec::new();
        for queue in library.run(library.admin().queues(TOPIC))? {
            let mut reader = library.client().reader(&queue, maxq::From::Start);
            while let Some(view) = library.run(reader.next())? {
                seen.push(library::seen(&view));
            }
        }
        told.agree(&seen)
    })
}

/// One message after the other, until it is stopped.
async fn send(
    producer: Producer,
    topic: &'static str,
    sender: usize,
    stopped: Arc<AtomicBool>,
) -> Vec<(Sample, Result<SendReceipt, SendError>)> {
    let mut sends = Vec::new();
    while !stopped.load(Ordering::Relaxed) {
        let sample = Sample::new(format!("{sender} {}", sends.len()));
        let result = producer.send(message(topic, &sample)).retry(rules(sender)).await;
        sends.push((sample, result));
    }
    sends
}

/// Half of the senders keep the library's rules, half Apache's.
fn rules(sender: usize) -> RetryPolicy {
    match sender % 2 {
        0 => RetryPolicy::default(),
        _ => RetryPolicy::java_sync(Parity::V5),
    }
}

const SENDERS: usize = 8;
