//! Why attempts were made again.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Attempts that followed a failed one, by how that had failed. A batch counts once.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// # producer.send(maxq::Message::new("orders", "paid")).await?;
/// let retries = producer.stats().retries;
/// println!("{} retries, {} after silence", retries.total(), retries.no_answer);
/// # assert_eq!(retries.total(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retries {
    /// The message left, and no answer came in time.
    pub no_answer: u64,
    /// The connection was lost, or is closed to new requests.
    pub lost_connection: u64,
    /// No connection could be opened.
    pub failed_dial: u64,
    /// The connection took the message not in time, or not at all because too many waited for it.
    pub not_sent: u64,
    /// The broker was busy (codes 2 and 215).
    pub busy: u64,
    /// The broker cannot serve this now, another one may (codes 14, 1, 16, 204 and 205).
    pub unavailable: u64,
    /// The broker did not know the topic or the queue, and the route was fetched anew (codes 17, 501 and 29).
    pub stale_route: u64,
    /// The broker asked to use another connection (code 1500).
    pub leaving: u64,
    /// The broker knows only the long form of a send (code 3).
    pub long_form: u64,
    /// The message was stored, but its flush or replication was not confirmed; see
    /// [`RetryPolicy::retry_when_not_stored_ok`](crate::RetryPolicy::retry_when_not_stored_ok).
    pub unconfirmed: u64,
    /// The answer could not be understood.
    pub bad_answer: u64,
}

impl Retries {
    /// All of them.
    pub const fn total(&self) -> u64 {
        let network = self.no_answer + self.lost_connection + self.failed_dial + self.not_sent;
        let broker = self.busy + self.unavailable + self.stale_route + self.leaving + self.long_form;
        network + broker + self.unconfirmed + self.bad_answer
    }
}

/// Why an attempt was made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    NoAnswer,
    LostConnection,
    FailedDial,
    NotSent,
    Busy,
    Unavailable,
    StaleRoute,
    Leaving,
    LongForm,
    Unconfirmed,
    BadAnswer,
}

/// The counters.
#[derive(Debug, Default)]
pub(crate) struct RetryTally([AtomicU64; Reason::BadAnswer as usize + 1]);

impl RetryTally {
    pub(crate) fn count(&self, reason: Reason) {
        self.0[reason as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self) -> Retries {
        let of = |reason: Reason| self.0[reason as usize].load(Relaxed);
        Retries {
            no_answer: of(Reason::NoAnswer),
            lost_connection: of(Reason::LostConnection),
            failed_dial: of(Reason::FailedDial),
            not_sent: of(Reason::NotSent),
            busy: of(Reason::Busy),
            unavailable: of(Reason::Unavailable),
            stale_route: of(Reason::StaleRoute),
            leaving: of(Reason::Leaving),
            long_form: of(Reason::LongForm),
            unconfirmed: of(Reason::Unconfirmed),
            bad_answer: of(Reason::BadAnswer),
        }
    }
}
