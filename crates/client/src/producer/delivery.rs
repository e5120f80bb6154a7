//! Messages that are sent while their caller goes on: one tracked task for each, bounded by admission, joined by `close`.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    thread,
};

use maxq_policy::Outcome;

use super::{Order, Producer, SendReceipt, Untold, prepare::Parcel, send};
use crate::{ErrorCode, SendError, SendErrorKind, admission::Permit, error::SendFailure};

/// A message on its way. Await it for the receipt, or let [`on_complete`](Self::on_complete) be called.
///
/// Dropping it does not cancel the message; [`Producer::flush`] and [`Producer::close`] wait for it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// # use maxq::Message;
/// let delivery = producer.send(Message::new("orders", "paid")).enqueue().await?;
/// // .. go on with something else ..
/// println!("it is in {}", delivery.await?.queue());
///
/// let delivery = producer.send(Message::new("orders", "packed")).enqueue().await?;
/// delivery.on_complete(|end| match end {
///     Ok(receipt) => println!("it is in {}", receipt.queue()),
///     Err(error) => eprintln!("{error}"),
/// });
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// Safe: it may be awaited again after a dropped wait (`&mut delivery`), and the message goes its way.
#[must_use = "the message is sent either way, but nobody hears whether that worked"]
pub struct Delivery(Arc<Slot>);

/// Where the end of a send is put.
struct Slot(Mutex<State>);

/// ```text
///   Open --poll--> Waiting --the task ends--> Done --poll--> Taken
///     `--on_complete--> Callback --the task ends--> Taken
/// ```
enum State {
    Open,
    Waiting(Waker),
    Callback(Callback),
    Done(Box<SendEnd>),
    Taken,
}

type SendEnd = Result<SendReceipt, SendError>;
type Callback = Box<dyn FnOnce(SendEnd) + Send>;

impl Delivery {
    /// Calls `f` once, when the send ends: in the client's task, so it must not block; at once and here if the send has
    /// ended already. What it panics with ends that task and nothing else.
    pub fn on_complete(self, f: impl FnOnce(Result<SendReceipt, SendError>) + Send + 'static) {
        let mut state = self.0.lock();
        match mem::replace(&mut *state, State::Taken) {
            State::Done(end) => {
                drop(state);
                f(*end);
            }
            State::Taken => {}
            State::Open | State::Waiting(_) | State::Callback(_) => *state = State::Callback(Box::new(f)),
        }
    }

    /// Begins to send a message that has room.
    pub(super) fn begin(producer: Producer, parcel: Parcel, order: Order, permit: Permit) -> Self {
        let slot = Arc::new(Slot(Mutex::new(State::Open)));
        let shared = producer.client().shared().clone();
        let untold = Some(Untold::begin(producer.shared()));
        let end = End { slot: slot.clone(), topic: parcel.topic().into(), untold };
        // Two small blocks: together they would be a large one, which costs the allocator several times as much.
        let sending = Box::pin(send::enqueued(producer, parcel, order, permit));
        let task = async move { end.tell(sending.await) };
        shared.tasks.spawn_on(task, &shared.runtime);
        Self(slot)
    }
}

impl Future for Delivery {
    type Output = Result<SendReceipt, SendError>;

    /// # Panics
    /// It was polled after it had given its result.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.lock();
        match mem::replace(&mut *state, State::Taken) {
            State::Done(end) => Poll::Ready(*end),
            State::Taken => panic!("a delivery was polled after it had given its result"),
            State::Open | State::Waiting(_) | State::Callback(_) => {
                *state = State::Waiting(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Delivery")
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody will hear the end.
    fn is_held(self: &Arc<Self>) -> bool {
        // The task has one of the two references, the delivery the other one.
        Arc::strong_count(self) > 1 || matches!(*self.lock(), State::Callback(_))
    }

    fn fill(&self, end: SendEnd) {
        let mut state = self.lock();
        match mem::replace(&mut *state, State::Taken) {
            State::Open => *state = State::Done(Box::new(end)),
            State::Waiting(waker) => {
                *state = State::Done(Box::new(end));
                drop(state);
                waker.wake();
            }
            State::Callback(callback) => {
                // Not under the lock: it may do anything.
                drop(state);
                callback(end);
            }
            State::Done(first) => *state = State::Done(first),
            State::Taken => {}
        }
    }
}

/// Tells the end of a send exactly once, also when its task goes with its runtime.
struct End {
    slot: Arc<Slot>,
    topic: Box<str>,
    untold: Option<Untold>,
}

impl End {
    fn tell(mut self, end: SendEnd) {
        if let Some(untold) = self.untold.take() {
            untold.tell(end.as_ref().err().filter(|_| !self.slot.is_held()));
        }
        self.slot.fill(end);
    }
}

impl Drop for End {
    /// After [`tell`](Self::tell), this changes nothing.
    fn drop(&mut self) {
        let Some(untold) = self.untold.take() else { return };
        untold.lose();
        let what = match thread::panicking() {
            true => "its task panicked: a selector that panics does that, or a bug of ours",
            false => "the client's runtime ended under it",
        };
        let failure = SendFailure {
            kind: SendErrorKind::Closed,
            code: ErrorCode::CLOSED,
            outcome: Outcome::Unknown,
            topic: mem::take(&mut self.topic).into(),
            what: what.to_owned(),
            attempts: Vec::new(),
            messages: Vec::new(),
        };
        self.slot.fill(Err(failure.into()));
    }
}
