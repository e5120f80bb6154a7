//! Starting, killing, restarting, stopping, dropping.

use std::{net::SocketAddr, time::Duration};

use maxq_emulator::{Clock, Cluster, EmulatedVersion, ServerName, StartErrorKind};
use maxq_protocol::{RemotingCommand, RequestCode, ResponseCode};
use tokio::net::{TcpListener, TcpStream};

use crate::{
    clients::heartbeat,
    support::{RawClient, Send, messages, one_broker, pull, route},
};

/// Whether nobody listens there any more: the port can be bound.
async fn is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).await.is_ok()
}

#[test]
fn handles_may_be_shared_between_threads() {
    fn shared<T: std::marker::Send + Sync + 'static>() {}
    shared::<Cluster>();
}

#[tokio::test]
async fn a_killed_broker_is_gone_and_what_it_stored_is_not() {
    let cluster = Cluster::builder().brokers(2).topic("orders", 1).start().await.unwrap();
    let address = cluster.broker(1).address();
    let mut client = RawClient::connect(address).await;
    client.store(Send::to("orders").body("kept")).await;
    client.call(heartbeat(&["p"], &[])).await;
    let mut waiting = pull("orders", 0, 1);
    (waiting.sys_flag, waiting.suspend_timeout_millis) = (6, Some(600_000));
    client.post(RemotingCommand::request(&waiting)).await;

    cluster.kill_broker(1).await;
    assert!(!cluster.broker(1).is_running());
    assert!(client.next().await.is_none(), "the connection and its held pull are cut");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    let left = route(&cluster, "orders").await.unwrap();
    assert_eq!((left.broker_datas.len(), left.queue_datas.len()), (1, 1));
    assert_eq!(left.queue_datas[0].broker_name, "broker-0");
    assert_eq!(&cluster.stored("orders")[0].body()[..], b"kept");
    assert!(cluster.clients().is_empty());
    cluster.kill_broker(1).await;
}

#[tokio::test]
async fn a_restarted_broker_has_its_port_and_its_messages() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let address = cluster.broker(0).address();
    let mut client = RawClient::connect(address).await;
    client.store(Send::to("orders").body("before")).await;
    let mut commit = pull("orders", 0, 0);
    (commit.sys_flag, commit.commit_offset) = (5, Some(1));
    client.call(RemotingCommand::request(&commit)).await;
    for _ in 0..3 {
        cluster.kill_broker(0).await;
        assert_eq!(route(&cluster, "orders").await, None);
        cluster.restart_broker(0).await.unwrap();
        cluster.restart_broker(0).await.unwrap();
    }
    assert_eq!(cluster.broker(0).address(), address);
    assert_eq!(route(&cluster, "orders").await.unwrap().queue_datas[0].write_queue_nums, 4);
    let mut client = RawClient::connect(address).await;
    assert_eq!(client.store(Send::to("orders").body("after")).await.queue_offset, 1);
    let answer = client.call(RemotingCommand::request(&pull("orders", 0, 0))).await;
    let bodies: Vec<_> = messages(&answer).into_iter().map(|message| message.body).collect();
    assert_eq!(bodies, ["before", "after"]);
    let query = crate::topics::plain(
        RequestCode::QUERY_CONSUMER_OFFSET,
        &[("consumerGroup", "cg"), ("topic", "orders"), ("queueId", "0")],
    );
    assert_eq!(client.call(query).await.ext.get("offset"), Some("1"));
}

#[tokio::test]
async fn a_broker_whose_port_was_taken_does_not_restart() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let address = cluster.broker(0).address();
    cluster.kill_broker(0).await;
    let taken = TcpListener::bind(address).await.unwrap();
    let error = cluster.restart_broker(0).await.unwrap_err();
    assert_eq!(error.kind(), &StartErrorKind::Listen(address));
    assert!(!cluster.broker(0).is_running());
    drop(taken);
    cluster.restart_broker(0).await.unwrap();
}

#[tokio::test]
async fn stopping_closes_every_socket_before_it_returns() {
    let cluster = Cluster::start(2).await.unwrap();
    let addresses = [cluster.name_server(), cluster.broker(0).address(), cluster.broker(1).address()];
    let mut client = RawClient::to_broker(&cluster).await;
    client.store(Send::to("orders")).await;
    cluster.stop().await;
    assert!(client.next().await.is_none());
    for address in addresses {
        assert!(is_free(address).await, "{address}");
    }
}

#[tokio::test]
async fn dropping_ends_all_tasks() {
    let before = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let cluster = Cluster::start(2).await.unwrap();
    let addresses = [cluster.name_server(), cluster.broker(0).address(), cluster.broker(1).address()];
    let mut client = RawClient::to_broker(&cluster).await;
    let mut waiting = pull("TBW102", 0, 0);
    (waiting.sys_flag, waiting.suspend_timeout_millis) = (6, Some(600_000));
    client.post(RemotingCommand::request(&waiting)).await;
    client.store(Send::to("orders")).await;
    drop(cluster);
    assert!(client.next().await.is_none());
    while tokio::runtime::Handle::current().metrics().num_alive_tasks() > before {
        tokio::task::yield_now().await;
    }
    for address in addresses {
        assert!(is_free(address).await, "{address}");
    }
}

