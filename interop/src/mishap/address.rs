//! A broker advertises an address that leads nowhere from here.

use anyhow::{Context as _, Result};
use maxq::{ErrorCode, Outcome, SendErrorKind};

use super::ground::{Ground, Told, until, watchful};
use crate::{
    apache::{Layout, Oddity, Part},
    expect,
    library::{Library, message},
    signal::Signal,
};

/// The error names the address and `map_address`; `map_address` mends it, and so does the broker's `brokerIP1`.
pub(super) fn dead(ground: &Ground<'_>) -> Result<()> {
    const TOPIC: &str = "interop-elsewhere";
    ground.on(&Layout::masters(1).odd(0, Oddity::Advertises(NOBODY_LISTENS)), |cluster| {
        let broker = cluster.brokers()[0].clone();
        let advertised = format!("{NOBODY_LISTENS}:{}", broker.address.port());
        let mapping = watchful(cluster).map_address(&advertised, broker.address.to_string());
        let mapped = Library::with(mapping)?;
        mapped.ensure_topic(TOPIC, 2)?;
        let mut told = Told::default();
        let mut send = |library: &Library| {
            let producer = library.producer()?;
            let sample = told.next("to an address");
            let result = library.run(async { producer.send(message(TOPIC, &sample)).await });
            told.note(&sample, &result);
            anyhow::Ok(result)
        };

        let plain = ground.library(cluster)?;
        let error = send(&plain)?.err().context("a dead address has answered")?;
        let said = (error.kind(), error.outcome(), error.code());
        expect::that(&format!("kind, outcome and code of {error}"), said).is(&(
            SendErrorKind::Connect,
            Outcome::NotSent,
            ErrorCode::CONNECT,
        ))?;
        expect::contains("the error", &error.to_string(), &[&advertised, "map_address"])?;
        for _ in 0..4 {
            send(&mapped)??;
        }
        cluster.mend(0);
        cluster.signal(Part::Broker(0), Signal::Kill)?;
        cluster.restart(Part::Broker(0))?;
        until("the new address is used", || Ok(send(&plain)?.is_ok()))?;
        ground.reads(cluster, TOPIC, &told).map(drop)
    })
}

/// No host has this address. (Brokers of 4.9 listen on all of a machine's own, so another of those would answer.)
pub(super) const NOBODY_LISTENS: &str = "255.255.255.255";
