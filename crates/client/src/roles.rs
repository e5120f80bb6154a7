//! Who this client is to the cluster: what its roles need of routes, what its heartbeats announce, and of whom brokers
//! are told when it leaves.
//!
//! The route keeper and the heartbeat serve roles and know no kinds of them: producers today, consumers later.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use maxq_protocol::{
    Group, Topic,
    body::{HeartbeatData, JsonDialect, ProducerData, to_json},
    header::UnregisterClient,
};

use crate::route::{Route, Wish};

/// One member of a group.
pub(crate) trait Role: Send + Sync {
    /// The topics whose routes it needs at all times, used or not.
    fn topics(&self) -> Vec<(Topic, Wish)>;

    /// Adds what heartbeats say of it.
    fn announce(&self, beat: &mut HeartbeatData);

    /// A route was fetched anew. Called by the route keeper: it must be quick.
    fn on_route(&self, _topic: &Topic, _route: &Arc<Route>) {}

    /// What brokers are told when the client closes.
    fn on_close(&self, client_id: &str) -> UnregisterClient;
}

/// All producers of one group: to a broker they are one.
struct ProducerRole {
    group: Group,
    /// How many producers there are.
    count: usize,
    /// What was prewarmed.
    topics: BTreeMap<Topic, Wish>,
}

impl Role for ProducerRole {
    fn topics(&self) -> Vec<(Topic, Wish)> {
        self.topics.iter().map(|(topic, wish)| (topic.clone(), *wish)).collect()
    }

    fn announce(&self, beat: &mut HeartbeatData) {
        beat.producer_data_set.push(ProducerData { group_name: self.group.to_string() });
    }

    fn on_close(&self, client_id: &str) -> UnregisterClient {
        farewell_of_producer(client_id, &self.group)
    }
}

/// What a broker is told when the last producer of a group leaves.
pub(crate) fn farewell_of_producer(client_id: &str, group: &Group) -> UnregisterClient {
    UnregisterClient {
        client_id: client_id.to_owned(),
        producer_group: Some(group.to_string()),
        consumer_group: None,
    }
}

/// The roles of one client.
#[derive(Default)]
pub(crate) struct Roles {
    producers: Mutex<BTreeMap<Group, ProducerRole>>,
}

impl Roles {
    pub(crate) fn add_producer(&self, group: &Group) {
        let new = || ProducerRole { group: group.clone(), count: 0, topics: BTreeMap::new() };
        self.producers().entry(group.clone()).or_insert_with(new).count += 1;
    }

    /// Says whether that was the last producer of the group.
    pub(crate) fn remove_producer(&self, group: &Group) -> bool {
        let mut producers = self.producers();
        let Some(role) = producers.get_mut(group) else { return false };
        role.count -= 1;
        if role.count > 0 {
            return false;
        }
        producers.remove(group);
        true
    }

    /// The producers of `group` need the routes of these topics from now on.
    pub(crate) fn add_topics(&self, group: &Group, topics: &[Topic], wish: Wish) {
        if let Some(role) = self.producers().get_mut(group) {
            role.topics.extend(topics.iter().map(|topic| (topic.clone(), wish)));
        }
    }

    /// The topics whose routes some role needs at all times.
    pub(crate) fn topics(&self) -> BTreeMap<Topic, Wish> {
        let mut topics = BTreeMap::new();
        self.each(|role| topics.extend(role.topics()));
        topics
    }

    /// Tells all roles of a route.
    pub(crate) fn on_route(&self, topic: &Topic, route: &Arc<Route>) {
        self.each(|role| role.on_route(topic, route));
    }

    /// The body of a heartbeat, or `None` when there is nobody to announce.
    pub(crate) fn heartbeat(&self, client_id: &str) -> Option<Vec<u8>> {
        let mut data = HeartbeatData { client_id: client_id.to_owned(), ..HeartbeatData::default() };
        let mut is_empty = true;
        self.each(|role| {
            role.announce(&mut data);
            is_empty = false;
        });
        if is_empty { None } else { Some(to_json(&data, JsonDialect::Standard)) }
    }

    /// What brokers are told when the client closes.
    pub(crate) fn farewells(&self, client_id: &str) -> Vec<UnregisterClient> {
        let mut farewells = Vec::new();
        self.each(|role| farewells.push(role.on_close(client_id)));
        farewells
    }

    /// Every role, producers first.
    fn each(&self, mut visit: impl FnMut(&dyn Role)) {
        for role in self.producers().values() {
            visit(role);
        }
    }

    fn producers(&self) -> MutexGuard<'_, BTreeMap<Group, ProducerRole>> {
        self.producers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_producers_of_a_group_are_one_role_until_the_last_has_left() {
        let roles = Roles::default();
        assert_eq!(roles.heartbeat("c"), None, "there is nobody to announce");
        let (orders, events) = (Group::new("orders").unwrap(), Group::new("events").unwrap());
        let topic = Topic::new("T").unwrap();
        for group in [&orders, &orders, &events] {
            roles.add_producer(group);
        }
        roles.add_topics(&orders, std::slice::from_ref(&topic), Wish::Own);
        let beat = String::from_utf8(roles.heartbeat("c").unwrap()).unwrap();
        assert!(beat.contains(r#"[{"groupName":"events"},{"groupName":"orders"}]"#), "{beat}");
        let farewells = roles.farewells("c");
        let groups: Vec<_> = farewells.iter().filter_map(|left| left.producer_group.as_deref()).collect();
        assert_eq!(groups, ["events", "orders"]);

        assert!(!roles.remove_producer(&orders));
        assert_eq!(roles.topics().get(&topic), Some(&Wish::Own));
        assert!(roles.remove_producer(&orders) && !roles.remove_producer(&orders));
        assert!(roles.topics().is_empty(), "nobody needs it any more");
    }
}
