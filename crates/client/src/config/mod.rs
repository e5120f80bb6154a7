//! What can be set, with its default, its unit and its price.

mod discovery;
mod mapping;
mod url;

use std::{fmt, sync::Arc, time::Duration};

use maxq_policy::RetryPolicy;
use maxq_protocol::{HeaderEncoding, message::Properties};

use crate::{
    ConfigError, Resolver,
    remoting::connect::{Connect, bracketed},
};
pub(crate) use mapping::{Mapping, MappingConfig};

/// How a client finds and talks to its cluster.
///
/// ```
/// use maxq::ClientConfig;
///
/// let config = ClientConfig::new("ns-1:9876,ns-2:9876").instance_name("orders-7");
/// ```
///
/// # Intervals and time-outs
///
/// Each can be set here, and by its name in a [connection string](Self::from_url). The defaults are those of Apache's
/// client.
///
/// | setting | default | what happens then | in Apache's client |
/// |---|---|---|---|
/// | [`route_interval`](Self::route_interval) | 30 s | the routes of used topics are fetched anew | `pollNameServerInterval` |
/// | [`heartbeat_interval`](Self::heartbeat_interval) | 30 s | offline brokers are forgotten, the others get a heartbeat; for the first time after 1 s | `heartbeatBrokerInterval` |
/// | [`resolve_interval`](Self::resolve_interval) | 30 s | names of name servers are looked up anew | none: Java looks up when it connects |
/// | [`http_interval`](Self::http_interval) | 120 s | the address endpoint is asked; for the first time after 10 s, besides the first use | fixed, 120 s after 10 s |
/// | [`connect_timeout`](Self::connect_timeout) | 3 s | a dial is given up | `connectTimeoutMillis` |
/// | [`request_timeout`](Self::request_timeout) | 3 s | a request that is no send is given up | `mqClientApiTimeout` |
/// | [`connection_max_idle`](Self::connection_max_idle) | 120 s | a connection on which nothing was heard is closed | `clientChannelMaxIdleTimeSeconds` |
/// | [`topic_max_idle`](Self::topic_max_idle) | 600 s | the route of a topic that nobody used is forgotten | none: Java keeps every topic |
#[derive(Clone)]
#[non_exhaustive]
pub struct ClientConfig {
    pub(crate) name_servers: String,
    pub(crate) instance_name: Option<String>,
    pub(crate) header_encoding: HeaderEncoding,
    pub(crate) unit_name: Option<String>,
    /// A URL or a domain that knows the name servers.
    pub(crate) http: Option<String>,
    pub(crate) mapping: MappingConfig,
    pub(crate) connector: Option<Arc<dyn Connect>>,
    pub(crate) resolver: Option<Arc<dyn Resolver>>,
    pub(crate) seed: Option<u64>,
    pub(crate) offload: Offload,
    pub(crate) route_interval: Duration,
    pub(crate) heartbeat_interval: Duration,
    pub(crate) resolve_interval: Duration,
    pub(crate) http_interval: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) connection_max_idle: Duration,
    pub(crate) topic_max_idle: Duration,
    /// From a connection string, for [`Producer::connect`](crate::Producer::connect).
    pub(crate) group: Option<String>,
}

impl ClientConfig {
    /// A client of these name servers: `host:port`, several separated by commas or semicolons.
    ///
    /// A name may have several addresses: each is a name server of its own (see
    /// [`resolve_interval`](Self::resolve_interval)).
    pub fn new(name_servers: impl Into<String>) -> Self {
        Self { name_servers: name_servers.into(), ..Self::unset() }
    }

    /// A client from a connection string: `rocketmq://host:9876,[::1]:9876/?group=orders&instance=a`.
    ///
    /// The port is 9876 where none is named. Values are percent-encoded. Keys:
    ///
    /// | key | value |
    /// |---|---|
    /// | `group` | the producer group, for [`Producer::connect`](crate::Producer::connect) |
    /// | `instance`, `unit` | [`instance_name`](Self::instance_name), [`unit_name`](Self::unit_name) |
    /// | `encoding` | `json` or `binary` |
    /// | `map` | `FROM>TO`, any number of times: [`map_address`](Self::map_address) |
    /// | `map_to_name_server_host` | `true` or `false`: [`map_to_name_server_host`](Self::map_to_name_server_host) |
    /// | `http` | a URL or a domain, instead of hosts: `rocketmq://?http=ns.example.com` is [`from_http`](Self::from_http) |
    /// | `connect_timeout`, `request_timeout`, `route_interval`, `heartbeat_interval`, `resolve_interval`, `http_interval`, `connection_max_idle`, `topic_max_idle` | `500ms`, `3s`, `2m` |
    ///
    /// # Errors
    /// The string does not parse, has an unknown key, or asks for TLS or credentials, which this version does not
    /// support yet.
    pub fn from_url(url: &str) -> Result<Self, ConfigError> {
        url::parse(url)
    }

