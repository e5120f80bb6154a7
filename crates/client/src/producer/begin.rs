//! Everything of a send before its first attempt: room, checks, the route.
//!
//! Nearly always it is all there at once, and nothing waits.

use std::sync::Arc;

use maxq_policy::{Outcome, SendPlan, Target, Time};
use maxq_protocol::Topic;

use super::{
    Destination, Order, Producer, Shared, UnderWay,
    failure::{LastEnd, route_failure},
    prepare::{Packed, PreparedMessage, Unfit, compressed, heavy, prepare, sendable_topic},
    queues_of,
    send::Send,
};
use crate::{
    ErrorCode, Message, Offload, SendErrorKind,
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
        if heavy(shared, &waiting.message).is_some() {
            return Err(Later::Waiting(waiting));
        }
        let Ok(permit) = shared.admission.try_admit(waiting.message.body().len()) else {
            return Err(Later::Waiting(waiting));
        };
        match waiting.ready(permit, None).and_then(|ready| ready.on(topic, route)) {
            Ok(send) => Ok((send, now)),
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
        let (permit, packed) = match pack(client, shared, &self.message, permit).await {
            Ok(packed) => packed,
            Err(full) => return Err(not_admitted(full, self.message)),
        };
        let ready = self.ready(permit, packed)?;
        match find_route(client, shared, ready.prepared.message.topic(), deadline).await {
            Ok((topic, route)) => Ok((ready.on(topic, route)?, client.clock.now())),
            Err(unrouted) => Err(unrouted.into_failure(ready.prepared.message)),
        }
    }

    fn ready(self, permit: Permit, packed: Option<Packed>) -> Result<Ready<'a>, SendFailure> {
        let Self { producer, under_way, message, order } = self;
        if let Some(Destination::Queue(queue)) = order.to.as_deref()
            && queue.topic() != message.topic()
        {
            let why = format!("queue {queue} belongs to another topic");
            return Err(Unfit { message, kind: SendErrorKind::Invalid, code: ErrorCode::INVALID, why }.into());
        }
        let prepared = prepare(producer.client().shared(), producer.shared(), message, packed)?;
        Ok(Ready { producer, under_way, prepared, permit, order })
    }
}

impl<'a> Ready<'a> {
    fn on(self, topic: Topic, route: Arc<Route>) -> Result<Send<'a>, SendFailure> {
        let Self { producer, under_way, prepared, permit, order } = self;
        let client = &**producer.client().shared();
        let target = match order.to {
            None => Target::Any,
            Some(to) => match target(*to, &route, &prepared.message) {
                Ok(target) => target,
                Err(why) => {
                    let (kind, code) = (SendErrorKind::Invalid, ErrorCode::INVALID);
                    return Err(Unfit { message: prepared.message, kind, code, why }.into());
                }
            },
        };
        let plan = SendPlan::new(order.policy, order.deadline, target, client.next_seed());
        Ok(Send {
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
        })
    }
}

/// The one queue that a send is to go to.
fn target(to: Destination, route: &Route, message: &Message) -> Result<Target, String> {
    let queue = match to {
        Destination::Queue(queue) => queue,
        Destination::Selected(selector) => {
            let mut queues = route.publish.as_deref().map(queues_of).unwrap_or_default();
            match selector.select(&queues, message) {
                Some(index) if index < queues.len() => queues.swap_remove(index),
                Some(index) => {
                    return Err(format!(
                        "its selector chose queue {index} of {}, counted from 0",
                        queues.len()
                    ));
                }
                None => return Err(format!("its selector chose none of {} queues", queues.len())),
            }
        }
    };
    Ok(Target::Queue { broker_name: queue.shared_broker_name(), queue_id: queue.queue_id() })
}

/// Compresses a large body where that holds up nobody. The permit goes with it: a caller that loses patience leaves
/// the work to its end, and what it takes stays paid for. It fails only when the runtime ends.
async fn pack(
    client: &SharedClient,
    producer: &Shared,
    message: &Message,
    permit: Permit,
) -> Result<(Permit, Option<Packed>), Full> {
    let Some(choice) = heavy(producer, message).filter(|_| client.offload == Offload::BlockingPool) else {
        return Ok((permit, None));
    };
    let body = message.body().clone();
    let work = move || (permit, Some(compressed(choice, &body)));
    client.tasks.spawn_blocking_on(work, &client.runtime).await.map_err(|_| Full::Closed)
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
