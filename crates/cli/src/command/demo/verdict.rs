//! The verdict: what was acknowledged against what is stored.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::{
    load::{Blow, Load},
    stage::Ids,
};
use crate::{
    exit::Exit,
    notes::Notes,
    output::{self, HEADER, counted, grouped, printable},
};

/// What `-o json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Verdict {
    sent: u64,
    acknowledged: u64,
    oneway: u64,
    failed: u64,
    unknown: u64,
    stored: u64,
    lost: u64,
    duplicates: u64,
    messages_per_second: u64,
    p50_us: u64,
    p99_us: u64,
    p999_us: u64,
    max_us: u64,
    kill_max_us: Option<u64>,
    freeze_max_us: Option<u64>,
}

impl Verdict {
    pub(super) fn new(load: &Load, ids: Ids) -> Self {
        let (totals, percentiles) = (load.totals(), load.percentiles());
        let stored = ids.different();
        let rate = (totals.acknowledged + totals.oneway) as f64 / load.took().as_secs_f64().max(0.001);
        Self {
            sent: totals.sent,
            acknowledged: totals.acknowledged,
            oneway: totals.oneway,
            failed: totals.failed,
            unknown: totals.unknown,
            stored,
            lost: ids.lost(),
            duplicates: ids.stored.len() as u64 - stored,
            messages_per_second: rate as u64,
            p50_us: percentiles.p50,
            p99_us: percentiles.p99,
            p999_us: percentiles.p999,
            max_us: percentiles.max,
            kill_max_us: load.longest_pause(Blow::Kill),
            freeze_max_us: load.longest_pause(Blow::Freeze),
        }
    }

    pub(super) fn exit(&self) -> Exit {
        if self.lost == 0 && self.acknowledged > 0 { Exit::Done } else { Exit::Failed }
    }

    pub(super) fn print_json(&self) -> anyhow::Result<()> {
        output::json(self)
    }

    pub(super) fn print(&self) -> anyhow::Result<()> {
        let count = |label: &str, number: u64, remark: &str| {
            let line = format!("  {label:<16}{:>12}  {remark}", grouped(number));
            line.trim_end().to_owned() + "\n"
        };
        let time = |label: &str, micros: u64| format!("  {label:<16}{:>12}\n", shown(micros));
        let mut text = format!("{HEADER}messages{HEADER:#}\n");
        text += &count("sent", self.sent, "");
        text += &count("acknowledged", self.acknowledged, "");
        text += &count("one-way", self.oneway, "handed over, never acknowledged");
        text += &count("failed", self.failed, "");
        text += &count("unknown", self.unknown, "no answer: stored or not");
        text += &count("stored", self.stored, "");
        text += &count("duplicates", self.duplicates, "sent again after a lost answer: at least once");
        text += &count("lost", self.lost, "acknowledged and not stored");
        text += &format!("{HEADER}time{HEADER:#}\n");
        text += &count("messages/s", self.messages_per_second, "");
        text += &time("p50", self.p50_us);
        text += &time("p99", self.p99_us);
        text += &time("p99.9", self.p999_us);
        text += &time("max", self.max_us);
        for (label, pause) in [("kill pause", self.kill_max_us), ("freeze pause", self.freeze_max_us)] {
            if let Some(pause) = pause {
                let remark = "longest time without an acknowledgement";
                text += &format!("  {label:<16}{:>12}  {remark}\n", shown(pause));
            }
        }
        let (style, sentence) = match (self.exit(), self.lost) {
            (Exit::Done, _) => (GOOD, "every acknowledged message is stored: lost 0".to_owned()),
            (_, 0) => (BAD, "nothing was acknowledged, so nothing is proved".to_owned()),
            (_, lost) => (BAD, format!("acknowledged messages are missing: lost {}", grouped(lost))),
        };
        text += &format!("{style}{sentence}{style:#}\n");
        output::text(&text)
    }

    /// Says why something failed.
    pub(super) fn explain(&self, load: &Load, notes: &Notes) {
        if let Some(error) = load.first_error() {
            let failed = counted(self.failed + self.unknown, "message");
            notes.warning(&printable(&format!("{failed} failed, the first: {error}")));
        }
    }
}

/// Three digits are enough for people.
fn shown(micros: u64) -> String {
    let (number, unit) = match Duration::from_micros(micros) {
        time if micros >= 1_000_000 => (time.as_secs_f64(), "s"),
        time if micros >= 1_000 => (time.as_secs_f64() * 1e3, "ms"),
        time => (time.as_secs_f64() * 1e6, "us"),
    };
    let places = if number >= 100.0 || unit == "us" {
        0
    } else if number >= 10.0 {
        1
    } else {
        2
    };
    format!("{number:.places$} {unit}")
}

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        for (micros, text) in [
            (7, "7 us"),
            (1_234, "1.23 ms"),
            (56_780, "56.8 ms"),
            (999_900, "1000 ms"),
            (2_345_678, "2.35 s"),
        ] {
            assert_eq!(shown(micros), text);
        }
    }
}