    /// A client from the environment: `MAXQ_URL` (a connection string), else `NAMESRV_ADDR` (name servers, as Apache's
    /// tools read it: of a URL only what stands behind its last slash).
    ///
    /// # Errors
    /// Neither is set, or the connection string does not parse.
    pub fn from_env() -> Result<Self, ConfigError> {
        let set = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        if let Some(url) = set("MAXQ_URL") {
            return Self::from_url(&url);
        }
        match set("NAMESRV_ADDR") {
            Some(url) if url.starts_with("http://") => {
                Ok(Self::new(url.rsplit_once('/').map_or(url.as_str(), |(_, servers)| servers)))
            }
            Some(name_servers) => Ok(Self::new(name_servers)),
            None => Err(ConfigError::new(
                "no name server is configured: set MAXQ_URL=rocketmq://host:9876 or NAMESRV_ADDR=host:9876",
            )),
        }
    }

    /// The producer group that the connection string names.
    pub fn group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// Names this client: its client id becomes `maxq@NAME`. Default: `maxq@PID#` and 16 random hex digits.
    ///
    /// Two clients with one name are one client to a broker, so the name must be unique in the cluster.
    #[must_use]
    pub fn instance_name(mut self, name: impl Into<String>) -> Self {
        self.instance_name = Some(name.into());
        self
    }

    /// How request headers are encoded. Default [`HeaderEncoding::Json`], which every server reads.
    ///
    /// Binary makes shorter frames and costs the client more CPU: an awaited send, with 64 in flight, about 11,890
    /// instructions instead of 9,860. A JSON header is filled into a kept head, a binary one is written each time.
    #[must_use]
    pub const fn header_encoding(mut self, encoding: HeaderEncoding) -> Self {
        self.header_encoding = encoding;
        self
    }

    /// Opens streams with `connector` instead of plain TCP.
    #[must_use]
    pub fn connector(mut self, connector: impl Connect) -> Self {
        self.connector = Some(Arc::new(connector));
        self
    }

    /// The seed of all chance (queue rotation, jitter, ids). Default: random. For tests that must repeat.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Where bodies of more than 16 KiB are compressed. Default [`Offload::BlockingPool`].
    #[must_use]
    pub const fn offload(mut self, offload: Offload) -> Self {
        self.offload = offload;
        self
    }

    /// How often the routes of all used topics are fetched anew. Default 30 s (Apache's `pollNameServerInterval`).
    #[must_use]
    pub const fn route_interval(mut self, every: Duration) -> Self {
        self.route_interval = every;
        self
    }

    /// How often brokers get a heartbeat. Default 30 s (Apache's `heartbeatBrokerInterval`); brokers forget a client
    /// after 120 s, and both sides close a connection that is silent for so long.
    #[must_use]
    pub const fn heartbeat_interval(mut self, every: Duration) -> Self {
        self.heartbeat_interval = every;
        self
    }

    /// How long opening a connection may take. Default 3 s.
    #[must_use]
    pub const fn connect_timeout(mut self, most: Duration) -> Self {
        self.connect_timeout = most;
        self
    }

    /// How long a request that is no send may take: routes, heartbeats, administration. Default 3 s (Apache's
    /// `mqClientApiTimeout`).
    #[must_use]
    pub const fn request_timeout(mut self, most: Duration) -> Self {
        self.request_timeout = most;
        self
    }

    /// A connection on which nothing was heard for so long, and on which nobody waits for an answer, is closed. Default
    /// 120 s (Apache's `clientChannelMaxIdleTimeSeconds`); servers do the same from their side. The next request dials
    /// anew.
    ///
    /// With more than the [`heartbeat_interval`](Self::heartbeat_interval), connections to the brokers of used topics
    /// never become idle: heartbeats are answered.
    #[must_use]
    pub const fn connection_max_idle(mut self, most: Duration) -> Self {
        self.connection_max_idle = most;
        self
    }

