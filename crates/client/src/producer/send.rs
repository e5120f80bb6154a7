//! The one path of every send: admission, route, plan, attempts.

use std::{borrow::Cow, future::Future, mem, pin::Pin, sync::Arc, time::Duration};

use maxq_policy::{
    Action, AttemptEnd, Broker, BrokerHealth, Change, Choice, Failure, Notice, PublishInfo, SendPlan, Step,
    Stop, Time, health::PATIENCE, is_outage, judge,
};
use maxq_protocol::{
    HeaderEncoding, ResponseCode, Topic,
    header::{SendBatchMessage, SendMessage, SendMessageV1, SendMessageV2},
    name::AUTO_CREATE_TOPIC,
    serialize::{SendFill, SendHead},
};

use tokio_util::sync::CancellationToken;

use super::{
    DEFAULT_TOPIC_QUEUES, Draft, MessageId, Order, Producer, SendReceipt, Shared, StoreStatus, UnderWay,
    begin::{Later, Waiting},
    failure::LastEnd,
    head::FilledHead,
    prepare::{Parcel, PreparedMessage},
    receipt::Attempts,
};
use crate::{
    Attempt, Message, MessageQueue, Phase, SendError,
    admission::Permit,
    client::Shared as SharedClient,
    error::{SendFailure, blame},
    heartbeat::Beat,
    remoting::{
        AnswerToSend, Call, CallError, Head, Taken,
        answer::{SendAnswer, Stored},
        cause::Cause,
        end_cast, end_send,
        pool::Connection,
    },
    route::Route,
};

/// Sends and waits for the answer.
pub(super) fn awaited(
    producer: Producer,
    parcel: Parcel,
    draft: Draft,
) -> impl Future<Output = Result<SendReceipt, SendError>> + std::marker::Send {
    run::<Answered>(Stage::Drafted(producer, parcel, draft))
}

/// Sends without an answer. One frame leaves at most; only what certainly did not leave is tried again.
pub(super) fn oneway(
    producer: Producer,
    message: Message,
    draft: Draft,
) -> impl Future<Output = Result<(), SendError>> + std::marker::Send {
    run::<Handed>(Stage::Drafted(producer, Parcel::One(message), draft.oneway()))
}

/// Sends a message that was admitted already, as a task of its own; see `delivery.rs`.
pub(super) fn enqueued(
    producer: Producer,
    parcel: Parcel,
    order: Order,
    permit: Permit,
) -> impl Future<Output = Result<SendReceipt, SendError>> + std::marker::Send {
    run::<Answered>(Stage::Admitted(Waiting::admitted(producer, parcel, order, permit)))
}

/// How far a send has come. Its future holds one of these, and nothing twice.
enum Stage {
    Drafted(Producer, Parcel, Draft),
    Admitted(Waiting),
    Begun(Send, Time),
    Over,
}

/// A wait for room or for a route. Boxed, since it is rare.
type Wait = Pin<Box<dyn Future<Output = Result<(Send, Time), SendFailure>> + std::marker::Send>>;

impl Stage {
    /// Begins the send, or says what it has to wait for first.
    fn begin(&mut self) -> Result<Option<Wait>, SendError> {
        let begun = match mem::replace(self, Self::Over) {
            Self::Drafted(producer, parcel, draft) => Send::begin(producer, parcel, draft),
            Self::Admitted(waiting) => {
                let now = waiting.client().clock.now();
                waiting.at_once(now)
            }
            stage @ (Self::Begun(..) | Self::Over) => {
                *self = stage;
                return Ok(None);
            }
        };
        match begun {
            Ok((send, now)) => *self = Self::Begun(send, now),
            Err(Later::Waiting(waiting)) => return Ok(Some(Box::pin(waiting.wait()))),
            Err(Later::Never(failure)) => return Err((*failure).into()),
        }
        Ok(None)
    }

    fn begun(&mut self) -> Option<(&mut Send, Time)> {
        if let Self::Begun(send, now) = self { Some((send, *now)) } else { None }
    }

