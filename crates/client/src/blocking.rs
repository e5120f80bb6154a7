//! For programs without async: the same producer, driven by a thread of its own.
//!
//! One thread, `maxq-blocking`, runs the client, so heartbeats go on between calls. All calls wait; from inside async
//! code, where waiting would stop a whole runtime, they give an error.

use std::{
    fmt,
    future::{Future, IntoFuture},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use tokio::{runtime::Handle, sync::oneshot};
use tokio_util::task::TaskTracker;

use crate::{
    BatchReceipt, ClientConfig, CloseReport, ConfigError, ConnectError, ErrorCode, FlushReport, Message,
    MessageBatch, MessageQueue, Outcome, ProducerConfig, QueueSelector, RetryPolicy, SendError,
    SendErrorKind, SendReceipt, Stats, error::SendFailure,
};

/// Sends messages and waits. Cheap to clone; all clones are one producer.
///
/// Closing it, or dropping the last clone, ends its thread.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
/// # let cluster = runtime.block_on(maxq_emulator::Cluster::start(1))?;
/// # let url = format!("rocketmq://{}/?group=orders", cluster.name_servers());
/// use std::time::Duration;
/// use maxq::{Message, blocking::Producer};
///
/// let producer = Producer::connect(&url)?; // rocketmq://127.0.0.1:9876/?group=orders
/// let receipt = producer.send(Message::new("orders", "paid").key("42")).wait()?;
/// println!("{} is in {}", receipt.message_id(), receipt.queue());
/// producer.close(Duration::from_secs(5));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Producer {
    /// Before the driver: the producer leaves while its thread still runs.
    inner: crate::Producer,
    driver: Arc<Driver>,
}

/// The thread that runs the client.
struct Driver {
    handle: Handle,
    /// Ends the thread: with the tasks that it is to run to their end, or dropped.
    stop: Option<oneshot::Sender<TaskTracker>>,
    /// The client's tasks, once there is one.
    tasks: Option<TaskTracker>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Producer {
    /// As [`crate::Producer::connect`].
    ///
    /// # Errors
    /// As there, or this is called from inside async code, or no thread could be started.
    pub fn connect(url: &str) -> Result<Self, ConnectError> {
        let driver = Driver::start()?;
        let inner = driver.run(crate::Producer::connect(url))?;
        Ok(driver.drive(inner))
    }

    /// A producer with a client of its own, from two configurations.
    ///
    /// # Errors
    /// A configuration cannot work, no name server answers, this is called from inside async code, or no thread could
    /// be started.
    pub fn with(client: ClientConfig, producer: ProducerConfig) -> Result<Self, ConnectError> {
        let driver = Driver::start()?;
        let inner = driver.run(crate::Producer::connect_with(client, producer))?;
        Ok(driver.drive(inner))
    }

    /// Begins a send. Nothing happens before one of its endings.
    pub fn send(&self, message: Message) -> Sending {
        Sending { inner: self.inner.send(message), driver: self.driver.clone() }
    }

    /// Begins to send a batch. Nothing happens before [`SendingBatch::wait`].
    pub fn send_batch(&self, batch: MessageBatch) -> SendingBatch {
        SendingBatch { inner: self.inner.send_batch(batch), driver: self.driver.clone() }
    }

    /// As [`crate::Producer::flush`]. From inside async code, it does not wait: all that is under way is `pending`.
    pub fn flush(&self, within: Duration) -> FlushReport {
        let inner = self.inner.clone();
        let flushed = self.driver.call(async move { inner.flush(within).await });
        flushed.unwrap_or_else(|| FlushReport { pending: self.inner.under_way(), ..FlushReport::default() })
    }

    /// As [`crate::Producer::stats`]. It waits for nothing.
    pub fn stats(&self) -> Stats {
        self.inner.stats()
    }

    /// As [`crate::Producer::close`]. From inside async code, it does not wait: closing goes on, and all that is under
    /// way is `unknown`.
    pub fn close(&self, within: Duration) -> CloseReport {
        let (inner, unknown) = (self.inner.clone(), self.inner.under_way());
        let closed = self.driver.call(async move { inner.close(within).await });
        closed.unwrap_or_else(|| CloseReport { unknown, ..CloseReport::default() })
    }

    /// The same producer for async code. It belongs to the thread of this one, and lives no longer.
    pub const fn inner(&self) -> &crate::Producer {
        &self.inner
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("blocking::Producer").field("inner", &self.inner).finish()
    }
}

/// A send that has not begun, with the options of [`crate::Sending`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
/// # let cluster = runtime.block_on(maxq_emulator::Cluster::start(1))?;
/// # let url = format!("rocketmq://{}/?group=orders", cluster.name_servers());
/// # use maxq::blocking::Producer;
/// # let producer = Producer::connect(&url)?;
/// use std::time::Duration;
/// use maxq::{ByKey, Message};
///
/// let sending = producer.send(Message::new("orders", "paid")).select_by(ByKey::new("order-42"));
/// let receipt = sending.timeout(Duration::from_secs(1)).wait()?;
/// producer.send(Message::new("orders", "packed")).enqueue(|end| println!("{:?}", end.map(|r| r.queue_offset())))?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent until this is waited for"]
#[derive(Debug)]
pub struct Sending {
    inner: crate::Sending,
    driver: Arc<Driver>,
}

impl Sending {
    /// As [`crate::Sending::to`].
    pub fn to(mut self, queue: MessageQueue) -> Self {
        self.inner = self.inner.to(queue);
        self
    }

