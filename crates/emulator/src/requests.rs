//! What was asked: a short memory of requests, for tests to look at.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use maxq_protocol::{RemotingCommand, RequestCode};

/// One request that came to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestRecord {
    /// Who was asked.
    pub server: ServerName,
    /// What was asked for.
    pub code: RequestCode,
    /// The number that connects it with its answer.
    pub opaque: i32,
    /// Whether it wanted no answer.
    pub is_oneway: bool,
    /// When it came, on the cluster's clock.
    pub at: SystemTime,
}

/// A server of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerName {
    /// The name server.
    NameServer,
    /// The broker with this index.
    Broker(usize),
}

/// The last requests of a cluster, oldest first.
pub(crate) struct RequestLog {
    limit: usize,
    records: Mutex<VecDeque<RequestRecord>>,
}

impl RequestLog {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, records: Mutex::new(VecDeque::new()) }
    }

    /// Notes a request; the oldest one is forgotten when there are too many.
    pub(crate) fn note(&self, server: ServerName, request: &RemotingCommand, at: SystemTime) {
        if self.limit == 0 {
            return;
        }
        let mut records = self.lock();
        if records.len() == self.limit {
            records.pop_front();
        }
        let (code, opaque, is_oneway) = (request.request_code(), request.opaque, request.is_oneway());
        records.push_back(RequestRecord { server, code, opaque, is_oneway, at });
    }

    /// All that is remembered.
    pub(crate) fn all(&self) -> Vec<RequestRecord> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<RequestRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
