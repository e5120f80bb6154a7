//! The client, measured as the floor is: N tasks, each awaits its message before it sends the next.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use maxq::{Client, ClientConfig, Message, Producer, ProducerConfig};
use tokio::task::JoinSet;

use crate::{load::Load, measure::Meter, null_broker::Statistics, report::Report};

/// Sends `load` with the client to a null broker and reports.
///
/// # Errors
/// The broker cannot be reached, or a send failed: against a null broker none may.
pub async fn run(load: &Load) -> anyhow::Result<Report> {
    let before = Statistics::ask(load.name_server).await?;
    let config = ClientConfig::new(load.name_server.to_string()).header_encoding(load.shape.encoding.into());
    let client = Client::connect(config).await?;
    let producer = client.producer(ProducerConfig::new("bench_group"))?;
    let meter = Arc::new(Meter::new(load));
    let mut senders = JoinSet::new();
    for _ in 0..load.inflight.get() {
        senders.spawn(send(producer.clone(), load.body(), meter.clone()));
    }
    let steady = meter.steady(load, &mut senders).await?;
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    let after = Statistics::ask(load.name_server).await?;
    client.close(LEAVING).await;
    Ok(Report::new("client", load, steady, before, after))
}

/// One sender.
async fn send(producer: Producer, body: Bytes, meter: Arc<Meter>) -> anyhow::Result<()> {
    for nth in (0..).take_while(|_| meter.is_running()) {
        let started = meter.start(nth);
        producer.send(Message::new("BenchTopic", body.clone())).await.context("a send failed")?;
        meter.finish(started);
    }
    Ok(())
}

/// Nothing is in flight any more; what is left is to say good-bye.
const LEAVING: Duration = Duration::from_secs(1);
