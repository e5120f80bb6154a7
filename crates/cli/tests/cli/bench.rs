//! `maxq bench`: the sums add up, the picture is there, and a stall shows in every message that had to wait.

use serde_json::Value;

use crate::process::{Emulator, Running, maxq, run};

#[track_caller]
fn report(args: &[&str]) -> Value {
    let all =
        [&["bench", "--warm-up", "100ms", "--duration", "60s", "--body", "10", "-o", "json"], args].concat();
    run(maxq(&all)).expect(0).json().remove(0)
}

#[track_caller]
fn check(report: &Value, messages: u64) {
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{report:#}"));
    assert_eq!((number(&report["sent"]), number(&report["acknowledged"])), (messages, messages));
    assert_eq!((number(&report["failed"]), number(&report["unknown"])), (0, 0));
    let latency = |name: &str| number(&report["latency_us"][name]);
    assert!(latency("min") <= latency("p50") && latency("p50") <= latency("p99"), "{report:#}");
    assert!(latency("p99") <= latency("max") && latency("max") > 0, "{report:#}");
    let points = report["points"].as_array().unwrap();
    let in_points: u64 = points.iter().map(|point| number(&point["messages"])).sum();
    assert!(!points.is_empty() && in_points <= messages, "{report:#}");
}

#[test]
fn an_emulated_cluster_is_measured_without_any_server() {
    let report = report(&["--messages", "2000", "--in-flight", "16"]);
    check(&report, 2_000);
    assert_eq!((&report["mode"], &report["loop"]), (&"awaited".into(), &"closed".into()));
    assert_eq!(report["corrected"], false);
}

#[test]
fn one_way_messages_end_at_the_socket() {
    check(&report(&["--mode", "oneway", "--messages", "500"]), 500);
}

#[test]
fn a_batch_counts_each_of_its_messages() {
    let report = report(&["--mode", "batch", "--batch", "10", "--in-flight", "4", "--messages", "600"]);
    check(&report, 600);
    assert_eq!((&report["mode"], &report["batch"]), (&"batch".into(), &10.into()));
}

#[test]
fn threads_that_wait_are_measured_too() {
    let report = report(&["--mode", "blocking", "--in-flight", "4", "--messages", "400"]);
    check(&report, 400);
    assert_eq!((&report["mode"], &report["in_flight"]), (&"blocking".into(), &4.into()));
}

#[test]
fn a_cluster_of_its_own_gets_the_topic() {
    let cluster = Emulator::start(2);
    let args =
        ["--messages", "300", "--queues", "3", "--topic", "load", "--name-server", cluster.name_server()];
    check(&report(&args), 300);
    let described = &cluster.run(&["topic", "describe", "load", "-o", "json"]).json()[0];
    assert_eq!(described["brokers"][1]["write_queues"], 3);
    assert!(described["messages"].as_u64().unwrap() >= 300, "{described}");
    // The topic stays as it is.
    check(
        &report(&[
            "--messages",
            "300",
            "--queues",
            "9",
            "--topic",
            "load",
            "--name-server",
            cluster.name_server(),
        ]),
        300,
    );
    let described = &cluster.run(&["topic", "describe", "load", "-o", "json"]).json()[0];
    assert_eq!(described["brokers"][1]["write_queues"], 3);
}

#[test]
fn an_open_loop_keeps_its_rate() {
    let report = report(&["--rate", "200/s", "--messages", "200"]);
    check(&report, 200);
    assert_eq!((&report["loop"], &report["corrected"]), (&"open".into(), &true.into()));
    // 199 steps of 5 ms, less what a slow start has left to make up for; without a schedule it takes a tenth of that.
    assert!(report["measured_ms"].as_u64().unwrap() >= 500, "{report:#}");
}

/// With one message under way, a rate that no connection gives piles messages up. Each counts from
/// when it was due, so the last ones are late by nearly the whole run, though each answer comes at once.
#[test]
fn a_message_that_could_not_begin_in_time_counts_from_when_it_was_due() {
    let report = report(&["--rate", "1000000/s", "--messages", "3000", "--in-flight", "1"]);
    check(&report, 3_000);
    let (p50, max) = (&report["latency_us"]["p50"], &report["latency_us"]["max"]);
    let measured = report["measured_ms"].as_u64().unwrap() * 1_000;
    assert!(p50.as_u64().unwrap() > measured / 4 && max.as_u64().unwrap() > measured / 2, "{report:#}");
}

/// No answer comes, so with one message under way five begin, one after the other, and the others that were due do not.
/// What began took its time although it failed, and what did not had waited: before both were left out, a load that was
/// stalled for all of its time had no latencies at all.
#[test]
fn what_failed_and_what_was_due_and_did_not_begin_have_waited_too() {
    let cluster = Emulator::start_with(&["--control", "0"]);
    let control = cluster.ready["control"].as_str().unwrap();
    let fault = ["emulator", "fault", "add", "--control", control, "--on", "send", "--then", "drop-answer"];
    run(maxq(&fault)).expect(0);
    let args = ["--rate", "100/s", "--in-flight", "1", "--timeout", "200ms", "-o", "json"];
    let load = ["bench", "--warm-up", "1ms", "--duration", "1s", "--name-server", cluster.name_server()];
    let report = run(maxq(&[&load[..], &args].concat())).expect(1).json().remove(0);
    let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("{report:#}"));
    let (begun, not_begun) = (number(&report["unknown"]), number(&report["not_begun"]));
    assert_eq!((number(&report["sent"]), number(&report["acknowledged"])), (begun, 0), "{report:#}");
    assert!(begun >= 1 && not_begun >= 80, "{report:#}");
    let latency = |name: &str| number(&report["latency_us"][name]);
    // Evenly up to a second, and those under way.
    assert!(latency("p50") > 300_000 && latency("p99") > 700_000, "{report:#}");
    let points = report["points"].as_array().unwrap();
    assert!(points.iter().all(|point| point["messages"] == 0), "{report:#}");
}

