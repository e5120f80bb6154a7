//! How a cluster is described and started.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use maxq_protocol::{NameError, Topic, body::TopicConfig};
use tokio::runtime::Handle;

use crate::{
    broker::{Broker, BrokerSettings, Identity},
    clock::Clock,
    cluster::{BrokerSlot, Cluster, NameServerSlot},
    listener::{Listener, Net},
    name_server::NameServer,
    network::VirtualNetwork,
    store::StoreLimit,
    surroundings::Surroundings,
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
    name_servers: usize,
    net: Net,
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
            name_servers: 1,
            net: Net::Tcp,
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

    /// Number of name servers. Default 1. Every broker registers with all of them.
    pub fn name_servers(mut self, name_servers: usize) -> Self {
        self.name_servers = name_servers;
        self
    }

    /// Serves on this network instead of on sockets: the first cluster has its name servers on 10.0.0.1:9876, 10.0.0.2
    /// and so on, its brokers on 10.0.1.1:10911, 10.0.1.2 and so on, the second cluster is on 10.1 and so on.
    /// [`port`](Self::port), [`host`](Self::host) and [`advertise`](Self::advertise) mean nothing then.
    pub fn virtual_network(mut self, network: &VirtualNetwork) -> Self {
        self.net = Net::Virtual(network.clone());
        self
    }

    /// Port of the first name server. Default 0: any free one. All other servers take free ones.
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
        let surroundings = Surroundings::new(clock, self.remembered_requests, self.seed);
        let (mut name_servers, mut brokers) = (Vec::new(), Vec::new());
        let places = self.places();
        for index in 0..self.name_servers {
            let (listener, place) = places.name_server(index).listen().await?;
            let service = Arc::new(NameServer::new(version, index, surroundings.clone()));
            name_servers.push((service, listener, place));
        }
        let services: Arc<[_]> = name_servers.iter().map(|(service, ..)| Arc::clone(service)).collect();
        for index in 0..self.brokers {
            let (listener, place) = places.broker(index).listen().await?;
            let identity = Identity::new(version, index, self.cluster_name.clone(), place.advertised());
            let broker = Broker::new(identity, &self.settings(), Arc::clone(&services), surroundings.clone());
            for topic in &topics {
                broker.state().topics.put(topic.clone());
            }
            brokers.push((broker, listener, place));
        }
        let start_name_server =
            |(service, listener, place)| NameServerSlot::start(service, listener, place, &runtime);
        let start_broker = |(broker, listener, place)| BrokerSlot::start(broker, listener, place, &runtime);
        Ok(Cluster {
            // They must hear the brokers that start after them.
            name_servers: name_servers.into_iter().map(start_name_server).collect(),
            brokers: brokers.into_iter().map(start_broker).collect(),
            surroundings,
            runtime: runtime.clone(),
            version,
        })
    }

    /// Everything that can be wrong before an address is tried; gives the topics to make.
    fn check(&self) -> Result<Vec<TopicConfig>, StartError> {
        if self.brokers == 0 {
            return Err(StartError::plain(StartErrorKind::NoBrokers));
        }
        if self.name_servers == 0 {
            return Err(StartError::plain(StartErrorKind::NoNameServers));
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

    fn places(&self) -> Places {
        let cluster = match &self.net {
            Net::Tcp => 0,
            Net::Virtual(network) => network.join(),
        };
        Places { net: self.net.clone(), host: self.host, port: self.port, advertise: self.advertise, cluster }
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

/// Where the servers of a cluster are put.
struct Places {
    net: Net,
    host: IpAddr,
    port: u16,
    advertise: Option<IpAddr>,
    /// Number of the cluster on its virtual network.
    cluster: u8,
}

impl Places {
    fn name_server(&self, index: usize) -> Place {
        let port = if index == 0 { self.port } else { 0 };
        self.place(port, (0, index), 9876)
    }

    fn broker(&self, index: usize) -> Place {
        self.place(0, (1, index), 10_911)
    }

    fn place(&self, port: u16, (row, index): (usize, usize), virtual_port: u16) -> Place {
        let (address, advertise) = match &self.net {
            Net::Tcp => (SocketAddr::new(self.host, port), self.advertise),
            Net::Virtual(_) => {
                // Both are below 256 for as many servers as anybody starts; beyond, addresses are taken twice.
                let octet = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
                let (row, host) = (octet(row + index / HOSTS), octet(1 + index % HOSTS));
                (SocketAddr::from((Ipv4Addr::new(10, self.cluster, row, host), virtual_port)), None)
            }
        };
        Place { net: self.net.clone(), address, advertise }
    }
}

/// Where a server listens, and which host clients are told.
#[derive(Clone)]
pub(crate) struct Place {
    net: Net,
    address: SocketAddr,
    advertise: Option<IpAddr>,
}

impl Place {
    /// Listens; gives the place with the port that was taken.
    pub(crate) async fn listen(&self) -> Result<(Listener, Self), StartError> {
        let (listener, address) = self.net.listen(self.address).await.map_err(|error| StartError {
            source: Some(error),
            ..StartError::plain(StartErrorKind::Listen(self.address))
        })?;
        Ok((listener, Self { address, ..self.clone() }))
    }

    /// The address that clients are told.
    pub(crate) fn advertised(&self) -> SocketAddr {
        SocketAddr::new(self.advertise.unwrap_or(self.address.ip()), self.address.port())
    }

    /// Another port of the same host.
    pub(crate) fn elsewhere(&self) -> Self {
        let port = match self.net {
            Net::Tcp => 0,
            Net::Virtual(_) => self.address.port().wrapping_add(10),
        };
        Self { address: SocketAddr::new(self.address.ip(), port), ..self.clone() }
    }
}

/// A cluster or a broker that does not start.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use maxq_emulator::{Cluster, StartErrorKind};
///
/// let error = Cluster::start(0).await.unwrap_err();
/// assert_eq!(error.kind(), &StartErrorKind::NoBrokers);
/// assert_eq!(error.to_string(), "a cluster has at least one broker");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StartError {
    kind: StartErrorKind,
    source: Option<io::Error>,
}

/// Why a cluster or a broker does not start.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use maxq_emulator::{Cluster, StartErrorKind};
///
/// let cluster = Cluster::start(1).await?;
/// let again = Cluster::builder().port(cluster.name_server().port()).start().await;
/// assert!(matches!(again.unwrap_err().kind(), StartErrorKind::Listen(_)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartErrorKind {
    /// There is no tokio runtime to start on.
    NoRuntime,
    /// A cluster has at least one broker.
    NoBrokers,
    /// A cluster has at least one name server.
    NoNameServers,
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
            StartErrorKind::NoNameServers => f.write_str("a cluster has at least one name server"),
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

/// Virtual hosts in a row: 10.0.1.1 to 10.0.1.250.
const HOSTS: usize = 250;
