//! `maxq cat`: from where, how much, in which form.

use std::net::TcpListener;

use maxq_emulator::Cluster;
use tokio::runtime::Runtime;

use crate::{
    name_server::{Answer, NameServer},
    process::{Emulator, Running, maxq, run, run_with},
};

/// A cluster with the messages 1 to 9 in one queue.
fn nine() -> Emulator {
    let cluster = Emulator::start(2);
    cluster.run(&["topic", "create", "orders"]);
    let args = ["produce", "orders", "--queue", "broker-0:2", "--in-flight", "1"];
    cluster.run_with(&args, b"1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    cluster
}

#[test]
fn it_begins_where_it_is_told_and_stops_after_so_many() {
    let cluster = nine();
    let cat = |args: &[&str]| cluster.run(&[&["cat", "orders"], args].concat()).lines().concat();
    assert_eq!(cat(&[]), "123456789");
    assert_eq!(cat(&["-n", "2"]), "12");
    assert_eq!(cat(&["--from", "6"]), "789");
    assert_eq!(cat(&["--from", "6", "-n", "1"]), "7");
    assert_eq!(cat(&["--from", "1h"]), "123456789");
    assert_eq!(cat(&["--from", "end"]), "");
    assert_eq!(cat(&["--queue", "broker-0:2"]), "123456789");
    assert_eq!(cat(&["--queue", "broker-1:2", "--queue", "broker-0:3"]), "");
    cluster
        .run(&["cat", "orders", "--from", "2099-01-01T00:00:00Z"])
        .says(&["no messages in orders, from 2099-01-01"]);
}

#[test]
fn a_time_finds_what_was_stored_from_then_on() {
    // 4.9 looks for the nearest message, which may be older.
    for version in ["5.5.0", "4.9.7"] {
        let cluster = Emulator::start_with(&["--version", version]);
        for body in ["1", "2", "3"] {
            cluster.run_with(&["produce", "orders"], body.as_bytes());
        }
        let records = cluster.run(&["cat", "orders", "-o", "json"]).json();
        let stored: Vec<_> =
            records.iter().map(|record| record["store_timestamp"].as_i64().unwrap()).collect();
        for millis in [stored[0], stored[0] + 1, stored[1], stored[1] + 1, stored[2], stored[2] + 1] {
            let expected = stored.iter().filter(|stored| **stored >= millis).count();
            let time = jiff::Timestamp::from_millisecond(millis).unwrap().to_string();
            assert_eq!(
                cluster.run(&["cat", "orders", "--from", &time]).lines().len(),
                expected,
                "{version} {time}"
            );
        }
    }
}

#[test]
fn queues_are_merged_by_the_time_of_storing() {
    let cluster = Emulator::start(2);
    // One after the other, over all queues.
    let input: String = (1..=40).map(|n| format!("{n:02}\n")).collect();
    cluster.run_with(&["produce", "orders", "--in-flight", "1"], input.as_bytes());
    let records = cluster.run(&["cat", "orders", "-o", "json"]).json();
    let times: Vec<_> = records.iter().map(|record| record["store_timestamp"].as_i64().unwrap()).collect();
    assert!(times.is_sorted() && times.len() == 40, "{times:?}");
    assert!(records.iter().any(|record| record["broker"] == "broker-0"));
    assert!(records.iter().any(|record| record["broker"] == "broker-1"));
}

#[test]
fn hex_shows_where_a_message_is_and_every_byte() {
    let cluster = nine();
    let args =
        ["produce", "orders", "--queue", "broker-0:2", "--tag", "t", "--property", "a=b", "--key", "k"];
    cluster.run_with(&args, b"hello\xff");
    let lines = cluster.run(&["cat", "orders", "--from", "9", "--format", "hex"]).lines();
    assert!(lines[0].starts_with("orders broker-0:2 offset 9, stored 20"), "{lines:?}");
    assert!(lines[0].ends_with(", tag t, key k, a=b, 6 bytes"), "{lines:?}");
    assert_eq!(lines[1], "00000000  68 65 6c 6c 6f ff                                 |hello.|");
}

#[test]
fn following_shows_what_was_there_and_what_comes_until_ctrl_c() {
    let cluster = nine();
    let mut following = Running::start(cluster.maxq(&["cat", "orders", "--follow", "--from", "8"]));
    assert_eq!(following.line(), "9");
    for body in ["ten", "eleven"] {
        cluster.run_with(&["produce", "orders"], body.as_bytes());
        assert_eq!(following.line(), body);
    }
    following.signal("INT");
    let ended = following.end().expect(0);
    assert_eq!((ended.text().as_str(), ended.stderr.as_str()), ("", ""));
}

#[test]
fn following_survives_the_death_of_a_broker() {
    let runtime = Runtime::new().unwrap();
    let cluster = runtime.block_on(Cluster::builder().brokers(2).topic("orders", 2).start()).unwrap();
    let name_servers = cluster.name_servers();
    let send = |body: &str| {
        let args = ["produce", "orders", "--queue", "broker-1:0", "--name-server", &name_servers];
        run_with(maxq(&args), body.as_bytes()).expect(0);
    };
    send("one");
    let mut following = Running::start(maxq(&["cat", "orders", "--follow", "--name-server", &name_servers]));
    assert_eq!(following.line(), "one");
    runtime.block_on(cluster.kill_broker(1));
    let note = following.note();
    assert!(note.starts_with("warning: broker-1: ") && note.ends_with("trying again"), "{note}");
    runtime.block_on(cluster.restart_broker(1)).unwrap();
    send("two");
    assert_eq!(following.line(), "two");
    following.signal("INT");
    // Both of its queues failed, and one line said so.
    assert_eq!(following.end().expect(0).stderr, "");
}

#[test]
fn a_broker_that_cannot_be_reached_does_not_hide_the_others() {
    let cluster = nine();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let reached = cluster.ready["brokers"][0].as_str().unwrap();
    let brokers = [("broker-0", reached, 3), ("broker-9", closed.as_str(), 1)];
    let name_server = NameServer::start(Answer::Route(brokers.map(Into::into).to_vec()));
    let ended = run(maxq(&["cat", "orders", "--name-server", &name_server.address])).expect(3);
    assert_eq!(ended.lines().concat(), "123456789");
    ended.says(&["broker-9:0 cannot be read to its end", &closed, "MQ3001"]);
}

#[test]
fn a_missing_topic_or_queue_is_told_with_what_to_do() {
    let cluster = nine();
    run(cluster.maxq(&["cat", "nothing"])).expect(5).says(&[
        "no topic nothing",
        "maxq topic create nothing",
        "MQ2002",
    ]);
    let missing = run(cluster.maxq(&["cat", "orders", "--queue", "broker-7:0"])).expect(2);
    missing.says(&["no queue broker-7:0", "maxq route orders"]);
}
