//! The producer: one handle, one builder for a send, four endings.

mod batch;
mod begin;
mod delivery;
mod failure;
mod prepare;
mod receipt;
mod selector;
mod send;
mod sending;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use maxq_policy::{Outcome, PublishInfo, RetryBudget};
use maxq_protocol::{Group, Topic};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    Client, ClientConfig, CloseReport, ConfigError, ConnectError, ErrorCode, Message, MessageQueue,
    ProducerConfig, RequestError, SendError, admission::Admission, route::Wish, shutdown,
};
pub use batch::{BatchError, BatchErrorKind, BatchReceipt, MessageBatch, SendingBatch};
pub use delivery::Delivery;
pub use receipt::{MessageId, SendReceipt, StoreStatus};
use selector::Destination;
pub use selector::{ByChance, ByKey, QueueSelector};
use sending::Order;
pub use sending::{SendFuture, Sending, SendingOneway};

/// Sends messages. Cheap to clone; all clones are one producer.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use maxq::{Message, Producer};
///
/// let producer = Producer::connect("rocketmq://127.0.0.1:9876/?group=orders").await?;
/// let receipt = producer.send(Message::new("orders", "paid").key("42")).await?;
/// println!("{} is in {}", receipt.message_id(), receipt.queue());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Producer {
    handle: Arc<Handle>,
}

struct Handle {
    client: Client,
    shared: Arc<Shared>,
    /// Made by [`Producer::connect`]: the client is this producer's own, and is closed with it.
    owns_client: bool,
}

/// What closing needs to see of a producer.
pub(crate) struct Shared {
    pub(crate) group: Group,
    config: ProducerConfig,
    admission: Admission,
    budget: RetryBudget,
    tally: Tally,
    left: AtomicBool,
    /// Cancelled when enqueued messages of which nothing is in flight are to be given up.
    closing: CancellationToken,
    /// What was given up so; see [`CloseReport::unsent`].
    unsent: Mutex<Vec<Message>>,
}

/// Ends of sends, counted.
#[derive(Debug, Default)]
struct Tally {
    begun: AtomicU64,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    not_sent: AtomicU64,
    unknown: AtomicU64,
    /// How many of an epoch are under way. A flush begins a new epoch and waits for the old one.
    under_way: [AtomicU64; 2],
    epoch: AtomicUsize,
    /// How many wait for an end; without any, an end tells nobody.
    waiting: AtomicUsize,
    flushing: tokio::sync::Mutex<()>,
    ended: Notify,
}

/// A moment of the tally.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) acknowledged: u64,
    pub(crate) refused: u64,
    pub(crate) not_sent: u64,
    pub(crate) unknown: u64,
}

impl Producer {
    /// Makes a client and a producer of its own from a connection string with a `group`, and waits until a name
    /// server has answered. Closing the producer closes the client.
    ///
    /// # Errors
    /// The string does not parse or names no group, no tokio runtime is running, or no name server answered.
    ///
    /// # Cancel safety
    /// Safe: dropped early, nothing is left behind.
    pub async fn connect(url: &str) -> Result<Self, ConnectError> {
        let config = ClientConfig::from_url(url)?;
        let Some(group) = config.group.clone() else {
            return Err(
                ConfigError::new("the connection string names no producer group: add ?group=NAME").into()
            );
        };
        Self::connect_with(config, ProducerConfig::new(group)).await
    }

    /// A producer with a client of its own.
    pub(crate) async fn connect_with(
        client: ClientConfig,
        producer: ProducerConfig,
    ) -> Result<Self, ConnectError> {
        let client = Client::connect(client).await?;
        Ok(Self::new(client, producer, Some(Owned))?)
    }

    pub(crate) fn new(
        client: Client,
        config: ProducerConfig,
        owned: Option<Owned>,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        if client.shared().is_gone() || client.shared().leaving.load(Ordering::Acquire) {
            return Err(ConfigError::new("the client is closed: make a new one"));
        }
        let group = Group::new(config.group.as_str())
            .map_err(|error| ConfigError::new(format!("the producer group is not valid: {error}")))?;
        if matches!(group.as_str(), "DEFAULT_PRODUCER" | "CLIENT_INNER_PRODUCER") {
            let why =
                format!("{group} is a name of RocketMQ's own: name the producer group after what it sends");
            return Err(ConfigError::new(why));
        }
        let shared = Arc::new(Shared {
            admission: Admission::new(config.max_messages, config.max_bytes),
            group,
            config,
            budget: RetryBudget::new(),
            tally: Tally::default(),
            left: AtomicBool::new(false),
            closing: CancellationToken::new(),
            unsent: Mutex::default(),
        });
        client.shared().register(&shared.group, &shared);
        Ok(Self { handle: Arc::new(Handle { client, shared, owns_client: owned.is_some() }) })
    }

