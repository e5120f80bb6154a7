//! Everything of a send before its first attempt: room, checks, the route.
//!
//! Nearly always it is all there at once, and nothing waits. A send takes some 500 bytes, and each function that takes one
//! and gives the next copies them: what is on that way is inlined (callgrind counted 3 % less for a message).

use std::sync::Arc;

use maxq_policy::{Outcome, SendPlan, Target, Time};
use maxq_protocol::Topic;
use tokio_util::sync::CancellationToken;

use super::{
    Destination, Draft, Order, Producer, Shared, UnderWay,
    failure::{LastEnd, route_failure},
    prepare::{Packed, Parcel, PreparedMessage, Unfit, compressed, heavy, prepare, sendable_topic},
    queues_of,
    send::{Send, unless},
};
use crate::{
    ErrorCode, Offload, Overflow, SendErrorKind,
    admission::{Full, Permit},
    client::Shared as SharedClient,
    error::{RouteError, SendFailure},
    route::Route,
};

impl Send {
    /// Everything before the first attempt, where there is room and the route is known.
    pub(super) fn begin(producer: Producer, parcel: Parcel, draft: Draft) -> Result<(Self, Time), Later> {
        if producer.shared().admission.is_closed() {
            // It never was under way, so that a closing producer does not count it.
            return Err(Later::Never(Box::new(not_admitted(Full::Closed, parcel))));
        }
        let now = producer.client().shared().clock.now();
        let order = draft.order(&producer.shared().config, now);
        let under_way = UnderWay::begin(producer, parcel.messages().len(), order.begun);
        Waiting { under_way, parcel, order, permit: None, closing: None }.at_once(now)
    }
}

/// A send that could not begin at once. What seldom happens is boxed, so that the future of a send stays small.
pub(super) enum Later {
    Waiting(Box<Waiting>),
    Never(Box<SendFailure>),
}

/// A send that lacks its route, and room unless it was admitted.
pub(super) struct Waiting {
    under_way: UnderWay,
    parcel: Parcel,
    order: Order,
    permit: Option<Permit>,
    closing: Option<CancellationToken>,
}

/// An admitted and prepared message that lacks nothing but its route.
struct Ready {
    under_way: UnderWay,
    prepared: PreparedMessage,
    permit: Permit,
    order: Order,
    closing: Option<CancellationToken>,
}

impl Waiting {
    /// A send that has room; it counts from here, before its task begins.
    pub(super) fn admitted(producer: Producer, parcel: Parcel, order: Order, permit: Permit) -> Self {
        let closing = Some(producer.shared().closing.clone());
        let under_way = UnderWay::begin(producer, parcel.messages().len(), order.begun);
        Self { under_way, parcel, order, permit: Some(permit), closing }
    }

    pub(super) fn client(&self) -> &SharedClient {
        self.under_way.producer.client().shared()
    }

    fn shared(&self) -> &Shared {
        self.under_way.producer.shared()
    }

    /// Without a wait, where there is room and the route is known.
    pub(super) fn at_once(mut self, now: Time) -> Result<(Send, Time), Later> {
        let (client, shared) = (self.client(), self.shared());
        // A topic in the snapshot is valid: the common case checks and copies no name.
        let Some(route) = client.routes.known(self.parcel.topic(), shared.wish(), now) else {
            return Err(Later::Waiting(Box::new(self)));
        };
        let topic = match &route.publish {
            Ok(info) if !info.topic().is_send_forbidden() => info.topic().clone(),
            _ => return Err(Later::Waiting(Box::new(self))),
        };
        if heavy(shared, &self.parcel).is_some() {
            return Err(Later::Waiting(Box::new(self)));
        }
        let permit = match self.permit.take() {
            Some(permit) => permit,
            None => match self.try_admit() {
                Ok(permit) => permit,
                Err(_) => return Err(Later::Waiting(Box::new(self))),
            },
        };
        match self.ready(permit, None).and_then(|ready| ready.on(topic, route)) {
            Ok(send) => Ok((send, now)),
            Err(failure) => Err(Later::Never(Box::new(failure))),
        }
    }

    fn try_admit(&self) -> Result<Permit, Full> {
        self.shared().admission.try_admit(self.parcel.messages().len(), self.parcel.body_len())
    }

    pub(super) async fn wait(mut self) -> Result<(Send, Time), SendFailure> {
        let permit = match self.permit.take() {
            Some(permit) => permit,
            None => match admit(self.client(), self.shared(), &self.parcel, self.order.deadline).await {
                Ok(permit) => permit,
                Err(full) => return Err(not_admitted(full, self.parcel)),
            },
        };
        self.wait_with(permit).await
    }

    /// Everything but room.
    async fn wait_with(self, permit: Permit) -> Result<(Send, Time), SendFailure> {
        let deadline = self.order.deadline;
        // The thread that compresses may be long in coming: others may hold all of them.
        let packing = pack(self.client(), self.shared(), &self.parcel, permit);
        let packing = tokio::time::timeout_at(self.client().clock.instant(deadline), packing);
        let (permit, packed) = match unless(self.closing.as_ref(), packing).await {
            Some(Ok(Ok(packed))) => packed,
            Some(Ok(Err(full))) => return Err(not_admitted(full, self.parcel)),
            Some(Err(_)) => return Err(too_late(self.parcel)),
            None => return Err(not_admitted(Full::Closed, self.parcel)),
        };
        let ready = self.ready(permit, packed)?;
        let producer = ready.under_way.producer.clone();
        let (client, shared) = (producer.client().shared(), producer.shared());
        let found = find_route(client, shared, ready.prepared.parcel.topic(), deadline);
        match unless(ready.closing.as_ref(), found).await {
            Some(Ok((topic, route))) => Ok((ready.on(topic, route)?, client.clock.now())),
            Some(Err(unrouted)) => Err(unrouted.into_failure(ready.prepared.parcel)),
            None => Err(not_admitted(Full::Closed, ready.prepared.parcel)),
        }
    }

