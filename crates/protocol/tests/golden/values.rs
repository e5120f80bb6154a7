//! The values that `interop/java/GoldenBytes.java` writes, made with this crate. Shared with the example
//! `golden_bytes`, whose files that program reads.

use std::collections::{BTreeMap, BTreeSet};

use maxq_protocol::{
    HeaderEncoding, LanguageCode, RemotingCommand, Request, ResponseCode, Version,
    body::{
        BrokerData, ClusterInfo, ConsumeFromWhere, ConsumeType, ConsumerData, HeartbeatData, JsonDialect,
        KvTable, MessageModel, ProducerData, QueueData, QueueKey, QueueStats, SubscriptionData, TopicConfig,
        TopicList, TopicRouteData, TopicStats, to_json,
    },
    compression::{Compression, compress},
    header::{GetRouteInfo, SendMessage, SendMessageV1, SendMessageV2, SendReply},
    message::{OffsetMessageId, Properties, StoredMessage, SysFlag, batch},
};

#[path = "headers.rs"]
pub(crate) mod headers;

pub(crate) const UNIQUE_ID: &str = "C0A8010A123418B4AAC20A1B2C3D0001";
pub(crate) const REMARK: &str =
    "No topic route info in name server for the topic: 主题\nSee \"06FAQ\" \\ for details.";

/// The compressions of this build.
pub(crate) fn compressions() -> impl Iterator<Item = Compression> {
    [Compression::Lz4, Compression::Zstd, Compression::Zlib].into_iter().filter(|kind| kind.is_available())
}

/// Every file that Java writes, made by this crate; without those of compressions that this build does not have.
pub(crate) fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (encoding, kind) in [(HeaderEncoding::Json, "json"), (HeaderEncoding::Binary, "binary")] {
        for (name, command) in commands() {
            let mut out = Vec::new();
            RemotingCommand { encoding, ..command }.encode(&mut out);
            files.insert(format!("{name}.{kind}"), out);
        }
    }
    files.extend(bodies());
    files.insert("batch.bin".into(), batch());
    for (name, record) in records() {
        let mut out = Vec::new();
        record.encode(&mut out);
        files.insert(format!("stored-{name}.bin"), out);
    }
    for kind in compressions() {
        for size in ["small", "large"] {
            let packed = compress(kind, 5, &plain(size)).expect("it is in this build");
            files.insert(format!("{size}.{}", kind.name().to_lowercase()), packed);
        }
    }
    files.insert("properties.bin".into(), properties().encode().into_bytes());
    files.insert("offset-ids.txt".into(), offset_ids().into_bytes());
    files
}

pub(crate) fn commands() -> Vec<(&'static str, RemotingCommand)> {
    let mut commands = vec![
        ("route-request", from_rust(&route_request(), 7)),
        ("send-v1-request", from_rust(&SendMessageV1(send()), 8).with_body("Hello")),
        ("send-v2-request", from_rust(&SendMessageV2(send()), 8).with_body("Hello")),
        ("send-response", send_response()),
        ("error-response", from_server(17, 9).with_remark(REMARK)),
    ];
    commands.extend(headers::all().into_iter().map(|golden| (golden.name, golden.command)));
    commands
}

pub(crate) fn route_request() -> GetRouteInfo {
    GetRouteInfo { topic: "TopicTest".into(), accept_standard_json_only: Some(true) }
}

pub(crate) fn send() -> SendMessage<'static> {
    SendMessage {
        producer_group: "PG".into(),
        topic: "TopicTest".into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        queue_id: 2,
        sys_flag: 0,
        born_timestamp: 1_700_000_000_000,
        flag: -5,
        properties: properties().encode().into(),
        reconsume_times: Some(0),
        unit_mode: Some(false),
        max_reconsume_times: None,
        batch: Some(false),
        broker_name: Some("broker-a".into()),
    }
}

pub(crate) fn send_reply() -> SendReply {
    SendReply {
        message_id: "7F00000100002A9F0000000000003039".into(),
        queue_id: 2,
        queue_offset: 5,
        transaction_id: Some(UNIQUE_ID.into()),
        batch_unique_id: None,
        recall_handle: None,
        region: Some("DefaultRegion".into()),
        trace_on: Some(true),
    }
}

