//! What the control interface tells, as JSON.

use std::time::UNIX_EPOCH;

use maxq_emulator::{ArmedFault, Cluster, RequestRecord, ServerName};
use serde::Serialize;

/// A cluster and its servers.
#[derive(Serialize)]
pub(super) struct ClusterView {
    version: &'static str,
    name_servers: Vec<NameServerView>,
    brokers: Vec<BrokerView>,
}

#[derive(Serialize)]
pub(super) struct NameServerView {
    index: usize,
    address: String,
    running: bool,
}

#[derive(Serialize)]
pub(super) struct BrokerView {
    index: usize,
    name: String,
    address: String,
    running: bool,
    frozen: bool,
    read_only: bool,
}

/// All armed faults.
#[derive(Serialize)]
pub(super) struct Faults {
    pub(super) faults: Vec<ArmedFault>,
}

/// How many were removed.
#[derive(Serialize)]
pub(super) struct Removed {
    pub(super) removed: usize,
}

/// Why not.
#[derive(Serialize)]
pub(super) struct Problem {
    pub(super) error: String,
}

/// The last requests, oldest first.
#[derive(Serialize)]
pub(super) struct Requests {
    requests: Vec<RequestView>,
}

#[derive(Serialize)]
struct RequestView {
    server: &'static str,
    index: usize,
    code: i32,
    name: Option<&'static str>,
    opaque: i32,
    oneway: bool,
    topic: Option<String>,
    queue_id: Option<i32>,
    connection: u64,
    peer: String,
    at_ms: u64,
}

impl ClusterView {
    pub(super) fn of(cluster: &Cluster) -> Self {
        Self {
            version: cluster.version().name(),
            name_servers: (0..cluster.name_server_count())
                .map(|index| NameServerView::of(cluster, index))
                .collect(),
            brokers: (0..cluster.broker_count()).map(|index| BrokerView::of(cluster, index)).collect(),
        }
    }
}

impl NameServerView {
    pub(super) fn of(cluster: &Cluster, index: usize) -> Self {
        let server = cluster.name_server_at(index);
        Self { index, address: server.address().to_string(), running: server.is_running() }
    }
}

impl BrokerView {
    pub(super) fn of(cluster: &Cluster, index: usize) -> Self {
        let broker = cluster.broker(index);
        Self {
            index,
            name: broker.name().to_owned(),
            address: broker.address().to_string(),
            running: broker.is_running(),
            frozen: broker.is_frozen(),
            read_only: broker.is_read_only(),
        }
    }
}

impl Requests {
    pub(super) fn of(cluster: &Cluster) -> Self {
        Self { requests: cluster.requests().into_iter().map(RequestView::of).collect() }
    }
}

impl RequestView {
    fn of(record: RequestRecord) -> Self {
        let at = record.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            server: match record.server {
                ServerName::NameServer => "name-server",
                ServerName::Broker(_) => "broker",
            },
            index: record.server_index,
            code: record.code.0,
            name: record.code.name(),
            opaque: record.opaque,
            oneway: record.is_oneway,
            topic: record.topic,
            queue_id: record.queue_id,
            connection: record.connection,
            peer: record.peer.to_string(),
            at_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
        }
    }
}
