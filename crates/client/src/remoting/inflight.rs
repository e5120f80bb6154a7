//! Requests that were written, by opaque, each with its waiter and its deadline.

use std::{
    collections::{BTreeMap, VecDeque, hash_map::Entry::Occupied},
    hash::{BuildHasher, Hasher},
};

use maxq_policy::Time;

/// Entries that wait for an answer.
///
/// The nearest deadline is kept as a lower bound: it is exact after a walk and may be too early once its entry has
/// been answered. So a walk happens about once per time-out period, not once per message, and the hot path pays one
/// comparison.
#[derive(Debug)]
pub(super) struct Inflight<W> {
    entries: FixedMap<Entry<W>>,
    nearest: Time,
    /// Those that should be answered promptly, in the order in which they were sent; some of them may be answered.
    order: VecDeque<(i32, Time)>,
}

#[derive(Debug)]
struct Entry<W> {
    waiter: W,
    sent: Time,
    deadline: Time,
    end: u64,
}

/// What is known of a request that is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    /// When.
    pub(super) at: Time,
    /// When its waiter gives up.
    pub(super) deadline: Time,
    /// Where its frame ends in the stream.
    pub(super) end: u64,
    /// Whether the server should answer at once; it holds a long poll on purpose.
    pub(super) prompt: bool,
}

impl<W> Inflight<W> {
    pub(super) fn new() -> Self {
        Self { entries: FixedMap::with_hasher(FixedHash), nearest: Time::NEVER, order: VecDeque::new() }
    }

    /// Notes a request. Opaques of one connection never meet while both wait: they come from a counter of 32 bits.
    pub(super) fn insert(&mut self, opaque: i32, waiter: W, written: Written) {
        let Written { at: sent, deadline, end, prompt } = written;
        self.nearest = self.nearest.min(deadline);
        self.entries.insert(opaque, Entry { waiter, sent, deadline, end });
        if prompt {
            if self.order.len() >= 2 * self.entries.len() + SLACK {
                // One that is never answered must not make the others pile up behind it.
                self.order.retain(|(opaque, _)| self.entries.contains_key(opaque));
            }
            self.order.push_back((opaque, sent));
        }
    }

    /// When the oldest request was sent that should have been answered by now.
    pub(super) fn oldest(&mut self) -> Option<Time> {
        while let Some((opaque, sent)) = self.order.front() {
            if self.entries.contains_key(opaque) {
                return Some(*sent);
            }
            self.order.pop_front();
        }
        None
    }

    /// Takes the waiter of an answered request, with when it was sent and where its frame ends in the stream.
    pub(super) fn take(&mut self, opaque: i32) -> Option<(W, Time, u64)> {
        self.entries.remove(&opaque).map(|entry| (entry.waiter, entry.sent, entry.end))
    }

    /// As [`take`](Self::take), if the waiter is such a one.
    pub(super) fn take_if(&mut self, opaque: i32, is: impl FnOnce(&W) -> bool) -> Option<(W, Time, u64)> {
        match self.entries.entry(opaque) {
            Occupied(entry) if is(&entry.get().waiter) => {
                let Entry { waiter, sent, end, .. } = entry.remove();
                Some((waiter, sent, end))
            }
            _ => None,
        }
    }

    /// No entry expires before this.
    pub(super) fn nearest_deadline(&self) -> Option<Time> {
        (!self.entries.is_empty()).then_some(self.nearest)
    }

    /// Takes the waiters whose deadline is over, in the order of their opaques, each with when its request was sent.
    pub(super) fn expire(&mut self, now: Time) -> Vec<(W, Time)> {
        if self.nearest > now {
            return Vec::new();
        }
        let over: BTreeMap<i32, (W, Time)> = self
            .entries
            .extract_if(|_, entry| entry.deadline <= now)
            .map(|(key, entry)| (key, (entry.waiter, entry.sent)))
            .collect();
        self.nearest = self.entries.values().map(|entry| entry.deadline).min().unwrap_or(Time::NEVER);
        over.into_values().collect()
    }

