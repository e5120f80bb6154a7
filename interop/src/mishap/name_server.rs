//! The only name server dies.

use std::time::Duration;

use anyhow::{Context as _, Result};
use maxq::{ErrorCode, Outcome};

use super::ground::{Ground, Told};
use crate::{
    apache::{Layout, Part},
    clock, expect,
    library::message,
    signal::Signal,
};

/// Sends go on with the routes that are known; a new topic says which name server does not answer.
pub(super) fn killed(ground: &Ground<'_>) -> Result<()> {
    const TOPIC: &str = "interop-orphan";
    const NEW_TOPIC: &str = "interop-orphan-new";
    ground.on(&Layout::masters(1), |cluster| {
        let library = ground.library(cluster)?;
        library.ensure_topic(TOPIC, 2)?;
        let producer = library.producer()?;
        let mut told = Told::default();
        let mut send = |topic: &str, body: &str| {
            let sample = told.next(body);
            let result = library.run(async { producer.send(message(topic, &sample)).await });
            if topic == TOPIC {
                told.note(&sample, &result);
            }
            result
        };
        send(TOPIC, "before")?;
        cluster.signal(Part::NameServer, Signal::Kill)?;
        // Several polls of the route fail meanwhile.
        for _ in 0..20 {
            send(TOPIC, "without a name server")?;
            clock::pass(Duration::from_millis(100));
        }
        let error = send(NEW_TOPIC, "nobody knows where").err().context("a new topic had a route")?;
        expect::that(&format!("code and outcome of {error}"), (error.code(), error.outcome()))
            .is(&(ErrorCode::NAME_SERVER_UNREACHABLE, Outcome::NotSent))?;
        expect::contains("the error names the server", &error.to_string(), &[&cluster.name_server()])?;
        let error =
            library.run(library.admin().clusters()).err().context("a dead name server has answered")?;
        expect::that(&format!("code of {error}"), error.code()).is(&ErrorCode::NAME_SERVER_UNREACHABLE)?;

        cluster.restart(Part::NameServer)?;
        send(TOPIC, "after")?;
        send(NEW_TOPIC, "a topic that the message makes")?;
        ground.reads(cluster, TOPIC, &told).map(drop)
    })
}
