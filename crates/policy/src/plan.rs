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

use maxq_protocol::ResponseCode;

use crate::{
    answer::{Action, is_outage},
    breaker::BreakerState,
    budget::RetryBudget,
    health::{BrokerHealth, Standing},
    ladder::{Fault, Ladder},
    parity,
    retry::{AttemptEnd, Outcome, Parity, RetryPolicy, Rules, Step, Stop, Target},
    route::{PublishInfo, PublishQueue},
    select::Rotation,
    time::Time,
};

/// What a plan chooses from: the present route, what is known of its brokers, and what all senders share.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// Where the topic can be written.
    pub info: &'a PublishInfo,
    /// The health of each of its brokers, in their order.
    pub health: &'a [Arc<BrokerHealth>],
    /// Whose turn it is.
    pub rotation: &'a Rotation,
    /// The producer's budget for busy answers.
    pub budget: &'a RetryBudget,
}

/// The plan of one send: a local variable of whoever carries it out.
#[derive(Clone, Debug)]
pub struct SendPlan {
    policy: RetryPolicy,
    deadline: Time,
    target: Target,
    chance: u64,
    begun: u32,
    /// Failed attempts, in order.
    tried: Vec<Tried>,
    /// The queue of the last attempt.
    queue_id: i32,
    /// The next attempt goes to the last one's queue again.
    again: bool,
    /// Microseconds that a busy broker asks us to pause; zero is none.
    pause: u32,
    /// Whether the next attempt has been paused for.
    paused: bool,
    refresh: Once,
    reconnect: Once,
    long_form: Once,
    over: bool,
    is_oneway: bool,
    outcome: Outcome,
    stored: bool,
    notice: Option<(u32, Notice)>,
}

/// A failed attempt.
#[derive(Clone, Debug)]
struct Tried {
    broker_name: Arc<str>,
    /// Whether another broker is to be preferred from now on.
    avoid: bool,
}

/// Something about a broker, by its index in the route, that a plan met while it chose and that its driver is to act
/// on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It has rested long enough: send it a heartbeat, and tell its health how that ended.
    ProbeDue,
    /// It keeps a request waiting while another broker is well: see [`BrokerHealth::open_on_suspicion`].
    Suspect,
}

