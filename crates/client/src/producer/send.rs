//! The one path of every send: admission, route, plan, attempts.

use std::{borrow::Cow, sync::Arc, time::Duration};

use maxq_policy::{
    Action, AttemptEnd, Broker, BrokerHealth, Choice, Failure, Notice, PublishInfo, SendPlan, Step, Stop,
    Time, is_outage, judge,
};
use maxq_protocol::{
    RemotingCommand, Request, ResponseCode, Topic,
    header::{SendMessage, SendMessageV1, SendMessageV2},
    name::AUTO_CREATE_TOPIC,
};

use super::{
    DEFAULT_TOPIC_QUEUES, MessageId, Order, Producer, SendReceipt, Shared, StoreStatus, UnderWay,
    begin::Later, failure::LastEnd, prepare::PreparedMessage, receipt::Attempts,
};
use crate::{
    Attempt, Message, MessageQueue, Phase, SendError,
    admission::Permit,
    client::Shared as SharedClient,
    error::blame,
    health::log,
    heartbeat::Beat,
    remoting::{Answer, Call, CallError, Taken, cause::Cause, end_call, end_cast, pool::Connection},
    route::Route,
};

/// Sends and waits for the answer.
pub(super) async fn awaited(
    producer: Producer,
    message: Message,
    order: Order,
) -> Result<SendReceipt, SendError> {
    let (mut send, mut now) = match Send::begin(&producer, message, order) {
        Ok(begun) => begun,
        Err(Later::Waiting(waiting)) => Box::pin(waiting.wait()).await?,
        Err(Later::Never(failure)) => return Err((*failure).into()),
    };
    loop {
        send.reload(now);
        let route = send.route.clone();
        let Ok(info) = route.publish.as_deref() else { return send.no_route() };
        match send.next(now, info, &route) {
            Step::Try { queue, until } => {
                let aim = Aim {
                    broker: &info.brokers()[queue.broker],
                    queue_id: queue.queue_id,
                    health: &route.health[queue.broker],
                };
                if let Some(receipt) = send.attempt(&aim, now, until).await {
                    return Ok(receipt);
                }
            }
            Step::Wait(until) => tokio::time::sleep_until(send.client.clock.instant(until)).await,
            Step::Refresh => Box::pin(send.refresh()).await,
            Step::Stop(stop) => return send.stop(stop),
        }
        now = send.client.clock.now();
    }
}

/// Sends without an answer. One frame leaves at most; only what certainly did not leave is tried again.
pub(super) async fn oneway(producer: Producer, message: Message, mut order: Order) -> Result<(), SendError> {
    order.policy.retry_after_unknown = false;
    let (mut send, mut now) = match Send::begin(&producer, message, order) {
        Ok(begun) => begun,
        Err(Later::Waiting(waiting)) => Box::pin(waiting.wait()).await?,
        Err(Later::Never(failure)) => return Err((*failure).into()),
    };
    loop {
        send.reload(now);
        let route = send.route.clone();
        let Ok(info) = route.publish.as_deref() else { return send.no_route().map(drop) };
        match send.next(now, info, &route) {
            Step::Try { queue, until } => {
                let aim = Aim {
                    broker: &info.brokers()[queue.broker],
                    queue_id: queue.queue_id,
                    health: &route.health[queue.broker],
                };
                if send.cast(&aim, now, until).await {
                    return Ok(());
                }
            }
            Step::Wait(until) => tokio::time::sleep_until(send.client.clock.instant(until)).await,
            Step::Refresh => Box::pin(send.refresh()).await,
            Step::Stop(stop) => return Err(send.failure(stop).into()),
        }
        now = send.client.clock.now();
    }
}

