//! Everything of a send before its first attempt: room, checks, the route.
//!
//! Nearly always it is all there at once, and nothing waits.

use std::sync::Arc;

use maxq_policy::{Outcome, SendPlan, Time};
use maxq_protocol::Topic;

use super::{
    Order, Producer, Shared, UnderWay,
    prepare::{PreparedMessage, Unfit, prepare, sendable_topic},
    send::{LastEnd, Send, route_failure},
};
use crate::{
    ErrorCode, Message, SendErrorKind,
    admission::{Full, Permit},
    client::Shared as SharedClient,
    error::{RouteError, SendFailure},
    route::Route,
};

impl<'a> Send<'a> {
    /// Everything before the first attempt, where there is room and the route is known.
    pub(super) fn begin(
        producer: &'a Producer,
        message: Message,
        order: Order,
    ) -> Result<(Self, Time), Later<'a>> {
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
}

/// A send that could not begin at once. What seldom happens is boxed, so that the future of a send stays small.
pub(super) enum Later<'a> {
    Waiting(Waiting<'a>),
    Never(Box<SendFailure>),
}

/// A send that waits for room or for its route.
pub(super) struct Waiting<'a> {
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
    pub(super) async fn wait(self) -> Result<(Send<'a>, Time), SendFailure> {
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
        let plan = SendPlan::new(order.policy, order.deadline, order.target(), client.next_seed());
        Send {
            client,
            producer: producer.shared(),
            topic,
            prepared,
            permit: Arc::new(permit),
            route,
            plan,
            attempts: Vec::new(),
            under_way,
            unanswered: false,
            last: LastEnd::None,
            unconfirmed: None,
        }
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
