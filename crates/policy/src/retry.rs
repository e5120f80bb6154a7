//! The plan of one send: which queue now, until when, and what follows from how it ended.
//!
//! ```text
//!            next()                      observe(Stored, refused, no answer under a strict policy)
//!   [ready] ---------> Try ---> [tried] ----------------------------------------------------------> [over]
//!      ^  \                       |
//!      |   `--> Wait, Refresh     | observe(anything another broker may mend)
//!      |             |            |
//!      `-------------+------------'        no attempt left, or the deadline is over: next() says Stop
//! ```
//!
//! One deadline covers everything. While another broker is left, an attempt gets only its share of what remains, so
//! that a stalled broker cannot spend the whole of it (in Apache's client it does: issues 1921 and 7295 there).

use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;

use crate::{
    answer::Action,
    route::{PublishInfo, PublishQueue},
    select::Rotation,
    time::Time,
};

/// When a send tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts in all, at least 1. Default 3, as Apache's `retryTimesWhenSendFailed` of 2.
    pub attempts: u32,
    /// Whether the send goes on after an attempt that got no answer. Default yes: the message is stored at least
    /// once, and maybe twice.
    pub retry_after_unknown: bool,
    /// Whether a stored message whose flush or replication was not confirmed is sent to another broker too. Default
    /// no (Apache's `retryAnotherBrokerWhenNotStoreOK`).
    pub retry_when_not_stored_ok: bool,
}

impl RetryPolicy {
    /// One attempt, whatever happens.
    pub const fn none() -> Self {
        Self { attempts: 1, retry_after_unknown: false, retry_when_not_stored_ok: false }
    }

    /// The default, but a send without an answer ends there: the message is stored at most once.
    pub const fn never_after_unknown() -> Self {
        Self { attempts: 3, retry_after_unknown: false, retry_when_not_stored_ok: false }
    }

    /// The same policy with `attempts` in all; 0 counts as 1.
    #[must_use]
    pub const fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = if attempts == 0 { 1 } else { attempts };
        self
    }

    /// The same policy, going on after a stored but unconfirmed answer or not.
    #[must_use]
    pub const fn retry_when_not_stored_ok(mut self, retry: bool) -> Self {
        self.retry_when_not_stored_ok = retry;
        self
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 3, retry_after_unknown: true, retry_when_not_stored_ok: false }
    }
}

/// Where a send may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To any writable queue.
    Any,
    /// To this queue alone.
    Queue {
        /// The broker's name.
        broker_name: Arc<str>,
        /// The queue id.
        queue_id: i32,
    },
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send to this queue and give up on this attempt at `until`.
    Try {
        /// The queue.
        queue: PublishQueue,
        /// When the attempt ends; after now, and never after the deadline.
        until: Time,
    },
    /// Wait until then, and ask again.
    Wait(Time),
    /// Fetch the route anew, and ask again.
    Refresh,
    /// It is over.
    Stop(Stop),
}

/// Why a send ends without being stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The deadline is over.
    Deadline,
    /// All attempts are used.
    Attempts,
    /// The last answer, or the policy, forbids another one.
    Final,
    /// The wanted queue's broker is not in the route.
    NoSuchBroker,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The broker answered.
    Answered {
        /// What the answer means.
        action: Action,
        /// Whether it was SUCCESS: stored, flushed and replicated as the broker is configured.
        confirmed: bool,
    },
    /// Nothing, or not the whole frame, reached the broker.
    NotSent,
    /// The frame left, and no answer came.
    NoAnswer,
}

/// What is known of a message after a failed send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// No broker has it.
    #[default]
    NotSent,
    /// A broker looked at it and refused it.
    Refused,
    /// A broker may have stored it.
    Unknown,
}

/// The plan of one send: a local variable of whoever carries it out.
#[derive(Clone, Debug)]
pub struct SendPlan {
    policy: RetryPolicy,
    deadline: Time,
    target: Target,
    chance: u64,
    begun: u32,
    tried: Vec<Arc<str>>,
    pause: Option<Duration>,
    /// Whether the next attempt has been paused for.
    paused: bool,
    refresh: Refresh,
    over: bool,
    outcome: Outcome,
    stored: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refresh {
    Unused,
    Wanted,
    Used,
}

impl SendPlan {
    /// A plan that ends by `deadline`. `seed` is all the chance it has.
    pub const fn new(policy: RetryPolicy, deadline: Time, target: Target, seed: u64) -> Self {
        Self {
            policy,
            deadline,
            target,
            chance: seed,
            begun: 0,
            tried: Vec::new(),
            pause: None,
            paused: false,
            refresh: Refresh::Unused,
            over: false,
            outcome: Outcome::NotSent,
            stored: false,
        }
    }

