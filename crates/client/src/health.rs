//! What is known of the health of every server, by the address that is dialled; and who is told when it changes.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use maxq_policy::{BrokerHealth, Change};

use crate::{
    events::{Event, Herald},
    remoting::cause::Cause,
};

/// The health of all servers that somebody still cares for: a route that names them, or an open connection.
#[derive(Debug)]
pub(crate) struct Healths {
    known: Mutex<Known>,
    herald: Herald,
}

#[derive(Debug)]
struct Known {
    entries: BTreeMap<Arc<str>, Weak<BrokerHealth>>,
    chance: fastrand::Rng,
}

impl Healths {
    /// What becomes of a server is told by `herald`.
    pub(crate) fn new(chance: fastrand::Rng, herald: Herald) -> Self {
        Self { known: Mutex::new(Known { entries: BTreeMap::new(), chance }), herald }
    }

    /// The health of the server at `address`; a good one if nothing is known. Not for the way of a send, which finds
    /// it beside its route.
    pub(crate) fn of(&self, address: &Arc<str>) -> Arc<BrokerHealth> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(health) = known.entries.get(address).and_then(Weak::upgrade) {
            return health;
        }
        known.entries.retain(|_, health| health.strong_count() > 0);
        let health = Arc::new(BrokerHealth::new(known.chance.u64(..)));
        known.entries.insert(address.clone(), Arc::downgrade(&health));
        health
    }

    /// Tells the log, and who listens, what became of the server that is dialled at `address`. Mostly nothing did.
    pub(crate) fn tell(&self, address: &Arc<str>, change: Option<Change>) {
        let Some(change) = change else { return };
        match change {
            Change::Opened(rest) => {
                tracing::warn!(%address, ?rest, "it fails or keeps us waiting: no send goes there for now");
            }
            Change::HalfOpened => tracing::debug!(%address, "it answered a heartbeat: one send tries it"),
            Change::Readmitted => {
                tracing::info!(%address, "it answers again: it gets a growing share of sends");
            }
            Change::Closed => tracing::info!(%address, "it gets its whole share of sends again"),
            _ => return,
        }
        self.herald.tell(|| event(address.clone(), change));
    }

    /// Tells that the oldest request to a server is overdue.
    pub(crate) fn tell_suspicion(&self, address: &Arc<str>, waited: Duration) {
        tracing::debug!(%address, ?waited, "it keeps a request waiting for too long");
        self.herald.tell(|| Event::BrokerSuspected { address: address.clone(), waited });
    }

    /// Tells that a connection is no longer of use, though nobody wished so.
    pub(crate) fn tell_loss(&self, address: &Arc<str>, cause: &Cause) {
        self.herald.tell(|| Event::Lost { address: address.clone(), cause: cause.to_string().into() });
    }
}

fn event(address: Arc<str>, change: Change) -> Event {
    match change {
        Change::Opened(rest) => Event::BreakerOpened { address, rest },
        Change::HalfOpened => Event::BreakerHalfOpened { address },
        Change::Readmitted => Event::BrokerReadmitted { address },
        _ => Event::BreakerClosed { address },
    }
}
