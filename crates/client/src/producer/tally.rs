//! What becomes of sends, counted: under way until they end, in one of four ways.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use maxq_policy::{Outcome, Time};
use tokio::sync::Notify;

use super::{Producer, Shared};
use crate::{
    SendError,
    client::Shared as SharedClient,
    stats::{BrokerStats, Histogram, Latency, RetryTally, Stats},
};

/// Ends of sends, counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    begun: AtomicU64,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    not_sent: AtomicU64,
    unknown: AtomicU64,
    /// One-way messages that a socket took.
    handed_over: AtomicU64,
    /// Until acknowledged messages were.
    total: Histogram,
    pub(super) retries: RetryTally,
    /// How many of an epoch are under way. A flush begins a new epoch and waits for the old one.
    under_way: [AtomicU64; 2],
    epoch: AtomicUsize,
    /// Ends of enqueued messages that nobody has been told yet.
    untold: AtomicU64,
    /// Enqueued messages whose end nobody will ever know.
    lost: AtomicU64,
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

impl Shared {
    pub(crate) fn counts(&self) -> Counts {
        let tally = &self.tally;
        Counts {
            acknowledged: tally.acknowledged.load(Ordering::Acquire),
            refused: tally.refused.load(Ordering::Acquire),
            not_sent: tally.not_sent.load(Ordering::Acquire),
            // What a broker makes of a one-way message, nobody knows.
            unknown: tally.unknown.load(Ordering::Acquire) + tally.handed_over.load(Ordering::Acquire),
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

    /// All figures. First what has ended, then what has begun: nothing has ended before it began.
    pub(super) fn stats(&self, client: &SharedClient) -> Stats {
        let (tally, now) = (&self.tally, client.clock.now());
        let (in_flight, split) = self.admission.ledger().read();
        let (counts, under_way) = self.counts_and_rest();
        let handed_over = tally.handed_over.load(Ordering::Acquire);
        let brokers = client.routes.publish_brokers().into_iter().map(|(address, (name, health))| {
            let target = client.remoting.target(&address);
            BrokerStats::new(now, (name, target), client.remoting.is_connected(&address), &health)
        });
        let Counts { acknowledged, refused, not_sent, unknown } = counts;
        Stats {
            begun: acknowledged + refused + not_sent + unknown + under_way,
            under_way,
            buffered: self.admission.admitted().less(in_flight),
            in_flight,
            acknowledged,
            refused,
            not_sent,
            unknown: unknown.saturating_sub(handed_over),
            handed_over,
            retries: tally.retries.read(),
            latency: Latency {
                total: tally.total.read(),
                queue: split.queue,
                network: split.network,
                broker: split.broker,
            },
            brokers: brokers.collect(),
        }
    }

    /// Waits until nothing is under way, and what has come of it is told or kept.
    pub(crate) async fn idle(&self) {
        let all_told = || self.tally.untold.load(Ordering::Acquire) == 0;
        self.until(|| self.counts_and_rest().1 == 0 && all_told()).await;
    }

    /// Waits until all that was begun before has ended. One flush after the other: what an earlier one has not waited
    /// for to its end is older still, and waited for first.
    pub(super) async fn flushed(&self) {
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

    fn count_begun(&self, messages: usize) -> (u32, u8) {
        let epoch = self.tally.epoch.load(Ordering::Acquire) % 2;
        self.tally.under_way[epoch].fetch_add(messages as u64, Ordering::AcqRel);
        self.tally.begun.fetch_add(messages as u64, Ordering::AcqRel);
        (messages as u32, epoch as u8)
    }

    fn count_ended(&self, counter: &AtomicU64, count: u32, epoch: u8) {
        counter.fetch_add(count.into(), Ordering::AcqRel);
        self.tally.under_way[usize::from(epoch)].fetch_sub(count.into(), Ordering::AcqRel);
        self.tally.wake();
    }
}

impl Tally {
    fn wake(&self) {
        if self.waiting.load(Ordering::Acquire) > 0 {
            self.ended.notify_waiters();
        }
    }

    /// Enqueued messages whose runtime ended under them.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Acquire)
    }
}

/// The end of an enqueued message that nobody has been told yet. Who closes waits for that, too: until then it is open
/// whether the message is to be handed back.
pub(super) struct Untold(Arc<Shared>);

impl Untold {
    pub(super) fn begin(shared: &Arc<Shared>) -> Self {
        shared.tally.untold.fetch_add(1, Ordering::AcqRel);
        Self(shared.clone())
    }

    /// It is told now. What nobody holds is kept for the report of closing.
    pub(super) fn tell(self, failure: Option<&SendError>) {
        if let Some(failure) = failure {
            self.0.keep_unsent(failure);
        }
    }

    /// It will never be told: its task went with its runtime.
    pub(super) fn lose(self) {
        self.0.tally.lost.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for Untold {
    fn drop(&mut self) {
        self.0.tally.untold.fetch_sub(1, Ordering::AcqRel);
        self.0.tally.wake();
    }
}

/// Somebody waits for ends, as long as this lives.
struct Waits<'a>(&'a AtomicUsize);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A send that is counted as under way until this is dropped, be it by a cancelled caller. It is the send's handle of
/// its producer, too.
pub(super) struct UnderWay {
    pub(super) producer: Producer,
    /// When the send began.
    pub(super) begun: Time,
    worst: Outcome,
    done: Option<Done>,
    count: u32,
    epoch: u8,
}

/// A send has reached what it wanted.
#[derive(Clone, Copy)]
enum Done {
    Stored,
    HandedOver,
}

impl UnderWay {
    /// Counts messages from here to their end.
    pub(super) fn begin(producer: Producer, messages: usize, begun: Time) -> Self {
        let (count, epoch) = producer.shared().count_begun(messages);
        Self { producer, begun, worst: Outcome::NotSent, done: None, count, epoch }
    }

    /// From here until the attempt has ended, a cancelled caller leaves an unknown outcome.
    pub(super) fn attempt(&mut self) {
        self.worst = Outcome::Unknown;
    }

    pub(super) fn observe(&mut self, outcome: Outcome) {
        self.worst = outcome;
    }

    /// A broker has stored it. Only the first one counts.
    pub(super) fn stored(&mut self, now: Time) {
        if self.done.is_none() {
            self.done = Some(Done::Stored);
            self.producer.shared().tally.total.record(now.nanos_since(self.begun));
        }
    }

    /// A socket has taken it, and no answer will come.
    pub(super) fn handed_over(&mut self) {
        self.done = Some(Done::HandedOver);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let shared = self.producer.shared();
        let tally = &shared.tally;
        let counter = match (self.done, self.worst) {
            (Some(Done::Stored), _) => &tally.acknowledged,
            (Some(Done::HandedOver), _) => &tally.handed_over,
            (None, Outcome::NotSent) => &tally.not_sent,
            (None, Outcome::Refused) => &tally.refused,
            (None, Outcome::Unknown) => &tally.unknown,
        };
        shared.count_ended(counter, self.count, self.epoch);
    }
}

#[cfg(test)]
mod tests {
    use crate::{Client, ClientConfig, ProducerConfig};

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
