//! Who this client is to the brokers: the groups that its heartbeats announce.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use maxq_protocol::{
    Group,
    body::{HeartbeatData, JsonDialect, ProducerData, to_json},
};

/// The producer groups of one client, and how many producers each has.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    producers: Mutex<BTreeMap<Group, usize>>,
}

impl Roles {
    pub(crate) fn add_producer(&self, group: &Group) {
        *self.lock().entry(group.clone()).or_default() += 1;
    }

    /// Says whether that was the last producer of the group.
    pub(crate) fn remove_producer(&self, group: &Group) -> bool {
        let mut producers = self.lock();
        let Some(count) = producers.get_mut(group) else { return false };
        *count -= 1;
        if *count > 0 {
            return false;
        }
        producers.remove(group);
        true
    }

    pub(crate) fn producer_groups(&self) -> Vec<Group> {
        self.lock().keys().cloned().collect()
    }

    /// The body of a heartbeat, or `None` when there is nobody to announce.
    pub(crate) fn heartbeat(&self, client_id: &str) -> Option<Vec<u8>> {
        let groups = self.producer_groups();
        if groups.is_empty() {
            return None;
        }
        let producers = groups.iter().map(|group| ProducerData { group_name: group.to_string() });
        let data = HeartbeatData {
            client_id: client_id.to_owned(),
            producer_data_set: producers.collect(),
            ..HeartbeatData::default()
        };
        Some(to_json(&data, JsonDialect::Standard))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Group, usize>> {
        self.producers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
