//! Each situation that the doctor must recognise, on emulated clusters and with scripted servers.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::Duration;

use maxq::{
    ClientConfig, ErrorCode, Stream,
    doctor::{Check, CheckKind, Examination, Report, State, Verdict, examine},
};
use maxq_emulator::{Cluster, ClusterBuilder, Effect, Fault, On, RouteVariant, VirtualNetwork};
use maxq_protocol::{
    RequestCode, ResponseCode,
    body::{BrokerData, ClusterInfo, JsonDialect, to_json},
};
use support::{Act, NAME_SERVER, Network, address, reply, route_body, serve};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    task::JoinSet,
};

const TOPIC: &str = "orders";

struct World {
    cluster: Cluster,
    network: VirtualNetwork,
}

impl World {
    async fn new() -> Self {
        Self::of(Cluster::builder().brokers(2).topic(TOPIC, 2)).await
    }

    async fn of(builder: ClusterBuilder) -> Self {
        let network = VirtualNetwork::seeded(1);
        let cluster = builder.virtual_network(&network).start().await.unwrap();
        Self { cluster, network }
    }

    fn config(&self) -> ClientConfig {
        let network = self.network.clone();
        ClientConfig::new(self.cluster.name_servers()).seed(1).connector(move |address: String| {
            let network = network.clone();
            async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
        })
    }

    async fn examine(&self) -> Report {
        examine(self.config(), Examination::new().topic(TOPIC)).await
    }
}

/// The only check that failed.
#[track_caller]
fn only_failure(report: &Report) -> &Check {
    let failures: Vec<_> = report.with(State::Failed).collect();
    assert_eq!(failures.len(), 1, "{report:#?}");
    assert_eq!(report.verdict(), Verdict::Failed);
    failures[0]
}

#[track_caller]
fn assert_says(check: &Check, kind: CheckKind, code: ErrorCode, found: &str, fix: &str) {
    assert_eq!((check.kind, check.code), (kind, Some(code)), "{check}");
    assert!(check.found.contains(found), "no {found:?} in {check}");
    assert!(check.fix.as_ref().unwrap().contains(fix), "no {fix:?} in {check}");
}

