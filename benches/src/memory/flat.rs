//! Resident memory after many messages, beside that after some.

use std::{fmt, num::NonZeroU64, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::{MAY_GROW, Seen};
use crate::{
    child::{NullBrokerProcess, ourselves, report_of},
    client::{self, Sender},
    load::{Load, Way},
    measure::Meter,
};

/// What to send.
#[derive(Clone, Debug, clap::Args)]
pub struct FlatOptions {
    /// Ways of sending, one process each
    #[arg(
        long = "way",
        value_enum,
        value_name = "WAY,..",
        value_delimiter = ',',
        default_value = "awaited,oneway"
    )]
    pub ways: Vec<Way>,
    /// Messages before the first look; the second is after ten times as many
    #[arg(long, default_value = "100000")]
    pub messages: NonZeroU64,
    /// Write the table into BENCHMARKS.md
    #[arg(long)]
    pub write: bool,
}

/// Resident memory at the two looks, in KiB.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Phases {
    first: u64,
    second: u64,
}

/// The verdict on each way.
#[derive(Clone, Debug)]
pub struct Flat {
    messages: u64,
    rows: Vec<(Way, Phases)>,
}

/// Sends in each way, each in a process of its own.
///
/// # Errors
/// A run failed.
pub fn compare(options: &FlatOptions) -> anyhow::Result<Flat> {
    let broker = NullBrokerProcess::start()?;
    let row = |way: &Way| {
        let load = Load {
            name_server: broker.name_server(),
            way: *way,
            inflight: Load::INFLIGHT_OF_MANY,
            messages: Some(options.messages),
            ..Load::default()
        };
        let mut command = ourselves(&[&["memory-phases".to_owned()][..], &load.arguments()].concat())?;
        Ok((*way, report_of(&mut command, &format!("sending {way}"))?))
    };
    let rows = options.ways.iter().map(row).collect::<anyhow::Result<_>>()?;
    Ok(Flat { messages: options.messages.get(), rows })
}

/// Sends the load, looks, sends nine times as much, and looks again.
///
/// # Errors
/// A send failed, or the system does not tell.
pub async fn phases(load: &Load) -> anyhow::Result<Phases> {
    let (client, producer) = client::connect(load, None).await?;
    let mut looks = [0, 0];
    for (look, times) in looks.iter_mut().zip([NonZeroU64::MIN, NINE]) {
        let messages = load.messages.map(|messages| messages.saturating_mul(times));
        let load = Load { messages, ..load.clone() };
        let meter = Arc::new(Meter::new(&load));
        let mut senders = JoinSet::new();
        for task in 0..load.tasks() {
            senders.spawn(Sender::new(&load, &producer, &meter).beginning_at(task).run(load.way));
        }
        meter.steady(&load, &mut senders).await?;
        meter.all_well()?;
        *look = Seen::now()?.resident_kib;
    }
    client.close(client::LEAVING).await;
    Ok(Phases { first: looks[0], second: looks[1] })
}

impl Phases {
    const fn is_flat(self) -> bool {
        self.second <= self.first + MAY_GROW
    }
}

impl Flat {
    /// Whether every way kept its memory.
    pub fn is_flat(&self) -> bool {
        self.rows.iter().all(|(_, phases)| phases.is_flat())
    }
}

impl fmt::Display for Flat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = (self.messages, self.messages * 10);
        writeln!(f, "| way | RSS after {first} messages | after {second} | may grow by | verdict |")?;
        writeln!(f, "|---|--:|--:|--:|---|")?;
        for (way, phases) in &self.rows {
            let (first, second) = (mib(phases.first), mib(phases.second));
            let verdict = if phases.is_flat() { "flat" } else { "grows" };
            writeln!(f, "| {way} | {first} | {second} | {} | {verdict} |", mib(MAY_GROW))?;
        }
        Ok(())
    }
}

pub(super) fn mib(kib: u64) -> String {
    format!("{:.1} MiB", kib as f64 / 1024.0)
}

/// Nine times more make ten.
const NINE: NonZeroU64 = NonZeroU64::MIN.saturating_add(8);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_mebibytes_more_are_flat_and_a_page_on_top_is_not() {
        let flat = Phases { first: 10_000, second: 10_000 + MAY_GROW };
        let grows = Phases { second: flat.second + 4, ..flat };
        assert!(flat.is_flat() && !grows.is_flat());
        let all = Flat { messages: 100, rows: vec![(Way::Awaited, flat), (Way::Oneway, grows)] };
        assert!(!all.is_flat());
        assert!(all.to_string().lines().last().unwrap().ends_with("| 8.0 MiB | grows |"));
    }
}
