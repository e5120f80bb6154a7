//! What the tests of plans play on: a route, its brokers' health, and made-up time.

use alloc::{sync::Arc, vec::Vec};
use core::time::Duration;

use maxq_protocol::ResponseCode;

use crate::{
    answer::judge,
    budget::RetryBudget,
    health::BrokerHealth,
    ladder::{Fault, Ladder},
    plan::{Choice, SendPlan},
    retry::{AttemptEnd, RetryPolicy, Step, Target},
    route::{PublishInfo, PublishQueue, tests::info_of},
    select::Rotation,
    time::Time,
};

pub(crate) const AT: Time = Time::START;
pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) struct Stage {
    pub(crate) info: PublishInfo,
    pub(crate) health: Vec<Arc<BrokerHealth>>,
    pub(crate) rotation: Rotation,
    pub(crate) budget: RetryBudget,
}

impl Stage {
    pub(crate) fn new(brokers: &[(&str, i32)]) -> Self {
        let info = info_of(brokers);
        let health = (0..brokers.len()).map(|seed| Arc::new(BrokerHealth::new(seed as u64))).collect();
        Self { info, health, rotation: Rotation::default(), budget: RetryBudget::new() }
    }

    pub(crate) fn choice(&self) -> Choice<'_> {
        Choice { info: &self.info, health: &self.health, rotation: &self.rotation, budget: &self.budget }
    }

    pub(crate) fn name(&self, queue: PublishQueue) -> Arc<str> {
        self.info.brokers()[queue.broker].name.clone()
    }

    /// The broker has shown this latency, in milliseconds.
    pub(crate) fn rested(&self, broker: usize, ladder: &Ladder, latency: u64, fault: Fault) {
        self.health[broker].rest().update(AT, ladder, Duration::from_millis(latency), fault);
    }
}

/// A plan of 3 s.
pub(crate) fn plan(policy: RetryPolicy) -> SendPlan {
    SendPlan::new(policy, AT + 3 * SECOND, Target::Any, 7)
}

pub(crate) fn tried(step: Step) -> (PublishQueue, Time) {
    match step {
        Step::Try { queue, until, .. } => (queue, until),
        other => panic!("expected an attempt, got {other:?}"),
    }
}

pub(crate) fn answered(code: i32) -> AttemptEnd {
    let code = ResponseCode(code);
    AttemptEnd::Answered { code, action: judge(code, "") }
}