    /// Begins a send. Nothing happens until it is awaited, or given another ending.
    pub fn send(&self, message: Message) -> Sending {
        Sending::new(self.clone(), message)
    }

    /// Begins to send a batch: one request, one answer, one receipt for each message. Nothing happens until it is
    /// awaited.
    ///
    /// # Errors
    /// Of the await, as with [`send`](Self::send); the batch fails as a whole, and all messages come back.
    pub fn send_batch(&self, batch: MessageBatch) -> SendingBatch {
        SendingBatch::new(self, batch)
    }

    /// Cuts messages into batches, in their order: each as large as this producer's `max_message_size` allows (4 MiB by
    /// default), a new one where the topic changes. A message that is larger goes alone, and is refused when it is sent.
    ///
    /// # Errors
    /// A message is for a retry topic; all since the last whole batch come back.
    pub fn split_batches(
        &self,
        messages: impl IntoIterator<Item = Message>,
    ) -> Result<Vec<MessageBatch>, BatchError> {
        batch::split(messages, self.shared().config.max_message_size)
    }

    /// Waits until everything that was begun before has ended, for at most `within`: what was enqueued, sent one way, or
    /// is awaited by others. What begins meanwhile is not waited for.
    ///
    /// # Cancel safety
    /// Safe: it changes nothing.
    pub async fn flush(&self, within: Duration) -> FlushReport {
        let (client, shared) = (self.client().shared(), self.shared());
        let began = shared.counts();
        let flushed =
            tokio::time::timeout_at(client.clock.instant(client.clock.now() + within), shared.flushed());
        let pending = if flushed.await.is_ok() { 0 } else { shared.counts_and_rest().1 };
        let ended = shared.counts();
        FlushReport {
            acknowledged: ended.acknowledged - began.acknowledged,
            refused: ended.refused - began.refused,
            not_sent: ended.not_sent - began.not_sent,
            unknown: ended.unknown - began.unknown,
            pending,
        }
    }

    /// The writable queues of `topic` (Apache's `fetchPublishMessageQueues`), those of the default topic when it does
    /// not exist yet and may be created.
    ///
    /// # Errors
    /// The topic's name is not valid, or there is no route, and why.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn queues(&self, topic: &str) -> Result<Vec<MessageQueue>, RequestError> {
        let topic = Topic::new(topic).map_err(|error| RequestError::invalid(error.to_string()))?;
        let client = self.client().shared();
        let route = client.routes.need(&topic, self.shared().wish(), None, client.deadline()).await?;
        Ok(queues_of(route.publish_info()?))
    }

    /// Gets ready for sends to `topics`: fetches their routes, connects to their brokers and announces the group to
    /// them, all at once, within the request timeout (default 3 s). The first send then only sends. Their routes are
    /// kept fresh from now on, used or not.
    ///
    /// # Errors
    /// A topic's name is not valid, it has no route, or none of its brokers answers. What is ready stays ready.
    ///
    /// # Cancel safety
    /// Safe: what is ready by then stays ready.
    pub async fn prewarm(&self, topics: &[&str]) -> Result<(), RequestError> {
        let checked = topics.iter().map(|topic| Topic::new(*topic));
        let topics: Vec<_> =
            checked.collect::<Result<_, _>>().map_err(|error| RequestError::invalid(error.to_string()))?;
        let client = self.client().shared();
        client.prewarm(&self.shared().group, &topics, self.shared().wish(), client.deadline()).await
    }

    /// Refuses new sends, waits for those under way, and unregisters the group at the brokers, for at most `within`.
    ///
    /// # Cancel safety
    /// Safe: the producer stays closed to new sends; call it again to wait on.
    pub async fn close(&self, within: Duration) -> CloseReport {
        let client = self.client().shared();
        if self.handle.owns_client {
            shutdown::close_client(client, within).await
        } else {
            shutdown::close_producer(client, self.shared(), within).await
        }
    }

    /// The client that this producer belongs to.
    pub fn client(&self) -> &Client {
        &self.handle.client
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("group", &self.shared().group)
            .field("client", self.client())
            .finish_non_exhaustive()
    }
}

