//! Clients that come and go: each connects, sends a message, and closes.

use std::{fmt, net::SocketAddr, num::NonZeroU32};

use maxq::{Client, ClientConfig, Message, ProducerConfig};

use super::{MAY_GROW, Seen, flat::mib};
use crate::client::LEAVING;

/// How many.
#[derive(Clone, Debug, clap::Args)]
pub struct ClientsOptions {
    /// Clients, after a hundred that are not counted
    #[arg(long, default_value = "10000")]
    pub clients: NonZeroU32,
    /// Write the table into BENCHMARKS.md
    #[arg(long)]
    pub write: bool,
}

/// What was there before them and after them.
#[derive(Clone, Copy, Debug)]
pub struct Clients {
    clients: u32,
    before: Seen,
    after: Seen,
}

/// Opens and closes clients, one after the other, against a null broker of another process.
///
/// # Errors
/// A send failed, or the system does not tell.
pub async fn churn(name_server: SocketAddr, clients: u32) -> anyhow::Result<Clients> {
    for _ in 0..WARM {
        one(name_server).await?;
    }
    let before = Seen::now()?;
    for _ in 0..clients {
        one(name_server).await?;
    }
    Ok(Clients { clients, before, after: Seen::now()? })
}

async fn one(name_server: SocketAddr) -> anyhow::Result<()> {
    let client = Client::connect(ClientConfig::new(name_server.to_string())).await?;
    let producer = client.producer(ProducerConfig::new("bench_group"))?;
    producer.send(Message::new("BenchTopic", "x")).await?;
    client.close(LEAVING).await;
    Ok(())
}

impl Clients {
    /// Whether they left nothing: no descriptor, no task, no more memory than an allocator keeps.
    pub const fn left_nothing(&self) -> bool {
        self.after.descriptors <= self.before.descriptors
            && self.after.tasks <= self.before.tasks
            && self.after.resident_kib <= self.before.resident_kib + MAY_GROW
    }
}

impl fmt::Display for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, before, after } = self;
        writeln!(f, "| | before | after {clients} clients |\n|---|--:|--:|")?;
        writeln!(f, "| resident memory | {} | {} |", mib(before.resident_kib), mib(after.resident_kib))?;
        writeln!(f, "| descriptors | {} | {} |", before.descriptors, after.descriptors)?;
        writeln!(f, "| tasks | {} | {} |", before.tasks, after.tasks)?;
        let verdict =
            if self.left_nothing() { "they leave nothing behind" } else { "they leave something behind" };
        writeln!(f, "\nVerdict: {verdict}.")
    }
}

const WARM: u32 = 100;
