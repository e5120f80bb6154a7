//! How a cluster is described and started.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use maxq_protocol::{NameError, Topic, body::TopicConfig};
use tokio::{net::TcpListener, runtime::Handle};

use crate::{
    broker::{Broker, BrokerSettings, Identity},
    clock::Clock,
    cluster::{BrokerSlot, Cluster},
    name_server::NameServer,
    requests::RequestLog,
    serve::Server,
    store::StoreLimit,
    version::{EmulatedVersion, UnknownVersion},
};

/// Describes a cluster. Made by [`Cluster::builder`].
///
/// ```
/// # async fn example() -> Result<(), maxq_emulator::StartError> {
/// use maxq_emulator::Cluster;
///
/// let cluster = Cluster::builder().brokers(2).emulate("4.9.7").topic("orders", 4).start().await?;
/// println!("name server: {}", cluster.name_servers());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is started before `start`"]
pub struct ClusterBuilder {
    brokers: usize,
    port: u16,
    host: IpAddr,
    advertise: Option<IpAddr>,
    version: String,
    cluster_name: String,
    auto_create_topics: bool,
    topics: Vec<(String, u32)>,
    store_limit: StoreLimit,
    remembered_requests: usize,
    seed: u64,
    clock: Option<Clock>,
}

impl ClusterBuilder {
    pub(crate) fn new() -> Self {
        Self {
            brokers: 1,
            port: 0,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            advertise: None,
            version: EmulatedVersion::default().name().to_owned(),
            cluster_name: "DefaultCluster".to_owned(),
            auto_create_topics: true,
            topics: Vec::new(),
            store_limit: StoreLimit { bytes: 256 << 20, messages: 1_000_000 },
            remembered_requests: 4096,
            seed: 0,
            clock: None,
        }
    }

    /// Number of brokers, called `broker-0`, `broker-1` and so on. Default 1.
    pub fn brokers(mut self, brokers: usize) -> Self {
        self.brokers = brokers;
        self
    }

    /// Port of the name server. Default 0: any free one. Brokers always take free ones.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Address to listen on. Default 127.0.0.1.
    pub fn host(mut self, host: impl Into<IpAddr>) -> Self {
        self.host = host.into();
        self
    }

    /// Address that routes and message ids tell clients. Default: that of [`host`](Self::host). Needed when `host` is
    /// `0.0.0.0` or `::`, which nobody can connect to.
    pub fn advertise(mut self, host: impl Into<IpAddr>) -> Self {
        self.advertise = Some(host.into());
        self
    }

    /// The RocketMQ version to answer as: `"4.9.7"` or `"5.5.0"`. Default: the newest.
    pub fn emulate(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Name of the cluster. Default `DefaultCluster`.
    pub fn cluster_name(mut self, name: impl Into<String>) -> Self {
        self.cluster_name = name.into();
        self
    }

    /// Whether a send to an unknown topic makes it (Apache's `autoCreateTopicEnable`). Default true.
    pub fn auto_create_topics(mut self, is_enabled: bool) -> Self {
        self.auto_create_topics = is_enabled;
        self
    }

    /// Makes a topic with this many queues on every broker.
    pub fn topic(mut self, name: impl Into<String>, queues: u32) -> Self {
        self.topics.push((name.into(), queues));
        self
    }

    /// How much each broker stores: bytes of records with their bookkeeping, and messages. Default 256 MiB and
    /// 1,000,000. Above it the broker refuses sends like one whose disk is full (code 14).
    pub fn store_limit(mut self, bytes: u64, messages: u64) -> Self {
        self.store_limit = StoreLimit { bytes, messages };
        self
    }

    /// How many of the last requests [`Cluster::requests`] tells. Default 4096; 0 remembers none.
    pub fn remembered_requests(mut self, requests: usize) -> Self {
        self.remembered_requests = requests;
        self
    }

    /// Seed of everything that brokers choose by chance. Default 0: every run is the same.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The time of the cluster. Default: the machine's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Starts the cluster on the current tokio runtime. When this returns, it serves.
    ///
    /// Cancel safety: dropped early, nothing is left running.
    ///
    /// # Errors
    /// The description contradicts itself, or an address cannot be listened on.
    pub async fn start(self) -> Result<Cluster, StartError> {
        let runtime = Handle::try_current().map_err(|_| StartError::plain(StartErrorKind::NoRuntime))?;
        let version: EmulatedVersion = self.version.parse()?;
        let topics = self.check()?;
        let clock = self.clock.unwrap_or_else(Clock::system);
        let (listener, address) = listen(SocketAddr::new(self.host, self.port)).await?;
        let requests = Arc::new(RequestLog::new(self.remembered_requests));
        let name_server = Arc::new(NameServer::new(version, clock, Arc::clone(&requests)));
        let mut brokers = Vec::with_capacity(self.brokers);
        for index in 0..self.brokers {
            let (listener, bound) = listen(SocketAddr::new(self.host, 0)).await?;
            let identity = Identity::new(version, index, self.cluster_name.clone(), self.advertised(bound));
            let settings = self.settings();
            let broker =
                Broker::new(identity, &settings, clock, Arc::clone(&name_server), Arc::clone(&requests));
            brokers.push((Arc::new(broker), listener, bound));
        }
        let start = |(broker, listener, bound): (Arc<Broker>, TcpListener, SocketAddr)| {
            for topic in &topics {
                broker.state().topics.put(topic.clone());
            }
            BrokerSlot::start(broker, listener, bound, &runtime)
        };
        Ok(Cluster {
            brokers: brokers.into_iter().map(start).collect(),
            name_server: Server::start(listener, name_server, clock, &runtime),
            address: self.advertised(address),
            requests,
            runtime: runtime.clone(),
            version,
        })
    }

    /// Everything that can be wrong before an address is tried; gives the topics to make.
    fn check(&self) -> Result<Vec<TopicConfig>, StartError> {
        if self.brokers == 0 {
            return Err(StartError::plain(StartErrorKind::NoBrokers));
        }
        if self.host.is_unspecified() && self.advertise.is_none() {
            return Err(StartError::plain(StartErrorKind::NothingToAdvertise));
        }
        Topic::new(self.cluster_name.as_str())?;
        self.topics
            .iter()
            .map(|(name, queues)| Ok(topic_config(Topic::new(name.as_str())?, *queues)))
            .collect()
    }

    fn advertised(&self, bound: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.advertise.unwrap_or(bound.ip()), bound.port())
    }

