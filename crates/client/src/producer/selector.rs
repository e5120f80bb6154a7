//! Who chooses the queue of a message.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use maxq_policy::select;

use crate::{Message, MessageQueue};

/// Chooses one of a topic's writable queues for a message (Apache's `MessageQueueSelector`).
///
/// Any `Fn(&[MessageQueue], &Message) -> Option<usize>` is one. The queues stand in Apache's order: by broker name,
/// then by queue id.
///
/// ```
/// # fn send(producer: &maxq::Producer, message: maxq::Message) {
/// use maxq::{ByKey, Message, MessageQueue};
///
/// // All messages of one order stay in one queue, and so in their order.
/// let sending = producer.send(message.clone()).select_by(ByKey::new("order-42"));
/// // Only queues of this broker.
/// let near = |queues: &[MessageQueue], _: &Message| queues.iter().position(|queue| queue.broker_name() == "broker-a");
/// let sending = producer.send(message).select_by(near);
/// # }
/// ```
pub trait QueueSelector: Send + Sync + 'static {
    /// The index of the queue, called once for each send; `None` refuses the message.
    fn select(&self, queues: &[MessageQueue], message: &Message) -> Option<usize>;
}

impl<F> QueueSelector for F
where
    F: Fn(&[MessageQueue], &Message) -> Option<usize> + Send + Sync + 'static,
{
    fn select(&self, queues: &[MessageQueue], message: &Message) -> Option<usize> {
        self(queues, message)
    }
}

/// The queue that belongs to a key: always the same one, as long as the number of queues stays.
///
/// As Apache's `SelectMessageQueueByHash` with a text, so that Java and Maxq choose the same queue for it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// use maxq::{ByKey, Message};
///
/// let paid = producer.send(Message::new("orders", "paid")).select_by(ByKey::new("order-42")).await?;
/// let packed = producer.send(Message::new("orders", "packed")).select_by(ByKey::new("order-42")).await?;
/// assert_eq!(paid.queue(), packed.queue());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ByKey(String);

impl ByKey {
    /// Chooses by this key, an order's number for example.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }
}

impl QueueSelector for ByKey {
    fn select(&self, queues: &[MessageQueue], _: &Message) -> Option<usize> {
        select::by_key(&self.0, queues.len())
    }
}

impl fmt::Debug for ByKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByKey(..)")
    }
}

/// Any queue, all equally likely (Apache's `SelectMessageQueueByRandom`). Clones share one sequence of choices.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// use maxq::{ByChance, Message};
///
/// let anywhere = ByChance::seeded(7);
/// for n in 0..3 {
///     producer.send(Message::new("orders", n.to_string())).select_by(anywhere.clone()).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ByChance(Arc<AtomicU64>);

impl ByChance {
    /// Choices that follow from this seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }
}

impl QueueSelector for ByChance {
    fn select(&self, queues: &[MessageQueue], _: &Message) -> Option<usize> {
        select::by_chance(self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed), queues.len())
    }
}

/// Where a send is to go, if not anywhere.
pub(super) enum Destination {
    Queue(MessageQueue),
    Selected(Box<dyn QueueSelector>),
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(queue) => fmt::Debug::fmt(queue, f),
            Self::Selected(_) => f.write_str("a selector's choice"),
        }
    }
}
