//! Requests that were written, by opaque, each with its waiter and its deadline.

use std::{
    collections::BTreeMap,
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
}

#[derive(Debug)]
struct Entry<W> {
    waiter: W,
    deadline: Time,
    end: u64,
}

impl<W> Inflight<W> {
    pub(super) fn new() -> Self {
        Self { entries: FixedMap::with_hasher(FixedHash), nearest: Time::NEVER }
    }

    /// Notes a request whose frame ends at `end` in the stream. Opaques of one connection never meet while both wait:
    /// they come from a counter of 32 bits.
    pub(super) fn insert(&mut self, opaque: i32, waiter: W, deadline: Time, end: u64) {
        self.nearest = self.nearest.min(deadline);
        self.entries.insert(opaque, Entry { waiter, deadline, end });
    }

    /// Takes the waiter of an answered request.
    pub(super) fn take(&mut self, opaque: i32) -> Option<W> {
        self.entries.remove(&opaque).map(|entry| entry.waiter)
    }

    /// No entry expires before this.
    pub(super) fn nearest_deadline(&self) -> Option<Time> {
        (!self.entries.is_empty()).then_some(self.nearest)
    }

    /// Takes the waiters whose deadline is over, in the order of their opaques.
    pub(super) fn expire(&mut self, now: Time) -> Vec<W> {
        if self.nearest > now {
            return Vec::new();
        }
        let over: BTreeMap<i32, W> = self
            .entries
            .extract_if(|_, entry| entry.deadline <= now)
            .map(|(key, entry)| (key, entry.waiter))
            .collect();
        self.nearest = self.entries.values().map(|entry| entry.deadline).min().unwrap_or(Time::NEVER);
        over.into_values().collect()
    }

    /// Takes everything, in the order of the opaques: each waiter, and where its frame ends in the stream.
    pub(super) fn drain(&mut self) -> Vec<(W, u64)> {
        let all: BTreeMap<i32, (W, u64)> =
            self.entries.drain().map(|(opaque, entry)| (opaque, (entry.waiter, entry.end))).collect();
        self.nearest = Time::NEVER;
        all.into_values().collect()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}

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

    #[test]
    fn entries_expire_at_their_deadline_and_not_before() {
        let mut inflight = Inflight::new();
        inflight.insert(1, "late", at(30), 10);
        inflight.insert(2, "early", at(10), 20);
        assert_eq!(inflight.nearest_deadline(), Some(at(10)));
        assert_eq!(inflight.expire(at(9)), [""; 0]);
        assert_eq!(inflight.expire(at(10)), ["early"]);
        assert_eq!(inflight.nearest_deadline(), Some(at(30)));
        assert_eq!(inflight.take(1), Some("late"));
        assert_eq!(inflight.take(1), None);
        assert_eq!(inflight.nearest_deadline(), None);
    }

    #[test]
    fn an_answered_entry_leaves_a_bound_that_is_only_too_early() {
        let mut inflight = Inflight::new();
        inflight.insert(1, "a", at(10), 0);
        inflight.insert(2, "b", at(20), 0);
        inflight.take(1);
        assert_eq!(inflight.nearest_deadline(), Some(at(10)));
        assert_eq!(inflight.expire(at(10)), [""; 0]);
        assert_eq!(inflight.nearest_deadline(), Some(at(20)));
    }
}