    /// What to do at `now`, given the present route.
    pub fn next(&mut self, now: Time, info: &PublishInfo, rotation: &Rotation) -> Step {
        if self.over {
            return Step::Stop(Stop::Final);
        }
        if now >= self.deadline {
            return Step::Stop(Stop::Deadline);
        }
        if self.begun >= self.policy.attempts.max(1) {
            return Step::Stop(Stop::Attempts);
        }
        if self.refresh == Refresh::Wanted {
            self.refresh = Refresh::Used;
            return Step::Refresh;
        }
        if let Some(pause) = self.pause.take() {
            return Step::Wait(self.deadline.min(now + pause));
        }
        let Some(queue) = self.choose(info, rotation) else {
            // The broker may be new: look once before the queue is refused.
            return match core::mem::replace(&mut self.refresh, Refresh::Used) {
                Refresh::Unused => Step::Refresh,
                _ => Step::Stop(Stop::NoSuchBroker),
            };
        };
        // Trying the one broker again at once would only burn the attempts.
        if self.has_tried(info, queue.broker) && !self.paused {
            return Step::Wait(self.deadline.min(now + self.back_off(now)));
        }
        self.paused = false;
        self.begun += 1;
        Step::Try { queue, until: self.until(now, info, queue) }
    }

    /// Learns how the attempt at `broker_name` ended.
    pub fn observe(&mut self, now: Time, broker_name: &Arc<str>, end: AttemptEnd) {
        let forget = match end {
            // Over with the first answer: the common case remembers nothing, and so allocates nothing.
            AttemptEnd::Answered { action: Action::Stored, confirmed } => confirmed,
            // The route was wrong, not its broker: that one may be chosen again at once.
            AttemptEnd::Answered { action: Action::RefreshRoute, .. } => true,
            _ => false,
        };
        if !forget && !self.tried.contains(broker_name) {
            self.tried.push(broker_name.clone());
        }
        match end {
            AttemptEnd::Answered { action, confirmed } => self.observe_answer(now, action, confirmed),
            AttemptEnd::NotSent => {}
            AttemptEnd::NoAnswer => {
                self.outcome = Outcome::Unknown;
                self.over = !self.policy.retry_after_unknown;
            }
        }
    }

    /// What is known of the message, should the send fail now: its worst attempt decides.
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether some broker has stored the message.
    pub const fn is_stored(&self) -> bool {
        self.stored
    }

    /// When the send ends.
    pub const fn deadline(&self) -> Time {
        self.deadline
    }

    fn observe_answer(&mut self, now: Time, action: Action, confirmed: bool) {
        match action {
            Action::Stored => {
                self.stored = true;
                self.over = confirmed || !self.policy.retry_when_not_stored_ok;
                return;
            }
            Action::Refused | Action::Access => self.over = true,
            Action::BackOff => self.pause = Some(self.back_off(now)),
            Action::RefreshRoute if self.refresh == Refresh::Unused => self.refresh = Refresh::Wanted,
            Action::RefreshRoute => self.over = true,
            Action::OtherBroker | Action::Reconnect => {}
        }
        self.outcome = self.outcome.max(Outcome::Refused);
    }

    fn choose(&self, info: &PublishInfo, rotation: &Rotation) -> Option<PublishQueue> {
        match &self.target {
            Target::Any => rotation.next(info, |broker| !self.has_tried(info, broker)),
            Target::Queue { broker_name, queue_id } => info.queue_of(broker_name, *queue_id),
        }
    }

    /// The share of this attempt: all of the rest, unless another broker could use a part of it.
    fn until(&self, now: Time, info: &PublishInfo, chosen: PublishQueue) -> Time {
        let left = self.policy.attempts.max(1).saturating_sub(self.begun) + 1;
        let others =
            (0..info.brokers().len()).any(|broker| broker != chosen.broker && !self.has_tried(info, broker));
        if left == 1 || !others || self.target != Target::Any {
            return self.deadline;
        }
        let share = self.deadline.since(now) / left;
        self.deadline.min(now + share.max(LEAST_ATTEMPT))
    }

    fn has_tried(&self, info: &PublishInfo, broker: usize) -> bool {
        self.tried.contains(&info.brokers()[broker].name)
    }

