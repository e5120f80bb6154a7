//! Bytes that the classes of Apache RocketMQ 4.9.7 wrote: what Maxq reads of an older peer; see `fixtures/README.md`.

use std::{collections::BTreeMap, fmt::Debug, fs, path::PathBuf};

use bytes::{Bytes, BytesMut};
use maxq_protocol::{
    FrameReader, Header, HeaderEncoding, LanguageCode, RemotingCommand, ResponseCode, Version,
    body::{BrokerData, JsonDialect, TopicConfig, TopicRouteData, TopicStats, from_json, to_json},
    header::{GetRouteInfo, SendMessage, SendMessageV1, SendMessageV2, SendReply},
    message::{Properties, StoredMessage, batch},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::values;

#[test]
fn commands_of_4_9_are_read_in_both_encodings() {
    // 4.9 writes no separator behind the last property, and no broker name.
    let properties = values::properties().encode();
    let send = SendMessage {
        properties: properties[..properties.len() - 1].to_owned().into(),
        broker_name: None,
        ..values::send()
    };
    for (kind, encoding) in [("json", HeaderEncoding::Json), ("binary", HeaderEncoding::Binary)] {
        let read = |name: &str| {
            let command = read_frame(&java(&format!("{name}.{kind}")));
            assert_eq!(command.encoding, encoding, "{name}");
            command
        };
        let route = read("route-request");
        assert_eq!((route.language, route.opaque), (LanguageCode::OTHER, 7));
        assert_eq!(GetRouteInfo::read(&route.ext), Ok(values::route_request()));
        assert_eq!(read("send-v1-request").header(), Ok(SendMessageV1(send.clone())));
        assert_eq!(read("send-v2-request").header(), Ok(SendMessageV2(send.clone())));
        assert_eq!(read("send-v2-request").body, "Hello");
        let response = read("send-response");
        assert_eq!(response.version, Version::V4_9_7);
        assert_eq!(SendReply::read(&response.ext), Ok(values::send_reply()));
        let error = read("error-response");
        assert_eq!(error.response_code(), ResponseCode::TOPIC_NOT_EXIST);
        assert_eq!(error.remark.as_deref(), Some(values::REMARK));
    }
}

#[test]
fn bodies_of_4_9_are_read_and_written_back_without_the_members_that_it_does_not_know() {
    let brokers = values::route().broker_datas;
    let route = TopicRouteData {
        broker_datas: brokers.into_iter().map(|broker| BrokerData { zone_name: None, ..broker }).collect(),
        topic_queue_mapping_by_broker: None,
        ..values::route()
    };
    let acting = ",\"enableActingMaster\":false";
    same_body("route-fastjson.json", &route, JsonDialect::Fastjson, &[acting]);
    same_body("route-standard.json", &route, JsonDialect::Standard, &[acting]);
    same_body("cluster.json", &values::cluster(), JsonDialect::Fastjson, &[acting]);
    same_body("topic-list.json", &values::topic_list(), JsonDialect::Fastjson, &[]);
    same_body("kv-table.json", &values::kv_table(), JsonDialect::Fastjson, &[]);
    let config = TopicConfig { attributes: Default::default(), ..values::topic_config() };
    same_body("topic-config.json", &config, JsonDialect::Fastjson, &["\"attributes\":{},"]);
    let newer = ["\"heartbeatFingerprint\":0,", ",\"withoutSub\":false"];
    same_body("heartbeat.json", &values::heartbeat(), JsonDialect::Fastjson, &newer);
    assert_eq!(from_json::<TopicStats>(&java("topic-stats.json")), Ok(values::topic_stats()));
}

#[test]
fn messages_of_4_9_are_read() {
    let text = String::from_utf8(java("properties.bin")).unwrap();
    assert!(!text.ends_with('\u{2}'), "4.9 writes no separator at the end");
    assert_eq!(Properties::decode(&text), values::properties());
    let entries = batch::decode(java("batch.bin").into()).unwrap();
    let ours = batch::decode(values::batch().into()).unwrap();
    for (entry, ours) in entries.iter().zip(&ours) {
        assert_eq!((entry.flag, &entry.body), (ours.flag, &ours.body));
        assert_eq!(pairs(&entry.properties), pairs(&ours.properties));
    }
    assert_eq!(entries.len(), ours.len());
    let record = StoredMessage::decode(&mut Bytes::from(java("stored-v4.bin"))).unwrap().expect("a record");
    assert_eq!(pairs(&record.properties), pairs(&values::stored().properties));
    let properties = record.properties.clone();
    assert_eq!(record, StoredMessage { properties, ..values::stored() });
    assert_eq!(String::from_utf8(java("offset-ids.txt")).unwrap(), values::offset_ids());
}

#[cfg(feature = "zlib")]
#[test]
fn bodies_that_4_9_compressed_are_read() {
    use maxq_protocol::compression::{Compression, decompress};
    for size in ["small", "large"] {
        let plain = values::plain(size);
        let packed = java(&format!("{size}.zlib"));
        assert_eq!(decompress(Compression::Zlib, &packed, plain.len()).unwrap(), plain, "{size}");
    }
}

/// In an order of our own: Java's is that of a hash map.
fn pairs(text: &str) -> BTreeMap<String, String> {
    Properties::decode(text).iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn java(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/java-4.9.7");
    fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn read_frame(bytes: &[u8]) -> RemotingCommand {
    FrameReader::new().next(&mut BytesMut::from(bytes)).expect("a frame").expect("a whole frame")
}

/// Read as `expected`, and the same as we write it when what `unknown` lists is left out.
fn same_body<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    name: &str,
    expected: &T,
    dialect: JsonDialect,
    unknown: &[&str],
) {
    assert_eq!(from_json::<T>(&java(name)).as_ref(), Ok(expected), "{name}");
    let mut ours = String::from_utf8(to_json(expected, dialect)).expect("JSON is UTF-8");
    for member in unknown {
        ours = ours.replace(member, "");
    }
    assert_eq!(ours.into_bytes(), java(name), "{name}");
}
