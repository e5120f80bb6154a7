//! The name server: which broker has which topics, told by the brokers themselves.
//!
//! Brokers are in the same process and call [`NameServer::register`] instead of sending REGISTER_BROKER. A killed
//! broker is forgotten at once, as Apache does it when the broker's connection closes, and a silent one after two
//! minutes (`RouteInfoManager`).

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use maxq_protocol::{
    ExtFields, RemotingCommand, RequestCode as Code, ResponseCode, Version,
    body::{
        BrokerData, ClusterInfo, JsonDialect, KvTable, QueueData, TopicConfig, TopicList, TopicRouteData,
        to_json,
    },
};
use serde::Serialize;
use tokio::time::sleep_until;

use crate::{
    broker::Identity,
    clock::Clock,
    fault::Site,
    refusal::Refusal,
    requests::ServerName,
    serve::{Carrying, Peer, Reaction, Service},
    surroundings::Surroundings,
    version::EmulatedVersion,
};

/// The name server of a cluster.
pub(crate) struct NameServer {
    version: EmulatedVersion,
    clock: Clock,
    site: Site,
    surroundings: Surroundings,
    state: Mutex<Registrations>,
}

/// What the brokers, the tools and the tests have told.
#[derive(Default)]
struct Registrations {
    /// Nobody reaches a name server that is stopped.
    is_running: bool,
    keeps_dead_brokers: bool,
    /// Topic to what is answered whatever the brokers say.
    overrides: BTreeMap<String, Option<TopicRouteData>>,
    brokers: BTreeMap<String, Registration>,
    /// Topic to broker name to queues.
    topics: BTreeMap<String, BTreeMap<String, QueueData>>,
    /// Namespace to key to value.
    kv: BTreeMap<String, BTreeMap<String, String>>,
}

struct Registration {
    cluster: String,
    address: SocketAddr,
    /// When it was heard last, since the cluster's clock began.
    heard: Duration,
}

impl NameServer {
    pub(crate) fn new(version: EmulatedVersion, index: usize, surroundings: Surroundings) -> Self {
        let site = Site { server: ServerName::NameServer, index, name: String::new() };
        Self { version, clock: surroundings.clock, site, surroundings, state: Mutex::default() }
    }

    /// The process starts. Keys are on disk, routes are not.
    pub(crate) fn begin(&self) {
        self.state().is_running = true;
    }

    /// The process ends.
    pub(crate) fn leave(&self) {
        let mut state = self.state();
        state.is_running = false;
        state.brokers.clear();
        state.topics.clear();
    }

    /// A broker says that it is there, and which topics it has.
    pub(crate) fn register(&self, broker: &Identity, topics: &[TopicConfig]) {
        let mut state = self.state();
        if !state.is_running {
            return;
        }
        let (cluster, address, heard) = (broker.cluster.clone(), broker.address, self.clock.elapsed());
        state.brokers.insert(broker.broker.clone(), Registration { cluster, address, heard });
        for topic in topics {
            state.put_topic(&broker.broker, topic);
        }
    }

    /// A broker has a new or changed topic. One that has been forgotten has nothing to say: it is being killed.
    pub(crate) fn register_topic(&self, broker: &Identity, topic: &TopicConfig) {
        let mut state = self.state();
        if state.brokers.contains_key(&broker.broker) {
            state.put_topic(&broker.broker, topic);
        }
    }

    /// A broker shows that it lives. Says whether there is nothing to register: it is known, or nobody listens.
    pub(crate) fn hear_from(&self, broker: &Identity) -> bool {
        let (mut state, now) = (self.state(), self.clock.elapsed());
        match state.brokers.get_mut(&broker.broker) {
            Some(known) if known.address == broker.address => {
                known.heard = now;
                true
            }
            _ => !state.is_running,
        }
    }

    /// A broker has gone.
    pub(crate) fn forget(&self, broker: &str) {
        let mut state = self.state();
        if !state.keeps_dead_brokers {
            state.remove(broker);
        }
    }

