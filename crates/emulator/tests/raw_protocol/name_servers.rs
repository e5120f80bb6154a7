//! Several name servers: stopped, started, and of different opinions.

use std::{io::ErrorKind, time::Duration};

use maxq_emulator::{Cluster, StartErrorKind, VirtualNetwork};
use tokio::time::sleep;

use crate::support::{RawClient, route_by};

/// Two name servers and two brokers with the topic `T`.
async fn two_of_each() -> (VirtualNetwork, Cluster) {
    let network = VirtualNetwork::seeded(2);
    let builder = Cluster::builder().virtual_network(&network).name_servers(2).brokers(2);
    (network, builder.topic("T", 2).start().await.expect("nothing is in the way"))
}

/// The names of the brokers in a route as a name server answers it.
async fn brokers(network: &VirtualNetwork, cluster: &Cluster, name_server: usize) -> Vec<String> {
    let mut client = RawClient::dial(network, cluster.name_server_at(name_server).address()).await;
    let route = route_by(&mut client, "T").await;
    route.into_iter().flat_map(|route| route.broker_datas).map(|broker| broker.broker_name).collect()
}

#[tokio::test]
async fn sockets_have_several_name_servers_too() {
    let cluster = Cluster::builder().name_servers(3).start().await.unwrap();
    let text = cluster.name_servers();
    let addresses: Vec<_> = text.split(';').collect();
    assert_eq!(addresses.len(), cluster.name_server_count());
    for (index, address) in addresses.iter().enumerate() {
        assert_eq!(cluster.name_server_at(index).address().to_string(), *address);
        let mut client = RawClient::connect(address.parse().unwrap()).await;
        assert!(route_by(&mut client, "TBW102").await.is_some());
    }
    let error = Cluster::builder().name_servers(0).start().await.unwrap_err();
    assert_eq!(error.kind(), &StartErrorKind::NoNameServers);
    assert_eq!(error.to_string(), "a cluster has at least one name server");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_name_server_is_gone_and_comes_back_with_all_routes() {
    let (network, cluster) = two_of_each().await;
    let address = cluster.name_server_at(0).address().to_string();
    let mut client = RawClient::dial(&network, &address).await;
    cluster.stop_name_server(0).await;
    assert!(!cluster.name_server_at(0).is_running());
    assert!(client.next().await.is_none());
    assert_eq!(network.dial(&address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    assert_eq!(brokers(&network, &cluster, 1).await, ["broker-0", "broker-1"]);
    cluster.stop_name_server(0).await;
    // Neither topics nor the announcements of brokers get through meanwhile.
    cluster.create_topic("later", 1).unwrap();
    cluster.freeze_broker(1);
    sleep(Duration::from_secs(31)).await;
    assert_eq!(cluster.name_server_at(0).route("T"), None);
    cluster.start_name_server(0).await.unwrap();
    cluster.start_name_server(0).await.unwrap();
    assert_eq!(brokers(&network, &cluster, 0).await, ["broker-0"], "a frozen broker registers later");
    assert!(cluster.name_server_at(0).route("later").is_some());
    cluster.thaw_broker(1);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(brokers(&network, &cluster, 0).await, ["broker-0", "broker-1"]);
}

#[tokio::test(start_paused = true)]
async fn two_name_servers_can_disagree() {
    let (network, cluster) = two_of_each().await;
    let (one, two) = (cluster.name_server_at(0), cluster.name_server_at(1));
    let mut route = one.route("T").unwrap();
    assert_eq!(two.route("T").as_ref(), Some(&route));
    route.broker_datas.remove(0);
    route.queue_datas.remove(0);
    two.route_override("T", Some(route));
    assert_eq!(brokers(&network, &cluster, 0).await, ["broker-0", "broker-1"]);
    assert_eq!(brokers(&network, &cluster, 1).await, ["broker-1"]);
    // It flaps: there, away, there.
    two.route_override("T", None);
    assert!(brokers(&network, &cluster, 1).await.is_empty());
    two.remove_route_override("T");
    assert_eq!(brokers(&network, &cluster, 1).await, ["broker-0", "broker-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_name_server_may_keep_a_dead_broker() {
    let (network, cluster) = two_of_each().await;
    cluster.name_server_at(0).keep_dead_brokers(true);
    cluster.kill_broker(0).await;
    sleep(Duration::from_secs(300)).await;
    assert_eq!(brokers(&network, &cluster, 0).await, ["broker-0", "broker-1"]);
    assert_eq!(brokers(&network, &cluster, 1).await, ["broker-1"]);
    cluster.name_server_at(0).keep_dead_brokers(false);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(brokers(&network, &cluster, 0).await, ["broker-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_topic_moves_from_one_broker_to_another() {
    let (network, cluster) = two_of_each().await;
    cluster.broker(0).delete_topic("T");
    assert_eq!(brokers(&network, &cluster, 0).await, ["broker-1"]);
    cluster.broker(0).create_topic("T", 5).unwrap();
    cluster.broker(1).delete_topic("T");
    assert_eq!(brokers(&network, &cluster, 1).await, ["broker-0"]);
    assert_eq!(cluster.name_server_at(1).route("T").unwrap().queue_datas[0].write_queue_nums, 5);
    assert!(cluster.broker(0).create_topic("a b", 5).is_err());
}
