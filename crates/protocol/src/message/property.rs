//! The names of the properties that RocketMQ knows (Apache's `MessageConst`).

macro_rules! names {
    ($(#[$list_doc:meta])* $list:ident { $($(#[$doc:meta])* $name:ident = $text:literal,)+ }) => {
        $($(#[$doc])* pub const $name: &str = $text;)+

        $(#[$list_doc])*
        const $list: &[&str] = &[$($text,)+];
    };
}

/// Whether a user must not set this property: RocketMQ's client or broker sets it, or reads a meaning from it.
///
/// The list is that of Apache 5.5.0 (`MessageConst.STRING_HASH_SET`), which holds that of every version before.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

names! {
    /// Refused by Java's `Message.putUserProperty`.
    RESERVED {
        /// Index keys, separated by spaces.
        KEYS = "KEYS",
        /// The tag.
        TAGS = "TAGS",
        /// Whether the answer waits for flush and replication.
        WAIT = "WAIT",
        /// Fixed delay level.
        DELAY = "DELAY",
        /// The topic of a retried message before its retries.
        RETRY_TOPIC = "RETRY_TOPIC",
        /// The group that a retried message belongs to.
        ORIGIN_GROUP = "ORIGIN_GROUP",
        /// The topic that a delayed or half message will have.
        REAL_TOPIC = "REAL_TOPIC",
        /// The queue that a delayed or half message will have.
        REAL_QUEUE_ID = "REAL_QID",
        /// `true`: a half message.
        TRANSACTION_PREPARED = "TRAN_MSG",
        /// The producer group that is asked about a half message.
        PRODUCER_GROUP = "PGROUP",
        /// The queue's oldest offset when the message was pulled.
        MIN_OFFSET = "MIN_OFFSET",
        /// The queue's next offset when the message was pulled.
        MAX_OFFSET = "MAX_OFFSET",
        /// Historic.
        BUYER_ID = "BUYER_ID",
        /// The id of a retried message before its retries.
        ORIGIN_MESSAGE_ID = "ORIGIN_MESSAGE_ID",
        /// Historic.
        TRANSFER_FLAG = "TRANSFER_FLAG",
        /// Historic.
        CORRECTION_FLAG = "CORRECTION_FLAG",
        /// Historic.
        MQ2_FLAG = "MQ2_FLAG",
        /// How often a message was consumed; goes into the send header.
        RECONSUME_TIME = "RECONSUME_TIME",
        /// The region of the broker.
        MSG_REGION = "MSG_REGION",
        /// Whether the broker wants traces.
        TRACE_SWITCH = "TRACE_ON",
        /// The unique id that the client gave.
        UNIQ_KEY = "UNIQ_KEY",
        /// Unused.
        EXTEND_UNIQ_INFO = "EXTEND_UNIQ_INFO",
        /// How often a message may be consumed; goes into the send header.
        MAX_RECONSUME_TIMES = "MAX_RECONSUME_TIMES",
        /// When a consumer began with it.
        CONSUME_START_TIME = "CONSUME_START_TIME",
        /// Priority, since 5.4.
        PRIORITY = "_SYS_MSG_PRIORITY_",
        /// Duplicate detection of a broker.
        DUP_INFO = "DUP_INFO",
        /// The first offset of a half message that was written anew.
        TRANSACTION_PREPARED_QUEUE_OFFSET = "TRAN_PREPARED_QUEUE_OFFSET",
        /// Namespace of old versions.
        INSTANCE_ID = "INSTANCE_ID",
        /// Connects a request message with its reply.
        CORRELATION_ID = "CORRELATION_ID",
        /// The client that waits for the reply.
        REPLY_TO_CLIENT = "REPLY_TO_CLIENT",
        /// How long it waits, in milliseconds.
        MESSAGE_TTL = "TTL",
        /// When the reply came.
        REPLY_ARRIVE_TIME = "ARRIVE_TIME",
        /// When the broker pushed the reply.
        PUSH_REPLY_TIME = "PUSH_REPLY_TIME",
        /// The cluster that stored the message.
        CLUSTER = "CLUSTER",
        /// `reply` for replies.
        MESSAGE_TYPE = "MSG_TYPE",
        /// Receipt of a popped message.
        POP_CK = "POP_CK",
        /// Queue offset of a popped message.
        POP_CK_OFFSET = "POP_CK_OFFSET",
        /// When it was popped first.
        FIRST_POP_TIME = "1ST_POP_TIME",
        /// Lite topic, since 5.5.
        LITE_TOPIC = "__LITE_TOPIC",
        /// Offsets in the queues of a multi dispatch.
        INNER_MULTI_QUEUE_OFFSET = "INNER_MULTI_QUEUE_OFFSET",
        /// Timer: delay in seconds.
        TIMER_DELAY_SEC = "TIMER_DELAY_SEC",
        /// Timer: delay in milliseconds.
        TIMER_DELAY_MS = "TIMER_DELAY_MS",
        /// Timer: when to deliver, in milliseconds since 1970.
        TIMER_DELIVER_MS = "TIMER_DELIVER_MS",
        /// Timer, written by the broker.
        TIMER_ENQUEUE_MS = "TIMER_ENQUEUE_MS",
        /// Timer, written by the broker.
        TIMER_DEQUEUE_MS = "TIMER_DEQUEUE_MS",
        /// Timer, written by the broker.
        TIMER_ROLL_TIMES = "TIMER_ROLL_TIMES",
        /// Timer, written by the broker: when it fires.
        TIMER_OUT_MS = "TIMER_OUT_MS",
        /// Timer, written by the broker: which one a recall deletes.
        TIMER_DEL_UNIQKEY = "TIMER_DEL_UNIQKEY",
        /// Timer, written by the broker.
        TIMER_DELAY_LEVEL = "TIMER_DELAY_LEVEL",
        /// The host that made the message, told by a proxy.
        BORN_HOST = "__BORNHOST",
        /// When it was made, told by a proxy.
        BORN_TIMESTAMP = "BORN_TIMESTAMP",
        /// Checksum of the whole record.
        CRC32 = "__CRC32#",
        /// The topic of a dead letter before its retries.
        DLQ_ORIGIN_TOPIC = "DLQ_ORIGIN_TOPIC",
        /// The id of a dead letter before its retries.
        DLQ_ORIGIN_MESSAGE_ID = "DLQ_ORIGIN_MESSAGE_ID",
    }
}

// Known to RocketMQ, free to users.

/// The transaction id.
pub const TRANSACTION_ID: &str = "__transactionId__";
/// How often a half message was checked back.
pub const TRANSACTION_CHECK_TIMES: &str = "TRANSACTION_CHECK_TIMES";
/// No check-back before this age in seconds.
pub const CHECK_IMMUNITY_TIME_IN_SECONDS: &str = "CHECK_IMMUNITY_TIME_IN_SECONDS";
/// Number of messages in an inner batch.
pub const INNER_NUM: &str = "INNER_NUM";
/// First offset of an inner batch.
pub const INNER_BASE: &str = "INNER_BASE";
/// Queues of a multi dispatch, separated by commas.
pub const INNER_MULTI_DISPATCH: &str = "INNER_MULTI_DISPATCH";
/// Messages with one key stay in order.
pub const SHARDING_KEY: &str = "__SHARDINGKEY";
/// Trace context of a proxy.
pub const TRACE_CONTEXT: &str = "TRACE_CONTEXT";
/// Starts a property that lives in a client only and is never sent.
pub const TRANSIENT_PREFIX: &str = "__RMQ.TRANSIENT.";
/// Separates the keys in [`KEYS`].
pub const KEY_SEPARATOR: char = ' ';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_the_54_names_of_java() {
        assert_eq!(RESERVED.len(), 54);
        assert!(is_reserved(UNIQ_KEY) && is_reserved("1ST_POP_TIME"));
        assert!(!is_reserved("orderId") && !is_reserved("keys") && !is_reserved(SHARDING_KEY));
    }
}
