//! Plans, played with made-up time.

use alloc::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;

use super::*;
use crate::{
    breaker::Failure,
    stage::{AT, SECOND, Stage, answered, plan, tried},
};

const NO_ROOM: i32 = 14;
const BUSY: i32 = 2;
const ILLEGAL: i32 = 13;
const NO_TOPIC: i32 = 17;
const GO_AWAY: i32 = 1500;
const NOT_SUPPORTED: i32 = 3;
const FLUSH_TIMEOUT: i32 = 10;

#[test]
fn a_second_attempt_goes_to_another_broker_and_leaves_time_for_a_third() {
    let stage = Stage::new(&[("a", 4), ("b", 4), ("c", 4)]);
    let mut plan = plan(RetryPolicy::default());
    let mut brokers = BTreeSet::new();
    for n in 1..=3 {
        let now = AT + (n - 1) * SECOND;
        let (queue, until) = tried(plan.next(now, &stage.choice()));
        assert_eq!(until, AT + n * SECOND);
        assert!(brokers.insert(queue.broker));
        plan.observe(until, &stage.name(queue), AttemptEnd::NoAnswer);
    }
    assert_eq!(plan.next(AT + 3 * SECOND, &stage.choice()), Step::Stop(Stop::Deadline));
    assert_eq!(plan.outcome(), Outcome::Unknown);
}

#[test]
fn the_only_broker_gets_the_whole_time() {
    let stage = Stage::new(&[("a", 4)]);
    let (_, until) = tried(plan(RetryPolicy::default()).next(AT, &stage.choice()));
    assert_eq!(until, AT + 3 * SECOND);
}

#[test]
fn when_the_other_broker_is_open_the_one_that_is_left_gets_the_whole_time() {
    let stage = Stage::new(&[("a", 4), ("b", 4)]);
    stage.health[1].observe_failure(AT, AT, Failure::RefusedDial);
    let (queue, until) = tried(plan(RetryPolicy::default()).next(AT, &stage.choice()));
    assert_eq!((queue.broker, until), (0, AT + 3 * SECOND));
}

#[test]
fn an_attempt_may_be_capped() {
    let stage = Stage::new(&[("a", 4), ("b", 4)]);
    let mut plan = plan(RetryPolicy::default().attempt_timeout(SECOND / 4));
    let (queue, until) = tried(plan.next(AT, &stage.choice()));
    assert_eq!(until, AT + SECOND / 4);
    plan.observe(until, &stage.name(queue), AttemptEnd::NoAnswer);
    assert!(matches!(plan.next(until, &stage.choice()), Step::Try { .. }));
}

#[test]
fn no_answer_ends_a_strict_send() {
    let stage = Stage::new(&[("a", 1), ("b", 1)]);
    let mut plan = plan(RetryPolicy::never_after_unknown());
    let (queue, _) = tried(plan.next(AT, &stage.choice()));
    plan.observe(AT, &stage.name(queue), AttemptEnd::NoAnswer);
    assert_eq!(plan.next(AT, &stage.choice()), Step::Stop(Stop::Final));
    assert_eq!(plan.outcome(), Outcome::Unknown);
}

#[test]
fn a_busy_answer_backs_off_and_a_refusal_ends() {
    let stage = Stage::new(&[("a", 1), ("b", 1)]);
    let mut plan = plan(RetryPolicy::default());
    let (first, _) = tried(plan.next(AT, &stage.choice()));
    plan.observe(AT, &stage.name(first), answered(BUSY));
    let Step::Wait(until) = plan.next(AT, &stage.choice()) else { panic!("expected a pause") };
    assert!(until > AT && until <= AT + FIRST_BACK_OFF);
    let (second, _) = tried(plan.next(until, &stage.choice()));
    assert_ne!(first.broker, second.broker);
    plan.observe(until, &stage.name(second), answered(ILLEGAL));
    assert_eq!(plan.next(until, &stage.choice()), Step::Stop(Stop::Final));
    assert_eq!(plan.outcome(), Outcome::Refused);
}

#[test]
fn busy_answers_are_charged_and_nothing_else_is() {
    let stage = Stage::new(&[("a", 1), ("b", 1)]);
    while stage.budget.withdraw() {}
    for (end, stops) in [
        (answered(BUSY), true),
        (answered(NO_ROOM), false),
        (AttemptEnd::NotSent, false),
        (AttemptEnd::NoAnswer, false),
    ] {
        let mut plan = plan(RetryPolicy::default());
        let (queue, _) = tried(plan.next(AT, &stage.choice()));
        plan.observe(AT, &stage.name(queue), end);
        assert_eq!(plan.next(AT, &stage.choice()) == Step::Stop(Stop::Budget), stops, "{end:?}");
    }
}

