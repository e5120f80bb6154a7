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
    let before = counters(load).await?;
    let writes = load.count_writes.then(Arc::<AtomicU64>::default);
    let (client, producer) = connect(load, writes.clone()).await?;
    let meter = Arc::new(Meter::new(load));
    let sender = Sender::new(load, &producer, &meter);
    let mut senders = JoinSet::new();
    for task in 0..load.tasks() {
        senders.spawn(sender.beginning_at(task).run(load.way));
    }
    let mut steady = meter.steady(load, &mut senders).await?;
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    client.close(LEAVING).await;
    if !load.real_broker {
        meter.all_well()?;
    }
    let after = counters(load).await?;
    steady.writes_per_message = writes.map(|writes| counted::per_message(&writes, &meter));
    Ok(Report::new("client", load, steady, before, after))
}

/// What the null broker has seen; of a real one nothing.
async fn counters(load: &Load) -> anyhow::Result<Statistics> {
    if load.real_broker { Ok(Statistics::default()) } else { Statistics::ask(load.name_server).await }
}

/// A client and a producer as the benches use them: as they come, but without compression, because `x` a thousand times
/// compresses as no message does; with room for what the load wants to have under way, and with patience.
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
    ClientConfig::new(load.name_server.to_string())
        .header_encoding(load.shape.encoding.into())
        .connect_timeout(PATIENCE)
        .request_timeout(PATIENCE)
}

fn producer_config(load: &Load) -> ProducerConfig {
    let config = ProducerConfig::new("bench_group").compression(CompressionChoice::Off).timeout(PATIENCE);
    match load.way {
        // Who enqueues goes on until there is no room: the limit is what is in flight.
        Way::Enqueue => config.limits(load.inflight.get(), 64 << 20),
        _ => config,
    }
}

/// Under valgrind on a busy machine, what takes microseconds may take seconds.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Nothing is in flight any more, or only one-way frames; what is left is to say good-bye.
pub(crate) const LEAVING: std::time::Duration = std::time::Duration::from_secs(5);
