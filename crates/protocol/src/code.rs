//! Numbers with RocketMQ's names. All of them are open sets: an unknown number is kept, never refused.

use std::fmt;

macro_rules! open_numbers {
    ($(#[$doc:meta])* $name:ident($int:ty) { $($(#[$item_doc:meta])* $item:ident = $value:expr,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$item_doc])* pub const $item: Self = Self($value);)+

            /// RocketMQ's name of this number, if it has one here.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($item)),)+
                    _ => None,
                }
            }

            /// The number with this RocketMQ name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($item) => Some(Self::$item),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => write!(f, "{name} ({})", self.0),
                    None => write!(f, "{}", self.0),
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

open_numbers! {
    /// What a request asks for (Apache's `RequestCode`).
    RequestCode(i32) {
        /// Send one message, long field names.
        SEND_MESSAGE = 10,
        /// Pull messages of one queue, with an optional long poll.
        PULL_MESSAGE = 11,
        /// Messages by key or unique key, from the index.
        QUERY_MESSAGE = 12,
        /// The committed offset of a consumer group.
        QUERY_CONSUMER_OFFSET = 14,
        /// Commit an offset of a consumer group.
        UPDATE_CONSUMER_OFFSET = 15,
        /// Create or change one topic on a broker.
        UPDATE_AND_CREATE_TOPIC = 17,
        /// Create or change several topics on a broker.
        UPDATE_AND_CREATE_TOPIC_LIST = 18,
        /// All topics of a broker with their configuration.
        GET_ALL_TOPIC_CONFIG = 21,
        /// Change broker settings.
        UPDATE_BROKER_CONFIG = 25,
        /// Read broker settings.
        GET_BROKER_CONFIG = 26,
        /// Runtime statistics of a broker.
        GET_BROKER_RUNTIME_INFO = 28,
        /// The offset that belongs to a store time.
        SEARCH_OFFSET_BY_TIMESTAMP = 29,
        /// The next offset that will be written to a queue.
        GET_MAX_OFFSET = 30,
        /// The oldest offset of a queue.
        GET_MIN_OFFSET = 31,
        /// The store time of the oldest message of a queue.
        GET_EARLIEST_MSG_STORETIME = 32,
        /// One message by its commit-log offset.
        VIEW_MESSAGE_BY_ID = 33,
        /// Register the groups of a client.
        HEART_BEAT = 34,
        /// Drop a group of a client.
        UNREGISTER_CLIENT = 35,
        /// Give a message back for another try.
        CONSUMER_SEND_MSG_BACK = 36,
        /// Commit or roll back a half message.
        END_TRANSACTION = 37,
        /// Client ids of a consumer group.
        GET_CONSUMER_LIST_BY_GROUP = 38,
        /// Broker to client: what became of this half message?
        CHECK_TRANSACTION_STATE = 39,
        /// Broker to client: the members of the group have changed.
        NOTIFY_CONSUMER_IDS_CHANGED = 40,
        /// Lock queues for ordered consuming.
        LOCK_BATCH_MQ = 41,
        /// Unlock queues.
        UNLOCK_BATCH_MQ = 42,
        /// All consumer offsets of a broker.
        GET_ALL_CONSUMER_OFFSET = 43,
        /// Check a subscription before a consumer starts.
        CHECK_CLIENT_CONFIG = 46,
        /// Write a name-server key.
        PUT_KV_CONFIG = 100,
        /// Read a name-server key.
        GET_KV_CONFIG = 101,
        /// Delete a name-server key.
        DELETE_KV_CONFIG = 102,
        /// A broker registers with a name server.
        REGISTER_BROKER = 103,
        /// A broker leaves a name server.
        UNREGISTER_BROKER = 104,
        /// The route of a topic.
        GET_ROUTEINFO_BY_TOPIC = 105,
        /// Clusters and brokers that a name server knows.
        GET_BROKER_CLUSTER_INFO = 106,
        /// Create or change a consumer group.
        UPDATE_AND_CREATE_SUBSCRIPTIONGROUP = 200,
        /// All consumer groups of a broker.
        GET_ALL_SUBSCRIPTIONGROUP_CONFIG = 201,
        /// Offsets of every queue of a topic.
        GET_TOPIC_STATS_INFO = 202,
        /// Clients of a consumer group.
        GET_CONSUMER_CONNECTION_LIST = 203,
        /// Clients of a producer group.
        GET_PRODUCER_CONNECTION_LIST = 204,
        /// Take write permission from a broker's queues.
        WIPE_WRITE_PERM_OF_BROKER = 205,
        /// Names of all topics.
        GET_ALL_TOPIC_LIST_FROM_NAMESERVER = 206,
        /// Delete a consumer group.
        DELETE_SUBSCRIPTIONGROUP = 207,
        /// Progress of a consumer group.
        GET_CONSUME_STATS = 208,
        /// Delete a topic on a broker.
        DELETE_TOPIC_IN_BROKER = 215,
        /// Delete a topic on a name server.
        DELETE_TOPIC_IN_NAMESRV = 216,
        /// Write a route on a name server.
        REGISTER_TOPIC_IN_NAMESRV = 217,
        /// All keys of a name-server namespace.
        GET_KVLIST_BY_NAMESPACE = 219,
        /// Broker to client: forget your offsets.
        RESET_CONSUMER_CLIENT_OFFSET = 220,
        /// Broker to client: tell your offsets.
        GET_CONSUMER_STATUS_FROM_CLIENT = 221,
        /// Reset the offsets of a group.
        INVOKE_BROKER_TO_RESET_OFFSET = 222,
        /// Ask a broker to ask the clients of a group.
        INVOKE_BROKER_TO_GET_CONSUMER_STATUS = 223,
        /// Topics of a cluster.
        GET_TOPICS_BY_CLUSTER = 224,
        /// Groups that consume a topic.
        QUERY_TOPIC_CONSUME_BY_WHO = 300,
        /// Time span of a group per queue.
        QUERY_CONSUME_TIME_SPAN = 303,
        /// System topics that a name server knows.
        GET_SYSTEM_TOPIC_LIST_FROM_NS = 304,
        /// System topics of a broker.
        GET_SYSTEM_TOPIC_LIST_FROM_BROKER = 305,
        /// What a consumer is doing.
        GET_CONSUMER_RUNNING_INFO = 307,
        /// Offset corrections.
        QUERY_CORRECTION_OFFSET = 308,
        /// Hand a message to a consumer right now.
        CONSUME_MESSAGE_DIRECTLY = 309,
        /// Send one message, one-letter field names.
        SEND_MESSAGE_V2 = 310,
        /// Send a batch, one-letter field names.
        SEND_BATCH_MESSAGE = 320,
        /// Compare data versions of a broker.
        QUERY_DATA_VERSION = 322,
        /// Answer a request message, long field names.
        SEND_REPLY_MESSAGE = 324,
        /// Answer a request message, one-letter field names.
        SEND_REPLY_MESSAGE_V2 = 325,
        /// Broker to client: the answer to your request message.
        PUSH_REPLY_MESSAGE_TO_CLIENT = 326,
        /// Give write permission back to a broker's queues.
        ADD_WRITE_PERM_OF_BROKER = 327,
        /// All producers of a broker.
        GET_ALL_PRODUCER_INFO = 328,
        /// Configuration of one topic.
        GET_TOPIC_CONFIG = 351,
        /// Configuration of one consumer group.
        GET_SUBSCRIPTIONGROUP_CONFIG = 352,
        /// Pull of the lite consumer.
        LITE_PULL_MESSAGE = 361,
        /// Cancel a timer message.
        RECALL_MESSAGE = 370,
        /// Queues that the broker assigns to a consumer.
        QUERY_ASSIGNMENT = 400,
        /// Switch a group between pull and pop.
        SET_MESSAGE_REQUEST_MODE = 401,
        /// Pop messages.
        POP_MESSAGE = 200_050,
        /// Acknowledge a popped message.
        ACK_MESSAGE = 200_051,
        /// Look at messages without consuming them.
        PEEK_MESSAGE = 200_052,
        /// Hide a popped message longer.
        CHANGE_MESSAGE_INVISIBLETIME = 200_053,
        /// Wait until there is something to pop.
        NOTIFICATION = 200_054,
        /// Number of waiting pops.
        POLLING_INFO = 200_055,
        /// Undo a pop.
        POP_ROLLBACK = 200_056,
        /// Acknowledge many popped messages.
        BATCH_ACK_MESSAGE = 200_151,
    }
}

impl RequestCode {
    /// Whether the number survives the 16 bits of the binary header; the POP family does not and must travel as JSON.
    pub const fn fits_binary_header(self) -> bool {
        self.0 >= i16::MIN as i32 && self.0 <= i16::MAX as i32
    }
}

open_numbers! {
    /// How a server answered (Apache's `ResponseCode` and `RemotingSysResponseCode`).
    ResponseCode(i32) {
        /// Done.
        SUCCESS = 0,
        /// Something failed inside the server.
        SYSTEM_ERROR = 1,
        /// Flow control; the request was not carried out.
        SYSTEM_BUSY = 2,
        /// The server does not know this request code.
        REQUEST_CODE_NOT_SUPPORTED = 3,
        /// Reserved.
        TRANSACTION_FAILED = 4,
        /// Stored; the flush to disk was not confirmed in time.
        FLUSH_DISK_TIMEOUT = 10,
        /// Stored; no replica is in sync.
        SLAVE_NOT_AVAILABLE = 11,
        /// Stored; the replica did not confirm in time.
        FLUSH_SLAVE_TIMEOUT = 12,
        /// The message breaks a limit.
        MESSAGE_ILLEGAL = 13,
        /// The store does not accept writes.
        SERVICE_NOT_AVAILABLE = 14,
        /// A proxy misses the broker name.
        VERSION_NOT_SUPPORTED = 15,
        /// Not permitted: read or write bit, access control, group.
        NO_PERMISSION = 16,
        /// No such topic.
        TOPIC_NOT_EXIST = 17,
        /// Reserved.
        TOPIC_EXIST_ALREADY = 18,
        /// Pull: nothing new.
        PULL_NOT_FOUND = 19,
        /// Pull: all filtered, go on at the next offset.
        PULL_RETRY_IMMEDIATELY = 20,
        /// Pull: the offset is outside of the queue.
        PULL_OFFSET_MOVED = 21,
        /// Nothing found.
        QUERY_NOT_FOUND = 22,
        /// The filter expression does not parse.
        SUBSCRIPTION_PARSE_FAILED = 23,
        /// No such subscription: the heartbeat is missing.
        SUBSCRIPTION_NOT_EXIST = 24,
        /// The broker knows an older subscription.
        SUBSCRIPTION_NOT_LATEST = 25,
        /// No such consumer group.
        SUBSCRIPTION_GROUP_NOT_EXIST = 26,
        /// No compiled filter.
        FILTER_DATA_NOT_EXIST = 27,
        /// An older compiled filter.
        FILTER_DATA_NOT_LATEST = 28,
        /// An argument is out of range.
        INVALID_PARAMETER = 29,
        /// Historic.
        TRANSACTION_SHOULD_COMMIT = 200,
        /// Historic.
        TRANSACTION_SHOULD_ROLLBACK = 201,
        /// Historic.
        TRANSACTION_STATE_UNKNOW = 202,
        /// Historic.
        TRANSACTION_STATE_GROUP_WRONG = 203,
        /// Historic; retried on another broker.
        NO_BUYER_ID = 204,
        /// Historic; retried on another broker.
        NOT_IN_CURRENT_UNIT = 205,
        /// No live consumer in the group.
        CONSUMER_NOT_ONLINE = 206,
        /// A consumer took too long.
        CONSUME_MSG_TIMEOUT = 207,
        /// No such message.
        NO_MESSAGE = 208,
        /// Too many waiting pops.
        POLLING_FULL = 209,
        /// A waiting pop ran out of time.
        POLLING_TIMEOUT = 210,
        /// No such broker.
        BROKER_NOT_EXIST = 211,
        /// Reserved.
        BROKER_DISPATCH_NOT_COMPLETE = 212,
        /// Admin tools only.
        BROADCAST_CONSUMPTION = 213,
        /// Flow control.
        FLOW_CONTROL = 215,
        /// Another broker owns this logical queue.
        NOT_LEADER_FOR_QUEUE = 501,
        /// Refused: recall, or the end of a transaction.
        ILLEGAL_OPERATION = 604,
        /// The server is leaving; go to another connection.
        GO_AWAY = 1500,
    }
}

open_numbers! {
    /// The language of a peer (Apache's `LanguageCode`); JSON headers carry the name, binary headers the number.
    LanguageCode(u8) {
        /// Java.
        JAVA = 0,
        /// C++.
        CPP = 1,
        /// .NET.
        DOTNET = 2,
        /// Python.
        PYTHON = 3,
        /// Delphi.
        DELPHI = 4,
        /// Erlang.
        ERLANG = 5,
        /// Ruby.
        RUBY = 6,
        /// Anything else.
        OTHER = 7,
        /// HTTP.
        HTTP = 8,
        /// Go.
        GO = 9,
        /// PHP.
        PHP = 10,
        /// OMS.
        OMS = 11,
        /// Rust: what Maxq says.
        RUST = 12,
        /// Node.js.
        NODE_JS = 13,
    }
}

open_numbers! {
    /// The version of a peer: an ordinal of Apache's `MQVersion`.
    Version(i32) {
        /// 4.5.2, what the Go client says.
        V4_5_2 = 317,
        /// The last version before routes became standard JSON.
        V4_9_4_SNAPSHOT = 400,
        /// From here on a name server answers routes in standard JSON without being asked.
        V4_9_4 = 401,
        /// 4.9.7.
        V4_9_7 = 407,
        /// 5.1.4.
        V5_1_4 = 441,
        /// Above this a server that is leaving may answer GO_AWAY.
        V5_3_1 = 475,
        /// 5.3.3: what Maxq says.
        V5_3_3 = 479,
        /// 5.4.0.
        V5_4_0 = 493,
        /// 5.5.0.
        V5_5_0 = 513,
    }
}

impl Version {
    /// The version that Maxq announces.
    pub const OURS: Self = Self::V5_3_3;
}
