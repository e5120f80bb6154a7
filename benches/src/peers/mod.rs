//! Our client beside its peers: Apache's Java client, the crate rocketmq-client-rust and Apache's Go client, under the same
//! loads, one after the other, on one machine, against the null broker and against Apache's broker.
//!
//! Each peer is a program of its own in `benches/peers` that takes our options and prints one line of JSON.

mod apache;
mod figures;
mod programs;
mod settle;
mod table;

use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

use clap::ValueEnum;

use crate::{
    child::NullBrokerProcess,
    load::{Load, Way},
    plot::{self, Line},
};
use figures::{Figures, Outcome};
use programs::Program;

/// What to run.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Who takes part
    #[arg(
        long = "peer",
        value_enum,
        value_name = "PEER,..",
        value_delimiter = ',',
        default_value = "floor,maxq,java,rust,go"
    )]
    pub peers: Vec<Peer>,
    /// Whom to send to
    #[arg(
        long = "target",
        value_enum,
        value_name = "TARGET,..",
        value_delimiter = ',',
        default_value = "null,apache"
    )]
    pub targets: Vec<Target>,
    /// Runs of each row; the medians are kept
    #[arg(long, default_value = "3")]
    pub rounds: NonZeroUsize,
    /// Seconds of each run that are measured
    #[arg(long = "secs", value_name = "SECONDS", default_value = "3", value_parser = crate::load::seconds)]
    pub steady: Duration,
    /// Only the loads whose name has this in it, such as "one way"
    #[arg(long, value_name = "TEXT", conflicts_with = "write")]
    pub only: Option<String>,
    /// One short round, to see that it works; its figures mean nothing
    #[arg(long, conflicts_with_all = ["rounds", "steady"])]
    pub quick: bool,
    /// Write the tables into BENCHMARKS.md and the plots into docs/plots
    #[arg(long, conflicts_with = "quick")]
    pub write: bool,
}

/// A client, or the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// Pre-built frames, against the null broker only
    Floor,
    /// Our client
    Maxq,
    /// Apache's Java client 5.5.0
    Java,
    /// The crate rocketmq-client-rust 1.0.0
    Rust,
    /// Apache's Go client 2.1.2
    Go,
}

/// Who is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// The null broker
    Null,
    /// One broker of Apache RocketMQ 5.5.0
    Apache,
}

/// What was measured.
#[derive(Debug)]
pub struct Peers {
    programs: Vec<Program>,
    tables: Vec<(Target, Vec<Row>)>,
}

/// One load, and what it gave with each peer.
#[derive(Debug)]
struct Row {
    label: String,
    load: Load,
    outcomes: Vec<(Peer, Outcome)>,
}

/// Builds the peers and runs everything.
///
/// # Errors
/// A peer does not build, a server does not start, or a run failed.
pub fn run(options: &Options) -> anyhow::Result<Peers> {
    let prepare = |peer: &Peer| Program::prepare(*peer);
    let programs: Vec<Program> = options.peers.iter().map(prepare).collect::<anyhow::Result<_>>()?;
    let mut tables = Vec::new();
    for &target in &options.targets {
        let rows = match target {
            Target::Null => {
                let broker = NullBrokerProcess::start()?;
                rows(options, target, broker.name_server(), &programs)?
            }
            Target::Apache => {
                let cluster = apache::Cluster::start()?;
                rows(options, target, cluster.name_server(), &programs)?
            }
        };
        tables.push((target, rows));
    }
    Ok(Peers { programs, tables })
}

