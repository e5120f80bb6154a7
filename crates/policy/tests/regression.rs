//! What once went wrong in the breaker, the plan and Apache's rules. Each test says what should hold.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use maxq_policy::{
    AttemptEnd, BreakerState, BrokerHealth, Choice, Failure, Origin, Parity, PublishInfo, PublishQueue,
    RetryBudget, RetryPolicy, Rotation, SendPlan, Step, Target, Time,
    breaker::Breaker,
    ladder::{Fault, Ladder},
};
use maxq_protocol::{
    Topic,
    body::{BrokerData, QueueData, TopicRouteData},
};

fn at(millis: u64) -> Time {
    Time::from_start(Duration::from_millis(millis))
}

struct Stage {
    info: PublishInfo,
    health: Vec<Arc<BrokerHealth>>,
    rotation: Rotation,
    budget: RetryBudget,
}

impl Stage {
    fn new(brokers: &[(&str, i32)], turn: usize) -> Self {
        let mut route = TopicRouteData::default();
        for (n, (name, queues)) in brokers.iter().enumerate() {
            route.broker_datas.push(BrokerData {
                broker_name: (*name).to_owned(),
                broker_addrs: BTreeMap::from([(0, format!("10.0.0.{n}:10911"))]),
                ..BrokerData::default()
            });
            route.queue_datas.push(QueueData {
                broker_name: (*name).to_owned(),
                read_queue_nums: *queues,
                write_queue_nums: *queues,
                perm: 6,
                ..QueueData::default()
            });
        }
        let info = PublishInfo::new(Topic::new("T").unwrap(), &route, Origin::Topic).unwrap();
        let health = (0..brokers.len()).map(|seed| Arc::new(BrokerHealth::new(seed as u64))).collect();
        Self { info, health, rotation: Rotation::new(turn), budget: RetryBudget::new() }
    }

    fn choice(&self) -> Choice<'_> {
        Choice { info: &self.info, health: &self.health, rotation: &self.rotation, budget: &self.budget }
    }
}

fn tried(step: Step) -> (PublishQueue, Time) {
    match step {
        Step::Try { queue, until, .. } => (queue, until),
        other => panic!("expected an attempt, got {other:?}"),
    }
}

/// A closed breaker had forgotten since when, so attempts of before the opening counted in it.
#[test]
fn failures_of_attempts_from_before_the_readmission_do_not_open_a_closed_breaker() {
    let breaker: Breaker = Breaker::new(3);
    breaker.observe_suspicion(at(300), at(0));
    breaker.observe_success(at(1_500));
    assert_eq!(breaker.state(at(5_000)), BreakerState::Closed);
    breaker.observe_success(at(5_000));
    // Ten seconds are the share of an attempt of a send of 30 s: three that were written at 0 expire together.
    for _ in 0..3 {
        assert_eq!(breaker.observe_failure(at(10_000), at(0), Failure::Other), None);
    }
    assert_eq!(breaker.state(at(10_000)), BreakerState::Closed);
}

/// A trial that lasts longer than a claim was late news by the time it failed.
#[test]
fn a_trial_that_fails_after_its_claim_has_ended_opens_the_breaker() {
    let breaker: Breaker = Breaker::new(3);
    breaker.observe_suspicion(at(300), at(0));
    assert!(breaker.claim_probe(at(2_000)));
    breaker.observe_probe(at(2_001), true);
    // Sends of 30 s: an attempt may take 10 s. The broker answers heartbeats and stores nothing.
    for n in 0..4 {
        assert!(breaker.claim_trial(at(2_001 + 3_000 * n)), "trial {n}");
    }
    breaker.observe_failure(at(12_001), at(2_001), Failure::Other);
    assert!(
        matches!(breaker.state(at(12_001)), BreakerState::Open { .. }),
        "{:?}",
        breaker.state(at(12_001))
    );
}

