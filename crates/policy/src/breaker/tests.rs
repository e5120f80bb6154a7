//! The breaker, played with made-up time.

use super::*;

fn at(millis: u64) -> Time {
    Time::from_start(Duration::from_millis(millis))
}

fn open_until(breaker: &Breaker, now: Time) -> Time {
    match breaker.state(now) {
        BreakerState::Open { until } => until,
        other => panic!("expected an open breaker, got {other:?}"),
    }
}

#[test]
fn three_failures_in_a_row_open_it_and_a_success_between_forgets_them() {
    let breaker = Breaker::new(1);
    for _ in 0..2 {
        assert_eq!(breaker.observe_failure(at(5), at(1), Failure::Other), None);
    }
    breaker.observe_success(at(6));
    for _ in 0..2 {
        assert_eq!(breaker.observe_failure(at(7), at(6), Failure::Other), None);
    }
    assert_eq!(breaker.state(at(7)), BreakerState::Closed);
    assert!(matches!(breaker.observe_failure(at(8), at(6), Failure::Other), Some(Change::Opened(_))));
}

#[test]
fn a_refused_dial_and_a_suspicion_open_it_at_once() {
    let refused = Breaker::new(1);
    assert!(refused.observe_failure(at(5), at(5), Failure::RefusedDial).is_some());
    let suspected = Breaker::new(1);
    assert!(suspected.observe_suspicion(at(300), at(5)).is_some());
    for breaker in [refused, suspected] {
        assert!(matches!(breaker.state(at(300)), BreakerState::Open { .. }));
    }
}

/// Fails every trial, so that each opening follows the last one.
#[test]
fn it_rests_for_one_second_doubling_to_thirty_a_fifth_more_or_less() {
    for seed in 0..20 {
        let breaker = Breaker::new(seed);
        let mut now = at(1_000);
        breaker.observe_failure(now, now, Failure::RefusedDial);
        for rest in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            let until = open_until(&breaker, now);
            let rested = until.since(now).as_millis();
            assert!((rest * 80 / 100..=rest * 120 / 100).contains(&rested), "{rested} of {rest}");
            assert!(!breaker.claim_probe(until - Duration::from_millis(1)));
            assert!(breaker.claim_probe(until));
            now = until;
            assert!(breaker.observe_probe(now, false).is_some());
        }
    }
}

#[test]
fn it_comes_back_by_one_heartbeat_one_send_and_growing_shares() {
    let breaker = Breaker::new(3);
    breaker.observe_failure(at(0), at(0), Failure::RefusedDial);
    let due = open_until(&breaker, at(0));
    assert!(!breaker.claim_trial(due), "first the heartbeat");
    assert!(breaker.claim_probe(due));
    assert!(!breaker.claim_probe(due), "one heartbeat, never a crowd");
    assert_eq!(breaker.observe_probe(due, true), Some(Change::HalfOpened));
    assert!(breaker.claim_trial(due));
    assert!(!breaker.claim_trial(due), "one real send, never a crowd");
    assert_eq!(breaker.observe_success(due), Some(Change::Readmitted));
    for (after, share) in [(0, 1), (999, 1), (1_000, 2), (2_000, 4), (2_999, 4)] {
        let now = due + Duration::from_millis(after);
        assert_eq!(breaker.state(now), BreakerState::Ramp { eighths: share }, "{after}");
    }
    let whole = due + Duration::from_millis(3_000);
    assert_eq!(breaker.state(whole), BreakerState::Closed);
    assert_eq!(breaker.observe_success(whole), Some(Change::Closed));
    // It has earned its good name: the next rest is a short one.
    breaker.observe_failure(whole, whole, Failure::RefusedDial);
    assert!(open_until(&breaker, whole).since(whole) <= Duration::from_millis(1_200));
}

