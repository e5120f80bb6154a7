//! Durations, counted in buckets of fixed size.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// How long things took: counted in buckets, each at most an eighth wider than the one before, so that no figure is
/// more than an eighth too high, and none too low.
///
/// It counts from the start of its producer. [`since`](Self::since) gives what came between two looks.
///
/// ```no_run
/// # fn look(producer: &maxq::Producer) {
/// let latency = producer.stats().latency;
/// println!("{} messages, p99 {:?}", latency.total.count(), latency.total.quantile(0.99));
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Latencies {
    counts: Box<[u64]>,
    nanos: u64,
}

impl Latencies {
    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// What this part of them did not exceed: 0.5 is the median, 0.99 the 99th percentile. Zero before the first.
    pub fn quantile(&self, part: f64) -> Duration {
        let wanted = (self.count() as f64 * part.clamp(0.0, 1.0)).ceil().max(1.0) as u64;
        let mut counted = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            counted += count;
            if counted >= wanted {
                return Duration::from_nanos(end_of(bucket).min(self.nanos));
            }
        }
        Duration::ZERO
    }

    /// The longest, exactly. Zero before the first.
    pub const fn max(&self) -> Duration {
        Duration::from_nanos(self.nanos)
    }

    /// What was counted after `earlier`, an older look at the same. Its longest is known as well as any quantile.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let pairs = self.counts.iter().zip(&earlier.counts);
        let counts: Box<[u64]> = pairs.map(|(now, before)| now.saturating_sub(*before)).collect();
        let longest = counts.iter().rposition(|count| *count > 0).map_or(0, end_of);
        Self { counts, nanos: longest.min(self.nanos) }
    }

    pub(super) fn add(&mut self, other: &Histogram) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more.load(Relaxed);
        }
        self.nanos = self.nanos.max(other.nanos.load(Relaxed));
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: Box::new([0; BUCKETS]), nanos: 0 }
    }
}

impl fmt::Debug for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Latencies")
            .field("count", &self.count())
            .field("p50", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .field("max", &self.max())
            .finish()
    }
}

/// The buckets while they are filled. 1,928 bytes.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: [AtomicU64; BUCKETS],
    /// The longest.
    nanos: AtomicU64,
}

impl Histogram {
    /// Counts one, where others may count at the same time.
    pub(crate) fn record(&self, nanos: u64) {
        self.counts[bucket_of(nanos)].fetch_add(1, Relaxed);
        if nanos > self.nanos.load(Relaxed) {
            self.nanos.fetch_max(nanos, Relaxed);
        }
    }

    /// Counts one, where nobody else ever counts: a load and a store, which cost a fraction of an atomic addition.
    pub(super) fn record_alone(&self, nanos: u64) {
        let count = &self.counts[bucket_of(nanos)];
        count.store(count.load(Relaxed) + 1, Relaxed);
        if nanos > self.nanos.load(Relaxed) {
            self.nanos.store(nanos, Relaxed);
        }
    }

    pub(crate) fn read(&self) -> Latencies {
        let mut all = Latencies::default();
        all.add(self);
        all
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: [const { AtomicU64::new(0) }; BUCKETS], nanos: AtomicU64::new(0) }
    }
}

/// The first buckets are 128 ns wide; from 1 us on, eight of them lie between a duration and its double.
const fn bucket_of(nanos: u64) -> usize {
    let units = nanos >> UNIT;
    if units < STEPS {
        return units as usize;
    }
    let octave = units.ilog2() as u64 - STEPS.ilog2() as u64;
    let bucket = (octave * STEPS + (units >> octave)) as usize;
    if bucket < BUCKETS { bucket } else { BUCKETS - 1 }
}

/// The last nanosecond of a bucket.
const fn end_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket + 1 == BUCKETS as u64 {
        return u64::MAX;
    }
    if bucket < STEPS {
        return ((bucket + 1) << UNIT) - 1;
    }
    let octave = bucket / STEPS - 1;
    ((bucket - octave * STEPS + 1) << (octave + UNIT)) - 1
}

const UNIT: u64 = 7;
const STEPS: u64 = 8;
/// Up to 9 minutes; the last bucket takes what is longer.
const BUCKETS: usize = 240;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_duration_is_in_its_bucket_and_an_eighth_at_most_below_its_end(nanos in 0u64..500_000_000_000) {
            let bucket = bucket_of(nanos);
            prop_assert!(nanos <= end_of(bucket), "{nanos} is behind bucket {bucket}");
            prop_assert!(bucket == 0 || nanos > end_of(bucket - 1), "{nanos} is before bucket {bucket}");
            prop_assert!(end_of(bucket) - nanos <= (nanos / 8).max(127), "{nanos} in bucket {bucket}");
        }
    }

    #[test]
    fn what_is_longer_than_the_last_bucket_is_in_it() {
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
        let histogram = Histogram::default();
        histogram.record(u64::MAX);
        assert_eq!(histogram.read().quantile(0.5), Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn quantiles_are_at_most_an_eighth_too_high_and_the_longest_is_exact() {
        let histogram = Histogram::default();
        assert_eq!(
            (histogram.read().quantile(0.99), histogram.read().max()),
            (Duration::ZERO, Duration::ZERO)
        );
        (1..=1_000u64).for_each(|n| histogram.record_alone(n * 1_000));
        let all = histogram.read();
        assert_eq!((all.count(), all.max()), (1_000, Duration::from_millis(1)));
        for (part, micros) in [(0.0, 1), (0.5, 500), (0.99, 990), (1.0, 1_000)] {
            let (quantile, exact) = (all.quantile(part), Duration::from_micros(micros));
            assert!(quantile >= exact && quantile <= exact + exact / 8, "{part}: {quantile:?}");
        }
    }

    #[test]
    fn a_later_look_less_an_earlier_one_is_what_came_between() {
        let histogram = Histogram::default();
        histogram.record(5_000_000);
        let before = histogram.read();
        histogram.record(1_000_000);
        let between = histogram.read().since(&before);
        assert_eq!(between.count(), 1);
        assert!((1_000_000..1_125_000).contains(&(between.max().as_nanos() as u64)), "{between:?}");
    }
}