/// All brokers were asked, one was taken: the others' claims were wasted for 3 s.
#[test]
fn a_send_that_claims_a_trial_goes_there() {
    let brokers = [("dead", 4), ("back", 4), ("c", 4), ("d", 4)];
    let mut wasted = 0;
    for turn in 0..480 {
        let stage = Stage::new(&brokers, turn);
        stage.health[0].observe_failure(at(0), at(0), Failure::RefusedDial);
        stage.health[1].observe_failure(at(0), at(0), Failure::RefusedDial);
        stage.health[1].observe_sign_of_life(at(1));
        let mut plan = SendPlan::new(RetryPolicy::default(), at(3_000), Target::Any, turn as u64);
        let (queue, _) = tried(plan.next(at(2), &stage.choice()));
        let claimed = matches!(stage.health[1].breaker(at(2)), BreakerState::Trial { .. });
        wasted += usize::from(claimed && queue.broker != 1);
    }
    assert_eq!(wasted, 0, "of 480 turns: the broker gets nothing for 3 s though nobody tries it");
}

/// A suspect broker is not open: the whole rest is for when all others are.
#[test]
fn an_attempt_leaves_time_for_a_suspect_broker() {
    let stage = Stage::new(&[("a", 1), ("b", 1)], 0);
    for health in &stage.health {
        health.publish_oldest(Some(at(0)));
    }
    let mut plan = SendPlan::new(RetryPolicy::default(), at(3_300), Target::Any, 7);
    let (_, until) = tried(plan.next(at(300), &stage.choice()));
    assert!(until < at(3_300), "the attempt may take everything");
}

/// What may not be followed by another attempt needs no share.
#[test]
fn an_attempt_that_ends_the_send_without_an_answer_has_the_whole_time() {
    let stage = Stage::new(&[("a", 1), ("b", 1)], 0);
    let mut plan = SendPlan::new(RetryPolicy::never_after_unknown(), at(3_000), Target::Any, 7);
    let (_, until) = tried(plan.next(at(0), &stage.choice()));
    assert_eq!(until, at(3_000));
}

/// 4.9.7's `MQFaultStrategy.selectOneMessageQueue` advances the index once per choice, not per probe: the
/// queue behind an unavailable broker gets its turns too.
#[test]
fn the_ladder_of_4_9_gives_the_turns_of_a_resting_broker_to_the_next_queue() {
    let stage = Stage::new(&[("a", 4), ("b", 4)], 0);
    stage.health[0].rest().update(
        at(0),
        &Ladder::V4_9,
        Duration::from_millis(3),
        Fault { isolate: true, reachable: true },
    );
    let mut seen = [0; 4];
    for n in 0..80 {
        let policy = RetryPolicy::java_sync(Parity::V4_9).latency_fault(true);
        let mut plan = SendPlan::new(policy, at(3_000), Target::Any, n);
        let (queue, _) = tried(plan.next(at(1), &stage.choice()));
        seen[queue.queue_id as usize] += 1;
    }
    assert_eq!(seen, [50, 10, 10, 10], "five of eight turns of Java's rotation end at the first queue of b");
}