#[test]
fn a_claim_that_nobody_honours_is_free_again() {
    let breaker = Breaker::new(3);
    breaker.observe_failure(at(0), at(0), Failure::RefusedDial);
    let due = open_until(&breaker, at(0));
    assert!(breaker.claim_probe(due));
    let later = due + CLAIM;
    assert!(!breaker.claim_probe(later - Duration::from_millis(1)));
    assert!(breaker.claim_probe(later));
    breaker.observe_probe(later, true);
    assert!(breaker.claim_trial(later));
    assert!(breaker.claim_trial(later + CLAIM));
}

#[test]
fn late_news_of_an_attempt_before_the_readmission_changes_nothing() {
    let breaker = Breaker::new(3);
    breaker.observe_suspicion(at(300), at(0));
    // The broker thawed and answers what it had.
    assert_eq!(breaker.observe_success(at(400)), Some(Change::Readmitted));
    assert_eq!(breaker.observe_failure(at(500), at(399), Failure::Other), None);
    assert_eq!(breaker.observe_suspicion(at(500), at(399)), None);
    assert!(breaker.observe_failure(at(500), at(400), Failure::Other).is_some());
}

#[test]
fn a_sign_of_life_spares_it_the_rest_of_its_rest() {
    let breaker = Breaker::new(3);
    assert_eq!(breaker.observe_sign_of_life(at(0)), None);
    breaker.observe_suspicion(at(300), at(0));
    assert_eq!(breaker.observe_sign_of_life(at(400)), Some(Change::HalfOpened));
    assert!(breaker.claim_trial(at(400)));
}

#[test]
fn one_that_relapsed_is_not_let_in_by_a_late_answer() {
    let breaker = Breaker::new(3);
    breaker.observe_suspicion(at(300), at(0));
    breaker.observe_sign_of_life(at(400));
    assert!(breaker.claim_trial(at(400)));
    breaker.observe_failure(at(1_400), at(400), Failure::Other);
    assert_eq!(breaker.observe_sign_of_life(at(1_600)), None);
    assert!(open_until(&breaker, at(1_600)).since(at(1_400)) >= Duration::from_millis(1_600));
}

#[test]
fn two_heartbeats_let_it_in_where_only_one_way_messages_come_by() {
    let breaker = Breaker::new(3);
    breaker.observe_failure(at(0), at(0), Failure::RefusedDial);
    let due = open_until(&breaker, at(0));
    assert!(breaker.claim_probe(due));
    breaker.observe_probe(due, true);
    assert!(breaker.claim_trial_by_heartbeat(due) && !breaker.claim_trial(due));
    assert_eq!(breaker.observe_probe(due, true), Some(Change::Readmitted));
}

#[test]
fn a_trial_that_keeps_us_waiting_is_over() {
    let breaker = Breaker::new(3);
    breaker.observe_failure(at(0), at(0), Failure::RefusedDial);
    breaker.observe_sign_of_life(at(500));
    assert!(breaker.claim_trial(at(600)));
    // What the heartbeat of before left behind is no sign; the trial's own send is.
    assert_eq!(breaker.observe_suspicion(at(900), at(400)), None);
    assert!(breaker.observe_suspicion(at(900), at(600)).is_some());
}

#[test]
fn a_failure_while_it_is_open_does_not_prolong_its_rest() {
    let breaker = Breaker::new(3);
    breaker.observe_failure(at(0), at(0), Failure::RefusedDial);
    let until = open_until(&breaker, at(0));
    breaker.observe_failure(at(500), at(0), Failure::RefusedDial);
    assert_eq!(open_until(&breaker, at(500)), until);
}

#[test]
fn a_word_keeps_every_field() {
    for (phase, failures, step, at, age) in [
        (Phase::Closed, 3, 0, 0, 0),
        (Phase::Ramp, 0, 5, (1 << 40) - 1, 0),
        (Phase::Trial, 1, 7, 123_456, u16::MAX),
    ] {
        let packed = Packed { phase, failures, step, at, age };
        assert_eq!(Packed::unpack(packed.pack()), packed);
    }
}
