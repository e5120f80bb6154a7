//! One run must not pay for the one before: a real broker has work left when its senders have gone.
//!
//! After two seconds of one-way messages it answers each send with some seconds' delay, until it has worked off what lies
//! in its queues and in the sockets.

use std::{net::SocketAddr, time::Duration};

use maxq::Message;

use crate::{client, load::Load, measure::now};

/// Waits until the broker is at rest: some sends in a row, each by itself, are answered at once.
///
/// # Errors
/// It cannot be reached, or has not come to rest after a minute.
pub(super) fn wait(name_server: SocketAddr) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(until_quick(name_server))
}

async fn until_quick(name_server: SocketAddr) -> anyhow::Result<()> {
    let load = Load { name_server, real_broker: true, ..Load::default() };
    let (client, producer) = client::connect(&load, None).await?;
    let (topic, body, began) = (&load.topics()[0], load.body(), now());
    let mut quick_ones = 0;
    while quick_ones < IN_A_ROW {
        anyhow::ensure!(began.elapsed() < PATIENCE, "the broker does not come to rest");
        let asked = now();
        // It refuses what it has no time for.
        let sent = producer.send(Message::new(topic.as_str(), body.clone())).await;
        quick_ones = if sent.is_ok() && asked.elapsed() < QUICK { quick_ones + 1 } else { 0 };
    }
    client.close(client::LEAVING).await;
    Ok(())
}

const IN_A_ROW: u32 = 50;
const QUICK: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(60);
