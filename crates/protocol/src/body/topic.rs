//! Topics: their names and their configuration.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{lenient, perm};

/// Names of topics. Answer to [`GetTopicList`](crate::header::GetTopicList).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicList {
    /// The address of one broker; only in the list of system topics.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker_addr: Option<String>,
    /// The names.
    #[serde(deserialize_with = "lenient::or_default")]
    pub topic_list: Vec<String>,
}

/// The configuration of a topic on one broker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfig {
    /// Attributes such as `message.type` = `FIFO`.
    #[serde(deserialize_with = "lenient::or_default")]
    pub attributes: BTreeMap<String, String>,
    /// Whether the topic is ordered.
    #[serde(deserialize_with = "lenient::or_default")]
    pub order: bool,
    /// Permission bits, see [`perm`].
    #[serde(deserialize_with = "lenient::int")]
    pub perm: i32,
    /// Queues that can be read.
    #[serde(deserialize_with = "lenient::int")]
    pub read_queue_nums: i32,
    /// `SINGLE_TAG` or `MULTI_TAG`.
    #[serde(deserialize_with = "lenient::or_default")]
    pub topic_filter_type: String,
    /// The topic.
    #[serde(deserialize_with = "lenient::or_default")]
    pub topic_name: String,
    /// Unit bits: 1 unit, 2 unit subscription.
    #[serde(deserialize_with = "lenient::int")]
    pub topic_sys_flag: i32,
    /// Queues that can be written.
    #[serde(deserialize_with = "lenient::int")]
    pub write_queue_nums: i32,
}

impl Default for TopicConfig {
    /// Java's defaults: 16 queues, readable and writable, no name.
    fn default() -> Self {
        Self {
            attributes: BTreeMap::new(),
            order: false,
            perm: perm::READ | perm::WRITE,
            read_queue_nums: 16,
            topic_filter_type: "SINGLE_TAG".to_owned(),
            topic_name: String::new(),
            topic_sys_flag: 0,
            write_queue_nums: 16,
        }
    }
}