    /// The route of a topic that nobody used for so long is forgotten when routes are fetched anew, and its brokers get
    /// no heartbeat for its sake any more. Default 600 s. The next send fetches it again.
    #[must_use]
    pub const fn topic_max_idle(mut self, most: Duration) -> Self {
        self.topic_max_idle = most;
        self
    }

    fn unset() -> Self {
        Self {
            name_servers: String::new(),
            instance_name: None,
            header_encoding: HeaderEncoding::Json,
            unit_name: None,
            http: None,
            mapping: MappingConfig::default(),
            connector: None,
            resolver: None,
            seed: None,
            offload: Offload::default(),
            route_interval: Duration::from_secs(30),
            heartbeat_interval: Duration::from_secs(30),
            resolve_interval: Duration::from_secs(30),
            http_interval: Duration::from_secs(120),
            connect_timeout: Duration::from_secs(3),
            request_timeout: Duration::from_secs(3),
            connection_max_idle: Duration::from_secs(120),
            topic_max_idle: Duration::from_secs(600),
            group: None,
        }
    }

    /// The name servers, each checked. None if they come from an address endpoint.
    pub(crate) fn checked_name_servers(&self) -> Result<Vec<Arc<str>>, ConfigError> {
        let mut servers = Vec::new();
        for server in self.name_servers.split([',', ';']).map(str::trim).filter(|server| !server.is_empty()) {
            check_address(server, 9876)?;
            servers.push(server.into());
        }
        if self.http.is_some() && !servers.is_empty() {
            return Err(ConfigError::new(
                "both name servers and an address endpoint are configured: leave one of them out",
            ));
        }
        if servers.is_empty() && self.http.is_none() {
            return Err(ConfigError::new(
                "no name server is configured: give at least one host:port, such as 127.0.0.1:9876",
            ));
        }
        Ok(servers)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        for (from, to) in &self.mapping.pairs {
            check_address(&bracketed(from), 10911)?;
            check_address(&bracketed(to), 10911)?;
        }
        let intervals = [
            ("route_interval", self.route_interval),
            ("heartbeat_interval", self.heartbeat_interval),
            ("resolve_interval", self.resolve_interval),
            ("http_interval", self.http_interval),
            ("connect_timeout", self.connect_timeout),
            ("request_timeout", self.request_timeout),
            ("connection_max_idle", self.connection_max_idle),
            ("topic_max_idle", self.topic_max_idle),
        ];
        for (name, value) in intervals {
            if value < Duration::from_millis(1) {
                return Err(ConfigError::new(format!("{name} must be at least 1 ms")));
            }
        }
        Ok(())
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("name_servers", &self.name_servers)
            .field("instance_name", &self.instance_name)
            .field("header_encoding", &self.header_encoding)
            .field("unit_name", &self.unit_name)
            .field("http", &self.http)
            .field("mapping", &self.mapping)
            .field("connector", &self.connector.as_ref().map(|_| "custom"))
            .field("resolver", &self.resolver.as_ref().map(|_| "custom"))
            .field("route_interval", &self.route_interval)
            .field("heartbeat_interval", &self.heartbeat_interval)
            .field("resolve_interval", &self.resolve_interval)
            .field("http_interval", &self.http_interval)
            .field("connect_timeout", &self.connect_timeout)
            .field("request_timeout", &self.request_timeout)
            .field("connection_max_idle", &self.connection_max_idle)
            .field("topic_max_idle", &self.topic_max_idle)
            .finish_non_exhaustive()
    }
}

/// `host:port`, an IPv6 host in brackets.
pub(crate) fn check_address(address: &str, usual_port: u16) -> Result<(), ConfigError> {
    let complain = |why: &str| Err(ConfigError::new(format!("{address:?} is no host:port: {why}")));
    if address.contains("://") {
        return complain(
            "leave the scheme out; a whole connection string goes to ClientConfig::from_url or into MAXQ_URL",
        );
    }
    let Some((host, port)) = address.rsplit_once(':') else {
        return complain(&format!("the port is missing (usually :{usual_port})"));
    };
    if host.is_empty() {
        return complain("the host is missing");
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return complain("an IPv6 host stands in brackets, as in [::1]:9876");
    }
    if host.chars().any(|c| c.is_whitespace() || c.is_control() || c == '/' || c == '@') {
        return complain("the host has a character that no host has");
    }
    match port.parse::<u16>() {
        Ok(1..) => Ok(()),
        _ => complain("the port must be a number from 1 to 65535"),
    }
}

