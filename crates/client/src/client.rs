//! A client: what all producers and readers of one cluster share (Apache's client instance).

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use maxq_policy::Time;
use maxq_protocol::{Group, header::GetRouteInfo, name::AUTO_CREATE_TOPIC};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    ClientConfig, CloseReport, ConfigError, ConnectError, MessageQueue, Offload, Producer, ProducerConfig,
    admin::Admin,
    clock::Clock,
    config::Mapping,
    discovery::{Sources, Timings},
    error::RouteError,
    events::{Event, Events, Herald, LastWords},
    health::Healths,
    heartbeat::{Announcer, Beat, BrokerVersions, Heartbeat, Pulse},
    name_servers::{self, NameServers},
    producer::Shared as SharedProducer,
    reader::{From, Reader},
    remoting::{
        Remoting,
        pool::{OnOpen, Pool, Setup},
    },
    roles::Roles,
    route::{self, Fetcher, Keeper, Links, Routes},
    shutdown,
    unique_id::UniqueIds,
};

/// A client of one cluster. Cheap to clone; all clones are one client.
///
/// Its tasks live on the runtime on which it was made. Call [`close`](Self::close) to leave in order; dropping the
/// last handle (producers and readers hold one) leaves in the background, within a second.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::start(1).await?;
/// # let name_servers = cluster.name_servers();
/// use std::time::Duration;
/// use maxq::{Client, ClientConfig, ProducerConfig};
///
/// let client = Client::connect(ClientConfig::new(name_servers)).await?; // 127.0.0.1:9876
/// let orders = client.producer(ProducerConfig::new("orders"))?;
/// let parcels = client.producer(ProducerConfig::new("parcels"))?; // over the same connections
/// client.close(Duration::from_secs(5)).await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

/// What the users' handles share; its drop is the drop of the last of them.
struct Handle {
    shared: Arc<Shared>,
}

/// What the tasks share too.
pub(crate) struct Shared {
    pub(crate) id: Arc<str>,
    pub(crate) clock: Clock,
    pub(crate) remoting: Arc<Remoting>,
    pub(crate) name_servers: Arc<NameServers>,
    pub(crate) routes: Routes,
    pub(crate) roles: Arc<Roles>,
    pub(crate) pulse: Pulse,
    pub(crate) versions: Arc<BrokerVersions>,
    pub(crate) announcer: Arc<Announcer>,
    pub(crate) herald: Herald,
    pub(crate) unique_ids: UniqueIds,
    pub(crate) request_timeout: Duration,
    pub(crate) offload: Offload,
    pub(crate) tasks: TaskTracker,
    /// Producers that take leave of the brokers in the background; the client goes after them.
    pub(crate) farewells: TaskTracker,
    pub(crate) stop: CancellationToken,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) leaving: AtomicBool,
    producers: Mutex<Vec<Weak<SharedProducer>>>,
    chance: AtomicU64,
    numbers: AtomicU64,
}

impl Client {
    /// Makes a client and waits until a name server has answered anything.
    ///
    /// # Errors
    /// The configuration cannot work, no tokio runtime is running, or no name server answered within the request
    /// timeout (default 3 s). Nothing is left behind.
    ///
    /// # Cancel safety
    /// Safe: dropped early, nothing is left behind.
    pub async fn connect(config: ClientConfig) -> Result<Self, ConnectError> {
        let client = Self::lazy(config)?;
        let shared = client.shared();
        let probe =
            GetRouteInfo { topic: AUTO_CREATE_TOPIC.to_owned(), accept_standard_json_only: Some(true) };
        let answered = shared.name_servers.ask(&probe, shared.deadline()).await;
        let Err(tried) = answered else { return Ok(client) };
        client.close(LEAVING).await;
        Err(RouteError::NameServers(tried).into())
    }

