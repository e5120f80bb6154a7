//! The network without sockets: time, loss, cuts, half-open links, and that it is the same again with the same seed.

use std::{
    io::ErrorKind,
    time::{Duration, UNIX_EPOCH},
};

use maxq_emulator::{Clock, Cluster, VirtualNetwork, VirtualStream};
use maxq_protocol::{
    RemotingCommand, ResponseCode,
    header::{SendMessage, SendMessageV2},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime,
    time::{Instant, sleep, timeout},
};

use crate::{
    clients::heartbeat,
    support::{RawClient, Send, pull, route_by},
};

/// A network and a cluster with one broker on it.
pub(crate) async fn one_virtual_broker() -> (VirtualNetwork, Cluster) {
    let network = VirtualNetwork::seeded(1);
    let cluster = Cluster::builder()
        .virtual_network(&network)
        .clock(Clock::starting_at(UNIX_EPOCH + Duration::from_secs(1_700_000_000)))
        .topic("T", 1)
        .start()
        .await
        .expect("nothing is in the way");
    (network, cluster)
}

#[expect(clippy::disallowed_methods, reason = "these tests are about the clock, and it is paused")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A stream to the first broker.
async fn dial(network: &VirtualNetwork, cluster: &Cluster) -> VirtualStream {
    network.dial(&cluster.broker(0).address().to_string()).await.expect("nothing is in the way")
}

#[tokio::test(start_paused = true)]
async fn a_virtual_cluster_serves_at_addresses_of_its_own() {
    let (network, cluster) = one_virtual_broker().await;
    assert_eq!(cluster.name_servers(), "10.0.0.1:9876");
    let mut client = RawClient::dial(&network, "10.0.0.1:9876").await;
    let route = route_by(&mut client, "T").await.unwrap();
    assert_eq!(route.broker_datas[0].broker_addrs[&0], "10.0.1.1:10911");
    RawClient::dial(&network, "10.0.1.1:10911").await.store(Send::to("T")).await;
    assert_eq!(cluster.stored_count("T"), 1);
    let second = Cluster::builder().virtual_network(&network).brokers(2).start().await.unwrap();
    assert_eq!(second.broker(1).address().to_string(), "10.1.1.2:10911");
    assert_eq!(second.stored_count("T"), 0);
    cluster.stop().await;
    let error = network.dial("10.0.0.1:9876").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    assert_eq!(error.to_string(), "nobody listens on 10.0.0.1:9876");
}

#[tokio::test(start_paused = true)]
async fn what_is_written_travels_for_the_latency_and_in_order() {
    let (network, cluster) = one_virtual_broker().await;
    network.latency(Duration::from_millis(30)..=Duration::from_millis(30));
    let begin = now();
    let mut client = RawClient::dial(&network, cluster.broker(0).address()).await;
    assert_eq!(begin.elapsed().as_millis(), 60, "there and back");
    client.store(Send::to("T")).await;
    assert_eq!(begin.elapsed().as_millis(), 120);
    network.latency(Duration::ZERO..=Duration::from_secs(1));
    let sent: Vec<_> = post_many(&mut client, 50).await;
    let answered: Vec<_> = answers(&mut client, 50).await;
    assert_eq!(sent, answered);
}

async fn post_many(client: &mut RawClient, count: usize) -> Vec<i32> {
    let mut opaques = Vec::new();
    for _ in 0..count {
        opaques.push(client.post(Send::to("T").request()).await);
    }
    opaques
}

async fn answers(client: &mut RawClient, count: usize) -> Vec<i32> {
    let mut opaques = Vec::new();
    for _ in 0..count {
        opaques.push(client.next().await.expect("nothing is in the way").opaque);
    }
    opaques
}