    #[inline(always)]
    fn ready(self, permit: Permit, packed: Option<Packed>) -> Result<Ready, SendFailure> {
        let Self { under_way, parcel, order, permit: _, closing } = self;
        if let Some(Destination::Queue(queue)) = order.to.as_deref()
            && queue.topic() != parcel.topic()
        {
            let why = format!("queue {queue} belongs to another topic");
            return Err(Unfit { parcel, kind: SendErrorKind::Invalid, code: ErrorCode::INVALID, why }.into());
        }
        let producer = &under_way.producer;
        let prepared = prepare(producer.client().shared(), producer.shared(), parcel, packed)?;
        Ok(Ready { under_way, prepared, permit, order, closing })
    }
}

impl Ready {
    #[inline(always)]
    fn on(self, topic: Topic, route: Arc<Route>) -> Result<Send, SendFailure> {
        let Self { under_way, prepared, permit, order, closing } = self;
        let target = match order.to {
            None => Target::Any,
            Some(to) => match target(*to, &route, &prepared.parcel) {
                Ok(target) => target,
                Err(why) => {
                    let (kind, code) = (SendErrorKind::Invalid, ErrorCode::INVALID);
                    return Err(Unfit { parcel: prepared.parcel, kind, code, why }.into());
                }
            },
        };
        let seed = under_way.producer.client().shared().next_seed();
        let plan = SendPlan::new(order.policy, order.deadline, target, seed);
        let plan = if order.is_oneway { plan.oneway() } else { plan };
        Ok(Send {
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
            closing,
        })
    }
}

/// The one queue that a send is to go to.
fn target(to: Destination, route: &Route, parcel: &Parcel) -> Result<Target, String> {
    let queue = match to {
        Destination::Queue(queue) => queue,
        Destination::Selected(selector) => {
            let mut queues = route.publish.as_deref().map(queues_of).unwrap_or_default();
            match selector.select(&queues, &parcel.messages()[0]) {
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

/// Compresses a large body where that holds up nobody. The permit goes with it: whoever waits no longer leaves the
/// work to its end, and what it takes stays paid for. It fails only when the runtime ends.
async fn pack(
    client: &SharedClient,
    producer: &Shared,
    parcel: &Parcel,
    permit: Permit,
) -> Result<(Permit, Option<Packed>), Full> {
    let Some(choice) = heavy(producer, parcel).filter(|_| client.offload == Offload::BlockingPool) else {
        return Ok((permit, None));
    };
    let body = parcel.messages()[0].body().clone();
    let work = move || (permit, Some(compressed(choice, &body)));
    client.tasks.spawn_blocking_on(work, &client.runtime).await.map_err(|_| Full::Closed)
}

/// Waits for room.
pub(super) async fn admit(
    client: &SharedClient,
    producer: &Shared,
    parcel: &Parcel,
    deadline: Time,
) -> Result<Permit, Full> {
    let (count, bytes) = (parcel.messages().len(), parcel.body_len());
    if let Ok(permit) = producer.admission.try_admit(count, bytes) {
        return Ok(permit);
    }
    if producer.config.overflow == Overflow::Reject {
        return Err(if producer.admission.is_closed() { Full::Closed } else { Full::NoRoom });
    }
    let admitted = producer.admission.admit(count, bytes);
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
    fn into_failure(self, parcel: Parcel) -> SendFailure {
        match self {
            Self::Invalid(why) => {
                Unfit { parcel, kind: SendErrorKind::Invalid, code: ErrorCode::INVALID, why }.into()
            }
            Self::NoRoute(error) => route_failure(&error, parcel, Outcome::NotSent, Vec::new()),
        }
    }
}

fn too_late(parcel: Parcel) -> SendFailure {
    let why = "the deadline was over before the body was compressed".to_owned();
    Unfit { parcel, kind: SendErrorKind::Timeout, code: ErrorCode::DEADLINE, why }.into()
}

pub(super) fn not_admitted(full: Full, parcel: Parcel) -> SendFailure {
    let (kind, code, why) = match full {
        Full::NoRoom => {
            let why = "as many messages or bytes as this producer may have were under way until the deadline";
            (SendErrorKind::Overloaded, ErrorCode::OVERLOADED, why)
        }
        Full::Closed => (SendErrorKind::Closed, ErrorCode::CLOSED, "the producer is closed"),
    };
    Unfit { parcel, kind, code, why: why.to_owned() }.into()
}

impl From<Unfit> for SendFailure {
    fn from(unfit: Unfit) -> Self {
        Self {
            kind: unfit.kind,
            code: unfit.code,
            outcome: Outcome::NotSent,
            topic: unfit.parcel.topic().to_owned(),
            what: unfit.why,
            attempts: Vec::new(),
            messages: unfit.parcel.into_messages(),
        }
    }
}
