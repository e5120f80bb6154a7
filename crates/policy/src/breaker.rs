//! The circuit breaker of one broker: one word, changed by compare-and-swap, so that no send waits for another.
//!
//! ```text
//!            3 failures in a row, a refused dial, suspicion
//!   Closed ------------------------------------------------> Open(until) <----------------.
//!     ^  (a success forgets failures)                          |   ^                       |
//!     |                                                 due, claimed  | no answer          | failure, suspicion
//!     |                                                        v   |                       | (rests twice as long)
//!     |                                                      Probing: one heartbeat        |
//!     |                                                        | answered                  |
//!     |                                                        v                           |
//!     |                                                      HalfOpen                      |
//!     |                                                        | claimed                   |
//!     |                                                        v                           |
//!     |                                                      Trial: one real send ---------+
//!     |                                                        | stored                    |
//!     |                                                        v                           |
//!     `------------ 3 s later ------------------------------ Ramp: 1/8, 1/4, 1/2 ----------'
//! ```
//!
//! A sign of life, such as an answer that comes too late, is as good as an answered heartbeat. A success in any of the
//! lower states leads to Ramp at once: the broker answers. Late news changes nothing: a failure counts only if its attempt
//! began after the broker was let in again. A claim that is never honoured (its caller was cancelled) is free again when
//! its time is up.

use core::{
    sync::atomic::{
        AtomicU64,
        Ordering::{AcqRel, Acquire},
    },
    time::Duration,
};

use crate::time::Time;

/// One broker's breaker.
#[derive(Debug, Default)]
pub struct Breaker<W = AtomicU64> {
    word: W,
    seed: u64,
}

/// What a breaker says of its broker at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerState {
    /// All is well: the broker gets its whole share.
    Closed,
    /// It gets nothing before this.
    Open {
        /// When it may be probed.
        until: Time,
    },
    /// A heartbeat is asking it, or waits to be answered until this.
    Probing {
        /// When the claim ends.
        until: Time,
    },
    /// It has answered a heartbeat: one real send may try it.
    HalfOpen,
    /// One real send is trying it.
    Trial {
        /// When the claim ends.
        until: Time,
    },
    /// It is let in again, with so many eighths of its share.
    Ramp {
        /// 1, 2 or 4.
        eighths: u8,
    },
}

/// A change of the state that is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The broker gets nothing for so long.
    Opened(Duration),
    /// The broker has answered a heartbeat.
    HalfOpened,
    /// The broker gets a growing share again.
    Readmitted,
    /// The broker gets its whole share again.
    Closed,
}

/// How an attempt failed, as far as the broker's health goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nobody listens at its address: no doubt about it.
    RefusedDial,
    /// No connection, a lost one, no answer, or an answer that says it cannot serve.
    Other,
}

impl Breaker {
    /// A closed breaker. `seed` is the chance that spreads its openings.
    pub const fn new(seed: u64) -> Self {
        Self { word: AtomicU64::new(0), seed }
    }
}

impl<W: Word> Breaker<W> {
    /// The state at `now`.
    pub fn state(&self, now: Time) -> BreakerState {
        Packed::read(&self.word, now).state(now)
    }

    /// Learns that the broker answered an attempt as it should. The steady state costs one load.
    pub fn observe_success(&self, now: Time) -> Option<Change> {
        self.change(now, |packed| match packed.phase {
            Phase::Closed if packed.failures == 0 => None,
            Phase::Closed => Some(Packed { failures: 0, ..packed }),
            Phase::Ramp => None,
            _ => Some(Packed { phase: Phase::Ramp, failures: 0, at: millis(now), ..packed }),
        })
    }

    /// Learns that an attempt that began at `began` failed.
    pub fn observe_failure(&self, now: Time, began: Time, failure: Failure) -> Option<Change> {
        self.change(now, |packed| match packed.phase {
            // It was trying a broker of before.
            Phase::Closed | Phase::Ramp | Phase::Trial if millis(began) < packed.let_in() => None,
            Phase::Closed if failure == Failure::Other && packed.failures + 1 < FAILURES => {
                Some(Packed { failures: packed.failures + 1, ..packed })
            }
            Phase::Closed => Some(self.opened(now, packed)),
            Phase::Ramp | Phase::Trial => Some(self.relapsed(now, packed)),
            Phase::HalfOpen if failure == Failure::RefusedDial => Some(self.opened(now, packed)),
            Phase::Open | Phase::Probing | Phase::HalfOpen => None,
        })
    }

