//! Brokers whose advertised address cannot be reached from here. Time is tokio's paused clock.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::Duration;

use maxq::{Client, ClientConfig, Message, ProducerConfig};
use maxq_protocol::{RequestCode, ResponseCode};
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
