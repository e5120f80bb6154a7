//! What is known of one broker's health: a breaker, how long its oldest request waits, and how quick it usually is.
//!
//! Every field is a word that is read and written without a lock: a send reads two or three of them.

use core::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use crate::{
    breaker::{Breaker, BreakerState, Change, Failure},
    ladder::Rest,
    time::Time,
};

/// One broker's health, shared by everybody who sends to it.
#[derive(Debug)]
pub struct BrokerHealth {
    breaker: Breaker,
    /// When the oldest unanswered request was sent, in nanoseconds since the start; `u64::MAX` when there is none.
    oldest: AtomicU64,
    /// When the last request was sent that it has answered, in nanoseconds since the start.
    answered: AtomicU64,
    /// An estimate of the latency that 99 of 100 answers keep, in nanoseconds; 0 before the first.
    p99: AtomicU64,
    rest: Rest,
    /// Whether it knows only code 10, not 310.
    speaks_v1: AtomicBool,
}

/// Whether a broker is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// Yes.
    Good,
    /// Yes, with so many eighths of its share.
    Share(u8),
    /// No: a request waits for too long.
    Suspect,
    /// Not before this.
    Resting(Time),
    /// No, but a heartbeat should ask it; see [`BrokerHealth::claim_probe`].
    ProbeDue,
    /// One send should try it; see [`BrokerHealth::claim_trial`].
    TrialDue,
}

impl BrokerHealth {
    /// A broker of which nothing bad is known. `seed` is all its chance.
    pub const fn new(seed: u64) -> Self {
        Self {
            breaker: Breaker::new(seed),
            oldest: AtomicU64::new(u64::MAX),
            answered: AtomicU64::new(0),
            p99: AtomicU64::new(0),
            rest: Rest::new(),
            speaks_v1: AtomicBool::new(false),
        }
    }

    /// Whether it is to be used at `now`.
    pub fn standing(&self, now: Time) -> Standing {
        match self.breaker.state(now) {
            BreakerState::Closed if self.is_suspect(now) => Standing::Suspect,
            BreakerState::Closed => Standing::Good,
            BreakerState::Ramp { .. } if self.is_suspect(now) => Standing::Suspect,
            BreakerState::Ramp { eighths } => Standing::Share(eighths),
            BreakerState::Open { until } | BreakerState::Probing { until } if until <= now => {
                Standing::ProbeDue
            }
            BreakerState::HalfOpen => Standing::TrialDue,
            BreakerState::Trial { .. } if self.is_suspect(now) => Standing::Suspect,
            BreakerState::Trial { until } if until <= now => Standing::TrialDue,
            BreakerState::Open { until }
            | BreakerState::Probing { until }
            | BreakerState::Trial { until } => Standing::Resting(until),
        }
    }

    /// The breaker's state.
    pub fn breaker(&self, now: Time) -> BreakerState {
        self.breaker.state(now)
    }

    /// Whether its oldest request has waited longer than 250 ms, and longer than four times what 99 of 100 answers
    /// take.
    pub fn is_suspect(&self, now: Time) -> bool {
        let oldest = self.oldest.load(Relaxed);
        oldest != u64::MAX && now.since(Time::from_nanos(oldest)) > self.patience()
    }

    /// How long a request may wait before the broker is suspected: 250 ms, longer for one that is always slow, and
    /// never so long that no send would last until then.
    pub fn patience(&self) -> Duration {
        (4 * self.usual_latency()).clamp(PATIENCE, MOST_PATIENCE)
    }

    /// Since when its oldest request waits, if one does.
    pub fn waits_since(&self) -> Option<Time> {
        let oldest = self.oldest.load(Relaxed);
        (oldest != u64::MAX).then(|| Time::from_nanos(oldest))
    }

    /// Whether it has answered a request that was sent at `time` or later.
    pub fn has_answered_since(&self, time: Time) -> bool {
        Time::from_nanos(self.answered.load(Relaxed)) >= time
    }

    /// Learns that it has answered a request that was sent at `sent`.
    pub fn observe_answer(&self, sent: Time) {
        self.answered.store(sent.nanos(), Relaxed);
    }

    /// The latency that 99 of 100 answers keep, as far as is known.
    pub fn usual_latency(&self) -> Duration {
        Duration::from_nanos(self.p99.load(Relaxed))
    }

    /// Tells when the oldest unanswered request was sent. Called by the owner of the connection.
    pub fn publish_oldest(&self, oldest: Option<Time>) {
        let nanos = oldest.map_or(u64::MAX, Time::nanos);
        self.oldest.store(nanos, Relaxed);
    }

    /// Learns that the broker answered as it should after `took`.
    pub fn observe_success(&self, now: Time, took: Duration) -> Option<Change> {
        self.learn(took);
        self.observe_answer(now - took);
        self.breaker.observe_success(now)
    }

    /// Learns that an attempt failed that began at `began`.
    pub fn observe_failure(&self, now: Time, began: Time, failure: Failure) -> Option<Change> {
        self.breaker.observe_failure(now, began, failure)
    }

