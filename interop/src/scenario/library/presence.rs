//! What brokers know of a client: its producer group, from the first heartbeat to the end.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail};
use maxq::{Client, ClientConfig, Producer, ProducerConfig};
use maxq_protocol::{RequestCode, body::from_json};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use crate::{
    apache, clock, expect,
    library::{Library, PATIENCE, message, patient},
    message::Sample,
    scenario::readers::{Lookup, all_see},
    stage::Stage,
    twins::coded,
};

/// Every master knows the group of a client that has sent to one of them. It is forgotten when the producer closes, when its
/// last handle is dropped, when the client closes, and when all of it is dropped without a word.
pub(in crate::scenario) fn presence(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-presence";
    Library::connect(&stage.name_server)?.ensure_topic(TOPIC, 2)?;
    let masters: Vec<_> = stage.brokers.iter().map(|broker| broker.address).collect();
    let mut sent = Vec::new();
    for end in [End::ProducerCloses, End::ProducerDrops, End::ClientCloses, End::AllDrops] {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let client = runtime.block_on(Client::connect(patient(ClientConfig::new(&stage.name_server))))?;
        let producer = {
            let _on = runtime.enter();
            client.producer(ProducerConfig::new(GROUP).timeout(PATIENCE))?
        };
        let sample = Sample::new(format!("before {end:?}"));
        runtime.block_on(async { producer.send(message(TOPIC, &sample)).await })?;
        sent.push(sample);
        let here = [(client.id().to_owned(), "RUST".to_owned())];
        known_to(&masters, &here)?;
        if matches!(end, End::ProducerCloses) {
            let name_server = stage.name_server.clone();
            let shown =
                stage.judge()?.mqadmin(&name_server, &["producerConnection", "-g", GROUP, "-t", TOPIC])?;
            expect::contains("producerConnection", &shown, &[client.id(), "RUST"])?;
        }
        // A client that stays behind is there until its runtime ends.
        let _behind = end.comes(&runtime, client, producer);
        known_to(&masters, &[]).map_err(|error| error.context(format!("after {end:?}")))?;
    }
    all_see(stage, TOPIC, &sent, Lookup::First).map(drop)
}

/// How a producer goes.
#[derive(Clone, Copy, Debug)]
enum End {
    ProducerCloses,
    ProducerDrops,
    ClientCloses,
    AllDrops,
}

impl End {
    /// Gives the client back where it stays.
    fn comes(self, runtime: &Runtime, client: Client, producer: Producer) -> Option<Client> {
        match self {
            Self::ProducerCloses => drop(runtime.block_on(producer.close(PATIENCE))),
            Self::ProducerDrops => drop(producer),
            Self::ClientCloses => drop(runtime.block_on(client.close(PATIENCE))),
            Self::AllDrops => {
                drop((client, producer));
                return None;
            }
        }
        Some(client)
    }
}

/// Waits until these are the producers of the group that each broker knows.
fn known_to(brokers: &[SocketAddr], expected: &[(String, String)]) -> Result<()> {
    for broker in brokers {
        let mut latest = Vec::new();
        let seen = clock::wait_for(LIMIT, || {
            latest = producers(*broker)?;
            Ok((latest == expected).then_some(()))
        })?;
        if seen.is_none() {
            bail!("producers of {GROUP} at {broker}\n  expected: {expected:?}\n      came: {latest:?}");
        }
    }
    Ok(())
}

/// The producers of the group that a broker knows, each by its client id and language.
fn producers(broker: SocketAddr) -> Result<Vec<(String, String)>> {
    let question = coded(RequestCode::GET_PRODUCER_CONNECTION_LIST, &[("producerGroup", GROUP)]);
    let body = match apache::ask_for(broker, &question) {
        Err(error) if error.to_string().contains("not exist") => return Ok(Vec::new()),
        body => body?,
    };
    let online: Value = from_json(&body)?;
    let online = online["connectionSet"].as_array().with_context(|| format!("no connections in {online}"))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(online.iter().map(|client| (text(&client["clientId"]), text(&client["language"]))).collect())
}

const GROUP: &str = "interop-presence";
/// A new connection and its heartbeat are quick; a heartbeat of the clock comes every 30 s, which must not be what helps.
const LIMIT: Duration = Duration::from_secs(15);