    /// As [`crate::Sending::select_by`].
    pub fn select_by(mut self, selector: impl QueueSelector) -> Self {
        self.inner = self.inner.select_by(selector);
        self
    }

    /// As [`crate::Sending::timeout`].
    pub fn timeout(mut self, total: Duration) -> Self {
        self.inner = self.inner.timeout(total);
        self
    }

    /// As [`crate::Sending::retry`].
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.inner = self.inner.retry(policy);
        self
    }

    /// Sends and waits for the receipt.
    ///
    /// # Errors
    /// As the async send; or this is called from inside async code, and nothing is sent.
    pub fn wait(self) -> Result<SendReceipt, SendError> {
        outside_async(|| vec![self.inner.message().clone()])?;
        self.driver.send(self.inner.into_future())
    }

    /// Sends without an answer.
    pub fn oneway(self) -> SendingOneway {
        SendingOneway(self)
    }

    /// Sends it while the caller goes on; waits for room only. The end is told to `on_complete`, in the client's thread.
    ///
    /// # Errors
    /// There was no room in time, the producer is closed, or this is called from inside async code.
    pub fn enqueue(
        self,
        on_complete: impl FnOnce(Result<SendReceipt, SendError>) + Send + 'static,
    ) -> Result<(), SendError> {
        outside_async(|| vec![self.inner.message().clone()])?;
        let delivery = self.driver.send(self.inner.enqueue())?;
        delivery.on_complete(on_complete);
        Ok(())
    }
}

/// A one-way send that has not begun.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
/// # let cluster = runtime.block_on(maxq_emulator::Cluster::start(1))?;
/// # let url = format!("rocketmq://{}/?group=orders", cluster.name_servers());
/// # use maxq::{Message, blocking::Producer};
/// # let producer = Producer::connect(&url)?;
/// producer.send(Message::new("orders", "seen")).oneway().wait()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent until this is waited for"]
#[derive(Debug)]
pub struct SendingOneway(Sending);

impl SendingOneway {
    /// Waits until the socket has taken the message.
    ///
    /// # Errors
    /// As the async send; or this is called from inside async code, and nothing is sent.
    pub fn wait(self) -> Result<(), SendError> {
        outside_async(|| vec![self.0.inner.message().clone()])?;
        self.0.driver.send(self.0.inner.oneway().into_future())
    }
}

/// A batch that has not begun.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
/// # let cluster = runtime.block_on(maxq_emulator::Cluster::start(1))?;
/// # let url = format!("rocketmq://{}/?group=orders", cluster.name_servers());
/// # use maxq::blocking::Producer;
/// # let producer = Producer::connect(&url)?;
/// use maxq::{Message, MessageBatch};
///
/// let batch = MessageBatch::new((0..10).map(|n| Message::new("orders", n.to_string())))?;
/// assert_eq!(producer.send_batch(batch).wait()?.receipts().len(), 10);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is sent until this is waited for"]
#[derive(Debug)]
pub struct SendingBatch {
    inner: crate::SendingBatch,
    driver: Arc<Driver>,
}

