//! The JSON bodies of requests and answers, with RocketMQ's keys.
//!
//! Fields stand in alphabetical order, because Java writes them so.

mod cluster;
mod heartbeat;
mod json;
mod lenient;
mod normalise;
pub mod perm;
mod route;
mod stats;
mod topic;

pub use cluster::{ClusterInfo, KvTable};
pub use heartbeat::{
    ConsumeFromWhere, ConsumeType, ConsumerData, HeartbeatData, MessageModel, ProducerData, SubscriptionData,
};
pub use json::{JsonDialect, from_json, to_json};
pub use normalise::normalise;
pub use route::{BrokerData, QueueData, TopicRouteData};
pub use stats::{QueueKey, QueueStats, TopicStats};
pub use topic::{TopicConfig, TopicList};
