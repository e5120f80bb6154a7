//! `maxq produce`: what is sent, and what is told about it.

use std::{
    fs,
    io::Write as _,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::process::{Emulator, run, run_with};

#[test]
fn lines_are_sent_as_they_are_and_read_back() {
    let cluster = Emulator::start(2);
    let sent = cluster
        .run_with(&["produce", "orders"], b"plain\n\n blanks \ngr\xc3\xbcn\r\n\xff\xfe\nlast")
        .says(&["5 messages stored in orders", "1 empty line left out", "maxq topic create orders"]);
    assert!(sent.stdout.is_empty());
    let read = cluster.run(&["cat", "orders"]);
    let mut lines: Vec<_> = read.stdout.split(|byte| *byte == b'\n').collect();
    lines.sort_unstable();
    let expected: [&[u8]; 6] = [b"", b" blanks ", b"gr\xc3\xbcn\r", b"last", b"plain", b"\xff\xfe"];
    assert_eq!(lines, expected);
}

#[test]
fn options_apply_to_every_message() {
    let cluster = Emulator::start(1);
    let args = [
        "produce",
        "orders",
        "--tag",
        "t",
        "--key",
        "a",
        "--key",
        "b:1",
        "--property",
        "größe=1=2",
        "-p",
        "x=y",
    ];
    cluster.run_with(&args, b"one\ntwo\n");
    for record in cluster.run(&["cat", "orders", "-o", "json"]).json() {
        assert_eq!(record["tag"], "t");
        assert_eq!(record["keys"], json!(["a", "b:1"]));
        assert_eq!(record["properties"], json!({"größe": "1=2", "x": "y"}));
    }
}

#[test]
fn records_go_round_without_loss() {
    let cluster = Emulator::start(2);
    let records = [
        json!({"body": "plain"}),
        json!({"body": "line\nbreak \u{0} \u{1F680}", "tag": "größe", "keys": ["a", "b\tc"], "flag": -7}),
        json!({"body_base64": "AP/+gAo=", "properties": {"a=b": "c:d, {e}", "k": "\"v\""}}),
    ];
    let input: String = records.iter().map(|record| format!("{record}\n")).collect();
    cluster.run_with(&["produce", "first", "--format", "ndjson"], input.as_bytes());
    let first = cluster.run(&["cat", "first", "--format", "ndjson"]);
    cluster.run_with(&["produce", "second", "--format", "ndjson"], &first.stdout);
    let second = cluster.run(&["cat", "second", "--format", "ndjson"]);

    let sender_s_part = |mut record: Value| {
        let fields = record.as_object_mut().unwrap();
        let told =
            ["topic", "queue", "broker", "offset", "message_id", "offset_message_id", "born_timestamp"];
        for field in told.into_iter().chain(["store_timestamp"]) {
            assert!(fields.remove(field).is_some(), "no {field}");
        }
        record
    };
    let parts = |records: Vec<Value>| {
        let mut parts: Vec<_> = records.into_iter().map(|record| sender_s_part(record).to_string()).collect();
        parts.sort();
        parts
    };
    let mut expected: Vec<_> = records
        .iter()
        .map(|record| {
            let mut whole = json!({"keys": [], "tag": null, "properties": {}, "flag": 0});
            whole.as_object_mut().unwrap().extend(record.as_object().unwrap().clone());
            whole.to_string()
        })
        .collect();
    expected.sort();
    assert_eq!(parts(first.json()), expected);
    assert_eq!(parts(second.json()), expected);
}

#[test]
fn receipts_come_in_the_order_of_the_input_and_agree_with_what_is_stored() {
    let cluster = Emulator::start(2);
    let input: String = (1..=300).map(|n| format!("message {n}\n")).collect();
    let receipts = cluster.run_with(&["produce", "orders", "-o", "json"], input.as_bytes()).json();
    let lines: Vec<_> = receipts.iter().map(|receipt| receipt["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, (1..=300).collect::<Vec<_>>());
    let records = cluster.run(&["cat", "orders", "-o", "json"]).json();
    for receipt in receipts {
        assert_eq!(receipt["outcome"], "stored");
        let stored = records.iter().find(|record| record["message_id"] == receipt["message_id"]).unwrap();
        assert_eq!(stored["body"], format!("message {}", receipt["line"]));
        for key in ["topic", "broker", "queue", "offset", "offset_message_id"] {
            assert_eq!(stored[key], receipt[key], "{key}");
        }
    }
}

#[test]
fn one_in_flight_keeps_the_order_in_a_queue() {
    let cluster = Emulator::start(2);
    cluster.run(&["topic", "create", "orders"]);
    let input: String = (1..=50).map(|n| format!("{n}\n")).collect();
    cluster.run_with(&["produce", "orders", "--queue", "broker-1:3", "--in-flight", "1"], input.as_bytes());
    assert_eq!(cluster.run(&["cat", "orders", "--queue", "broker-1:3"]).text(), input);
}

#[test]
fn files_and_standard_input_are_read_one_after_the_other() {
    let cluster = Emulator::start(1);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"first").unwrap();
    let path = file.path().to_str().unwrap();
    let args = ["produce", "orders", path, "-", "--in-flight", "1", "-o", "json"];
    let receipts = cluster.run_with(&args, b"second\n").json();
    assert_eq!((&receipts[0]["file"], &receipts[0]["line"]), (&json!(path), &json!(1)));
    assert_eq!((receipts[1].get("file"), &receipts[1]["line"]), (None, &json!(1)));
}

#[test]
fn one_way_messages_arrive() {
    let cluster = Emulator::start(1);
    let sent = cluster.run_with(&["produce", "orders", "--oneway"], b"a\nb\nc\n");
    sent.says(&["3 messages handed over to brokers of orders"]);
    // They arrive a moment later.
    let mut lines = cluster.run(&["cat", "orders", "--follow", "-n", "3"]).lines();
    lines.sort();
    assert_eq!(lines, ["a", "b", "c"]);
}

#[test]
fn the_failed_line_is_named_and_the_others_are_sent() {
    let cluster = Emulator::start(1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events");
    fs::write(&file, [b"one\n", vec![b'x'; 5 << 20].as_slice(), b"\nthree\n"].concat()).unwrap();
    let args = ["produce", "orders", file.to_str().unwrap(), "--keep-going", "-o", "json"];
    let ended = run_with(cluster.maxq(&args), b"").expect(4).says(&["events:2: ", "5242880 bytes", "MQ1002"]);
    let outcomes: Vec<_> = ended.json().into_iter().map(|receipt| receipt["outcome"].clone()).collect();
    assert_eq!(outcomes, ["stored", "not_sent", "stored"]);
}

/// Forty-one messages at a hundred a second take forty steps from the start; sooner is not possible.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a rate is about real time, and a slow machine only makes it lower"
)]
fn a_rate_is_not_exceeded() {
    let cluster = Emulator::start(1);
    let input = "x\n".repeat(41);
    let began = Instant::now();
    cluster
        .run_with(&["produce", "orders", "--rate", "100/s"], input.as_bytes())
        .says(&["41 messages stored"]);
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(400), "they left within {took:?}");
    run(cluster.maxq(&["produce", "orders", "--rate", "fast"])).expect(2).says(&["is no rate"]);
}
