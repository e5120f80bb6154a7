//! What a stored message is known by.

use std::{fmt, sync::Arc};

use maxq_protocol::{
    ResponseCode,
    message::{UniqueId, UniqueIdText},
};

use crate::{Attempt, MessageQueue, remoting::answer::OffsetId};

/// The unique id that the client gave a message (property `UNIQ_KEY`): 32 hex digits. What Apache's client calls
/// `msgId`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// # use maxq::Message;
/// let receipt = producer.send(Message::new("orders", "paid")).await?;
/// assert_eq!(receipt.message_id().as_str().len(), 32);
/// // What the consumer sees, and what tools look for.
/// assert_eq!(cluster.stored("orders")[0].unique_id(), Some(receipt.message_id().as_str()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct MessageId(UniqueIdText);

impl MessageId {
    pub(crate) fn new(id: UniqueId) -> Self {
        Self(id.to_text())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for MessageId {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for MessageId {}

impl std::hash::Hash for MessageId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// How well a message is stored. All four are stored.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// use maxq::{Message, StoreStatus};
///
/// let receipt = producer.send(Message::new("orders", "paid")).await?;
/// if receipt.status() != StoreStatus::Ok {
///     eprintln!("stored, but not as safely as it should be: {:?}", receipt.status());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreStatus {
    /// As the broker is configured to (SEND_OK).
    Ok,
    /// The flush to disk was not confirmed in time (FLUSH_DISK_TIMEOUT): lost if the machine dies now.
    FlushTimeout,
    /// The replica did not confirm in time (FLUSH_SLAVE_TIMEOUT).
    ReplicaTimeout,
    /// No replica is in sync (SLAVE_NOT_AVAILABLE).
    NoReplica,
}

impl StoreStatus {
    /// As Apache's `MQClientAPIImpl.processSendResponse`.
    pub(crate) const fn from_code(code: ResponseCode) -> Self {
        match code {
            ResponseCode::FLUSH_DISK_TIMEOUT => Self::FlushTimeout,
            ResponseCode::FLUSH_SLAVE_TIMEOUT => Self::ReplicaTimeout,
            ResponseCode::SLAVE_NOT_AVAILABLE => Self::NoReplica,
            _ => Self::Ok,
        }
    }
}

/// A stored message: where it is, and how it got there.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// # use maxq::Message;
/// let receipt = producer.send(Message::new("orders", "paid").key("42")).await?;
/// println!("{} is in {} at {}", receipt.message_id(), receipt.queue(), receipt.queue_offset());
/// assert!(!receipt.maybe_duplicate());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SendReceipt {
    pub(crate) message_id: MessageId,
    pub(crate) offset_id: OffsetId,
    pub(crate) queue: MessageQueue,
    pub(crate) queue_offset: u64,
    pub(crate) status: StoreStatus,
    pub(crate) attempts: Attempts,
    pub(crate) maybe_duplicate: bool,
    pub(crate) created_from_default_topic: bool,
}

/// One attempt, as nearly always, needs no allocation.
#[derive(Clone, Debug)]
pub(crate) enum Attempts {
    One(Attempt),
    Many(Arc<[Attempt]>),
}

impl SendReceipt {
    /// The unique id that the client gave the message.
    pub const fn message_id(&self) -> &MessageId {
        &self.message_id
    }

    /// The broker's id of the message (its address and commit-log offset), as the broker wrote it.
    pub fn offset_id(&self) -> &str {
        self.offset_id.as_str()
    }

    /// The queue that the message is in.
    pub const fn queue(&self) -> &MessageQueue {
        &self.queue
    }

    /// Its offset in that queue.
    pub const fn queue_offset(&self) -> u64 {
        self.queue_offset
    }

    /// How well it is stored.
    pub const fn status(&self) -> StoreStatus {
        self.status
    }

    /// Whether the message may be stored twice: an attempt got no answer, or two brokers stored it.
    pub const fn maybe_duplicate(&self) -> bool {
        self.maybe_duplicate
    }

    /// Whether the topic did not exist when the message was sent, so that the broker created it.
    pub const fn created_from_default_topic(&self) -> bool {
        self.created_from_default_topic
    }

    /// What was tried, the successful attempt last.
    pub fn attempts(&self) -> &[Attempt] {
        match &self.attempts {
            Attempts::One(attempt) => std::slice::from_ref(attempt),
            Attempts::Many(attempts) => attempts,
        }
    }
}
