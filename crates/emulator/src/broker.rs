//! One broker: its state, and which handler answers which request.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use maxq_protocol::{
    Group, RemotingCommand, RequestCode as Code, ResponseCode,
    body::{HeartbeatData, TopicConfig, from_json, perm},
    message::OffsetMessageId,
};
use tokio::time::sleep_until;

use crate::{
    client::ClientRegistry,
    clock::Clock,
    fault::Site,
    handler::{Exchange, admin, heartbeat, offset, pull, query, send, statistics, topic},
    name_server::NameServer,
    offset::ConsumerOffsets,
    refusal::Refusal,
    requests::ServerName,
    serve::{Carrying, Peer, Reaction, Service},
    store::{Store, StoreLimit},
    surroundings::Surroundings,
    topic::TopicTable,
    unique::UniqueIds,
    version::EmulatedVersion,
};

/// Who a broker is. It stays the same over kills and restarts, except for the address when it is started elsewhere.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) version: EmulatedVersion,
    pub(crate) index: usize,
    pub(crate) cluster: String,
    pub(crate) broker: String,
    /// The address that routes and message ids tell.
    pub(crate) address: SocketAddr,
    /// How its offset message ids begin: the address.
    pub(crate) id_prefix: String,
}

impl Identity {
    pub(crate) fn new(version: EmulatedVersion, index: usize, cluster: String, address: SocketAddr) -> Self {
        let broker = format!("broker-{index}");
        Self { version, index, cluster, broker, address, id_prefix: id_prefix(address) }
    }
}

fn id_prefix(address: SocketAddr) -> String {
    const OFFSET_DIGITS: usize = 16;
    let mut id_prefix = OffsetMessageId { store_host: address, commit_log_offset: 0 }.to_string();
    id_prefix.truncate(id_prefix.len() - OFFSET_DIGITS);
    id_prefix
}

/// A broker. The tasks of its connections share it; what changes is behind one lock, held for one request at a time
/// and never across an await. Whoever holds it may take the name server's lock, never the other way round.
pub(crate) struct Broker {
    pub(crate) identity: Identity,
    pub(crate) clock: Clock,
    name_servers: Arc<[Arc<NameServer>]>,
    site: Site,
    surroundings: Surroundings,
    disk: Arc<Disk>,
}

/// What outlives the process, wherever it is started again.
struct Disk {
    is_read_only: AtomicBool,
    state: Mutex<BrokerState>,
}

/// What a broker knows.
pub(crate) struct BrokerState {
    pub(crate) store: Store,
    pub(crate) topics: TopicTable,
    pub(crate) groups: SubscriptionGroups,
    pub(crate) clients: ClientRegistry,
    pub(crate) offsets: ConsumerOffsets,
    pub(crate) random: fastrand::Rng,
    pub(crate) unique_ids: UniqueIds,
    /// When the broker started last, on the cluster's clock.
    pub(crate) started_at: i64,
}

/// What a broker is started with.
pub(crate) struct BrokerSettings {
    pub(crate) auto_create_topics: bool,
    pub(crate) store_limit: StoreLimit,
    pub(crate) seed: u64,
}

impl Broker {
    pub(crate) fn new(
        identity: Identity,
        settings: &BrokerSettings,
        name_servers: Arc<[Arc<NameServer>]>,
        surroundings: Surroundings,
    ) -> Self {
        let clock = surroundings.clock;
        let mut random = fastrand::Rng::with_seed(settings.seed.wrapping_add(identity.index as u64));
        let state = BrokerState {
            store: Store::new(settings.store_limit),
            topics: TopicTable::new(&identity, settings.auto_create_topics),
            groups: SubscriptionGroups::new(identity.version),
            clients: ClientRegistry::default(),
            offsets: ConsumerOffsets::default(),
            unique_ids: UniqueIds::new(&mut random),
            random,
            started_at: clock.millis(),
        };
        let disk = Arc::new(Disk { is_read_only: AtomicBool::new(false), state: Mutex::new(state) });
        let site = Site {
            server: ServerName::Broker(identity.index),
            index: identity.index,
            name: identity.broker.clone(),
        };
        Self { identity, clock, name_servers, site, surroundings, disk }
    }

    /// The same broker at another address.
    pub(crate) fn moved_to(&self, address: SocketAddr) -> Self {
        Self {
            identity: Identity { address, id_prefix: id_prefix(address), ..self.identity.clone() },
            clock: self.clock,
            name_servers: Arc::clone(&self.name_servers),
            site: self.site.clone(),
            surroundings: self.surroundings.clone(),
            disk: Arc::clone(&self.disk),
        }
    }

