//! From a configuration to name servers, and to the task that finds them if there is one.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{Discovery, Endpoint, finder};
use crate::{
    ClientConfig, ConfigError, Connect, Resolver,
    name_servers::{Links, NameServers},
    remoting::connect::tcp,
    resolver::{name_of, system, tcp_by},
};

/// Where a client finds its name servers, and how it reaches them and all others.
pub(crate) struct Sources {
    pub(crate) connector: Arc<dyn Connect>,
    servers: Vec<Arc<str>>,
    endpoint: Option<Endpoint>,
    resolver: Option<Arc<dyn Resolver>>,
}

/// How often, and how long.
pub(crate) struct Timings {
    pub(crate) resolve_interval: Duration,
    pub(crate) endpoint_interval: Duration,
    /// How long a look-up may take.
    pub(crate) timeout: Duration,
}

impl Sources {
    pub(crate) fn new(config: &ClientConfig) -> Result<Self, ConfigError> {
        let servers = config.checked_name_servers()?;
        let (connector, resolver) = ways(config);
        let endpoint = match &config.http {
            Some(place) => Some(Endpoint::new(place, config.unit_name.as_deref(), connector.clone())?),
            None => None,
        };
        Ok(Self { connector, servers, endpoint, resolver })
    }

    /// The name servers; the first question begins at `start`.
    pub(crate) fn name_servers(
        self,
        start: usize,
        links: Links,
        timings: Timings,
    ) -> (Arc<NameServers>, Option<Discovery>) {
        let Self { servers, endpoint, resolver, .. } = self;
        let configured = match &endpoint {
            Some(endpoint) => endpoint.url().into(),
            None => servers.join(", ").into(),
        };
        let is_name = |server: &Arc<str>| {
            // A name that a pair maps is dialled as the pair says.
            name_of(server).is_some() && links.mapping.name_server(server) == *server
        };
        let has_names = resolver.is_some() && servers.iter().any(is_name);
        if endpoint.is_none() && !has_names {
            return (Arc::new(NameServers::new(configured, servers, start, None, links)), None);
        }
        let (finder, wishes) = finder();
        let clock = links.clock;
        let name_servers = NameServers::new(configured, servers.clone(), start, Some(finder), links);
        let name_servers = Arc::new(name_servers);
        let discovery = Discovery {
            wishes,
            name_servers: name_servers.clone(),
            names: servers,
            endpoint,
            resolver,
            meanings: BTreeMap::new(),
            timings,
            clock,
            last_look: None,
            last_fetch: None,
        };
        (name_servers, Some(discovery))
    }
}

/// How a client opens streams, and how it looks up the names of name servers: not at all with a connector of the user's
/// alone, for that may know names that nobody else knows.
pub(crate) fn ways(config: &ClientConfig) -> (Arc<dyn Connect>, Option<Arc<dyn Resolver>>) {
    match (&config.connector, &config.resolver) {
        (Some(connector), resolver) => (connector.clone(), resolver.clone()),
        (None, Some(resolver)) => (tcp_by(resolver.clone()), Some(resolver.clone())),
        (None, None) => (tcp(), Some(system())),
    }
}
