//! Answers on their way out, and what else a connection has to do in its turn.

use std::collections::VecDeque;

use maxq_protocol::RemotingCommand;

use crate::fault::Step;

/// Bytes that are written now, and the steps behind them.
pub(super) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    /// Empty unless a fault has put something there.
    later: VecDeque<Step>,
    is_paused: bool,
    largest_write: usize,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            sent: 0,
            later: VecDeque::new(),
            is_paused: false,
            largest_write: usize::MAX,
        }
    }

    pub(super) fn push(&mut self, answer: RemotingCommand) {
        if self.later.is_empty() && !self.is_paused {
            answer.encode(&mut self.bytes);
        } else {
            self.later.push_back(Step::Answer(answer));
        }
    }

    pub(super) fn push_step(&mut self, step: Step) {
        self.later.push_back(step);
    }

    /// The next step that is no writing, when everything before it is written.
    pub(super) fn next_deed(&mut self) -> Option<Step> {
        while !self.is_paused && self.len() < MAX_UNSENT {
            match self.later.pop_front()? {
                Step::Answer(answer) => answer.encode(&mut self.bytes),
                Step::Write(bytes) => self.bytes.extend(bytes),
                deed if self.is_empty() => return Some(deed),
                deed => {
                    self.later.push_front(deed);
                    return None;
                }
            }
        }
        None
    }

    /// Writes nothing until this is taken back.
    pub(super) fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    pub(super) fn write_at_most(&mut self, bytes: usize) {
        self.largest_write = bytes;
    }

    /// What is written next.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..][..self.len().min(self.largest_write)]
    }

    /// Whether more may be put in; a peer that does not read cannot make us hoard answers.
    pub(super) fn has_room(&self) -> bool {
        self.len() < MAX_UNSENT && self.later.len() < MAX_STEPS
    }

    /// Whether there is nothing to write now.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is nothing to write later either.
    pub(super) fn is_done(&self) -> bool {
        self.is_empty() && self.later.is_empty()
    }

    pub(super) fn advance(&mut self, written: usize) {
        self.sent += written;
        if self.is_empty() {
            self.sent = 0;
            self.bytes.clear();
            // One large pull must not keep its memory for the life of the connection.
            self.bytes.shrink_to(MAX_UNSENT);
        } else if self.sent >= MAX_UNSENT {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }
}

/// Above this many bytes waiting to be written, nothing more is read.
const MAX_UNSENT: usize = 1024 * 1024;
/// Above this many steps waiting to be taken, nothing more is read.
const MAX_STEPS: usize = 4096;