    /// A broker does not have a topic any more.
    pub(crate) fn forget_topic(&self, broker: &str, topic: &str) {
        self.state().remove_queues(broker, |name| name == topic);
    }

    /// Drops brokers that have not been heard for two minutes, as long as the name server runs
    /// (`RouteInfoManager.scanNotActiveBroker`).
    pub(crate) async fn keep_house(self: Arc<Self>) {
        loop {
            sleep_until(self.clock.instant() + SCAN_INTERVAL).await;
            let now = self.clock.elapsed();
            let mut state = self.state();
            if state.keeps_dead_brokers {
                continue;
            }
            let silent = |found: &Registration| now.saturating_sub(found.heard) > MAX_SILENCE;
            let silent: Vec<_> = state
                .brokers
                .iter()
                .filter(|(_, found)| silent(found))
                .map(|(name, _)| name.clone())
                .collect();
            for name in silent {
                tracing::info!(broker = %name, "a silent broker is dropped");
                state.remove(&name);
            }
        }
    }

    /// Answers this from now on for a topic.
    pub(crate) fn override_route(&self, topic: &str, route: Option<TopicRouteData>) {
        self.state().overrides.insert(topic.to_owned(), route);
    }

    /// Answers again what the brokers tell of a topic.
    pub(crate) fn follow_brokers(&self, topic: &str) {
        self.state().overrides.remove(topic);
    }

    pub(crate) fn keep_dead_brokers(&self, keeps: bool) {
        self.state().keeps_dead_brokers = keeps;
    }

    /// The route of a topic as it is answered.
    pub(crate) fn route_of(&self, topic: &str) -> Option<TopicRouteData> {
        let state = self.state();
        state.overrides.get(topic).cloned().unwrap_or_else(|| state.route(topic))
    }

