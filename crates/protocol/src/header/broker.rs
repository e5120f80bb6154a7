//! One broker and what it has stored: GET_BROKER_RUNTIME_INFO (28), VIEW_MESSAGE_BY_ID (33), QUERY_MESSAGE (12).

use super::{Empty, headers};

/// The answer to [`ViewMessageById`] has no fields; its body is one stored message.
pub type ViewedMessage = Empty;

/// The answer to [`GetBrokerRuntimeInfo`] has no fields; its body is a [`KvTable`](crate::body::KvTable).
pub type BrokerRuntimeReply = Empty;

headers! {
    /// Asks a broker for its state: version, rates, disks.
    struct GetBrokerRuntimeInfo: GET_BROKER_RUNTIME_INFO -> BrokerRuntimeReply {}

    /// Asks for one message by its place in the commit log (Apache's `ViewMessageRequestHeader`).
    struct ViewMessageById: VIEW_MESSAGE_BY_ID -> ViewedMessage {
        /// The topic; old tools do not send it.
        "topic" => topic: Option<String>,
        /// The commit-log offset.
        "offset" => offset: i64,
    }

    /// Asks for messages by key (Apache's `QueryMessageRequestHeader`). The body of the answer is their records; code 22
    /// says that there are none.
    struct QueryMessage: QUERY_MESSAGE -> QueryMessageReply {
        /// The topic.
        "topic" => topic: String,
        /// A unique key, or one of the keys that the sender gave.
        "key" => key: String,
        /// How many messages at most; a broker gives no more than 64, and 32 for a unique key.
        "maxNum" => max_messages: i32,
        /// Only messages stored at or after this time, in milliseconds since 1970.
        "beginTimestamp" => begin_timestamp: i64,
        /// Only messages stored at or before this time, in milliseconds since 1970.
        "endTimestamp" => end_timestamp: i64,
        /// Which index: `U` unique keys, `K` keys. Only 5.4 and later look at it.
        "indexType" => index_type: Option<String>,
        /// Whether the key is a unique one (`MixAll.UNIQUE_MSG_QUERY_FLAG`); no field of Apache's class.
        "_UNIQUE_KEY_QUERY" => is_unique_key: Option<bool>,
    }

    /// How far the index of the broker goes.
    struct QueryMessageReply {
        /// The store time of the newest message in it, in milliseconds since 1970.
        "indexLastUpdateTimestamp" => index_last_update_timestamp: Option<i64>,
        /// The commit-log offset of that message.
        "indexLastUpdatePhyoffset" => index_last_update_offset: Option<i64>,
    }
}