#[test]
fn a_stale_route_is_refreshed_once() {
    let stage = Stage::new(&[("a", 1)]);
    let mut plan = plan(RetryPolicy::default());
    let (queue, _) = tried(plan.next(AT, &stage.choice()));
    plan.observe(AT, &stage.name(queue), answered(NO_TOPIC));
    assert_eq!(plan.next(AT, &stage.choice()), Step::Refresh { until: AT + SECOND });
    tried(plan.next(AT, &stage.choice()));
    plan.observe(AT, &stage.name(queue), answered(NO_TOPIC));
    assert_eq!(plan.next(AT, &stage.choice()), Step::Stop(Stop::Final));
}

#[test]
fn a_broker_that_leaves_is_asked_once_more_on_a_new_connection_then_another_one() {
    let stage = Stage::new(&[("a", 2), ("b", 2)]);
    let mut plan = plan(RetryPolicy::default());
    let (first, _) = tried(plan.next(AT, &stage.choice()));
    plan.observe(AT, &stage.name(first), answered(GO_AWAY));
    assert_eq!(tried(plan.next(AT, &stage.choice())).0, first);
    plan.observe(AT, &stage.name(first), answered(GO_AWAY));
    assert_ne!(tried(plan.next(AT, &stage.choice())).0.broker, first.broker);
}

#[test]
fn a_broker_that_knows_only_the_long_form_gets_it_without_losing_an_attempt() {
    let stage = Stage::new(&[("a", 2), ("b", 2)]);
    let mut plan = plan(RetryPolicy::none());
    let (first, _) = tried(plan.next(AT, &stage.choice()));
    plan.observe(AT, &stage.name(first), answered(NOT_SUPPORTED));
    assert_eq!(tried(plan.next(AT, &stage.choice())).0, first);
    plan.observe(AT, &stage.name(first), answered(NOT_SUPPORTED));
    assert!(plan.is_over());
    assert_eq!(plan.outcome(), Outcome::Refused);
}

#[test]
fn a_fixed_queue_never_goes_elsewhere() {
    let stage = Stage::new(&[("a", 1), ("b", 1)]);
    let target = Target::Queue { broker_name: "b".into(), queue_id: 0 };
    let mut plan = SendPlan::new(RetryPolicy::default(), AT + SECOND, target, 7);
    let (first, until) = tried(plan.next(AT, &stage.choice()));
    assert_eq!((first.broker, until), (1, AT + SECOND));
    plan.observe(AT, &stage.name(first), AttemptEnd::NotSent);
    let Step::Wait(until) = plan.next(AT, &stage.choice()) else { panic!("expected a pause") };
    assert_eq!(tried(plan.next(until, &stage.choice())).0.broker, 1);
    let gone = Target::Queue { broker_name: "z".into(), queue_id: 0 };
    let mut plan = SendPlan::new(RetryPolicy::default(), AT + SECOND, gone, 7);
    assert!(matches!(plan.next(AT, &stage.choice()), Step::Refresh { .. }));
    assert_eq!(plan.next(AT, &stage.choice()), Step::Stop(Stop::NoSuchBroker));
}

#[test]
fn an_unconfirmed_store_ends_the_send_unless_asked_otherwise() {
    for (policy, goes_on) in
        [(RetryPolicy::default(), false), (RetryPolicy::default().retry_when_not_stored_ok(true), true)]
    {
        let stage = Stage::new(&[("a", 1), ("b", 1)]);
        let mut plan = plan(policy);
        let (first, _) = tried(plan.next(AT, &stage.choice()));
        plan.observe(AT, &stage.name(first), answered(FLUSH_TIMEOUT));
        assert!(plan.is_stored());
        let next = plan.next(AT, &stage.choice());
        assert_eq!(matches!(next, Step::Try { .. }), goes_on, "{next:?}");
    }
}

#[test]
fn an_unconfirmed_store_is_not_repeated_at_the_same_broker() {
    let stage = Stage::new(&[("a", 4)]);
    let mut plan = plan(RetryPolicy::default().retry_when_not_stored_ok(true));
    let (first, _) = tried(plan.next(AT, &stage.choice()));
    plan.observe(AT, &stage.name(first), answered(FLUSH_TIMEOUT));
    assert_eq!(plan.next(AT, &stage.choice()), Step::Stop(Stop::Attempts));
}

#[test]
fn new_sends_go_past_a_broker_that_keeps_its_requests_waiting() {
    let stage = Stage::new(&[("a", 2), ("b", 2)]);
    stage.health[0].publish_oldest(Some(AT));
    // The other one has answered what was sent meanwhile.
    stage.health[1].observe_success(AT + Duration::from_millis(201), Duration::from_millis(1));
    for _ in 0..20 {
        let now = AT + Duration::from_millis(251);
        assert_eq!(tried(plan(RetryPolicy::default()).next(now, &stage.choice())).0.broker, 1);
    }
    let mut plan = plan(RetryPolicy::default());
    stage.rotation.reset(0);
    tried(plan.next(AT + Duration::from_millis(251), &stage.choice()));
    assert_eq!(plan.take_notice(), Some((0, Notice::Suspect)));
}