    /// Opens because the broker has kept a request, sent at `since`, waiting for too long while others answer.
    pub fn observe_suspicion(&self, now: Time, since: Time) -> Option<Change> {
        self.change(now, |packed| match packed.phase {
            Phase::Closed | Phase::Ramp | Phase::Trial if millis(since) < packed.let_in() => None,
            Phase::Closed => Some(self.opened(now, packed)),
            Phase::Ramp | Phase::Trial => Some(self.relapsed(now, packed)),
            _ => None,
        })
    }

    /// Learns how a heartbeat that a claimed probe asked for ended.
    pub fn observe_probe(&self, now: Time, answered: bool) -> Option<Change> {
        self.change(now, |packed| match packed.phase {
            Phase::Probing if answered => Some(Packed { phase: Phase::HalfOpen, at: millis(now), ..packed }),
            Phase::Probing => Some(self.opened(now, packed)),
            // Only one-way messages come by: a second heartbeat stands for the send that would tell.
            Phase::Trial if packed.failures == BY_HEARTBEAT && answered => {
                Some(Packed { phase: Phase::Ramp, failures: 0, at: millis(now), ..packed })
            }
            Phase::Trial if packed.failures == BY_HEARTBEAT => Some(self.relapsed(now, packed)),
            _ => None,
        })
    }

    /// Learns that the broker has said something, however late: as good as an answered heartbeat. But one that was let
    /// in and failed again answers, and too late: it rests to the end.
    pub fn observe_sign_of_life(&self, now: Time) -> Option<Change> {
        self.change(now, |packed| match packed.phase {
            Phase::Open if packed.failures == RELAPSED => None,
            Phase::Open | Phase::Probing => {
                Some(Packed { phase: Phase::HalfOpen, failures: 0, at: millis(now), ..packed })
            }
            _ => None,
        })
    }

    /// Whether the caller, and nobody else, is to have a heartbeat sent now.
    pub fn claim_probe(&self, now: Time) -> bool {
        let is_free =
            |packed: Packed| matches!(packed.phase, Phase::Open | Phase::Probing) && packed.at <= millis(now);
        self.claim(now, is_free, |packed| Packed {
            phase: Phase::Probing,
            failures: 0,
            at: millis(now + CLAIM),
            ..packed
        })
    }

    /// Whether the caller, and nobody else, is to try the broker with its send now.
    pub fn claim_trial(&self, now: Time) -> bool {
        self.try_with(now, 0)
    }

    /// Whether the caller, and nobody else, is to have a second heartbeat sent now, instead of a send.
    pub fn claim_trial_by_heartbeat(&self, now: Time) -> bool {
        self.try_with(now, BY_HEARTBEAT)
    }

    fn try_with(&self, now: Time, by: u8) -> bool {
        let is_free = |packed: Packed| match packed.phase {
            Phase::HalfOpen => true,
            Phase::Trial => packed.at <= millis(now),
            _ => false,
        };
        let claimed = |packed: Packed| {
            let at = millis(now + CLAIM);
            let age = at.saturating_sub(packed.let_in()).div_ceil(AGE);
            let age = u16::try_from(age).unwrap_or(u16::MAX);
            Packed { phase: Phase::Trial, failures: by, at, age, ..packed }
        };
        self.claim(now, is_free, claimed)
    }

    fn claim(&self, now: Time, is_free: impl Fn(Packed) -> bool, claimed: impl Fn(Packed) -> Packed) -> bool {
        let old = self.word.load();
        let packed = Packed::unpack(old).normal(now);
        is_free(packed) && self.word.swap_if(old, claimed(packed).pack()).is_ok()
    }

    /// Applies `step` until nobody else was faster; `None` leaves things as they are.
    fn change(&self, now: Time, step: impl Fn(Packed) -> Option<Packed>) -> Option<Change> {
        let mut old = self.word.load();
        loop {
            let before = Packed::unpack(old);
            let normal = before.normal(now);
            let after = match step(normal) {
                Some(after) => after,
                // The end of a ramp is written down by whoever meets it first.
                None if normal.phase != before.phase => normal,
                None => return None,
            };
            match self.word.swap_if(old, after.pack()) {
                Ok(()) => return told(before, after, now),
                Err(newer) => old = newer,
            }
        }
    }

    /// 1 s, 2 s, 4 s .. 30 s, a fifth more or less.
    fn opened(&self, now: Time, packed: Packed) -> Packed {
        let rest = RESTS[usize::from(packed.step).min(RESTS.len() - 1)];
        let mut chance = fastrand::Rng::with_seed(self.seed ^ now.nanos());
        let rest = rest * chance.u32(80..=120) / 100;
        Packed {
            phase: Phase::Open,
            failures: 0,
            step: (packed.step + 1).min(RESTS.len() as u8 - 1),
            at: millis(now + rest),
            age: 0,
        }
    }

