//! `maxq emulator run`: where it serves, and how it ends.

use std::{fs, net::TcpListener};

use serde_json::Value;

use crate::process::{Emulator, maxq, run};

#[test]
fn the_ready_file_is_there_while_it_serves() {
    for name in ["INT", "TERM"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ready.json");
        let cluster = Emulator::start_with(&["--brokers", "3", "--ready-file", file.to_str().unwrap()]);
        let ready: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!(ready, cluster.ready);
        assert_eq!(ready["brokers"].as_array().unwrap().len(), 3);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        cluster.run(&["cluster"]);
        cluster.running.signal(name);
        let code = end(cluster);
        assert_eq!(code, Some(0));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

/// The exit code of a cluster that was told to end.
fn end(mut cluster: Emulator) -> Option<i32> {
    cluster.running.child.wait().unwrap().code()
}

#[test]
fn a_port_that_is_taken_is_told_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = run(maxq(&["emulator", "run", "--port", &port])).expect(3);
    ended.says(&["cannot listen on 127.0.0.1", &port, "--port 0"]);
}

#[test]
fn a_ready_file_that_cannot_be_written_is_an_error() {
    let ended = run(maxq(&["emulator", "run", "--port", "0", "--ready-file", "/no/such/folder/ready.json"]))
        .expect(1);
    ended.says(&["cannot write the ready file /no/such/folder/ready.json"]);
}

#[test]
fn only_known_versions_are_emulated() {
    run(maxq(&["emulator", "run", "--version", "3.2.6"])).expect(2).says(&["4.9.7", "5.5.0"]);
    run(maxq(&["emulator", "run", "--name-server", "127.0.0.1:1"]))
        .expect(2)
        .says(&["takes no --name-server"]);
}
