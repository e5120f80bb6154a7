//! What bad input gets: the cause, the fix, an exit code; and nothing that came before it is lost.

use std::{
    fs::OpenOptions,
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use serde_json::json;

use crate::{
    name_server::{Answer, NameServer},
    process::{Emulator, Running, maxq, run, run_with},
};

#[test]
fn an_address_that_does_not_parse_is_named_with_its_source() {
    run(maxq(&["cluster", "--name-server", "localhost"])).expect(2).says(&[
        "--name-server",
        "port is missing",
        "MQ1005",
    ]);
    let mut command = maxq(&["cluster"]);
    command.env("NAMESRV_ADDR", "a b:1");
    run(command).expect(2).says(&["NAMESRV_ADDR", "\"a b:1\" is no host:port"]);
    let mut command = maxq(&["cluster"]);
    command.env("MAXQ_URL", "rocketmq://a:1/?gruop=x").env("NAMESRV_ADDR", "127.0.0.1:1");
    run(command).expect(2).says(&["MAXQ_URL", "\"gruop\" is no key"]);
    let mut command = maxq(&["cluster"]);
    command.env("MAXQ_URL", "rocketmq://key:s3cret@a:1");
    let ended = run(command).expect(2).says(&["MAXQ_URL", "credentials"]);
    assert!(!ended.stderr.contains("s3cret"));
    run(maxq(&["cluster"])).expect(2).says(&["--name-server HOST:9876", "MAXQ_URL", "NAMESRV_ADDR"]);
}

#[test]
fn a_name_server_that_is_not_there() {
    // A port that was free a moment ago.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for command in [&["cluster"][..], &["route", "orders"], &["cat", "orders"], &["topic", "list"], &["demo"]]
    {
        let ended = run(maxq(&[command, &["--name-server", &closed]].concat())).expect(3);
        ended.says(&["--name-server", &closed, "refused", "MQ2001"]);
    }
    run_with(maxq(&["produce", "orders", "--name-server", &closed]), b"x\n").expect(3).says(&["MQ2001"]);
}

#[test]
fn a_name_server_that_says_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let ended = run(maxq(&["cluster", "--name-server", &address, "--timeout", "200ms"])).expect(3);
    ended.says(&[&address, "MQ2001"]);
}

#[test]
fn a_server_that_speaks_something_else() {
    for (answer, code) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "MQ3005"),
        (b"\x7f\xff\xff\xff\x7f\xff\xff\xff", "MQ3004"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                stream.write_all(answer).unwrap();
                drop(stream.read_to_end(&mut Vec::new()));
            }
        });
        run(maxq(&["cluster", "--name-server", &address])).expect(3).says(&[&address, code]);
    }
}

#[test]
fn a_name_server_that_answers_nonsense() {
    let bomb = [b"{\"brokerDatas\":".as_slice(), &b"[".repeat(1_000_000)].concat();
    for answer in [Answer::Half, Answer::Body(bomb), Answer::Body(b"7".to_vec()), Answer::Body(vec![])] {
        let name_server = NameServer::start(answer);
        for command in [&["route", "orders"][..], &["cat", "orders"], &["cluster"], &["topic", "list"]] {
            let args = [command, &["--name-server", &name_server.address, "--timeout", "500ms"]].concat();
            let ended = run(maxq(&args));
            // Not one of them is understood, and none of them makes us crash.
            assert!(matches!(ended.code, Some(1 | 3)), "{command:?}: {:?} {}", ended.code, ended.stderr);
            assert!(
                ended.stderr.starts_with("error: ") && !ended.stderr.contains("panic"),
                "{}",
                ended.stderr
            );
        }
    }
}

#[test]
fn a_broker_that_cannot_be_reached() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let name_server = NameServer::start(Answer::Route(vec![("broker-0", closed.as_str(), 4).into()]));
    let ended = run_with(maxq(&["produce", "orders", "--name-server", &name_server.address]), b"one\ntwo\n");
    ended.expect(3).says(&["line 1: ", &closed, "MQ3001", "nothing stored"]);
}

#[test]
fn invalid_ndjson_is_told_with_its_line_and_nothing_before_it_is_lost() {
    let cluster = Emulator::start(2);
    let mut input: String = (1..=99).map(|n| format!("{{\"body\":\"{n}\"}}\n")).collect();
    input.push_str("{\"body\":\"100\",\"colour\":1}\n{\"body\":\"never\"}\n");
    let ended =
        run_with(cluster.maxq(&["produce", "orders", "--format", "ndjson", "-o", "json"]), input.as_bytes());
    let ended = ended.expect(4).says(&[
        "line 100: ",
        "unknown field `colour`",
        "99 messages stored",
        "stopped at line 100",
    ]);
    let receipts = ended.json();
    assert_eq!(receipts.len(), 100);
    assert!(receipts[..99].iter().all(|receipt| receipt["outcome"] == "stored"));
    assert_eq!(receipts[99]["outcome"], "not_sent");
    assert_eq!(cluster.run(&["cat", "orders"]).lines().len(), 99);
}