#[test]
fn people_get_a_table_and_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bench.svg");
    let args =
        ["bench", "--warm-up", "100ms", "--duration", "60s", "--messages", "500", "--brokers", "1", "--plot"];
    let ended = run(maxq(&[&args[..], &[file.to_str().unwrap()]].concat())).expect(0).says(&["1 broker"]);
    let text = ended.text();
    for part in ["messages/s", "acknowledged", "p99.99", "from when a message began"] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let picture = std::fs::read_to_string(&file).unwrap();
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
    for part in ["messages/s", "latency", "p99.9", "maxq bench: awaited"] {
        assert!(picture.contains(part), "no {part:?} in the picture");
    }
}

#[test]
fn an_interrupted_run_reports_what_was_measured() {
    let mut bench = Running::start(maxq(&["bench", "--warm-up", "1ms", "--duration", "1h", "-o", "json"]));
    assert!(bench.note().starts_with("emulated cluster: name server 127.0.0.1:"));
    assert!(bench.note().starts_with("awaited, closed loop, 256 under way"));
    bench.signal("INT");
    let ended = bench.end().expect(6).says(&["interrupted: reporting what was measured"]);
    let report = &ended.json()[0];
    assert_eq!(report["sent"], report["acknowledged"]);
}

#[test]
fn what_contradicts_itself_is_refused() {
    run(maxq(&["bench", "--brokers", "2", "--name-server", "127.0.0.1:1"])).expect(2).says(&["--brokers"]);
    run(maxq(&["bench", "--batch", "2"])).expect(2).says(&["--mode batch"]);
    run(maxq(&["bench", "--mode", "blocking", "--in-flight", "2000"])).expect(2).says(&["1024 threads"]);
    run(maxq(&["bench", "--rate", "0"])).expect(2).says(&["is no rate"]);
    run(maxq(&["bench", "--name-server", "127.0.0.1:1"])).expect(3);
}
