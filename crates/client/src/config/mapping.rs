//! Where an address that a route names is really dialled.

use std::{
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arc_swap::ArcSwap;

use crate::remoting::connect::bracketed;

/// What a closure says of an address.
pub(crate) type MapWith = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What the user said about addresses that cannot be reached from here.
#[derive(Clone, Default)]
pub(crate) struct MappingConfig {
    pub(crate) pairs: BTreeMap<String, Arc<str>>,
    pub(crate) with: Option<MapWith>,
    pub(crate) to_name_server_host: bool,
}

impl fmt::Debug for MappingConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mapping")
            .field("pairs", &self.pairs)
            .field("with", &self.with.as_ref().map(|_| "closure"))
            .field("to_name_server_host", &self.to_name_server_host)
            .finish()
    }
}

/// The mapping of one client: pairs first, then the closure, then the name server's host.
pub(crate) struct Mapping {
    config: MappingConfig,
    /// Asked once for each address, so that a send costs one look-up here.
    learned: ArcSwap<Learned>,
}

#[derive(Clone, Default)]
struct Learned {
    /// The host of the name server that answered last.
    host: Option<Arc<str>>,
    targets: BTreeMap<Arc<str>, Arc<str>>,
}

impl Mapping {
    pub(crate) fn new(mut config: MappingConfig) -> Self {
        // A Java server may register an IPv6 address without its brackets.
        let with_brackets: Vec<_> =
            config.pairs.iter().map(|(from, to)| (bracketed(from), to.clone())).collect();
        config.pairs.extend(with_brackets);
        Self { config, learned: ArcSwap::default() }
    }

    /// Where the broker is dialled that a route gives this address.
    pub(crate) fn target(&self, address: &Arc<str>) -> Arc<str> {
        if self.config.with.is_none() && !self.config.to_name_server_host {
            return self.name_server(address);
        }
        let learned = self.learned.load();
        if let Some(target) = learned.targets.get(address) {
            return target.clone();
        }
        let target = self.find(address, learned.host.as_deref());
        let host = learned.host.clone();
        self.learned.rcu(|learned| {
            let mut changed = Learned::clone(learned);
            if changed.host != host {
                return changed;
            }
            // Brokers come and go; what went is not kept for ever.
            if changed.targets.len() >= MOST_LEARNED {
                changed.targets.clear();
            }
            changed.targets.insert(address.clone(), target.clone());
            changed
        });
        target
    }

    /// Where a name server is dialled: only pairs count for it.
    pub(crate) fn name_server(&self, address: &Arc<str>) -> Arc<str> {
        self.config.pairs.get(&**address).unwrap_or(address).clone()
    }

    /// The name server at `address` has answered: brokers are on its host, if the user says so.
    pub(crate) fn observe_name_server(&self, address: &str) {
        if !self.config.to_name_server_host {
            return;
        }
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        if self.learned.load().host.as_deref() != Some(host) {
            self.learned.store(Arc::new(Learned { host: Some(host.into()), targets: BTreeMap::new() }));
        }
    }

    fn find(&self, address: &Arc<str>, host: Option<&str>) -> Arc<str> {
        if let Some(target) = self.config.pairs.get(&**address) {
            return target.clone();
        }
        if let Some(with) = &self.config.with {
            // It runs in the middle of everything: its panic may not end the tasks of the client.
            match catch_unwind(AssertUnwindSafe(|| with(address))) {
                Ok(Some(target)) => return target.into(),
                Ok(None) => {}
                Err(_) => {
                    tracing::error!(%address, "map_addresses_with panicked: the address stays as it is")
                }
            }
        }
        match (host, address.rsplit_once(':')) {
            (Some(host), Some((_, port))) => format!("{host}:{port}").into(),
            _ => address.clone(),
        }
    }
}

/// So many addresses are remembered.
const MOST_LEARNED: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    fn target(mapping: &Mapping, address: &str) -> String {
        mapping.target(&address.into()).to_string()
    }

    #[test]
    fn pairs_win_over_the_closure_and_that_over_the_name_server() {
        let mapping = Mapping::new(MappingConfig {
            pairs: BTreeMap::from([("::1:10911".to_owned(), Arc::from("pair:1"))]),
            with: Some(Arc::new(|address| address.strip_prefix("10.").map(|rest| format!("11.{rest}")))),
            to_name_server_host: true,
        });
        mapping.observe_name_server("[2001:db8::1]:9876");
        assert_eq!(target(&mapping, "::1:10911"), "pair:1");
        assert_eq!(target(&mapping, "[::1]:10911"), "pair:1");
        assert_eq!(target(&mapping, "10.0.0.1:10911"), "11.0.0.1:10911");
        assert_eq!(target(&mapping, "172.17.0.3:10911"), "[2001:db8::1]:10911");
        mapping.observe_name_server("ns-2:9876");
        assert_eq!(target(&mapping, "172.17.0.3:10911"), "ns-2:10911");
        assert_eq!(&*mapping.name_server(&"10.0.0.1:9876".into()), "10.0.0.1:9876");
    }

    #[test]
    fn a_panicking_closure_maps_nothing() {
        let mapping = Mapping::new(MappingConfig {
            with: Some(Arc::new(|_| panic!("a bug of the user's"))),
            ..MappingConfig::default()
        });
        assert_eq!(target(&mapping, "a:1"), "a:1");
        assert_eq!(target(&mapping, "a:1"), "a:1", "it is not asked again");
    }

    #[test]
    fn the_closure_is_asked_once_for_each_address() {
        let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = asked.clone();
        let mapping = Mapping::new(MappingConfig {
            with: Some(Arc::new(move |_| {
                counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                None
            })),
            ..MappingConfig::default()
        });
        for _ in 0..3 {
            assert_eq!(target(&mapping, "a:1"), "a:1");
        }
        assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 1);
    }
}
