//! Which name server is asked, and what counts as an answer. Time is tokio's paused clock.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use maxq::{Client, ClientConfig, ErrorCode, Message, ProducerConfig};
use maxq_protocol::{RemotingCommand, RequestCode, ResponseCode};
use support::{Act, Network, address, reply, route_body, serve};
use tokio::runtime::Handle;

const ROUTES: RequestCode = RequestCode::GET_ROUTEINFO_BY_TOPIC;
const ONE: &str = "10.0.0.1:9876";
const TWO: &str = "10.0.0.2:9876";
const THREE: &str = "10.0.0.3:9876";

/// One broker, and no name server yet.
fn network() -> Network {
    let network = Network::default();
    network.peer(&address("a"), |request| vec![Act::Answer(serve(request))]);
    network
}

/// Knows every topic.
fn knows(request: &RemotingCommand) -> Vec<Act> {
    vec![Act::Answer(reply(request, ResponseCode::SUCCESS).with_body(route_body(&["a"])))]
}

/// Knows nothing yet.
fn not_ready(request: &RemotingCommand) -> Vec<Act> {
    vec![Act::Answer(reply(request, ResponseCode::SYSTEM_ERROR).with_remark("name server not ready"))]
}

fn leaves(request: &RemotingCommand) -> Vec<Act> {
    vec![Act::Answer(reply(request, ResponseCode::GO_AWAY))]
}

fn asked(network: &Network, name_server: &str) -> usize {
    network.heard(name_server, ROUTES).len()
}

