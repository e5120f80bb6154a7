//! Floor and client in turn, as a table of medians.
//!
//! On a shared machine a figure alone says little: the same run may take twice as long a minute later. So both are run
//! as neighbours, in processes of their own against one null broker, again and again; each pair gives one ratio, and
//! the median of the ratios is what we keep.

use std::{fmt, net::SocketAddr, num::NonZeroUsize};

use clap::ValueEnum;
use serde::Serialize;

use crate::{
    child::{NullBrokerProcess, ourselves, report_of},
    load::Shape,
    report::Report,
};

/// What to compare.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Messages in flight, one row each
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1,64,256,1000")]
    pub inflight: Vec<NonZeroUsize>,
    /// Runs of each
    #[arg(long, default_value = "5")]
    pub rounds: NonZeroUsize,
    /// What is sent.
    #[command(flatten)]
    pub shape: Shape,
    /// How to print the result
    #[arg(short, long, value_enum, default_value_t = Output::Markdown)]
    pub output: Output,
}

/// How to print the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table that is readable as it is
    Markdown,
    /// One object
    Json,
}

/// The result: one row for each number of messages in flight.
#[derive(Clone, Debug, Serialize)]
pub struct Ratios {
    rounds: usize,
    rows: Vec<Row>,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    /// Client CPU per message divided by floor CPU per message: median, smallest and largest of the pairs.
    ratio: f64,
    ratio_min: f64,
    ratio_max: f64,
    aim: Option<f64>,
    floor: Report,
    client: Report,
}

/// Runs everything; what goes on is told on standard error.
///
/// # Errors
/// A run failed.
pub fn run(options: &Options) -> anyhow::Result<Ratios> {
    let broker = NullBrokerProcess::start()?;
    let mut rows = Vec::new();
    for &inflight in &options.inflight {
        let mut pairs = Vec::new();
        for round in 1..=options.rounds.get() {
            let measure = |sender| measure(sender, broker.name_server(), inflight, &options.shape);
            let (floor, client) = (measure("floor")?, measure("client")?);
            eprintln!(
                "{inflight} in flight, round {round}: floor {:.2} us, client {:.2} us",
                floor.cpu_us, client.cpu_us
            );
            pairs.push((floor, client));
        }
        rows.push(Row::new(inflight, &pairs));
    }
    Ok(Ratios { rounds: options.rounds.get(), rows })
}

/// One run in a process of its own, so that neither pays for what the other left behind.
fn measure(
    sender: &str,
    name_server: SocketAddr,
    inflight: NonZeroUsize,
    shape: &Shape,
) -> anyhow::Result<Report> {
    let fixed = [sender.to_owned(), format!("--name-server={name_server}"), format!("--inflight={inflight}")];
    let mut command = ourselves(&[&fixed[..], &shape.arguments()].concat())?;
    report_of(&mut command, &format!("{sender} with {inflight} in flight"))
}

impl Row {
    fn new(inflight: NonZeroUsize, pairs: &[(Report, Report)]) -> Self {
        let ratios = sorted(pairs.iter().map(|(floor, client)| client.cpu_us / floor.cpu_us));
        let of = |pick: fn(&(Report, Report)) -> &Report| medians(pairs.iter().map(pick).collect());
        Self {
            ratio: middle(&ratios),
            ratio_min: ratios[0],
            ratio_max: ratios[ratios.len() - 1],
            aim: AIMS.iter().find(|(at, _)| *at == inflight.get()).map(|(_, aim)| *aim),
            floor: of(|pair| &pair.0),
            client: of(|pair| &pair.1),
        }
    }
}

/// Each figure's median by itself. There is at least one report.
fn medians(reports: Vec<&Report>) -> Report {
    let median = |figure: fn(&Report) -> f64| middle(&sorted(reports.iter().map(|report| figure(report))));
    let system = reports.iter().filter_map(|report| report.cpu_us_system);
    let system = sorted(system);
    Report {
        messages_per_second: median(|report| report.messages_per_second),
        cpu_us: median(|report| report.cpu_us),
        cpu_us_system: (!system.is_empty()).then(|| middle(&system)),
        cores: median(|report| report.cores),
        messages_per_read: median(|report| report.messages_per_read),
        broker_cpu_us: median(|report| report.broker_cpu_us),
        p50_us: median(|report| report.p50_us),
        p99_us: median(|report| report.p99_us),
        p999_us: median(|report| report.p999_us),
        ..reports[0].clone()
    }
}

