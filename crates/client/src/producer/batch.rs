//! Several messages in one request.

use std::{fmt, future::IntoFuture, slice, sync::OnceLock, vec};

use maxq_protocol::{message::UniqueId, name::RETRY_PREFIX};

use super::{
    MessageId, Producer, QueueSelector, SendFuture, SendReceipt, Sending,
    prepare::{Parcel, encoded_len},
    send,
};
use crate::{Message, MessageQueue, RetryPolicy, SendError, remoting::answer::OffsetId};

/// Messages that travel and are stored together: all of one topic, in one queue, in their order.
///
/// ```
/// use maxq::{Message, MessageBatch};
///
/// let batch = MessageBatch::new((0..10).map(|n| Message::new("orders", n.to_string()))).unwrap();
/// assert_eq!((batch.len(), batch.topic()), (10, "orders"));
/// ```
///
/// A broker takes at most its `maxMessageSize` (4 MiB) in one request; [`encoded_len`](Self::encoded_len) is exactly what
/// a batch takes, and [`Producer::split_batches`] cuts a longer row of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageBatch {
    messages: Vec<Message>,
    encoded_len: usize,
}

impl MessageBatch {
    /// A batch of these messages.
    ///
    /// # Errors
    /// There are none, or they cannot be stored together: other topics, some that wait for the store and some that do
    /// not, a retry topic (Apache's `MessageBatch.generateFromList`).
    pub fn new(messages: impl IntoIterator<Item = Message>) -> Result<Self, BatchError> {
        let messages: Vec<_> = messages.into_iter().collect();
        let Some(first) = messages.first() else {
            return Err(BatchError { kind: BatchErrorKind::Empty, at: 0, messages });
        };
        let misfit =
            messages.iter().enumerate().find_map(|(at, message)| Some((at, misfit(first, message)?)));
        if let Some((at, kind)) = misfit {
            return Err(BatchError { kind, at, messages });
        }
        let encoded_len = messages.iter().map(encoded_len).sum();
        Ok(Self { messages, encoded_len })
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        self.messages.first().map_or("", Message::topic)
    }

    /// The messages.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// How many messages there are; at least one.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Never.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes of the request's body, exactly.
    pub const fn encoded_len(&self) -> usize {
        self.encoded_len
    }

    /// The messages again.
    pub fn into_messages(self) -> Vec<Message> {
        self.messages
    }
}

/// Why `message` cannot be in one batch with `first`.
fn misfit(first: &Message, message: &Message) -> Option<BatchErrorKind> {
    if message.topic() != first.topic() {
        Some(BatchErrorKind::OtherTopic)
    } else if message.waits_for_store() != first.waits_for_store() {
        Some(BatchErrorKind::OtherWait)
    } else if message.topic().starts_with(RETRY_PREFIX) {
        Some(BatchErrorKind::RetryTopic)
    } else {
        None
    }
}

/// Messages that cannot be one batch. They come back.
///
/// ```
/// use maxq::{BatchErrorKind, Message, MessageBatch};
///
/// let error = MessageBatch::new([Message::new("orders", "paid"), Message::new("parcels", "sent")]).unwrap_err();
/// assert_eq!((error.kind(), error.index()), (BatchErrorKind::OtherTopic, 1));
/// let messages = error.into_messages(); // yours again
/// # assert_eq!(messages.len(), 2);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BatchError {
    kind: BatchErrorKind,
    at: usize,
    messages: Vec<Message>,
}

/// Why messages cannot be one batch.
///
/// ```
/// use maxq::{BatchErrorKind, MessageBatch};
///
/// assert_eq!(MessageBatch::new([]).unwrap_err().kind(), BatchErrorKind::Empty);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BatchErrorKind {
    /// There are none.
    Empty,
    /// A message is for another topic than the first.
    OtherTopic,
    /// A message waits for the store and the first does not, or the other way round.
    OtherWait,
    /// Retry topics take no batches.
    RetryTopic,
}

impl BatchError {
    /// What is wrong.
    pub const fn kind(&self) -> BatchErrorKind {
        self.kind
    }

    /// The index of the first message that does not fit.
    pub const fn index(&self) -> usize {
        self.at
    }

    /// The messages again.
    pub fn into_messages(self) -> Vec<Message> {
        self.messages
    }
}

impl fmt::Display for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.kind {
            BatchErrorKind::Empty => return f.write_str("a batch needs at least one message"),
            BatchErrorKind::OtherTopic => {
                "is for another topic than the first: send one batch for each topic"
            }
            BatchErrorKind::OtherWait => {
                "differs from the first in wait_for_store: a batch waits as a whole or not at all"
            }
            BatchErrorKind::RetryTopic => "is for a retry topic, and those take no batches: send it alone",
        };
        write!(f, "message {} of the batch {why}", self.at)
    }
}

impl fmt::Debug for BatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchError")
            .field("kind", &self.kind)
            .field("index", &self.at)
            .finish_non_exhaustive()
    }
}

impl std::error::Error for BatchError {}

/// The receipts of a batch, in the order of its messages.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// use maxq::{Message, MessageBatch};
///
/// let batch = MessageBatch::new((0..3).map(|n| Message::new("orders", n.to_string())))?;
/// for receipt in &producer.send_batch(batch).await? {
///     println!("{} is in {} at {}", receipt.message_id(), receipt.queue(), receipt.queue_offset());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct BatchReceipt {
    whole: SendReceipt,
    ids: Vec<UniqueId>,
    /// Made when somebody looks: many only want to know that all is stored.
    receipts: OnceLock<Vec<SendReceipt>>,
}

