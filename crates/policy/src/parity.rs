//! Apache's own rules, for who must behave exactly as its clients do.
//!
//! From `MQFaultStrategy.selectOneMessageQueue`, `DefaultMQProducerImpl.sendDefaultImpl` and
//! `MQClientAPIImpl.onExceptionImpl` of 5.x, and the same of 4.9. What differs: Java's index belongs to a thread, ours
//! to the topic; Java's table of faults to a producer, ours to the client; and its detector, which is off by default,
//! is not there.

use maxq_protocol::ResponseCode;

use crate::{
    answer::Action,
    ladder::Fault,
    plan::Choice,
    retry::{AttemptEnd, Parity},
    route::PublishQueue,
    time::Time,
};

/// What a choice depends on beside the brokers.
pub(crate) struct Asked<'a> {
    pub(crate) now: Time,
    /// The broker of the attempt before.
    pub(crate) last: Option<&'a str>,
    pub(crate) latency_fault: bool,
    /// Where the rotation goes on, for a later attempt of a synchronous send.
    pub(crate) reset: Option<usize>,
}

/// The queue of the next attempt.
pub(crate) fn choose(parity: Parity, choice: &Choice<'_>, asked: &Asked<'_>) -> Option<PublishQueue> {
    match (parity, asked.latency_fault) {
        (Parity::V5, true) => choose_v5(choice, asked),
        (Parity::V4_9, true) => choose_v4_9(choice, asked.now),
        (_, false) => probe(choice, |queue| is_other(choice, asked, queue))
            .or_else(|| choice.rotation.step(choice.info)),
    }
}

/// Available ones but the last, else reachable ones but the last, else any.
fn choose_v5(choice: &Choice<'_>, asked: &Asked<'_>) -> Option<PublishQueue> {
    if let Some(to) = asked.reset {
        choice.rotation.reset(to);
    }
    let rest = |queue: &PublishQueue| choice.health[queue.broker].rest();
    probe(choice, |queue| rest(queue).is_available(asked.now) && is_other(choice, asked, queue))
        .or_else(|| probe(choice, |queue| rest(queue).is_reachable() && is_other(choice, asked, queue)))
        .or_else(|| choice.rotation.step(choice.info))
}

/// Available ones, the last one too; else one of the better half of those that rest; else any. The rotation takes one
/// step, however many queues are looked at: who stands behind a broker that rests gets its turns.
fn choose_v4_9(choice: &Choice<'_>, now: Time) -> Option<PublishQueue> {
    let queues = choice.info.queues();
    let turn = choice.rotation.turn();
    let mut nth = (0..queues.len()).map(|n| queues[turn.wrapping_add(n) % queues.len()]);
    let available = nth.find(|queue| choice.health[queue.broker].rest().is_available(now));
    available.or_else(|| pick_one_at_least(choice, now)).or_else(|| choice.rotation.step(choice.info))
}

/// `LatencyFaultToleranceImpl.pickOneAtLeast` of 4.9, and what its caller makes of it: the rotation's queue with the
/// broker, and a queue id, put in its place.
fn pick_one_at_least(choice: &Choice<'_>, now: Time) -> Option<PublishQueue> {
    let mut items: alloc::vec::Vec<_> =
        (0..choice.info.brokers().len()).filter(|broker| choice.health[*broker].rest().is_known()).collect();
    items.sort_by_key(|broker| choice.health[*broker].rest().rank(now));
    let half = (items.len() / 2).max(1);
    let broker = *items.get(choice.rotation.worst_turn() % half)?;
    let queues = choice.info.queues().iter().filter(|queue| queue.broker == broker).count();
    if queues == 0 {
        choice.health[broker].rest().forget();
        return None;
    }
    // One turn for the queue whose place is taken, one for the id.
    choice.rotation.turn();
    let queue_id = i32::try_from(choice.rotation.turn() % queues).ok()?;
    Some(PublishQueue { broker, queue_id })
}

/// As many steps of the rotation as there are queues, until one will do (`TopicPublishInfo.selectOneMessageQueue`).
fn probe(choice: &Choice<'_>, will_do: impl Fn(&PublishQueue) -> bool) -> Option<PublishQueue> {
    (0..choice.info.queues().len()).find_map(|_| choice.rotation.step(choice.info).filter(&will_do))
}

fn is_other(choice: &Choice<'_>, asked: &Asked<'_>, queue: &PublishQueue) -> bool {
    asked.last.is_none_or(|last| *choice.info.brokers()[queue.broker].name != *last)
}

/// Whether a synchronous send goes on after this answer (`DefaultMQProducer.retryResponseCodes`).
pub(crate) const fn tries_again(parity: Parity, code: ResponseCode) -> bool {
    match code {
        ResponseCode::TOPIC_NOT_EXIST
        | ResponseCode::SERVICE_NOT_AVAILABLE
        | ResponseCode::SYSTEM_ERROR
        | ResponseCode::NO_PERMISSION
        | ResponseCode::NO_BUYER_ID
        | ResponseCode::NOT_IN_CURRENT_UNIT => true,
        ResponseCode::SYSTEM_BUSY | ResponseCode::GO_AWAY => matches!(parity, Parity::V5),
        _ => false,
    }
}

