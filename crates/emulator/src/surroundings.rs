//! What all servers of a cluster share: the time, the memory of requests, the faults.

use std::sync::Arc;

use crate::{clock::Clock, fault::FaultTable, requests::RequestLog};

/// What all servers of a cluster share.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) clock: Clock,
    pub(crate) requests: Arc<RequestLog>,
    pub(crate) faults: Arc<FaultTable>,
}

impl Surroundings {
    pub(crate) fn new(clock: Clock, remembered_requests: usize, seed: u64) -> Self {
        Self {
            clock,
            requests: Arc::new(RequestLog::new(remembered_requests)),
            faults: Arc::new(FaultTable::new(clock, seed)),
        }
    }
}
