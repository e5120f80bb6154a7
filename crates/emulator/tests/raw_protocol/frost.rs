//! Freezing and thawing, on sockets and on the virtual network; killing and moving on the latter.

use std::time::Duration;

use maxq_emulator::{Cluster, EmulatedVersion, VirtualNetwork};
use maxq_protocol::{RemotingCommand, ResponseCode};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::{
    clients::heartbeat,
    support::{RawClient, Send, one_broker, pull, route_by, verdict},
    virtual_network::one_virtual_broker,
};

#[tokio::test(start_paused = true)]
async fn a_frozen_broker_carries_out_everything_when_it_is_thawed() {
    let (network, cluster) = one_virtual_broker().await;
    let mut client = RawClient::dial(&network, cluster.broker(0).address()).await;
    client.store(Send::to("T").body("before")).await;
    cluster.freeze_broker(0);
    assert!(cluster.broker(0).is_frozen() && cluster.broker(0).is_running());
    client.post(Send::to("T").body("during").request()).await;
    // The kernel accepts for it.
    let mut another = RawClient::dial(&network, cluster.broker(0).address()).await;
    another.post(Send::to("T").body("queued").request()).await;
    assert!(timeout(Duration::from_secs(60), client.next()).await.is_err());
    assert_eq!(cluster.stored_count("T"), 1);
    cluster.thaw_broker(0);
    assert_eq!(client.next().await.unwrap().response_code(), ResponseCode::SUCCESS);
    assert_eq!(another.next().await.unwrap().response_code(), ResponseCode::SUCCESS);
    let bodies: Vec<_> = cluster.stored("T").iter().map(|stored| stored.body().clone()).collect();
    assert_eq!(bodies, ["before", "during", "queued"]);
}

#[tokio::test]
async fn freezing_works_on_sockets_too() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    client.store(Send::to("T").body("before")).await;
    cluster.freeze_broker(0);
    client.post(Send::to("T").body("during").request()).await;
    let mut another = RawClient::to_broker(&cluster).await;
    another.post(Send::to("T").body("queued").request()).await;
    // Whoever is not frozen is served meanwhile, often enough for the broker to have answered.
    let mut asking = RawClient::to_name_server(&cluster).await;
    for _ in 0..200 {
        assert!(route_by(&mut asking, "T").await.is_some());
    }
    assert_eq!(cluster.stored_count("T"), 1);
    cluster.thaw_broker(0);
    client.next().await.unwrap();
    another.next().await.unwrap();
    assert_eq!(cluster.stored_count("T"), 3);
}