/// The queues of a topic that a producer may write to.
fn queues_of(info: &PublishInfo) -> Vec<MessageQueue> {
    let topic = info.topic().shared();
    let queues = info.queues().iter();
    queues
        .map(|queue| {
            MessageQueue::new(topic.clone(), info.brokers()[queue.broker].name.clone(), queue.queue_id)
        })
        .collect()
}

/// What ended while a flush waited, and what did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlushReport {
    /// Stored and acknowledged.
    pub acknowledged: u64,
    /// Refused by a broker.
    pub refused: u64,
    /// Not sent.
    pub not_sent: u64,
    /// May or may not be stored: no answer, or one-way.
    pub unknown: u64,
    /// Still under way when the time was over.
    pub pending: u64,
}

/// A producer with a client of its own.
pub(crate) struct Owned;

impl Drop for Handle {
    /// The last handle is gone, so nothing is under way that anybody waits for.
    fn drop(&mut self) {
        self.shared.refuse_new();
        let client = self.client.shared();
        if !client.leaving.load(Ordering::Acquire) {
            drop(shutdown::leave_group(client, &self.shared));
        }
    }
}

impl Shared {
    /// Which route will do.
    fn wish(&self) -> Wish {
        if self.config.auto_create { Wish::OrDefault { max_queues: DEFAULT_TOPIC_QUEUES } } else { Wish::Own }
    }

    /// Refuses sends that begin from now on; says what was counted until now.
    pub(crate) fn refuse_new(&self) -> Counts {
        self.admission.close();
        self.counts()
    }