fn sorted(figures: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures
}

/// The median of sorted figures; of an even number the mean of the two in the middle.
fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) }
}

impl fmt::Display for Ratios {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let titles = [
            "in flight",
            "floor CPU us",
            "client CPU us",
            "ratio",
            "pairs",
            "aim",
            "floor msg/s",
            "client msg/s",
            "client p50 us",
            "client p99 us",
        ];
        writeln!(f, "| {} |", titles.join(" | "))?;
        writeln!(f, "|{}", "--:|".repeat(titles.len()))?;
        for row in &self.rows {
            let aim = row.aim.map_or_else(String::new, |aim| aim.to_string());
            writeln!(
                f,
                "| {} | {:.2} | {:.2} | **{:.2}** | {:.2} to {:.2} | {aim} | {:.0} | {:.0} | {:.0} | {:.0} |",
                row.floor.inflight,
                row.floor.cpu_us,
                row.client.cpu_us,
                row.ratio,
                row.ratio_min,
                row.ratio_max,
                row.floor.messages_per_second,
                row.client.messages_per_second,
                row.client.p50_us,
                row.client.p99_us,
            )?;
        }
        Ok(())
    }
}

/// What we want the ratio to be at most.
const AIMS: [(usize, f64); 4] = [(1, 1.4), (64, 4.0), (256, 5.0), (1000, 4.0)];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Encoding, Way};

    fn report(cpu_us: f64, messages_per_second: f64) -> Report {
        Report {
            sender: "test".to_owned(),
            way: Way::Awaited,
            inflight: 64,
            threads: 1,
            body: 1024,
            encoding: Encoding::Json,
            messages_per_second,
            cpu_us,
            cpu_us_system: None,
            cores: 1.0,
            messages_per_read: 1.0,
            broker_cpu_us: 1.0,
            p50_us: 1.0,
            p99_us: 1.0,
            p999_us: 1.0,
            max_us: 1.0,
            writes_per_message: None,
        }
    }

    #[test]
    fn the_ratio_is_the_median_of_the_pairs_not_of_the_sums() {
        // The second pair ran while the machine was slow: both doubled, the ratio did not.
        let pairs = [
            (report(1.0, 9.0), report(3.0, 1.0)),
            (report(2.0, 5.0), report(6.0, 2.0)),
            (report(1.0, 7.0), report(9.0, 3.0)),
        ];
        let row = Row::new(NonZeroUsize::new(64).unwrap(), &pairs);
        assert_eq!((row.ratio, row.ratio_min, row.ratio_max, row.aim), (3.0, 3.0, 9.0, Some(4.0)));
        assert_eq!((row.floor.cpu_us, row.floor.messages_per_second), (1.0, 7.0));
        assert_eq!((row.client.cpu_us, row.client.messages_per_second), (6.0, 2.0));
    }

    #[test]
    fn the_middle_of_an_even_number_lies_between() {
        assert_eq!(middle(&[1.0, 2.0, 4.0, 8.0]), 3.0);
        assert_eq!(middle(&[5.0]), 5.0);
    }

    #[test]
    fn the_table_has_a_row_for_each_number_in_flight() {
        let pair = [(report(1.0, 1000.0), report(2.5, 400.0))];
        let rows = vec![Row::new(NonZeroUsize::new(64).unwrap(), &pair)];
        let text = Ratios { rounds: 1, rows }.to_string();
        assert_eq!(text.lines().count(), 3);
        let row = "| 64 | 1.00 | 2.50 | **2.50** | 2.50 to 2.50 | 4 | 1000 | 400 | 1 | 1 |";
        assert_eq!(text.lines().last(), Some(row));
    }
}
