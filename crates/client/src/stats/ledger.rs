//! What connections do with the messages of one producer, written down without a lock.
//!
//! ```text
//!   producer A: ledger --.            .-- connection 1: lane of A, lane of B
//!                         >-- lanes --<
//!   producer B: ledger --'            '-- connection 2: lane of A, lane of B
//! ```
//!
//! Where a producer and a connection meet, there is a lane. Only the connection's task writes it, so that a plain load
//! and a plain store will do; whoever asks for the producer's figures adds its lanes up. Each side finds out by the
//! other's count of references that the other has gone, when it makes a new lane.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use super::{Latencies, Load, latency::Histogram};
use crate::admission::Permit;

/// One producer's side.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Tells it from those of the client's other producers.
    number: u64,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    lanes: Vec<Arc<Lane>>,
    /// Of connections that have ended.
    past: Option<Split>,
}

/// One connection's side: its lanes by the number of their ledger. Mostly there is one, and the last one is the next.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    lanes: Vec<(u64, Arc<Lane>)>,
    last: usize,
}

/// What one connection does with the messages of one producer. 6 KiB.
#[derive(Debug, Default)]
struct Lane {
    messages: AtomicU64,
    bytes: AtomicU64,
    queue: Histogram,
    network: Histogram,
    broker: Histogram,
}

/// The parts of an attempt's time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Split {
    pub(crate) queue: Latencies,
    pub(crate) network: Latencies,
    pub(crate) broker: Latencies,
}

/// The same of one attempt, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) queue: u64,
    pub(crate) network: u64,
    pub(crate) broker: u64,
}

impl Ledger {
    pub(crate) fn new(number: u64) -> Self {
        Self { number, open: Mutex::default() }
    }

    /// What is in flight now, and how long answered attempts have taken.
    pub(crate) fn read(&self) -> (Load, Split) {
        let open = self.open();
        let mut split = open.past.clone().unwrap_or_default();
        let mut load = Load::default();
        for lane in &open.lanes {
            load.messages += lane.messages.load(Relaxed);
            load.bytes += lane.bytes.load(Relaxed);
            split.add(lane);
        }
        (load, split)
    }

    fn new_lane(&self) -> Arc<Lane> {
        let lane = Arc::<Lane>::default();
        let mut open = self.open();
        let Open { lanes, past } = &mut *open;
        lanes.retain_mut(|lane| {
            // Its connection has ended, and has written its last.
            let is_over = Arc::get_mut(lane).is_some();
            if is_over {
                past.get_or_insert_default().add(lane);
            }
            !is_over
        });
        lanes.push(lane.clone());
        lane
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lanes {
    /// A message goes to the socket, or is next in its line.
    pub(crate) fn begin(&mut self, permit: &Permit) {
        let lane = match self.find(permit) {
            Some(lane) => lane,
            None => self.open(permit.ledger()),
        };
        set(&lane.messages, |messages| messages + permit.messages());
        set(&lane.bytes, |bytes| bytes + permit.bytes());
    }

    /// A message was answered.
    pub(crate) fn answered(&mut self, permit: &Permit, parts: Parts) {
        if let Some(lane) = self.find(permit) {
            lane.end(permit);
            lane.queue.record_alone(parts.queue);
            lane.network.record_alone(parts.network);
            lane.broker.record_alone(parts.broker);
        }
    }

    /// A message is in flight no longer.
    pub(crate) fn end(&mut self, permit: &Permit) {
        if let Some(lane) = self.find(permit) {
            lane.end(permit);
        }
    }

    fn find(&mut self, permit: &Permit) -> Option<&Lane> {
        let number = permit.ledger().number;
        if self.lanes.get(self.last).is_none_or(|(last, _)| *last != number) {
            self.last = self.lanes.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        }
        self.lanes.get(self.last).map(|(_, lane)| &**lane)
    }

    fn open(&mut self, ledger: &Ledger) -> &Lane {
        // Producers that have gone leave nothing behind.
        self.lanes.retain(|(_, lane)| Arc::strong_count(lane) > 1);
        self.last = self.lanes.partition_point(|(number, _)| *number < ledger.number);
        self.lanes.insert(self.last, (ledger.number, ledger.new_lane()));
        &self.lanes[self.last].1
    }
}

impl Lane {
    fn end(&self, permit: &Permit) {
        set(&self.messages, |messages| messages.saturating_sub(permit.messages()));
        set(&self.bytes, |bytes| bytes.saturating_sub(permit.bytes()));
    }
}

/// Only one task writes.
fn set(cell: &AtomicU64, change: impl Fn(u64) -> u64) {
    cell.store(change(cell.load(Relaxed)), Relaxed);
}

impl Split {
    fn add(&mut self, lane: &Lane) {
        self.queue.add(&lane.queue);
        self.network.add(&lane.network);
        self.broker.add(&lane.broker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Admission;

    #[test]
    fn what_a_connection_wrote_stays_when_it_has_gone() {
        let admission = Arc::new(Admission::new(10, 1_000, Ledger::new(1)));
        let permit = admission.try_admit(2, 30).unwrap();
        for n in 1..=3 {
            let mut lanes = Lanes::default();
            lanes.begin(&permit);
            let (load, _) = admission.ledger().read();
            assert_eq!((load.messages, load.bytes), (2, 30));
            lanes.answered(&permit, Parts { queue: 1_000, network: 2_000, broker: 3_000 });
            let (load, split) = admission.ledger().read();
            assert_eq!((load.messages, load.bytes), (0, 0));
            assert_eq!([split.queue.count(), split.network.count(), split.broker.count()], [n; 3]);
        }
        assert_eq!(admission.ledger().open().lanes.len(), 1, "the others are added up");
    }

    #[test]
    fn each_producer_has_a_lane_of_its_own() {
        let new = |number| Arc::new(Admission::new(10, 1_000, Ledger::new(number)));
        let (admissions, mut lanes) = ([3, 1, 2].map(new), Lanes::default());
        let permits = [0, 1, 2, 1, 0, 0].map(|n: usize| admissions[n].try_admit(1, 10).unwrap());
        permits.iter().for_each(|permit| lanes.begin(permit));
        lanes.end(&permits[3]);
        let messages = admissions.map(|admission| admission.ledger().read().0.messages);
        assert_eq!(messages, [3, 1, 1]);
    }

    #[test]
    fn a_producer_that_has_gone_leaves_no_lane() {
        let mut lanes = Lanes::default();
        for number in 0..100 {
            let admission = Arc::new(Admission::new(10, 1_000, Ledger::new(number)));
            let permit = admission.try_admit(1, 1).unwrap();
            lanes.begin(&permit);
            lanes.end(&permit);
        }
        assert!(lanes.lanes.len() <= 2, "{} lanes", lanes.lanes.len());
    }
}
