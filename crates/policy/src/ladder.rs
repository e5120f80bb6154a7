//! Apache's latency-fault ladder: a broker that was slow rests for a while, the slower the longer.
//!
//! Apache's client keeps one table per producer (`MQFaultStrategy`, `LatencyFaultToleranceImpl`), off by default
//! (`sendLatencyFaultEnable`). Ours is a few words per broker, shared by all producers of a client.

use core::{
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Relaxed, Release},
    },
    time::Duration,
};

use crate::time::Time;

/// Latencies, and how long a broker rests that was at least so slow.
#[derive(Debug, PartialEq, Eq)]
pub struct Ladder {
    rungs: [(u64, u64); 7],
    /// What a failed attempt counts as.
    isolated: Duration,
    /// Whether a shorter rest replaces a longer one.
    overwrites: bool,
}

impl Ladder {
    /// Of 5.1.4 and later: `latencyMax` and `notAvailableDuration` in milliseconds; a failure counts as 10 s.
    pub const V5: Self = Self {
        rungs: [
            (50, 0),
            (100, 0),
            (550, 2_000),
            (1_800, 5_000),
            (3_000, 6_000),
            (5_000, 10_000),
            (15_000, 30_000),
        ],
        isolated: Duration::from_secs(10),
        overwrites: false,
    };

    /// Of 4.9: longer rests; a failure counts as 30 s, so as ten minutes; a success ends a rest.
    pub const V4_9: Self = Self {
        rungs: [
            (50, 0),
            (100, 0),
            (550, 30_000),
            (1_000, 60_000),
            (2_000, 120_000),
            (3_000, 180_000),
            (15_000, 600_000),
        ],
        isolated: Duration::from_secs(30),
        overwrites: true,
    };

    /// How long a broker rests that took `latency` (`MQFaultStrategy.computeNotAvailableDuration`).
    pub fn rest(&self, latency: Duration) -> Duration {
        let latency = latency.as_millis();
        let rung = self.rungs.iter().rev().find(|(least, _)| latency >= u128::from(*least));
        Duration::from_millis(rung.map_or(0, |(_, rest)| *rest))
    }
}

/// How an attempt counts on the ladder (the arguments of `updateFaultItem`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whether it counts as the ladder's longest usual latency.
    pub isolate: bool,
    /// Whether the broker can be reached.
    pub reachable: bool,
}

/// One broker's place on the ladder (Apache's `FaultItem`).
#[derive(Debug, Default)]
pub struct Rest {
    /// When it may be used again, in nanoseconds since the start plus one; 0 is "never updated".
    available_at: AtomicU64,
    latency: AtomicU64,
    unreachable: AtomicBool,
}

impl Rest {
    /// A broker that was never tried.
    pub const fn new() -> Self {
        Self {
            available_at: AtomicU64::new(0),
            latency: AtomicU64::new(0),
            unreachable: AtomicBool::new(false),
        }
    }

    /// Learns from an attempt that took `latency`.
    pub fn update(&self, now: Time, ladder: &Ladder, latency: Duration, fault: Fault) {
        let rest = ladder.rest(if fault.isolate { ladder.isolated } else { latency });
        let until = (now + rest).nanos().saturating_add(1);
        self.latency.store(latency.as_nanos() as u64, Relaxed);
        self.unreachable.store(!fault.reachable, Relaxed);
        if ladder.overwrites {
            self.available_at.store(until, Release);
        } else if rest > Duration::ZERO {
            self.available_at.fetch_max(until, Release);
        } else {
            self.available_at.fetch_max(1, Release);
        }
    }

    /// Whether the broker may be used: it was never slow, or it has rested.
    pub fn is_available(&self, now: Time) -> bool {
        self.available_at.load(Relaxed) <= now.nanos().saturating_add(1)
    }

    /// When the broker may be used again; the start of the client when it may.
    pub fn until(&self) -> Time {
        Time::from_nanos(self.available_at.load(Relaxed).saturating_sub(1))
    }

    /// Whether the last attempt reached the broker; true before the first.
    pub fn is_reachable(&self) -> bool {
        !self.unreachable.load(Relaxed)
    }

    /// Whether there was an attempt since the last [`forget`](Self::forget).
    pub fn is_known(&self) -> bool {
        self.available_at.load(Relaxed) != 0
    }

    /// Drops what is known (`LatencyFaultTolerance.remove`).
    pub fn forget(&self) {
        self.available_at.store(0, Relaxed);
        self.unreachable.store(false, Relaxed);
    }

    /// What Apache sorts by (`FaultItem.compareTo`): available ones first, then the quicker, then who rests less.
    pub(crate) fn rank(&self, now: Time) -> (bool, u64, u64) {
        (!self.is_available(now), self.latency.load(Relaxed), self.available_at.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Fault = Fault { isolate: false, reachable: true };
    const BAD: Fault = Fault { isolate: true, reachable: false };

    fn at(millis: u64) -> Time {
        Time::from_start(Duration::from_millis(millis))
    }

    #[test]
    fn the_rungs_are_those_of_apache() {
        let rows = [
            (0, 0, 0),
            (49, 0, 0),
            (50, 0, 0),
            (549, 0, 0),
            (550, 2_000, 30_000),
            (999, 2_000, 30_000),
            (1_000, 2_000, 60_000),
            (1_799, 2_000, 60_000),
            (1_800, 5_000, 60_000),
            (2_000, 5_000, 120_000),
            (3_000, 6_000, 180_000),
            (5_000, 10_000, 180_000),
            (14_999, 10_000, 180_000),
            (15_000, 30_000, 600_000),
            (99_000, 30_000, 600_000),
        ];
        for (latency, v5, v4) in rows {
            let latency = Duration::from_millis(latency);
            assert_eq!(Ladder::V5.rest(latency).as_millis(), v5, "V5 {latency:?}");
            assert_eq!(Ladder::V4_9.rest(latency).as_millis(), v4, "V4_9 {latency:?}");
        }
    }

    #[test]
    fn a_failure_rests_ten_seconds_in_5_and_ten_minutes_in_4_9() {
        for (ladder, rest) in [(Ladder::V5, 10_000), (Ladder::V4_9, 600_000)] {
            let item = Rest::default();
            item.update(at(1_000), &ladder, Duration::from_millis(3), BAD);
            assert!(!item.is_available(at(1_000 + rest - 1)));
            assert!(item.is_available(at(1_000 + rest)));
            assert!(!item.is_reachable());
        }
    }

    #[test]
    fn a_success_ends_a_rest_in_4_9_and_not_in_5() {
        for (ladder, ends) in [(Ladder::V5, false), (Ladder::V4_9, true)] {
            let item = Rest::default();
            item.update(at(0), &ladder, Duration::ZERO, BAD);
            item.update(at(10), &ladder, Duration::from_millis(10), OK);
            assert_eq!(item.is_available(at(10)), ends);
            assert!(item.is_reachable());
        }
    }

    #[test]
    fn who_was_never_tried_is_available_and_reachable() {
        let item = Rest::default();
        assert!(item.is_available(Time::START) && item.is_reachable() && !item.is_known());
        item.update(at(5), &Ladder::V5, Duration::from_millis(1), OK);
        assert!(item.is_available(at(5)) && item.is_known());
        item.forget();
        assert!(!item.is_known());
    }
}