    fn settings(&self) -> BrokerSettings {
        BrokerSettings {
            auto_create_topics: self.auto_create_topics,
            store_limit: self.store_limit,
            seed: self.seed,
        }
    }
}

/// A readable and writable topic.
pub(crate) fn topic_config(topic: Topic, queues: u32) -> TopicConfig {
    let queues = i32::try_from(queues).unwrap_or(i32::MAX);
    TopicConfig {
        topic_name: topic.to_string(),
        read_queue_nums: queues,
        write_queue_nums: queues,
        ..TopicConfig::default()
    }
}

/// Listens, and says on which address.
pub(crate) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let failed =
        |error| StartError { source: Some(error), ..StartError::plain(StartErrorKind::Listen(address)) };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// A cluster or a broker that does not start.
#[derive(Debug)]
pub struct StartError {
    kind: StartErrorKind,
    source: Option<io::Error>,
}

/// Why a cluster or a broker does not start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartErrorKind {
    /// There is no tokio runtime to start on.
    NoRuntime,
    /// A cluster has at least one broker.
    NoBrokers,
    /// The version is not emulated.
    UnknownVersion(UnknownVersion),
    /// The cluster or a topic has a name that RocketMQ does not accept.
    Name(NameError),
    /// The host listens on all addresses, and none was given for clients to connect to.
    NothingToAdvertise,
    /// An address cannot be listened on.
    Listen(SocketAddr),
}

impl StartError {
    fn plain(kind: StartErrorKind) -> Self {
        Self { kind, source: None }
    }

    /// Why it does not start.
    pub fn kind(&self) -> &StartErrorKind {
        &self.kind
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            StartErrorKind::NoRuntime => f.write_str("a cluster is started on a tokio runtime, and there is none here"),
            StartErrorKind::NoBrokers => f.write_str("a cluster has at least one broker"),
            StartErrorKind::UnknownVersion(error) => error.fmt(f),
            StartErrorKind::Name(error) => error.fmt(f),
            StartErrorKind::NothingToAdvertise => {
                f.write_str("clients cannot connect to an unspecified host; say with `advertise` which address they reach")
            }
            StartErrorKind::Listen(address) => write!(f, "cannot listen on {address}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|error| error as _)
    }
}

impl From<UnknownVersion> for StartError {
    fn from(error: UnknownVersion) -> Self {
        Self::plain(StartErrorKind::UnknownVersion(error))
    }
}

impl From<NameError> for StartError {
    fn from(error: NameError) -> Self {
        Self::plain(StartErrorKind::Name(error))
    }
}
