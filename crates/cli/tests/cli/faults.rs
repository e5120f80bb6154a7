//! `maxq emulator run --control`, `fault` and `broker`: a cluster that is made to fail from outside.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
};

use serde_json::{Value, json};

use crate::process::{Emulator, Ended, maxq, run, run_with};

/// A cluster with a control interface on a free port.
fn controlled(args: &[&str]) -> Emulator {
    Emulator::start_with(&[&["--control", "0"], args].concat())
}

impl Emulator {
    fn control(&self) -> &str {
        self.ready["control"].as_str().expect("the control interface is told")
    }

    /// `maxq emulator ..` about this cluster.
    fn emulator(&self, args: &[&str]) -> Ended {
        run(maxq(&[&["emulator"], args, &["--control", self.control()]].concat()))
    }

    /// Sends bytes to the control interface; gives the status and the body of its answer.
    fn http(&self, request: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.control()).expect("it listens");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers and closes");
        drop(stream.shutdown(Shutdown::Both));
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, serde_json::from_str(body).expect("a body of JSON"))
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let length = body.len();
        self.http(&format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    }
}

#[test]
fn a_fault_is_added_fires_and_is_removed() {
    let cluster = controlled(&[]);
    let added = cluster.emulator(&["fault", "add", "--on", "send", "--topic", "orders", "--then", "code=13"]);
    assert_eq!(added.expect(0).text(), "1\n");
    let send = |cluster: &Emulator| run_with(cluster.maxq(&["produce", "orders"]), b"hello\n");
    send(&cluster).expect(5);
    let listed = cluster.emulator(&["fault", "list", "-o", "json"]).expect(0).json().remove(0);
    assert_eq!(listed["faults"][0]["fired"], 1);
    assert_eq!(listed["faults"][0]["fault"]["topic"], "orders");
    let table = cluster.emulator(&["fault", "list"]).expect(0).lines();
    assert!(table[0].starts_with("ID  FIRED  FAULT") && table[1].contains(r#""code":13"#), "{table:?}");
    cluster.emulator(&["fault", "remove", "1"]).expect(0);
    cluster.emulator(&["fault", "remove", "1"]).expect(5).says(&["there is no fault 1"]);
    send(&cluster).expect(0);
    let (_, requests) = cluster.ask("GET", "/v1/requests", "");
    let sends: Vec<_> = requests["requests"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|request| request["topic"] == "orders" && request["server"] == "broker")
        .collect();
    assert_eq!(sends.len(), 2, "{requests}");
    assert_eq!(sends[0]["name"], "SEND_MESSAGE_V2");
}

#[test]
fn faults_come_as_json_too() {
    let cluster = controlled(&[]);
    let fault = r#"{"on":"route","times":2,"then":{"do":"route","variant":"truncated"}}"#;
    let add = ["emulator", "fault", "add", "-o", "json", "--control", cluster.control(), "--json"];
    let added = run_with(maxq(&[&add[..], &["-"]].concat()), fault.as_bytes()).expect(0).json().remove(0);
    assert_eq!((&added["id"], &added["fired"], &added["fault"]["times"]), (&json!(1), &json!(0), &json!(2)));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fault.json");
    fs::write(&file, fault).unwrap();
    run(maxq(&[&add[..], &[file.to_str().unwrap()]].concat())).expect(0);
    assert_eq!(cluster.ask("GET", "/v1/faults", "").1["faults"].as_array().unwrap().len(), 2);
    run_with(maxq(&[&add[..], &["-"]].concat()), b"{\"on\":\"sometimes\"}")
        .expect(2)
        .says(&["this is no fault"]);
    run(maxq(&[&add[..], &["/no/such/file"]].concat()))
        .expect(1)
        .says(&["cannot read the fault from /no/such/file"]);
    cluster.emulator(&["fault", "add", "--json", "-", "--on", "send"]).expect(2);
    cluster.emulator(&["fault", "remove", "--all"]).expect(0);
    assert_eq!(cluster.ask("GET", "/v1/faults", "").1, json!({"faults": []}));
}

#[test]
fn brokers_are_killed_frozen_and_brought_back() {
    let cluster = controlled(&["--brokers", "2"]);
    let broker =
        |deed: &str| cluster.emulator(&["broker", deed, "1", "-o", "json"]).expect(0).json().remove(0);
    assert_eq!((&broker("freeze")["frozen"], &broker("thaw")["frozen"]), (&json!(true), &json!(false)));
    let before = broker("kill");
    assert_eq!(before["running"], false);
    assert_eq!(
        cluster.run(&["cluster", "-o", "json"]).json()[0]["clusters"][0]["brokers"].as_array().unwrap().len(),
        1
    );
    assert_eq!(broker("restart")["running"], true);
    assert_ne!(broker("restart-elsewhere")["address"], before["address"]);
    assert_eq!(broker("read-only")["read_only"], true);
    let words = cluster.emulator(&["broker", "writable", "1"]).expect(0).text();
    assert!(words.starts_with("broker-1 127.0.0.1:") && words.ends_with(" running\n"), "{words}");
    cluster.emulator(&["broker", "kill", "2"]).expect(5).says(&["there is no broker 2", "there are 2"]);
    cluster.emulator(&["broker", "tickle", "1"]).expect(2);
}

#[test]
fn name_servers_are_stopped_and_started() {
    let cluster = controlled(&["--name-servers", "2"]);
    assert_eq!(cluster.name_server().split(';').count(), 2);
    let (status, server) = cluster.ask("POST", "/v1/name-servers/1/stop", "");
    assert_eq!((status, &server["running"]), (200, &json!(false)));
    let (_, whole) = cluster.ask("GET", "/v1/cluster", "");
    let running: Vec<_> =
        whole["name_servers"].as_array().unwrap().iter().map(|server| server["running"].clone()).collect();
    assert_eq!(running, [json!(true), json!(false)]);
    assert_eq!(cluster.ask("POST", "/v1/name-servers/1/start", "").1["running"], true);
    assert_eq!(cluster.ask("POST", "/v1/name-servers/2/stop", "").0, 404);
}

#[test]
fn only_programs_of_this_machine_may_call() {
    let cluster = controlled(&[]);
    let get = |headers: &str| cluster.http(&format!("GET /v1/cluster HTTP/1.1\r\n{headers}\r\n\r\n"));
    for host in ["127.0.0.1", "localhost:9877", "LOCALHOST", "[::1]:1"] {
        assert_eq!(get(&format!("Host: {host}")).0, 200, "{host}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example:9877", "localhost:9877:1", ""] {
        let (status, body) = get(&format!("Host: {host}"));
        assert_eq!(status, 403, "{host}");
        assert!(body["error"].as_str().unwrap().contains("127.0.0.1 or localhost"));
    }
    let (status, body) = get("Host: localhost\r\nOrigin: http://evil.example");
    assert_eq!((status, body), (403, json!({"error": "web pages may not control the emulator"})));
}

#[test]
fn what_is_wrong_is_said_in_a_sentence() {
    let cluster = controlled(&[]);
    let cases = [
        ("GET", "/v1/nothing", "", 404, "there is no such thing; begin at GET /v1/cluster"),
        ("PUT", "/v1/faults", "", 405, "this takes GET, POST, DELETE only"),
        ("POST", "/v1/faults", "", 400, "this is no fault: EOF"),
        ("POST", "/v1/faults", r#"{"chance":2}"#, 400, "a chance is between 0 and 1"),
        ("DELETE", "/v1/faults/x", "", 400, "\"x\" is no number"),
        ("GET", "/v1/faults/7", "", 404, "there is no fault 7"),
        ("POST", "/v1/brokers/0/tickle", "", 404, "nobody can \"tickle\" a broker"),
        (
            "POST",
            "/v1/brokers/9/kill",
            "",
            404,
            "there is no broker 9; they are counted from 0, and there are 1",
        ),
    ];
    for (method, path, body, status, sentence) in cases {
        let (found, answer) = cluster.ask(method, path, body);
        assert_eq!(found, status, "{method} {path}");
        assert!(answer["error"].as_str().unwrap().starts_with(sentence), "{answer}");
    }
    let large = format!("{{\"topic\":\"{}\"}}", "x".repeat(300_000));
    assert_eq!(cluster.ask("POST", "/v1/faults", &large).0, 413);
}

#[test]
fn without_a_control_interface_it_is_said_how_to_get_one() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    run(maxq(&["emulator", "fault", "list", "--control", &address]))
        .expect(3)
        .says(&["no control interface at", "maxq emulator run --control PORT"]);
    run(maxq(&["emulator", "fault", "list", "--control", "here"])).expect(2);
    run(maxq(&["emulator", "fault", "add", "--control", "1", "--then", "explode"]))
        .expect(2)
        .says(&["--json takes all"]);
    run(maxq(&["emulator", "broker", "kill", "0", "--control", "1", "--name-server", "x:1"]))
        .expect(2)
        .says(&["takes no --name-server"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    run(maxq(&["emulator", "run", "--port", "0", "--control", &port])).expect(3).says(&["for --control"]);
}
