//! What happens to a client, told to whoever listens: connections, routes, the health of brokers, the name servers.
//!
//! Each listener has a queue of its own. Telling never waits: a full queue loses its oldest event, and its listener is
//! told how many. They are told and woken in the order in which they began to listen, so that a run repeats exactly.
//! While nobody listens, telling is one load, and the event is not even made.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

/// Something that happened to a client.
///
/// Addresses are `host:port` as they are dialled, after any mapping.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// use maxq::{Client, ClientConfig, Event};
///
/// let client = Client::lazy(ClientConfig::new(cluster.name_servers()))?;
/// let mut events = client.events();
/// client.admin().route("orders").await?;
/// match events.next().await {
///     Some(Event::Connected { address }) => println!("connected to {address}"),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A connection was opened, to a name server or to a broker.
    Connected {
        /// Where to.
        address: Arc<str>,
    },
    /// A connection was lost, or is given up because its server is mute. What this client closes by itself (after a
    /// long silence, when the server asks for it, when no route names the broker, when it leaves) is not lost.
    Lost {
        /// Where to.
        address: Arc<str>,
        /// Why, for people.
        cause: Arc<str>,
    },
    /// A topic's route was learnt, or names other brokers or queues to write to than before.
    RouteChanged {
        /// The topic.
        topic: Arc<str>,
    },
    /// The oldest request to a broker waits for longer than it should. Its breaker opens if another broker answers
    /// meanwhile; if none does, the pause may be our own, and nothing follows.
    BrokerSuspected {
        /// The broker.
        address: Arc<str>,
        /// How long it has waited.
        waited: Duration,
    },
    /// A broker fails or keeps us waiting: no send goes there for a while, if another one will do.
    BreakerOpened {
        /// The broker.
        address: Arc<str>,
        /// How long it rests before it is asked whether it is back.
        rest: Duration,
    },
    /// A broker that rested has said something: one send tries it.
    BreakerHalfOpened {
        /// The broker.
        address: Arc<str>,
    },
    /// A broker that rested has answered a send: it gets a growing share of them.
    BrokerReadmitted {
        /// The broker.
        address: Arc<str>,
    },
    /// A broker gets its whole share of sends again. Told with the first answer that comes then.
    BreakerClosed {
        /// The broker.
        address: Arc<str>,
    },
    /// A look-up has found other name servers than before.
    NameServersChanged {
        /// All of them.
        addresses: Vec<Arc<str>>,
    },
    /// This listener was too slow, and has missed so many events that would have come here.
    Missed {
        /// How many.
        count: u64,
    },
    /// The client is closed. Nothing follows.
    Closed,
}

/// The events of a client from the moment on at which this was made; see [`Client::events`](crate::Client::events).
///
/// It keeps no client alive. It holds 256 events; when they are not taken in time, the oldest are lost, and
/// [`Event::Missed`] says how many.
///
/// ```no_run
/// # async fn run(client: maxq::Client) {
/// use maxq::Event;
///
/// let mut events = client.events();
/// while let Some(event) = events.next().await {
///     match event {
///         Event::BreakerOpened { address, rest } => eprintln!("{address} rests for {rest:?}"),
///         event => println!("{event}"),
///     }
/// }
/// // The client is closed.
/// # }
/// ```
#[derive(Debug)]
pub struct Events {
    line: Arc<Line>,
}

impl Events {
    /// The next event, when there is one; `None` once the client is closed and all was taken.
    ///
    /// # Cancel safety
    /// Safe: an event that was not given stays.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| self.line.poll(context)).await
    }

    /// The next event, if there is one now.
    pub fn try_next(&mut self) -> Option<Event> {
        self.line.queue().take()
    }
}

/// Tells events. All clones tell the same listeners.
#[derive(Clone, Debug, Default)]
pub(crate) struct Herald(Arc<Hall>);

#[derive(Debug, Default)]
struct Hall {
    /// How many listened when one was last told; to be looked at without the lock.
    listeners: AtomicUsize,
    lines: Mutex<Lines>,
}

#[derive(Debug, Default)]
struct Lines {
    open: Vec<Weak<Line>>,
    is_over: bool,
}

/// The queue of one listener.
#[derive(Debug, Default)]
struct Line(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    missed: u64,
    is_over: bool,
    waker: Option<Waker>,
}

impl Herald {
    /// A new listener, for what is told from now on.
    pub(crate) fn listen(&self) -> Events {
        let mut lines = self.lines();
        let line = Arc::new(Line::default());
        line.queue().is_over = lines.is_over;
        lines.open.push(Arc::downgrade(&line));
        self.0.listeners.store(lines.open.len(), Relaxed);
        Events { line }
    }