#[tokio::test(start_paused = true)]
async fn the_long_polls_of_a_frozen_broker_stop() {
    let (network, cluster) = one_virtual_broker().await;
    let mut client = RawClient::dial(&network, cluster.broker(0).address()).await;
    client.store(Send::to("T")).await;
    let mut waiting = pull("T", 0, 1);
    (waiting.sys_flag, waiting.suspend_timeout_millis) = (6, Some(15_000));
    client.post(RemotingCommand::request(&waiting)).await;
    sleep(Duration::from_secs(1)).await;
    cluster.freeze_broker(0);
    assert!(timeout(Duration::from_secs(60), client.next()).await.is_err());
    cluster.thaw_broker(0);
    let answer = timeout(Duration::from_millis(1), client.next()).await.unwrap().unwrap();
    assert_eq!(answer.response_code(), ResponseCode::PULL_NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn the_name_server_drops_a_frozen_broker_after_two_minutes_and_takes_it_back() {
    let (network, cluster) = one_virtual_broker().await;
    let mut asking = RawClient::dial(&network, cluster.name_server()).await;
    sleep(Duration::from_secs(300)).await;
    let mut asking_again = RawClient::dial(&network, cluster.name_server()).await;
    assert!(asking.next().await.is_none(), "silent for too long");
    assert!(route_by(&mut asking_again, "T").await.is_some(), "a broker that lives stays");
    cluster.freeze_broker(0);
    sleep(Duration::from_secs(85)).await;
    assert!(route_by(&mut asking_again, "T").await.is_some());
    sleep(Duration::from_secs(41)).await;
    assert!(route_by(&mut asking_again, "T").await.is_none());
    cluster.thaw_broker(0);
    sleep(Duration::from_millis(1)).await;
    assert!(route_by(&mut asking_again, "T").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_frozen_broker_can_be_killed_and_comes_back_awake() {
    let (network, cluster) = one_virtual_broker().await;
    let mut client = RawClient::dial(&network, cluster.broker(0).address()).await;
    cluster.freeze_broker(0);
    client.post(Send::to("T").request()).await;
    cluster.kill_broker(0).await;
    assert!(!cluster.broker(0).is_frozen() && !cluster.broker(0).is_running());
    assert!(client.next().await.is_none());
    cluster.thaw_broker(0);
    cluster.restart_broker(0).await.unwrap();
    let mut client = RawClient::dial(&network, cluster.broker(0).address()).await;
    assert_eq!(client.store(Send::to("T")).await.queue_offset, 0, "what had queued up is lost");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_moves_takes_its_messages_and_the_name_server_along() {
    let (network, cluster) = one_virtual_broker().await;
    let old = cluster.broker(0).address();
    let mut client = RawClient::dial(&network, old).await;
    client.store(Send::to("T")).await;
    client.call(heartbeat(&["p"], &[])).await;
    cluster.restart_broker_elsewhere(0).await.unwrap();
    let new = cluster.broker(0).address();
    assert_eq!((old.to_string().as_str(), new.to_string().as_str()), ("10.0.1.1:10911", "10.0.1.1:10921"));
    assert!(client.next().await.is_none());
    assert!(network.dial(&old.to_string()).await.is_err());
    assert!(cluster.clients().is_empty());
    let mut asking = RawClient::dial(&network, cluster.name_server()).await;
    let route = route_by(&mut asking, "T").await.unwrap();
    assert_eq!(route.broker_datas[0].broker_addrs[&0], new.to_string());
    let reply = RawClient::dial(&network, new).await.store(Send::to("T")).await;
    assert_eq!(reply.queue_offset, 1);
    // 10921 in hexadecimal: new ids lead to the new address.
    assert!(reply.message_id.starts_with("0A00010100002AA9"), "{}", reply.message_id);
    cluster.kill_broker(0).await;
    cluster.restart_broker(0).await.unwrap();
    assert_eq!(cluster.broker(0).address(), new, "it stays there");
}

#[tokio::test]
async fn a_broker_on_sockets_moves_to_another_port() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let old = cluster.broker(0).address();
    cluster.kill_broker(0).await;
    let taken = tokio::net::TcpListener::bind(old).await.unwrap();
    cluster.restart_broker_elsewhere(0).await.unwrap();
    assert_ne!(cluster.broker(0).address(), old);
    RawClient::to_broker(&cluster).await.store(Send::to("T")).await;
    drop(taken);
    assert!(TcpStream::connect(old).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_read_only_broker_says_so_in_routes_and_refuses_sends() {
    let network = VirtualNetwork::seeded(0);
    let cluster =
        Cluster::builder().virtual_network(&network).brokers(2).topic("T", 1).start().await.unwrap();
    let mut client = RawClient::dial(&network, cluster.broker(1).address()).await;
    client.store(Send::to("T")).await;
    cluster.broker(1).set_read_only(true);
    let perms = |cluster: &Cluster| {
        let route = cluster.name_server_at(0).route("T").unwrap();
        route.queue_datas.iter().map(|queues| queues.perm).collect::<Vec<_>>()
    };
    assert_eq!(perms(&cluster), [6, 4]);
    let answer = client.call(Send::to("T").request()).await;
    assert_eq!(verdict(&answer), (16, "the broker[10.0.1.2] sending message is forbidden"));
    let pulled = client.call(RemotingCommand::request(&pull("T", 0, 0))).await;
    assert_eq!(pulled.response_code(), ResponseCode::SUCCESS, "it is still read");
    // Fault 48: it comes back read-only, and the client's route is older than that.
    cluster.kill_broker(1).await;
    cluster.restart_broker(1).await.unwrap();
    assert!(cluster.broker(1).is_read_only());
    assert_eq!(perms(&cluster), [6, 4]);
    cluster.freeze_broker(1);
    cluster.broker(1).set_read_only(false);
    assert_eq!(perms(&cluster), [6, 4], "a frozen broker tells nobody");
    cluster.thaw_broker(1);
    assert_eq!(perms(&cluster), [6, 6]);
    RawClient::dial(&network, cluster.broker(1).address()).await.store(Send::to("T")).await;
}