#[tokio::test(start_paused = true)]
async fn a_lost_piece_comes_late_and_whole() {
    let (network, cluster) = one_virtual_broker().await;
    let mut client = RawClient::dial(&network, cluster.broker(0).address()).await;
    network.loss(1.0);
    let begin = now();
    client.store(Send::to("T")).await;
    assert_eq!(begin.elapsed().as_millis(), 400, "the request and its answer were lost once each");
    network.loss(0.0);
    let begin = now();
    client.store(Send::to("T")).await;
    assert_eq!(begin.elapsed().as_millis(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_cut_resets_both_ends_and_new_dials_work() {
    let (network, cluster) = one_virtual_broker().await;
    let mut client = RawClient::dial(&network, cluster.broker(0).address()).await;
    client.call(heartbeat(&["p"], &[])).await;
    assert_eq!(cluster.clients().len(), 1);
    let mut stream = dial(&network, &cluster).await;
    let address = cluster.broker(0).address().to_string();
    assert_eq!(network.connections(&address), 2);
    network.cut(&address);
    assert_eq!(network.connections(&address), 0);
    assert_eq!(stream.read_u8().await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(stream.write_u8(1).await.unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert!(client.next().await.is_none());
    // The broker sees it, too: it forgets the client.
    sleep(Duration::from_millis(1)).await;
    assert!(cluster.clients().is_empty());
    RawClient::dial(&network, &address).await.store(Send::to("T")).await;
}

#[tokio::test(start_paused = true)]
async fn a_refusing_address_keeps_what_is_open() {
    let (network, cluster) = one_virtual_broker().await;
    let address = cluster.broker(0).address().to_string();
    let mut client = RawClient::dial(&network, &address).await;
    network.refuse(&address);
    assert_eq!(network.dial(&address).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    client.store(Send::to("T")).await;
    network.heal(&address);
    network.dial(&address).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_half_open_link_swallows_all_until_it_is_healed() {
    let (network, cluster) = one_virtual_broker().await;
    let address = cluster.broker(0).address().to_string();
    let mut client = RawClient::dial(&network, &address).await;
    let mut leaving = RawClient::dial(&network, &address).await;
    leaving.call(heartbeat(&["p"], &[])).await;
    network.black_hole(&address);
    client.post(Send::to("T").request()).await;
    // Nobody hears that it has gone.
    drop(leaving);
    assert!(timeout(Duration::from_secs(60), client.next()).await.is_err());
    assert_eq!((cluster.stored_count("T"), cluster.clients().len()), (0, 1));
    network.heal(&address);
    assert_eq!(client.next().await.unwrap().response_code(), ResponseCode::SUCCESS);
    sleep(Duration::from_millis(1)).await;
    assert_eq!((cluster.stored_count("T"), cluster.clients().len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dial_into_a_black_hole_waits_for_the_healing() {
    let (network, cluster) = one_virtual_broker().await;
    let address = cluster.broker(0).address().to_string();
    network.black_hole(&address);
    let dial = network.dial(&address);
    tokio::pin!(dial);
    assert!(timeout(Duration::from_secs(3600), &mut dial).await.is_err());
    network.heal(&address);
    assert!(timeout(Duration::from_millis(1), &mut dial).await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_direction_that_nobody_reads_fills_up() {
    let (network, cluster) = one_virtual_broker().await;
    cluster.freeze_broker(0);
    let mut stream = dial(&network, &cluster).await;
    let written = async {
        let mut written = 0;
        loop {
            match timeout(Duration::from_secs(1), stream.write(&[0; 1000])).await {
                Ok(count) => written += count.unwrap(),
                Err(_) => return written,
            }
        }
    };
    assert_eq!(written.await, 256 * 1024);
    // 0 is a length that no frame has: the broker closes the connection, and the writer is told.
    cluster.thaw_broker(0);
    assert_eq!(stream.write(&[0; 1000]).await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    assert_eq!(stream.read(&mut [0; 10]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_comes_behind_what_was_written_before() {
    let (network, cluster) = one_virtual_broker().await;
    network.latency(Duration::from_millis(5)..=Duration::from_millis(50));
    let mut frame = Vec::new();
    for _ in 0..3 {
        Send::to("T").request().encode(&mut frame);
    }
    let mut stream = dial(&network, &cluster).await;
    stream.write_all(&frame).await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(stream.write(b"x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
    // The other direction is open until the broker has answered and closed it.
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).await.unwrap();
    assert_eq!(cluster.stored_count("T"), 3);
}

/// All that two clients saw of a cluster with latency and loss, and when.
fn trace(seed: u64) -> String {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("nothing is in the way");
    runtime.block_on(async {
        let network = VirtualNetwork::seeded(seed);
        network.latency(Duration::from_millis(1)..=Duration::from_millis(40));
        network.loss(0.2);
        let clock = Clock::starting_at(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let cluster = Cluster::builder()
            .virtual_network(&network)
            .seed(seed)
            .clock(clock)
            .brokers(2)
            .name_servers(2)
            .start()
            .await
            .expect("nothing is in the way");
        let begin = now();
        let mut trace = String::new();
        let (one, two) = tokio::join!(talk(&network, &cluster, 0, begin), talk(&network, &cluster, 1, begin));
        cluster.freeze_broker(0);
        sleep(Duration::from_secs(200)).await;
        cluster.thaw_broker(0);
        trace += &one;
        trace += &two;
        cluster.visit_stored("made", |stored| {
            trace += &format!("{:?} {:?}\n", stored.record, stored.unique_id());
        });
        trace + &format!("{:?} {:?}", cluster.requests(), begin.elapsed())
    })
}

async fn talk(network: &VirtualNetwork, cluster: &Cluster, broker: usize, begin: Instant) -> String {
    let mut client = RawClient::dial(network, cluster.broker(broker).address()).await;
    let mut trace = String::new();
    for _ in 0..20 {
        // The broker chooses the queue and the unique key.
        let header = SendMessage {
            topic: "made".into(),
            default_topic: "TBW102".into(),
            default_topic_queue_nums: 4,
            queue_id: -1,
            ..SendMessage::default()
        };
        let answer = client.call(RemotingCommand::request(&SendMessageV2(header)).with_body(vec![1])).await;
        let pulled = client.call(RemotingCommand::request(&pull("made", 0, 0))).await;
        trace += &format!("{:?} {answer:?} {pulled:?}\n", begin.elapsed());
    }
    trace
}

#[test]
fn one_seed_is_one_story() {
    let first = trace(7);
    assert!(first.len() > 10_000, "something happened");
    for _ in 0..3 {
        assert!(trace(7) == first);
    }
    assert!(trace(8) != first);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_virtual_cluster_leaves_no_task() {
    let network = VirtualNetwork::seeded(0);
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let cluster =
        Cluster::builder().virtual_network(&network).name_servers(2).brokers(3).start().await.unwrap();
    let mut client = RawClient::dial(&network, cluster.broker(0).address()).await;
    let mut waiting = pull("TBW102", 0, 0);
    (waiting.sys_flag, waiting.suspend_timeout_millis) = (6, Some(600_000));
    client.post(RemotingCommand::request(&waiting)).await;
    client.store(Send::to("T")).await;
    cluster.freeze_broker(0);
    cluster.freeze_broker(1);
    // Never accepted, because it is frozen: it must go, too.
    let mut queued = network.dial(&cluster.broker(1).address().to_string()).await.unwrap();
    assert!(tasks() > 0);
    drop(cluster);
    assert!(client.next().await.is_none());
    assert!(queued.read_u8().await.is_err());
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(tasks(), 0);
}