    /// 10 ms doubling to 320 ms, half of it by chance, at most a quarter of what is left.
    fn back_off(&mut self, now: Time) -> Duration {
        self.paused = true;
        let ceiling = FIRST_BACK_OFF * (1 << self.begun.saturating_sub(1).min(5));
        let mut chance = fastrand::Rng::with_seed(self.chance);
        self.chance = chance.u64(..);
        let half = ceiling / 2;
        let pause = half + half * chance.u32(..=100) / 100;
        pause.min(self.deadline.since(now) / 4)
    }
}

const LEAST_ATTEMPT: Duration = Duration::from_millis(20);
const FIRST_BACK_OFF: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::route::tests::info_of;

    const SECOND: Duration = Duration::from_secs(1);
    const AT: Time = Time::START;

    fn plan(policy: RetryPolicy) -> SendPlan {
        SendPlan::new(policy, AT + 3 * SECOND, Target::Any, 7)
    }

    fn expect_try(step: Step) -> (PublishQueue, Time) {
        match step {
            Step::Try { queue, until } => (queue, until),
            other => panic!("expected an attempt, got {other:?}"),
        }
    }

    #[test]
    fn a_second_attempt_goes_to_another_broker_and_leaves_time_for_a_third() {
        let info = info_of(&[("a", 4), ("b", 4), ("c", 4)]);
        let (rotation, mut plan) = (Rotation::default(), plan(RetryPolicy::default()));
        let (first, until) = expect_try(plan.next(AT, &info, &rotation));
        assert_eq!(until, AT + SECOND);
        plan.observe(until, &info.brokers()[first.broker].name, AttemptEnd::NoAnswer);
        let (second, until) = expect_try(plan.next(until, &info, &rotation));
        assert_ne!(second.broker, first.broker);
        assert_eq!(until, AT + 2 * SECOND);
        plan.observe(until, &info.brokers()[second.broker].name, AttemptEnd::NoAnswer);
        let (third, until) = expect_try(plan.next(until, &info, &rotation));
        assert!(third.broker != first.broker && third.broker != second.broker);
        assert_eq!(until, AT + 3 * SECOND);
        plan.observe(until, &info.brokers()[third.broker].name, AttemptEnd::NoAnswer);
        assert_eq!(plan.next(until, &info, &rotation), Step::Stop(Stop::Deadline));
        assert_eq!(plan.outcome(), Outcome::Unknown);
    }

    #[test]
    fn the_only_broker_gets_the_whole_time() {
        let info = info_of(&[("a", 4)]);
        let (_, until) = expect_try(plan(RetryPolicy::default()).next(AT, &info, &Rotation::default()));
        assert_eq!(until, AT + 3 * SECOND);
    }

    #[test]
    fn no_answer_ends_a_strict_send() {
        let info = info_of(&[("a", 1), ("b", 1)]);
        let mut plan = plan(RetryPolicy::never_after_unknown());
        expect_try(plan.next(AT, &info, &Rotation::default()));
        plan.observe(AT, &info.brokers()[0].name, AttemptEnd::NoAnswer);
        assert_eq!(plan.next(AT, &info, &Rotation::default()), Step::Stop(Stop::Final));
        assert_eq!(plan.outcome(), Outcome::Unknown);
    }

    #[test]
    fn a_busy_answer_backs_off_and_a_refusal_ends() {
        let info = info_of(&[("a", 1), ("b", 1)]);
        let (rotation, mut plan) = (Rotation::default(), plan(RetryPolicy::default()));
        let (first, _) = expect_try(plan.next(AT, &info, &rotation));
        let answered = |action| AttemptEnd::Answered { action, confirmed: false };
        plan.observe(AT, &info.brokers()[first.broker].name, answered(Action::BackOff));
        let Step::Wait(until) = plan.next(AT, &info, &rotation) else { panic!("expected a pause") };
        assert!(until > AT && until <= AT + FIRST_BACK_OFF);
        let (second, _) = expect_try(plan.next(until, &info, &rotation));
        assert_ne!(first.broker, second.broker);
        plan.observe(until, &info.brokers()[second.broker].name, answered(Action::Refused));
        assert_eq!(plan.next(until, &info, &rotation), Step::Stop(Stop::Final));
        assert_eq!(plan.outcome(), Outcome::Refused);
    }

    #[test]
    fn a_stale_route_is_refreshed_once() {
        let info = info_of(&[("a", 1)]);
        let (rotation, mut plan) = (Rotation::default(), plan(RetryPolicy::default()));
        let stale = AttemptEnd::Answered { action: Action::RefreshRoute, confirmed: false };
        expect_try(plan.next(AT, &info, &rotation));
        plan.observe(AT, &info.brokers()[0].name, stale);
        assert_eq!(plan.next(AT, &info, &rotation), Step::Refresh);
        expect_try(plan.next(AT, &info, &rotation));
        plan.observe(AT, &info.brokers()[0].name, stale);
        assert_eq!(plan.next(AT, &info, &rotation), Step::Stop(Stop::Final));
    }

