//! What a run of a peer gave.

use std::fmt;

use serde::Deserialize;

use crate::{
    compare::{middle, sorted},
    report::Report,
};

/// Ready for a table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figures {
    pub(super) cpu_us: f64,
    /// Messages a second.
    pub(super) rate: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) max_us: f64,
    /// Sends that failed.
    pub(super) errors: f64,
}

/// What a run gave, or in a few words why it gave nothing.
pub(super) type Outcome = Result<Figures, String>;

/// The line of JSON of a peer.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Line {
    messages: u64,
    seconds: f64,
    cpu_seconds: f64,
    errors: u64,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
}

impl From<Line> for Figures {
    fn from(line: Line) -> Self {
        Self {
            // Without a message there is no cost of one.
            cpu_us: if line.messages == 0 { f64::NAN } else { line.cpu_seconds * 1e6 / line.messages as f64 },
            rate: line.messages as f64 / line.seconds,
            p50_us: line.p50_us,
            p99_us: line.p99_us,
            max_us: line.max_us,
            errors: line.errors as f64,
        }
    }
}

impl From<Report> for Figures {
    fn from(report: Report) -> Self {
        Self {
            cpu_us: report.cpu_us,
            rate: report.messages_per_second,
            p50_us: report.p50_us,
            p99_us: report.p99_us,
            max_us: report.max_us,
            errors: report.failed as f64,
        }
    }
}

impl Figures {
    /// Each figure's median by itself. There is at least one run.
    fn medians(runs: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| middle(&sorted(runs.iter().map(figure)));
        Self {
            cpu_us: of(|run| run.cpu_us),
            rate: of(|run| run.rate),
            p50_us: of(|run| run.p50_us),
            p99_us: of(|run| run.p99_us),
            max_us: of(|run| run.max_us),
            errors: of(|run| run.errors),
        }
    }
}

/// The medians of the runs, or the first reason why there are none: a run that gave nothing is not left out.
pub(super) fn medians(runs: Vec<Outcome>) -> Outcome {
    let runs: Vec<Figures> = runs.into_iter().collect::<Result<_, _>>()?;
    Ok(Figures::medians(&runs))
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} us per message, {:.0} messages/s, {} errors", self.cpu_us, self.rate, self.errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_peer_becomes_figures() {
        let line = r#"{"messages":1000,"seconds":2.0,"cpu_seconds":0.5,"errors":3,"p50_us":1.5,"p99_us":2,"max_us":9}"#;
        let figures = Figures::from(serde_json::from_str::<Line>(line).unwrap());
        assert_eq!((figures.cpu_us, figures.rate, figures.errors), (500.0, 500.0, 3.0));
        assert_eq!(medians(vec![Ok(figures)]), Ok(figures));
        let stuck = "did not end".to_owned();
        assert_eq!(medians(vec![Ok(figures), Err(stuck.clone()), Ok(figures)]), Err(stuck));
    }
}
