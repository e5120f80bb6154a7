//! One question, and the name servers that are left for it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use maxq_policy::Time;
use maxq_protocol::RemotingCommand;

use super::{Found, NoneAnswered};
use crate::remoting::CallError;

/// Shared by those who ask at once.
pub(super) struct Round {
    /// How many servers are asked at once.
    pub(super) width: usize,
    deadline: Time,
    state: Mutex<State>,
}

struct State {
    left: VecDeque<Found>,
    tried: NoneAnswered,
    /// An answer that is better than none.
    kept: Option<(Arc<str>, RemotingCommand)>,
}

impl Round {
    pub(super) fn new(left: VecDeque<Found>, tried: NoneAnswered, width: usize, deadline: Time) -> Self {
        let state = State { left, tried, kept: None };
        Self { width, deadline, state: Mutex::new(state) }
    }

    /// The next server, and until when it may answer.
    pub(super) fn next(&self, now: Time) -> Option<(Found, Time)> {
        self.with(|state| {
            let turns = state.left.len().div_ceil(self.width);
            let server = state.left.pop_front()?;
            Some((server, now + self.deadline.since(now) / turns as u32))
        })
    }

    /// The server answered that it cannot answer yet.
    pub(super) fn keep(&self, server: Found, answer: RemotingCommand) {
        self.with(|state| state.kept = Some((server.name, answer)));
    }

    pub(super) fn fail(&self, server: Found, error: CallError) {
        self.with(|state| state.tried.push((server.name, error)));
    }

    /// What is to be said when all were asked.
    pub(super) fn end(&self) -> Result<(Arc<str>, RemotingCommand), NoneAnswered> {
        self.with(|state| state.kept.take().ok_or_else(|| std::mem::take(&mut state.tried)))
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
