//! Where the name servers come from, and what is to be dialled where a route is wrong for here.

use std::{sync::Arc, time::Duration};

use super::ClientConfig;
use crate::Resolver;

impl ClientConfig {
    /// A client whose name servers are told by a web server (Apache's address server).
    ///
    /// `endpoint` is a domain, then Apache's rule makes the URL (`http://DOMAIN:8080/rocketmq/nsaddr`, without `:8080`
    /// when the domain names a port), or a whole `http://` URL. The first line of its answer is the list. It is asked
    /// at the first use, 10 s after the start, and every 2 minutes ([`http_interval`](Self::http_interval)); when it
    /// does not answer, the last list stays. The connector of the client reaches it. There is no default domain.
    ///
    /// Needs the feature `http-discovery`; without it such a client is refused as a
    /// [`ConfigError`](crate::ConfigError).
    pub fn from_http(endpoint: impl Into<String>) -> Self {
        Self { http: Some(endpoint.into()), ..Self::unset() }
    }

    /// The unit of this client in a cluster of several (Apache's `unitName`): its client id ends with `@NAME`, and the
    /// address endpoint is asked for the name servers of that unit. Default none.
    #[must_use]
    pub fn unit_name(mut self, name: impl Into<String>) -> Self {
        self.unit_name = Some(name.into());
        self
    }

    /// Looks names up by `resolver` instead of the operating system: those of the name servers, and with plain TCP
    /// also those of brokers.
    ///
    /// With a [`connector`](Self::connector) and no resolver, the connector gets the names as they are.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// How often the names of name servers are looked up anew. Default 30 s; also at once when none of them answers.
    ///
    /// Each address of a name is a name server of its own. Connections to addresses that a name has no more finish
    /// what is under way, and end. A look-up that fails changes nothing.
    #[must_use]
    pub const fn resolve_interval(mut self, every: Duration) -> Self {
        self.resolve_interval = every;
        self
    }

    /// How often the address endpoint is asked. Default 2 minutes, as in Apache's client.
    #[must_use]
    pub const fn http_interval(mut self, every: Duration) -> Self {
        self.http_interval = every;
        self
    }

    /// Connects to `to` where a route says `from` (both `host:port`): for brokers that advertise an address which
    /// cannot be reached from here, such as a container's.
    ///
    /// These pairs also hold for name servers: for one as it is configured, whose name is not looked up then, else for
    /// the addresses of its name. They come before [`map_addresses_with`](Self::map_addresses_with), and that before
    /// [`map_to_name_server_host`](Self::map_to_name_server_host); those two are for brokers only.
    #[must_use]
    pub fn map_address(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.mapping.pairs.insert(from.into(), to.into().into());
        self
    }

    /// Connects to what `map` says where a route names an address (both `host:port`); `None` leaves it as it is.
    ///
    /// It is asked once for each address and should be quick. If it panics, the address stays as it is.
    #[must_use]
    pub fn map_addresses_with(
        mut self,
        map: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.mapping.with = Some(Arc::new(map));
        self
    }

    /// Connects to brokers on the host of the name server that answered last, at the port that they advertise: for a
    /// whole cluster behind one address, such as containers with published ports. Default off.
    #[must_use]
    pub const fn map_to_name_server_host(mut self) -> Self {
        self.mapping.to_name_server_host = true;
        self
    }
}