impl BatchReceipt {
    /// One receipt for each message.
    pub fn receipts(&self) -> &[SendReceipt] {
        self.receipts.get_or_init(|| self.each())
    }

    /// Whether the batch may be stored twice.
    pub const fn maybe_duplicate(&self) -> bool {
        self.whole.maybe_duplicate()
    }

    /// The broker answers with the place of the first message, and all offset ids joined by commas.
    fn each(&self) -> Vec<SendReceipt> {
        let mut offset_ids = self.whole.offset_id().split(',');
        let receipt = |(n, id): (usize, &UniqueId)| SendReceipt {
            message_id: MessageId::new(*id),
            offset_id: OffsetId::new(offset_ids.next().unwrap_or_default()),
            queue: self.whole.queue.clone(),
            // What the broker says is not trusted to leave room for the others.
            queue_offset: self.whole.queue_offset.saturating_add(n as u64),
            attempts: self.whole.attempts.clone(),
            ..self.whole
        };
        self.ids.iter().enumerate().map(receipt).collect()
    }
}

impl fmt::Debug for BatchReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.receipts()).finish()
    }
}

impl IntoIterator for BatchReceipt {
    type Item = SendReceipt;
    type IntoIter = vec::IntoIter<SendReceipt>;

    fn into_iter(mut self) -> Self::IntoIter {
        self.receipts.take().unwrap_or_else(|| self.each()).into_iter()
    }
}

impl<'a> IntoIterator for &'a BatchReceipt {
    type Item = &'a SendReceipt;
    type IntoIter = slice::Iter<'a, SendReceipt>;

    fn into_iter(self) -> Self::IntoIter {
        self.receipts().iter()
    }
}

/// A batch that has not begun. Await it for its receipts. Dropped, nothing happened.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// use std::time::Duration;
/// use maxq::{Message, MessageBatch};
///
/// let batch = MessageBatch::new((0..3).map(|n| Message::new("orders", n.to_string())))?;
/// let receipt = producer.send_batch(batch).timeout(Duration::from_secs(1)).await?;
/// assert_eq!(receipt.receipts().len(), 3);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent until this is awaited"]
#[derive(Debug)]
pub struct SendingBatch {
    batch: MessageBatch,
    how: Sending,
}

impl SendingBatch {
    pub(super) fn new(producer: &Producer, batch: MessageBatch) -> Self {
        // The message of `how` stands for nothing: its order alone is used.
        Self { batch, how: producer.send(Message::new("", "")) }
    }

    /// As [`Sending::to`].
    pub fn to(mut self, queue: MessageQueue) -> Self {
        self.how = self.how.to(queue);
        self
    }

    /// As [`Sending::select_by`]; the selector is shown the first message.
    pub fn select_by(mut self, selector: impl QueueSelector) -> Self {
        self.how = self.how.select_by(selector);
        self
    }

    /// As [`Sending::timeout`].
    pub fn timeout(mut self, total: std::time::Duration) -> Self {
        self.how = self.how.timeout(total);
        self
    }

    /// As [`Sending::deadline`].
    pub fn deadline(mut self, at: std::time::Instant) -> Self {
        self.how = self.how.deadline(at);
        self
    }

    /// As [`Sending::retry`].
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.how = self.how.retry(policy);
        self
    }

    pub(crate) fn messages(&self) -> &[Message] {
        self.batch.messages()
    }

    async fn run(self) -> Result<BatchReceipt, SendError> {
        let (producer, _, draft) = self.how.into_draft();
        let client = producer.client().shared().clone();
        let born = client.clock.wall_millis();
        let mut messages = self.batch.messages;
        let mut ids = Vec::with_capacity(messages.len());
        for message in &mut messages {
            let id = message.unique_id().unwrap_or_else(|| client.unique_ids.next(born));
            message.set_unique_id(id);
            ids.push(id);
        }
        let whole = send::awaited(producer, Parcel::Batch(messages), draft).await?;
        Ok(BatchReceipt { whole, ids, receipts: OnceLock::new() })
    }
}

impl IntoFuture for SendingBatch {
    type Output = Result<BatchReceipt, SendError>;
    type IntoFuture = SendFuture<BatchReceipt>;

    fn into_future(self) -> SendFuture<BatchReceipt> {
        SendFuture(Box::pin(self.run()))
    }
}

/// Cuts messages into batches of at most `most` bytes, in their order. A new one also begins where the topic changes, or
/// whether the store is waited for.
pub(super) fn split(
    messages: impl IntoIterator<Item = Message>,
    most: usize,
) -> Result<Vec<MessageBatch>, BatchError> {
    let (mut batches, mut open, mut length) = (Vec::new(), Vec::<Message>::new(), 0);
    for message in messages {
        let more = encoded_len(&message);
        let fits = open.first().is_some_and(|first| {
            length + more <= most
                && first.topic() == message.topic()
                && first.waits_for_store() == message.waits_for_store()
        });
        if !fits && !open.is_empty() {
            batches.push(MessageBatch::new(std::mem::take(&mut open))?);
            length = 0;
        }
        length += more;
        open.push(message);
    }
    if !open.is_empty() {
        batches.push(MessageBatch::new(open)?);
    }
    Ok(batches)
}
