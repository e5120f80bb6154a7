//! `maxq demo`: the sums add up, and nothing acknowledged is lost.

use serde_json::Value;

use crate::process::{Emulator, Ended, maxq, run};

#[track_caller]
fn verdict(ended: &Ended) -> impl Fn(&str) -> u64 {
    let verdict: Value = ended.json().remove(0);
    move |key| verdict[key].as_u64().unwrap_or_else(|| panic!("{key} in {verdict}"))
}

#[track_caller]
fn check(count: impl Fn(&str) -> u64, messages: u64) {
    assert_eq!(count("sent"), messages);
    assert_eq!(count("sent"), count("acknowledged") + count("failed") + count("unknown") + count("oneway"));
    assert_eq!(count("lost"), 0);
    assert!(count("acknowledged") > 0 && count("stored") >= count("acknowledged"));
    assert!(count("stored") <= count("sent") && count("oneway") > 0);
    assert!(count("p50_us") > 0 && count("p50_us") <= count("p99_us") && count("p99_us") <= count("max_us"));
    assert!(count("messages_per_second") > 0);
}

#[test]
fn nothing_is_lost_when_a_broker_is_killed_and_another_one_freezes() {
    let args = ["demo", "--messages", "2000", "--seconds", "60", "--in-flight", "32", "-o", "json"];
    let ended = run(maxq(&args)).expect(0).says(&["killed broker-1", "froze broker-2"]);
    let count = verdict(&ended);
    assert!(count("kill_max_us") > 0 && count("freeze_max_us") > 0);
    assert_eq!(count("failed"), 0);
    check(count, 2_000);
}

#[test]
fn people_are_told_lost_0_at_the_end() {
    // A variable that names a cluster changes nothing: only the flag does.
    let mut command =
        maxq(&["demo", "--messages", "300", "--seconds", "60", "--brokers", "1", "--body", "10"]);
    command.env("NAMESRV_ADDR", "127.0.0.1:1").env("MAXQ_URL", "rocketmq://127.0.0.1:1");
    let ended = run(command).expect(0);
    assert!(ended.text().ends_with("lost 0\n"), "{}", ended.text());
    assert!(!ended.stderr.contains("killed"), "{}", ended.stderr);
}

#[test]
fn a_cluster_of_its_own_is_read_back() {
    for version in ["5.5.0", "4.9.7"] {
        let cluster = Emulator::start_with(&["--brokers", "2", "--version", version]);
        let args = [
            "demo",
            "--messages",
            "1000",
            "--seconds",
            "60",
            "-o",
            "json",
            "--name-server",
            cluster.name_server(),
        ];
        // The second run finds the messages of the first in the topic.
        for _ in 0..2 {
            let ended = run(maxq(&args)).expect(0);
            assert_eq!(ended.json()[0]["kill_max_us"], Value::Null);
            assert_eq!(ended.json()[0]["freeze_max_us"], Value::Null);
            check(verdict(&ended), 1_000);
        }
    }
}

#[test]
fn brokers_are_chosen_for_an_emulated_cluster_only() {
    let args = ["demo", "--brokers", "2", "--name-server", "127.0.0.1:1"];
    run(maxq(&args)).expect(2).says(&["--brokers", "--name-server"]);
}
