//! Floor and client in turn: medians of runs that were neighbours.
//!
//! On a shared machine a figure alone says little: the same run may take twice as long a minute later. So both are run
//! as neighbours, in processes of their own against one null broker, again and again; each pair gives one ratio, and
//! the median of the ratios is what we keep.

use std::{num::NonZeroUsize, time::Duration};

use serde::Serialize;

use crate::{
    child::{ourselves, report_of},
    load::{Load, Way},
    report::Report,
};

/// What one load costs the client and the floor.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What is special about it.
    pub label: String,
    /// Client CPU per message divided by floor CPU per message: the median of the pairs.
    pub ratio: f64,
    /// The smallest of them.
    pub ratio_min: f64,
    /// The largest of them.
    pub ratio_max: f64,
    /// What we want it to be at most.
    pub aim: Option<Aim>,
    /// The medians of the floor.
    pub floor: Report,
    /// The medians of the client; its writes are those of a run of their own.
    pub client: Report,
}

/// What the client's CPU per message is to be at most.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aim {
    /// So many times the floor's.
    Times(f64),
    /// So many microseconds.
    Micros(f64),
}

/// Runs floor and client `rounds` times in turn; what goes on is told on standard error.
///
/// # Errors
/// A run failed.
pub fn compare(label: &str, load: &Load, aim: Option<Aim>, rounds: NonZeroUsize) -> anyhow::Result<Row> {
    let mut pairs = Vec::new();
    for round in 1..=rounds.get() {
        let (floor, client) = (run("floor", &floor_of(load))?, run("client", load)?);
        eprintln!(
            "{label}, round {round}: floor {:.2} us, client {:.2} us per message",
            floor.cpu_us, client.cpu_us
        );
        pairs.push((floor, client));
    }
    let mut row = Row::new(label, aim, &pairs);
    if load.way != Way::Blocking {
        let mut counted = load.clone();
        counted.count_writes = true;
        counted.shape.steady = counted.shape.steady.min(Duration::from_secs(1));
        row.client.writes_per_message = run("client", &counted)?.writes_per_message;
    }
    Ok(row)
}

/// The floor has no callbacks and no threads: it awaits as many messages.
fn floor_of(load: &Load) -> Load {
    let way = match load.way {
        Way::Enqueue | Way::Blocking => Way::Awaited,
        way => way,
    };
    Load { way, ..load.clone() }
}

/// One run in a process of its own.
fn run(sender: &str, load: &Load) -> anyhow::Result<Report> {
    let mut command = ourselves(&[&[sender.to_owned()][..], &load.arguments()].concat())?;
    report_of(&mut command, &format!("{sender} with {} in flight", load.inflight))
}

impl Row {
    fn new(label: &str, aim: Option<Aim>, pairs: &[(Report, Report)]) -> Self {
        let ratios = sorted(pairs.iter().map(|(floor, client)| client.cpu_us / floor.cpu_us));
        let of =
            |pick: fn(&(Report, Report)) -> &Report| medians(&pairs.iter().map(pick).collect::<Vec<_>>());
        Self {
            label: label.to_owned(),
            ratio: middle(&ratios),
            ratio_min: ratios[0],
            ratio_max: ratios[ratios.len() - 1],
            aim,
            floor: of(|pair| &pair.0),
            client: of(|pair| &pair.1),
        }
    }

    /// Whether the aim, if there is one, is met.
    pub fn meets_aim(&self) -> Option<bool> {
        self.aim.map(|aim| match aim {
            Aim::Times(most) => self.ratio <= most,
            Aim::Micros(most) => self.client.cpu_us <= most,
        })
    }
}

/// Each figure's median by itself. There is at least one report.
pub(crate) fn medians(reports: &[&Report]) -> Report {
    let median = |figure: fn(&Report) -> f64| middle(&sorted(reports.iter().map(|report| figure(report))));
    let system = sorted(reports.iter().filter_map(|report| report.cpu_us_system));
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
        max_us: median(|report| report.max_us),
        ..reports[0].clone()
    }
}

pub(crate) fn sorted(figures: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    figures
}

/// The median of sorted figures; of an even number the mean of the two in the middle.
pub(crate) fn middle(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::load::Encoding;

    pub(crate) fn report(cpu_us: f64, messages_per_second: f64) -> Report {
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
            failed: 0,
            writes_per_message: None,
        }
    }

    pub(crate) fn row(pairs: &[(Report, Report)]) -> Row {
        Row::new("64 in flight", Some(Aim::Times(4.0)), pairs)
    }

    #[test]
    fn the_ratio_is_the_median_of_the_pairs_not_of_the_sums() {
        // The second pair ran while the machine was slow: both doubled, the ratio did not.
        let row = row(&[
            (report(1.0, 9.0), report(3.0, 1.0)),
            (report(2.0, 5.0), report(6.0, 2.0)),
            (report(1.0, 7.0), report(9.0, 3.0)),
        ]);
        assert_eq!((row.ratio, row.ratio_min, row.ratio_max), (3.0, 3.0, 9.0));
        assert_eq!((row.floor.cpu_us, row.floor.messages_per_second), (1.0, 7.0));
        assert_eq!((row.client.cpu_us, row.client.messages_per_second), (6.0, 2.0));
        assert_eq!(row.meets_aim(), Some(true));
    }

    #[test]
    fn an_aim_in_microseconds_is_the_clients_own() {
        let pair = [(report(1.0, 1.0), report(1.6, 1.0))];
        assert_eq!(Row::new("", Some(Aim::Micros(1.5)), &pair).meets_aim(), Some(false));
        assert_eq!(Row::new("", None, &pair).meets_aim(), None);
    }

    #[test]
    fn the_middle_of_an_even_number_lies_between() {
        assert_eq!(middle(&[1.0, 2.0, 4.0, 8.0]), 3.0);
        assert_eq!(middle(&[5.0]), 5.0);
    }
}