fn send_response() -> RemotingCommand {
    from_server(0, -8).with_header(&send_reply())
}

fn from_rust(request: &impl Request, opaque: i32) -> RemotingCommand {
    RemotingCommand { opaque, ..RemotingCommand::request(request) }
}

fn from_server(code: i32, opaque: i32) -> RemotingCommand {
    RemotingCommand {
        language: LanguageCode::JAVA,
        version: Version::V5_5_0,
        ..RemotingCommand::response(ResponseCode(code), opaque)
    }
}

pub(crate) fn properties() -> Properties {
    [
        ("KEYS", "k1 k2"),
        ("TAGS", "TagA"),
        ("UNIQ_KEY", UNIQUE_ID),
        ("WAIT", "true"),
        ("city", "Zürich \"水\" 🌊"),
    ]
    .into_iter()
    .collect()
}

pub(crate) fn offset_ids() -> String {
    ["10.0.0.2:10911", "[fd00::2]:10911"]
        .map(|host| {
            let store_host = host.parse().expect("an address");
            format!("{}\n", OffsetMessageId { store_host, commit_log_offset: 1_234_567_890_123 })
        })
        .concat()
}

pub(crate) fn batch() -> Vec<u8> {
    let mut out = Vec::new();
    let tagged: Properties = [("WAIT", "true"), ("TAGS", "TagA")].into_iter().collect();
    batch::encode_entry(7, b"first", &tagged.encode(), &mut out);
    batch::encode_entry(-1, &[0, 1, 2, 255], "WAIT\u{1}true\u{2}", &mut out);
    out
}

pub(crate) fn records() -> Vec<(String, StoredMessage)> {
    let (born_v6, store_v6) = ("[fd00::1]:50000", "[fd00::2]:10911");
    let long = format!("%RETRY%{}", "g".repeat(200));
    let mut records = vec![
        ("v4".to_owned(), stored()),
        (
            "v6".to_owned(),
            StoredMessage {
                sys_flag: SysFlag::BORN_HOST_V6.with(SysFlag::STORE_HOST_V6),
                born_host: born_v6.parse().expect("an address"),
                store_host: store_v6.parse().expect("an address"),
                ..stored()
            },
        ),
        (
            "mixed".to_owned(),
            StoredMessage {
                sys_flag: SysFlag::BORN_HOST_V6,
                born_host: born_v6.parse().expect("an address"),
                ..stored()
            },
        ),
        ("long-topic".to_owned(), StoredMessage { topic: long, ..stored() }),
    ];
    for kind in compressions() {
        let record = StoredMessage {
            sys_flag: SysFlag(0).with_compression(kind),
            body: compress(kind, 5, &stored().body).expect("it is in this build").into(),
            ..stored()
        };
        records.push((kind.name().to_lowercase(), record));
    }
    records
}

pub(crate) fn stored() -> StoredMessage {
    StoredMessage {
        queue_id: 3,
        flag: -5,
        queue_offset: 42,
        commit_log_offset: 1_234_567_890_123,
        sys_flag: SysFlag(0),
        born_timestamp: 1_700_000_000_000,
        born_host: "10.0.0.1:50000".parse().expect("an address"),
        store_timestamp: 1_700_000_000_123,
        store_host: "10.0.0.2:10911".parse().expect("an address"),
        reconsume_times: 2,
        prepared_transaction_offset: 99,
        body: "Hello stored".into(),
        topic: "TopicTest".into(),
        properties: properties().encode(),
    }
}

pub(crate) fn plain(size: &str) -> Vec<u8> {
    if size == "small" {
        return b"Hello, compressed world!".to_vec();
    }
    let lines = (0u32..).map(|line| format!("line {line} of {}\n", line * 7919 % 1000).into_bytes());
    lines.flatten().take(100_000).collect()
}

