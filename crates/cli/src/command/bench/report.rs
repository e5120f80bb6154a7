//! What is told at the end.

use serde::Serialize;

use super::{
    load::Load,
    record::{Latencies, Point, Summary},
};
use crate::{
    exit::Exit,
    notes::Notes,
    output::{self, HEADER, counted, grouped, printable},
};

/// What `-o json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    mode: &'static str,
    /// `closed` or `open`.
    #[serde(rename = "loop")]
    kind: &'static str,
    /// Messages per second that were wanted, in the open loop.
    rate: Option<f64>,
    in_flight: usize,
    /// Messages that one request carries.
    batch: u32,
    body: usize,
    warm_up_ms: u64,
    measured_ms: u64,
    sent: u64,
    acknowledged: u64,
    failed: u64,
    unknown: u64,
    /// Of the open loop: due by the end, and not begun.
    not_begun: u64,
    messages_per_second: u64,
    bytes_per_second: u64,
    /// Whether latencies count from when a message was due.
    corrected: bool,
    latency_us: Latencies,
    points: Vec<Point>,
}

impl Report {
    pub(super) fn new(load: &Load) -> Self {
        let (plan, totals) = (load.plan(), load.totals());
        let Summary { time, latencies, points } = load.summary();
        let rate = totals.acknowledged as f64 / time.as_secs_f64().max(0.001);
        let millis = |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Self {
            mode: plan.mode.name(),
            kind: if plan.rate.is_some() { "open" } else { "closed" },
            rate: plan.rate,
            in_flight: plan.in_flight,
            batch: plan.batch,
            body: plan.body,
            warm_up_ms: millis(plan.warm_up),
            measured_ms: millis(time),
            sent: totals.sent(),
            acknowledged: totals.acknowledged,
            failed: totals.failed,
            unknown: totals.unknown,
            not_begun: totals.not_begun,
            messages_per_second: rate as u64,
            bytes_per_second: (rate * plan.body as f64) as u64,
            corrected: plan.rate.is_some(),
            latency_us: latencies,
            points,
        }
    }

    pub(super) fn exit(&self) -> Exit {
        match (self.acknowledged, self.failed + self.unknown) {
            (0, _) => Exit::Failed,
            (_, 0) => Exit::Done,
            _ => Exit::PartlySent,
        }
    }

    pub(super) fn points(&self) -> &[Point] {
        &self.points
    }

    /// One line for the top of a picture.
    pub(super) fn title(&self) -> String {
        let kind = match self.rate {
            Some(rate) => format!("open loop at {rate}/s"),
            None => format!("closed loop, {} under way", grouped(self.in_flight as u64)),
        };
        format!(
            "maxq bench: {}, {kind}, bodies of {}: {} messages/s",
            self.mode,
            counted(self.body as u64, "byte"),
            grouped(self.messages_per_second)
        )
    }

    pub(super) fn print_json(&self) -> anyhow::Result<()> {
        output::json(self)
    }

    pub(super) fn print(&self) -> anyhow::Result<()> {
        let count = |label: &str, number: u64, remark: &str| {
            let line = format!("  {label:<16}{:>14}  {remark}", grouped(number));
            line.trim_end().to_owned() + "\n"
        };
        let time =
            |label: &str, micros: u64| format!("  {label:<16}{:>14}\n", format!("{} µs", grouped(micros)));
        let oneway = self.mode == "oneway";
        let acknowledged = if oneway { "handed over" } else { "acknowledged" };
        let mut text = format!("{HEADER}messages{HEADER:#}\n");
        text += &count("sent", self.sent, "");
        text +=
            &count(acknowledged, self.acknowledged, if oneway { "nobody knows what is stored" } else { "" });
        text += &count("failed", self.failed, "");
        text += &count("unknown", self.unknown, "no answer: stored or not");
        if self.rate.is_some() {
            text += &count("not begun", self.not_begun, "due by the end, behind what was under way");
        }
        text += &format!("{HEADER}throughput{HEADER:#}\n");
        text += &count("messages/s", self.messages_per_second, "");
        text += &count("bytes/s", self.bytes_per_second, "of bodies");
        let from = if self.corrected { "from when a message was due" } else { "from when a message began" };
        text += &format!("{HEADER}latency{HEADER:#} ({from})\n");
        let Latencies { mean, min, p50, p90, p99, p999, p9999, max } = self.latency_us;
        let rows = [
            ("min", min),
            ("mean", mean.round() as u64),
            ("p50", p50),
            ("p90", p90),
            ("p99", p99),
            ("p99.9", p999),
            ("p99.99", p9999),
            ("max", max),
        ];
        rows.iter().for_each(|(label, micros)| text += &time(label, *micros));
        output::text(&text)
    }

    /// Says why something failed, or is not what was wanted.
    pub(super) fn explain(&self, load: &Load, notes: &Notes) {
        if let Some(error) = load.first_error() {
            let failed = counted(self.failed + self.unknown, "message");
            notes.warning(&printable(&format!("{failed} failed, the first: {error}")));
        }
        if let Some(rate) = self.rate
            && (self.messages_per_second as f64) < rate * 0.95
            && !load.was_interrupted()
        {
            notes.warning(&format!(
                "{rate} messages/s were wanted, {} got through: raise --in-flight, or it is more than the cluster takes",
                grouped(self.messages_per_second)
            ));
        }
    }
}