    /// Opened again by a failure after it was let in.
    fn relapsed(&self, now: Time, packed: Packed) -> Packed {
        Packed { failures: RELAPSED, ..self.opened(now, packed) }
    }
}

fn told(before: Packed, after: Packed, now: Time) -> Option<Change> {
    match after.phase {
        _ if before.phase == after.phase => None,
        Phase::Open => Some(Change::Opened(Duration::from_millis(after.at.saturating_sub(millis(now))))),
        Phase::HalfOpen => Some(Change::HalfOpened),
        Phase::Ramp => Some(Change::Readmitted),
        Phase::Closed => Some(Change::Closed),
        Phase::Probing | Phase::Trial => None,
    }
}

/// The word, unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed {
    phase: Phase,
    /// Failures in a row, while closed; otherwise [`RELAPSED`] or [`BY_HEARTBEAT`].
    failures: u8,
    /// How often it has opened without having closed again.
    step: u8,
    /// Milliseconds since the start of the client: until when (Open, Probing, Trial), or since when (HalfOpen, Ramp, and
    /// Closed after a ramp).
    at: u64,
    /// Of a Trial: how long before `at` the broker was let in, in units of [`AGE`].
    age: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    Open,
    Probing,
    HalfOpen,
    Trial,
    Ramp,
}

impl Packed {
    fn read(word: &impl Word, now: Time) -> Self {
        Self::unpack(word.load()).normal(now)
    }

    /// A ramp that has come to its end is closed.
    fn normal(self, now: Time) -> Self {
        if self.phase == Phase::Ramp && millis(now) >= self.at + RAMP_STEP * RAMP_STEPS {
            Self { phase: Phase::Closed, failures: 0, step: 0, ..self }
        } else {
            self
        }
    }

    /// Since when the broker is used again: what was begun before says nothing about it.
    const fn let_in(self) -> u64 {
        match self.phase {
            Phase::Trial => self.at.saturating_sub(self.age as u64 * AGE),
            _ => self.at,
        }
    }

    fn state(self, now: Time) -> BreakerState {
        let at = Time::from_start(Duration::from_millis(self.at));
        match self.phase {
            Phase::Closed => BreakerState::Closed,
            Phase::Open => BreakerState::Open { until: at },
            Phase::Probing => BreakerState::Probing { until: at },
            Phase::HalfOpen => BreakerState::HalfOpen,
            Phase::Trial => BreakerState::Trial { until: at },
            Phase::Ramp => BreakerState::Ramp {
                eighths: 1 << (millis(now).saturating_sub(self.at) / RAMP_STEP).min(RAMP_STEPS - 1),
            },
        }
    }

    const fn pack(self) -> u64 {
        (self.at << 24)
            | ((self.age as u64) << 8)
            | ((self.step as u64) << 5)
            | ((self.failures as u64) << 3)
            | self.phase as u64
    }

    const fn unpack(word: u64) -> Self {
        let phase = match word & 7 {
            1 => Phase::Open,
            2 => Phase::Probing,
            3 => Phase::HalfOpen,
            4 => Phase::Trial,
            5 => Phase::Ramp,
            _ => Phase::Closed,
        };
        Self {
            phase,
            failures: (word >> 3) as u8 & 3,
            step: (word >> 5) as u8 & 7,
            age: (word >> 8) as u16,
            at: word >> 24,
        }
    }
}

const fn millis(time: Time) -> u64 {
    time.since_start().as_millis() as u64
}

/// Where the word is kept: a plain atomic, or one that a model checker watches.
pub trait Word {
    /// Reads it.
    fn load(&self) -> u64;
    /// Writes `new` if it still is `old`, else says what it is.
    fn swap_if(&self, old: u64, new: u64) -> Result<(), u64>;
}

impl Word for AtomicU64 {
    fn load(&self) -> u64 {
        Self::load(self, Acquire)
    }

    fn swap_if(&self, old: u64, new: u64) -> Result<(), u64> {
        self.compare_exchange(old, new, AcqRel, Acquire).map(drop)
    }
}

/// Failures in a row that open it.
const FAILURES: u8 = 3;
/// How long it stays open: the first time, the second in a row, and so on.
const RESTS: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
    Duration::from_secs(30),
];
/// How long a claim holds, unless its end is told before.
const CLAIM: Duration = Duration::from_secs(3);
/// A failure after the broker was let in opened it, not a first one.
const RELAPSED: u8 = 1;
/// A heartbeat stands for the send of a trial.
const BY_HEARTBEAT: u8 = 1;
/// Milliseconds: an age of 16 bits reaches over an hour.
const AGE: u64 = 64;
/// Milliseconds at each share, and how many of them: 1/8, 1/4, 1/2.
const RAMP_STEP: u64 = 1_000;
const RAMP_STEPS: u64 = 3;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
