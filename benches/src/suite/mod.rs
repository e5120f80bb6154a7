//! Everything that is compared with the floor, part by part, each as a table.

mod parts;
mod table;

use std::{fmt, num::NonZeroUsize, path::Path, time::Duration};

use serde::Serialize;

pub use parts::Part;

use crate::{
    child::NullBrokerProcess,
    compare::{self, Row},
    load::Load,
    plot::{self, Line},
};

/// What to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Parts to run; without it all
    #[arg(long = "part", value_enum, value_name = "PART,..", value_delimiter = ',')]
    pub parts: Vec<Part>,
    /// Runs of each row
    #[arg(long, default_value = "5")]
    pub rounds: NonZeroUsize,
    /// Seconds of each run that are measured
    #[arg(long = "secs", value_name = "SECONDS", default_value = "2", value_parser = crate::load::seconds)]
    pub steady: Duration,
    /// One short round of everything, to see that it works; its figures mean nothing
    #[arg(long, conflicts_with_all = ["rounds", "steady"])]
    pub quick: bool,
    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
    /// Write tables and plots into BENCHMARKS.md and docs/plots
    #[arg(long, conflicts_with = "quick")]
    pub write: bool,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Suite {
    parts: Vec<Measured>,
}

#[derive(Clone, Debug, Serialize)]
struct Measured {
    part: Part,
    rows: Vec<Row>,
}

impl Options {
    fn parts(&self) -> Vec<Part> {
        if self.parts.is_empty() { Part::ALL.to_vec() } else { self.parts.clone() }
    }

    fn rounds(&self) -> NonZeroUsize {
        if self.quick { NonZeroUsize::MIN } else { self.rounds }
    }

    fn timed(&self, mut load: Load) -> Load {
        load.shape.steady = if self.quick { QUICK } else { self.steady };
        load.shape.warm = if self.quick { QUICK } else { load.shape.warm };
        load
    }
}

/// Runs the parts.
///
/// # Errors
/// A run failed.
pub fn run(options: &Options) -> anyhow::Result<Suite> {
    let measured = |part: Part| {
        let rows = part.rows().into_iter().map(|row| {
            let broker = NullBrokerProcess::start_with(&[format!("--brokers={}", row.brokers)])?;
            let mut load = options.timed(row.load);
            load.name_server = broker.name_server();
            load.brokers = broker.brokers().to_vec();
            compare::compare(&row.label, &load, row.aim, options.rounds())
        });
        Ok(Measured { part, rows: rows.collect::<anyhow::Result<_>>()? })
    };
    let parts = options.parts().into_iter().map(measured).collect::<anyhow::Result<_>>()?;
    Ok(Suite { parts })
}

impl Suite {
    /// Writes every part that was run into its section, and the plots of the first.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, options: &Options) -> anyhow::Result<()> {
        for measured in &self.parts {
            let part = measured.part;
            let command = format!(
                "suite --part {part} --rounds {} --secs {}",
                options.rounds,
                options.steady.as_secs_f64()
            );
            crate::document::write(&part.section(), &command, &table::markdown(&measured.rows))?;
            if part == Part::Awaited {
                measured.plots(&crate::document::plots())?;
            }
        }
        Ok(())
    }
}

impl Measured {
    fn plots(&self, folder: &Path) -> anyhow::Result<()> {
        let line = |name: &str, figure: fn(&Row) -> f64| Line {
            name: name.to_owned(),
            points: self.rows.iter().map(|row| (row.client.inflight as f64, figure(row))).collect(),
        };
        let (inflight, rate) = ("messages in flight", "messages/s");
        plot::write(
            &folder.join("throughput.svg"),
            "Awaited messages, 1 KiB, null broker",
            inflight,
            rate,
            &[
                line("floor", |row| row.floor.messages_per_second),
                line("client", |row| row.client.messages_per_second),
            ],
        )?;
        plot::write(
            &folder.join("cpu.svg"),
            "CPU per awaited message, 1 KiB, null broker",
            inflight,
            "us",
            &[
                line("floor", |row| row.floor.cpu_us),
                line("client", |row| row.client.cpu_us),
                line("ratio of both", |row| row.ratio),
            ],
        )
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for measured in &self.parts {
            writeln!(f, "## {}\n\n{}", measured.part.title(), table::markdown(&measured.rows))?;
        }
        Ok(())
    }
}

const QUICK: Duration = Duration::from_millis(200);
