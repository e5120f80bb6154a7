//! One builder for a send, and its endings.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use maxq_policy::{RetryPolicy, Time};

use super::{Delivery, Destination, Producer, QueueSelector, SendReceipt, begin, prepare::Parcel, send};
use crate::{Message, MessageQueue, ProducerConfig, SendError};

/// A send that has not begun. Await it for a receipt, or end it with [`oneway`](Self::oneway). Dropped, nothing
/// happened.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// use std::time::Duration;
/// use maxq::{ByKey, Message, RetryPolicy};
///
/// let receipt = producer
///     .send(Message::new("orders", "paid"))
///     .select_by(ByKey::new("order-42"))
///     .timeout(Duration::from_secs(1))
///     .retry(RetryPolicy::never_after_unknown())
///     .await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent until this is awaited"]
#[derive(Debug)]
pub struct Sending {
    producer: Producer,
    message: Message,
    draft: Draft,
}

impl Sending {
    pub(super) const fn new(producer: Producer, message: Message) -> Self {
        let draft = Draft { to: None, begun: None, deadline: None, retry: None, is_oneway: false };
        Self { producer, message, draft }
    }

    /// Sends to this queue alone. It is tried again only where the message was certainly not stored.
    pub fn to(mut self, queue: MessageQueue) -> Self {
        self.draft.to = Some(Box::new(Destination::Queue(queue)));
        self
    }

    /// Lets `selector` choose the queue, once; then as [`to`](Self::to). The last of both counts.
    pub fn select_by(mut self, selector: impl QueueSelector) -> Self {
        self.draft.to = Some(Box::new(Destination::Selected(Box::new(selector))));
        self
    }

    /// How long the send may take in all, counted from now. Default: the producer's (3 s), counted from when it is first
    /// polled.
    pub fn timeout(mut self, total: Duration) -> Self {
        let now = self.producer.client().shared().clock.now();
        (self.draft.begun, self.draft.deadline) = (Some(now), Some(now + total));
        self
    }

    /// When the send ends at the latest.
    pub fn deadline(mut self, at: std::time::Instant) -> Self {
        let clock = self.producer.client().shared().clock;
        let now = clock.now();
        (self.draft.begun, self.draft.deadline) = (Some(now), Some(clock.at_std(now, at)));
        self
    }

    /// When the send tries again. Default: the producer's.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.draft.retry = Some(policy);
        self
    }

    /// Sends it while the caller goes on: waits for room only, until the deadline, and gives a [`Delivery`].
    ///
    /// # Errors
    /// There was no room in time, or the producer is closed. Everything else is the delivery's to tell.
    ///
    /// # Cancel safety
    /// Dropped early, nothing is sent.
    pub async fn enqueue(self) -> Result<Delivery, SendError> {
        let (producer, message, order) = self.into_order();
        let parcel = Parcel::One(message);
        match begin::admit(producer.client().shared(), producer.shared(), &parcel, order.deadline).await {
            Ok(permit) => Ok(Delivery::begin(producer, parcel, order, permit)),
            Err(full) => Err(begin::not_admitted(full, parcel).into()),
        }
    }

    /// As [`enqueue`](Self::enqueue), but never waits.
    ///
    /// # Errors
    /// There is no room now ([`SendErrorKind::Overloaded`](crate::SendErrorKind::Overloaded), the message comes back), or
    /// the producer is closed.
    pub fn try_enqueue(self) -> Result<Delivery, SendError> {
        let (producer, message, order) = self.into_order();
        let bytes = message.body().len();
        match producer.shared().admission.try_admit(1, bytes) {
            Ok(permit) => Ok(Delivery::begin(producer, Parcel::One(message), order, permit)),
            Err(full) => Err(begin::not_admitted(full, Parcel::One(message)).into()),
        }
    }

    /// Sends without an answer: `Ok` means that the socket took the whole message, not that a broker stored it.
    pub fn oneway(self) -> SendingOneway {
        SendingOneway(self)
    }

    pub(crate) const fn message(&self) -> &Message {
        &self.message
    }

    pub(super) fn into_draft(self) -> (Producer, Message, Draft) {
        (self.producer, self.message, self.draft)
    }

    /// As it is to be done if it begins now.
    fn into_order(self) -> (Producer, Message, Order) {
        let (producer, message, draft) = self.into_draft();
        let order = draft.order(&producer.shared().config, producer.client().shared().clock.now());
        (producer, message, order)
    }
}

