//! `maxq topic`, `maxq route`, `maxq cluster`.

use serde_json::json;

use crate::process::{Emulator, run};

#[test]
fn a_topic_is_there_when_create_returns() {
    let cluster = Emulator::start(2);
    let created = cluster.run(&["topic", "create", "orders", "--queues", "3", "--perm", "r"]);
    assert_eq!(created.text(), "topic orders has 3 queues (read) on each of: broker-0, broker-1\n");
    assert_eq!(cluster.run(&["topic", "list"]).says(&["of RocketMQ's own left out"]).lines(), ["orders"]);
    let all = cluster.run(&["topic", "list", "--all"]).lines();
    assert!(
        all.len() > 1 && all.contains(&"TBW102".to_owned()) && all.contains(&"orders".to_owned()),
        "{all:?}"
    );
    let route = &cluster.run(&["route", "orders", "-o", "json"]).json()[0];
    for broker in 0..2 {
        let expected = json!({
            "name": format!("broker-{broker}"),
            "cluster": "DefaultCluster",
            "addresses": { "0": cluster.ready["brokers"][broker] },
            "read_queues": 3,
            "write_queues": 3,
            "perm": 4,
        });
        assert_eq!(route["brokers"][broker], expected);
    }
}

#[test]
fn machines_get_json() {
    let cluster = Emulator::start(1);
    let created = &cluster.run(&["topic", "create", "orders", "-o", "json"]).json()[0];
    assert_eq!(*created, json!({"topic": "orders", "queues": 8, "perm": 6, "brokers": ["broker-0"]}));
    assert_eq!(cluster.run(&["topic", "list", "-o", "json"]).json()[0], json!({"topics": ["orders"]}));
    let clusters = &cluster.run(&["cluster", "-o", "json"]).json()[0];
    let broker = json!({"name": "broker-0", "addresses": {"0": cluster.ready["brokers"][0]}});
    assert_eq!(*clusters, json!({"clusters": [{"name": "DefaultCluster", "brokers": [broker]}]}));
}

#[test]
fn people_get_tables() {
    let cluster = Emulator::start(1);
    cluster.run(&["topic", "create", "orders"]);
    let address = cluster.ready["brokers"][0].as_str().unwrap();
    let lines = cluster.run(&["cluster"]).lines();
    assert_eq!(lines[0], "CLUSTER         BROKER    ROLE    ADDRESS");
    assert_eq!(lines[1], format!("DefaultCluster  broker-0  master  {address}"));
    let lines = cluster.run(&["route", "orders"]).lines();
    assert!(lines[0].starts_with("BROKER    CLUSTER         ROLE    ADDRESS"), "{lines:?}");
    assert!(lines[1].ends_with("8             8  read, write"), "{lines:?}");
}

#[test]
fn rocketmqs_own_topics_are_not_created() {
    let cluster = Emulator::start(1);
    run(cluster.maxq(&["topic", "create", "TBW102"])).expect(2).says(&["RocketMQ's own"]);
    run(cluster.maxq(&["topic", "create", "orders", "--perm", "7"])).expect(2).says(&["rw (6)"]);
    run(cluster.maxq(&["topic", "create", "orders", "--queues", "0"])).expect(2);
}