    /// Takes everything, in the order of the opaques: each waiter, and where its frame ends in the stream.
    pub(super) fn drain(&mut self) -> Vec<(W, u64)> {
        let all: BTreeMap<i32, (W, u64)> =
            self.entries.drain().map(|(opaque, entry)| (opaque, (entry.waiter, entry.end))).collect();
        self.nearest = Time::NEVER;
        self.order.clear();
        all.into_values().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// Answered entries that may stay in the order before it is looked through.
const SLACK: usize = 1_024;

#[expect(clippy::disallowed_types, reason = "the hash is fixed, and every walk sorts what it takes")]
type FixedMap<V> = std::collections::HashMap<i32, V, FixedHash>;

/// Fibonacci hashing: opaques are consecutive, so one multiplication spreads them well.
#[derive(Clone, Copy, Debug, Default)]
struct FixedHash;

struct OpaqueHasher(u64);

impl BuildHasher for FixedHash {
    type Hasher = OpaqueHasher;

    fn build_hasher(&self) -> OpaqueHasher {
        OpaqueHasher(0)
    }
}

impl Hasher for OpaqueHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_i32(i32::from(*byte));
        }
    }

    fn write_i32(&mut self, opaque: i32) {
        self.0 = (self.0 ^ u64::from(opaque as u32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(millis: u64) -> Time {
        Time::START + Duration::from_millis(millis)
    }

    fn written(sent: u64, deadline: u64) -> Written {
        Written { at: at(sent), deadline: at(deadline), end: 0, prompt: true }
    }

    #[test]
    fn entries_expire_at_their_deadline_and_not_before() {
        let mut inflight = Inflight::new();
        inflight.insert(1, "late", written(1, 30));
        inflight.insert(2, "early", written(2, 10));
        assert_eq!(inflight.nearest_deadline(), Some(at(10)));
        assert!(inflight.expire(at(9)).is_empty());
        assert_eq!(inflight.expire(at(10)), [("early", at(2))]);
        assert_eq!(inflight.nearest_deadline(), Some(at(30)));
        assert_eq!(inflight.take(1), Some(("late", at(1), 0)));
        assert_eq!(inflight.take(1), None);
        assert_eq!(inflight.nearest_deadline(), None);
    }

    #[test]
    fn an_answered_entry_leaves_a_bound_that_is_only_too_early() {
        let mut inflight = Inflight::new();
        inflight.insert(1, "a", written(1, 10));
        inflight.insert(2, "b", written(2, 20));
        inflight.take(1);
        assert_eq!(inflight.nearest_deadline(), Some(at(10)));
        assert!(inflight.expire(at(10)).is_empty());
        assert_eq!(inflight.nearest_deadline(), Some(at(20)));
    }

    #[test]
    fn the_oldest_is_the_first_that_is_not_answered() {
        let mut inflight = Inflight::new();
        for n in 1..=3 {
            inflight.insert(n, "", written(n as u64, 100));
        }
        inflight.take(2);
        assert_eq!(inflight.oldest(), Some(at(1)));
        inflight.take(1);
        assert_eq!(inflight.oldest(), Some(at(3)));
        inflight.take(3);
        assert_eq!(inflight.oldest(), None);
    }

    #[test]
    fn a_long_poll_keeps_nobody_waiting() {
        let mut inflight = Inflight::new();
        inflight.insert(1, "poll", Written { prompt: false, ..written(1, 100) });
        assert_eq!(inflight.oldest(), None);
        inflight.insert(2, "send", written(2, 100));
        assert_eq!(inflight.oldest(), Some(at(2)));
    }

    #[test]
    fn one_that_is_never_answered_makes_nothing_pile_up() {
        let mut inflight = Inflight::new();
        inflight.insert(0, "lost", written(0, 100));
        for n in 1..100_000 {
            inflight.insert(n, "", written(1, 100));
            inflight.take(n);
        }
        assert_eq!(inflight.oldest(), Some(at(0)));
        assert!(inflight.order.len() <= SLACK + 8, "{}", inflight.order.len());
    }
}
