//! Bytes that Apache's classes wrote; see `fixtures/README.md`.

use std::{collections::BTreeSet, fmt::Debug, fs, path::PathBuf};

use bytes::{Bytes, BytesMut};
use maxq_protocol::{
    FrameReader, Header, HeaderEncoding, RemotingCommand,
    body::{JsonDialect, from_json, to_json},
    compression::decompress,
    header::{GetRouteInfo, SendMessageV1, SendMessageV2, SendReply},
    message::{OffsetMessageId, Properties, StoredMessage, batch},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::values::{self, headers};

#[test]
fn every_file_of_java_is_compared() {
    let names: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| {
            !["lz4", "zstd", "zlib"].iter().any(|kind| name.contains(kind)) || is_in_this_build(name)
        })
        .collect();
    let mut ours: BTreeSet<String> = values::files().into_keys().collect();
    ours.insert(READ_ONLY.to_owned());
    assert_eq!(names, ours);
}

/// A header type without a capture is one that nobody has compared with Apache's.
#[test]
fn every_header_type_is_captured() {
    let words = |text: &str| -> BTreeSet<String> {
        text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
    };
    let source = |path: &str| {
        fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a source file")
    };
    let compared =
        words(&["headers", "values"].map(|name| source(&format!("tests/golden/{name}.rs"))).concat());
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/header");
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
    // As they stand inside of `headers!`.
    let types: BTreeSet<String> = files
        .flat_map(|text| {
            let declared = text.lines().filter_map(|line| line.strip_prefix("    struct "));
            declared.filter_map(|rest| words(rest.split([':', ' ']).next()?).pop_last()).collect::<Vec<_>>()
        })
        .collect();
    assert!(types.len() > 20, "{types:?}");
    assert_eq!(types.difference(&compared).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn we_write_what_java_writes_byte_for_byte() {
    let ours = values::files().into_iter().filter(|(name, _)| !is_in_this_build(name));
    let different: Vec<String> =
        ours.filter(|(name, ours)| !same_in_some_order(&java(name), ours)).map(|(name, _)| name).collect();
    assert_eq!(
        different,
        [
            "check-client-config-request.json", // we write an empty extFields, Java none
            "cluster-info-request.json",        // the same
            "error-response.json",              // the same
            "heartbeat-request.json",           // the same
            "route-fastjson.json",              // the mapping of static topics is kept as plain JSON
            "runtime-info-request.json",        // we write an empty extFields, Java none
            "topic-list-request.json",          // the same
        ]
    );
}

/// The fields of most headers stand in the order of a Java hash map, which means nothing: the bytes are the same, and
/// that they mean the same is another test.
fn same_in_some_order(java: &[u8], ours: &[u8]) -> bool {
    let sorted = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.sort_unstable();
        bytes
    };
    java == ours || sorted(java) == sorted(ours)
}

#[test]
fn commands_of_java_are_read_in_both_encodings() {
    for (kind, encoding) in [("json", HeaderEncoding::Json), ("binary", HeaderEncoding::Binary)] {
        for (name, expected) in values::commands() {
            let command = read_frame(&java(&format!("{name}.{kind}")));
            assert_eq!(command, RemotingCommand { encoding, ..expected }, "{name}.{kind}");
        }
        let read = |name| read_frame(&java(&format!("{name}.{kind}")));
        for golden in headers::all() {
            (golden.reads)(&read(golden.name).ext);
        }
        assert_eq!(GetRouteInfo::read(&read("route-request").ext), Ok(values::route_request()));
        assert_eq!(read("send-v1-request").header(), Ok(SendMessageV1(values::send())));
        assert_eq!(read("send-v2-request").header(), Ok(SendMessageV2(values::send())));
        assert_eq!(SendReply::read(&read("send-response").ext), Ok(values::send_reply()));
    }
}

#[test]
fn bodies_of_java_are_read_and_written_back() {
    for (name, dialect) in
        [("route-fastjson.json", JsonDialect::Fastjson), ("route-standard.json", JsonDialect::Standard)]
    {
        assert_eq!(from_json(&java(name)), Ok(values::route()), "{name}");
        let plain =
            maxq_protocol::body::TopicRouteData { topic_queue_mapping_by_broker: None, ..values::route() };
        let start = to_json(&plain, dialect);
        assert!(java(name).starts_with(&start[..start.len() - 1]), "{name}");
    }
    same_body("cluster.json", &values::cluster());
    same_body("topic-list.json", &values::topic_list());
    same_body("topic-config.json", &values::topic_config());
    same_body("kv-table.json", &values::kv_table());
    same_body("heartbeat.json", &values::heartbeat());
}

/// Objects as keys are no JSON; nobody but Java writes them.
#[test]
fn the_statistics_of_a_topic_are_read() {
    assert_eq!(from_json(&java(READ_ONLY)), Ok(values::topic_stats()));
}

#[test]
fn a_batch_of_java_is_read() {
    let entries = batch::decode(java("batch.bin").into()).unwrap();
    assert_eq!(entries, batch::decode(values::batch().into()).unwrap());
    assert_eq!((entries[0].flag, &entries[0].body[..]), (7, &b"first"[..]));
    assert_eq!(Properties::decode(&entries[0].properties).get("TAGS"), Some("TagA"));
    assert_eq!((entries[1].flag, &entries[1].body[..]), (-1, &[0, 1, 2, 255][..]));
}

#[test]
fn records_of_a_broker_are_read() {
    let mut all = Vec::new();
    for (name, expected) in values::records() {
        let bytes = java(&format!("stored-{name}.bin"));
        all.extend_from_slice(&bytes);
        let mut from = Bytes::from(bytes);
        let record = StoredMessage::decode(&mut from).unwrap().expect("a record");
        assert!(from.is_empty(), "{name}");
        assert_eq!(record.plain_body(100).unwrap(), "Hello stored", "{name}");
        assert_eq!(record.properties(), values::properties(), "{name}");
        assert_eq!(StoredMessage { body: expected.body.clone(), ..record }, expected, "{name}");
    }
    assert_eq!(StoredMessage::decode_all(all.into()).unwrap().len(), values::records().len());
}

#[test]
fn bodies_that_java_compressed_are_read() {
    for kind in values::compressions() {
        for size in ["small", "large"] {
            let packed = java(&format!("{size}.{}", kind.name().to_lowercase()));
            let plain = values::plain(size);
            assert_eq!(decompress(kind, &packed, plain.len()).unwrap(), plain, "{kind:?} {size}");
        }
    }
}

#[test]
fn offset_ids_of_java_are_read() {
    for line in String::from_utf8(java("offset-ids.txt")).unwrap().lines() {
        let id: OffsetMessageId = line.parse().unwrap();
        assert_eq!((id.store_host.port(), id.commit_log_offset), (10911, 1_234_567_890_123));
        assert_eq!(id.to_string(), line);
    }
}

/// The one body that this crate reads and does not write.
const READ_ONLY: &str = "topic-stats.json";

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/java-5.5.0")
}

fn java(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Whether the file holds compressed bytes that this build can read.
fn is_in_this_build(name: &str) -> bool {
    values::compressions().any(|kind| name.contains(&kind.name().to_lowercase()))
}

fn read_frame(bytes: &[u8]) -> RemotingCommand {
    let mut buffer = BytesMut::from(bytes);
    let command = FrameReader::new().next(&mut buffer).expect("a frame").expect("a whole frame");
    assert!(buffer.is_empty());
    command
}

fn same_body<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, expected: &T) {
    assert_eq!(from_json::<T>(&java(name)).as_ref(), Ok(expected), "{name}");
    let dialect = JsonDialect::Fastjson;
    assert_eq!(to_json(expected, dialect), java(name), "{name}");
}