/// One send under way. Its future is boxed once, and everything below works on this.
pub(super) struct Send<'a> {
    pub(super) client: &'a SharedClient,
    pub(super) producer: &'a Shared,
    pub(super) topic: Topic,
    pub(super) prepared: PreparedMessage,
    pub(super) permit: Arc<Permit>,
    pub(super) route: Arc<Route>,
    pub(super) plan: SendPlan,
    pub(super) attempts: Vec<Attempt>,
    pub(super) under_way: UnderWay<'a>,
    pub(super) unanswered: bool,
    /// What the last attempt ended with, for the error's kind.
    pub(super) last: LastEnd,
    /// The unconfirmed receipt, when the policy asks for another broker after it.
    pub(super) unconfirmed: Option<Box<SendReceipt>>,
}

/// Where an attempt goes.
struct Aim<'b> {
    broker: &'b Broker,
    queue_id: i32,
    health: &'b BrokerHealth,
}

impl<'a> Send<'a> {
    /// What to do now, and what is to be done about a broker on the way.
    fn next(&mut self, now: Time, info: &PublishInfo, route: &Route) -> Step {
        let (rotation, budget) = (&*route.rotation, &self.producer.budget);
        let step = self.plan.next(now, &Choice { info, health: &route.health, rotation, budget });
        if let Some((broker, notice)) = self.plan.take_notice() {
            let address = &info.brokers()[broker].address;
            match notice {
                Notice::ProbeDue => self.client.pulse.ask(Beat::Again(address.clone())),
                Notice::Suspect => log(address, route.health[broker].open_on_suspicion(now)),
            }
        }
        step
    }

