//! What a name server knows of brokers, and a plain table of texts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{BrokerData, lenient};

/// Clusters and brokers. Answer to [`GetBrokerClusterInfo`](crate::header::GetBrokerClusterInfo).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterInfo {
    /// Broker name to broker group.
    #[serde(deserialize_with = "lenient::or_default")]
    pub broker_addr_table: BTreeMap<String, BrokerData>,
    /// Cluster name to broker names.
    #[serde(deserialize_with = "lenient::or_default")]
    pub cluster_addr_table: BTreeMap<String, BTreeSet<String>>,
}

/// A table of texts (Apache's `KVTable`): runtime information of a broker, keys of a name server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KvTable {
    /// Key to value.
    #[serde(deserialize_with = "lenient::or_default")]
    pub table: BTreeMap<String, String>,
}
