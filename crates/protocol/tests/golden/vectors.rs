//! Vectors that were worked out from the layouts or with fastjson 1.2.83, before there was this crate.

use bytes::BytesMut;
use maxq_protocol::{
    Flags, FrameReader, Header, HeaderEncoding, LanguageCode, RemotingCommand, RequestCode, ResponseCode,
    Version,
    body::{ClusterInfo, HeartbeatData, JsonDialect, ProducerData, TopicRouteData, from_json, to_json},
    header::{GetRouteInfo, Heartbeat, SendMessage, SendMessageV2, SendReply, UnregisterClient},
    message::{Properties, batch},
};

#[test]
fn a_route_request_in_json() {
    let frame = text_frame(
        r#"{"code":105,"extFields":{"topic":"TopicTest","acceptStandardJsonOnly":"true"},"flag":0,"language":"RUST","opaque":7,"serializeTypeCurrentRPC":"JSON","version":479}"#,
        "",
    );
    assert_eq!(frame.len(), 171);
    assert_eq!(frame[..8], hex("000000a7 000000a3"));
    assert_eq!(encode(route_request(), HeaderEncoding::Json), frame);
    assert_eq!(read_twice(&frame), route_request());
}

#[test]
fn a_route_request_in_binary() {
    let frame = hex("0000004d 0100 0049 0069 0c 01df 00000007 00000000 00000000 00000034
         0005 746f706963 00000009 546f70696354657374
         0016 6163636570745374616e646172644a736f6e4f6e6c79 00000004 74727565");
    assert_eq!(frame.len(), 81);
    assert_eq!(encode(route_request(), HeaderEncoding::Binary), frame);
    assert_eq!(read_twice(&frame), RemotingCommand { encoding: HeaderEncoding::Binary, ..route_request() });
}

#[test]
fn a_send_in_binary() {
    let frame = hex(
        "000000ce010000c501360c01df000000080000000000000000000000b000016100000002504700016200000009546f70
         696354657374000163000000065442573130320001640000000134000165000000013200016600000001300001670000
         000d3137303030303030303030303000016800000001300001690000002054414753015461674102554e49515f4b4559
         014142430257414954017472756500016a000000013000016b0000000566616c736500016d0000000566616c73650001
         6e0000000862726f6b65722d6148656c6c6f",
    );
    assert_eq!(frame.len(), 210);
    let send = SendMessageV2(SendMessage {
        producer_group: "PG".into(),
        topic: "TopicTest".into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        queue_id: 2,
        born_timestamp: 1_700_000_000_000,
        properties: "TAGS\u{1}TagA\u{2}UNIQ_KEY\u{1}ABC\u{2}WAIT\u{1}true".into(),
        reconsume_times: Some(0),
        unit_mode: Some(false),
        batch: Some(false),
        broker_name: Some("broker-a".into()),
        ..SendMessage::default()
    });
    let command = RemotingCommand { opaque: 8, ..RemotingCommand::request(&send) }.with_body("Hello");
    assert_eq!(encode(command, HeaderEncoding::Binary), frame);
    let read = read_twice(&frame);
    assert_eq!(read.request_code(), RequestCode::SEND_MESSAGE_V2);
    assert_eq!(read.header(), Ok(send));
    assert_eq!(read.body, "Hello");
}

#[test]
fn an_unregister_request_in_binary() {
    let frame = hex(
        "000000480100004400230c01df0000000a00000000000000000000002f000d70726f647563657247726f757000000002
         50470008636c69656e7449440000000c31302e302e302e3140313233",
    );
    assert_eq!(frame.len(), 76);
    let read = read_twice(&frame);
    assert_eq!((read.request_code(), read.opaque), (RequestCode::UNREGISTER_CLIENT, 10));
    let expected = UnregisterClient {
        client_id: "10.0.0.1@123".into(),
        producer_group: Some("PG".into()),
        consumer_group: None,
    };
    assert_eq!(read.header(), Ok(expected));
}

#[test]
fn the_end_of_a_transaction_one_way_in_binary() {
    let frame = hex(
        "000000e3010000df00250c01df0000000b0000000200000000000000ca0005746f70696300000009546f706963546573
         74000d70726f647563657247726f757000000002504700147472616e53746174655461626c654f666673657400000001
         35000f636f6d6d69744c6f674f666673657400000004343039360010636f6d6d69744f72526f6c6c6261636b00000001
         38001466726f6d5472616e73616374696f6e436865636b0000000566616c736500056d7367496400000003414243000d
         7472616e73616374696f6e4964000000034142430005626e616d650000000862726f6b65722d61",
    );
    assert_eq!(frame.len(), 231);
    let read = read_twice(&frame);
    assert_eq!((read.request_code(), read.flags), (RequestCode::END_TRANSACTION, Flags::ONEWAY));
    assert!(read.is_oneway() && !read.is_response());
    let fields: Vec<_> = read.ext.iter().collect();
    let expected = [
        ("topic", "TopicTest"),
        ("producerGroup", "PG"),
        ("tranStateTableOffset", "5"),
        ("commitLogOffset", "4096"),
        ("commitOrRollback", "8"),
        ("fromTransactionCheck", "false"),
        ("msgId", "ABC"),
        ("transactionId", "ABC"),
        ("bname", "broker-a"),
    ];
    assert_eq!(fields, expected);
}

#[test]
fn a_heartbeat_in_json() {
    let frame = text_frame(
        r#"{"code":34,"extFields":{},"flag":0,"language":"RUST","opaque":9,"serializeTypeCurrentRPC":"JSON","version":479}"#,
        r#"{"clientID":"10.0.0.1@123","consumerDataSet":[],"heartbeatFingerprint":0,"producerDataSet":[{"groupName":"PG"}],"withoutSub":false}"#,
    );
    assert_eq!(frame.len(), 250);
    assert_eq!(frame[..8], hex("000000f6 0000006f"));
    let data = HeartbeatData {
        client_id: "10.0.0.1@123".into(),
        producer_data_set: vec![ProducerData { group_name: "PG".into() }],
        ..HeartbeatData::default()
    };
    let command = RemotingCommand { opaque: 9, ..RemotingCommand::request(&Heartbeat {}) }
        .with_body(to_json(&data, JsonDialect::Standard));
    assert_eq!(encode(command, HeaderEncoding::Json), frame);
    assert_eq!(from_json(&read_twice(&frame).body), Ok(data));
}

#[test]
fn an_error_response_in_binary() {
    let frame = hex("0000002c 0100 0028 0011 00 01df 00000007 00000001
         00000013 4e6f20746f70696320726f75746520696e666f 00000000");
    assert_eq!(frame.len(), 48);
    let response = RemotingCommand {
        language: LanguageCode::JAVA,
        encoding: HeaderEncoding::Binary,
        ..RemotingCommand::response(ResponseCode::TOPIC_NOT_EXIST, 7)
    };
    assert_eq!(read_twice(&frame), response.with_remark("No topic route info"));
}

#[test]
fn a_send_response_in_json() {
    let frame = text_frame(
        r#"{"code":0,"extFields":{"queueId":"2","msgId":"7F00000100002A9F0000000000000000","TRACE_ON":"true","MSG_REGION":"DefaultRegion","queueOffset":"5"},"flag":1,"language":"JAVA","opaque":8,"serializeTypeCurrentRPC":"JSON","version":479}"#,
        "",
    );
    assert_eq!(frame.len(), 239);
    let read = read_twice(&frame);
    assert_eq!((read.response_code(), read.is_response(), read.opaque), (ResponseCode::SUCCESS, true, 8));
    let reply = SendReply::read(&read.ext).unwrap();
    assert_eq!((&*reply.message_id, reply.queue_id), ("7F00000100002A9F0000000000000000", 2));
    assert_eq!((reply.queue_offset, reply.trace_on), (5, Some(true)));
    assert_eq!((reply.region.as_deref(), reply.transaction_id), (Some("DefaultRegion"), None));
}

#[test]
fn a_push_from_a_broker_in_json() {
    let frame = text_frame(
        r#"{"code":40,"extFields":{"consumerGroup":"CG"},"flag":2,"language":"JAVA","opaque":77,"serializeTypeCurrentRPC":"JSON","version":479}"#,
        "",
    );
    assert_eq!(frame.len(), 140);
    let read = read_twice(&frame);
    assert_eq!(read.request_code(), RequestCode::NOTIFY_CONSUMER_IDS_CHANGED);
    assert_eq!((read.version, read.ext.get("consumerGroup")), (Version::V5_3_3, Some("CG")));
    assert!(read.is_oneway());
}

#[test]
fn a_heartbeat_with_a_consumer() {
    let text = r#"{"clientID":"10.0.0.1@123","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"CG","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[2598919,2598920],"expressionType":"TAG","subString":"TagA || TagB","subVersion":1700000000000,"tagsSet":["TagA","TagB"],"topic":"TopicTest"}],"unitMode":false}],"heartbeatFingerprint":0,"producerDataSet":[{"groupName":"PG"}],"withoutSub":false}"#;
    assert_eq!(from_json(text.as_bytes()), Ok(crate::values::heartbeat()));
    assert_eq!(to_json(&crate::values::heartbeat(), JsonDialect::Fastjson), text.as_bytes());
}

#[test]
fn a_route_in_both_dialects() {
    let fastjson = r#"{"brokerDatas":[{"brokerAddrs":{0:"10.0.0.1:10911",1:"10.0.0.2:10911"},"brokerName":"broker-a","cluster":"DefaultCluster","enableActingMaster":false}],"filterServerTable":{},"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}]}"#;
    let standard = fastjson.replace("{0:", "{\"0\":").replace(",1:", ",\"1\":");
    let route: TopicRouteData = from_json(fastjson.as_bytes()).unwrap();
    assert_eq!(route.broker_datas[0].broker_addrs[&1], "10.0.0.2:10911");
    assert_eq!(from_json(standard.as_bytes()), Ok(route.clone()));
    assert_eq!(to_json(&route, JsonDialect::Fastjson), fastjson.as_bytes());
    assert_eq!(to_json(&route, JsonDialect::Standard), standard.as_bytes());
}

#[test]
fn a_route_as_old_and_careless_servers_write_it() {
    let old = r#"{"brokerDatas":[{"brokerAddrs":{0:"h:1"},"brokerName":"b","cluster":"c"}],"filterServerTable":null,"queueDatas":[{"brokerName":"b","perm":"6","readQueueNums":4,"topicSynFlag":2,"writeQueueNums":4}],"new":{"a":[1]}}"#;
    let route: TopicRouteData = from_json(old.as_bytes()).unwrap();
    assert_eq!((route.queue_datas[0].perm, route.queue_datas[0].topic_sys_flag), (6, 2));
    assert!(!route.broker_datas[0].enable_acting_master);
    assert!(route.filter_server_table.is_empty() && route.order_topic_conf.is_none());
}

#[test]
fn cluster_info_with_bare_keys() {
    let text = r#"{"brokerAddrTable":{"broker-a":{"brokerAddrs":{0:"h:1"},"brokerName":"broker-a","cluster":"DefaultCluster","enableActingMaster":false}},"clusterAddrTable":{"DefaultCluster":["broker-a"]}}"#;
    let info: ClusterInfo = from_json(text.as_bytes()).unwrap();
    assert_eq!(info.broker_addr_table["broker-a"].broker_addrs[&0], "h:1");
    assert!(info.cluster_addr_table["DefaultCluster"].contains("broker-a"));
    assert_eq!(to_json(&info, JsonDialect::Fastjson), text.as_bytes());
}

#[test]
fn properties_and_a_batch_entry() {
    let properties: Properties = [("TAGS", "t"), ("WAIT", "true")].into_iter().collect();
    assert_eq!(properties.encode().as_bytes(), hex("544147530174 02 57414954 01 74727565 02"));
    let mut entry = Vec::new();
    batch::encode_entry(0, b"hello", &properties.encode(), &mut entry);
    assert_eq!(
        entry,
        hex(
            "0000002C 00000000 00000000 00000000 00000005 68656C6C6F 0011 5441475301740257414954017472756502"
        )
    );
    assert_eq!(entry.len(), batch::encoded_len(5, properties.encoded_len()));
}

fn route_request() -> RemotingCommand {
    let header = GetRouteInfo { topic: "TopicTest".into(), accept_standard_json_only: Some(true) };
    RemotingCommand { opaque: 7, ..RemotingCommand::request(&header) }
}

fn encode(command: RemotingCommand, encoding: HeaderEncoding) -> Vec<u8> {
    let mut out = Vec::new();
    RemotingCommand { encoding, ..command }.encode(&mut out);
    out
}

/// Reads a frame, and proves that writing it again gives the same bytes.
fn read_twice(frame: &[u8]) -> RemotingCommand {
    let command =
        FrameReader::new().next(&mut BytesMut::from(frame)).expect("a frame").expect("a whole frame");
    assert_eq!(encode(command.clone(), command.encoding), frame);
    command
}

/// A JSON frame around a header text and a body.
fn text_frame(header: &str, body: &str) -> Vec<u8> {
    let mut frame = ((4 + header.len() + body.len()) as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(&(header.len() as u32).to_be_bytes());
    frame.extend_from_slice(header.as_bytes());
    frame.extend_from_slice(body.as_bytes());
    frame
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}