    /// Says true once.
    pub(crate) fn leave_once(&self) -> bool {
        !self.left.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn counts(&self) -> Counts {
        let tally = &self.tally;
        Counts {
            acknowledged: tally.acknowledged.load(Ordering::Acquire),
            refused: tally.refused.load(Ordering::Acquire),
            not_sent: tally.not_sent.load(Ordering::Acquire),
            unknown: tally.unknown.load(Ordering::Acquire),
        }
    }

    /// What has ended, and how many have not.
    ///
    /// First what has ended, then what has begun: a send that does both between two loads counts as one that has not
    /// ended, and its end wakes whoever waits. The other way round it would hide one that is still under way.
    pub(crate) fn counts_and_rest(&self) -> (Counts, u64) {
        let counts = self.counts();
        let begun = self.tally.begun.load(Ordering::Acquire);
        let ended = counts.acknowledged + counts.refused + counts.not_sent + counts.unknown;
        (counts, begun.saturating_sub(ended))
    }

    /// Waits until nothing is under way.
    pub(crate) async fn idle(&self) {
        self.until(|| self.counts_and_rest().1 == 0).await;
    }

    /// Waits until all that was begun before has ended. One flush after the other: what an earlier one has not waited
    /// for to its end is older still, and waited for first.
    async fn flushed(&self) {
        let _turn = self.tally.flushing.lock().await;
        let epoch = self.tally.epoch.load(Ordering::Acquire);
        let is_over = |epoch: usize| self.tally.under_way[epoch % 2].load(Ordering::Acquire) == 0;
        self.until(|| is_over(epoch + 1)).await;
        self.tally.epoch.store(epoch + 1, Ordering::Release);
        self.until(|| is_over(epoch)).await;
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        self.tally.waiting.fetch_add(1, Ordering::AcqRel);
        let _waiting = Waits(&self.tally.waiting);
        loop {
            let ended = self.tally.ended.notified();
            let mut ended = std::pin::pin!(ended);
            // First listen, then look: an end between the two is not missed.
            ended.as_mut().enable();
            if is_so() {
                return;
            }
            ended.await;
        }
    }

    /// Gives up what was enqueued and has nothing in flight.
    pub(crate) fn give_up_unsent(&self) {
        self.closing.cancel();
    }

    /// Keeps the messages of an enqueued send that was given up, for the report of closing: of this close, or of the
    /// next one when this one goes on in the background.
    fn keep_unsent(&self, error: &SendError) {
        if self.admission.is_closed()
            && error.code() == ErrorCode::CLOSED
            && error.outcome() != Outcome::Unknown
        {
            self.unsent.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(error.messages());
        }
    }

    pub(crate) fn take_unsent(&self) -> Vec<Message> {
        std::mem::take(&mut self.unsent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn count_begun(&self, messages: usize) -> (u32, u8) {
        let epoch = self.tally.epoch.load(Ordering::Acquire) % 2;
        self.tally.under_way[epoch].fetch_add(messages as u64, Ordering::AcqRel);
        self.tally.begun.fetch_add(messages as u64, Ordering::AcqRel);
        (messages as u32, epoch as u8)
    }

    fn count_ended(&self, counter: &AtomicU64, count: u32, epoch: u8) {
        counter.fetch_add(count.into(), Ordering::AcqRel);
        self.tally.under_way[usize::from(epoch)].fetch_sub(count.into(), Ordering::AcqRel);
        if self.tally.waiting.load(Ordering::Acquire) > 0 {
            self.tally.ended.notify_waiters();
        }
    }
}

/// Somebody waits for ends, as long as this lives.
struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A message that was enqueued and whose task has not begun: it is under way all the same.
struct Ticket(Option<(Arc<Shared>, u32, u8)>);

impl Ticket {
    fn issue(shared: &Arc<Shared>, messages: usize) -> Self {
        let (count, epoch) = shared.count_begun(messages);
        Self(Some((shared.clone(), count, epoch)))
    }

    /// The send has begun, and counts from now on by itself.
    fn redeem(mut self, producer: Producer) -> UnderWay {
        let (count, epoch) = self.0.take().map_or((0, 0), |(_, count, epoch)| (count, epoch));
        UnderWay { producer, worst: Outcome::NotSent, stored: false, count, epoch }
    }
}

impl Drop for Ticket {
    /// Its task ended with its runtime before it had begun.
    fn drop(&mut self) {
        if let Some((shared, count, epoch)) = self.0.take() {
            shared.count_ended(&shared.tally.not_sent, count, epoch);
        }
    }
}

/// A send that is counted as under way until this is dropped, be it by a cancelled caller. It is the send's handle of
/// its producer, too.
struct UnderWay {
    producer: Producer,
    worst: Outcome,
    stored: bool,
    count: u32,
    epoch: u8,
}

impl UnderWay {
    /// Counts messages from here to their end.
    fn begin(producer: Producer, messages: usize) -> Self {
        let (count, epoch) = producer.shared().count_begun(messages);
        Self { producer, worst: Outcome::NotSent, stored: false, count, epoch }
    }

    /// From here until the attempt has ended, a cancelled caller leaves an unknown outcome.
    fn attempt(&mut self) {
        self.worst = Outcome::Unknown;
    }

    fn observe(&mut self, outcome: Outcome) {
        self.worst = outcome;
    }

    fn stored(&mut self) {
        self.stored = true;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let shared = self.producer.shared();
        let tally = &shared.tally;
        let counter = match self.worst {
            _ if self.stored => &tally.acknowledged,
            Outcome::NotSent => &tally.not_sent,
            Outcome::Refused => &tally.refused,
            Outcome::Unknown => &tally.unknown,
        };
        shared.count_ended(counter, self.count, self.epoch);
    }
}

/// Queues per broker that an automatically created topic gets at most (Apache's `defaultTopicQueueNums`).
const DEFAULT_TOPIC_QUEUES: i32 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Client, ClientConfig};

    /// A send that passed the gate just before it closed begins and ends while `close` counts: with its end counted
    /// and its beginning not, a send that is still under way seemed to be over.
    #[tokio::test]
    async fn what_is_under_way_is_never_overlooked_while_others_begin_and_end() {
        let client = Client::lazy(ClientConfig::new("127.0.0.1:1")).unwrap();
        let producer = client.producer(ProducerConfig::new("tests")).unwrap();
        let shared = producer.shared();
        let (count, epoch) = shared.count_begun(1);
        std::thread::scope(|scope| {
            let others = scope.spawn(|| {
                for _ in 0..300_000 {
                    let (count, epoch) = shared.count_begun(1);
                    shared.count_ended(&shared.tally.not_sent, count, epoch);
                }
            });
            while !others.is_finished() {
                assert_ne!(shared.counts_and_rest().1, 0, "one is under way all the time");
            }
        });
        shared.count_ended(&shared.tally.acknowledged, count, epoch);
        assert_eq!(shared.counts_and_rest().1, 0);
    }
}