    /// Makes a client without any I/O; the first use connects. Only an address endpoint is asked after 10 s anyway.
    ///
    /// # Errors
    /// The configuration cannot work, or no tokio runtime is running.
    pub fn lazy(config: ClientConfig) -> Result<Self, ConfigError> {
        let sources = Sources::new(&config)?;
        config.check()?;
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| {
            ConfigError::new("no tokio runtime is running here: a client needs one for its tasks")
        })?;
        let shared = Shared::start(config, sources, runtime);
        Ok(Self { handle: Arc::new(Handle { shared }) })
    }

    /// A producer of this client.
    ///
    /// # Errors
    /// The configuration cannot work, or the group is no valid group.
    pub fn producer(&self, config: ProducerConfig) -> Result<Producer, ConfigError> {
        Producer::new(self.clone(), config, None)
    }

    /// A reader of one queue, beginning at `from`. It belongs to no consumer group and commits nothing.
    pub fn reader(&self, queue: &MessageQueue, from: From) -> Reader {
        Reader::new(self.clone(), queue.clone(), from)
    }

    /// Questions about, and changes of, topics and brokers.
    pub fn admin(&self) -> Admin {
        Admin::new(self.clone())
    }

    /// What happens to this client from now on: connections, routes, the health of brokers. Each call gives a listener of
    /// its own; what none listens to costs nothing.
    pub fn events(&self) -> Events {
        self.handle.shared.herald.listen()
    }

    /// The client id, as brokers know it.
    pub fn id(&self) -> &str {
        &self.handle.shared.id
    }

    /// The version that the broker at this `host:port` announced in its last answer to a heartbeat, as an ordinal of
    /// Apache's `MQVersion` (407 is 4.9.7, 513 is 5.5.0); `None` before the first.
    pub fn broker_version(&self, address: &str) -> Option<i32> {
        self.handle.shared.versions.get(address).map(|version| version.0)
    }

    /// Leaves in order: refuses new sends, waits for those under way, unregisters at the brokers, and joins all tasks,
    /// for at most `within`. All producers of this client are closed too.
    ///
    /// # Cancel safety
    /// Safe: closing goes on in the background; call it again to wait on.
    pub async fn close(&self, within: Duration) -> CloseReport {
        shutdown::close_client(&self.handle.shared, within).await
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        shutdown::leave_in_background(&self.shared);
    }
}

impl Shared {
    fn start(config: ClientConfig, sources: Sources, runtime: tokio::runtime::Handle) -> Arc<Self> {
        let clock = Clock::start();
        let mut chance = chance(config.seed);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (pulse, beats) = Pulse::new();
        let herald = Herald::default();
        let on_open: OnOpen = {
            let (pulse, herald) = (pulse.clone(), herald.clone());
            Arc::new(move |address| {
                herald.tell(|| Event::Connected { address: address.clone() });
                pulse.ask(Beat::Opened(address.clone()));
            })
        };
        let healths = Arc::new(Healths::new(chance.fork(), herald.clone()));
        let pool = Arc::new(Pool::new(Setup {
            connector: sources.connector.clone(),
            connect_timeout: config.connect_timeout,
            max_idle: config.connection_max_idle,
            clock,
            tasks: tasks.clone(),
            runtime: runtime.clone(),
            stop: stop.clone(),
            on_open,
            healths: healths.clone(),
        }));
        let mapping = Arc::new(Mapping::new(config.mapping));
        let remoting = Arc::new(Remoting::new(
            pool.clone(),
            config.header_encoding,
            mapping.clone(),
            chance.i32(0..=i32::MAX / 2),
        ));
        let start = chance.usize(..);
        let links = name_servers::Links {
            pool: pool.clone(),
            remoting: remoting.clone(),
            mapping,
            clock,
            herald: herald.clone(),
        };
        let timings = Timings {
            resolve_interval: config.resolve_interval,
            endpoint_interval: config.http_interval,
            timeout: config.request_timeout,
        };
        let (name_servers, discovery) = sources.name_servers(start, links, timings);
        let fetcher = Fetcher { name_servers: name_servers.clone(), clock, timeout: config.request_timeout };
        let (roles, versions) = (Arc::<Roles>::default(), Arc::<BrokerVersions>::default());
        let setup = route::Setup {
            clock,
            interval: config.route_interval,
            max_idle: config.topic_max_idle,
            seed: chance.u64(..),
            name_servers: name_servers.list(),
        };
        let id = client_id(config.instance_name, config.unit_name, &mut chance);
        let announcer = Arc::new(Announcer {
            client_id: id.clone(),
            remoting: remoting.clone(),
            pool,
            roles: roles.clone(),
            versions: versions.clone(),
            healths,
            clock,
            timeout: config.request_timeout,
        });
        let (keeper, routes) = Keeper::new(setup, links_of_routes(fetcher, &announcer, &pulse, &herald));
        let heartbeat = Heartbeat {
            beats,
            announcer: announcer.clone(),
            routes: routes.clone(),
            interval: config.heartbeat_interval,
        };
        if let Some(discovery) = discovery {
            tasks.spawn_on(discovery.run(stop.clone()), &runtime);
        }
        // The keeper ends with the client, or with its runtime: either way, who listens is told.
        let (kept, last_words) = (keeper.run(stop.clone()), LastWords(herald.clone()));
        let keeping = async move {
            let _last_words = last_words;
            kept.await;
        };
        tasks.spawn_on(keeping, &runtime);
        tasks.spawn_on(heartbeat.run(stop.clone()), &runtime);
        let mut process = [0; 10];
        chance.fill(&mut process);
        tracing::info!(client = %id, "client started");
        Arc::new(Self {
            id,
            clock,
            remoting,
            name_servers,
            routes,
            roles,
            pulse,
            versions,
            announcer,
            herald,
            unique_ids: UniqueIds::new(process),
            request_timeout: config.request_timeout,
            offload: config.offload,
            tasks,
            farewells: TaskTracker::new(),
            stop,
            runtime,
            leaving: AtomicBool::new(false),
            producers: Mutex::default(),
            chance: AtomicU64::new(chance.u64(..)),
            numbers: AtomicU64::new(0),
        })
    }