fn rows(
    options: &Options,
    target: Target,
    name_server: SocketAddr,
    programs: &[Program],
) -> anyhow::Result<Vec<Row>> {
    let rounds = if options.quick { 1 } else { options.rounds.get() };
    let mut rows = Vec::new();
    let asked = |label: &str| options.only.as_ref().is_none_or(|only| label.contains(only));
    for (label, mut load) in loads().into_iter().filter(|(label, _)| asked(label)) {
        load.name_server = name_server;
        load.real_broker = target == Target::Apache;
        load.shape.steady = if options.quick { QUICK } else { options.steady };
        load.shape.warm = load.shape.steady;
        let mut runs: Vec<(&Program, Vec<Outcome>)> = programs
            .iter()
            .filter(|program| program.takes_part(target))
            .map(|program| (program, vec![]))
            .collect();
        for round in 1..=rounds {
            // Who did not get through a load once is not asked to again.
            for (program, runs) in runs.iter_mut().filter(|(_, runs)| runs.iter().all(Result::is_ok)) {
                if target == Target::Apache {
                    settle::wait(name_server)?;
                }
                let outcome = program.run(&load, options.quick)?;
                let said = outcome.as_ref().map_or_else(Clone::clone, Figures::to_string);
                eprintln!("{label}, round {round}, {}: {said}", program.name());
                runs.push(outcome);
            }
        }
        let outcomes =
            runs.into_iter().map(|(program, runs)| (program.peer(), figures::medians(runs))).collect();
        rows.push(Row { label, load, outcomes });
    }
    Ok(rows)
}

/// `enqueue` is what others call async: a callback counts, and the sender goes on.
fn loads() -> Vec<(String, Load)> {
    let load = |way, inflight| Load {
        way,
        inflight: NonZeroUsize::new(inflight).unwrap_or(NonZeroUsize::MIN),
        ..Load::default()
    };
    let mut loads = Vec::new();
    for (name, way) in [("sync", Way::Awaited), ("async", Way::Enqueue)] {
        for inflight in [1, 64, 256, 1000] {
            loads.push((format!("{name}, {inflight} in flight"), load(way, inflight)));
        }
    }
    loads.push(("one way, 16 senders".to_owned(), load(Way::Oneway, 16)));
    loads.push(("batches of 64, 8 senders".to_owned(), load(Way::Batch, 8)));
    loads
}

impl Row {
    fn figures_of(&self, wanted: Peer) -> Option<&Figures> {
        let (_, outcome) = self.outcomes.iter().find(|(peer, _)| *peer == wanted)?;
        outcome.as_ref().ok()
    }
}

impl Peers {
    /// Writes the tables and the plots.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, options: &Options) -> anyhow::Result<()> {
        let command = format!("peers --rounds {} --secs {}", options.rounds, options.steady.as_secs_f64());
        crate::document::write(SECTION, &command, &self.to_string())?;
        for (target, rows) in &self.tables {
            let (broker, file) = match target {
                Target::Null => ("null broker", "peers"),
                Target::Apache => ("Apache 5.5.0", "peers-apache"),
            };
            self.plot(rows, &format!("{file}-cpu.svg"), ("CPU per message", "us"), broker, |of| of.cpu_us)?;
            let rate = ("Messages a second", "messages/s");
            self.plot(rows, &format!("{file}-rate.svg"), rate, broker, |of| of.rate)?;
        }
        Ok(())
    }

    fn plot(
        &self,
        rows: &[Row],
        file: &str,
        (what, unit): (&str, &str),
        broker: &str,
        figure: fn(&Figures) -> f64,
    ) -> anyhow::Result<()> {
        let (path, title) = (crate::document::plots().join(file), format!("{what}, 1 KiB, {broker}"));
        plot::write(&path, &title, "messages in flight", unit, &self.lines(rows, figure))
    }

    /// One line for each peer that awaits, and one for each that calls back, where it is another way.
    fn lines(&self, rows: &[Row], figure: fn(&Figures) -> f64) -> Vec<Line> {
        let mut lines = Vec::new();
        for program in &self.programs {
            for (way, what) in [(Way::Awaited, "sync"), (Way::Enqueue, "async")] {
                if program.peer() == Peer::Floor && way == Way::Enqueue {
                    continue;
                }
                let of = |row: &Row| {
                    Some((row.load.inflight.get() as f64, figure(row.figures_of(program.peer())?)))
                };
                let points: Vec<_> = rows.iter().filter(|row| row.load.way == way).filter_map(of).collect();
                let drawn = points.into_iter().filter(|(_, figure)| *figure > 0.0).collect();
                lines.push(Line { name: format!("{}, {what}", program.name()), points: drawn });
            }
        }
        lines
    }
}

/// The section in BENCHMARKS.md.
pub const SECTION: &str = "peers";

const QUICK: Duration = Duration::from_millis(500);