    /// One attempt; a receipt ends the send.
    async fn attempt(&mut self, aim: &Aim<'_>, began: Time, until: Time) -> Option<SendReceipt> {
        let result = match self.connection(aim, until).await {
            Ok(connection) => match self.begin_call(&connection, aim, until) {
                Ok(answer) => end_call(connection, answer).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        let now = self.client.clock.now();
        let attempt = self.attempt_at(aim, now.since(began));
        match result {
            Ok(answer) => self.observe_answer(now, aim, attempt, &answer),
            Err(error) => {
                self.observe_silence(now, aim, attempt, &error);
                None
            }
        }
    }

    /// One one-way attempt; true ends the send.
    async fn cast(&mut self, aim: &Aim<'_>, began: Time, until: Time) -> bool {
        let result = match self.connection(aim, until).await {
            Ok(connection) => match self.begin_cast(&connection, aim, until) {
                Ok(taken) => end_cast(taken).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        // What the broker makes of a message that was taken, nobody knows: it stays counted as unknown.
        let Err(error) = result else { return true };
        let now = self.client.clock.now();
        let attempt = self.attempt_at(aim, now.since(began));
        self.observe_silence(now, aim, attempt, &error);
        false
    }

    fn begin_call(&self, connection: &Connection, aim: &Aim<'_>, until: Time) -> Result<Answer, CallError> {
        let header = self.header(&aim.broker.name, aim.queue_id);
        let remoting = &self.client.remoting;
        if aim.health.speaks_v1() {
            remoting.begin_call(connection, self.call(&SendMessageV1(header), until))
        } else {
            remoting.begin_call(connection, self.call(&SendMessageV2(header), until))
        }
    }

    fn begin_cast(&self, connection: &Connection, aim: &Aim<'_>, until: Time) -> Result<Taken, CallError> {
        let header = self.header(&aim.broker.name, aim.queue_id);
        let remoting = &self.client.remoting;
        if aim.health.speaks_v1() {
            remoting.begin_cast(connection, self.call(&SendMessageV1(header), until))
        } else {
            remoting.begin_cast(connection, self.call(&SendMessageV2(header), until))
        }
    }

    /// The connection to the queue's broker. From here until the attempt has ended, a cancelled caller leaves an
    /// unknown outcome.
    async fn connection(&mut self, aim: &Aim<'_>, until: Time) -> Result<Arc<Connection>, CallError> {
        let connection = self.client.remoting.connection(&aim.broker.address, until).await?;
        self.under_way.attempt();
        Ok(connection)
    }

    fn call<'b, R: Request>(&self, header: &'b R, until: Time) -> Call<'b, R> {
        Call::new(header, until).body(self.prepared.body.clone()).paid_by(&self.permit)
    }

    fn header<'b>(&'b self, broker_name: &'b str, queue_id: i32) -> SendMessage<'b> {
        SendMessage {
            producer_group: Cow::Borrowed(self.producer.group.as_str()),
            topic: Cow::Borrowed(self.topic.as_str()),
            default_topic: Cow::Borrowed(AUTO_CREATE_TOPIC),
            default_topic_queue_nums: DEFAULT_TOPIC_QUEUES,
            queue_id,
            sys_flag: self.prepared.sys_flag,
            born_timestamp: self.prepared.born_timestamp,
            flag: self.prepared.message.flag_value(),
            properties: Cow::Borrowed(&self.prepared.properties),
            reconsume_times: Some(0),
            unit_mode: Some(false),
            max_reconsume_times: None,
            batch: Some(false),
            broker_name: Some(Cow::Borrowed(broker_name)),
        }
    }

    fn attempt_at(&self, aim: &Aim<'_>, elapsed: Duration) -> Attempt {
        let broker = aim.broker;
        Attempt {
            broker: broker.name.clone(),
            address: broker.address.clone(),
            queue_id: aim.queue_id,
            phase: Phase::Answer,
            elapsed,
            code: None,
            remark: None,
        }
    }

    fn observe_answer(
        &mut self,
        now: Time,
        aim: &Aim<'_>,
        mut attempt: Attempt,
        answer: &RemotingCommand,
    ) -> Option<SendReceipt> {
        let (code, remark) = (answer.response_code(), answer.remark.as_deref().unwrap_or_default());
        let action = judge(code, remark);
        attempt.code = Some(code.0);
        attempt.remark = answer.remark.as_deref().map(Into::into);
        if action != Action::Stored {
            if is_outage(code, remark) {
                self.blame_broker(now, aim, &attempt, Failure::Other);
            } else {
                log(&attempt.address, aim.health.observe_success(now, attempt.elapsed));
            }
            if action == Action::LongForm {
                aim.health.set_speaks_v1();
            }
            self.last = LastEnd::Answered(action, blame::of_answer(code, remark));
            self.end(now, aim, attempt, AttemptEnd::Answered { code, action });
            return None;
        }
        log(&attempt.address, aim.health.observe_success(now, attempt.elapsed));
        let Some(stored) = Stored::read(answer) else {
            attempt.remark = Some("the answer says success, but not where the message is stored".into());
            self.last = LastEnd::BadAnswer;
            self.unanswered = true;
            self.end(now, aim, attempt, AttemptEnd::NoAnswer);
            return None;
        };
        self.producer.budget.deposit();
        let end = AttemptEnd::Answered { code, action };
        self.climb(now, aim, &attempt, end);
        self.plan.observe(now, &attempt.broker, end);
        self.under_way.stored();
        let status = StoreStatus::from_code(code);
        if self.plan.is_over() {
            return Some(self.receipt(attempt, stored, status));
        }
        let receipt = Box::new(self.receipt(attempt.clone(), stored, status));
        self.attempts = receipt.attempts().to_vec();
        self.unconfirmed.get_or_insert(receipt);
        None
    }

    fn observe_silence(&mut self, now: Time, aim: &Aim<'_>, mut attempt: Attempt, error: &CallError) {
        attempt.phase = error.phase;
        attempt.remark = Some(error.cause.to_string().into());
        let end = if error.phase == Phase::Answer { AttemptEnd::NoAnswer } else { AttemptEnd::NotSent };
        self.unanswered |= end == AttemptEnd::NoAnswer;
        self.last = LastEnd::Silent(self.client.blame(&attempt.address, error));
        // A lost connection and a failed dial have been told by who owned them. And an attempt that had little time
        // says nothing about its broker.
        if matches!(*error.cause, Cause::TimedOut) && attempt.elapsed >= aim.health.patience() {
            self.blame_broker(now, aim, &attempt, Failure::Other);
        }
        // The broker may be gone, and the route may know it already.
        self.client.routes.report(&self.topic, self.route.version);
        self.end(now, aim, attempt, end);
    }

    fn blame_broker(&self, now: Time, aim: &Aim<'_>, attempt: &Attempt, failure: Failure) {
        let began = now - attempt.elapsed;
        log(&attempt.address, aim.health.observe_failure(now, began, failure));
    }

    /// A failed attempt: the plan and the ladder learn of it, and it is kept.
    fn end(&mut self, now: Time, aim: &Aim<'_>, attempt: Attempt, end: AttemptEnd) {
        self.climb(now, aim, &attempt, end);
        self.plan.observe(now, &attempt.broker, end);
        self.note(attempt);
    }

    /// The latency-fault ladder, where it is on.
    fn climb(&self, now: Time, aim: &Aim<'_>, attempt: &Attempt, end: AttemptEnd) {
        if let Some((ladder, fault)) = self.plan.fault(end) {
            aim.health.rest().update(now, ladder, attempt.elapsed, fault);
        }
    }

    fn note(&mut self, attempt: Attempt) {
        tracing::debug!(topic = %self.topic, %attempt, "attempt failed");
        self.attempts.push(attempt);
        self.under_way.observe(self.plan.outcome());
    }

    /// After a failed attempt, takes a newer route if there is one.
    fn reload(&mut self, now: Time) {
        if self.attempts.is_empty() {
            return;
        }
        if let Some(route) = self.client.routes.known(&self.topic, self.producer.wish(), now) {
            self.route = route;
        }
    }

    async fn refresh(&mut self) {
        let wish = self.producer.wish();
        let newer =
            self.client.routes.need(&self.topic, wish, Some(self.route.version), self.plan.deadline()).await;
        match newer {
            Ok(route) => self.route = route,
            Err(error) => tracing::debug!(topic = %self.topic, %error, "refresh failed"),
        }
    }

    fn receipt(&mut self, attempt: Attempt, stored: Stored, status: StoreStatus) -> SendReceipt {
        let broker_name = attempt.broker.clone();
        let attempts = if self.attempts.is_empty() {
            Attempts::One(attempt)
        } else {
            self.attempts.push(attempt);
            Attempts::Many(self.attempts.as_slice().into())
        };
        SendReceipt {
            message_id: MessageId::new(self.prepared.unique_id()),
            offset_id: stored.offset_id,
            queue: MessageQueue::new(self.topic.shared(), broker_name, stored.queue_id),
            queue_offset: stored.queue_offset,
            status,
            attempts,
            maybe_duplicate: self.unanswered || self.unconfirmed.is_some(),
            created_from_default_topic: self.route.is_default(),
        }
    }

    fn stop(mut self, stop: Stop) -> Result<SendReceipt, SendError> {
        match self.settle() {
            Some(receipt) => Ok(receipt),
            None => Err(self.failure(stop).into()),
        }
    }

    /// The unconfirmed receipt, when another broker did not confirm either; it knows of what was tried since.
    pub(super) fn settle(&mut self) -> Option<SendReceipt> {
        let mut receipt = *self.unconfirmed.take()?;
        let stored = self.attempts.iter().filter(|attempt| {
            attempt.code.is_some_and(|code| judge(ResponseCode(code), "") == Action::Stored)
        });
        receipt.maybe_duplicate |= self.unanswered || stored.count() > 1;
        receipt.attempts = Attempts::Many(self.attempts.as_slice().into());
        Some(receipt)
    }
}

/// What a broker says of a stored message. Read by hand from the fields: this is the way of every answer.
struct Stored {
    offset_id: String,
    queue_id: i32,
    queue_offset: u64,
}

impl Stored {
    fn read(answer: &RemotingCommand) -> Option<Self> {
        Some(Self {
            offset_id: answer.ext.get("msgId")?.to_owned(),
            queue_id: answer.ext.get("queueId")?.parse().ok()?,
            queue_offset: answer.ext.get("queueOffset")?.parse().ok()?,
        })
    }
}
