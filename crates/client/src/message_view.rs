//! A message as it is stored.

use std::{fmt, net::SocketAddr};

use bytes::Bytes;
use maxq_protocol::{
    DecodeError,
    message::{Properties, StoredMessage, property},
};

use crate::MessageQueue;

/// A message read from a broker (Apache's `MessageExt`). Its checksum was compared and its body is decompressed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// use maxq::{From, Message};
///
/// let receipt = producer.send(Message::new("orders", "paid").key("42").property("source", "web")).await?;
/// let mut reader = client.reader(receipt.queue(), From::Start);
/// let message = reader.next().await?.unwrap();
/// assert_eq!(message.body(), "paid");
/// assert_eq!(message.property("source"), Some("web"));
/// assert_eq!(message.message_id(), receipt.message_id().as_str());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MessageView {
    queue: MessageQueue,
    record: StoredMessage,
    properties: Properties,
    body: Bytes,
}

impl MessageView {
    /// Decompresses up to `limit` bytes of body.
    pub(crate) fn new(record: StoredMessage, broker_name: &str, limit: usize) -> Result<Self, DecodeError> {
        let body = record.plain_body(limit)?;
        let queue = MessageQueue::new(record.topic.as_str(), broker_name, record.queue_id);
        Ok(Self { queue, properties: record.properties(), record, body })
    }

    /// The queue that it is in.
    pub const fn queue(&self) -> &MessageQueue {
        &self.queue
    }

    /// Its offset in the queue.
    pub const fn queue_offset(&self) -> u64 {
        self.record.queue_offset.cast_unsigned()
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.record.topic
    }

    /// The body, decompressed.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The unique id that its sender gave it (property `UNIQ_KEY`), else the broker's id.
    pub fn message_id(&self) -> String {
        self.record.unique_id().map_or_else(|| self.offset_id(), str::to_owned)
    }

    /// The broker's id: its address and the commit-log offset.
    pub fn offset_id(&self) -> String {
        self.record.offset_id().to_string()
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.properties.get(property::TAGS)
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.properties.get(property::KEYS).unwrap_or_default().split(' ').filter(|key| !key.is_empty())
    }

    /// Every property, RocketMQ's own included.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.iter()
    }

    /// The properties that the sender set himself.
    pub fn user_properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.iter().filter(|(name, _)| !property::is_reserved(name))
    }

    /// The value of one property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name)
    }

    /// The sender's own number.
    pub const fn flag(&self) -> i32 {
        self.record.flag
    }

    /// Compression and transaction bits as stored.
    pub const fn sys_flag(&self) -> i32 {
        self.record.sys_flag.0
    }

    /// When it was made, in milliseconds since 1970 by the sender's clock.
    pub const fn born_timestamp(&self) -> i64 {
        self.record.born_timestamp
    }

    /// From where it came.
    pub const fn born_host(&self) -> SocketAddr {
        self.record.born_host
    }

    /// When it was stored, in milliseconds since 1970 by the broker's clock.
    pub const fn store_timestamp(&self) -> i64 {
        self.record.store_timestamp
    }

    /// The broker that stored it.
    pub const fn store_host(&self) -> SocketAddr {
        self.record.store_host
    }

    /// How often it was consumed before.
    pub const fn reconsume_times(&self) -> i32 {
        self.record.reconsume_times
    }
}

impl fmt::Debug for MessageView {
    /// Without the body: bodies do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageView")
            .field("queue", &self.queue)
            .field("queue_offset", &self.queue_offset())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("properties", &self.properties)
            .finish_non_exhaustive()
    }
}
