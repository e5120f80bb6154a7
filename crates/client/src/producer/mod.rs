//! The producer: one handle, one builder for a send, four endings.

mod batch;
mod begin;
mod delivery;
mod failure;
mod head;
mod prepare;
mod receipt;
mod selector;
mod send;
mod sending;
mod tally;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use maxq_policy::{Outcome, PublishInfo, RetryBudget};
use maxq_protocol::{Group, Topic};
use tokio_util::sync::CancellationToken;

use crate::{
    Client, ClientConfig, CloseReport, ConfigError, ConnectError, Message, MessageQueue, ProducerConfig,
    RequestError, SendError, Stats, admission::Admission, route::Wish, shutdown, stats::Ledger,
};
pub use batch::{BatchError, BatchErrorKind, BatchReceipt, MessageBatch, SendingBatch};
pub use delivery::Delivery;
pub(crate) use head::Heads;
pub use receipt::{MessageId, SendReceipt, StoreStatus};
use selector::Destination;
pub use selector::{ByChance, ByKey, QueueSelector};
use sending::{Draft, Order};
pub use sending::{SendFuture, Sending, SendingOneway};
pub(crate) use tally::Counts;
use tally::{Tally, UnderWay, Untold};

/// Sends messages. Cheap to clone; all clones are one producer.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::start(1).await?;
/// # let url = format!("rocketmq://{}/?group=orders", cluster.name_servers());
/// use maxq::{Message, Producer};
///
/// let producer = Producer::connect(&url).await?; // rocketmq://127.0.0.1:9876/?group=orders
/// let receipt = producer.send(Message::new("orders", "paid").key("42")).await?;
/// println!("{} is in {}", receipt.message_id(), receipt.queue());
/// # Ok(())
/// # }
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
    admission: Arc<Admission>,
    budget: RetryBudget,
    tally: Tally,
    left: AtomicBool,
    /// Cancelled when enqueued messages of which nothing is in flight are to be given up.
    closing: CancellationToken,
    /// What was not stored since then and nobody holds; see [`CloseReport::unsent`].
    unsent: Mutex<Vec<Message>>,
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
        let ledger = Ledger::new(client.shared().next_number());
        let shared = Arc::new(Shared {
            admission: Arc::new(Admission::new(config.max_messages, config.max_bytes, ledger)),
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

    /// The figures of this producer now: what is under way, what became of the rest, retries, latencies, and how its
    /// brokers stand. They are always counted; reading them takes some microseconds and holds up nobody.
    pub fn stats(&self) -> Stats {
        self.shared().stats(self.client().shared())
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

    /// How many messages are under way now.
    pub(crate) fn under_way(&self) -> u64 {
        self.shared().counts_and_rest().1
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
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// use std::time::Duration;
/// # use maxq::Message;
///
/// drop(producer.send(Message::new("orders", "paid")).enqueue().await?);
/// let report = producer.flush(Duration::from_secs(5)).await;
/// assert_eq!(report.pending, 0);
/// # Ok(())
/// # }
/// ```
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

    /// Gives up what was enqueued and has nothing in flight.
    pub(crate) fn give_up_unsent(&self) {
        self.closing.cancel();
    }

    /// Keeps the messages of an enqueued send that nobody holds, for the report of closing: of this close, or of the next
    /// one when this one goes on in the background.
    fn keep_unsent(&self, error: &SendError) {
        if self.admission.is_closed() && error.outcome() != Outcome::Unknown {
            self.unsent.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(error.messages());
        }
    }

    pub(crate) fn take_unsent(&self) -> Vec<Message> {
        std::mem::take(&mut self.unsent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let lost = self.tally.lost();
        if lost > 0 {
            tracing::warn!(
                group = %self.group,
                messages = lost,
                "the runtime ended under enqueued messages, or their tasks panicked, and nobody knows which are stored: \
                 close the producer first"
            );
        }
    }
}

/// Queues per broker that an automatically created topic gets at most (Apache's `defaultTopicQueueNums`).
const DEFAULT_TOPIC_QUEUES: i32 = 4;
