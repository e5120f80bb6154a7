//! `maxq doctor`: the verdict, its reasons, and the exit code.

use std::net::TcpListener;

use crate::process::{Emulator, maxq, run};

#[test]
fn a_cluster_in_order_is_well() {
    let cluster = Emulator::start(2);
    cluster.run(&["topic", "create", "orders"]);
    let report = &cluster.run(&["doctor", "orders", "-o", "json"]).json()[0];
    assert_eq!(report["verdict"], "well");
    let states: Vec<_> = report["checks"].as_array().unwrap().iter().map(|check| &check["state"]).collect();
    assert!(states.iter().all(|state| **state == "ok" || **state == "skipped"), "{report:#}");
    let read = cluster.run(&["cat", "orders", "-o", "json"]).json();
    assert_eq!(read.len(), 2, "one test message for each broker");
    assert!(read.iter().all(|message| message["tag"] == "maxq-doctor"));
    let text = cluster.run(&["doctor", "orders", "--no-send"]).text();
    assert!(text.ends_with("verdict: all well\n"), "{text}");
    assert_eq!(cluster.run(&["cat", "orders"]).lines().len(), 2, "nothing more was sent");
}

#[test]
fn what_failed_is_said_with_its_fix() {
    let cluster = Emulator::start(1);
    cluster.run(&["topic", "create", "orders", "--perm", "r"]);
    let ended = run(cluster.maxq(&["doctor", "orders"])).expect(1);
    let text = ended.text();
    assert!(text.contains("failed   permission") && text.contains("broker-0 (perm 4)"), "{text}");
    assert!(text.contains("maxq topic create orders") && text.contains("[MQ2004]"), "{text}");
    let report = &run(cluster.maxq(&["doctor", "orders", "-o", "json"])).expect(1).json()[0];
    assert_eq!(report["verdict"], "failed");
}

#[test]
fn nothing_reachable_has_a_code_of_its_own() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let ended = run(maxq(&["doctor", "--name-server", &address])).expect(3);
    assert!(
        ended.text().contains("connection refused") && ended.text().contains("[MQ2001]"),
        "{}",
        ended.text()
    );
    let unknown = format!("{}:9876", "x".repeat(64));
    let report = &run(maxq(&["doctor", "--name-server", &unknown, "-o", "json"])).expect(3).json()[0];
    assert_eq!((&report["verdict"], &report["checks"][0]["check"]), (&"unreachable".into(), &"dns".into()));
    run(maxq(&["doctor"])).expect(2).says(&["no name server is named"]);
}
