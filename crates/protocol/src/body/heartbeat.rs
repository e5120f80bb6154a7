//! What a client tells its brokers about itself (Apache's `HeartbeatData`).
//!
//! The names of the three enums are Java's constant names; brokers refuse any other.

use serde::{Deserialize, Serialize};

use super::lenient;

/// The groups of a client. Body of [`Heartbeat`](crate::header::Heartbeat).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeartbeatData {
    /// Who speaks.
    #[serde(rename = "clientID", deserialize_with = "lenient::or_default")]
    pub client_id: String,
    /// Its consumer groups.
    #[serde(deserialize_with = "lenient::or_default")]
    pub consumer_data_set: Vec<ConsumerData>,
    /// Fingerprint of the subscriptions; 0 is a heartbeat of the first kind.
    #[serde(deserialize_with = "lenient::int")]
    pub heartbeat_fingerprint: i32,
    /// Its producer groups.
    #[serde(deserialize_with = "lenient::or_default")]
    pub producer_data_set: Vec<ProducerData>,
    /// The subscriptions are left out because the broker has them.
    #[serde(deserialize_with = "lenient::or_default")]
    pub without_sub: bool,
}

/// One producer group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerData {
    /// Its name.
    #[serde(deserialize_with = "lenient::or_default")]
    pub group_name: String,
}

/// One consumer group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerData {
    /// Where a new group begins.
    #[serde(deserialize_with = "lenient::or_default")]
    pub consume_from_where: ConsumeFromWhere,
    /// How it gets its messages.
    #[serde(deserialize_with = "lenient::or_default")]
    pub consume_type: ConsumeType,
    /// Its name.
    #[serde(deserialize_with = "lenient::or_default")]
    pub group_name: String,
    /// Who gets which message.
    #[serde(deserialize_with = "lenient::or_default")]
    pub message_model: MessageModel,
    /// What it subscribes to.
    #[serde(deserialize_with = "lenient::or_default")]
    pub subscription_data_set: Vec<SubscriptionData>,
    /// Unit mode.
    #[serde(deserialize_with = "lenient::or_default")]
    pub unit_mode: bool,
}

/// The subscription of one topic.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionData {
    /// Historic; false.
    #[serde(deserialize_with = "lenient::or_default")]
    pub class_filter_mode: bool,
    /// Java's `String.hashCode` of each tag.
    #[serde(deserialize_with = "lenient::or_default")]
    pub code_set: Vec<i32>,
    /// `TAG` or `SQL92`.
    #[serde(deserialize_with = "lenient::or_default")]
    pub expression_type: String,
    /// The expression; `*` for everything.
    #[serde(deserialize_with = "lenient::or_default")]
    pub sub_string: String,
    /// When the subscription was made, in milliseconds since 1970; brokers keep the newest.
    #[serde(deserialize_with = "lenient::int")]
    pub sub_version: i64,
    /// The tags of a tag expression; empty for everything.
    #[serde(deserialize_with = "lenient::or_default")]
    pub tags_set: Vec<String>,
    /// The topic.
    #[serde(deserialize_with = "lenient::or_default")]
    pub topic: String,
}

/// How a group gets its messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsumeType {
    /// It pulls by itself.
    #[serde(rename = "CONSUME_ACTIVELY")]
    Actively,
    /// The client pulls for it.
    #[default]
    #[serde(rename = "CONSUME_PASSIVELY")]
    Passively,
    /// It pops.
    #[serde(rename = "CONSUME_POP")]
    Pop,
}

/// Who gets which message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MessageModel {
    /// Every client gets every message.
    Broadcasting,
    /// The clients share the queues.
    #[default]
    Clustering,
}

/// Where a new group begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsumeFromWhere {
    /// At the newest message. Java treats three deprecated names the same (`RebalancePushImpl.computePullFromWhere`).
    #[default]
    #[serde(
        rename = "CONSUME_FROM_LAST_OFFSET",
        alias = "CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST",
        alias = "CONSUME_FROM_MIN_OFFSET",
        alias = "CONSUME_FROM_MAX_OFFSET"
    )]
    LastOffset,
    /// At the oldest message.
    #[serde(rename = "CONSUME_FROM_FIRST_OFFSET")]
    FirstOffset,
    /// At a time.
    #[serde(rename = "CONSUME_FROM_TIMESTAMP")]
    Timestamp,
}
