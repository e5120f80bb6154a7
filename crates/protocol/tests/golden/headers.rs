//! Every request and every answer that `interop/java/GoldenBytes.java` writes with a header class of Apache's, made with
//! this crate. The sends and errors stand in `values.rs`.

use std::fmt::Debug;

use maxq_protocol::{
    ExtFields, Header, LanguageCode, RemotingCommand, Request, ResponseCode, Version,
    body::{JsonDialect, to_json},
    header::{
        BoundaryType, CheckClientConfig, CreateTopic, DeleteTopic, DeleteTopicInNameServer,
        GetBrokerClusterInfo, GetBrokerRuntimeInfo, GetEarliestStoreTime, GetMaxOffset, GetMinOffset,
        GetTopicConfig, GetTopicList, GetTopicStats, Heartbeat, HeartbeatReply, OffsetReply, PullMessage,
        PullReply, QueryConsumerOffset, QueryMessage, QueryMessageReply, SearchOffset, SendBatchMessage,
        SendMessage, StoreTimeReply, UnregisterClient, UpdateConsumerOffset, ViewMessageById,
    },
};

/// A command under the name of its files.
pub(crate) struct Golden {
    pub(crate) name: &'static str,
    pub(crate) command: RemotingCommand,
    /// Reads its fields with the header's type and compares.
    pub(crate) reads: Box<dyn Fn(&ExtFields)>,
}

/// All of them.
pub(crate) fn all() -> Vec<Golden> {
    [offsets(), topics(), messages(), clients(), replies()].into_iter().flatten().collect()
}

fn offsets() -> Vec<Golden> {
    vec![
        request(
            "max-offset-request",
            GetMaxOffset { topic: topic(), queue_id: 1, committed: Some(true), broker_name: broker() },
        ),
        request("min-offset-request", GetMinOffset { topic: topic(), queue_id: 1, broker_name: broker() }),
        request(
            "search-offset-request",
            SearchOffset {
                topic: topic(),
                queue_id: 1,
                timestamp: TIME,
                boundary_type: Some(BoundaryType::Upper),
                broker_name: broker(),
            },
        ),
        request(
            "earliest-store-time-request",
            GetEarliestStoreTime { topic: topic(), queue_id: 1, broker_name: broker() },
        ),
        request(
            "query-consumer-offset-request",
            QueryConsumerOffset {
                consumer_group: group(),
                topic: topic(),
                queue_id: 1,
                set_zero_if_not_found: Some(false),
                broker_name: broker(),
            },
        ),
        request(
            "update-consumer-offset-request",
            UpdateConsumerOffset {
                consumer_group: group(),
                topic: topic(),
                queue_id: 1,
                commit_offset: 42,
                broker_name: broker(),
            },
        ),
    ]
}

fn topics() -> Vec<Golden> {
    vec![
        request(
            "create-topic-request",
            CreateTopic {
                topic: topic(),
                default_topic: "TBW102".into(),
                read_queue_nums: 8,
                write_queue_nums: 4,
                perm: 6,
                topic_filter_type: "SINGLE_TAG".into(),
                topic_sys_flag: Some(0),
                order: Some(false),
                attributes: Some("+message.type=FIFO".into()),
                force: Some(false),
            },
        ),
        request("delete-topic-request", DeleteTopic { topic: topic() }),
        request(
            "delete-topic-in-name-server-request",
            DeleteTopicInNameServer { topic: topic(), cluster: Some("DefaultCluster".into()) },
        ),
        request("topic-config-request", GetTopicConfig { topic: topic() }),
        request("topic-stats-request", GetTopicStats { topic: topic() }),
        request("topic-list-request", GetTopicList {}),
        request("cluster-info-request", GetBrokerClusterInfo {}),
        request("runtime-info-request", GetBrokerRuntimeInfo {}),
    ]
}