    /// Tells an event, which is made only if somebody listens.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if self.0.listeners.load(Relaxed) > 0 {
            self.cry(event(), false);
        }
    }

    /// Tells that the client is closed; what is told afterwards, nobody hears.
    pub(crate) fn end(&self) {
        self.cry(Event::Closed, true);
    }

    fn cry(&self, event: Event, is_last: bool) {
        let mut wakers = Vec::new();
        let mut lines = self.lines();
        if lines.is_over {
            return;
        }
        lines.is_over = is_last;
        lines.open.retain(|line| {
            let Some(line) = line.upgrade() else { return false };
            wakers.extend(line.queue().put(event.clone(), is_last));
            true
        });
        self.0.listeners.store(lines.open.len(), Relaxed);
        drop(lines);
        // Not under the lock: a waker may do anything.
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the end when it is dropped: by a task that ends with the client, or with its runtime.
pub(crate) struct LastWords(pub(crate) Herald);

impl Drop for LastWords {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Line {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<Event>> {
        let mut queue = self.queue();
        match queue.take() {
            Some(event) => Poll::Ready(Some(event)),
            None if queue.is_over => Poll::Ready(None),
            None => {
                queue.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Queue {
    /// Appends an event; says who waits for it.
    fn put(&mut self, event: Event, is_last: bool) -> Option<Waker> {
        if self.events.len() == CAPACITY {
            self.events.pop_front();
            self.missed += 1;
        }
        self.events.push_back(event);
        self.is_over = is_last;
        self.waker.take()
    }

    fn take(&mut self) -> Option<Event> {
        match std::mem::take(&mut self.missed) {
            0 => self.events.pop_front(),
            count => Some(Event::Missed { count }),
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { address } => write!(f, "connected to {address}"),
            Self::Lost { address, cause } => write!(f, "lost the connection to {address}: {cause}"),
            Self::RouteChanged { topic } => write!(f, "the route of {topic} has changed"),
            Self::BrokerSuspected { address, waited } => {
                write!(f, "{address} is suspected: a request has waited for {waited:?}")
            }
            Self::BreakerOpened { address, rest } => write!(f, "{address} gets no sends for {rest:?}"),
            Self::BreakerHalfOpened { address } => write!(f, "{address} speaks again: one send tries it"),
            Self::BrokerReadmitted { address } => write!(f, "{address} gets a growing share of sends"),
            Self::BreakerClosed { address } => write!(f, "{address} gets its whole share of sends again"),
            Self::NameServersChanged { addresses } => {
                write!(f, "the name servers are now {}", addresses.join(", "))
            }
            Self::Missed { count } => write!(f, "{count} events were missed"),
            Self::Closed => f.write_str("the client is closed"),
        }
    }
}

/// Events that one listener may leave untaken.
const CAPACITY: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(n: usize) -> Event {
        Event::RouteChanged { topic: n.to_string().into() }
    }

    #[tokio::test]
    async fn a_slow_listener_loses_the_oldest_and_is_told_how_many() {
        let herald = Herald::default();
        let mut events = herald.listen();
        for n in 0..CAPACITY + 3 {
            herald.tell(|| told(n));
        }
        assert_eq!(events.next().await, Some(Event::Missed { count: 3 }));
        for n in 3..CAPACITY + 3 {
            assert_eq!(events.try_next(), Some(told(n)));
        }
        assert_eq!(events.try_next(), None);
    }

    #[tokio::test]
    async fn the_end_comes_after_everything_and_only_once() {
        let herald = Herald::default();
        let mut events = herald.listen();
        herald.tell(|| told(1));
        drop(LastWords(herald.clone()));
        herald.end();
        herald.tell(|| told(2));
        assert_eq!(events.next().await, Some(told(1)));
        assert_eq!(events.next().await, Some(Event::Closed));
        assert_eq!((events.next().await, herald.listen().next().await), (None, None));
    }

    #[tokio::test]
    async fn listeners_are_woken_in_the_order_in_which_they_came() {
        let (herald, order) = (Herald::default(), Arc::<Mutex<Vec<usize>>>::default());
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..32 {
            let (mut events, order) = (herald.listen(), order.clone());
            tasks.spawn(async move {
                assert_eq!(events.next().await, Some(told(7)));
                order.lock().unwrap().push(n);
            });
        }
        tokio::task::yield_now().await;
        herald.tell(|| told(7));
        tasks.join_all().await;
        assert_eq!(*order.lock().unwrap(), (0..32).collect::<Vec<_>>());
    }

    #[test]
    fn an_event_that_nobody_listens_to_is_not_made() {
        let herald = Herald::default();
        herald.tell(|| panic!("nobody listens"));
        drop(herald.listen());
        // The one that is made now finds out that its listener has gone.
        herald.tell(|| told(1));
        herald.tell(|| panic!("nobody listens any more"));
    }
}