#[tokio::test(start_paused = true)]
async fn a_cluster_in_order_gets_a_good_verdict() {
    for version in ["5.5.0", "4.9.7"] {
        let world = World::of(Cluster::builder().emulate(version).brokers(2).topic(TOPIC, 2)).await;
        let report = world.examine().await;
        assert_eq!(report.verdict(), Verdict::Well, "{report:#?}");
        assert_eq!(report.with(State::Warning).count(), 0, "{report:#?}");
        let counts = [
            (CheckKind::Tcp, 1),
            (CheckKind::Protocol, 1),
            (CheckKind::NameServer, 1),
            (CheckKind::Route, 1),
            (CheckKind::Permission, 1),
            (CheckKind::Broker, 2),
            (CheckKind::TestSend, 2),
            (CheckKind::ClockSkew, 2),
        ];
        for (kind, count) in counts {
            assert!(report.of(kind).all(|check| check.state == State::Ok), "{report:#?}");
            assert_eq!(report.of(kind).count(), count, "{kind:?}");
        }
        let broker = report.of(CheckKind::Broker).next().unwrap();
        assert!(broker.found.contains(version), "{broker}");
        let stored = world.cluster.stored(TOPIC);
        assert_eq!(stored.len(), 2, "one at each broker");
        assert!(stored.iter().all(|stored| stored.tag() == Some("maxq-doctor")));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_topic_or_a_wish_nothing_is_sent() {
    let world = World::new().await;
    let report = examine(world.config(), Examination::new()).await;
    assert_eq!(report.verdict(), Verdict::Well, "{report:#?}");
    assert_eq!(report.of(CheckKind::TestSend).next().unwrap().state, State::Skipped);
    let clock = report.of(CheckKind::ClockSkew).next().unwrap();
    assert!(clock.found.contains("by its start and uptime"), "{clock}");
    examine(world.config(), Examination::new().topic(TOPIC).test_send(false)).await;
    assert_eq!(world.cluster.stored_count(TOPIC), 0);
}

/// No part of a name has more than 63 characters, so nobody is asked.
#[tokio::test]
async fn a_name_that_is_not_known_is_found() {
    let report = examine(ClientConfig::new(format!("{}:9876", "x".repeat(64))), Examination::new()).await;
    assert_eq!(report.verdict(), Verdict::Unreachable, "{report:#?}");
    let failure = report.with(State::Failed).next().unwrap();
    assert_says(
        failure,
        CheckKind::Dns,
        ErrorCode::NAME_SERVER_UNREACHABLE,
        "is not known here",
        "correct the name",
    );
    assert_eq!(report.with(State::Skipped).count(), report.checks.len() - 1);
}

#[tokio::test]
async fn a_name_that_is_known_is_looked_up() {
    let cluster = Cluster::builder().topic(TOPIC, 1).start().await.unwrap();
    let port = cluster.name_server().port();
    let report = examine(ClientConfig::new(format!("localhost:{port}")), Examination::new()).await;
    let found = report.of(CheckKind::Dns).next().unwrap();
    assert_eq!(found.state, State::Ok);
    assert!(found.found.contains("127.0.0.1") || found.found.contains("::1"), "{found}");
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_port_is_found() {
    let report = examine(Network::default().config(), Examination::new()).await;
    assert_eq!(report.verdict(), Verdict::Unreachable);
    let failure = report.with(State::Failed).next().unwrap();
    assert_says(failure, CheckKind::Tcp, ErrorCode::NAME_SERVER_UNREACHABLE, "connection refused", "9876");
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_is_silent_is_found() {
    let network = Network::default();
    network.deafen(NAME_SERVER);
    let report = examine(network.config(), Examination::new()).await;
    let failure = only_failure(&report);
    assert_says(
        failure,
        CheckKind::Protocol,
        ErrorCode::NAME_SERVER_UNREACHABLE,
        "no answer in time",
        "port",
    );
}

#[tokio::test(start_paused = true)]
async fn a_port_that_speaks_http_or_grpc_is_found() {
    let grpc = b"\0\0\x12\x04\0\0\0\0\0\0\x03\x7f\xff\xff\xff\0\x04\0\x10\0\0\0\x06\0\0\x20\0".to_vec();
    for bytes in [b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), grpc] {
        let network = Network::default();
        network.peer(NAME_SERVER, move |_| vec![Act::Bytes(bytes.clone()), Act::Close]);
        let report = examine(network.config(), Examination::new()).await;
        let failure = only_failure(&report);
        assert_says(failure, CheckKind::Protocol, ErrorCode::HTTP_PORT, "", "remoting port");
    }
    let network = Network::default();
    network.peer(NAME_SERVER, |_| vec![Act::Bytes(b"SSH-2.0-OpenSSH_9.6\r\n".to_vec())]);
    let report = examine(network.config(), Examination::new()).await;
    assert_says(only_failure(&report), CheckKind::Protocol, ErrorCode::PROTOCOL, "does not speak", "9876");
}

/// Most web servers say nothing before a line ends, and a frame of ours has no end of a line.
#[tokio::test]
async fn a_web_server_that_waits_for_a_line_is_found() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.spawn(async move {
                let (mut stream, mut line) = (BufReader::new(stream), Vec::new());
                if matches!(stream.read_until(b'\n', &mut line).await, Ok(1..)) {
                    drop(stream.write_all(b"HTTP/1.1 404 Not Found\r\n\r\n").await);
                }
            });
        }
    });
    let config = ClientConfig::new(address).request_timeout(Duration::from_millis(300));
    let report = examine(config, Examination::new()).await;
    assert_says(
        only_failure(&report),
        CheckKind::Protocol,
        ErrorCode::HTTP_PORT,
        "speaks HTTP",
        "remoting port",
    );
}

