//! The masters of all known routes, kept up as routes change: asking for them costs nothing that grows with topics.

use std::{collections::BTreeMap, sync::Arc};

use maxq_protocol::body::TopicRouteData;

/// Masters by the address in the routes, with their broker names.
pub(crate) type Masters = BTreeMap<Arc<str>, Arc<str>>;

/// Each master with the number of routes that name it.
#[derive(Default)]
pub(super) struct Census(BTreeMap<(Arc<str>, Arc<str>), usize>);

impl Census {
    /// A route was replaced, found or forgotten; says whether there are other masters now.
    pub(super) fn replace(
        &mut self,
        before: Option<&TopicRouteData>,
        after: Option<&TopicRouteData>,
    ) -> bool {
        if before.map(|data| &data.broker_datas) == after.map(|data| &data.broker_datas) {
            return false;
        }
        let mut has_changed = false;
        // First in, then out: what is named before and after never leaves.
        for (address, name) in after.into_iter().flat_map(masters_of) {
            let routes = self.0.entry((address.into(), name.into())).or_default();
            has_changed |= *routes == 0;
            *routes += 1;
        }
        for (address, name) in before.into_iter().flat_map(masters_of) {
            let key = (address.into(), name.into());
            let Some(routes) = self.0.get_mut(&key) else { continue };
            *routes -= 1;
            if *routes == 0 {
                self.0.remove(&key);
                has_changed = true;
            }
        }
        has_changed
    }

    pub(super) fn masters(&self) -> Masters {
        self.0.keys().cloned().collect()
    }
}

fn masters_of(data: &TopicRouteData) -> impl Iterator<Item = (&str, &str)> {
    let brokers = data.broker_datas.iter();
    brokers.filter_map(|broker| Some((broker.broker_addrs.get(&0)?.as_str(), broker.broker_name.as_str())))
}

#[cfg(test)]
mod tests {
    use maxq_protocol::body::BrokerData;

    use super::*;

    fn route(masters: &[(&str, &str)]) -> TopicRouteData {
        let broker_datas = masters.iter().map(|(address, name)| BrokerData {
            broker_name: (*name).to_owned(),
            broker_addrs: BTreeMap::from([(0, (*address).to_owned()), (1, "replica:1".to_owned())]),
            ..BrokerData::default()
        });
        TopicRouteData { broker_datas: broker_datas.collect(), ..TopicRouteData::default() }
    }

    fn names(census: &Census) -> Vec<String> {
        census.masters().iter().map(|(address, name)| format!("{name}@{address}")).collect()
    }

    #[test]
    fn a_master_stays_as_long_as_one_route_names_it() {
        let (mut census, both) = (Census::default(), route(&[("a:1", "a"), ("b:1", "b")]));
        assert!(census.replace(None, Some(&both)));
        assert!(!census.replace(None, Some(&both)), "a second topic on the same brokers is no news");
        let only_b = route(&[("b:1", "b")]);
        assert!(!census.replace(Some(&both), Some(&only_b)));
        assert_eq!(names(&census), ["a@a:1", "b@b:1"]);
        assert!(census.replace(Some(&both), None));
        assert_eq!(names(&census), ["b@b:1"]);
        assert!(!census.replace(Some(&only_b), Some(&only_b)));
        assert!(census.replace(Some(&only_b), Some(&route(&[("b:2", "b")]))), "it has moved");
        assert_eq!(names(&census), ["b@b:2"]);
    }

    #[test]
    fn two_masters_that_a_broken_route_puts_at_one_address_are_counted_apart() {
        let mut census = Census::default();
        census.replace(None, Some(&route(&[("a:1", "a"), ("a:1", "b"), ("a:1", "b")])));
        census.replace(Some(&route(&[("a:1", "b"), ("a:1", "b")])), None);
        assert_eq!(names(&census), ["a@a:1"]);
    }
}