    /// Acts on a suspicion: the broker rests. To be called only while another broker answers, or a pause of this
    /// very process would shut out the whole cluster.
    pub fn open_on_suspicion(&self, now: Time) -> Option<Change> {
        if !self.is_suspect(now) {
            return None;
        }
        let since = Time::from_nanos(self.oldest.load(Relaxed));
        self.breaker.observe_suspicion(now, since)
    }

    /// Whether the caller, and nobody else, is to have a heartbeat sent now.
    pub fn claim_probe(&self, now: Time) -> bool {
        self.breaker.claim_probe(now)
    }

    /// Whether the caller, and nobody else, is to try the broker with its send now.
    pub fn claim_trial(&self, now: Time) -> bool {
        self.breaker.claim_trial(now)
    }

    /// Whether the caller, and nobody else, is to have a second heartbeat sent now, instead of a send that tells nothing.
    pub fn claim_trial_by_heartbeat(&self, now: Time) -> bool {
        self.breaker.claim_trial_by_heartbeat(now)
    }

    /// Learns how a heartbeat ended; it matters while the breaker waits for one.
    pub fn observe_probe(&self, now: Time, answered: bool) -> Option<Change> {
        self.breaker.observe_probe(now, answered)
    }

    /// Learns that the broker has said something, however late.
    pub fn observe_sign_of_life(&self, now: Time) -> Option<Change> {
        self.breaker.observe_sign_of_life(now)
    }

    /// Its place on Apache's latency-fault ladder.
    pub const fn rest(&self) -> &Rest {
        &self.rest
    }

    /// Whether it refused SEND_MESSAGE_V2 (310) and wants SEND_MESSAGE (10).
    pub fn speaks_v1(&self) -> bool {
        self.speaks_v1.load(Relaxed)
    }

    /// Notes that it refused SEND_MESSAGE_V2 (310).
    pub fn set_speaks_v1(&self) {
        self.speaks_v1.store(true, Relaxed);
    }

    /// A quantile by small steps: up by a tenth for each answer that was slower, down by a thousandth for each that
    /// was not. It stands still where one of a hundred is slower. Two writers at once lose a step, which is nothing.
    fn learn(&self, took: Duration) {
        let (known, took) = (self.p99.load(Relaxed), took.as_nanos() as u64);
        let next = match known {
            0 => took.max(1),
            _ if took > known => (known + known / 10 + 1).min(took),
            _ => (known - known / 1_000).max(1),
        };
        if next != known {
            self.p99.store(next, Relaxed);
        }
    }
}

/// Nobody is suspected sooner, and an attempt that had less time says nothing about its broker.
pub const PATIENCE: Duration = Duration::from_millis(250);
/// Nobody is suspected later: with a deadline of 3 s and three attempts, none lasts longer.
const MOST_PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_start(Duration::from_millis(millis))
    }

    #[test]
    fn a_broker_is_suspect_when_its_oldest_request_waits_too_long() {
        let health = BrokerHealth::new(1);
        assert_eq!(health.standing(at(10_000)), Standing::Good);
        health.publish_oldest(Some(at(1_000)));
        assert_eq!(health.standing(at(1_250)), Standing::Good);
        assert_eq!(health.standing(at(1_251)), Standing::Suspect);
        health.publish_oldest(None);
        assert_eq!(health.standing(at(9_000)), Standing::Good);
    }

    #[test]
    fn a_broker_that_is_always_slow_is_given_four_times_its_usual_time() {
        let health = BrokerHealth::new(1);
        for _ in 0..1_000 {
            health.observe_success(at(1), Duration::from_millis(200));
        }
        health.publish_oldest(Some(at(0)));
        assert!(!health.is_suspect(at(700)));
        assert!(health.is_suspect(at(801)));
    }

    #[test]
    fn patience_has_an_end() {
        let health = BrokerHealth::new(1);
        health.observe_success(at(1), Duration::from_secs(20));
        health.publish_oldest(Some(at(0)));
        assert!(health.is_suspect(at(1_001)));
    }

    #[test]
    fn the_usual_latency_is_near_the_99th_percentile() {
        let health = BrokerHealth::new(1);
        let mut chance = fastrand::Rng::with_seed(5);
        for _ in 0..200_000 {
            // Evenly between 0 and 10 ms: the 99th percentile is 9.9 ms.
            health.observe_success(at(1), Duration::from_micros(chance.u64(0..10_000)));
        }
        let usual = health.usual_latency().as_micros();
        assert!((9_000..=10_100).contains(&usual), "{usual}");
    }

    #[test]
    fn suspicion_opens_only_who_is_suspect_and_only_once() {
        let health = BrokerHealth::new(1);
        assert_eq!(health.open_on_suspicion(at(5_000)), None);
        health.publish_oldest(Some(at(1_000)));
        assert!(matches!(health.open_on_suspicion(at(1_300)), Some(Change::Opened(_))));
        assert_eq!(health.open_on_suspicion(at(1_300)), None);
        assert!(matches!(health.standing(at(1_300)), Standing::Resting(_)));
        // Its rest is over, and the request still waits: a heartbeat asks, not a send.
        assert_eq!(health.standing(at(3_000)), Standing::ProbeDue);
        assert!(health.claim_probe(at(3_000)));
        health.observe_probe(at(3_001), true);
        assert_eq!(health.standing(at(3_001)), Standing::TrialDue);
    }
}
