//! The route of a topic (Apache's `TopicRouteData`, `BrokerData`, `QueueData`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lenient;

/// Where the queues of a topic are. Answer to [`GetRouteInfo`](crate::header::GetRouteInfo).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicRouteData {
    /// The brokers, once each.
    #[serde(deserialize_with = "lenient::or_default")]
    pub broker_datas: Vec<BrokerData>,
    /// Historic; empty.
    #[serde(deserialize_with = "lenient::or_default")]
    pub filter_server_table: BTreeMap<String, Vec<String>>,
    /// Fixes the queues of an ordered topic: `broker-a:4;broker-b:2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_topic_conf: Option<String>,
    /// How many queues the topic has on each broker.
    #[serde(deserialize_with = "lenient::or_default")]
    pub queue_datas: Vec<QueueData>,
    /// Static topics: which broker owns which logical queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic_queue_mapping_by_broker: Option<Map<String, Value>>,
}

/// A broker group: a master and its replicas under one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerData {
    /// Broker id to `host:port`; 0 is the master.
    #[serde(deserialize_with = "lenient::or_default")]
    pub broker_addrs: BTreeMap<i64, String>,
    /// The name of the group.
    #[serde(deserialize_with = "lenient::or_default")]
    pub broker_name: String,
    /// The cluster that it belongs to.
    #[serde(deserialize_with = "lenient::or_default")]
    pub cluster: String,
    /// Whether a replica may act as master. Servers before 5.0 do not say.
    #[serde(deserialize_with = "lenient::or_default")]
    pub enable_acting_master: bool,
    /// The zone of the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_name: Option<String>,
}

/// The queues of a topic on one broker group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueData {
    /// The name of the group.
    #[serde(deserialize_with = "lenient::or_default")]
    pub broker_name: String,
    /// Permission bits, see [`perm`](super::perm).
    #[serde(deserialize_with = "lenient::int")]
    pub perm: i32,
    /// Queues that can be read.
    #[serde(deserialize_with = "lenient::int")]
    pub read_queue_nums: i32,
    /// Unit bits: 1 unit, 2 unit subscription. Old servers misspell the key.
    #[serde(alias = "topicSynFlag", deserialize_with = "lenient::int")]
    pub topic_sys_flag: i32,
    /// Queues that can be written.
    #[serde(deserialize_with = "lenient::int")]
    pub write_queue_nums: i32,
}