/// Something that a plan does at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Once {
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
            queue_id: 0,
            again: false,
            pause: 0,
            paused: false,
            refresh: Once::Unused,
            reconnect: Once::Unused,
            long_form: Once::Unused,
            over: false,
            is_oneway: false,
            outcome: Outcome::NotSent,
            stored: false,
            notice: None,
        }
    }

    /// The same plan for a send without an answer: it tells nothing about the health of its broker.
    #[must_use]
    pub const fn oneway(mut self) -> Self {
        self.is_oneway = true;
        self.policy.retry_after_unknown = false;
        self
    }

    /// What to do at `now`.
    pub fn next(&mut self, now: Time, choice: &Choice<'_>) -> Step {
        if self.over {
            return Step::Stop(Stop::Final);
        }
        if now >= self.deadline {
            return Step::Stop(Stop::Deadline);
        }
        if self.begun >= self.attempts() {
            return Step::Stop(Stop::Attempts);
        }
        if self.refresh == Once::Wanted {
            return self.refresh(now);
        }
        if self.pause > 0 {
            let pause = Duration::from_micros(core::mem::take(&mut self.pause).into());
            if !choice.budget.withdraw() {
                self.over = true;
                return Step::Stop(Stop::Budget);
            }
            return Step::Wait(self.deadline.min(now + pause));
        }
        let Some(queue) = self.choose(now, choice) else {
            // The broker may be new: look once before the queue is refused.
            return match self.refresh {
                Once::Unused => self.refresh(now),
                _ => Step::Stop(Stop::NoSuchBroker),
            };
        };
        if self.must_pause(choice.info, queue.broker) {
            if self.stored {
                return Step::Stop(Stop::Attempts);
            }
            return Step::Wait(self.deadline.min(now + self.back_off(now)));
        }
        self.paused = false;
        self.begun += 1;
        self.queue_id = queue.queue_id;
        let share = self.share(now, choice, queue);
        // Where nothing may follow a time-out, only a dial has to leave time for another broker.
        let until = if self.policy.retry_after_unknown { share } else { self.deadline };
        Step::Try { queue, until, dial_until: share }
    }

    /// Learns how the attempt at `broker_name` ended.
    pub fn observe(&mut self, now: Time, broker_name: &Arc<str>, end: AttemptEnd) {
        let avoid = match end {
            // Over with the first answer: the common case remembers nothing, and so allocates nothing.
            AttemptEnd::Answered { action: Action::Stored, code } if code == ResponseCode::SUCCESS => None,
            AttemptEnd::Answered { action: Action::Reconnect, .. } => Some(self.reconnect != Once::Unused),
            AttemptEnd::Answered { action: Action::LongForm, .. } => Some(self.long_form != Once::Unused),
            _ => Some(true),
        };
        if let Some(avoid) = avoid {
            self.tried.push(Tried { broker_name: broker_name.clone(), avoid });
        }
        match end {
            AttemptEnd::Answered { action: Action::Stored, code } => {
                self.stored = true;
                let confirmed = code == ResponseCode::SUCCESS;
                self.over = confirmed || !self.policy.retry_when_not_stored_ok || self.is_java_async();
            }
            AttemptEnd::Answered { code, action } => {
                self.outcome = self.outcome.max(Outcome::Refused);
                match self.policy.rules {
                    Rules::Maxq => self.observe_refusal(now, action),
                    Rules::JavaSync(parity) => self.over = !parity::tries_again(parity, code),
                    Rules::JavaAsync(_) => self.over = true,
                }
            }
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

    /// Whether no attempt may follow.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// When the send ends.
    pub const fn deadline(&self) -> Time {
        self.deadline
    }

    /// What is to be done about a broker. Told once.
    pub fn take_notice(&mut self) -> Option<(usize, Notice)> {
        self.notice.take().map(|(broker, notice)| (broker as usize, notice))
    }

    /// How an attempt that ended so counts on the latency-fault ladder; `None` while that is off.
    pub fn fault(&self, end: AttemptEnd) -> Option<(&'static Ladder, Fault)> {
        if !self.policy.latency_fault {
            return None;
        }
        Some(match self.policy.rules {
            Rules::Maxq => (&Ladder::V5, healthy_fault(end)),
            Rules::JavaSync(parity) => (parity.ladder(), parity::sync_fault(parity, end)),
            Rules::JavaAsync(parity) => (parity.ladder(), parity::async_fault(end)),
        })
    }

    /// What Maxq's own rules make of an answer that is no success.
    fn observe_refusal(&mut self, now: Time, action: Action) {
        match action {
            Action::Stored | Action::OtherBroker => {}
            Action::Refused | Action::Access => self.over = true,
            Action::BackOff => self.pause = self.back_off(now).as_micros() as u32,
            Action::RefreshRoute if self.refresh == Once::Unused => self.refresh = Once::Wanted,
            Action::RefreshRoute => self.over = true,
            Action::Reconnect if self.reconnect == Once::Unused => {
                self.reconnect = Once::Used;
                self.repeat();
            }
            Action::Reconnect => {}
            Action::LongForm if self.long_form == Once::Unused => {
                self.long_form = Once::Used;
                self.repeat();
            }
            Action::LongForm => self.over = true,
        }
    }

    /// The same queue once more: the broker has not looked at the message, so the attempt does not count.
    const fn repeat(&mut self) {
        self.again = true;
        self.begun = self.begun.saturating_sub(1);
    }

    fn choose(&mut self, now: Time, choice: &Choice<'_>) -> Option<PublishQueue> {
        if core::mem::take(&mut self.again)
            && let Some(last) = self.tried.last()
            && let Some(queue) = choice.info.queue_of(&last.broker_name, self.queue_id)
        {
            return Some(queue);
        }
        if let Target::Queue { broker_name, queue_id } = &self.target {
            return choice.info.queue_of(broker_name, *queue_id);
        }
        let (parity, is_async) = match self.policy.rules {
            Rules::Maxq => return self.choose_well(now, choice),
            Rules::JavaSync(parity) => (parity, false),
            Rules::JavaAsync(parity) => (parity, true),
        };
        let last = self.tried.last().map(|tried| &*tried.broker_name);
        let (latency_fault, is_retry) = (self.policy.latency_fault, last.is_some());
        let chance = fastrand::Rng::with_seed(self.chance ^ u64::from(self.begun)).usize(..) & 0x7FFF_FFFF;
        let reset = (is_retry && !is_async).then_some(chance);
        let queue = parity::choose(parity, choice, &parity::Asked { now, last, latency_fault, reset })?;
        // `MQClientAPIImpl.onExceptionImpl` takes the name of another broker, and nothing else of its queue.
        let queue_id = if is_async && last.is_some() { self.queue_id } else { queue.queue_id };
        Some(PublishQueue { queue_id, ..queue })
    }

    /// A broker that was not tried and is well; else one that was tried and is well; else, of those that were not
    /// tried or of all, the one that rests for the shortest time.
    fn choose_well(&mut self, now: Time, choice: &Choice<'_>) -> Option<PublishQueue> {
        // Another send may be quicker to claim a trial: then this one looks again.
        for _ in 0..=choice.info.brokers().len() {
            let Some(queue) = self.choose_among_well(now, choice) else { break };
            let health = &choice.health[queue.broker];
            // A claim before the pause would keep this very send away when the pause is over.
            let claims_later = self.must_pause(choice.info, queue.broker);
            if health.standing(now) != Standing::TrialDue || claims_later || health.claim_trial(now) {
                return Some(queue);
            }
        }
        // Nobody is well: that may be our own pause, and is no reason to shut anybody out.
        self.notice = self.notice.filter(|(_, notice)| *notice != Notice::Suspect);
        let rank = |broker| (self.has_tried(choice.info, broker), self.usable_at(now, choice, broker));
        let least = (0..choice.info.brokers().len()).map(rank).min()?;
        choice.rotation.next(choice.info, |broker| rank(broker) == least)
    }

    fn choose_among_well(&mut self, now: Time, choice: &Choice<'_>) -> Option<PublishQueue> {
        let untried = choice.rotation.next(choice.info, |broker| {
            !self.has_tried(choice.info, broker) && self.may_use(now, choice, broker)
        });
        if untried.is_some() || self.tried.is_empty() {
            return untried;
        }
        choice.rotation.next(choice.info, |broker| {
            self.has_tried(choice.info, broker) && self.may_use(now, choice, broker)
        })
    }

    /// Whether `broker` is well enough for this send. What it needs beside a send is noted.
    fn may_use(&mut self, now: Time, choice: &Choice<'_>, broker: usize) -> bool {
        let health = &choice.health[broker];
        if self.policy.latency_fault && !health.rest().is_available(now) {
            return false;
        }
        match health.standing(now) {
            Standing::Good => true,
            Standing::Share(eighths) => self.roll() < u32::from(eighths),
            Standing::TrialDue if self.is_oneway => {
                if self.notice.is_none() && health.claim_trial_by_heartbeat(now) {
                    self.notice = Some((broker as u32, Notice::ProbeDue));
                }
                false
            }
            Standing::TrialDue => true,
            Standing::ProbeDue => {
                if self.notice.is_none() && health.claim_probe(now) {
                    self.notice = Some((broker as u32, Notice::ProbeDue));
                }
                false
            }
            Standing::Suspect if self.others_answer(now, choice, broker) => {
                self.notice = self.notice.or(Some((broker as u32, Notice::Suspect)));
                false
            }
            // All keep us waiting, or nobody was asked meanwhile: that may be our own pause.
            Standing::Suspect => !matches!(health.breaker(now), BreakerState::Trial { .. }),
            Standing::Resting(_) => false,
        }
    }

    /// Whether another broker has answered what was sent while this one kept us waiting.
    fn others_answer(&self, now: Time, choice: &Choice<'_>, broker: usize) -> bool {
        let health = &choice.health[broker];
        let since = health.waits_since().unwrap_or(now) + health.patience() / 2;
        let others = choice.health.iter().enumerate().filter(|(other, _)| *other != broker);
        others.into_iter().any(|(_, other)| other.has_answered_since(since))
    }

    /// When a broker that is not well may be used again.
    fn usable_at(&self, now: Time, choice: &Choice<'_>, broker: usize) -> Time {
        let health = &choice.health[broker];
        let rested = match health.standing(now) {
            Standing::Resting(until) => until,
            // It has waited out its rest, but has not answered yet.
            Standing::ProbeDue | Standing::Suspect => now + Duration::from_nanos(1),
            Standing::Good | Standing::Share(_) | Standing::TrialDue => now,
        };
        if self.policy.latency_fault { rested.max(health.rest().until()) } else { rested }
    }

    /// Until when this attempt may last, so that another broker could use a part of the time: all of the rest, if there
    /// is none.
    fn share(&self, now: Time, choice: &Choice<'_>, chosen: PublishQueue) -> Time {
        let left = self.attempts().saturating_sub(self.begun) + 1;
        if left == 1 || self.target != Target::Any {
            return self.deadline;
        }
        let rest = self.deadline.since(now);
        let share = match self.policy.rules {
            Rules::JavaSync(_) => rest,
            Rules::JavaAsync(_) => return self.deadline,
            Rules::Maxq if self.leaves_another(now, choice, chosen) => (rest / left).max(LEAST_ATTEMPT),
            Rules::Maxq => rest,
        };
        self.deadline.min(now + share.min(self.policy.longest_attempt().max(LEAST_ATTEMPT)))
    }

    /// Whether a broker is left that could use a part of the time.
    fn leaves_another(&self, now: Time, choice: &Choice<'_>, chosen: PublishQueue) -> bool {
        (0..choice.info.brokers().len()).any(|broker| {
            broker != chosen.broker
                && !self.has_tried(choice.info, broker)
                && matches!(
                    choice.health[broker].standing(now),
                    Standing::Good | Standing::Share(_) | Standing::TrialDue | Standing::Suspect
                )
        })
    }

    /// Attempts in all. Apache's synchronous send to one queue has only one.
    fn attempts(&self) -> u32 {
        match (&self.policy.rules, &self.target) {
            (Rules::JavaSync(_), Target::Queue { .. }) => 1,
            _ => self.policy.attempts.max(1),
        }
    }

    /// A fetch of the route gets a share of the time, too. It is a pause: the broker that was wrong about the route may
    /// be asked again at once, if it is the only one.
    fn refresh(&mut self, now: Time) -> Step {
        self.refresh = Once::Used;
        self.paused = true;
        let left = self.attempts().saturating_sub(self.begun) + 1;
        let share = (self.deadline.since(now) / left).max(LEAST_ATTEMPT);
        Step::Refresh { until: self.deadline.min(now + share) }
    }

    fn has_tried(&self, info: &PublishInfo, broker: usize) -> bool {
        let name = &info.brokers()[broker].name;
        self.tried.iter().any(|tried| tried.avoid && tried.broker_name == *name)
    }

    /// Trying the one broker again at once would only burn the attempts.
    fn must_pause(&self, info: &PublishInfo, broker: usize) -> bool {
        self.policy.rules == Rules::Maxq && !self.paused && self.has_tried(info, broker)
    }

    fn is_java_async(&self) -> bool {
        matches!(self.policy.rules, Rules::JavaAsync(_))
    }

    /// 0 to 7, all equally likely.
    fn roll(&mut self) -> u32 {
        self.chance().u32(..8)
    }

    /// 10 ms doubling to 320 ms, half of it by chance, at most a quarter of what is left.
    fn back_off(&mut self, now: Time) -> Duration {
        self.paused = true;
        let ceiling = FIRST_BACK_OFF * (1 << self.begun.saturating_sub(1).min(5));
        let half = ceiling / 2;
        let pause = half + half * self.chance().u32(..=100) / 100;
        pause.min(self.deadline.since(now) / 4)
    }

    fn chance(&mut self) -> fastrand::Rng {
        let mut chance = fastrand::Rng::with_seed(self.chance);
        self.chance = chance.u64(..);
        chance
    }
}

impl Parity {
    const fn ladder(self) -> &'static Ladder {
        match self {
            Self::V4_9 => &Ladder::V4_9,
            Self::V5 => &Ladder::V5,
        }
    }
}

/// Under Maxq's rules only trouble with the broker itself counts, not a refusal of one message.
fn healthy_fault(end: AttemptEnd) -> Fault {
    match end {
        AttemptEnd::Answered { code, action } => {
            let outage = action != Action::Stored && is_outage(code, "");
            Fault { isolate: outage, reachable: true }
        }
        AttemptEnd::NotSent | AttemptEnd::NoAnswer => Fault { isolate: true, reachable: false },
    }
}

/// No attempt is shorter, unless the deadline is nearer.
const LEAST_ATTEMPT: Duration = Duration::from_millis(20);
const FIRST_BACK_OFF: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests;