    fn state(&self) -> MutexGuard<'_, Registrations> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &RemotingCommand) -> Result<RemotingCommand, Refusal> {
        let ext = &request.ext;
        match request.request_code() {
            Code::GET_ROUTEINFO_BY_TOPIC => self.route(request),
            Code::GET_BROKER_CLUSTER_INFO => Ok(body(self.json(&self.cluster_info(), JsonDialect::Fastjson))),
            Code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER => Ok(self.topic_list(|_| true)),
            Code::GET_TOPICS_BY_CLUSTER => {
                let wanted = ext.get("cluster").unwrap_or_default();
                Ok(self.topic_list(|cluster| cluster == wanted))
            }
            Code::GET_SYSTEM_TOPIC_LIST_FROM_NS => Ok(self.system_topics()),
            Code::DELETE_TOPIC_IN_NAMESRV => {
                let cluster = ext.get("clusterName").filter(|cluster| !cluster.is_empty());
                self.state().remove_topic(ext.get("topic").unwrap_or_default(), cluster);
                Ok(success())
            }
            Code::PUT_KV_CONFIG => self.put_kv(ext),
            Code::GET_KV_CONFIG => self.kv(ext),
            Code::DELETE_KV_CONFIG => Ok(self.delete_kv(ext)),
            Code::GET_KVLIST_BY_NAMESPACE => self.kv_list(ext),
            Code(code) => {
                let remark = format!(" request type {code} not supported");
                Err(Refusal::new(ResponseCode::REQUEST_CODE_NOT_SUPPORTED, remark))
            }
        }
    }

    /// Integer keys are quoted for clients from 4.9.4 on and for those that ask for it
    /// (`ClientRequestProcessor.getRouteInfoByTopic`).
    fn route(&self, request: &RemotingCommand) -> Result<RemotingCommand, Refusal> {
        let topic = request.ext.get("topic");
        let route = self.route_of(topic.unwrap_or_default()).ok_or_else(|| {
            let (topic, faq) = (topic.unwrap_or("null"), self.version.faq());
            let remark = format!("No topic route info in name server for the topic: {topic}{faq}");
            Refusal::new(ResponseCode::TOPIC_NOT_EXIST, remark)
        })?;
        let asks_for_json =
            request.ext.get("acceptStandardJsonOnly").is_some_and(|asks| asks.eq_ignore_ascii_case("true"));
        let dialect = if asks_for_json || request.version >= Version::V4_9_4 {
            JsonDialect::Standard
        } else {
            JsonDialect::Fastjson
        };
        Ok(body(self.json(&route, dialect)))
    }

    fn cluster_info(&self) -> ClusterInfo {
        let state = self.state();
        let mut clusters: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, registration) in &state.brokers {
            clusters.entry(registration.cluster.clone()).or_default().insert(name.clone());
        }
        let brokers = state.brokers.keys().filter_map(|name| Some((name.clone(), state.broker_data(name)?)));
        ClusterInfo { broker_addr_table: brokers.collect(), cluster_addr_table: clusters }
    }

    /// The topics that a broker of a wanted cluster has.
    fn topic_list(&self, wants: impl Fn(&str) -> bool) -> RemotingCommand {
        let state = self.state();
        let is_wanted =
            |broker: &String| state.brokers.get(broker).is_some_and(|found| wants(&found.cluster));
        let topics = state.topics.iter().filter(|(_, queues)| queues.keys().any(is_wanted));
        let list =
            TopicList { broker_addr: None, topic_list: topics.map(|(topic, _)| topic.clone()).collect() };
        body(to_json(&list, JsonDialect::Standard))
    }

    /// The names of clusters and brokers, which are topics too, and the address of one broker.
    fn system_topics(&self) -> RemotingCommand {
        let state = self.state();
        let clusters: BTreeSet<_> = state.brokers.values().map(|found| found.cluster.clone()).collect();
        let list = TopicList {
            broker_addr: state.brokers.values().next().map(|found| found.address.to_string()),
            topic_list: clusters.into_iter().chain(state.brokers.keys().cloned()).collect(),
        };
        body(to_json(&list, JsonDialect::Standard))
    }

    fn put_kv(&self, ext: &ExtFields) -> Result<RemotingCommand, Refusal> {
        let (Some(namespace), Some(key)) = (ext.get("namespace"), ext.get("key")) else {
            return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, "namespace or key is null"));
        };
        let mut state = self.state();
        let keys = state.kv.entry(namespace.to_owned()).or_default();
        match ext.get("value") {
            Some(value) => _ = keys.insert(key.to_owned(), value.to_owned()),
            // Java keeps a null, which nobody can tell from nothing.
            None => _ = keys.remove(key),
        }
        Ok(success())
    }

    fn kv(&self, ext: &ExtFields) -> Result<RemotingCommand, Refusal> {
        let (namespace, key) = (ext.get("namespace").unwrap_or("null"), ext.get("key").unwrap_or("null"));
        let state = self.state();
        let value = state.kv.get(namespace).and_then(|keys| keys.get(key)).ok_or_else(|| {
            let remark = format!("No config item, Namespace: {namespace} Key: {key}");
            Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark)
        })?;
        let mut answer = success();
        answer.ext.set("value", value);
        Ok(answer)
    }

    fn delete_kv(&self, ext: &ExtFields) -> RemotingCommand {
        if let Some(keys) = self.state().kv.get_mut(ext.get("namespace").unwrap_or_default()) {
            keys.remove(ext.get("key").unwrap_or_default());
        }
        success()
    }

    fn kv_list(&self, ext: &ExtFields) -> Result<RemotingCommand, Refusal> {
        let namespace = ext.get("namespace").unwrap_or("null");
        let state = self.state();
        // A namespace stays when its last key goes.
        let keys = state.kv.get(namespace).ok_or_else(|| {
            Refusal::new(ResponseCode::QUERY_NOT_FOUND, format!("No config item, Namespace: {namespace}"))
        })?;
        Ok(body(to_json(&KvTable { table: keys.clone() }, JsonDialect::Standard)))
    }

    /// Servers before 5.0 do not know the key `enableActingMaster`, which is always false here.
    fn json<T: Serialize>(&self, value: &T, dialect: JsonDialect) -> Vec<u8> {
        let json = to_json(value, dialect);
        if self.version.knows_acting_master() {
            return json;
        }
        String::from_utf8_lossy(&json).replace(",\"enableActingMaster\":false", "").into_bytes()
    }
}