    /// The state, for one request.
    pub(crate) fn state(&self) -> MutexGuard<'_, BrokerState> {
        self.disk.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process starts.
    pub(crate) fn begin(&self) {
        self.state().started_at = self.clock.millis();
        self.announce();
    }

    /// Tells the name servers that the broker serves, and all its topics.
    pub(crate) fn announce(&self) {
        let state = self.state();
        let topics: Vec<_> = state.topics.all().map(|topic| self.permitted(topic)).collect();
        for name_server in &*self.name_servers {
            name_server.register(&self.identity, &topics);
        }
    }

    /// Tells the name servers of a new or changed topic. Apache does the same before it answers, so that whoever got
    /// the answer finds the route.
    pub(crate) fn announce_topic(&self, topic: &TopicConfig) {
        let topic = self.permitted(topic);
        for name_server in &*self.name_servers {
            name_server.register_topic(&self.identity, &topic);
        }
    }

    /// Tells the name servers that the broker does not have a topic any more.
    pub(crate) fn withdraw_topic(&self, topic: &str) {
        for name_server in &*self.name_servers {
            name_server.forget_topic(&self.identity.broker, topic);
        }
    }

    /// Shows the name servers every thirty seconds that the broker lives; one that does not know it is told all.
    pub(crate) async fn keep_announcing(self: Arc<Self>) {
        loop {
            sleep_until(self.clock.instant() + ANNOUNCING_INTERVAL).await;
            if !self.name_servers.iter().all(|name_server| name_server.hear_from(&self.identity)) {
                self.announce();
            }
        }
    }

    /// Whether sends are refused.
    pub(crate) fn is_read_only(&self) -> bool {
        self.disk.is_read_only.load(Ordering::Relaxed)
    }

    pub(crate) fn set_read_only(&self, is_read_only: bool) {
        self.disk.is_read_only.store(is_read_only, Ordering::Relaxed);
    }

    /// A topic as routes tell it (`BrokerController.registerBrokerAll`: both permissions must allow).
    fn permitted(&self, topic: &TopicConfig) -> TopicConfig {
        let lost = if self.is_read_only() { perm::WRITE | perm::INHERIT } else { 0 };
        TopicConfig { perm: topic.perm & !lost, ..topic.clone() }
    }

    /// What dies with the process: the connections and what they told. The store, the topics, the groups and their
    /// offsets are on disk.
    pub(crate) fn crash(&self) {
        for name_server in &*self.name_servers {
            name_server.forget(&self.identity.broker);
        }
        self.forget_clients();
    }

    pub(crate) fn forget_clients(&self) {
        self.state().clients = ClientRegistry::default();
    }

    /// Drops clients that have not sent a heartbeat for two minutes, as long as the broker runs
    /// (`ClientHousekeepingService`).
    pub(crate) async fn keep_house(self: Arc<Self>) {
        loop {
            sleep_until(self.clock.instant() + HOUSEKEEPING_INTERVAL).await;
            let now = self.clock.elapsed();
            for closing in self.state().clients.expire(now) {
                closing.cancel();
            }
        }
    }

    fn route(self: &Arc<Self>, exchange: &Exchange<'_>) -> Reaction {
        let request = exchange.request;
        let code = request.request_code();
        let newer = self.identity.version.knows_newer_requests();
        let result = match code {
            // A send does its own refusals: they carry the fields that its answers carry.
            Code::SEND_MESSAGE | Code::SEND_MESSAGE_V2 | Code::SEND_BATCH_MESSAGE => Ok(send::send(exchange)),
            Code::PULL_MESSAGE => return pull::pull(self, exchange),
            Code::LITE_PULL_MESSAGE if newer => return pull::pull(self, exchange),
            Code::HEART_BEAT => heartbeat::heartbeat(exchange),
            Code::UNREGISTER_CLIENT => heartbeat::unregister(exchange),
            Code::CHECK_CLIENT_CONFIG => heartbeat::check_client_config(exchange),
            Code::GET_CONSUMER_LIST_BY_GROUP => heartbeat::consumer_list(exchange),
            Code::GET_CONSUMER_CONNECTION_LIST => heartbeat::consumer_connections(exchange),
            Code::GET_PRODUCER_CONNECTION_LIST => heartbeat::producer_connections(exchange),
            Code::GET_MAX_OFFSET => offset::max_offset(exchange),
            Code::GET_MIN_OFFSET => offset::min_offset(exchange),
            Code::SEARCH_OFFSET_BY_TIMESTAMP => offset::search(exchange),
            Code::GET_EARLIEST_MSG_STORETIME => offset::earliest_store_time(exchange),
            Code::QUERY_CONSUMER_OFFSET => offset::query(exchange),
            Code::UPDATE_CONSUMER_OFFSET => offset::update(exchange),
            Code::UPDATE_AND_CREATE_TOPIC => topic::create(exchange),
            Code::DELETE_TOPIC_IN_BROKER => topic::delete(exchange),
            Code::GET_TOPIC_CONFIG if newer => topic::config(exchange),
            Code::VIEW_MESSAGE_BY_ID => query::view_by_id(exchange),
            Code::QUERY_MESSAGE => query::by_key(exchange),
            Code::GET_BROKER_RUNTIME_INFO => Ok(admin::runtime_info(exchange)),
            Code::GET_TOPIC_STATS_INFO => statistics::topic(exchange),
            Code::GET_CONSUME_STATS => Ok(statistics::consumption(exchange)),
            Code::QUERY_TOPIC_CONSUME_BY_WHO => statistics::groups_of_topic(exchange),
            Code(number) => Err(match admin::not_emulated_yet(code, self.identity.version) {
                Some(what) => Refusal::not_emulated(number, what),
                None => Refusal::new(
                    ResponseCode::REQUEST_CODE_NOT_SUPPORTED,
                    format!(" request type {number} not supported"),
                ),
            }),
        };
        let json_library = self.identity.version.json_library();
        Reaction::Answer(result.unwrap_or_else(|refusal| refusal.of_json_library(json_library).into_answer()))
    }
}