#[test]
fn a_cluster_may_outlive_its_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cluster = runtime.block_on(Cluster::start(1)).unwrap();
    drop(runtime);
    assert_eq!(cluster.stored_count("orders"), 0);
}

#[tokio::test]
async fn two_clusters_do_not_know_each_other() {
    let (one, two) = (Cluster::start(1).await.unwrap(), Cluster::start(1).await.unwrap());
    assert_ne!(one.name_server(), two.name_server());
    RawClient::to_broker(&one).await.store(Send::to("orders")).await;
    assert_eq!((one.stored_count("orders"), two.stored_count("orders")), (1, 0));
    assert_eq!((one.requests().len(), two.requests().len()), (1, 0));
}

#[tokio::test]
async fn contradictions_are_refused_with_a_reason() {
    let kind = |builder: maxq_emulator::ClusterBuilder| async {
        let error = builder.start().await.unwrap_err();
        (error.kind().clone(), error.to_string())
    };
    let (found, text) = kind(Cluster::builder().brokers(0)).await;
    assert_eq!((found, text.as_str()), (StartErrorKind::NoBrokers, "a cluster has at least one broker"));
    let (found, text) = kind(Cluster::builder().emulate("3.0")).await;
    assert!(matches!(found, StartErrorKind::UnknownVersion(_)));
    assert_eq!(text, "RocketMQ \"3.0\" is not emulated; say \"4.9.7\" or \"5.5.0\"");
    assert!(matches!(kind(Cluster::builder().topic("a b", 1)).await.0, StartErrorKind::Name(_)));
    let everywhere = Cluster::builder().host([0, 0, 0, 0]);
    assert_eq!(kind(everywhere.clone()).await.0, StartErrorKind::NothingToAdvertise);
    let cluster = everywhere.advertise([127, 0, 0, 1]).start().await.unwrap();
    let taken = Cluster::builder().port(cluster.name_server().port());
    assert!(matches!(kind(taken).await.0, StartErrorKind::Listen(_)));
    // What is advertised can be reached.
    RawClient::to_broker(&cluster).await.store(Send::to("orders")).await;
}

#[tokio::test]
async fn requests_are_remembered_and_the_oldest_forgotten() {
    let cluster = Cluster::builder().remembered_requests(3).start().await.unwrap();
    let mut client = RawClient::to_broker(&cluster).await;
    for _ in 0..4 {
        client.store(Send::to("orders")).await;
    }
    assert!(route(&cluster, "orders").await.is_some());
    let requests = cluster.requests();
    let seen: Vec<_> =
        requests.iter().map(|request| (request.server, request.code, request.opaque)).collect();
    assert_eq!(
        seen,
        [
            (ServerName::Broker(0), RequestCode::SEND_MESSAGE_V2, 3),
            (ServerName::Broker(0), RequestCode::SEND_MESSAGE_V2, 4),
            (ServerName::NameServer, RequestCode::GET_ROUTEINFO_BY_TOPIC, 1),
        ]
    );
}

#[tokio::test]
async fn the_clock_of_the_test_is_the_clock_of_the_brokers() {
    let begin = std::time::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let cluster = Cluster::builder().clock(Clock::starting_at(begin)).start().await.unwrap();
    let mut client = RawClient::to_broker(&cluster).await;
    client.store(Send::to("orders")).await;
    let stored_at = cluster.stored("orders")[0].record.store_timestamp;
    assert!((1_000_000_000..1_000_100_000).contains(&stored_at), "{stored_at}");
    assert!(cluster.requests()[0].at >= begin);
}

#[tokio::test]
async fn stored_messages_come_in_a_stable_order() {
    let cluster = Cluster::builder().brokers(2).topic("orders", 2).start().await.unwrap();
    for broker in [1, 0] {
        let mut client = RawClient::connect(cluster.broker(broker).address()).await;
        for queue in [1, 0, 1] {
            let send = Send::to("orders").with(|header| header.queue_id = queue);
            assert_eq!(client.call(send.request()).await.response_code(), ResponseCode::SUCCESS);
        }
    }
    let places: Vec<_> = cluster
        .stored("orders")
        .iter()
        .map(|stored| (stored.broker.clone(), stored.queue_id(), stored.queue_offset()))
        .collect();
    let of = |broker: &str| [(broker.to_owned(), 0, 0), (broker.to_owned(), 1, 0), (broker.to_owned(), 1, 1)];
    assert_eq!(places, [of("broker-0"), of("broker-1")].concat());
    assert_eq!(cluster.stored_count("orders"), 6);
    assert!(cluster.stored("other").is_empty());
}

#[tokio::test]
async fn more_messages_than_are_looked_at_together_are_all_shown_once() {
    let cluster = Cluster::builder().topic("orders", 3).start().await.unwrap();
    let mut client = RawClient::to_broker(&cluster).await;
    for n in 0..1300 {
        let send = Send::to("orders").with(|header| header.queue_id = n % 3).body(n.to_string());
        client.store(send).await;
    }
    let mut seen = Vec::new();
    cluster.visit_stored("orders", |stored| seen.push(String::from_utf8_lossy(stored.body()).into_owned()));
    assert_eq!(seen.len(), 1300);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 1300);
}
