//! Where the time of a request goes, as its connection sees it: until the socket took it, and how much of the rest
//! the network needs at least.
//!
//! No clock is read for this where the connection task has just read one: a write that goes through at once happened
//! when the task last looked. Only one that had to wait for the socket is looked up.

use std::{collections::VecDeque, time::Duration};

use maxq_policy::Time;

use crate::stats::Parts;

/// What one connection task knows of time.
#[derive(Debug)]
pub(super) struct Timing {
    /// When the clock was last read.
    now: Time,
    /// When the oldest frame was encoded that the socket has not wholly taken.
    encoded: Time,
    /// Writes that came later than the encoding of what they took, in order.
    late: VecDeque<Write>,
    /// The shortest round trip of this period and of the one before.
    shortest: [u64; 2],
    period_ends: Time,
}

/// A part of the stream, and when the socket took it.
#[derive(Clone, Copy, Debug)]
struct Write {
    from: u64,
    to: u64,
    at: Time,
}

/// What is known of a request that was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    /// When its send, or this attempt of it, began.
    pub(super) begun: Time,
    /// When it was encoded.
    pub(super) encoded: Time,
    /// Where its frame ends in the stream.
    pub(super) end: u64,
}

impl Timing {
    pub(super) fn new(now: Time) -> Self {
        let shortest = [u64::MAX; 2];
        Self { now, encoded: now, late: VecDeque::new(), shortest, period_ends: now + PERIOD }
    }

    /// Learns that the clock was read.
    pub(super) const fn observe_clock(&mut self, now: Time) {
        self.now = now;
    }

    /// Learns that a frame was encoded just now, for an outbox that was empty.
    pub(super) const fn observe_first(&mut self, now: Time) {
        self.now = now;
        self.encoded = now;
    }

    /// When a write happened that did not have to wait.
    pub(super) const fn now(&self) -> Time {
        self.now
    }

    /// Learns that the socket has taken the stream from one position to another.
    pub(super) fn observe_write(&mut self, from: u64, to: u64, at: Time) {
        self.now = at;
        if at > self.encoded {
            if self.late.len() == MARKS {
                self.late.pop_front();
            }
            self.late.push_back(Write { from, to, at });
        }
    }

    /// Learns of an answer that was read just now; says where its time went.
    pub(super) fn observe_answer(&mut self, round: Round) -> Parts {
        let taken = self.taken(&round);
        let took = self.now.nanos_since(taken);
        if self.now >= self.period_ends {
            self.shortest = [u64::MAX, self.shortest[0]];
            self.period_ends = self.now + PERIOD;
        }
        self.shortest[0] = self.shortest[0].min(took);
        let network = self.shortest[0].min(self.shortest[1]);
        Parts { queue: taken.nanos_since(round.begun), network, broker: took - network }
    }

    /// When the socket took the last byte of a frame.
    fn taken(&self, round: &Round) -> Time {
        match self.late.back() {
            Some(last) if round.end <= last.to => {
                let write = &self.late[self.late.partition_point(|write| write.to < round.end)];
                if round.end > write.from { write.at } else { round.encoded }
            }
            _ => round.encoded,
        }
    }
}

/// Late writes that are remembered. A frame whose write is forgotten counts as taken when it was encoded.
const MARKS: usize = 64;
/// Longer than the pause between two heartbeats, so that each period has seen one.
const PERIOD: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::START + Duration::from_millis(millis)
    }

    fn millis(parts: Parts) -> [u64; 3] {
        [parts.queue, parts.network, parts.broker].map(|nanos| nanos / 1_000_000)
    }

    fn round(begun: u64, encoded: u64, end: u64) -> Round {
        Round { begun: at(begun), encoded: at(encoded), end }
    }

    #[test]
    fn the_quickest_answer_is_the_network_and_the_rest_is_the_broker() {
        let mut timing = Timing::new(at(0));
        timing.observe_first(at(10));
        timing.observe_write(0, 100, at(10));
        timing.observe_clock(at(15));
        assert_eq!(millis(timing.observe_answer(round(7, 10, 100))), [3, 5, 0]);
        timing.observe_first(at(20));
        timing.observe_write(100, 200, at(20));
        timing.observe_clock(at(45));
        assert_eq!(millis(timing.observe_answer(round(20, 20, 200))), [0, 5, 20]);
        // A path that has become longer is believed when two periods have seen nothing shorter.
        for (now, expected) in [(60_000, [0, 5, 4]), (120_000, [0, 9, 0]), (180_000, [0, 9, 0])] {
            timing.observe_clock(at(now + 9));
            assert_eq!(millis(timing.observe_answer(round(now, now, 100))), expected, "{now}");
        }
    }

    #[test]
    fn what_waited_for_the_socket_was_queued_until_its_last_byte_was_taken() {
        let mut timing = Timing::new(at(0));
        // Two frames of 100 bytes each; the socket takes one and a half, and the rest 30 ms later.
        timing.observe_first(at(10));
        timing.observe_write(0, 150, at(10));
        timing.observe_write(150, 200, at(40));
        // One more, at once.
        timing.observe_first(at(50));
        timing.observe_write(200, 300, at(50));
        timing.observe_clock(at(51));
        assert_eq!(millis(timing.observe_answer(round(10, 10, 100))), [0, 41, 0]);
        assert_eq!(millis(timing.observe_answer(round(10, 10, 200))), [30, 11, 0]);
        assert_eq!(millis(timing.observe_answer(round(50, 50, 300))), [0, 1, 0]);
        // And one that waits again: those before it are still told apart.
        timing.observe_first(at(60));
        timing.observe_write(300, 400, at(70));
        timing.observe_clock(at(71));
        assert_eq!(millis(timing.observe_answer(round(60, 60, 400))), [10, 1, 0]);
        assert_eq!(millis(timing.observe_answer(round(50, 50, 300))), [0, 1, 20]);
    }

    #[test]
    fn late_writes_are_forgotten_after_a_while() {
        let mut timing = Timing::new(at(0));
        for n in 0..1_000 {
            timing.observe_first(at(n));
            timing.observe_write(n * 10, n * 10 + 10, at(n + 1));
        }
        assert_eq!(timing.late.len(), MARKS);
        assert_eq!(timing.taken(&round(0, 5, 60)), at(5));
        assert_eq!(timing.taken(&round(0, 999, 10_000)), at(1_000));
    }
}