fn client(network: &Network, name_servers: &[&str], seed: u64) -> Client {
    Client::lazy(network.config_of(&name_servers.join(",")).seed(seed)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_cold_start_asks_two_at_once_so_that_a_dead_one_costs_nothing() {
    for seed in 0..8 {
        let network = network();
        network.deafen(ONE);
        network.peer(TWO, knows);
        let admin = client(&network, &[ONE, TWO], seed).admin();
        let asked = tokio::time::timeout(Duration::from_millis(1), admin.route("T")).await;
        asked.expect("it waits for nobody").unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn three_of_four_may_be_silent() {
    for seed in 0..8 {
        let network = network();
        for silent in [ONE, TWO, THREE] {
            network.deafen(silent);
        }
        network.peer("10.0.0.4:9876", knows);
        client(&network, &[ONE, TWO, THREE, "10.0.0.4:9876"], seed).admin().route("T").await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_warm_client_asks_the_one_that_answered_and_no_other() {
    let network = network();
    network.peer(ONE, knows);
    network.peer(TWO, knows);
    network.slow_down(TWO, Duration::from_millis(50));
    let client = client(&network, &[ONE, TWO], 1);
    client.admin().route("T").await.unwrap();
    assert_eq!((asked(&network, ONE), asked(&network, TWO)), (1, 1), "both when it is cold");
    for _ in 0..5 {
        client.admin().route("T").await.unwrap();
    }
    assert_eq!((asked(&network, ONE), asked(&network, TWO)), (6, 1));
    assert_eq!(network.dials(), 2, "the connection to the slower one stays");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_failed_is_asked_last_for_a_while() {
    let network = network();
    let is_broken = Arc::new(AtomicBool::new(false));
    let broken = is_broken.clone();
    network.peer(ONE, move |request| if broken.load(Relaxed) { vec![Act::Close] } else { knows(request) });
    network.peer(TWO, knows);
    network.slow_down(TWO, Duration::from_millis(50));
    let client = client(&network, &[ONE, TWO], 1);
    client.admin().route("T").await.unwrap();
    is_broken.store(true, Relaxed);
    client.admin().route("T").await.unwrap();
    is_broken.store(false, Relaxed);
    let before = asked(&network, ONE);
    assert_eq!(before, 2);
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        client.admin().route("T").await.unwrap();
    }
    assert_eq!(asked(&network, ONE), before, "the other one answers, so it stays");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_ready_leaves_the_question_to_the_next() {
    for seed in 0..4 {
        let network = network();
        network.peer(ONE, not_ready);
        network.peer(TWO, knows);
        network.slow_down(TWO, Duration::from_millis(50));
        client(&network, &[ONE, TWO], seed).admin().route("T").await.unwrap();
    }
    let network = network();
    network.peer(ONE, not_ready);
    let config = network.config_of(ONE);
    let client = Client::connect(config).await.expect("it answers, so it is there");
    let error = client.admin().route("T").await.unwrap_err();
    assert_eq!((error.code(), error.remark()), (ErrorCode::ROUTE_REFUSED, Some("name server not ready")));
}

/// Apache's name servers answer so when their queue is full, or when a question made them throw.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_overloaded_or_broken_leaves_the_question_to_the_next() {
    let sick = [
        (ResponseCode::SYSTEM_BUSY, "[OVERLOAD]system busy, start flow control for a while"),
        (ResponseCode::SYSTEM_ERROR, "java.lang.NullPointerException"),
    ];
    for (seed, (code, remark)) in sick.into_iter().flat_map(|sick| (0..4).map(move |seed| (seed, sick))) {
        let is_sick =
            move |request: &RemotingCommand| vec![Act::Answer(reply(request, code).with_remark(remark))];
        let network = network();
        network.peer(ONE, is_sick);
        network.peer(TWO, knows);
        client(&network, &[ONE, TWO], seed).admin().route("T").await.unwrap();
        // And when both are, the error says what they said.
        network.peer(TWO, is_sick);
        let producer = client(&network, &[ONE, TWO], seed).producer(ProducerConfig::new("tests")).unwrap();
        let error = producer.send(Message::new("T", "hello")).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::ROUTE_REFUSED, "{error}");
        assert!(error.to_string().contains(remark), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_leaves_is_asked_again_on_a_new_connection() {
    let network = network();
    let times = AtomicUsize::new(0);
    network.peer(
        ONE,
        move |request| {
            if times.fetch_add(1, Relaxed) == 0 { leaves(request) } else { knows(request) }
        },
    );
    client(&network, &[ONE], 1).admin().route("T").await.unwrap();
    assert_eq!((asked(&network, ONE), network.dials()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_only_leaves_is_no_name_server() {
    let network = network();
    network.peer(ONE, leaves);
    let error = Client::connect(network.config_of(ONE)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NAME_SERVER_UNREACHABLE);
    assert!(error.to_string().contains("10.0.0.1:9876: the server is leaving"), "{error}");
    network.peer(TWO, knows);
    for seed in 0..4 {
        client(&network, &[ONE, TWO], seed).admin().route("T").await.unwrap();
    }
}

/// The port of a broker is the mistake that is made first.
#[tokio::test]
async fn a_broker_is_no_name_server() {
    for version in ["5.5.0", "4.9.7"] {
        let cluster = maxq_emulator::Cluster::builder().emulate(version).start().await.unwrap();
        let broker = cluster.broker(0).address();
        let error = Client::connect(ClientConfig::new(broker.to_string())).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "no name server answered ({broker}: this is a broker, not a name server); check the name server's host \
                 and port (the default port is 9876), and that it runs [MQ2001]"
            )
        );
        cluster.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_leaves_nothing_behind_and_can_be_tried_again() {
    let network = network();
    let alive = || Handle::current().metrics().num_alive_tasks();
    let before = alive();
    for name_servers in [ONE, "10.0.0.1:9876,10.0.0.2:9876"] {
        let config = network.config_of(name_servers);
        assert!(Client::connect(config.clone()).await.is_err());
        assert_eq!(alive(), before, "nothing is left behind, not even for a moment");
        network.peer(ONE, knows);
        let client = Client::connect(config).await.unwrap();
        let producer = client.producer(ProducerConfig::new("again")).unwrap();
        producer.send(Message::new("T", "x")).await.unwrap();
        client.close(Duration::from_secs(1)).await;
        network.remove(ONE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lazy_client_does_nothing_before_it_is_used() {
    let network = network();
    network.peer("ns.test:9876", knows);
    let lookups = Arc::new(AtomicUsize::new(0));
    let counter = lookups.clone();
    let config = network.config_of("ns.test:9876").resolver(move |_, _| {
        counter.fetch_add(1, Relaxed);
        async { Ok(vec![ONE.parse().unwrap()]) }
    });
    let client = Client::lazy(config).unwrap();
    let _producer = client.producer(ProducerConfig::new("lazy")).unwrap();
    tokio::time::sleep(Duration::from_secs(305)).await;
    assert_eq!((network.dials(), lookups.load(Relaxed)), (0, 0));
    network.peer(ONE, knows);
    client.admin().route("T").await.unwrap();
    assert_eq!(lookups.load(Relaxed), 1);
}