    /// The deadline of a request that begins now.
    pub(crate) fn deadline(&self) -> Time {
        self.clock.now() + self.request_timeout
    }

    /// Whether the tasks have ended: the client was closed, or its runtime is gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.stop.is_cancelled() || self.routes.is_closed()
    }

    /// A seed for one plan: the next of a Weyl sequence, so that concurrent sends need no lock.
    pub(crate) fn next_seed(&self) -> u64 {
        self.chance.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed)
    }

    /// A number that no other producer of this client has.
    pub(crate) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Relaxed)
    }

    pub(crate) fn register(&self, group: &Group, producer: &Arc<SharedProducer>) {
        self.roles.add_producer(group);
        let mut producers = self.producers.lock().unwrap_or_else(PoisonError::into_inner);
        producers.retain(|known| known.strong_count() > 0);
        producers.push(Arc::downgrade(producer));
        drop(producers);
        self.pulse.ask(Beat::All);
    }

    pub(crate) fn producers(&self) -> Vec<Arc<SharedProducer>> {
        self.producers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter_map(Weak::upgrade)
            .collect()
    }
}

/// What the route keeper has to do with the rest.
fn links_of_routes(fetcher: Fetcher, announcer: &Announcer, pulse: &Pulse, herald: &Herald) -> Links {
    let (remoting, healths) = (announcer.remoting.clone(), announcer.healths.clone());
    let (pulse, herald) = (pulse.clone(), herald.clone());
    Links {
        fetch: Box::new(move |topic, wish| {
            let fetcher = fetcher.clone();
            Box::pin(async move { fetcher.fetch(&topic, wish).await })
        }),
        roles: announcer.roles.clone(),
        on_brokers: Box::new(move || pulse.ask(Beat::All)),
        on_change: Box::new(move |topic| herald.tell(|| Event::RouteChanged { topic: topic.shared() })),
        health_of: Box::new(move |address| healths.of(&remoting.target(address))),
    }
}

/// `maxq@INSTANCE`, and `@UNIT` behind it if there is one.
fn client_id(instance: Option<String>, unit: Option<String>, chance: &mut fastrand::Rng) -> Arc<str> {
    let by_chance = format!("{}#{:016x}", std::process::id(), chance.u64(..));
    let unit = unit.map(|name| format!("@{name}")).unwrap_or_default();
    format!("maxq@{}{unit}", instance.unwrap_or(by_chance)).into()
}

/// How long a client that could not connect may take to leave.
const LEAVING: Duration = Duration::from_secs(1);

/// All chance of a client comes from here.
#[expect(clippy::disallowed_methods, reason = "this is where the seed comes from")]
fn chance(seed: Option<u64>) -> fastrand::Rng {
    match seed {
        Some(seed) => fastrand::Rng::with_seed(seed),
        None => fastrand::Rng::new(),
    }
}
