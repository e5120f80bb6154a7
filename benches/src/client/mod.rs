//! The client under load, in each way of sending, measured as the floor is.

mod blocking;
mod counted;
mod ways;

use std::sync::{Arc, atomic::AtomicU64};

use maxq::{Client, ClientConfig, CompressionChoice, Producer, ProducerConfig};
use tokio::task::JoinSet;

pub use blocking::run_blocking;
pub use ways::Sender;

use crate::{
    load::{Load, Way},
    measure::Meter,
    null_broker::Statistics,
    report::Report,
};

/// Sends `load` with the client to a null broker and reports.
///
/// # Errors
/// The broker cannot be reached, or a send failed: against a null broker none may.
pub async fn run(load: &Load) -> anyhow::Result<Report> {
    let before = Statistics::ask(load.name_server).await?;
    let writes = load.count_writes.then(Arc::<AtomicU64>::default);
    let (client, producer) = connect(load, writes.clone()).await?;
    let meter = Arc::new(Meter::new(load));
    let mut senders = JoinSet::new();
    for task in 0..load.tasks() {
        senders.spawn(Sender::new(load, task, &producer, &meter).run(load.way));
    }
    let mut steady = meter.steady(load, &mut senders).await?;
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    client.close(LEAVING).await;
    anyhow::ensure!(meter.failed() == 0, "{} sends failed", meter.failed());
    let after = Statistics::ask(load.name_server).await?;
    steady.writes_per_message = writes.map(|writes| counted::per_message(&writes, &meter));
    Ok(Report::new("client", load, steady, before, after))
}

/// A client and a producer as the benches use them: as they come, but without compression, because `x` a thousand times
/// compresses as no message does; and with room for what the load wants to have under way.
///
/// # Errors
/// The broker cannot be reached.
pub async fn connect(load: &Load, writes: Option<Arc<AtomicU64>>) -> anyhow::Result<(Client, Producer)> {
    let mut config = client_config(load);
    if let Some(writes) = writes {
        config = config.connector(counted::connector(writes));
    }
    let client = Client::connect(config).await?;
    let producer = client.producer(producer_config(load))?;
    Ok((client, producer))
}

fn client_config(load: &Load) -> ClientConfig {
    ClientConfig::new(load.name_server.to_string()).header_encoding(load.shape.encoding.into())
}

fn producer_config(load: &Load) -> ProducerConfig {
    let config = ProducerConfig::new("bench_group").compression(CompressionChoice::Off);
    match load.way {
        // Who enqueues goes on until there is no room: the limit is what is in flight.
        Way::Enqueue => config.limits(load.inflight.get(), 64 << 20),
        _ => config,
    }
}

/// Nothing is in flight any more, or only one-way frames; what is left is to say good-bye.
const LEAVING: std::time::Duration = std::time::Duration::from_secs(5);