impl Registrations {
    fn put_topic(&mut self, broker: &str, topic: &TopicConfig) {
        let queues = QueueData {
            broker_name: broker.to_owned(),
            perm: topic.perm,
            read_queue_nums: topic.read_queue_nums,
            topic_sys_flag: topic.topic_sys_flag,
            write_queue_nums: topic.write_queue_nums,
        };
        self.topics.entry(topic.topic_name.clone()).or_default().insert(broker.to_owned(), queues);
    }

    /// Forgets a topic, on the brokers of one cluster or on all (`RouteInfoManager.deleteTopic`).
    fn remove_topic(&mut self, topic: &str, cluster: Option<&str>) {
        let Some(cluster) = cluster else {
            self.topics.remove(topic);
            return;
        };
        let brokers = self.brokers.iter().filter(|(_, found)| found.cluster == cluster);
        for broker in brokers.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            self.remove_queues(&broker, |name| name == topic);
        }
    }

    fn remove(&mut self, broker: &str) {
        self.brokers.remove(broker);
        self.remove_queues(broker, |_| true);
    }

    fn remove_queues(&mut self, broker: &str, is_meant: impl Fn(&str) -> bool) {
        self.topics.retain(|topic, queues| {
            if is_meant(topic) {
                queues.remove(broker);
            }
            !queues.is_empty()
        });
    }

    fn route(&self, topic: &str) -> Option<TopicRouteData> {
        let queues = self.topics.get(topic)?;
        Some(TopicRouteData {
            broker_datas: queues.keys().filter_map(|name| self.broker_data(name)).collect(),
            queue_datas: queues.values().cloned().collect(),
            ..TopicRouteData::default()
        })
    }

    fn broker_data(&self, name: &str) -> Option<BrokerData> {
        let found = self.brokers.get(name)?;
        Some(BrokerData {
            broker_addrs: BTreeMap::from([(MASTER_ID, found.address.to_string())]),
            broker_name: name.to_owned(),
            cluster: found.cluster.clone(),
            enable_acting_master: false,
            zone_name: None,
        })
    }
}

impl Service for NameServer {
    fn handle(self: &Arc<Self>, _: &Peer, request: RemotingCommand, _: Carrying) -> Reaction {
        match self.answer(&request) {
            Ok(answer) => Reaction::Answer(self.version.seal(answer, &request)),
            Err(refusal) => {
                let answer = refusal.into_answer();
                let is_unknown = answer.response_code() == ResponseCode::REQUEST_CODE_NOT_SUPPORTED;
                if is_unknown && !self.version.name_server_answers_unknown_codes() {
                    return Reaction::Silence;
                }
                Reaction::Answer(self.version.seal(answer, &request))
            }
        }
    }

    fn closed(&self, _: &Peer) {}

    fn site(&self) -> &Site {
        &self.site
    }

    fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    fn seal(&self, answer: RemotingCommand, request: &RemotingCommand) -> RemotingCommand {
        self.version.seal(answer, request)
    }

    fn client_id(&self, _: &Peer, _: Option<&RemotingCommand>) -> Option<String> {
        None
    }
}

fn success() -> RemotingCommand {
    RemotingCommand::response(ResponseCode::SUCCESS, 0)
}

fn body(json: Vec<u8>) -> RemotingCommand {
    success().with_body(json)
}

/// The only member of every broker group here is its master.
const MASTER_ID: i64 = 0;
/// `DEFAULT_BROKER_CHANNEL_EXPIRED_TIME`.
const MAX_SILENCE: Duration = Duration::from_secs(120);
/// `NamesrvConfig.scanNotActiveBrokerInterval`.
const SCAN_INTERVAL: Duration = Duration::from_secs(5);
