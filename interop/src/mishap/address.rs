//! Brokers advertise addresses that lead nowhere from here.

use std::time::Duration;

use anyhow::{Context as _, Result};
use maxq::{ClientConfig, ErrorCode, MessageQueue, Outcome, SendErrorKind};

use super::ground::{Ground, Told};
use crate::{
    apache::{ApacheCluster, Layout, Oddity, Part},
    expect,
    library::{Library, message},
    signal::Signal,
};

/// The error names the address and `map_address`; `map_address` mends it, and so does the broker's `brokerIP1`.
pub(super) fn dead(ground: &Ground<'_>) -> Result<()> {
    const TOPIC: &str = "interop-elsewhere";
    let layout = Layout::masters(2).odd(0, NOBODY_LISTENS).odd(1, IN_A_CONTAINER);
    ground.on(&layout, |cluster| {
        let mapped = Library::with(mapping(cluster))?;
        mapped.ensure_topic(TOPIC, 2)?;
        let plain = Library::with(ClientConfig::new(cluster.name_server()).connect_timeout(Duration::from_secs(1)))?;
        let lost = plain.producer()?;
        let mut told = Told::default();
        for (number, (host, code)) in HOSTS.iter().enumerate() {
            let broker = &cluster.brokers()[number];
            let queue = MessageQueue::new(TOPIC, broker.name.as_str(), 0);
            let sample = told.next(host);
            let sending = lost.send(message(TOPIC, &sample)).to(queue).timeout(Duration::from_secs(5));
            let result = plain.run(async { sending.await });
            told.note(&sample, &result);
            let error = result.err().with_context(|| format!("{host} has answered"))?;
            let said = (error.kind(), error.outcome(), error.code());
            expect::that(&format!("kind, outcome and code of {error}"), said)
                .is(&(SendErrorKind::Connect, Outcome::NotSent, *code))?;
            let advertised = format!("{host}:{}", broker.address.port());
            expect::contains("the error", &error.to_string(), &[&advertised, "map_address"])?;
        }
        let producer = mapped.producer()?;
        for _ in 0..8 {
            let sample = told.next("mapped");
            let result = mapped.run(async { producer.send(message(TOPIC, &sample)).await });
            told.note(&sample, &result);
            result?;
        }
        for number in 0..2 {
            cluster.mend(number);
            cluster.signal(Part::Broker(number), Signal::Kill)?;
            cluster.restart(Part::Broker(number))?;
        }
        ground.reads(cluster, TOPIC, &told).map(drop)
    })
}

/// What the route says, to where the brokers really listen.
fn mapping(cluster: &ApacheCluster) -> ClientConfig {
    let pairs = cluster.brokers().iter().zip(HOSTS);
    pairs.fold(ClientConfig::new(cluster.name_server()), |config, (broker, (host, _))| {
        config.map_address(format!("{host}:{}", broker.address.port()), broker.address.to_string())
    })
}

/// Loopback too, as the name server: only nobody listens there.
const NOBODY_LISTENS: Oddity = Oddity::Advertises("127.0.0.2");
/// From the networks of containers, which are not for here.
const IN_A_CONTAINER: Oddity = Oddity::Advertises("172.18.77.77");
const HOSTS: [(&str, ErrorCode); 2] =
    [("127.0.0.2", ErrorCode::CONNECT), ("172.18.77.77", ErrorCode::ADVERTISED_ADDRESS)];