    fn end(&mut self) -> Option<Send> {
        if let Self::Begun(send, _) = mem::replace(self, Self::Over) { Some(send) } else { None }
    }
}

#[expect(clippy::manual_async_fn, reason = "an async function would hold its argument twice")]
fn run<M: Mode>(mut stage: Stage) -> impl Future<Output = Result<M::Done, SendError>> + std::marker::Send {
    async move {
        if let Some(waiting) = stage.begin()? {
            let (send, now) = waiting.await?;
            stage = Stage::Begun(send, now);
        }
        let (send, now) = stage.begun().expect("it was begun just above");
        match send.drive::<M>(now).await {
            Ok(done) => Ok(done),
            Err(stopped) => M::stop(stage.end().expect("it was begun above"), stopped),
        }
    }
}

/// What a send waits for, and so what one attempt of it is.
trait Mode {
    type Done;

    /// One attempt; a value ends the send.
    fn attempt(
        send: &mut Send,
        aim: &Aim<'_>,
        began: Time,
        until: Time,
    ) -> impl Future<Output = Option<Self::Done>> + std::marker::Send;

    /// The end of a send that was stopped.
    fn stop(send: Send, stopped: Stopped) -> Result<Self::Done, SendError>;
}

/// The broker's answer.
struct Answered;

/// The socket that takes the whole frame.
struct Handed;

impl Mode for Answered {
    type Done = SendReceipt;

    fn attempt(
        send: &mut Send,
        aim: &Aim<'_>,
        began: Time,
        until: Time,
    ) -> impl Future<Output = Option<SendReceipt>> {
        send.attempt(aim, began, until)
    }

    fn stop(send: Send, stopped: Stopped) -> Result<SendReceipt, SendError> {
        send.stop(stopped)
    }
}

impl Mode for Handed {
    type Done = ();

    fn attempt(send: &mut Send, aim: &Aim<'_>, began: Time, until: Time) -> impl Future<Output = Option<()>> {
        send.cast(aim, began, until)
    }

    fn stop(send: Send, stopped: Stopped) -> Result<(), SendError> {
        Err(send.failure(stopped).into())
    }
}

/// Why a send ended without its done.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stopped {
    /// The plan says so.
    Plan(Stop),
    /// The route has gone away under it.
    NoRoute,
    /// The producer closes, and nothing is in flight.
    Closing,
}

/// One send under way. Its future is boxed once, and everything below works on this.
pub(super) struct Send {
    pub(super) topic: Topic,
    pub(super) prepared: PreparedMessage,
    pub(super) permit: Arc<Permit>,
    pub(super) route: Arc<Route>,
    pub(super) plan: SendPlan,
    pub(super) attempts: Vec<Attempt>,
    pub(super) under_way: UnderWay,
    pub(super) unanswered: bool,
    /// What the last attempt ended with, for the error's kind.
    pub(super) last: LastEnd,
    /// The unconfirmed receipt, when the policy asks for another broker after it.
    pub(super) unconfirmed: Option<Box<SendReceipt>>,
    /// Cancelled when the producer gives up what nobody waits for; only for enqueued messages.
    pub(super) closing: Option<CancellationToken>,
}

/// Where an attempt goes.
struct Aim<'b> {
    /// When its queueing begins.
    since: Time,
    dial_until: Time,
    broker: &'b Broker,
    /// Its place in the route.
    index: usize,
    queue_id: i32,
    health: &'b BrokerHealth,
}

impl Send {
    pub(super) fn client(&self) -> &SharedClient {
        self.under_way.producer.client().shared()
    }

    fn producer(&self) -> &Shared {
        self.under_way.producer.shared()
    }