/// How a producer sends.
///
/// ```
/// use std::time::Duration;
/// use maxq::ProducerConfig;
///
/// let config = ProducerConfig::new("orders").timeout(Duration::from_secs(1));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProducerConfig {
    pub(crate) group: String,
    pub(crate) timeout: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) max_messages: usize,
    pub(crate) max_bytes: usize,
    pub(crate) overflow: Overflow,
    pub(crate) compression: CompressionChoice,
    pub(crate) auto_create: bool,
    pub(crate) max_message_size: usize,
}

/// What happens to a message for which a producer's limits have no room.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// use maxq::{Message, Overflow, ProducerConfig, SendErrorKind};
///
/// let config = ProducerConfig::new("orders").limits(100, 1 << 20).overflow(Overflow::Reject);
/// let producer = client.producer(config)?;
/// match producer.send(Message::new("orders", "paid")).await {
///     Err(error) if error.kind() == SendErrorKind::Overloaded => println!("later: {:?}", error.into_messages()),
///     sent => println!("{:?}", sent?.queue()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// It waits its turn, until its deadline.
    #[default]
    Wait,
    /// It fails at once as overloaded, and is handed back.
    Reject,
}

/// Which bodies are compressed, and how.
///
/// ```
/// use maxq::{CompressionChoice, ProducerConfig};
///
/// let small = ProducerConfig::new("orders").compression(CompressionChoice::Zlib { from: 1_024, level: 9 });
/// let quick = ProducerConfig::new("orders").compression(CompressionChoice::Lz4 { from: 4_096 });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompressionChoice {
    /// None.
    Off,
    /// zlib at this level (0 to 9) from this many bytes on, kept only when it is smaller.
    Zlib {
        /// Smallest body that is compressed, in bytes.
        from: usize,
        /// 0 (none) to 9 (smallest).
        level: u32,
    },
    /// LZ4 from this many bytes on, kept only when it is smaller. Consumers before 5.0 cannot read it.
    Lz4 {
        /// Smallest body that is compressed, in bytes.
        from: usize,
    },
    /// Zstandard at this level from this many bytes on, kept only when it is smaller. Consumers before 5.0 cannot read
    /// it.
    Zstd {
        /// Smallest body that is compressed, in bytes.
        from: usize,
        /// 1 (fast) to 19 (small).
        level: u32,
    },
}

impl CompressionChoice {
    /// The smallest body that is compressed, if any is.
    pub(crate) const fn from(self) -> Option<usize> {
        match self {
            Self::Off => None,
            Self::Zlib { from, .. } | Self::Lz4 { from } | Self::Zstd { from, .. } => Some(from),
        }
    }
}

/// Where work is done that would hold up the other tasks of a thread: compressing bodies of more than 16 KiB.
///
/// ```
/// use maxq::{ClientConfig, Offload};
///
/// // Together with a seed, a paused clock and the emulator's virtual network, every run is the same.
/// let config = ClientConfig::new("10.0.0.1:9876").seed(7).offload(Offload::Inline);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Offload {
    /// On the runtime's blocking pool.
    #[default]
    BlockingPool,
    /// Where it comes up. For tests that must repeat exactly: threads have no made-up time.
    Inline,
}

impl Default for CompressionChoice {
    /// zlib at level 5 from 4,096 bytes on, as Apache's client; nothing where this build has no zlib.
    fn default() -> Self {
        if cfg!(feature = "zlib") { Self::Zlib { from: 4_096, level: 5 } } else { Self::Off }
    }
}

