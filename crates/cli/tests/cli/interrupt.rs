//! Ctrl-C and SIGTERM in the middle of work.

use std::net::TcpListener;

use serde_json::Value;

use crate::process::{Emulator, Running, maxq, signal};

#[test]
fn produce_reports_what_was_acknowledged() {
    let cluster = Emulator::start(1);
    for name in ["INT", "TERM"] {
        let mut produce = Running::start(cluster.maxq(&["produce", "orders", "-o", "json"]));
        produce.write(b"one\ntwo\n");
        assert!(produce.line().contains("\"stored\"") && produce.line().contains("\"stored\""));
        produce.signal(name);
        let ended = produce
            .end()
            .expect(6)
            .says(&["2 messages stored", "interrupted: nothing behind line 2 was sent"]);
        assert_eq!(ended.text(), "");
    }
    assert_eq!(cluster.run(&["cat", "orders"]).lines().len(), 4);
}

#[test]
fn what_a_frozen_broker_does_not_answer_is_unknown() {
    let cluster = Emulator::start(1);
    let mut produce = Running::start(cluster.maxq(&["produce", "orders", "-o", "json", "--timeout", "60s"]));
    produce.write(b"one\n");
    assert!(produce.line().contains("\"stored\""));
    signal(cluster.running.child.id(), "STOP");
    // When all of this is written, produce has read most of the third line, so the second is under way.
    let long = vec![b'x'; 1 << 20];
    produce.write(&[&long, b"\n".as_slice(), &long].concat());
    produce.signal("INT");
    let ended =
        produce.end().expect(6).says(&["1 message stored", "1 with unknown outcome", "behind line 2"]);
    let receipts: Vec<Value> = ended.json();
    assert_eq!(receipts.len(), 1);
    assert_eq!((receipts[0]["line"].as_u64(), receipts[0]["outcome"].as_str()), (Some(2), Some("unknown")));
}

#[test]
fn waiting_for_a_silent_name_server_can_be_ended() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let args = ["produce", "orders", "--name-server", &address, "--timeout", "10m"];
    let produce = Running::start(maxq(&args));
    // It is connected, so it waits for an answer.
    let connection = silent.accept().unwrap();
    produce.signal("INT");
    produce.end().expect(6).says(&["interrupted before anything was sent"]);
    drop(connection);
}

#[test]
fn a_demo_judges_what_was_sent_so_far() {
    let mut demo = Running::start(maxq(&["demo", "--seconds", "600", "-o", "json"]));
    assert!(demo.note().starts_with("emulated cluster"));
    assert!(demo.note().starts_with("sending"));
    demo.signal("INT");
    let ended = demo.end().expect(6).says(&["interrupted"]);
    assert_eq!(ended.json()[0]["lost"], 0);
}
