//! Which queue is next.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::route::{PublishInfo, PublishQueue};

/// Round robin over all writable queues of a topic, shared by all senders.
///
/// Java keeps one index per thread and topic (`ThreadLocalIndex`); one counter for all spreads evenly whatever the
/// number of tasks. It wraps without harm.
#[derive(Debug, Default)]
pub struct Rotation {
    index: AtomicUsize,
    /// Among brokers that rest, for Apache's rules of 4.9 (`whichItemWorst`).
    worst: AtomicUsize,
}

impl Rotation {
    /// A rotation that begins at `seed`, so that many clients do not all begin at the same queue.
    pub const fn new(seed: usize) -> Self {
        Self { index: AtomicUsize::new(seed), worst: AtomicUsize::new(seed) }
    }

    /// The next queue of a broker that `may_use` accepts; `None` when there is no such broker. Each broker is asked
    /// about at most once.
    ///
    /// The turns of brokers that are not used are spread over all queues of the others: who stands behind them in the
    /// list does not get them all.
    pub fn next(&self, info: &PublishInfo, mut may_use: impl FnMut(usize) -> bool) -> Option<PublishQueue> {
        let queues = info.queues();
        let turn = self.index.fetch_add(1, Relaxed);
        let first = *queues.get(turn.checked_rem(queues.len())?)?;
        if may_use(first.broker) {
            return Some(first);
        }
        let asked = |broker| broker == first.broker;
        let usable: Vec<bool> =
            (0..info.brokers().len()).map(|broker| !asked(broker) && may_use(broker)).collect();
        let usable = || queues.iter().filter(|queue| usable[queue.broker]);
        usable().nth(turn.checked_rem(usable().count())?).copied()
    }

    /// Just the next queue; `None` when there are none.
    pub fn step(&self, info: &PublishInfo) -> Option<PublishQueue> {
        let turn = self.index.fetch_add(1, Relaxed);
        info.queues().get(turn.checked_rem(info.queues().len())?).copied()
    }

    /// Goes on from another place.
    pub(crate) fn reset(&self, to: usize) {
        self.index.store(to, Relaxed);
    }

    /// The next number of the other rotation.
    pub(crate) fn worst_turn(&self) -> usize {
        self.worst.fetch_add(1, Relaxed)
    }

    /// The next number of the rotation, for choices among something else than queues.
    pub(crate) fn turn(&self) -> usize {
        self.index.fetch_add(1, Relaxed)
    }
}

/// Which of `count` queues belongs to `key`: always the same one, as long as their number stays.
///
/// As Apache's `SelectMessageQueueByHash` with a text: Java's hash of its UTF-16 units, the remainder's absolute value.
pub fn by_key(key: &str, count: usize) -> Option<usize> {
    let hash = key.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()));
    let count = i32::try_from(count).ok().filter(|count| *count > 0)?;
    usize::try_from((hash % count).abs()).ok()
}

/// One of `count` queues, all equally likely over many seeds (Apache's `SelectMessageQueueByRandom`).
pub fn by_chance(seed: u64, count: usize) -> Option<usize> {
    (count > 0).then(|| fastrand::Rng::with_seed(seed).usize(..count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::tests::info_of;

    #[test]
    fn every_queue_gets_its_turn() {
        let info = info_of(&[("a", 2), ("b", 3)]);
        let rotation = Rotation::new(usize::MAX - 7);
        let mut seen = [0; 5];
        for _ in 0..5 * 100 {
            let queue = rotation.next(&info, |_| true).unwrap();
            seen[info.queues().iter().position(|other| *other == queue).unwrap()] += 1;
        }
        // The counter wraps once on the way; that may shift a turn, not lose one.
        assert!(seen.iter().all(|turns| (98..=102).contains(turns)), "{seen:?}");
    }

    #[test]
    fn the_turns_of_an_avoided_broker_are_spread_over_the_others() {
        let info = info_of(&[("a", 4), ("b", 2), ("c", 2)]);
        let rotation = Rotation::default();
        let mut seen = [0; 8];
        for _ in 0..800 {
            let queue = rotation.next(&info, |broker| broker != 0).unwrap();
            seen[info.queues().iter().position(|other| *other == queue).unwrap()] += 1;
        }
        assert_eq!(seen[..4], [0; 4]);
        assert!(seen[4..].iter().all(|turns| (150..=250).contains(turns)), "{seen:?}");
    }

    #[test]
    fn a_broker_is_asked_about_once() {
        let info = info_of(&[("a", 9), ("b", 9)]);
        let mut asked = [0; 2];
        let none = Rotation::default().next(&info, |broker| {
            asked[broker] += 1;
            false
        });
        assert_eq!((none, asked), (None, [1, 1]));
    }

    #[test]
    fn a_key_stays_with_its_queue() {
        // "polygenelubricants" hashes to the smallest i32.
        assert_eq!(by_key("", 4), Some(0));
        assert_eq!(by_key("a", 4), Some(97 % 4));
        assert_eq!(by_key("polygenelubricants", 7), Some((i32::MIN % 7).unsigned_abs() as usize));
        assert_eq!(by_key("ä€𝄞", 5), by_key("ä€𝄞", 5));
        assert_eq!(by_key("a", 0), None);
    }

    #[test]
    fn chance_reaches_every_queue() {
        let seen: alloc::collections::BTreeSet<_> = (0..100).filter_map(|seed| by_chance(seed, 4)).collect();
        assert_eq!(seen.len(), 4);
        assert_eq!(by_chance(1, 0), None);
    }
}