#[test]
fn nobody_is_accused_when_all_keep_us_waiting() {
    let stage = Stage::new(&[("a", 2), ("b", 2)]);
    for health in &stage.health {
        health.publish_oldest(Some(AT));
    }
    let mut plan = plan(RetryPolicy::default());
    tried(plan.next(AT + Duration::from_millis(500), &stage.choice()));
    assert_eq!(plan.take_notice(), None);
}

#[test]
fn when_no_broker_is_well_the_one_that_rests_shortest_is_used() {
    let stage = Stage::new(&[("a", 2), ("b", 2), ("c", 2)]);
    for (broker, fell) in [(0, 900), (1, 0), (2, 950)] {
        let fell = AT + Duration::from_millis(fell);
        stage.health[broker].observe_failure(fell, fell, Failure::RefusedDial);
    }
    let now = AT + Duration::from_millis(700);
    let mut plan = plan(RetryPolicy::default());
    let (queue, until) = tried(plan.next(now, &stage.choice()));
    assert_eq!((queue.broker, until), (1, AT + 3 * SECOND), "the whole time: no other could use it");
}

#[test]
fn a_broker_that_has_rested_gets_one_heartbeat_one_send_and_then_its_eighths() {
    let stage = Stage::new(&[("a", 1), ("b", 1)]);
    stage.health[0].observe_failure(AT, AT, Failure::RefusedDial);
    let now = AT + 2 * SECOND;
    let probes: Vec<_> = (0..50)
        .filter_map(|_| {
            let mut plan = plan(RetryPolicy::default());
            assert_eq!(tried(plan.next(now, &stage.choice())).0.broker, 1);
            plan.take_notice()
        })
        .collect();
    assert_eq!(probes, [(0, Notice::ProbeDue)], "one heartbeat");
    stage.health[0].observe_probe(now, true);
    let to_a = |now: Time, sends: u64| {
        (0..sends)
            .filter(|seed| {
                let mut plan = SendPlan::new(RetryPolicy::default(), now + SECOND, Target::Any, *seed);
                tried(plan.next(now, &stage.choice())).0.broker == 0
            })
            .count()
    };
    assert_eq!(to_a(now, 50), 1, "one send");
    stage.health[0].observe_success(now, Duration::from_millis(1));
    // Half of the sends are its turn.
    for (after, share) in [(0, 125), (1, 250), (2, 500), (3, 1_000)] {
        let sent = to_a(now + after * SECOND, 2_000);
        assert!((share * 8 / 10..=share * 12 / 10).contains(&sent), "after {after} s: {sent}");
    }
}

#[test]
fn with_the_ladder_a_slow_broker_rests() {
    let stage = Stage::new(&[("a", 2), ("b", 2)]);
    stage.rested(0, &Ladder::V5, 600, Fault { isolate: false, reachable: true });
    let brokers = |policy: RetryPolicy, now| -> BTreeSet<_> {
        (0..8).map(|_| tried(plan(policy).next(now, &stage.choice())).0.broker).collect()
    };
    assert_eq!(brokers(RetryPolicy::default().latency_fault(true), AT), BTreeSet::from([1]));
    assert_eq!(brokers(RetryPolicy::default(), AT), BTreeSet::from([0, 1]), "off by default");
    assert_eq!(brokers(RetryPolicy::default().latency_fault(true), AT + 2 * SECOND), BTreeSet::from([0, 1]));
}

#[test]
fn after_both_brokers_failed_the_one_that_is_well_is_tried_again() {
    let stage = Stage::new(&[("a", 1), ("b", 1)]);
    let mut plan = plan(RetryPolicy::default());
    for _ in 0..2 {
        let (queue, _) = tried(plan.next(AT, &stage.choice()));
        plan.observe(AT, &stage.name(queue), AttemptEnd::NotSent);
    }
    stage.health[0].observe_failure(AT, AT, Failure::RefusedDial);
    let Step::Wait(until) = plan.next(AT, &stage.choice()) else { panic!("expected a pause") };
    assert_eq!(tried(plan.next(until, &stage.choice())).0.broker, 1);
}

fn any_end() -> impl Strategy<Value = AttemptEnd> {
    const CODES: [i32; 10] =
        [BUSY, 1, NO_ROOM, NO_TOPIC, GO_AWAY, NOT_SUPPORTED, ILLEGAL, 215, 501, FLUSH_TIMEOUT];
    prop_oneof![
        proptest::sample::select(&CODES[..]).prop_map(answered),
        Just(AttemptEnd::NotSent),
        Just(AttemptEnd::NoAnswer),
    ]
}

