//! What is known of the health of every server, by the address that is dialled.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use maxq_policy::{BrokerHealth, Change};

/// The health of all servers that somebody still cares for: a route that names them, or an open connection.
#[derive(Debug)]
pub(crate) struct Healths(Mutex<Known>);

#[derive(Debug)]
struct Known {
    entries: BTreeMap<Arc<str>, Weak<BrokerHealth>>,
    chance: fastrand::Rng,
}

impl Healths {
    pub(crate) fn new(chance: fastrand::Rng) -> Self {
        Self(Mutex::new(Known { entries: BTreeMap::new(), chance }))
    }

    /// The health of the server at `address`; a good one if nothing is known. Not for the way of a send, which finds
    /// it beside its route.
    pub(crate) fn of(&self, address: &Arc<str>) -> Arc<BrokerHealth> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(health) = known.entries.get(address).and_then(Weak::upgrade) {
            return health;
        }
        known.entries.retain(|_, health| health.strong_count() > 0);
        let health = Arc::new(BrokerHealth::new(known.chance.u64(..)));
        known.entries.insert(address.clone(), Arc::downgrade(&health));
        health
    }
}

/// Tells the log what became of a server.
pub(crate) fn log(address: &str, change: Option<Change>) {
    match change {
        Some(Change::Opened(rest)) => {
            tracing::warn!(address, ?rest, "it fails or keeps us waiting: no send goes there for now");
        }
        Some(Change::HalfOpened) => tracing::debug!(address, "it answered a heartbeat: one send tries it"),
        Some(Change::Readmitted) => {
            tracing::info!(address, "it answers again: it gets a growing share of sends")
        }
        Some(Change::Closed) => tracing::info!(address, "it gets its whole share of sends again"),
        _ => {}
    }
}
