//! One broker alone: there is nowhere else to go, so errors have to say exactly what is known.

use std::time::Duration;

use anyhow::{Context as _, Result};
use maxq::{ErrorCode, Event, Outcome, SendErrorKind};

use super::ground::{Ground, Told, until};
use crate::{
    apache::{Layout, Part},
    expect,
    library::message,
    signal::Signal,
};

/// Frozen: the outcome is unknown. Dead: not sent. Back: all is well. The client's events tell of its death and return.
pub(super) fn alone(ground: &Ground<'_>) -> Result<()> {
    const TOPIC: &str = "interop-alone";
    ground.on(&Layout::masters(1), |cluster| {
        let library = ground.library(cluster)?;
        library.ensure_topic(TOPIC, 2)?;
        let producer = library.producer()?;
        let mut events = library.client().events();
        let mut told = Told::default();
        let mut send = |body: &str, within: Duration| {
            let sample = told.next(body);
            let sending = producer.send(message(TOPIC, &sample)).timeout(within);
            let result = library.run(async { sending.await });
            told.note(&sample, &result);
            result
        };
        send("before", Duration::from_secs(10))?;

        cluster.signal(Part::Broker(0), Signal::Stop)?;
        let frozen =
            send("while frozen", Duration::from_secs(1)).err().context("a frozen broker has answered")?;
        let said = (frozen.kind(), frozen.outcome(), frozen.code());
        expect::that(&format!("kind, outcome and code of {frozen}"), said).is(&(
            SendErrorKind::Timeout,
            Outcome::Unknown,
            ErrorCode::TIMEOUT,
        ))?;
        cluster.signal(Part::Broker(0), Signal::Continue)?;
        send("after the freeze", Duration::from_secs(10))?;

        cluster.signal(Part::Broker(0), Signal::Kill)?;
        // The first may still leave on the dying connection; then the port refuses.
        until("a send to a dead broker is not sent", || {
            let dead =
                send("while dead", Duration::from_secs(1)).err().context("a dead broker has answered")?;
            Ok(dead.outcome() == Outcome::NotSent && dead.kind() == SendErrorKind::Connect)
        })?;
        cluster.restart(Part::Broker(0))?;
        send("after the death", Duration::from_secs(10))?;
        let broker = cluster.brokers()[0].address.to_string();
        // Before that, the freeze may have cost a connection, too.
        let of_connections = std::iter::from_fn(|| events.try_next()).filter_map(|event| match event {
            Event::Lost { address, .. } if *address == *broker => Some("lost"),
            Event::Connected { address } if *address == *broker => Some("connected"),
            _ => None,
        });
        let of_connections: Vec<_> = of_connections.collect();
        expect::holds(
            &format!("the events end with the death and the return: {of_connections:?}"),
            of_connections.ends_with(&["lost", "connected"]),
        )?;

        let seen = ground.reads(cluster, TOPIC, &told)?;
        let frozen = seen.iter().filter(|seen| seen.body.0.ends_with(b" while frozen")).count();
        // The broker may have taken it in the end, or thrown it away as too old: that is what unknown means.
        expect::holds(
            &format!("{frozen} copies of the message whose outcome was unknown: 0 or 1"),
            frozen <= 1,
        )
    })
}
