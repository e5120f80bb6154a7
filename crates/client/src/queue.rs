//! A message queue: the unit that RocketMQ spreads a topic over.

use std::{fmt, sync::Arc};

/// One queue of a topic on one broker (Apache's `MessageQueue`).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// use maxq::{Message, MessageQueue};
///
/// let queue = MessageQueue::new("orders", "broker-0", 3);
/// assert_eq!(queue.to_string(), "orders/broker-0/3");
/// assert!(producer.queues("orders").await?.contains(&queue));
/// producer.send(Message::new("orders", "paid")).to(queue).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageQueue {
    topic: Arc<str>,
    broker_name: Arc<str>,
    queue_id: i32,
}

impl MessageQueue {
    /// Names a queue. Whether it exists shows when it is used.
    pub fn new(topic: impl Into<Arc<str>>, broker_name: impl Into<Arc<str>>, queue_id: i32) -> Self {
        Self { topic: topic.into(), broker_name: broker_name.into(), queue_id }
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The broker's name.
    pub fn broker_name(&self) -> &str {
        &self.broker_name
    }

    /// The queue id, counted from 0 on each broker.
    pub const fn queue_id(&self) -> i32 {
        self.queue_id
    }

    pub(crate) fn shared_broker_name(&self) -> Arc<str> {
        self.broker_name.clone()
    }
}

impl fmt::Display for MessageQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.broker_name, self.queue_id)
    }
}

impl fmt::Debug for MessageQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