/// Chance never moved on under Java's rules: the second and the third attempt went on from the same place.
#[test]
fn each_attempt_of_5_goes_on_from_a_place_of_its_own() {
    let mut same = 0;
    for seed in 0..200u64 {
        let stage = Stage::new(&[("a", 8), ("b", 8), ("c", 8)], 0);
        let policy = RetryPolicy::java_sync(Parity::V5).latency_fault(true);
        let mut plan =
            SendPlan::new(policy, at(3_000), Target::Any, seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut ids = Vec::new();
        for _ in 0..3 {
            let (queue, _) = tried(plan.next(at(1), &stage.choice()));
            ids.push(queue);
            plan.observe(at(1), &stage.info.brokers()[queue.broker].name.clone(), AttemptEnd::NotSent);
        }
        // The third avoids only the second's broker: from the same place it finds the next broker's first queue, always.
        same += usize::from(ids[2].queue_id == 0 && ids[2].broker == (ids[1].broker + 1) % 3);
    }
    assert!(same < 100, "{same} of 200 third attempts begin where the second began");
}

/// Java rotates in the better half by an index of its own; ours took turns of the queues'
/// index, which had gone on by their number plus two: with 8 queues and a half of 2 it always met the same broker.
#[test]
fn when_all_rest_4_9_takes_turns_in_the_better_half() {
    let stage = Stage::new(&[("a", 2), ("b", 2), ("c", 2), ("d", 2)], 0);
    for (broker, latency) in [(0, 900), (1, 600), (2, 700), (3, 800)] {
        let fault = Fault { isolate: false, reachable: true };
        stage.health[broker].rest().update(at(0), &Ladder::V4_9, Duration::from_millis(latency), fault);
    }
    let mut seen = BTreeMap::<usize, usize>::new();
    for n in 0..40 {
        let policy = RetryPolicy::java_sync(Parity::V4_9).latency_fault(true);
        let mut plan = SendPlan::new(policy, at(3_000), Target::Any, n);
        *seen.entry(tried(plan.next(at(1), &stage.choice())).0.broker).or_default() += 1;
    }
    assert_eq!(seen, BTreeMap::from([(1, 20), (2, 20)]));
}

/// Of brokers that are equally unwell the first of the list got everything.
#[test]
fn brokers_that_come_back_together_share_the_load() {
    let stage = Stage::new(&[("a", 4), ("b", 4), ("c", 4), ("d", 4)], 0);
    for health in &stage.health {
        health.observe_failure(at(0), at(0), Failure::RefusedDial);
        health.observe_success(at(10), Duration::from_millis(1));
    }
    let mut seen = [0; 4];
    for n in 0..4_000u64 {
        let seed = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut plan = SendPlan::new(RetryPolicy::default(), at(3_000), Target::Any, seed);
        seen[tried(plan.next(at(20), &stage.choice())).0.broker] += 1;
    }
    assert!(
        seen.iter().all(|sends| (700..=1_300).contains(sends)),
        "{seen:?} of 4000 sends, all four at an eighth"
    );
}

/// A broker whose queues were taken away (write queues 0) stayed in the list, was well, and had nothing to offer: a send
/// that found all others resting was told that its queue is gone.
#[test]
fn a_broker_without_queues_is_none_to_choose() {
    let stage = Stage::new(&[("drained", 0), ("b", 4)], 0);
    let names: Vec<_> = stage.info.brokers().iter().map(|broker| &*broker.name).collect();
    assert_eq!(names, ["b"]);
    stage.health[0].observe_failure(at(0), at(0), Failure::RefusedDial);
    let mut plan = SendPlan::new(RetryPolicy::default(), at(3_000), Target::Any, 7);
    let (queue, until) = tried(plan.next(at(1), &stage.choice()));
    assert_eq!((queue.broker, until), (0, at(3_000)), "the one that rests, with all the time");
}

/// A send that had failed at a broker claimed its trial, then paused before it tried the same broker again: by then
/// its own claim kept it away, and it went to the broker that was still dead.
#[test]
fn a_trial_is_claimed_after_the_pause_and_not_before() {
    for turn in 0..8 {
        let stage = Stage::new(&[("back", 4), ("dead", 4)], turn);
        let mut plan = SendPlan::new(RetryPolicy::default().attempts(3), at(10_000), Target::Any, 7);
        for _ in 0..2 {
            let (queue, _) = tried(plan.next(at(0), &stage.choice()));
            let name = stage.info.brokers()[queue.broker].name.clone();
            stage.health[queue.broker].observe_failure(at(0), at(0), Failure::RefusedDial);
            plan.observe(at(0), &name, AttemptEnd::NotSent);
        }
        // Both have rested. One answers its heartbeat, the other refuses a dial again.
        for (broker, answers) in [(0, true), (1, false)] {
            assert!(stage.health[broker].claim_probe(at(1_300)));
            stage.health[broker].observe_probe(at(1_301), answers);
        }
        let Step::Wait(until) = plan.next(at(1_301), &stage.choice()) else { panic!("expected a pause") };
        let (queue, _) = tried(plan.next(until, &stage.choice()));
        assert_eq!(queue.broker, 0, "turn {turn}: the one that answers");
    }
}
