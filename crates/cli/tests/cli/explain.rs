//! `maxq explain`.

use maxq::ErrorCode;
use serde_json::json;

use crate::process::{maxq, run};

#[test]
fn every_code_is_explained() {
    for code in ErrorCode::ALL {
        let ended = run(maxq(&["explain", &code.to_string().to_lowercase()])).expect(0);
        let text = ended.text().replace('\n', " ");
        for part in [&*format!("{code}: {}", code.title()), code.explanation(), code.advice()] {
            assert!(text.contains(part), "{part}\nnot in\n{text}");
        }
        assert!(ended.stderr.is_empty());
    }
}

#[test]
fn a_code_looks_like_this() {
    assert_eq!(
        run(maxq(&["explain", "2008"])).expect(0).text(),
        "MQ2008: no broker is registered

The name server answered, but no broker with a master is registered there, so there is
nobody to ask. Usually the broker was not started or has ended (see its log), has no
`namesrvAddr` or another one, or cannot reach the name server. A broker registers at its
start and every 30 s. `maxq cluster` shows the brokers that are registered.

What to do: start a broker, with this name server in its namesrvAddr.
"
    );
}

#[test]
fn all_codes_are_listed() {
    for args in [&["explain"][..], &["explain", "--list"]] {
        let lines = run(maxq(args)).expect(0).lines();
        assert_eq!(lines[0], "CODE    WHAT HAPPENED");
        assert_eq!(lines.len(), 1 + ErrorCode::ALL.len());
        assert!(lines.contains(&"MQ2003  no master".to_owned()), "{lines:?}");
    }
    let listed = &run(maxq(&["explain", "-o", "json"])).expect(0).json()[0];
    assert_eq!(listed["codes"].as_array().unwrap().len(), ErrorCode::ALL.len());
}

#[test]
fn machines_get_json() {
    let code = ErrorCode::TOPIC_NOT_FOUND;
    assert_eq!(
        run(maxq(&["explain", "MQ2002", "-o", "json"])).expect(0).json()[0],
        json!({
            "code": "MQ2002",
            "title": "the topic does not exist",
            "advice": code.advice(),
            "explanation": code.explanation(),
        })
    );
    assert_eq!(
        run(maxq(&["explain", "broker", "14", "-o", "json"])).expect(0).json()[0],
        json!({
            "response_code": 14,
            "name": "SERVICE_NOT_AVAILABLE",
            "meaning": "The broker takes no writes now: its disk is full, it is a replica, or it is shutting down",
            "a_send": "it tries another broker",
        })
    );
}

#[test]
fn a_brokers_code_is_explained_with_what_a_send_does() {
    assert_eq!(
        run(maxq(&["explain", "215"])).expect(0).text(),
        "broker response FLOW_CONTROL (215)

Flow control: the server takes no more of these requests now.

What a send does: it waits a little, then tries another broker.
"
    );
    assert!(run(maxq(&["explain", "19"])).expect(0).text().contains("No send gets this answer."));
}

#[test]
fn an_unknown_code_is_a_typing_error_with_what_is_near() {
    run(maxq(&["explain", "MQ2093"])).expect(2).says(&[
        "MQ2093",
        "did you mean MQ2003 (no master)",
        "--list",
    ]);
    run(maxq(&["explain", "broker", "4711"])).expect(2).says(&["4711"]);
    run(maxq(&["explain", "MQ2003", "MQ2004"])).expect(2).says(&["one code at a time"]);
    run(maxq(&["explain", "--list", "MQ2003"])).expect(2);
    run(maxq(&["explain", "--name-server", "a:1"])).expect(2).says(&["explain takes no --name-server"]);
}

/// What an error ends with can be explained.
#[test]
fn the_code_of_an_error_leads_to_its_explanation() {
    let stderr = run(maxq(&["cluster", "--name-server", "localhost"])).expect(2).stderr;
    let code = stderr.trim_end().rsplit(' ').next().unwrap();
    assert!(run(maxq(&["explain", code])).expect(0).text().starts_with("MQ1005: "), "{stderr}");
}
