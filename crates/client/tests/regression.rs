//! Defects that were found in review, each as the story that showed it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test looks at the clock, and its tasks end with its runtime"
)]

mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use maxq::{
    Client, ClientConfig, CompressionChoice, ErrorCode, From, Message, MessageQueue, Outcome, ProducerConfig,
    RetryPolicy, SendErrorKind,
};
use maxq_protocol::{
    RequestCode, ResponseCode,
    header::PullReply,
    message::{StoredMessage, SysFlag},
};
use support::{Act, NAME_SERVER, Network, address, reply, route_body, route_with_perm, serve};
use tokio::time::Instant;

const SENDS: RequestCode = RequestCode::SEND_MESSAGE_V2;
const SECOND: Duration = Duration::from_secs(1);

fn message() -> Message {
    Message::new("T", "hello")
}

fn uncompressed() -> ProducerConfig {
    ProducerConfig::new("tests").compression(CompressionChoice::Off)
}

fn now() -> Instant {
    Instant::now()
}

// ---- routes

#[tokio::test(start_paused = true)]
async fn a_strict_producer_never_gets_the_default_route_of_another_ones_fetch() {
    let network = Network::cluster("TBW102", &["a"]);
    let client = network.client();
    let lenient = client.producer(ProducerConfig::new("lenient")).unwrap();
    let strict = client.producer(ProducerConfig::new("strict").auto_create(false)).unwrap();
    let (created, refused) =
        tokio::join!(lenient.send(message()).into_future(), strict.send(message()).into_future());
    created.unwrap();
    assert_eq!(refused.unwrap_err().code(), ErrorCode::TOPIC_NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn the_default_topics_route_is_kept_fresh_too() {
    let network = Network::cluster("TBW102", &["a", "b"]);
    let moved = AtomicUsize::new(0);
    network.name_server(move |topic, _| match topic {
        "TBW102" if moved.fetch_add(1, Ordering::Relaxed) == 0 => Ok(route_body(&["a"])),
        "TBW102" => Ok(route_body(&["b"])),
        _ => Err(17),
    });
    network.remove(&address("a"));
    let producer = network.producer();
    drop(producer.send(message()).await);
    tokio::time::sleep(31 * SECOND).await;
    producer.send(message()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_route_that_gives_nothing_is_asked_for_again_by_the_next_send() {
    let network = Network::cluster("T", &["a"]);
    network.name_server(|_, asked| Ok(route_with_perm(&["a"], if asked == 0 { 4 } else { 6 })));
    let producer = network.producer();
    assert_eq!(producer.send(message()).await.unwrap_err().code(), ErrorCode::NOT_WRITABLE);
    tokio::time::sleep(SECOND).await;
    producer.send(message()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_fixed_queue_on_a_new_broker_is_looked_up_before_it_is_refused() {
    let network = Network::cluster("T", &["a", "b"]);
    network.name_server(|_, asked| Ok(route_body(if asked == 0 { &["a"] } else { &["a", "b"] })));
    let producer = network.producer();
    producer.send(message()).await.unwrap();
    producer.send(message()).to(MessageQueue::new("T", "b", 0)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_route_does_not_decide_our_memory() {
    let network = Network::cluster("T", &["a"]);
    let one = r#"{"brokerName":"a","perm":6,"readQueueNums":65536,"writeQueueNums":65536,"topicSysFlag":0}"#;
    let route = format!(
        r#"{{"brokerDatas":[{{"brokerAddrs":{{0:"a:10911"}},"brokerName":"a","cluster":"C"}}],"queueDatas":[{}]}}"#,
        [one; 20].join(",")
    );
    network.name_server(move |_, _| Ok(route.clone().into_bytes()));
    let queues = network.producer().queues("T").await.map(|queues| queues.len()).unwrap_or(0);
    assert!(queues <= 65_536, "{queues} queues from a route of 2 KB");
}

// ---- outcomes

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_store_is_no_failure_when_the_route_goes_away() {
    let network = Network::cluster("T", &["a", "b"]);
    network.name_server(|_, asked| Ok(route_with_perm(&["a", "b"], if asked == 0 { 6 } else { 4 })));
    network.remove(&address("a"));
    network.peer(&address("b"), |request| {
        let mut answer = serve(request);
        answer.code = if request.request_code() == SENDS { 10 } else { 0 };
        vec![Act::Answer(answer)]
    });
    let policy = RetryPolicy::default().retry_when_not_stored_ok(true);
    let sent = network.producer().send(message()).retry(policy).await;
    let stored = network.heard(&address("b"), SENDS).len();
    assert!(stored > 0 && sent.is_ok(), "stored {stored} times, and yet: {sent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_stored_twice_says_so() {
    let network = Network::cluster("T", &["a", "b"]);
    let sends = Arc::new(AtomicUsize::new(0));
    for broker in ["a", "b"] {
        let sends = sends.clone();
        network.peer(&address(broker), move |request| {
            let mut answer = serve(request);
            if request.request_code() == SENDS && sends.fetch_add(1, Ordering::Relaxed) == 0 {
                answer.code = 10;
            }
            vec![Act::Answer(answer)]
        });
    }
    let policy = RetryPolicy::default().retry_when_not_stored_ok(true);
    let receipt = network.producer().send(message()).retry(policy).await.unwrap();
    assert_eq!(network.heard(&address("a"), SENDS).len() + network.heard(&address("b"), SENDS).len(), 2);
    assert_eq!((receipt.attempts().len(), receipt.maybe_duplicate()), (2, true));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_not_said_to_be_stored_perhaps() {
    let network = Network::cluster("T", &["a"]);
    let error = network.producer().send(message()).timeout(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent);
    assert!(!error.to_string().contains("may be stored"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_grpc_port_in_a_route_has_its_own_code() {
    let network = Network::cluster("T", &["a"]);
    network.peer(&address("a"), |_| vec![Act::Bytes(b"HTTP/1.1 400 Bad Request".to_vec())]);
    let error = network.producer().send(message()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::HTTP_PORT, "{error}");
}

#[test]
fn a_send_after_the_end_of_its_runtime_is_closed() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let network = Network::cluster("T", &["a"]);
    let first = runtime();
    let producer = first.block_on(async {
        let producer = network.producer();
        producer.send(message()).await.unwrap();
        producer
    });
    drop(first);
    let error = runtime().block_on(producer.send(message()).into_future()).unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (SendErrorKind::Closed, Outcome::NotSent), "{error}");
}

// ---- closing

#[tokio::test(start_paused = true)]
async fn a_close_report_counts_every_producer() {
    let network = Network::cluster("T", &["a"]);
    let client = network.client();
    let (one, two) = (
        client.producer(ProducerConfig::new("one")).unwrap(),
        client.producer(ProducerConfig::new("two")).unwrap(),
    );
    one.send(message()).await.unwrap();
    // One answer a second: first that of the second producer, then that of the first.
    let queue = one.queues("T").await.unwrap().remove(0);
    network.slow_down(&address("a"), SECOND);
    let sends = async {
        let second = two.send(message()).to(queue.clone()).into_future();
        let first = one.send(message()).to(queue.clone()).into_future();
        tokio::join!(second, first)
    };
    let (_, report) = tokio::join!(sends, async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        client.close(10 * SECOND).await
    });
    assert_eq!(report.acknowledged + report.unknown, 2, "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_close_report_leaves_out_what_began_after_it() {
    let network = Network::cluster("T", &["a"]);
    let producer = network.producer();
    producer.send(message()).await.unwrap();
    network.slow_down(&address("a"), SECOND);
    let (sent, report, ()) = tokio::join!(
        producer.send(message()).into_future(),
        async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            producer.close(5 * SECOND).await
        },
        async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            for _ in 0..5 {
                producer.send(message()).await.unwrap_err();
            }
        }
    );
    sent.unwrap();
    assert_eq!((report.acknowledged, report.not_sent), (1, 0), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_dropped_goes_on_in_the_background() {
    let network = Network::cluster("T", &["a"]);
    let producer = network.producer();
    producer.send(message()).await.unwrap();
    network.slow_down(&address("a"), SECOND);
    let sending = tokio::spawn(producer.send(message()).into_future());
    tokio::time::sleep(Duration::from_millis(10)).await;
    let client = producer.client().clone();
    assert!(tokio::time::timeout(Duration::from_millis(10), client.close(5 * SECOND)).await.is_err());
    sending.await.unwrap().unwrap();
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(network.heard(&address("a"), RequestCode::UNREGISTER_CLIENT).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn closing_a_producer_takes_no_longer_than_it_may() {
    let network = Network::cluster("T", &["a"]);
    let client = network.client();
    let producer = client.producer(ProducerConfig::new("tests")).unwrap();
    producer.send(message()).await.unwrap();
    network.slow_down(&address("a"), 10 * SECOND);
    let began = now();
    producer.close(Duration::from_millis(50)).await;
    assert!(began.elapsed() < Duration::from_millis(100), "it took {:?}", began.elapsed());
}

// ---- heartbeats

#[tokio::test(start_paused = true)]
async fn a_mapped_broker_hears_a_heartbeat_when_its_connection_opens() {
    let network = Network::cluster("T", &["container"]);
    network.remove(&address("container"));
    network.peer("reachable:10911", |request| match &request.body[..] {
        b"die" => vec![Act::Close],
        _ => vec![Act::Answer(serve(request))],
    });
    let config = network.config().map_address(address("container"), "reachable:10911");
    let producer = Client::lazy(config).unwrap().producer(ProducerConfig::new("tests")).unwrap();
    producer.send(message()).await.unwrap();
    tokio::time::sleep(5 * SECOND).await;
    let beats = || network.heard("reachable:10911", RequestCode::HEART_BEAT).len();
    let before = beats();
    drop(producer.send(Message::new("T", "die")).retry(RetryPolicy::none()).await);
    producer.send(message()).await.unwrap();
    tokio::time::sleep(SECOND).await;
    assert_eq!(beats(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_registers_during_a_heartbeat_is_announced_after_it() {
    let network = Network::cluster("T", &["a"]);
    let client = network.client();
    let one = client.producer(ProducerConfig::new("one")).unwrap();
    one.send(message()).await.unwrap();
    tokio::time::sleep(5 * SECOND).await;
    network.slow_down(&address("a"), SECOND);
    let _two = client.producer(ProducerConfig::new("two")).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let _three = client.producer(ProducerConfig::new("three")).unwrap();
    tokio::time::sleep(10 * SECOND).await;
    let beats = network.heard(&address("a"), RequestCode::HEART_BEAT);
    let announced = |group: &str| {
        beats.iter().any(|beat| String::from_utf8_lossy(&beat.body).contains(&format!("\"{group}\"")))
    };
    assert!(announced("two") && announced("three"));
}

// ---- reader

#[tokio::test(start_paused = true)]
async fn a_damaged_record_gives_no_message_twice() {
    let network = Network::cluster("T", &["a"]);
    let record = |offset: i64, sys_flag: i32| StoredMessage {
        queue_id: 0,
        flag: 0,
        queue_offset: offset,
        commit_log_offset: offset * 100,
        sys_flag: SysFlag(sys_flag),
        born_timestamp: 1,
        born_host: "127.0.0.1:1".parse().unwrap(),
        store_timestamp: 1,
        store_host: "127.0.0.1:2".parse().unwrap(),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: Bytes::from_static(b"body"),
        topic: "T".to_owned(),
        properties: String::new(),
    };
    network.peer(&address("a"), move |request| {
        if request.request_code() != RequestCode::PULL_MESSAGE {
            return vec![Act::Answer(serve(request))];
        }
        let from: i64 = request.ext.get("queueOffset").unwrap().parse().unwrap();
        let mut body = Vec::new();
        for offset in from..3 {
            // The last one says that it is compressed, and is not.
            record(offset, if offset == 2 { 0x301 } else { 0 }).encode(&mut body);
        }
        let header = PullReply {
            suggest_which_broker_id: 0,
            next_begin_offset: 3,
            min_offset: 0,
            max_offset: 3,
            forbidden_type: None,
        };
        vec![Act::Answer(reply(request, ResponseCode::SUCCESS).with_header(&header).with_body(body))]
    });
    let mut reader = network.client().reader(&MessageQueue::new("T", "a", 0), From::Offset(0));
    let mut offsets = Vec::new();
    for _ in 0..10 {
        if let Ok(Some(message)) = reader.next().await {
            offsets.push(message.queue_offset());
        }
    }
    assert_eq!(offsets, [0, 1], "each good message once");
}

// ---- configuration

#[test]
fn the_port_of_a_connection_string_may_be_left_out() {
    assert!(ClientConfig::from_url("rocketmq://ns/?group=g").is_ok());
}

#[test]
fn no_part_of_a_secret_comes_back_in_an_error() {
    let error = ClientConfig::from_url("rocketmq://key:s3c?ret@a:9876").unwrap_err().to_string();
    assert!(!error.contains("ret@") && !error.contains("s3c"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_frozen_broker_gives_back_the_permits_of_sends_that_were_given_up() {
    let network = Network::cluster("T", &["a", "b"]);
    network.deafen(&address("a"));
    let producer = network.client().producer(uncompressed().limits(8, 64 << 20)).unwrap();
    let frozen = MessageQueue::new("T", "a", 0);
    // The first fills the stream's buffer; the others wait behind it.
    let first = producer.send(Message::new("T", vec![7; 200_000])).to(frozen.clone()).timeout(60 * SECOND);
    let _first = tokio::spawn(first.into_future());
    tokio::time::sleep(Duration::from_millis(10)).await;
    for _ in 0..7 {
        let sending = producer.send(message()).to(frozen.clone()).timeout(60 * SECOND).into_future();
        drop(tokio::time::timeout(Duration::from_millis(10), sending).await);
    }
    producer.send(message()).to(MessageQueue::new("T", "b", 0)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_store_before_a_silence_is_maybe_a_duplicate() {
    let network = Network::cluster("T", &["a", "b"]);
    let sends = Arc::new(AtomicUsize::new(0));
    for broker in ["a", "b"] {
        let sends = sends.clone();
        network.peer(&address(broker), move |request| {
            let mut answer = serve(request);
            if request.request_code() == SENDS {
                if sends.fetch_add(1, Ordering::Relaxed) > 0 {
                    return vec![];
                }
                answer.code = 10;
            }
            vec![Act::Answer(answer)]
        });
    }
    let policy = RetryPolicy::default().retry_when_not_stored_ok(true).attempts(2);
    let receipt = network.producer().send(message()).retry(policy).await.unwrap();
    assert_eq!((receipt.attempts().len(), receipt.maybe_duplicate()), (2, true));
}

#[tokio::test(start_paused = true)]
async fn a_key_with_a_blank_would_be_two_and_is_refused() {
    let network = Network::cluster("T", &["a"]);
    let error = network.producer().send(message().key("a b")).await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::Invalid);
    assert!(error.to_string().contains("blanks separate keys"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_bare_ipv6_address_of_a_route_can_be_mapped() {
    let network = Network::cluster("T", &["fd00::7"]);
    network.remove(&address("fd00::7"));
    network.peer("reachable:10911", |request| vec![Act::Answer(serve(request))]);
    let config = network.config().map_address("fd00::7:10911", "reachable:10911");
    let producer = Client::lazy(config).unwrap().producer(ProducerConfig::new("tests")).unwrap();
    producer.send(message()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_silent_name_server_is_named_in_the_send_error() {
    let network = Network::default();
    network.deafen(NAME_SERVER);
    let error = network.producer().send(message()).await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::NoRoute);
    assert!(error.to_string().contains(NAME_SERVER), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_closed_client_makes_no_producer() {
    let network = Network::cluster("T", &["a"]);
    let client = network.client();
    client.close(SECOND).await;
    assert!(client.producer(ProducerConfig::new("late")).is_err());
}
