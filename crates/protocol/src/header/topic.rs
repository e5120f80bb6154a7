//! UPDATE_AND_CREATE_TOPIC (17).

use super::{Empty, headers};

headers! {
    /// Creates or changes a topic on one broker (Apache's `CreateTopicRequestHeader`).
    struct CreateTopic: UPDATE_AND_CREATE_TOPIC -> Empty {
        /// The topic.
        "topic" => topic: String,
        /// The topic whose route named the brokers; brokers do not use it.
        "defaultTopic" => default_topic: String,
        /// Queues that can be read.
        "readQueueNums" => read_queue_nums: i32,
        /// Queues that can be written.
        "writeQueueNums" => write_queue_nums: i32,
        /// Permission bits: 4 read, 2 write, 1 inherit.
        "perm" => perm: i32,
        /// `SINGLE_TAG` or `MULTI_TAG`.
        "topicFilterType" => topic_filter_type: String,
        /// Unit bits.
        "topicSysFlag" => topic_sys_flag: Option<i32>,
        /// Whether the topic is ordered.
        "order" => order: Option<bool>,
        /// `+key=value,-key` changes of the attributes.
        "attributes" => attributes: Option<String>,
        /// Change what is normally refused.
        "force" => force: Option<bool>,
    }
}