    #[test]
    fn a_fixed_queue_never_goes_elsewhere() {
        let info = info_of(&[("a", 1), ("b", 1)]);
        let target = Target::Queue { broker_name: "b".into(), queue_id: 0 };
        let mut plan = SendPlan::new(RetryPolicy::default(), AT + SECOND, target, 7);
        let (first, until) = expect_try(plan.next(AT, &info, &Rotation::default()));
        assert_eq!((first.broker, until), (1, AT + SECOND));
        plan.observe(AT, &info.brokers()[1].name, AttemptEnd::NotSent);
        let Step::Wait(until) = plan.next(AT, &info, &Rotation::default()) else {
            panic!("expected a pause")
        };
        assert_eq!(expect_try(plan.next(until, &info, &Rotation::default())).0.broker, 1);
        let gone = Target::Queue { broker_name: "z".into(), queue_id: 0 };
        let mut plan = SendPlan::new(RetryPolicy::default(), AT + SECOND, gone, 7);
        assert_eq!(plan.next(AT, &info, &Rotation::default()), Step::Refresh);
        assert_eq!(plan.next(AT, &info, &Rotation::default()), Step::Stop(Stop::NoSuchBroker));
    }

    #[test]
    fn an_unconfirmed_store_ends_the_send_unless_asked_otherwise() {
        let info = info_of(&[("a", 1), ("b", 1)]);
        let unconfirmed = AttemptEnd::Answered { action: Action::Stored, confirmed: false };
        for (policy, goes_on) in
            [(RetryPolicy::default(), false), (RetryPolicy::default().retry_when_not_stored_ok(true), true)]
        {
            let mut plan = plan(policy);
            let (first, _) = expect_try(plan.next(AT, &info, &Rotation::default()));
            plan.observe(AT, &info.brokers()[first.broker].name, unconfirmed);
            assert!(plan.is_stored());
            let next = plan.next(AT, &info, &Rotation::default());
            assert_eq!(matches!(next, Step::Try { .. }), goes_on, "{next:?}");
        }
    }

    fn any_end() -> impl Strategy<Value = AttemptEnd> {
        let action = prop_oneof![
            Just(Action::BackOff),
            Just(Action::OtherBroker),
            Just(Action::RefreshRoute),
            Just(Action::Reconnect),
            Just(Action::Refused),
        ];
        prop_oneof![
            action.prop_map(|action| AttemptEnd::Answered { action, confirmed: false }),
            Just(AttemptEnd::NotSent),
            Just(AttemptEnd::NoAnswer),
        ]
    }

    proptest! {
        /// No input gives an attempt without time, and every plan ends by its deadline in bounded steps.
        #[test]
        fn every_attempt_has_time_and_every_plan_ends(
            brokers in 1usize..5,
            attempts in 0u32..6,
            deadline in 0u64..5_000,
            ends in prop::collection::vec((any_end(), 0u64..2_000), 0..12),
            seed in any::<u64>(),
        ) {
            let names = [("a", 2), ("b", 1), ("c", 3), ("d", 1)];
            let info = info_of(&names[..brokers.min(4)]);
            let deadline = AT + Duration::from_millis(deadline);
            let policy = RetryPolicy::default().attempts(attempts);
            let mut plan = SendPlan::new(policy, deadline, Target::Any, seed);
            let (rotation, mut now, mut ends, mut tries) = (Rotation::new(seed as usize), AT, ends.into_iter(), 0);
            for _ in 0..40 {
                match plan.next(now, &info, &rotation) {
                    Step::Try { queue, until } => {
                        tries += 1;
                        prop_assert!(until > now && until <= deadline);
                        let Some((end, took)) = ends.next() else { return Ok(()) };
                        now = until.min(now + Duration::from_millis(took));
                        plan.observe(now, &info.brokers()[queue.broker].name, end);
                    }
                    Step::Wait(until) => {
                        prop_assert!(until >= now && until <= deadline);
                        now = until;
                    }
                    Step::Refresh => {}
                    Step::Stop(_) => {
                        prop_assert!(tries <= attempts.max(1));
                        return Ok(());
                    }
                }
            }
            prop_assert!(false, "the plan did not end");
        }
    }
}