pub(crate) fn bodies() -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([
        ("route-fastjson.json".to_owned(), to_json(&route(), JsonDialect::Fastjson)),
        ("route-standard.json".to_owned(), to_json(&route(), JsonDialect::Standard)),
        ("cluster.json".to_owned(), to_json(&cluster(), JsonDialect::Fastjson)),
        ("topic-list.json".to_owned(), to_json(&topic_list(), JsonDialect::Fastjson)),
        ("topic-config.json".to_owned(), to_json(&topic_config(), JsonDialect::Fastjson)),
        ("kv-table.json".to_owned(), to_json(&kv_table(), JsonDialect::Fastjson)),
        ("heartbeat.json".to_owned(), to_json(&heartbeat(), JsonDialect::Standard)),
    ])
}

pub(crate) fn route() -> TopicRouteData {
    let queues = QueueData {
        broker_name: "broker-a".into(),
        perm: 6,
        read_queue_nums: 8,
        topic_sys_flag: 0,
        write_queue_nums: 4,
    };
    let mapping = serde_json::json!({"broker-a": {
        "bname": "broker-a", "currIdMap": {"0": 0, "1": 5}, "dirty": false, "epoch": 3, "scope": "__global__",
        "topic": "TopicTest", "totalQueues": 2,
    }});
    TopicRouteData {
        broker_datas: vec![
            broker("broker-a"),
            BrokerData { zone_name: Some("zone-1".into()), ..broker("broker-b") },
        ],
        filter_server_table: BTreeMap::new(),
        order_topic_conf: Some("broker-a:4;broker-b:2".into()),
        queue_datas: vec![
            queues.clone(),
            QueueData { broker_name: "broker-b".into(), perm: 4, topic_sys_flag: 1, ..queues },
        ],
        topic_queue_mapping_by_broker: mapping.as_object().cloned(),
    }
}

fn broker(name: &str) -> BrokerData {
    BrokerData {
        broker_addrs: BTreeMap::from([(0, "10.0.0.1:10911".into()), (1, "10.0.0.2:10911".into())]),
        broker_name: name.into(),
        cluster: "DefaultCluster".into(),
        ..BrokerData::default()
    }
}

pub(crate) fn cluster() -> ClusterInfo {
    ClusterInfo {
        broker_addr_table: BTreeMap::from([("broker-a".into(), broker("broker-a"))]),
        cluster_addr_table: BTreeMap::from([("DefaultCluster".into(), BTreeSet::from(["broker-a".into()]))]),
    }
}

pub(crate) fn topic_list() -> TopicList {
    TopicList { broker_addr: None, topic_list: vec!["TopicTest".into(), "%RETRY%CG".into()] }
}

pub(crate) fn topic_config() -> TopicConfig {
    TopicConfig {
        attributes: BTreeMap::from([("message.type".into(), "FIFO".into())]),
        topic_name: "TopicTest".into(),
        read_queue_nums: 8,
        write_queue_nums: 4,
        ..TopicConfig::default()
    }
}

pub(crate) fn topic_stats() -> TopicStats {
    let key = QueueKey { broker_name: "broker-a".to_owned(), queue_id: 1, topic: "TopicTest".to_owned() };
    let stats = QueueStats { last_update_timestamp: 1_700_000_000_123, max_offset: 42, min_offset: 7 };
    TopicStats { offset_table: BTreeMap::from([(key, stats)]) }
}

pub(crate) fn kv_table() -> KvTable {
    KvTable { table: BTreeMap::from([("brokerVersionDesc".into(), "V5_5_0".into())]) }
}

pub(crate) fn heartbeat() -> HeartbeatData {
    let subscription = SubscriptionData {
        class_filter_mode: false,
        code_set: vec![2_598_919, 2_598_920],
        expression_type: "TAG".into(),
        sub_string: "TagA || TagB".into(),
        sub_version: 1_700_000_000_000,
        tags_set: vec!["TagA".into(), "TagB".into()],
        topic: "TopicTest".into(),
    };
    HeartbeatData {
        client_id: "10.0.0.1@123".into(),
        consumer_data_set: vec![ConsumerData {
            consume_from_where: ConsumeFromWhere::LastOffset,
            consume_type: ConsumeType::Passively,
            group_name: "CG".into(),
            message_model: MessageModel::Clustering,
            subscription_data_set: vec![subscription],
            unit_mode: false,
        }],
        heartbeat_fingerprint: 0,
        producer_data_set: vec![ProducerData { group_name: "PG".into() }],
        without_sub: false,
    }
}