#[test]
fn bad_first_lines_are_wrong_input() {
    let cluster = Emulator::start(1);
    for (line, why) in
        [(&b"hello\n"[..], "JSON object"), (b"{\"body\":\"\xff\"}\n", "unicode"), (b"{}\n", "no body")]
    {
        let ended = run_with(cluster.maxq(&["produce", "orders", "--format", "ndjson"]), line);
        ended.expect(2).says(&["line 1: ", why, "nothing stored"]);
    }
    // Where RocketMQ's rules refuse a message, and not the form of the line.
    for record in [
        json!({"body": ""}),
        json!({"body": "x", "properties": {"TAGS": "t"}}),
        json!({"body": "x\u{1}", "tag": "\u{1}"}),
    ] {
        let line = format!("{record}\n");
        run_with(cluster.maxq(&["produce", "orders", "--format", "ndjson"]), line.as_bytes())
            .expect(5)
            .says(&["MQ1001"]);
    }
}

#[test]
fn a_body_of_5_mib_is_refused() {
    let cluster = Emulator::start(1);
    let ended = run_with(cluster.maxq(&["produce", "orders"]), &vec![b'x'; 5 << 20]).expect(5);
    ended.says(&["line 1: ", "5242880 bytes", "at most 4194304", "nothing stored"]);
}

#[test]
fn a_topic_without_a_name_is_a_typing_error() {
    run(maxq(&["produce", ""])).expect(2).says(&["topic is empty"]);
    run(maxq(&["cat", ""])).expect(2).says(&["topic is empty"]);
    run(maxq(&["route", "a/b"])).expect(2).says(&["'/' at character 2"]);
    run(maxq(&["produc", "orders"])).expect(2).says(&["produce"]);
    run(maxq(&["produce", "orders", "no-such-file"])).expect(2).says(&["no file no-such-file"]);
}

#[test]
fn a_missing_queue_is_refused_before_or_by_the_broker() {
    let cluster = Emulator::start(1);
    cluster.run(&["topic", "create", "orders"]);
    run_with(cluster.maxq(&["produce", "orders", "--queue", "broker-7:0"]), b"x\n")
        .expect(5)
        .says(&["MQ2006"]);
    run_with(cluster.maxq(&["produce", "orders", "--queue", "broker-0:99"]), b"x\n")
        .expect(5)
        .says(&["MQ4001"]);
    run(maxq(&["produce", "orders", "--queue", "broker-0"])).expect(2).says(&["BROKER:ID"]);
}

#[test]
fn a_closed_output_ends_quietly() {
    let cluster = Emulator::start(1);
    // More than any pipe holds.
    let line = [vec![b'x'; 20_000], b"\n".to_vec()].concat();
    cluster.run_with(&["produce", "orders"], &line.repeat(100));
    let mut cat = Running::start(cluster.maxq(&["cat", "orders"]));
    assert_eq!(cat.line().len(), 20_000);
    cat.close_stdout();
    assert_eq!(cat.end().expect(0).stderr, "");
}

#[test]
fn produce_stops_when_nobody_reads_its_receipts() {
    let cluster = Emulator::start(1);
    let mut produce = Running::start(cluster.maxq(&["produce", "orders", "-o", "json"]));
    produce.write(b"one\n");
    assert!(produce.line().contains("\"stored\""));
    produce.close_stdout();
    // A process that another test starts just now holds a copy of our pipe until it runs its program; so one line may
    // still find a reader. Another one after it does not.
    let receipts_of = |count: usize| cluster.run(&["cat", "orders"]).lines().len() >= count;
    produce.offer(b"two\n");
    while !receipts_of(2) {}
    produce.offer(b"three\n");
    // Standard input is still open, so not all was sent.
    let ended = produce.end().expect(4).says(&["messages stored"]);
    assert!(!ended.stderr.contains("error"), "{}", ended.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let cluster = Emulator::start(1);
    cluster.run_with(&["produce", "orders"], b"one\ntwo\n");
    for args in
        [&["cat", "orders"][..], &["route", "orders"], &["cluster", "-o", "json"], &["completions", "bash"]]
    {
        let mut command = cluster.maxq(args);
        command.stdout(full());
        run(command).expect(1).says(&["cannot write to standard output", "No space left"]);
    }
    let mut command = cluster.maxq(&["produce", "orders", "-o", "json"]);
    command.stdout(full());
    let ended = run_with(command, b"three\n").says(&["1 message stored", "No space left"]);
    // 4 where the receipt came before the end of the input was seen: more might have been to send.
    assert!(matches!(ended.code, Some(1 | 4)), "{:?}\n{}", ended.code, ended.stderr);
    assert_eq!(cluster.run(&["cat", "orders"]).lines().len(), 3);
}