    /// Carries the plan out.
    async fn drive<M: Mode>(&mut self, mut now: Time) -> Result<M::Done, Stopped> {
        loop {
            self.reload(now);
            if self.closing.as_ref().is_some_and(CancellationToken::is_cancelled) {
                return Err(Stopped::Closing);
            }
            let route = self.route.clone();
            let Ok(info) = route.publish.as_deref() else { return Err(Stopped::NoRoute) };
            match self.next(now, info, &route) {
                Step::Try { queue, until, dial_until } => {
                    let aim = Aim {
                        since: self.count_attempt(now),
                        dial_until,
                        broker: &info.brokers()[queue.broker],
                        index: queue.broker,
                        queue_id: queue.queue_id,
                        health: &route.health[queue.broker],
                    };
                    if let Some(done) = M::attempt(self, &aim, now, until).await {
                        return Ok(done);
                    }
                }
                Step::Wait(until) => Box::pin(self.rest(until)).await,
                Step::Refresh { until } => Box::pin(self.refresh(until)).await,
                Step::Stop(stop) => return Err(Stopped::Plan(stop)),
            }
            now = self.client().clock.now();
        }
    }

    /// Counts an attempt that follows a failed one; says from when it queues.
    fn count_attempt(&self, now: Time) -> Time {
        if self.attempts.is_empty() {
            return self.under_way.begun;
        }
        self.producer().tally.retries.count(self.last.reason());
        now
    }

    /// What to do now, and what is to be done about a broker on the way.
    fn next(&mut self, now: Time, info: &PublishInfo, route: &Route) -> Step {
        let (rotation, budget) = (&*route.rotation, &self.under_way.producer.shared().budget);
        let step = self.plan.next(now, &Choice { info, health: &route.health, rotation, budget });
        if let Some((broker, notice)) = self.plan.take_notice() {
            let address = &info.brokers()[broker].address;
            match notice {
                Notice::ProbeDue => self.client().pulse.ask(Beat::Again(address.clone())),
                Notice::Suspect => self.tell(address, route.health[broker].open_on_suspicion(now)),
            }
        }
        step
    }

