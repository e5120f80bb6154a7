//! Which queue is next.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::route::{PublishInfo, PublishQueue};

/// Round robin over all writable queues of a topic, shared by all senders.
///
/// Java keeps one index per thread and topic (`ThreadLocalIndex`); one counter for all spreads evenly whatever the
/// number of tasks. It wraps without harm.
#[derive(Debug, Default)]
pub struct Rotation(AtomicUsize);

impl Rotation {
    /// A rotation that begins at `seed`, so that many clients do not all begin at the same queue.
    pub const fn new(seed: usize) -> Self {
        Self(AtomicUsize::new(seed))
    }

    /// The next queue whose broker `may_use` accepts, else just the next queue; `None` when there are no queues.
    ///
    /// As Java's `TopicPublishInfo.selectOneMessageQueue(lastBrokerName)`: avoiding a broker is a wish, never a
    /// reason to send nothing.
    pub fn next(&self, info: &PublishInfo, may_use: impl Fn(usize) -> bool) -> Option<PublishQueue> {
        let queues = info.queues();
        let start = self.0.fetch_add(1, Relaxed);
        let nth = |step: usize| queues.get(start.wrapping_add(step).checked_rem(queues.len())?).copied();
        let wished = (0..queues.len()).filter_map(nth).find(|queue| may_use(queue.broker));
        wished.or_else(|| nth(0))
    }
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
    fn an_unwanted_broker_is_used_when_it_is_the_only_one() {
        let info = info_of(&[("a", 2)]);
        assert!(Rotation::default().next(&info, |_| false).is_some());
        let info = info_of(&[("a", 2), ("b", 1)]);
        for seed in 0..6 {
            assert_eq!(Rotation::new(seed).next(&info, |broker| broker == 1).unwrap().broker, 1);
        }
    }
}