impl Service for Broker {
    fn handle(self: &Arc<Self>, peer: &Peer, request: RemotingCommand, carrying: Carrying) -> Reaction {
        tracing::debug!(
            broker = %self.identity.broker,
            code = request.code,
            opaque = request.opaque,
            peer = %peer.address,
            "request"
        );
        let version = self.identity.version;
        let now = self.clock.millis().saturating_add(carrying.skew_millis);
        let exchange = Exchange { broker: self, peer, request: &request, now, pretends: carrying.pretends };
        match self.route(&exchange) {
            Reaction::Answer(answer) => Reaction::Answer(version.seal(answer, &request)),
            Reaction::Later(answer) => {
                // The held answer needs the request's envelope, not its body.
                let request = RemotingCommand { body: Default::default(), ..request };
                Reaction::Later(Box::pin(async move { version.seal(answer.await, &request) }))
            }
            Reaction::Silence => Reaction::Silence,
        }
    }

    fn closed(&self, peer: &Peer) {
        self.state().clients.drop_connection(peer.connection);
    }

    fn site(&self) -> &Site {
        &self.site
    }

    fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    fn seal(&self, answer: RemotingCommand, request: &RemotingCommand) -> RemotingCommand {
        self.identity.version.seal(answer, request)
    }

    fn client_id(&self, peer: &Peer, request: Option<&RemotingCommand>) -> Option<String> {
        let is_heartbeat = |request: &&RemotingCommand| request.request_code() == Code::HEART_BEAT;
        match request.filter(is_heartbeat) {
            // The first one is not carried out yet.
            Some(heartbeat) => Some(from_json::<HeartbeatData>(&heartbeat.body).ok()?.client_id),
            None => self.state().clients.client_id(peer.connection).map(str::to_owned),
        }
    }
}

/// The consumer groups that a broker knows. They are made when somebody uses them: `autoCreateSubscriptionGroup`.
pub(crate) struct SubscriptionGroups {
    names: BTreeSet<String>,
    version: EmulatedVersion,
}

impl SubscriptionGroups {
    fn new(version: EmulatedVersion) -> Self {
        Self { names: BTreeSet::from(["TOOLS_CONSUMER".to_owned()]), version }
    }

    /// Whether the group is there now; it is made unless its name is not allowed
    /// (`SubscriptionGroupManager.findSubscriptionGroupConfig`).
    pub(crate) fn find_or_make(&mut self, group: &str) -> bool {
        if self.contains(group) {
            return true;
        }
        let may_be_made = self.version.makes_long_groups() || Group::new(group).is_ok();
        if may_be_made {
            self.names.insert(group.to_owned());
        }
        may_be_made
    }

    /// Whether the group is there.
    pub(crate) fn contains(&self, group: &str) -> bool {
        self.names.contains(group)
    }
}

/// How often a message of any group is tried before it becomes a dead letter
/// (`SubscriptionGroupConfig.retryMaxTimes`).
pub(crate) const RETRY_MAX_TIMES: i32 = 16;
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(10);
/// `BrokerConfig.registerNameServerPeriod`.
const ANNOUNCING_INTERVAL: Duration = Duration::from_secs(30);
