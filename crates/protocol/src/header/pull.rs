//! PULL_MESSAGE (11): messages of one queue from an offset on, waiting for new ones when the SUSPEND bit is set.

use super::headers;

headers! {
    /// Asks for messages (Apache's `PullMessageRequestHeader`).
    ///
    /// Running brokers do without `commitOffset`, `suspendTimeoutMillis` and `subVersion`.
    struct PullMessage: PULL_MESSAGE -> PullReply {
        /// The group that reads.
        "consumerGroup" => consumer_group: String,
        /// The topic.
        "topic" => topic: String,
        /// The queue.
        "queueId" => queue_id: i32,
        /// The first offset that is wanted.
        "queueOffset" => queue_offset: i64,
        /// How many messages at most; brokers give no more than 32.
        "maxMsgNums" => max_messages: i32,
        /// Bits, see [`PullSysFlag`](crate::message::PullSysFlag).
        "sysFlag" => sys_flag: i32,
        /// The offset to commit, with the commit bit.
        "commitOffset" => commit_offset: Option<i64>,
        /// How long the broker may hold the request, in milliseconds.
        "suspendTimeoutMillis" => suspend_timeout_millis: Option<i64>,
        /// The filter expression, with the subscription bit.
        "subscription" => subscription: Option<String>,
        /// The version of the subscription.
        "subVersion" => subscription_version: Option<i64>,
        /// `TAG` or `SQL92`.
        "expressionType" => expression_type: Option<String>,
        /// The broker's name. A proxy needs it.
        "bname" => broker_name: Option<String>,
    }

    /// The fields of codes 0, 19, 20 and 21 (Apache's `PullMessageResponseHeader`); Java fails without the first four.
    struct PullReply {
        /// The broker to ask next: 0 = master.
        "suggestWhichBrokerId" => suggest_which_broker_id: i64,
        /// Where to go on.
        "nextBeginOffset" => next_begin_offset: i64,
        /// The oldest offset of the queue.
        "minOffset" => min_offset: i64,
        /// The next offset that will be written.
        "maxOffset" => max_offset: i64,
        /// With code 16: 1 broker, 2 group, 3 topic, 4 broadcasting, 5 subscription.
        "forbiddenType" => forbidden_type: Option<i32>,
    }
}