/// What `sendDefaultImpl` notes of an attempt. 4.9 knows no reachability.
pub(crate) const fn sync_fault(parity: Parity, end: AttemptEnd) -> Fault {
    match end {
        AttemptEnd::Answered { action: Action::Stored, .. } => Fault { isolate: false, reachable: true },
        AttemptEnd::Answered { .. } => Fault { isolate: true, reachable: matches!(parity, Parity::V4_9) },
        AttemptEnd::NotSent | AttemptEnd::NoAnswer => Fault { isolate: true, reachable: true },
    }
}

/// What `MQClientAPIImpl` notes of an asynchronous attempt.
pub(crate) const fn async_fault(end: AttemptEnd) -> Fault {
    let stored = matches!(end, AttemptEnd::Answered { action: Action::Stored, .. });
    Fault { isolate: !stored, reachable: true }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::{
        ladder::Ladder,
        retry::{RetryPolicy, Step, Stop},
        stage::{AT, SECOND, Stage, answered, plan, tried},
    };

    #[test]
    fn a_synchronous_send_tries_three_times_with_all_the_time_and_avoids_only_the_last_broker() {
        for parity in [Parity::V4_9, Parity::V5] {
            let stage = Stage::new(&[("a", 2), ("b", 2)]);
            let mut plan = plan(RetryPolicy::java_sync(parity));
            let mut last = None;
            for n in 0..3 {
                let now = AT + n * SECOND / 2;
                let (queue, until) = tried(plan.next(now, &stage.choice()));
                assert_eq!(until, AT + 3 * SECOND, "the whole rest");
                assert_ne!(Some(queue.broker), last);
                last = Some(queue.broker);
                plan.observe(now, &stage.name(queue), AttemptEnd::NotSent);
            }
            assert_eq!(plan.next(AT + 2 * SECOND, &stage.choice()), Step::Stop(Stop::Attempts));
        }
    }

    #[test]
    fn a_cap_per_attempt_holds_for_all_but_the_last() {
        let stage = Stage::new(&[("a", 2), ("b", 2)]);
        let policy = RetryPolicy::java_sync(Parity::V5).attempt_timeout(SECOND / 2);
        let mut plan = plan(policy);
        for (now, until) in [(0, 500), (500, 1_000), (1_000, 3_000)] {
            let now = AT + Duration::from_millis(now);
            let (queue, ends) = tried(plan.next(now, &stage.choice()));
            assert_eq!(ends, AT + Duration::from_millis(until));
            plan.observe(ends, &stage.name(queue), AttemptEnd::NoAnswer);
        }
    }

    #[test]
    fn the_codes_that_a_synchronous_send_retries() {
        let both = [17, 14, 1, 16, 204, 205];
        for code in both.into_iter().chain([2, 1500, 13, 26, 29, 215, 501, 604, 3]) {
            for parity in [Parity::V4_9, Parity::V5] {
                let expected = both.contains(&code) || (parity == Parity::V5 && [2, 1500].contains(&code));
                let stage = Stage::new(&[("a", 1), ("b", 1)]);
                let mut plan = plan(RetryPolicy::java_sync(parity));
                let (queue, _) = tried(plan.next(AT, &stage.choice()));
                plan.observe(AT, &stage.name(queue), answered(code));
                let goes_on = matches!(plan.next(AT, &stage.choice()), Step::Try { .. });
                assert_eq!(goes_on, expected, "{parity:?} {code}");
            }
        }
    }

    #[test]
    fn an_asynchronous_send_retries_no_answer_code_at_all() {
        for code in [17, 14, 1, 2, 16, 13] {
            let stage = Stage::new(&[("a", 1), ("b", 1)]);
            let mut plan = plan(RetryPolicy::java_async(Parity::V5));
            let (queue, _) = tried(plan.next(AT, &stage.choice()));
            plan.observe(AT, &stage.name(queue), answered(code));
            assert_eq!(plan.next(AT, &stage.choice()), Step::Stop(Stop::Final), "{code}");
        }
    }

    #[test]
    fn an_asynchronous_retry_goes_to_another_broker_with_the_first_queue_id() {
        for parity in [Parity::V4_9, Parity::V5] {
            let stage = Stage::new(&[("a", 8), ("b", 2)]);
            stage.rotation.reset(6);
            let mut plan = plan(RetryPolicy::java_async(parity));
            let (first, until) = tried(plan.next(AT, &stage.choice()));
            assert_eq!((first.broker, first.queue_id, until), (0, 6, AT + 3 * SECOND));
            plan.observe(AT, &stage.name(first), AttemptEnd::NotSent);
            let (second, _) = tried(plan.next(AT, &stage.choice()));
            // b has only two queues: the id of the first choice stays all the same.
            assert_eq!((second.broker, second.queue_id), (1, 6));
        }
    }

    #[test]
    fn an_unanswered_asynchronous_attempt_has_spent_the_whole_time() {
        let stage = Stage::new(&[("a", 1), ("b", 1)]);
        let mut plan = plan(RetryPolicy::java_async(Parity::V5));
        let (queue, until) = tried(plan.next(AT, &stage.choice()));
        plan.observe(until, &stage.name(queue), AttemptEnd::NoAnswer);
        assert_eq!(plan.next(until, &stage.choice()), Step::Stop(Stop::Deadline));
    }

    #[test]
    fn with_the_ladder_5_prefers_available_then_reachable_then_any() {
        let asked = Asked { now: AT, last: None, latency_fault: true, reset: None };
        let bad = |reachable| Fault { isolate: true, reachable };
        let stage = Stage::new(&[("a", 2), ("b", 2), ("c", 2)]);
        stage.rested(0, &Ladder::V5, 3, bad(true));
        stage.rested(1, &Ladder::V5, 3, bad(false));
        for _ in 0..12 {
            assert_eq!(choose(Parity::V5, &stage.choice(), &asked).unwrap().broker, 2, "available");
        }
        stage.rested(2, &Ladder::V5, 3, bad(false));
        for _ in 0..12 {
            assert_eq!(choose(Parity::V5, &stage.choice(), &asked).unwrap().broker, 0, "reachable");
        }
        stage.rested(0, &Ladder::V5, 3, bad(false));
        let any: alloc::collections::BTreeSet<_> =
            (0..12).filter_map(|_| choose(Parity::V5, &stage.choice(), &asked)).collect();
        assert_eq!(any.len(), 6, "any");
    }

    #[test]
    fn with_the_ladder_4_9_may_choose_the_last_broker_again() {
        let stage = Stage::new(&[("a", 1), ("b", 1)]);
        stage.rested(1, &Ladder::V4_9, 3, Fault { isolate: true, reachable: true });
        let asked = Asked { now: AT, last: Some("a"), latency_fault: true, reset: None };
        assert_eq!(choose(Parity::V4_9, &stage.choice(), &asked).unwrap().broker, 0);
        assert_eq!(choose(Parity::V5, &stage.choice(), &asked).unwrap().broker, 1, "reachable, not the last");
    }

    #[test]
    fn when_all_rest_4_9_picks_from_the_better_half() {
        let stage = Stage::new(&[("a", 2), ("b", 2), ("c", 2), ("d", 2)]);
        for (broker, latency) in [(0, 900), (1, 600), (2, 700), (3, 800)] {
            stage.rested(broker, &Ladder::V4_9, latency, Fault { isolate: false, reachable: true });
        }
        let asked = Asked { now: AT, last: None, latency_fault: true, reset: None };
        let picked: alloc::collections::BTreeSet<_> = (0..24)
            .filter_map(|_| choose(Parity::V4_9, &stage.choice(), &asked))
            .map(|queue| queue.broker)
            .collect();
        assert!(picked.iter().all(|broker| [1, 2].contains(broker)), "{picked:?}");
    }

    #[test]
    fn without_the_ladder_only_the_last_broker_is_avoided() {
        let stage = Stage::new(&[("a", 2), ("b", 1)]);
        stage.rested(1, &Ladder::V5, 20_000, Fault { isolate: true, reachable: false });
        for parity in [Parity::V4_9, Parity::V5] {
            let asked = Asked { now: AT, last: Some("a"), latency_fault: false, reset: None };
            for _ in 0..6 {
                assert_eq!(choose(parity, &stage.choice(), &asked).unwrap().broker, 1);
            }
        }
        let alone = Stage::new(&[("a", 1)]);
        let asked = Asked { now: AT, last: Some("a"), latency_fault: false, reset: None };
        assert!(choose(Parity::V5, &alone.choice(), &asked).is_some(), "a wish, not a condition");
    }

    #[test]
    fn what_the_table_of_faults_is_told() {
        let isolated = |reachable| Fault { isolate: true, reachable };
        let fine = Fault { isolate: false, reachable: true };
        let stored = answered(10);
        assert_eq!(sync_fault(Parity::V5, stored), fine);
        assert_eq!(sync_fault(Parity::V5, answered(13)), isolated(false));
        assert_eq!(sync_fault(Parity::V5, AttemptEnd::NoAnswer), isolated(true));
        assert_eq!(sync_fault(Parity::V4_9, answered(13)), isolated(true));
        assert_eq!(async_fault(stored), fine);
        for end in [answered(13), AttemptEnd::NotSent, AttemptEnd::NoAnswer] {
            assert_eq!(async_fault(end), isolated(true));
        }
    }
}
