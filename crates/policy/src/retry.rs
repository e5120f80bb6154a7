//! When a send tries again: what can be set, what a plan says, and what it is told.

use alloc::sync::Arc;
use core::time::Duration;

use maxq_protocol::ResponseCode;

use crate::{answer::Action, route::PublishQueue, time::Time};

/// When a send tries again.
///
/// ```
/// use core::time::Duration;
/// use maxq_policy::RetryPolicy; // maxq::RetryPolicy
///
/// let patient = RetryPolicy::default().attempts(5).attempt_timeout(Duration::from_millis(500));
/// let at_most_once = RetryPolicy::never_after_unknown();
/// assert!(patient.retry_after_unknown && !at_most_once.retry_after_unknown);
/// ```
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
    /// Milliseconds, `u32::MAX` is none: sends carry their policy, so it is kept small.
    pub(crate) attempt_millis: u32,
    /// Whether a broker that was slow rests for a while, by Apache's ladder (`sendLatencyFaultEnable`). Default no.
    pub latency_fault: bool,
    /// Whose rules choose brokers and decide what is tried again. Default Maxq's own.
    pub rules: Rules,
}

/// Whose rules a plan follows.
///
/// ```
/// use maxq_policy::{Parity, RetryPolicy, Rules}; // maxq::{Parity, RetryPolicy, Rules}
///
/// assert_eq!(RetryPolicy::default().rules, Rules::Maxq);
/// assert_eq!(RetryPolicy::java_sync(Parity::V5).rules, Rules::JavaSync(Parity::V5));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rules {
    /// Maxq's: brokers that were tried or are unwell are avoided, every attempt leaves time for another one.
    #[default]
    Maxq,
    /// Those of Apache's `send(message)`.
    JavaSync(Parity),
    /// Those of Apache's `send(message, callback)`: only trouble of the connection is tried again, on another broker
    /// but with the queue id of the first choice.
    JavaAsync(Parity),
}

/// Which of Apache's clients.
///
/// ```
/// use maxq_policy::{Parity, RetryPolicy}; // maxq::{Parity, RetryPolicy}
///
/// // As the synchronous send of Apache's client 4.9, its ladder for slow brokers on.
/// let policy = RetryPolicy::java_sync(Parity::V4_9).latency_fault(true);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Parity {
    /// 4.9.
    V4_9,
    /// 5.1.4 and later.
    V5,
}

impl RetryPolicy {
    const DEFAULT: Self = Self {
        attempts: 3,
        retry_after_unknown: true,
        retry_when_not_stored_ok: false,
        attempt_millis: u32::MAX,
        latency_fault: false,
        rules: Rules::Maxq,
    };

    /// One attempt, whatever happens.
    pub const fn none() -> Self {
        Self { attempts: 1, retry_after_unknown: false, ..Self::DEFAULT }
    }

    /// The default, but a send without an answer ends there: the message is stored at most once.
    pub const fn never_after_unknown() -> Self {
        Self { retry_after_unknown: false, ..Self::DEFAULT }
    }

    /// The rules of Apache's `send(message)`, for who must behave exactly as it does: the first attempt may spend the
    /// whole deadline, there is no pause, and only the broker of the last attempt is avoided.
    pub const fn java_sync(parity: Parity) -> Self {
        Self { rules: Rules::JavaSync(parity), ..Self::DEFAULT }
    }

    /// The rules of Apache's `send(message, callback)`.
    pub const fn java_async(parity: Parity) -> Self {
        Self { rules: Rules::JavaAsync(parity), ..Self::DEFAULT }
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

    /// The same policy with a longest time for each attempt but the last, in whole milliseconds. Default none: an
    /// attempt gets its share of the deadline (Apache's `sendMsgMaxTimeoutPerRequest`).
    #[must_use]
    pub const fn attempt_timeout(mut self, longest: Duration) -> Self {
        let millis = longest.as_millis();
        self.attempt_millis = if millis < u32::MAX as u128 { millis as u32 } else { u32::MAX };
        self
    }

    /// The longest that an attempt may take while another is left.
    pub(crate) const fn longest_attempt(&self) -> Duration {
        Duration::from_millis(self.attempt_millis as u64)
    }

    /// The same policy, with Apache's latency-fault ladder or without.
    #[must_use]
    pub const fn latency_fault(mut self, on: bool) -> Self {
        self.latency_fault = on;
        self
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::DEFAULT
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
        /// When to give up waiting for a connection; not after `until`.
        dial_until: Time,
    },
    /// Wait until then, and ask again.
    Wait(Time),
    /// Fetch the route anew, waiting no longer than this, and ask again.
    Refresh {
        /// When to go on with the old one.
        until: Time,
    },
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
    /// Brokers are busy, and the producer has tried again too often of late.
    Budget,
    /// The wanted queue's broker is not in the route.
    NoSuchBroker,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The broker answered.
    Answered {
        /// Its code.
        code: ResponseCode,
        /// What the answer means.
        action: Action,
    },
    /// Nothing, or not the whole frame, reached the broker.
    NotSent,
    /// The frame left, and no answer came.
    NoAnswer,
}

/// What is known of a message after a failed send.
///
/// ```
/// use maxq_policy::Outcome; // maxq::Outcome
///
/// // The worst attempt decides.
/// assert!(Outcome::Unknown > Outcome::Refused && Outcome::Refused > Outcome::NotSent);
/// ```
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
