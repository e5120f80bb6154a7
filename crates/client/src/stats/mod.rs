//! The figures of a producer: always counted, read when somebody asks.

mod latency;
mod ledger;
mod retries;

use std::{sync::Arc, time::Duration};

use maxq_policy::{BreakerState, BrokerHealth, Time};

pub(crate) use latency::Histogram;
pub use latency::Latencies;
pub(crate) use ledger::{Lanes, Ledger, Parts};
pub use retries::Retries;
pub(crate) use retries::{Reason, RetryTally};

/// The figures of one producer, at one moment; see [`Producer::stats`](crate::Producer::stats).
///
/// They count from the start of the producer. `begun` is the sum of `acknowledged`, `refused`, `not_sent`, `unknown`,
/// `handed_over` and `under_way`. Beyond that, figures are read one after the other while sends go on.
///
/// ```no_run
/// # fn look(producer: &maxq::Producer) {
/// use maxq::Breaker;
///
/// let stats = producer.stats();
/// println!("{} wait, {} are in flight", stats.buffered.messages, stats.in_flight.messages);
/// println!("p99 {:?}, of which the brokers {:?}", stats.latency.total.quantile(0.99), stats.latency.broker.quantile(0.99));
/// for broker in stats.brokers.iter().filter(|broker| broker.breaker != Breaker::Closed) {
///     println!("{} at {}: {:?}", broker.name, broker.address, broker.breaker);
/// }
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Messages whose send began.
    pub begun: u64,
    /// Of those, the ones that have not ended: they wait for room, for a route or a connection, for the next attempt, are
    /// buffered or in flight.
    pub under_way: u64,
    /// What was admitted and is not in flight. A message may stand here for a moment after its send has ended.
    pub buffered: Load,
    /// What the socket of some broker has taken, or takes next (64 KiB at most wait there), and is not answered.
    pub in_flight: Load,
    /// Messages that a broker has stored and acknowledged.
    pub acknowledged: u64,
    /// Messages that a broker refused.
    pub refused: u64,
    /// Messages that were not sent.
    pub not_sent: u64,
    /// Messages that may or may not be stored: no answer came.
    pub unknown: u64,
    /// One-way messages that the socket took: nobody knows more of them. [`CloseReport`](crate::CloseReport) and
    /// [`FlushReport`](crate::FlushReport) count them as unknown.
    pub handed_over: u64,
    /// Attempts that followed a failed one, by how that had failed.
    pub retries: Retries,
    /// How long sends take, and where that time goes.
    pub latency: Latency,
    /// The brokers that this client's known routes write to, by address. All producers of a client share them.
    pub brokers: Vec<BrokerStats>,
}

/// So many messages, of so many bytes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// # producer.send(maxq::Message::new("orders", "paid")).await?;
/// let waiting = producer.stats().buffered;
/// println!("{} messages wait, {} bytes", waiting.messages, waiting.bytes);
/// # assert_eq!(waiting.messages, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Messages; those of a batch are counted one by one.
    pub messages: u64,
    /// Bytes of their bodies, as admission counts them: before compression, and never more than its limit.
    pub bytes: u64,
}

impl Load {
    pub(crate) const fn new(messages: u64, bytes: u64) -> Self {
        Self { messages, bytes }
    }

    pub(crate) const fn less(self, other: Self) -> Self {
        let Self { messages, bytes } = other;
        Self { messages: self.messages.saturating_sub(messages), bytes: self.bytes.saturating_sub(bytes) }
    }
}

/// How long sends take, and where that time goes. A batch counts once.
///
/// `total` is of messages; the other three are of attempts that were answered, whatever the answer. RocketMQ's answers
/// do not say how long the broker took, so `network` and `broker` are told apart by what is seen from here: the
/// quickest answer on a connection had hardly any work to wait for, so its round trip is taken for the network's.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// # producer.send(maxq::Message::new("orders", "paid")).await?;
/// let latency = producer.stats().latency;
/// let parts = [&latency.queue, &latency.network, &latency.broker].map(|part| part.quantile(0.99));
/// println!("p99: {parts:?} in the queue, the network, the broker");
/// # assert_eq!(latency.total.count(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Latency {
    /// From when the send was awaited or enqueued (as its deadline counts) to the answer that says it is stored: with all
    /// waiting, attempts and pauses on the way. Not the time until the caller's task runs again.
    pub total: Latencies,
    /// Until the socket took the message. A first attempt's begins with the send, so it holds the wait for room, for the
    /// route, for the connection, and behind other messages; a later one's begins with that attempt. The system call
    /// itself is not in it.
    pub queue: Latencies,
    /// The shortest round trip of any request on the connection, heartbeats included, within the last one to two
    /// minutes: the least that network, systems and broker need for anything. What a larger message or a busy network
    /// takes more is not in it, but in `broker`.
    pub network: Latencies,
    /// The rest, until the answer was read: the broker's work, what it waits for (disk, replicas, messages before this
    /// one), and what the network took more than its least.
    pub broker: Latencies,
}

/// How a broker stands.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// # producer.send(maxq::Message::new("orders", "paid")).await?;
/// for broker in producer.stats().brokers {
///     println!("{} at {}: suspect {}", broker.name, broker.address, broker.is_suspect);
/// #     assert!(broker.is_connected);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerStats {
    /// Its name.
    pub name: Arc<str>,
    /// `host:port` of its master as it is dialled, after any mapping.
    pub address: Arc<str>,
    /// Whether a connection to it is open.
    pub is_connected: bool,
    /// Whether sends go there.
    pub breaker: Breaker,
    /// Whether its oldest request waits for longer than it should. New sends avoid it while another broker answers.
    pub is_suspect: bool,
    /// What 99 of 100 of its answers keep, as an estimate that follows the recent ones; zero before the first.
    pub usual_latency: Duration,
}

/// Whether sends go to a broker.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// # producer.send(maxq::Message::new("orders", "paid")).await?;
/// use maxq::Breaker;
///
/// let brokers = producer.stats().brokers;
/// let shut_out = brokers.iter().filter(|broker| matches!(broker.breaker, Breaker::Open { .. }));
/// assert_eq!(shut_out.count(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breaker {
    /// Yes: it gets its whole share.
    Closed,
    /// No, for a while: it failed, or kept requests waiting. It may get a send when no broker is well.
    Open {
        /// How long it still rests; zero when it is to be asked as soon as a send meets it, or is being asked.
        rest: Duration,
    },
    /// It is tried.
    HalfOpen {
        /// Its share of sends, in eighths: 1, 2 or 4, growing by the second; 0 while a single send tries it.
        eighths: u8,
    },
}

impl BrokerStats {
    pub(crate) fn new(
        now: Time,
        (name, address): (Arc<str>, Arc<str>),
        is_connected: bool,
        health: &BrokerHealth,
    ) -> Self {
        let breaker = match health.breaker(now) {
            BreakerState::Open { until } => Breaker::Open { rest: until.since(now) },
            BreakerState::Probing { .. } => Breaker::Open { rest: Duration::ZERO },
            BreakerState::HalfOpen | BreakerState::Trial { .. } => Breaker::HalfOpen { eighths: 0 },
            BreakerState::Ramp { eighths } => Breaker::HalfOpen { eighths },
            _ => Breaker::Closed,
        };
        let (is_suspect, usual_latency) = (health.is_suspect(now), health.usual_latency());
        Self { name, address, is_connected, breaker, is_suspect, usual_latency }
    }
}
