//! Latencies of all workers, recorded without making one wait for another.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hdrhistogram::Histogram;

/// Histograms, several so that workers seldom meet.
pub(super) struct Latencies {
    shards: Vec<Mutex<Histogram<u32>>>,
}

/// What is told of all latencies, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Percentiles {
    pub(super) p50: u64,
    pub(super) p99: u64,
    pub(super) p999: u64,
    pub(super) max: u64,
}

impl Latencies {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::new(empty())).collect() }
    }

    pub(super) fn record(&self, worker: usize, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mut shard = self.shards[worker % SHARDS].lock().unwrap_or_else(PoisonError::into_inner);
        shard.saturating_record(micros);
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        let mut all = empty();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            all.add(&*shard).expect("all shards have the same bounds");
        }
        if all.is_empty() {
            return Percentiles::default();
        }
        // A value stands for its bucket, whose upper end may be above the largest that was recorded.
        let at = |quantile| all.value_at_quantile(quantile).min(all.max());
        Percentiles { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: all.max() }
    }
}

/// One microsecond to ten minutes, exact to a thousandth.
fn empty() -> Histogram<u32> {
    Histogram::new_with_bounds(1, 600_000_000, 3).expect("the bounds and digits are valid")
}

const SHARDS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_all_shards() {
        let latencies = Latencies::new();
        for n in 1..=1_000 {
            latencies.record(n as usize, Duration::from_micros(n));
        }
        let Percentiles { p50, p99, p999, max } = latencies.percentiles();
        assert_eq!((p50, p99, p999, max), (500, 990, 999, 1_000));
        assert_eq!(Latencies::new().percentiles(), Percentiles::default());
    }
}