/// A common mistake: the port of a broker where that of the name server belongs.
#[tokio::test(start_paused = true)]
async fn a_broker_in_the_place_of_a_name_server_is_found() {
    let world = World::new().await;
    let network = world.network.clone();
    let broker = world.cluster.broker(0).address().to_string();
    let config = ClientConfig::new(broker).connector(move |address: String| {
        let network = network.clone();
        async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
    });
    let report = examine(config, Examination::new()).await;
    let failure = only_failure(&report);
    assert_says(failure, CheckKind::Protocol, ErrorCode::PROTOCOL, "REQUEST_CODE_NOT_SUPPORTED", "10911");
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_knows_no_broker_is_found() {
    let world = World::of(Cluster::builder().brokers(1)).await;
    world.cluster.kill_broker(0).await;
    let report = examine(world.config(), Examination::new()).await;
    let failure = only_failure(&report);
    assert_says(failure, CheckKind::NameServer, ErrorCode::NO_BROKER, "knows no broker", "namesrvAddr");
}

#[tokio::test(start_paused = true)]
async fn one_name_server_of_two_that_is_down_is_a_warning() {
    let world = World::of(Cluster::builder().name_servers(2).topic(TOPIC, 1)).await;
    world.cluster.stop_name_server(0).await;
    let report = world.examine().await;
    assert_eq!(report.verdict(), Verdict::Well, "{report:#?}");
    let warnings: Vec<_> = report.with(State::Warning).collect();
    assert_eq!(warnings.len(), 1, "{report:#?}");
    assert_says(warnings[0], CheckKind::Tcp, ErrorCode::NAME_SERVER_UNREACHABLE, "refused", "port");
}

#[tokio::test(start_paused = true)]
async fn name_servers_that_disagree_are_a_warning() {
    let world = World::of(Cluster::builder().name_servers(2).brokers(2).topic(TOPIC, 1)).await;
    world.cluster.name_server_at(1).route_override(TOPIC, None);
    let report = world.examine().await;
    let route = report.of(CheckKind::Route).next().unwrap();
    assert_eq!(route.state, State::Warning, "{report:#?}");
    let server = world.cluster.name_server_at(1).address().to_string();
    assert!(route.found.contains(&format!("{server} does not know the topic")), "{route}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_topic_is_found() {
    let world = World::of(Cluster::builder().auto_create_topics(false)).await;
    let report = world.examine().await;
    let fix = "maxq topic create orders";
    assert_says(only_failure(&report), CheckKind::Route, ErrorCode::TOPIC_NOT_FOUND, "does not exist", fix);
}

#[tokio::test(start_paused = true)]
async fn a_missing_topic_that_brokers_create_is_a_warning() {
    let world = World::of(Cluster::builder()).await;
    let report = examine(world.config(), Examination::new().topic(TOPIC).test_send(false)).await;
    assert_eq!(report.verdict(), Verdict::Well, "{report:#?}");
    let warning = report.with(State::Warning).next().unwrap();
    assert_says(
        warning,
        CheckKind::Route,
        ErrorCode::TOPIC_NOT_FOUND,
        "at its first message",
        "maxq topic create",
    );
    // The test message is the first one.
    let report = world.examine().await;
    assert_eq!((report.verdict(), world.cluster.stored_count(TOPIC)), (Verdict::Well, 1), "{report:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_no_topic_is_found() {
    let world = World::new().await;
    let report = examine(world.config(), Examination::new().topic("a/b")).await;
    assert_says(only_failure(&report), CheckKind::Route, ErrorCode::INVALID, "", "correct");
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_may_not_be_written_is_found() {
    let world = World::of(Cluster::builder().brokers(2).topic(TOPIC, 2)).await;
    world.cluster.broker(0).set_read_only(true);
    let report = world.examine().await;
    let warning = report.with(State::Warning).next().unwrap();
    assert_says(warning, CheckKind::Permission, ErrorCode::NOT_WRITABLE, "broker-0 (perm 4)", "--perm rw");
    assert_eq!(report.verdict(), Verdict::Well, "there is another broker: {report:#?}");
    world.cluster.broker(1).set_read_only(true);
    let report = world.examine().await;
    let failure = only_failure(&report);
    assert_says(
        failure,
        CheckKind::Permission,
        ErrorCode::NOT_WRITABLE,
        "broker-1 (perm 4)",
        "brokerPermission",
    );
}

#[tokio::test(start_paused = true)]
async fn a_topic_without_a_master_is_found() {
    let world = World::new().await;
    world
        .cluster
        .fault(Fault::on(On::Route).topic(TOPIC).then(Effect::Route { variant: RouteVariant::NoMaster }));
    let report = world.examine().await;
    let failure = only_failure(&report);
    assert_says(failure, CheckKind::Route, ErrorCode::NO_MASTER, "none has a master", "start the master");
}

/// The name server names one broker, at an address that a container has.
fn advertise_container(network: &Network) {
    let (route, clusters) = (route_body(&["172.17.0.3"]), cluster_body("172.17.0.3"));
    network.peer(NAME_SERVER, move |request| {
        let body = match request.request_code() {
            RequestCode::GET_ROUTEINFO_BY_TOPIC => route.clone(),
            _ => clusters.clone(),
        };
        vec![Act::Answer(reply(request, ResponseCode::SUCCESS).with_body(body))]
    });
}

/// A broker in a container advertises an address of the container's network: the first thing that a newcomer meets.
#[tokio::test(start_paused = true)]
async fn a_broker_at_an_address_that_is_not_for_here_is_found_with_the_line_to_write() {
    let network = Network::cluster(TOPIC, &["172.17.0.3"]);
    network.remove("172.17.0.3:10911");
    advertise_container(&network);
    let report = examine(network.config(), Examination::new().topic(TOPIC)).await;
    let failure = only_failure(&report);
    let line = "ClientConfig::new(\"ns:9876\").map_address(\"172.17.0.3:10911\", \"ns:10911\")";
    assert_says(failure, CheckKind::Broker, ErrorCode::ADVERTISED_ADDRESS, "connection refused", line);
    assert!(failure.fix.as_ref().unwrap().contains("brokerIP1=ns"), "{failure}");
    let send = report.of(CheckKind::TestSend).next().unwrap();
    assert_eq!(send.state, State::Skipped, "the cause is told once: {send}");
    // With that line it works.
    network.peer("ns:10911", |request| vec![Act::Answer(serve(request))]);
    let config = network.config().map_address("172.17.0.3:10911", "ns:10911");
    let report = examine(config, Examination::new().topic(TOPIC)).await;
    assert_eq!(report.verdict(), Verdict::Well, "{report:#?}");
    assert!(report.of(CheckKind::TestSend).all(|check| check.state == State::Ok), "{report:#?}");
}

/// The client learns the host by the name server that answers it. The doctor asked all of them itself, so the client had
/// learned nothing when the brokers were dialled.
#[tokio::test(start_paused = true)]
async fn brokers_behind_the_name_servers_host_are_reached_there() {
    let network = Network::default();
    advertise_container(&network);
    network.peer("ns:10911", |request| vec![Act::Answer(serve(request))]);
    let config = network.config().map_to_name_server_host();
    let report = examine(config, Examination::new().topic(TOPIC)).await;
    assert_eq!(report.verdict(), Verdict::Well, "{report:#?}");
    assert!(report.of(CheckKind::TestSend).all(|check| check.state == State::Ok), "{report:#?}");
}

fn cluster_body(broker: &str) -> Vec<u8> {
    let data = BrokerData {
        broker_name: broker.to_owned(),
        cluster: "C".to_owned(),
        broker_addrs: [(0, address(broker))].into(),
        ..BrokerData::default()
    };
    let info = ClusterInfo {
        broker_addr_table: [(broker.to_owned(), data)].into(),
        cluster_addr_table: [("C".to_owned(), [broker.to_owned()].into())].into(),
    };
    to_json(&info, JsonDialect::Fastjson)
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_down_is_found_and_a_mapping_shows() {
    let world = World::new().await;
    world.cluster.name_server_at(0).keep_dead_brokers(true);
    world.cluster.kill_broker(1).await;
    let report = world.examine().await;
    let failure = only_failure(&report);
    assert_eq!(failure.kind, CheckKind::Broker);
    assert!(failure.target.starts_with("broker-1 master ") && failure.found.contains("refused"), "{failure}");
    let sent = report.of(CheckKind::TestSend).find(|check| check.state == State::Ok).unwrap();
    assert_eq!(sent.target, "orders at broker-0");
    let dead = world.cluster.broker(1).address().to_string();
    let config = world.config().map_address(dead, "10.9.9.9:10911");
    let report = examine(config, Examination::new()).await;
    assert!(only_failure(&report).found.starts_with("mapped to 10.9.9.9:10911: "), "{report:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_is_a_warning_with_its_precision() {
    let world = World::new().await;
    world.cluster.fault(Fault::on(On::Send).broker("broker-1").then(Effect::ClockSkew { by_ms: 3_600_000 }));
    let report = world.examine().await;
    assert_eq!(report.verdict(), Verdict::Well, "{report:#?}");
    let warnings: Vec<_> = report.with(State::Warning).collect();
    assert_eq!(warnings.len(), 1, "{report:#?}");
    let clock = warnings[0];
    assert_eq!((clock.kind, clock.target.as_str()), (CheckKind::ClockSkew, "broker-1"));
    assert!(clock.found.contains(" s ahead, to ") && clock.found.contains("store time"), "{clock}");
    assert!(clock.fix.as_ref().unwrap().contains("NTP"));
}

#[tokio::test(start_paused = true)]
async fn a_send_that_fails_is_found_with_the_brokers_code() {
    let world = World::new().await;
    world.cluster.fault(Fault::on(On::Send).broker("broker-1").then(Effect::disk_full()));
    let report = world.examine().await;
    let failure = only_failure(&report);
    assert_says(failure, CheckKind::TestSend, ErrorCode::UNAVAILABLE, "SERVICE_NOT_AVAILABLE (14)", "disk");
    assert_eq!(failure.target, "orders at broker-1");
    world.cluster.clear_faults();
    world.cluster.fault(Fault::on(On::Send).then(Effect::no_replica()));
    let report = world.examine().await;
    assert_eq!((report.verdict(), report.with(State::Warning).count()), (Verdict::Well, 2), "{report:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_setting_that_cannot_work_is_found() {
    let report = examine(ClientConfig::new("localhost"), Examination::new()).await;
    assert_says(
        only_failure(&report),
        CheckKind::Configuration,
        ErrorCode::CONFIG,
        "port is missing",
        "setting",
    );
}
