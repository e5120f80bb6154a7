//! One or two brokers of several die, or freeze, under load.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use maxq::{Parity, RetryPolicy};
use tokio::sync::Mutex;

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
        let told = Arc::new(Mutex::new((Told::default(), Vec::new())));
        let stopped = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                let (producer, told, stopped) = (producer.clone(), told.clone(), stopped.clone());
                library.run(async move {
                    tokio::spawn(async move {
                        for number in 0.. {
                            if stopped.load(Ordering::Relaxed) {
                                break;
                            }
                            let sample = Sample::new(format!("{sender} {number}"));
                            let result = producer.send(message(TOPIC, &sample)).retry(rules(sender)).await;
                            let mut told = told.lock().await;
                            told.0.note(&sample, &result);
                            told.1.extend(result.err().map(|error| error.to_string()));
                            drop(told);
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                    })
                })
            })
            .collect();
        for part in [Part::Broker(0), Part::Broker(1)] {
            clock::pass(Duration::from_secs(1));
            cluster.signal(part, Signal::Kill)?;
        }
        clock::pass(Duration::from_secs(2));
        cluster.restart(Part::Broker(0))?;
        cluster.restart(Part::Broker(1))?;
        clock::pass(Duration::from_secs(1));
        stopped.store(true, Ordering::Relaxed);
        for sender in senders {
            library.run(sender).context("a sender panicked")?;
        }
        let told = library.run(told.lock());
        expect::that("sends that failed", told.1.clone()).are(&[])?;
        let mut seen = Vec::new();
        for queue in library.run(library.admin().queues(TOPIC))? {
            let mut reader = library.client().reader(&queue, maxq::From::Start);
            while let Some(view) = library.run(reader.next())? {
                seen.push(library::seen(&view));
            }
        }
        told.0.agree(&seen)
    })
}

/// Half of the senders keep the library's rules, half Apache's.
fn rules(sender: usize) -> RetryPolicy {
    match sender % 2 {
        0 => RetryPolicy::default(),
        _ => RetryPolicy::java_sync(Parity::V5),
    }
}

const SENDERS: usize = 8;
