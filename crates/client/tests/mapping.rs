//! Brokers whose advertised address cannot be reached from here. Time is tokio's paused clock.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::Duration;

use maxq::{Client, ClientConfig, Message, ProducerConfig, admin::TopicSettings};
use maxq_protocol::{
    RequestCode, ResponseCode,
    body::{BrokerData, ClusterInfo, JsonDialect, to_json},
};
use support::{Act, Network, reply, route_body, serve};

const SENDS: RequestCode = RequestCode::SEND_MESSAGE_V2;
const NAME_SERVER: &str = "docker.test:9876";

/// A name server here, and two brokers in containers that are reachable by ports of this host.
fn network() -> Network {
    let network = Network::default();
    network.peer(NAME_SERVER, |request| {
        let route = route_body(&["172.17.0.3", "172.17.0.4"]);
        vec![Act::Answer(reply(request, ResponseCode::SUCCESS).with_body(route))]
    });
    network
}

fn broker(network: &Network, address: &str) {
    network.peer(address, |request| vec![Act::Answer(serve(request))]);
}

async fn send(config: ClientConfig, times: usize) -> Client {
    let client = Client::lazy(config).unwrap();
    let producer = client.producer(ProducerConfig::new("tests")).unwrap();
    for _ in 0..times {
        producer.send(Message::new("T", "x")).await.unwrap();
    }
    client
}

#[tokio::test(start_paused = true)]
async fn brokers_behind_the_name_servers_host_are_found_there() {
    let network = network();
    broker(&network, "docker.test:10911");
    let client = send(network.config_of(NAME_SERVER).map_to_name_server_host(), 4).await;
    assert_eq!(network.heard("docker.test:10911", SENDS).len(), 4);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(client.broker_version("172.17.0.3:10911").is_some(), "heartbeats go there too");
}

#[tokio::test(start_paused = true)]
async fn a_closure_maps_what_it_knows() {
    let network = network();
    broker(&network, "docker.test:20003");
    broker(&network, "172.17.0.4:10911");
    let config = network.config_of(NAME_SERVER).map_addresses_with(|address| {
        address.starts_with("172.17.0.3:").then(|| "docker.test:20003".to_owned())
    });
    send(config, 4).await;
    assert_eq!(network.heard("docker.test:20003", SENDS).len(), 2);
    assert_eq!(network.heard("172.17.0.4:10911", SENDS).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_pair_comes_first_and_the_name_servers_host_last() {
    let network = network();
    broker(&network, "docker.test:20003");
    broker(&network, "docker.test:10911");
    let config = network
        .config_of(NAME_SERVER)
        .map_address("172.17.0.3:10911", "docker.test:20003")
        .map_addresses_with(|_| None)
        .map_to_name_server_host();
    send(config, 4).await;
    assert_eq!(network.heard("docker.test:20003", SENDS).len(), 2);
    assert_eq!(network.heard("docker.test:10911", SENDS).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_name_server_is_mapped_by_pairs_alone() {
    let network = network();
    broker(&network, "docker.test:10911");
    let config = network
        .config_of("inside.test:9876")
        .map_address("inside.test:9876", NAME_SERVER)
        .map_addresses_with(|address| address.starts_with("inside").then(|| "nowhere:1".to_owned()))
        .map_to_name_server_host();
    send(config, 2).await;
    assert_eq!(network.heard("docker.test:10911", SENDS).len(), 2);
}

/// A name server that knows one broker in a container, and topic `T` there if `is_told`.
fn name_server(network: &Network, at: &str, is_told: bool) {
    let data = BrokerData {
        broker_name: "172.17.0.3".to_owned(),
        cluster: "C".to_owned(),
        broker_addrs: [(0, "172.17.0.3:10911".to_owned())].into(),
        ..BrokerData::default()
    };
    let info = ClusterInfo {
        broker_addr_table: [("172.17.0.3".to_owned(), data)].into(),
        cluster_addr_table: [("C".to_owned(), ["172.17.0.3".to_owned()].into())].into(),
    };
    let info = to_json(&info, JsonDialect::Fastjson);
    network.peer(at, move |request| {
        let answer = |code| reply(request, code);
        vec![Act::Answer(match request.request_code() {
            RequestCode::GET_BROKER_CLUSTER_INFO => answer(ResponseCode::SUCCESS).with_body(info.clone()),
            RequestCode::GET_ROUTEINFO_BY_TOPIC if is_told => {
                answer(ResponseCode::SUCCESS).with_body(route_body(&["172.17.0.3"]))
            }
            RequestCode::GET_ROUTEINFO_BY_TOPIC => answer(ResponseCode::TOPIC_NOT_EXIST),
            _ => answer(ResponseCode::SUCCESS),
        })]
    });
}

const BOTH: &str = "one.test:9876,two.test:9876";
const SOON: Duration = Duration::from_secs(1);

/// Administration asks every name server on its own. It dialled them as brokers, so with the name server's host for
/// all it asked one of them twice and called that agreement.
#[tokio::test(start_paused = true)]
async fn every_name_server_is_asked_where_it_is_and_not_on_the_host_of_another() {
    for silent in ["one.test:9876", "two.test:9876"] {
        let network = Network::default();
        for host in ["one.test", "two.test"] {
            broker(&network, &format!("{host}:10911"));
            let at = format!("{host}:9876");
            name_server(&network, &at, at != silent);
        }
        let admin = Client::lazy(network.config_of(BOTH).map_to_name_server_host()).unwrap().admin();
        let error = admin.ensure_topic("T", TopicSettings::default().queues(2), SOON).await.unwrap_err();
        assert!(error.to_string().contains(&format!("name server {silent} does not know it")), "{error}");
        admin.delete_topic("T").await.unwrap();
        for at in ["one.test:9876", "two.test:9876"] {
            let forgotten = network.heard(at, RequestCode::DELETE_TOPIC_IN_NAMESRV);
            assert_eq!(forgotten.len(), 1, "{at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_closure_is_not_asked_about_name_servers() {
    let network = Network::default();
    broker(&network, "docker.test:10911");
    for at in ["one.test:9876", "two.test:9876"] {
        name_server(&network, at, true);
    }
    let config = network.config_of(BOTH).map_addresses_with(|address| {
        let port = address.rsplit_once(':').unwrap().1;
        Some(format!("docker.test:{port}"))
    });
    let admin = Client::lazy(config).unwrap().admin();
    admin.ensure_topic("T", TopicSettings::default().queues(2), SOON).await.unwrap();
    admin.delete_topic("T").await.unwrap();
    for at in ["one.test:9876", "two.test:9876"] {
        assert_eq!(network.heard(at, RequestCode::DELETE_TOPIC_IN_NAMESRV).len(), 1, "{at}");
    }
}
