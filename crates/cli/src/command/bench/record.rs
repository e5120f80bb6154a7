//! What was measured: latencies of each second and of all, recorded without making one worker wait for another.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hdrhistogram::Histogram;
use serde::Serialize;

/// The latencies. Workers write into shards; once a second these are emptied into a point and into the sum.
pub(super) struct Record {
    shards: Vec<Mutex<Shard>>,
    sum: Mutex<Sum>,
}

struct Shard {
    messages: u64,
    latencies: Histogram<u64>,
}

struct Sum {
    /// When measuring began, on the load's clock.
    begin: Duration,
    /// Up to where the shards were emptied.
    rolled: Duration,
    latencies: Histogram<u64>,
    points: Vec<Point>,
}

/// One second, or what is left of one at the end. Times are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Point {
    /// Its end, in seconds since measuring began.
    pub(super) second: f64,
    pub(super) messages: u64,
    #[serde(rename = "messages_per_second", serialize_with = "whole")]
    pub(super) per_second: f64,
    #[serde(rename = "p50_us")]
    pub(super) p50: u64,
    #[serde(rename = "p99_us")]
    pub(super) p99: u64,
    #[serde(rename = "p999_us")]
    pub(super) p999: u64,
    #[serde(rename = "max_us")]
    pub(super) max: u64,
}

/// All that was measured. Times are in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Latencies {
    #[serde(serialize_with = "whole")]
    pub(super) mean: f64,
    pub(super) min: u64,
    pub(super) p50: u64,
    pub(super) p90: u64,
    pub(super) p99: u64,
    pub(super) p999: u64,
    pub(super) p9999: u64,
    pub(super) max: u64,
}

/// The sum at the end.
pub(super) struct Summary {
    /// How long was measured.
    pub(super) time: Duration,
    pub(super) latencies: Latencies,
    pub(super) points: Vec<Point>,
}

impl Record {
    /// A record that begins when the warm-up is over.
    pub(super) fn new(begin: Duration) -> Self {
        let shard = || Mutex::new(Shard { messages: 0, latencies: empty() });
        let sum = Sum { begin, rolled: begin, latencies: empty(), points: Vec::new() };
        Self { shards: (0..SHARDS).map(|_| shard()).collect(), sum: Mutex::new(sum) }
    }

    /// A send took so long, and brought so many messages to their place: none when it failed.
    pub(super) fn observe(&self, worker: usize, messages: u64, took: Duration) {
        let mut shard = lock(&self.shards[worker % SHARDS]);
        shard.messages += messages;
        shard.latencies.saturating_record(micros(took));
    }

    /// So many sends have waited so long, and were not begun.
    pub(super) fn miss(&self, sends: u64, waited: Duration) {
        lock(&self.shards[0]).latencies.saturating_record_n(micros(waited), sends);
    }

    /// Closes a second if it is over.
    pub(super) fn roll_if_due(&self, now: Duration) {
        if now >= lock(&self.sum).rolled + SECOND {
            self.roll(now);
        }
    }

    /// Nothing comes any more.
    pub(super) fn end(&self, now: Duration) {
        self.roll(now);
    }

    /// The last second.
    pub(super) fn last(&self) -> Option<Point> {
        lock(&self.sum).points.last().copied()
    }

    pub(super) fn summary(&self) -> Summary {
        let sum = lock(&self.sum);
        let latencies = &sum.latencies;
        let at = |quantile| at(latencies, quantile);
        let latencies = if latencies.is_empty() {
            Latencies::default()
        } else {
            Latencies {
                mean: latencies.mean(),
                min: latencies.min(),
                p50: at(0.5),
                p90: at(0.9),
                p99: at(0.99),
                p999: at(0.999),
                p9999: at(0.9999),
                max: latencies.max(),
            }
        };
        Summary { time: sum.rolled.saturating_sub(sum.begin), latencies, points: sum.points.clone() }
    }

    fn roll(&self, now: Duration) {
        let (mut messages, mut latencies) = (0, empty());
        for shard in &self.shards {
            let mut shard = lock(shard);
            messages += std::mem::take(&mut shard.messages);
            latencies.add(&shard.latencies).expect("all shards have the same bounds");
            shard.latencies.reset();
        }
        let mut sum = lock(&self.sum);
        let span = now.saturating_sub(sum.rolled);
        if span.is_zero() && latencies.is_empty() {
            return;
        }
        sum.latencies.add(&latencies).expect("all histograms have the same bounds");
        let end = now.saturating_sub(sum.begin);
        let point = Point {
            second: (end.as_secs_f64() * 1_000.0).round() / 1_000.0,
            messages,
            per_second: messages as f64 / span.as_secs_f64().max(0.001),
            p50: at(&latencies, 0.5),
            p99: at(&latencies, 0.99),
            p999: at(&latencies, 0.999),
            max: latencies.max(),
        };
        sum.rolled = now.max(sum.rolled);
        // A rest that is too short to mean anything is in the sum alone.
        if span >= SHORTEST || sum.points.is_empty() {
            sum.points.push(point);
        }
    }
}

/// A value stands for its bucket, whose upper end may be above the largest that was recorded.
fn at(latencies: &Histogram<u64>, quantile: f64) -> u64 {
    latencies.value_at_quantile(quantile).min(latencies.max())
}

/// One microsecond to ten minutes, exact to a thousandth.
fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds and digits are valid")
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn whole<S: serde::Serializer>(number: &f64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(number.round() as u64)
}

const SHARDS: usize = 16;
const SECOND: Duration = Duration::from_secs(1);
const SHORTEST: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn every_second_has_its_point_and_all_are_in_the_sum() {
        let record = Record::new(ms(500));
        for n in 1..=1_000 {
            record.observe(n as usize, 1, Duration::from_micros(n));
        }
        record.roll_if_due(ms(1_400));
        assert_eq!(record.last(), None, "the second is not over");
        record.roll_if_due(ms(1_500));
        let point = record.last().unwrap();
        assert_eq!((point.second, point.messages, point.per_second), (1.0, 1_000, 1_000.0));
        assert_eq!((point.p50, point.p99, point.p999, point.max), (500, 990, 999, 1_000));
        record.observe(0, 10, ms(2));
        record.end(ms(2_000));
        let Summary { time, latencies, points } = record.summary();
        assert_eq!((time, points.len(), points[1].messages), (ms(1_500), 2, 10));
        assert_eq!((points[1].per_second, points[1].p50), (20.0, 2_000));
        assert_eq!((latencies.min, latencies.p50, latencies.max), (1, 501, 2_000));
    }

    #[test]
    fn what_failed_or_never_began_has_waited_and_is_no_throughput() {
        let record = Record::new(Duration::ZERO);
        record.observe(0, 1, ms(1));
        record.observe(1, 0, ms(3_000));
        record.miss(8, ms(500));
        record.end(ms(1_000));
        let Summary { latencies, points, .. } = record.summary();
        assert_eq!((points[0].messages, points[0].per_second), (1, 1.0));
        assert_eq!((latencies.min, latencies.max), (1_000, 3_000_319));
        assert!(latencies.p50.abs_diff(500_000) < 500, "{latencies:?}");
    }

    #[test]
    fn nothing_measured_is_nothing() {
        let record = Record::new(ms(500));
        record.end(ms(400));
        let Summary { time, latencies, points } = record.summary();
        assert_eq!((time, latencies, points.len()), (Duration::ZERO, Latencies::default(), 0));
    }
}
