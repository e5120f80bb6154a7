//! Where the instructions of a send go: the client under valgrind's callgrind.
//!
//! Two runs with different numbers of messages; what one has spent more than the other is the steady state. Instructions
//! do not depend on how busy the machine is, so they can be compared from change to change; the kernel's are not among
//! them, and an instruction may take more or less time.

mod costs;
pub mod instructions;
mod split;
mod stage;
mod valgrind;

use std::{fmt, num::NonZeroUsize};

use serde::Serialize;

use crate::{
    child::NullBrokerProcess,
    load::{Encoding, Way},
};
pub use split::{Share, Split};
pub use stage::Stage;

/// What to look into.
#[derive(Clone, Debug, clap::Args, Serialize)]
pub struct Options {
    /// How to send
    #[arg(long, value_enum, default_value_t = Way::Awaited)]
    pub way: Way,
    /// Messages in flight, one column each
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1,64,256")]
    pub inflight: Vec<NonZeroUsize>,
    /// How headers are encoded
    #[arg(long, value_enum, default_value_t = Encoding::Json)]
    pub encoding: Encoding,
    /// Bytes in a body
    #[arg(long, default_value_t = 1024)]
    pub body: usize,
    /// Write the table into BENCHMARKS.md
    #[arg(long)]
    pub write: bool,
}

/// Instructions per message, by stage.
#[derive(Debug)]
pub struct Profile {
    options: Options,
    /// One for each number in flight.
    splits: Vec<Split>,
}

/// Profiles each number in flight.
///
/// # Errors
/// There is no valgrind, or a run failed.
pub fn run(options: &Options) -> anyhow::Result<Profile> {
    let split = |inflight: &NonZeroUsize| {
        let broker = NullBrokerProcess::start()?;
        let (few, many) = (FEW * batch(options.way), MANY * batch(options.way));
        let costs = |messages| {
            let arguments = arguments(options.way, *inflight, options.encoding, options.body);
            valgrind::callgrind(&valgrind::client(broker.name_server(), messages, &arguments))
        };
        let (less, more) = (Split::of(&costs(few)?), Split::of(&costs(many)?));
        let each = more.per_message(&less, many - few);
        eprintln!("{inflight} in flight: {:.0} instructions per message", each.sum().all);
        Ok(each)
    };
    let splits = options.inflight.iter().map(split).collect::<anyhow::Result<_>>()?;
    Ok(Profile { options: options.clone(), splits })
}

/// Batches are counted in messages; so that a run has enough of them, it has more messages.
const fn batch(way: Way) -> u64 {
    if matches!(way, Way::Batch) { 16 } else { 1 }
}

fn arguments(way: Way, inflight: NonZeroUsize, encoding: Encoding, body: usize) -> Vec<String> {
    vec![
        format!("--way={way}"),
        format!("--inflight={inflight}"),
        format!("--encoding={encoding}"),
        format!("--body={body}"),
    ]
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = |f: &mut fmt::Formatter<'_>, title: &str, figures: &[String]| {
            writeln!(f, "| {title} | {} |", figures.join(" | "))
        };
        let titles: Vec<_> = self.options.inflight.iter().map(|n| format!("{n} in flight")).collect();
        columns(f, "instructions per message", &titles)?;
        writeln!(f, "|---|{}", "--:|".repeat(titles.len()))?;
        for stage in Stage::ALL {
            let cell = |split: &Split| {
                let (part, all) = (split.share(stage).all, split.sum().all);
                format!("{:.0} ({:.0} %)", part.abs(), (100.0 * part / all).abs())
            };
            columns(f, stage.title(), &self.splits.iter().map(cell).collect::<Vec<_>>())?;
        }
        let sums = |pick: fn(&Share) -> f64| {
            self.splits.iter().map(|split| format!("{:.0}", pick(&split.sum()))).collect::<Vec<_>>()
        };
        columns(f, "**all**", &sums(|share| share.all))?;
        columns(f, "of them allocating and freeing", &sums(|share| share.allocating))?;
        columns(f, "of them copying and comparing memory", &sums(|share| share.copying))?;
        let allocations = self.splits.iter().map(|split| format!("{:.1}", split.allocations()));
        columns(f, "allocations", &allocations.collect::<Vec<_>>())
    }
}

/// The section in BENCHMARKS.md.
pub const SECTION: &str = "profile";

/// Enough that every buffer has grown.
const FEW: u64 = 1_000;
const MANY: u64 = 5_000;
