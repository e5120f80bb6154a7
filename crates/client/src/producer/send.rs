//! The one path of every send: admission, route, plan, attempts.

use std::{borrow::Cow, sync::Arc};

use maxq_policy::{
    Action, AttemptEnd, Origin, Outcome, PublishInfo, PublishQueue, SendPlan, Step, Stop, Time, judge,
};
use maxq_protocol::{
    RemotingCommand, ResponseCode, Topic,
    header::{SendMessage, SendMessageV2},
    name::AUTO_CREATE_TOPIC,
};

use super::{
    DEFAULT_TOPIC_QUEUES, MessageId, Order, Producer, SendReceipt, Shared, StoreStatus, UnderWay,
    prepare::{PreparedMessage, Unfit, prepare, sendable_topic},
    receipt::Attempts,
};
use crate::{
    Attempt, ErrorCode, Message, MessageQueue, Phase, SendError, SendErrorKind,
    admission::{Full, Permit},
    client::Shared as SharedClient,
    error::{RouteError, SendFailure, route::protocol_code},
    remoting::{Call, CallError, cause::Cause, end_call, end_cast, pool::Connection},
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
        let Ok(info) = send.route.publish_info().cloned() else { return send.no_route() };
        match send.plan.next(now, &info, &send.route.rotation) {
            Step::Try { queue, until } => {
                if let Some(receipt) = send.attempt(&info, queue, now, until).await {
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
        let Ok(info) = send.route.publish_info().cloned() else { return send.no_route().map(drop) };
        match send.plan.next(now, &info, &send.route.rotation) {
            Step::Try { queue, until } => {
                if send.cast(&info, queue, now, until).await {
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
struct Send<'a> {
    client: &'a SharedClient,
    producer: &'a Shared,
    topic: Topic,
    prepared: PreparedMessage,
    permit: Arc<Permit>,
    route: Arc<Route>,
    plan: SendPlan,
    attempts: Vec<Attempt>,
    under_way: UnderWay<'a>,
    unanswered: bool,
    /// What the last attempt ended with, for the error's kind.
    last: LastEnd,
    /// The unconfirmed receipt, when the policy asks for another broker after it.
    unconfirmed: Option<Box<SendReceipt>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LastEnd {
    None,
    Connect,
    NotWritten,
    NoAnswer,
    Answered(Action, ResponseCode),
    BadAnswer,
    /// The peer speaks another protocol.
    Foreign,
}

impl<'a> Send<'a> {
    /// Everything before the first attempt, where there is room and the route is known.
    fn begin(producer: &'a Producer, message: Message, order: Order) -> Result<(Self, Time), Later<'a>> {
        if producer.shared().admission.is_closed() {
            // It never was under way, so that a closing producer does not count it.
            return Err(Later::Never(Box::new(not_admitted(Full::Closed, message))));
        }
        let waiting = Waiting { producer, under_way: producer.shared().begin(), message, order };
        let (client, shared) = (producer.client().shared(), producer.shared());
        let now = client.clock.now();
        // A topic in the snapshot is valid: the common case checks and copies no name.
        let Some(route) = client.routes.known(waiting.message.topic(), shared.wish(), now) else {
            return Err(Later::Waiting(waiting));
        };
        let topic = match &route.publish {
            Ok(info) if !info.topic().is_send_forbidden() => info.topic().clone(),
            _ => return Err(Later::Waiting(waiting)),
        };
        let Ok(permit) = shared.admission.try_admit(waiting.message.body().len()) else {
            return Err(Later::Waiting(waiting));
        };
        match waiting.ready(permit) {
            Ok(ready) => Ok((ready.on(topic, route), now)),
            Err(failure) => Err(Later::Never(Box::new(failure))),
        }
    }

    /// One attempt; a receipt ends the send.
    async fn attempt(
        &mut self,
        info: &PublishInfo,
        queue: PublishQueue,
        now: Time,
        until: Time,
    ) -> Option<SendReceipt> {
        let result = match self.connection(info, queue, until).await {
            Ok(connection) => {
                let begun = {
                    let header = self.header(&info.brokers()[queue.broker].name, queue.queue_id);
                    self.client.remoting.begin_call(&connection, self.call(&header, until))
                };
                match begun {
                    Ok(answer) => end_call(connection, answer).await,
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        };
        let (began, now) = (now, self.client.clock.now());
        let attempt = self.attempt_at(info, queue, now.since(began));
        match result {
            Ok(answer) => self.observe_answer(now, info, attempt, &answer),
            Err(error) => {
                self.observe_silence(now, attempt, &error);
                None
            }
        }
    }

    /// One one-way attempt; true ends the send.
    async fn cast(&mut self, info: &PublishInfo, queue: PublishQueue, now: Time, until: Time) -> bool {
        let result = match self.connection(info, queue, until).await {
            Ok(connection) => {
                let begun = {
                    let header = self.header(&info.brokers()[queue.broker].name, queue.queue_id);
                    self.client.remoting.begin_cast(&connection, self.call(&header, until))
                };
                match begun {
                    Ok(taken) => end_cast(taken).await,
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        };
        // What the broker makes of a message that was taken, nobody knows: it stays counted as unknown.
        let Err(error) = result else { return true };
        let (began, now) = (now, self.client.clock.now());
        let attempt = self.attempt_at(info, queue, now.since(began));
        self.observe_silence(now, attempt, &error);
        false
    }

    /// The connection to the queue's broker. From here until the attempt has ended, a cancelled caller leaves an
    /// unknown outcome.
    async fn connection(
        &mut self,
        info: &PublishInfo,
        queue: PublishQueue,
        until: Time,
    ) -> Result<Arc<Connection>, CallError> {
        let connection =
            self.client.remoting.connection(&info.brokers()[queue.broker].address, until).await?;
        self.under_way.attempt();
        Ok(connection)
    }

    fn call<'b>(&self, header: &'b SendMessageV2<'b>, until: Time) -> Call<'b, SendMessageV2<'b>> {
        Call::new(header, until).body(self.prepared.body.clone()).paid_by(self.permit.clone())
    }

    fn header(&self, broker_name: &'a str, queue_id: i32) -> SendMessageV2<'_> {
        SendMessageV2(SendMessage {
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
        })
    }

    fn attempt_at(&self, info: &PublishInfo, queue: PublishQueue, elapsed: std::time::Duration) -> Attempt {
        let broker = &info.brokers()[queue.broker];
        Attempt {
            broker: broker.name.clone(),
            address: broker.address.clone(),
            queue_id: queue.queue_id,
            phase: Phase::Answer,
            elapsed,
            code: None,
            remark: None,
        }
    }

    fn observe_answer(
        &mut self,
        now: Time,
        info: &PublishInfo,
        mut attempt: Attempt,
        answer: &RemotingCommand,
    ) -> Option<SendReceipt> {
        let code = answer.response_code();
        attempt.code = Some(code.0);
        attempt.remark = answer.remark.as_deref().map(Into::into);
        let action = judge(code, answer.remark.as_deref().unwrap_or_default());
        if action != Action::Stored {
            self.last = LastEnd::Answered(action, code);
            self.plan.observe(now, &attempt.broker, AttemptEnd::Answered { action, confirmed: false });
            self.note(attempt);
            return None;
        }
        let confirmed = code == ResponseCode::SUCCESS;
        let Some(stored) = Stored::read(answer) else {
            attempt.remark = Some("the answer says success, but not where the message is stored".into());
            self.last = LastEnd::BadAnswer;
            self.unanswered = true;
            self.plan.observe(now, &attempt.broker, AttemptEnd::NoAnswer);
            self.note(attempt);
            return None;
        };
        self.plan.observe(now, &attempt.broker, AttemptEnd::Answered { action, confirmed });
        self.under_way.stored();
        let status = StoreStatus::from_code(code);
        if confirmed || !self.goes_on(now, info) {
            return Some(self.receipt(info, attempt, stored, status));
        }
        let receipt = Box::new(self.receipt(info, attempt.clone(), stored, status));
        self.attempts = receipt.attempts().to_vec();
        self.unconfirmed.get_or_insert(receipt);
        None
    }

    /// Whether the policy wants another broker after an unconfirmed store.
    fn goes_on(&mut self, now: Time, info: &PublishInfo) -> bool {
        let mut look_ahead = self.plan.clone();
        !matches!(look_ahead.next(now, info, &self.route.rotation), Step::Stop(_))
    }

    fn observe_silence(&mut self, now: Time, mut attempt: Attempt, error: &CallError) {
        attempt.phase = error.phase;
        attempt.remark = Some(error.cause.to_string().into());
        let end = if error.phase == Phase::Answer { AttemptEnd::NoAnswer } else { AttemptEnd::NotSent };
        self.unanswered |= end == AttemptEnd::NoAnswer;
        self.last = match (error.phase, &*error.cause) {
            (_, cause) if protocol_code(cause).is_some() => LastEnd::Foreign,
            (Phase::Connect, _) => LastEnd::Connect,
            (Phase::Write, _) => LastEnd::NotWritten,
            (Phase::Answer, _) => LastEnd::NoAnswer,
        };
        self.plan.observe(now, &attempt.broker, end);
        // The broker may be gone, and the route may know it already.
        self.client.routes.report(&self.topic, self.route.version);
        self.note(attempt);
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

    fn receipt(
        &mut self,
        info: &PublishInfo,
        attempt: Attempt,
        stored: Stored,
        status: StoreStatus,
    ) -> SendReceipt {
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
            created_from_default_topic: info.origin() != Origin::Topic,
        }
    }

    fn stop(mut self, stop: Stop) -> Result<SendReceipt, SendError> {
        match self.unconfirmed.take() {
            Some(receipt) => Ok(*receipt),
            None => Err(self.failure(stop).into()),
        }
    }

    /// The route has gone away under the send.
    fn no_route(mut self) -> Result<SendReceipt, SendError> {
        if let Some(receipt) = self.unconfirmed.take() {
            return Ok(*receipt);
        }
        let error = match self.route.publish_info() {
            Err(error) => error,
            Ok(_) => RouteError::TimedOut,
        };
        Err(route_failure(&error, self.prepared.message, self.plan.outcome(), self.attempts).into())
    }

    fn failure(self, stop: Stop) -> SendFailure {
        let (kind, code) = self.blame(stop);
        let tries = self.attempts.len();
        let what = match (stop, self.last) {
            (Stop::NoSuchBroker, _) => "the queue's broker is not in the topic's route".to_owned(),
            (Stop::Deadline, LastEnd::None) => "the deadline was over before the first attempt".to_owned(),
            (Stop::Deadline, _) => format!("the deadline was over after {tries} attempts"),
            (_, LastEnd::Answered(Action::Refused | Action::Access, _)) => "the broker refused it".to_owned(),
            (Stop::Final, LastEnd::NoAnswer | LastEnd::BadAnswer | LastEnd::Foreign) => {
                "no usable answer came, and this send must not go out twice".to_owned()
            }
            _ => format!("{tries} attempts failed"),
        };
        SendFailure {
            kind,
            code,
            outcome: self.plan.outcome(),
            topic: self.topic.to_string(),
            what,
            attempts: self.attempts,
            messages: vec![self.prepared.message],
        }
    }

    /// Who or what is to blame: the last attempt tells most, but "unknown" is never reported as a refusal.
    fn blame(&self, stop: Stop) -> (SendErrorKind, ErrorCode) {
        if self.client.is_gone() {
            return (SendErrorKind::Closed, ErrorCode::CLOSED);
        }
        match self.last {
            _ if stop == Stop::NoSuchBroker => (SendErrorKind::NoRoute, ErrorCode::QUEUE_GONE),
            LastEnd::Answered(action, code) => match action {
                Action::Access => (SendErrorKind::Access, ErrorCode::ACCESS),
                Action::BackOff => (SendErrorKind::Busy, ErrorCode::BUSY),
                _ if code == ResponseCode::SERVICE_NOT_AVAILABLE => {
                    (SendErrorKind::Refused, ErrorCode::UNAVAILABLE)
                }
                _ if code == ResponseCode::TOPIC_NOT_EXIST => {
                    (SendErrorKind::NoRoute, ErrorCode::TOPIC_NOT_FOUND)
                }
                _ => (SendErrorKind::Refused, ErrorCode::REFUSED),
            },
            LastEnd::BadAnswer => (SendErrorKind::Timeout, ErrorCode::ANSWER),
            LastEnd::Foreign => {
                let http = self
                    .attempts
                    .last()
                    .and_then(Attempt::remark)
                    .is_some_and(|remark| remark.contains("HTTP"));
                (SendErrorKind::Connect, if http { ErrorCode::HTTP_PORT } else { ErrorCode::PROTOCOL })
            }
            LastEnd::NoAnswer => (SendErrorKind::Timeout, self.silence()),
            LastEnd::NotWritten | LastEnd::None if stop == Stop::Deadline => {
                (SendErrorKind::Timeout, ErrorCode::DEADLINE)
            }
            LastEnd::Connect | LastEnd::NotWritten | LastEnd::None => {
                (SendErrorKind::Connect, ErrorCode::CONNECT)
            }
        }
    }

    fn silence(&self) -> ErrorCode {
        let in_time = self.client.clock.now() < self.plan.deadline();
        let timed_out = self.attempts.last().and_then(Attempt::remark) == Some(&*Cause::TimedOut.to_string());
        if in_time && !timed_out { ErrorCode::LOST } else { ErrorCode::TIMEOUT }
    }
}

/// A send that could not begin at once. What seldom happens is boxed, so that the future of a send stays small.
enum Later<'a> {
    Waiting(Waiting<'a>),
    Never(Box<SendFailure>),
}

/// A send that waits for room or for its route.
struct Waiting<'a> {
    producer: &'a Producer,
    under_way: UnderWay<'a>,
    message: Message,
    order: Order,
}

/// An admitted and prepared message that lacks nothing but its route.
struct Ready<'a> {
    producer: &'a Producer,
    under_way: UnderWay<'a>,
    prepared: PreparedMessage,
    permit: Permit,
    order: Order,
}

impl<'a> Waiting<'a> {
    async fn wait(self) -> Result<(Send<'a>, Time), SendFailure> {
        let (client, shared) = (&**self.producer.client().shared(), &**self.producer.shared());
        let deadline = self.order.deadline;
        let permit = match admit(client, shared, self.message.body().len(), deadline).await {
            Ok(permit) => permit,
            Err(full) => return Err(not_admitted(full, self.message)),
        };
        let ready = self.ready(permit)?;
        match find_route(client, shared, ready.prepared.message.topic(), deadline).await {
            Ok((topic, route)) => Ok((ready.on(topic, route), client.clock.now())),
            Err(unrouted) => Err(unrouted.into_failure(ready.prepared.message)),
        }
    }

    fn ready(self, permit: Permit) -> Result<Ready<'a>, SendFailure> {
        let Self { producer, under_way, message, order } = self;
        if let Some(queue) = order.queue.as_ref().filter(|queue| queue.topic() != message.topic()) {
            let why = format!("queue {queue} belongs to another topic");
            return Err(Unfit { message, kind: SendErrorKind::Invalid, code: ErrorCode::INVALID, why }.into());
        }
        let prepared = prepare(producer.client().shared(), producer.shared(), message)?;
        Ok(Ready { producer, under_way, prepared, permit, order })
    }
}

impl<'a> Ready<'a> {
    fn on(self, topic: Topic, route: Arc<Route>) -> Send<'a> {
        let Self { producer, under_way, prepared, permit, order } = self;
        let client = &**producer.client().shared();
        Send {
            client,
            producer: producer.shared(),
            topic,
            prepared,
            permit: Arc::new(permit),
            route,
            plan: SendPlan::new(order.policy, order.deadline, order.target(), client.next_seed()),
            attempts: Vec::new(),
            under_way,
            unanswered: false,
            last: LastEnd::None,
            unconfirmed: None,
        }
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

/// Waits for room.
async fn admit(
    client: &SharedClient,
    producer: &Shared,
    bytes: usize,
    deadline: Time,
) -> Result<Permit, Full> {
    if let Ok(permit) = producer.admission.try_admit(bytes) {
        return Ok(permit);
    }
    let admitted = producer.admission.admit(bytes);
    let admitted = tokio::time::timeout_at(client.clock.instant(deadline), admitted).await;
    admitted.unwrap_or(Err(Full::NoRoom))
}

/// Finds the route of a topic that the snapshot does not have.
async fn find_route(
    client: &SharedClient,
    producer: &Shared,
    topic: &str,
    deadline: Time,
) -> Result<(Topic, Arc<Route>), Unrouted> {
    let topic = sendable_topic(topic).map_err(Unrouted::Invalid)?;
    // What offered nothing to an earlier send may offer something now.
    let known = client.routes.known(&topic, producer.wish(), client.clock.now());
    let barren = known.filter(|route| route.publish.is_err()).map(|route| route.version);
    let route =
        client.routes.need(&topic, producer.wish(), barren, deadline).await.map_err(Unrouted::NoRoute)?;
    route.publish_info().map_err(Unrouted::NoRoute)?;
    Ok((topic, route))
}

enum Unrouted {
    Invalid(String),
    NoRoute(RouteError),
}

impl Unrouted {
    fn into_failure(self, message: Message) -> SendFailure {
        match self {
            Self::Invalid(why) => {
                Unfit { message, kind: SendErrorKind::Invalid, code: ErrorCode::INVALID, why }.into()
            }
            Self::NoRoute(error) => route_failure(&error, message, Outcome::NotSent, Vec::new()),
        }
    }
}

fn not_admitted(full: Full, message: Message) -> SendFailure {
    let (kind, code, why) = match full {
        Full::NoRoom => {
            let why = "as many messages or bytes as this producer may have were under way until the deadline";
            (SendErrorKind::Overloaded, ErrorCode::OVERLOADED, why)
        }
        Full::Closed => (SendErrorKind::Closed, ErrorCode::CLOSED, "the producer is closed"),
    };
    Unfit { message, kind, code, why: why.to_owned() }.into()
}

impl From<Unfit> for SendFailure {
    fn from(unfit: Unfit) -> Self {
        Self {
            kind: unfit.kind,
            code: unfit.code,
            outcome: Outcome::NotSent,
            topic: unfit.message.topic().to_owned(),
            what: unfit.why,
            attempts: Vec::new(),
            messages: vec![unfit.message],
        }
    }
}

fn route_failure(
    error: &RouteError,
    message: Message,
    outcome: Outcome,
    attempts: Vec<Attempt>,
) -> SendFailure {
    let kind = match error {
        RouteError::Closed => SendErrorKind::Closed,
        _ => SendErrorKind::NoRoute,
    };
    SendFailure {
        kind,
        code: error.code(),
        outcome,
        topic: message.topic().to_owned(),
        what: error.to_string(),
        attempts,
        messages: vec![message],
    }
}