impl SendingBatch {
    /// As [`crate::Sending::timeout`].
    pub fn timeout(mut self, total: Duration) -> Self {
        self.inner = self.inner.timeout(total);
        self
    }

    /// Sends and waits for the receipts.
    ///
    /// # Errors
    /// As the async send; or this is called from inside async code, and nothing is sent.
    pub fn wait(self) -> Result<BatchReceipt, SendError> {
        outside_async(|| self.inner.messages().to_vec())?;
        self.driver.send(self.inner.into_future())
    }
}

impl Driver {
    fn start() -> Result<Self, ConfigError> {
        if is_inside_async() {
            return Err(ConfigError::new(INSIDE_ASYNC));
        }
        let cannot = |error: std::io::Error| ConfigError::new(format!("no thread for the client: {error}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<TaskTracker>();
        let thread = thread::Builder::new().name("maxq-blocking".to_owned());
        let thread = thread.spawn(move || {
            runtime.block_on(async {
                if let Ok(leaving) = stopped.await {
                    drop(tokio::time::timeout(LAST, leaving.wait()).await);
                }
            });
        });
        Ok(Self { handle, stop: Some(stop), tasks: None, thread: Some(thread.map_err(cannot)?) })
    }

    /// Drives `inner` from now on.
    fn drive(mut self, inner: crate::Producer) -> Producer {
        self.tasks = Some(inner.client().shared().tasks.clone());
        Producer { inner, driver: Arc::new(self) }
    }

    /// Runs `future` in the thread and waits for it; `None` inside async code, or when the thread has ended.
    fn call<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (tell, told) = mpsc::sync_channel(1);
        let task = async move { drop(tell.send(future.await)) };
        drop(self.handle.spawn(task));
        if is_inside_async() { None } else { told.recv().ok() }
    }

    fn run<T>(&self, future: impl Future<Output = Result<T, ConnectError>>) -> Result<T, ConnectError> {
        self.handle.block_on(future)
    }

    fn send<T: Send + 'static>(
        &self,
        future: impl Future<Output = Result<T, SendError>> + Send + 'static,
    ) -> Result<T, SendError> {
        let gone = || {
            let what = "the thread of this producer has ended";
            unsendable(SendErrorKind::Closed, ErrorCode::CLOSED, what, Outcome::Unknown, Vec::new())
        };
        self.call(future).unwrap_or_else(|| Err(gone()))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // The producer was dropped just before: its client leaves now, and the thread sees it off.
        if let (Some(stop), Some(tasks)) = (self.stop.take(), self.tasks.take()) {
            drop(stop.send(tasks));
        }
        // From inside async code, or from the thread itself, nobody can wait for it; it ends by itself.
        let is_own =
            self.thread.as_ref().is_some_and(|thread| thread.thread().id() == thread::current().id());
        if let Some(thread) = self.thread.take().filter(|_| !is_own && !is_inside_async()) {
            drop(thread.join());
        }
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Driver")
    }
}

fn is_inside_async() -> bool {
    Handle::try_current().is_ok()
}

/// Refuses what would block a runtime, and gives the messages back.
fn outside_async(messages: impl FnOnce() -> Vec<Message>) -> Result<(), SendError> {
    if is_inside_async() {
        let (kind, code) = (SendErrorKind::Invalid, ErrorCode::CONFIG);
        return Err(unsendable(kind, code, INSIDE_ASYNC, Outcome::NotSent, messages()));
    }
    Ok(())
}

fn unsendable(
    kind: SendErrorKind,
    code: ErrorCode,
    what: &str,
    outcome: Outcome,
    messages: Vec<Message>,
) -> SendError {
    let topic = messages.first().map_or("", Message::topic).to_owned();
    SendFailure { kind, code, outcome, topic, what: what.to_owned(), attempts: Vec::new(), messages }.into()
}

const INSIDE_ASYNC: &str =
    "blocking calls would stop the async runtime they are made in: use maxq::Producer there";
/// A client that was dropped without closing leaves within a second.
const LAST: Duration = Duration::from_millis(1_500);
