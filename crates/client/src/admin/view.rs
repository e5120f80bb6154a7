//! What administration shows: plain values, made from the protocol's bodies.

use std::collections::BTreeMap;

use maxq_protocol::body::{BrokerData, ClusterInfo, TopicRouteData, perm};

use crate::MessageQueue;

/// A cluster: a name and its brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cluster {
    /// The cluster's name.
    pub name: String,
    /// Its brokers, by name.
    pub brokers: Vec<Broker>,
}

/// A broker: a master and its replicas under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broker {
    /// The broker's name.
    pub name: String,
    /// The cluster that it belongs to.
    pub cluster: String,
    /// `host:port` by broker id; 0 is the master.
    pub addresses: BTreeMap<i64, String>,
}

/// The route of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicRoute {
    /// The topic.
    pub topic: String,
    /// The brokers that hold it, by name.
    pub brokers: Vec<Broker>,
    /// What each of them holds, by broker name.
    pub queues: Vec<QueueGroup>,
}

/// The queues of a topic on one broker.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueGroup {
    /// The broker's name.
    pub broker: String,
    /// Queues that can be read.
    pub read_queues: i32,
    /// Queues that can be written.
    pub write_queues: i32,
    /// Permission bits: 4 read, 2 write, 1 inherit.
    pub perm: i32,
}

impl Broker {
    /// `host:port` of the master.
    pub fn master(&self) -> Option<&str> {
        self.addresses.get(&0).map(String::as_str)
    }

    fn new(data: BrokerData) -> Self {
        Self { name: data.broker_name, cluster: data.cluster, addresses: data.broker_addrs }
    }
}

impl Cluster {
    pub(super) fn all_of(info: ClusterInfo) -> Vec<Self> {
        let ClusterInfo { broker_addr_table, cluster_addr_table } = info;
        let brokers_of = |names: std::collections::BTreeSet<String>| {
            names.iter().filter_map(|name| broker_addr_table.get(name).cloned().map(Broker::new)).collect()
        };
        cluster_addr_table
            .into_iter()
            .map(|(name, names)| Self { name, brokers: brokers_of(names) })
            .collect()
    }
}

impl TopicRoute {
    pub(super) fn new(topic: &str, data: TopicRouteData) -> Self {
        let mut brokers: Vec<_> = data.broker_datas.into_iter().map(Broker::new).collect();
        brokers.sort_by(|a, b| a.name.cmp(&b.name));
        let mut queues: Vec<_> = data
            .queue_datas
            .into_iter()
            .map(|data| QueueGroup {
                broker: data.broker_name,
                read_queues: data.read_queue_nums,
                write_queues: data.write_queue_nums,
                perm: data.perm,
            })
            .collect();
        queues.sort_by(|a, b| a.broker.cmp(&b.broker));
        Self { topic: topic.to_owned(), brokers, queues }
    }

    /// Every queue that can be read, by broker name and queue id.
    pub fn readable_queues(&self) -> Vec<MessageQueue> {
        let readable = self.queues.iter().filter(|group| perm::is_readable(group.perm));
        readable
            .flat_map(|group| {
                (0..group.read_queues.min(65_536))
                    .map(|queue_id| MessageQueue::new(self.topic.as_str(), group.broker.as_str(), queue_id))
            })
            .take(65_536)
            .collect()
    }
}
