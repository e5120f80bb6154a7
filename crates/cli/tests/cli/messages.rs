//! `maxq msg`, and `maxq topic describe` and `delete`.

use std::collections::BTreeSet;

use serde_json::json;

use crate::process::{Emulator, run};

/// A cluster whose topic orders has two messages with the key 42; gives their receipts.
fn with_two_messages() -> (Emulator, Vec<serde_json::Value>) {
    let cluster = Emulator::start(2);
    cluster.run(&["topic", "create", "orders", "--queues", "1"]);
    let send = ["produce", "orders", "--key", "42", "--tag", "paid", "-o", "json", "--in-flight", "1"];
    let receipts = cluster.run_with(&send, b"first\nsecond\n").json();
    (cluster, receipts)
}

#[test]
fn a_message_is_found_by_either_id() {
    let (cluster, receipts) = with_two_messages();
    let id = |key: &str| receipts[1][key].as_str().unwrap();
    for args in [
        vec!["msg", "get", "--topic", "orders", id("message_id")],
        vec!["msg", "get", "--topic", "orders", id("offset_message_id")],
        vec!["msg", "get", id("offset_message_id")],
    ] {
        let shown = &cluster.run(&[&args[..], &["-o", "json"]].concat()).json()[0];
        for (key, expected) in [
            ("body", json!("second")),
            ("tag", json!("paid")),
            ("keys", json!(["42"])),
            ("message_id", receipts[1]["message_id"].clone()),
            ("broker", receipts[1]["broker"].clone()),
            ("offset", receipts[1]["offset"].clone()),
        ] {
            assert_eq!(shown[key], expected, "{args:?}");
        }
        assert_eq!(cluster.run(&[&args[..], &["--body"]].concat()).text(), "second");
        let text = cluster.run(&args).text();
        assert!(text.starts_with("topic        orders\n") && text.ends_with("6 bytes\nsecond\n"), "{text}");
    }
}

#[test]
fn a_message_that_is_not_there_is_no_success() {
    let (cluster, receipts) = with_two_messages();
    let id = receipts[0]["message_id"].as_str().unwrap();
    run(cluster.maxq(&["msg", "get", id])).expect(5).says(&["needs --topic"]);
    run(cluster.maxq(&["msg", "get", "-t", "orders", "nothing"])).expect(5).says(&["has the id nothing"]);
    run(cluster.maxq(&["msg", "get", "-t", "missing", id])).expect(5).says(&["maxq topic create missing"]);
    // No stranger's address is dialled.
    let strange = "CB0071070000277F0000000000000000";
    run(cluster.maxq(&["msg", "get", strange])).expect(5).says(&["of this cluster"]);
    run(cluster.maxq(&["msg", "get", ""])).expect(2);
}

#[test]
fn messages_are_found_by_key() {
    let (cluster, receipts) = with_two_messages();
    let found = cluster.run(&["msg", "query", "orders", "42", "-o", "json"]).json();
    // Both may be of one millisecond, at two brokers.
    let bodies: BTreeSet<_> = found.iter().map(|message| message["body"].as_str().unwrap()).collect();
    assert_eq!(bodies, BTreeSet::from(["first", "second"]));
    let lines = cluster.run(&["msg", "query", "orders", "42"]).lines();
    assert!(lines[0].starts_with("STORED") && lines.len() == 3, "{lines:?}");
    for receipt in &receipts {
        let id = receipt["message_id"].as_str().unwrap();
        assert!(lines.iter().any(|line| line.contains(id)), "{lines:?}");
    }
    let none =
        cluster.run(&["msg", "query", "orders", "43"]).says(&["no messages in orders with the key 43"]);
    assert_eq!(none.text(), "");
    assert_eq!(cluster.run(&["msg", "query", "orders", "42", "--to", "1h"]).text(), "");
    run(cluster.maxq(&["msg", "query", "missing", "42"])).expect(5);
    run(cluster.maxq(&["msg", "query", "orders", "42", "--from", "start"])).expect(2).says(&["is no time"]);
}

#[test]
fn a_description_shows_settings_and_offsets() {
    let (cluster, receipts) = with_two_messages();
    let shown = &cluster.run(&["topic", "describe", "orders", "-o", "json"]).json()[0];
    assert_eq!((&shown["topic"], &shown["messages"]), (&json!("orders"), &json!(2)));
    let broker = &shown["brokers"][1];
    assert_eq!(broker["name"], "broker-1");
    for (key, expected) in
        [("read_queues", json!(1)), ("write_queues", json!(1)), ("perm", json!(6)), ("order", json!(false))]
    {
        assert_eq!(broker[key], expected, "{key}");
    }
    let at_one = receipts.iter().filter(|receipt| receipt["broker"] == "broker-1").count();
    assert_eq!(broker["queues"][0]["max_offset"], json!(at_one));
    let text = cluster.run(&["topic", "describe", "orders"]).text();
    assert!(text.starts_with("topic orders: 2 messages\n") && text.contains("broker-1:0"), "{text}");
    run(cluster.maxq(&["topic", "describe", "missing"])).expect(5).says(&["there is no topic missing"]);
}

#[test]
fn a_topic_is_deleted_only_when_that_is_meant() {
    let (cluster, _) = with_two_messages();
    run(cluster.maxq(&["topic", "delete", "orders"])).expect(2).says(&["2 messages", "--yes"]);
    assert_eq!(cluster.run(&["topic", "list"]).lines(), ["orders"]);
    let deleted = &cluster.run(&["topic", "delete", "orders", "--yes", "-o", "json"]).json()[0];
    assert_eq!(*deleted, json!({"topic": "orders", "brokers": ["broker-0", "broker-1"]}));
    assert_eq!(cluster.run(&["topic", "list"]).lines(), [""; 0]);
    run(cluster.maxq(&["topic", "delete", "orders", "--yes"])).expect(5).says(&["there is no topic orders"]);
    run(cluster.maxq(&["topic", "delete", "TBW102", "--yes"])).expect(2).says(&["RocketMQ's own"]);
}