fn messages() -> Vec<Golden> {
    let batch = SendBatchMessage(SendMessage { flag: 0, batch: Some(true), ..super::send() });
    vec![
        Golden {
            command: from_rust(&batch).with_body(super::batch()),
            ..request("send-batch-request", batch)
        },
        request(
            "pull-request",
            PullMessage {
                consumer_group: group(),
                topic: topic(),
                queue_id: 1,
                queue_offset: 42,
                max_messages: 32,
                sys_flag: 6,
                commit_offset: Some(0),
                suspend_timeout_millis: Some(15_000),
                subscription: Some("TagA || TagB".into()),
                subscription_version: Some(TIME),
                expression_type: Some("TAG".into()),
                broker_name: broker(),
            },
        ),
        request(
            "query-message-request",
            QueryMessage {
                topic: topic(),
                key: "k1".into(),
                max_messages: 32,
                begin_timestamp: 0,
                end_timestamp: i64::MAX,
                index_type: None,
                is_unique_key: Some(true),
            },
        ),
        request("view-message-request", ViewMessageById { topic: Some(topic()), offset: PLACE }),
    ]
}

fn clients() -> Vec<Golden> {
    let data = to_json(&super::heartbeat(), JsonDialect::Standard);
    vec![
        Golden {
            command: from_rust(&Heartbeat {}).with_body(data),
            ..request("heartbeat-request", Heartbeat {})
        },
        request("check-client-config-request", CheckClientConfig {}),
        request(
            "unregister-client-request",
            UnregisterClient {
                client_id: "10.0.0.1@123".into(),
                producer_group: Some("PG".into()),
                consumer_group: Some(group()),
            },
        ),
    ]
}

fn replies() -> Vec<Golden> {
    let pull = PullReply {
        suggest_which_broker_id: 0,
        next_begin_offset: 43,
        min_offset: 7,
        max_offset: 100,
        forbidden_type: Some(3),
    };
    let pulled = from_server(19).with_remark("OFFSET_FOUND_NULL").with_header(&pull);
    vec![
        Golden { command: pulled, ..reply("pull-response", pull) },
        reply(
            "query-message-response",
            QueryMessageReply {
                index_last_update_timestamp: Some(TIME + 123),
                index_last_update_offset: Some(PLACE),
            },
        ),
        reply("offset-response", OffsetReply { offset: 42 }),
        reply("store-time-response", StoreTimeReply { timestamp: -1 }),
        reply(
            "heartbeat-response",
            HeartbeatReply { supports_v2: Some(true), subscription_changed: Some(false) },
        ),
    ]
}

fn request<R: Request + PartialEq + Debug + 'static>(name: &'static str, header: R) -> Golden {
    Golden { name, command: from_rust(&header), reads: reads(name, header) }
}

fn reply<H: Header + PartialEq + Debug + 'static>(name: &'static str, header: H) -> Golden {
    Golden { name, command: from_server(0).with_header(&header), reads: reads(name, header) }
}

fn reads<H: Header + PartialEq + Debug + 'static>(name: &'static str, header: H) -> Box<dyn Fn(&ExtFields)> {
    Box::new(move |ext| assert_eq!(H::read(ext).as_ref(), Ok(&header), "{name}"))
}

fn from_rust(request: &impl Request) -> RemotingCommand {
    RemotingCommand { opaque: 10, ..RemotingCommand::request(request) }
}

fn from_server(code: i32) -> RemotingCommand {
    RemotingCommand {
        language: LanguageCode::JAVA,
        version: Version::V5_5_0,
        ..RemotingCommand::response(ResponseCode(code), 10)
    }
}

fn topic() -> String {
    "TopicTest".to_owned()
}

fn group() -> String {
    "CG".to_owned()
}

fn broker() -> Option<String> {
    Some("broker-a".to_owned())
}

const TIME: i64 = 1_700_000_000_000;
const PLACE: i64 = 1_234_567_890_123;