    /// One attempt; a receipt ends the send.
    async fn attempt(&mut self, aim: &Aim<'_>, began: Time, until: Time) -> Option<SendReceipt> {
        let result = match self.connection(aim).await {
            Ok(connection) => match self.begin_send(&connection, aim, until) {
                Ok(answer) => end_send(connection, answer).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        let now = self.client().clock.now();
        let attempt = self.attempt_at(aim, now.since(began));
        match result {
            Ok(answer) => self.observe_answer(now, aim, attempt, answer),
            Err(error) => {
                self.observe_silence(now, aim, attempt, &error);
                None
            }
        }
    }

    /// One one-way attempt; a value ends the send.
    async fn cast(&mut self, aim: &Aim<'_>, began: Time, until: Time) -> Option<()> {
        let result = match self.connection(aim).await {
            Ok(connection) => match self.begin_cast(&connection, aim, until) {
                Ok(taken) => end_cast(taken).await,
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        let Err(error) = result else {
            self.under_way.handed_over();
            return Some(());
        };
        let now = self.client().clock.now();
        let attempt = self.attempt_at(aim, now.since(began));
        self.observe_silence(now, aim, attempt, &error);
        None
    }

    fn begin_send(
        &self,
        connection: &Connection,
        aim: &Aim<'_>,
        until: Time,
    ) -> Result<AnswerToSend, CallError> {
        let remoting = &self.client().remoting;
        if let Some(filled) = self.filled_head(aim) {
            return remoting.begin_send(connection, self.call(&filled, aim.since, until));
        }
        let properties = self.prepared.properties();
        let header = self.header(&aim.broker.name, aim.queue_id, &properties);
        if self.prepared.is_batch() {
            remoting.begin_send(connection, self.call(&SendBatchMessage(header), aim.since, until))
        } else if aim.health.speaks_v1() {
            remoting.begin_send(connection, self.call(&SendMessageV1(header), aim.since, until))
        } else {
            remoting.begin_send(connection, self.call(&SendMessageV2(header), aim.since, until))
        }
    }

    fn begin_cast(&self, connection: &Connection, aim: &Aim<'_>, until: Time) -> Result<Taken, CallError> {
        let remoting = &self.client().remoting;
        if let Some(filled) = self.filled_head(aim) {
            return remoting.begin_cast(connection, self.call(&filled, aim.since, until));
        }
        let properties = self.prepared.properties();
        let header = self.header(&aim.broker.name, aim.queue_id, &properties);
        if aim.health.speaks_v1() {
            remoting.begin_cast(connection, self.call(&SendMessageV1(header), aim.since, until))
        } else {
            remoting.begin_cast(connection, self.call(&SendMessageV2(header), aim.since, until))
        }
    }

    /// The usual head, a send with one-letter names as JSON, which was written before and is filled now.
    fn filled_head(&self, aim: &Aim<'_>) -> Option<FilledHead<'_>> {
        let properties = self.prepared.sent_properties()?;
        if aim.health.speaks_v1() || self.client().remoting.encoding() != HeaderEncoding::Json {
            return None;
        }
        let make = || SendHead::new(&self.header(&aim.broker.name, aim.queue_id, ""));
        let head = self.route.heads.of(aim.index, &self.producer().group, make)?;
        let fill = SendFill {
            queue_id: aim.queue_id,
            sys_flag: self.prepared.sys_flag,
            born_timestamp: self.prepared.born_timestamp,
            flag: self.prepared.flag(),
            properties,
        };
        Some(FilledHead { head, fill })
    }

    /// The connection to the queue's broker. From here until the attempt has ended, a cancelled caller leaves an
    /// unknown outcome.
    async fn connection(&mut self, aim: &Aim<'_>) -> Result<Arc<Connection>, CallError> {
        let remoting = &self.client().remoting;
        let connection = match remoting.open(&aim.broker.address) {
            Some(connection) => connection,
            None => {
                let dialled = remoting.connection(&aim.broker.address, aim.dial_until);
                let dialled = unless(self.closing.as_ref(), dialled);
                // Boxed: a send nearly always finds an open connection.
                let gave_up = || CallError { phase: Phase::Connect, cause: Arc::new(Cause::Closed) };
                Box::pin(dialled).await.unwrap_or_else(|| Err(gave_up()))?
            }
        };
        self.under_way.attempt();
        Ok(connection)
    }

    async fn rest(&self, until: Time) {
        let sleep = tokio::time::sleep_until(self.client().clock.instant(until));
        let _ = unless(self.closing.as_ref(), sleep).await;
    }

    fn call<'b, R: Head>(&self, header: &'b R, since: Time, until: Time) -> Call<'b, R> {
        Call::new(header, until).prompt().body(self.prepared.body.clone()).paid_by(&self.permit, since)
    }

    fn header<'b>(&'b self, broker_name: &'b str, queue_id: i32, properties: &'b str) -> SendMessage<'b> {
        SendMessage {
            producer_group: Cow::Borrowed(self.producer().group.as_str()),
            topic: Cow::Borrowed(self.topic.as_str()),
            default_topic: Cow::Borrowed(AUTO_CREATE_TOPIC),
            default_topic_queue_nums: DEFAULT_TOPIC_QUEUES,
            queue_id,
            sys_flag: self.prepared.sys_flag,
            born_timestamp: self.prepared.born_timestamp,
            flag: self.prepared.flag(),
            properties: Cow::Borrowed(properties),
            reconsume_times: Some(0),
            unit_mode: Some(false),
            max_reconsume_times: None,
            batch: Some(self.prepared.is_batch()),
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
        answer: SendAnswer,
    ) -> Option<SendReceipt> {
        let (code, remark) = (answer.code(), answer.remark().unwrap_or_default());
        let action = match judge(code, remark) {
            // A batch has one form only.
            Action::LongForm if self.prepared.is_batch() => Action::Refused,
            action => action,
        };
        attempt.code = Some(code.0);
        attempt.remark = answer.remark().map(Into::into);
        if action != Action::Stored {
            if is_outage(code, remark) {
                self.blame_broker(now, aim, &attempt, Failure::Other);
            } else {
                self.tell(&attempt.address, aim.health.observe_success(now, attempt.elapsed));
            }
            if action == Action::LongForm {
                aim.health.set_speaks_v1();
            }
            self.last = LastEnd::Answered(action, blame::of_answer(code, remark));
            self.end(now, aim, attempt, AttemptEnd::Answered { code, action });
            return None;
        }
        self.tell(&attempt.address, aim.health.observe_success(now, attempt.elapsed));
        let Some(stored) = answer.into_stored() else {
            attempt.remark = Some("the answer says success, but not where the message is stored".into());
            self.last = LastEnd::BadAnswer;
            self.unanswered = true;
            self.end(now, aim, attempt, AttemptEnd::NoAnswer);
            return None;
        };
        self.producer().budget.deposit();
        let end = AttemptEnd::Answered { code, action };
        self.climb(now, aim, &attempt, end);
        self.plan.observe(now, &attempt.broker, end);
        self.under_way.stored(now);
        let status = StoreStatus::from_code(code);
        if self.plan.is_over() {
            return Some(self.receipt(attempt, stored, status));
        }
        let receipt = Box::new(self.receipt(attempt.clone(), stored, status));
        self.attempts = receipt.attempts().to_vec();
        self.last = LastEnd::None;
        self.unconfirmed.get_or_insert(receipt);
        None
    }

    fn observe_silence(&mut self, now: Time, aim: &Aim<'_>, mut attempt: Attempt, error: &CallError) {
        attempt.phase = error.phase;
        attempt.remark = Some(error.cause.to_string().into());
        let end = if error.phase == Phase::Answer { AttemptEnd::NoAnswer } else { AttemptEnd::NotSent };
        self.unanswered |= end == AttemptEnd::NoAnswer;
        self.last = LastEnd::Silent(self.client().blame(&attempt.address, error));
        // A lost connection and a failed dial have been told by who owned them. And an attempt that had little time
        // says nothing about its broker.
        if matches!(*error.cause, Cause::TimedOut) && attempt.elapsed >= PATIENCE {
            self.blame_broker(now, aim, &attempt, Failure::Other);
        }
        // The broker may be gone, and the route may know it already.
        self.client().routes.report(&self.topic, self.route.version);
        self.end(now, aim, attempt, end);
    }

    fn blame_broker(&self, now: Time, aim: &Aim<'_>, attempt: &Attempt, failure: Failure) {
        let began = now - attempt.elapsed;
        self.tell(&attempt.address, aim.health.observe_failure(now, began, failure));
    }

    /// Tells what became of the broker at an address of the route. Mostly nothing did.
    fn tell(&self, address: &Arc<str>, change: Option<Change>) {
        if change.is_some() {
            let client = self.client();
            client.announcer.healths.tell(&client.remoting.target(address), change);
        }
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
        if let Some(route) = self.client().routes.known(&self.topic, self.producer().wish(), now) {
            self.route = route;
        }
    }

    async fn refresh(&mut self, until: Time) {
        let (wish, seen) = (self.producer().wish(), Some(self.route.version));
        let newer = self.client().routes.need(&self.topic, wish, seen, until);
        match unless(self.closing.as_ref(), newer).await {
            Some(Ok(route)) => self.route = route,
            Some(Err(error)) => tracing::debug!(topic = %self.topic, %error, "refresh failed"),
            None => {}
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

    fn stop(mut self, stopped: Stopped) -> Result<SendReceipt, SendError> {
        match self.settle() {
            Some(receipt) => Ok(receipt),
            None => Err(self.failure(stopped).into()),
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

/// Waits for `future`, unless the token is cancelled first.
pub(super) async fn unless<F: Future>(closing: Option<&CancellationToken>, future: F) -> Option<F::Output> {
    match closing {
        Some(closing) => closing.run_until_cancelled(future).await,
        None => Some(future.await),
    }
}