fn any_policy() -> impl Strategy<Value = RetryPolicy> {
    let rules = prop_oneof![
        4 => Just(Rules::Maxq),
        1 => Just(Rules::JavaSync(Parity::V4_9)),
        1 => Just(Rules::JavaSync(Parity::V5)),
        1 => Just(Rules::JavaAsync(Parity::V4_9)),
        1 => Just(Rules::JavaAsync(Parity::V5)),
    ];
    let cap = prop_oneof![Just(u32::MAX), 0u32..2_000];
    (0u32..6, any::<[bool; 3]>(), cap, rules).prop_map(
        |(
            attempts,
            [retry_after_unknown, retry_when_not_stored_ok, latency_fault],
            attempt_millis,
            rules,
        )| {
            RetryPolicy {
                attempts,
                retry_after_unknown,
                retry_when_not_stored_ok,
                attempt_millis,
                latency_fault,
                rules,
            }
        },
    )
}

/// What befalls a broker before or between attempts.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Failure,
    RefusedDial,
    Success,
    Waits,
    Answers,
    Probed(bool),
}

fn any_fate() -> impl Strategy<Value = (usize, Fate)> {
    let fate = prop_oneof![
        Just(Fate::Failure),
        Just(Fate::RefusedDial),
        Just(Fate::Success),
        Just(Fate::Waits),
        Just(Fate::Answers),
        any::<bool>().prop_map(Fate::Probed),
    ];
    (0usize..4, fate)
}

fn befall(health: &Arc<BrokerHealth>, now: Time, fate: Fate) {
    match fate {
        Fate::Failure => drop(health.observe_failure(now, now, Failure::Other)),
        Fate::RefusedDial => drop(health.observe_failure(now, now, Failure::RefusedDial)),
        Fate::Success => drop(health.observe_success(now, Duration::from_millis(3))),
        Fate::Waits => health.publish_oldest(Some(now)),
        Fate::Answers => health.publish_oldest(None),
        Fate::Probed(answered) => drop(health.observe_probe(now, answered)),
    }
}

proptest! {
    /// No input gives an attempt without time, and every plan ends by its deadline in bounded steps.
    #[test]
    fn every_attempt_has_time_and_every_plan_ends(
        brokers in 1usize..5,
        deadline in 0u64..5_000,
        policy in any_policy(),
        events in prop::collection::vec((any_end(), 0u64..2_000, any_fate()), 0..14),
        seed in any::<u64>(),
    ) {
        let names = [("a", 2), ("b", 1), ("c", 3), ("d", 1)];
        let stage = Stage::new(&names[..brokers]);
        let deadline = AT + Duration::from_millis(deadline);
        let mut plan = SendPlan::new(policy, deadline, Target::Any, seed);
        let (mut now, mut events, mut tries) = (AT, events.into_iter(), 0);
        for _ in 0..60 {
            match plan.next(now, &stage.choice()) {
                Step::Try { queue, until, dial_until } => {
                    tries += 1;
                    prop_assert!(dial_until > now && dial_until <= until && until <= deadline);
                    let Some((end, took, (broker, fate))) = events.next() else { return Ok(()) };
                    now = until.min(now + Duration::from_millis(took));
                    befall(&stage.health[broker % brokers], now, fate);
                    let name = stage.name(queue);
                    plan.observe(now, &name, end);
                }
                Step::Wait(until) => {
                    prop_assert!(until >= now && until <= deadline);
                    now = until;
                }
                Step::Refresh { until } => prop_assert!(until > now && until <= deadline),
                Step::Stop(_) => {
                    // Two repeats are free: a new connection, and the long form.
                    prop_assert!(tries <= policy.attempts.max(1) + 2);
                    return Ok(());
                }
            }
        }
        prop_assert!(false, "the plan did not end");
    }

    /// While a broker is well that was not tried, no attempt takes more than its share.
    #[test]
    fn a_stalled_broker_always_leaves_a_useful_attempt_for_another(
        deadline in 100u64..10_000,
        attempts in 2u32..6,
        seed in any::<u64>(),
    ) {
        let stage = Stage::new(&[("a", 2), ("b", 1)]);
        let deadline = AT + Duration::from_millis(deadline);
        let policy = RetryPolicy::default().attempts(attempts);
        let mut plan = SendPlan::new(policy, deadline, Target::Any, seed);
        let (first, until) = tried(plan.next(AT, &stage.choice()));
        plan.observe(until, &stage.name(first), AttemptEnd::NoAnswer);
        let (second, until) = tried(plan.next(until, &stage.choice()));
        prop_assert_ne!(first.broker, second.broker);
        prop_assert!(until.since(AT) > deadline.since(AT) / 2);
    }
}