impl ProducerConfig {
    /// A producer of `group`, the name under which brokers know it.
    pub fn new(group: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            timeout: Duration::from_secs(3),
            retry: RetryPolicy::default(),
            max_messages: 4_096,
            max_bytes: 64 << 20,
            overflow: Overflow::default(),
            compression: CompressionChoice::default(),
            auto_create: true,
            max_message_size: 4 << 20,
        }
    }

    /// How long a send may take in all: waiting for room, route, connection and every attempt. Default 3 s.
    #[must_use]
    pub const fn timeout(mut self, total: Duration) -> Self {
        self.timeout = total;
        self
    }

    /// When a send tries again. Default three attempts, each at another broker where there is one.
    #[must_use]
    pub const fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// How many messages and bytes of body may be under way at once; more wait. Default 4,096 messages and 64 MiB,
    /// which is about the memory that this producer can come to use.
    #[must_use]
    pub const fn limits(mut self, messages: usize, bytes: usize) -> Self {
        self.max_messages = messages;
        self.max_bytes = bytes;
        self
    }

    /// What happens to a message for which the limits have no room. Default [`Overflow::Wait`].
    #[must_use]
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Which bodies are compressed. Default zlib at level 5 from 4,096 bytes on.
    #[must_use]
    pub const fn compression(mut self, choice: CompressionChoice) -> Self {
        self.compression = choice;
        self
    }

    /// Whether brokers may create a missing topic at the first message (they must allow it too). Default yes.
    #[must_use]
    pub const fn auto_create(mut self, allow: bool) -> Self {
        self.auto_create = allow;
        self
    }

    /// The largest body in bytes, before compression. Default 4 MiB, as the brokers' own limit.
    #[must_use]
    pub const fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = bytes;
        self
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.max_messages == 0 || self.max_bytes == 0 {
            return Err(ConfigError::new(
                "limits of 0 let nothing pass: allow at least 1 message and 1 byte",
            ));
        }
        if self.timeout.is_zero() {
            return Err(ConfigError::new("a timeout of 0 lets nothing pass"));
        }
        // A frame is at most 16,777,212 bytes, and header and properties need a part of it.
        if self.max_message_size > (16 << 20) - (64 << 10) {
            return Err(ConfigError::new(
                "max_message_size is above what one frame carries (16 MiB less 64 KiB)",
            ));
        }
        let missing = match self.compression {
            CompressionChoice::Zlib { .. } if !cfg!(feature = "zlib") => "zlib",
            CompressionChoice::Lz4 { .. } if !cfg!(feature = "lz4") => "lz4",
            CompressionChoice::Zstd { .. } if !cfg!(feature = "zstd") => "zstd",
            CompressionChoice::Zlib { level: 10.., .. } => {
                return Err(ConfigError::new("a zlib level is 0 to 9"));
            }
            CompressionChoice::Zstd { level: 20.. | 0, .. } => {
                return Err(ConfigError::new("a zstd level is 1 to 19"));
            }
            _ => return Ok(()),
        };
        Err(ConfigError::new(format!(
            "{missing} compression needs the feature \"{missing}\" of the maxq crate"
        )))
    }
}

/// The longest encoded properties that brokers store.
pub(crate) const MAX_PROPERTIES: usize = Properties::MAX_ENCODED_LENGTH;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_cannot_be_dialled_are_refused_with_the_reason() {
        let cases = [
            ("localhost", "port is missing"),
            (":9876", "host is missing"),
            ("::1:9876", "brackets"),
            ("a:0", "1 to 65535"),
            ("a:70000", "1 to 65535"),
            ("http://a:9876", "scheme"),
            ("a b:9876", "character"),
            ("", "no name server"),
            (" , ;", "no name server"),
        ];
        for (servers, why) in cases {
            let error = ClientConfig::new(servers).checked_name_servers().unwrap_err();
            assert!(error.to_string().contains(why), "{servers:?}: {error}");
        }
        let servers = ClientConfig::new("a:9876; b:9877 ,[::1]:9876").checked_name_servers().unwrap();
        assert_eq!(servers.len(), 3);
    }

    #[test]
    fn contradictions_are_refused() {
        assert!(ProducerConfig::new("g").check().is_ok());
        assert!(ProducerConfig::new("g").limits(0, 1).check().is_err());
        assert!(ProducerConfig::new("g").timeout(Duration::ZERO).check().is_err());
        assert!(ProducerConfig::new("g").max_message_size(1 << 30).check().is_err());
        assert!(ClientConfig::new("a:1").connect_timeout(Duration::ZERO).check().is_err());
    }
}
