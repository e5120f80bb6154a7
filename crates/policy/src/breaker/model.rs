//! All interleavings of two threads, tried by a model checker.

use loom::{
    sync::{
        Arc,
        atomic::{AtomicU64 as Watched, Ordering},
    },
    thread,
};

use super::*;

impl Word for Watched {
    fn load(&self) -> u64 {
        Self::load(self, Ordering::Acquire)
    }

    fn swap_if(&self, old: u64, new: u64) -> Result<(), u64> {
        self.compare_exchange(old, new, Ordering::AcqRel, Ordering::Acquire).map(drop)
    }
}

fn watched() -> Arc<Breaker<Watched>> {
    Arc::new(Breaker { word: Watched::new(0), seed: 1 })
}

const LATE: Time = Time::from_start(Duration::from_secs(10));

#[test]
fn of_two_claims_one_wins() {
    loom::model(|| {
        let breaker = watched();
        breaker.observe_failure(Time::START, Time::START, Failure::RefusedDial);
        let other = breaker.clone();
        let theirs = thread::spawn(move || other.claim_probe(LATE));
        let ours = breaker.claim_probe(LATE);
        assert!(ours ^ theirs.join().unwrap());
    });
}

#[test]
fn no_failure_is_lost_between_two_that_count_at_once() {
    loom::model(|| {
        let breaker = watched();
        breaker.observe_failure(LATE, LATE, Failure::Other);
        let other = breaker.clone();
        let theirs = thread::spawn(move || other.observe_failure(LATE, LATE, Failure::Other));
        let ours = breaker.observe_failure(LATE, LATE, Failure::Other);
        // The third opens it, and only one is told.
        assert!(ours.is_some() ^ theirs.join().unwrap().is_some());
        assert!(matches!(breaker.state(LATE), BreakerState::Open { .. }));
    });
}

#[test]
fn a_success_and_a_failure_at_once_leave_a_state_that_one_order_gives() {
    loom::model(|| {
        let breaker = watched();
        breaker.observe_suspicion(Time::START, Time::START);
        let other = breaker.clone();
        let theirs = thread::spawn(move || other.observe_success(LATE));
        breaker.observe_failure(LATE, LATE, Failure::Other);
        theirs.join().unwrap();
        let state = breaker.state(LATE);
        assert!(matches!(state, BreakerState::Ramp { .. } | BreakerState::Open { .. }), "{state:?}");
    });
}
