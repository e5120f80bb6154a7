//! Topics: UPDATE_AND_CREATE_TOPIC (17), DELETE_TOPIC_IN_BROKER (215), DELETE_TOPIC_IN_NAMESRV (216), GET_TOPIC_CONFIG
//! (351), GET_TOPIC_STATS_INFO (202).

use super::{Empty, headers};

/// The answer to [`GetTopicConfig`] has no fields; its body is a [`TopicConfig`](crate::body::TopicConfig).
pub type TopicConfigReply = Empty;
/// The answer to [`GetTopicStats`] has no fields; its body is a [`TopicStats`](crate::body::TopicStats).
pub type TopicStatsReply = Empty;

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

    /// Deletes a topic on one broker, with its messages (Apache's `DeleteTopicRequestHeader`).
    struct DeleteTopic: DELETE_TOPIC_IN_BROKER -> Empty {
        /// The topic.
        "topic" => topic: String,
    }

    /// Makes a name server forget a topic (Apache's `DeleteTopicFromNamesrvRequestHeader`).
    struct DeleteTopicInNameServer: DELETE_TOPIC_IN_NAMESRV -> Empty {
        /// The topic.
        "topic" => topic: String,
        /// Only on the brokers of this cluster. 4.9.7 knows it, older servers may not.
        "clusterName" => cluster: Option<String>,
    }

    /// Asks one broker for the configuration of a topic. 4.9 answers code 3.
    struct GetTopicConfig: GET_TOPIC_CONFIG -> TopicConfigReply {
        /// The topic.
        "topic" => topic: String,
    }

    /// Asks one broker for the offsets of all queues of a topic (Apache's `GetTopicStatsInfoRequestHeader`).
    struct GetTopicStats: GET_TOPIC_STATS_INFO -> TopicStatsReply {
        /// The topic.
        "topic" => topic: String,
    }
}