/// What the user said of how one send is to be done.
#[derive(Debug)]
pub(super) struct Draft {
    to: Option<Box<Destination>>,
    /// From when its deadline counts.
    begun: Option<Time>,
    deadline: Option<Time>,
    retry: Option<RetryPolicy>,
    is_oneway: bool,
}

impl Draft {
    pub(super) const fn oneway(mut self) -> Self {
        self.is_oneway = true;
        self
    }

    /// How it is to be done if it begins now.
    pub(super) fn order(self, config: &ProducerConfig, now: Time) -> Order {
        let Self { to, begun, deadline, retry, is_oneway } = self;
        let begun = begun.unwrap_or(now);
        let mut policy = retry.unwrap_or(config.retry);
        policy.retry_after_unknown &= to.is_none();
        Order { begun, deadline: deadline.unwrap_or(begun + config.timeout), policy, to, is_oneway }
    }
}

/// How one send is to be done.
pub(super) struct Order {
    pub(super) begun: Time,
    pub(super) deadline: Time,
    pub(super) policy: RetryPolicy,
    pub(super) to: Option<Box<Destination>>,
    pub(super) is_oneway: bool,
}

/// The future of a send. `Send` and `'static`, so it can be spawned.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// use std::future::IntoFuture;
/// # use maxq::Message;
///
/// // It owns all that it needs, so it can be spawned, or driven together with others.
/// let first = producer.send(Message::new("orders", "paid")).into_future();
/// let second = producer.send(Message::new("orders", "packed")).into_future();
/// let (first, second) = tokio::try_join!(first, second)?;
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// Dropped before the message was written, nothing is sent; afterwards a broker may store it.
#[must_use = "nothing is sent until this is awaited"]
pub struct SendFuture<T>(pub(super) Pin<Box<dyn Future<Output = Result<T, SendError>> + Send>>);

impl<T> Future for SendFuture<T> {
    type Output = Result<T, SendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl<T> fmt::Debug for SendFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendFuture")
    }
}

impl IntoFuture for Sending {
    type Output = Result<SendReceipt, SendError>;
    type IntoFuture = SendFuture<SendReceipt>;

    fn into_future(self) -> SendFuture<SendReceipt> {
        let (producer, message, draft) = self.into_draft();
        SendFuture(Box::pin(send::awaited(producer, Parcel::One(message), draft)))
    }
}

/// A one-way send that has not begun.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// # use maxq::Message;
/// producer.send(Message::new("orders", "seen")).oneway().await?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent until this is awaited"]
#[derive(Debug)]
pub struct SendingOneway(Sending);

impl IntoFuture for SendingOneway {
    type Output = Result<(), SendError>;
    type IntoFuture = SendFuture<()>;

    fn into_future(self) -> SendFuture<()> {
        let (producer, message, draft) = self.0.into_draft();
        SendFuture(Box::pin(send::oneway(producer, message, draft)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Client, ClientConfig};

    /// glibc serves blocks up to this size from a list of the thread's own; larger ones cost several times as much.
    const CHEAP_BLOCK: usize = 1_032;

    #[tokio::test]
    async fn the_future_of_a_send_fits_a_cheap_block() {
        let client = Client::lazy(ClientConfig::new("127.0.0.1:1")).unwrap();
        let producer = client.producer(ProducerConfig::new("tests")).unwrap();
        let (producer, message, draft) = producer.send(Message::new("T", "x")).into_draft();
        let awaited = size_of_val(&send::awaited(producer.clone(), Parcel::One(message), draft));
        assert!(awaited <= CHEAP_BLOCK, "{awaited} bytes");
        let (producer, message, draft) = producer.send(Message::new("T", "x")).into_draft();
        let oneway = size_of_val(&send::oneway(producer, message, draft));
        assert!(oneway <= CHEAP_BLOCK, "{oneway} bytes");
    }
}
