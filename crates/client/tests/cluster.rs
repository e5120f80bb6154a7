//! Finding the cluster, keeping routes and heartbeats, and leaving. Time is tokio's paused clock.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::Duration;

use maxq::{
    Client, ClientConfig, ErrorCode, Message, Outcome, Producer, ProducerConfig, RequestErrorKind,
    SendErrorKind, admin::TopicSettings,
};
use maxq_protocol::{RequestCode, ResponseCode};
use support::{Act, NAME_SERVER, Network, address, reply, route_body, route_with_perm, serve};

const SENDS: RequestCode = RequestCode::SEND_MESSAGE_V2;
const ROUTES: RequestCode = RequestCode::GET_ROUTEINFO_BY_TOPIC;

/// The body of a route, or a code.
type RouteAnswer = fn() -> Result<Vec<u8>, i32>;

fn message() -> Message {
    Message::new("T", "hello")
}

#[tokio::test(start_paused = true)]
async fn a_strict_connect_needs_an_answer() {
    let network = Network::default();
    let error = Client::connect(network.config()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NAME_SERVER_UNREACHABLE);
    let text = error.to_string();
    assert!(
        text.contains(NAME_SERVER) && text.contains("connection refused") && text.contains("MQ2001"),
        "{text}"
    );
    network.name_server(|_, _| Err(17));
    assert!(Client::connect(network.config()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_silent_name_server_leaves_time_for_the_next() {
    let network = Network::cluster("T", &["a"]);
    network.deafen("silent:9876");
    for order in ["silent:9876,ns:9876", "ns:9876;silent:9876"] {
        let producer = Client::connect(network.config_of(order))
            .await
            .unwrap()
            .producer(ProducerConfig::new("tests"))
            .unwrap();
        producer.send(message()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_name_server_is_named_in_the_send_error() {
    let network = Network::default();
    let error = network.producer().send(message()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome(), error.code()),
        (SendErrorKind::NoRoute, Outcome::NotSent, ErrorCode::NAME_SERVER_UNREACHABLE)
    );
    assert!(error.to_string().contains("ns:9876: connection refused"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn each_missing_route_says_why() {
    let unwritable = || Ok(route_with_perm(&["a"], 4));
    let masterless = || Ok(String::from_utf8(route_body(&["a"])).unwrap().replace("{0:", "{1:").into_bytes());
    let cases: [(RouteAnswer, ErrorCode); 5] = [
        (|| Err(17), ErrorCode::TOPIC_NOT_FOUND),
        (|| Err(1), ErrorCode::ROUTE_REFUSED),
        (unwritable, ErrorCode::NOT_WRITABLE),
        (masterless, ErrorCode::NO_MASTER),
        (|| Ok(b"{\"queueDatas\":[{".to_vec()), ErrorCode::ROUTE_UNUSABLE),
    ];
    for (answer, code) in cases {
        let network = Network::default();
        network.name_server(move |_, _| answer());
        let error = network.producer().send(message()).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (SendErrorKind::NoRoute, code), "{error}");
        assert!(error.to_string().contains(NAME_SERVER), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_topic_is_created_through_the_default_topic() {
    let network = Network::cluster("TBW102", &["a"]);
    let receipt = network.producer().send(message()).await.unwrap();
    assert!(receipt.created_from_default_topic());
    let strict = network.client().producer(ProducerConfig::new("strict").auto_create(false)).unwrap();
    let error = strict.send(message()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TOPIC_NOT_FOUND);
    assert!(error.to_string().contains("auto_create is off"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn routes_are_polled_and_a_moved_topic_is_followed() {
    let network = Network::cluster("T", &["a", "b"]);
    network.name_server(|_, asked| Ok(route_body(if asked == 0 { &["a"] } else { &["b"] })));
    let producer = network.producer();
    assert_eq!(producer.send(message()).await.unwrap().queue().broker_name(), "a");
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(producer.send(message()).await.unwrap().queue().broker_name(), "b");
    assert_eq!(network.heard(NAME_SERVER, ROUTES).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_is_not_used_is_no_longer_polled() {
    let network = Network::cluster("T", &["a"]);
    let producer = network.producer();
    producer.send(message()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let asked = network.heard(NAME_SERVER, ROUTES).len();
    assert!((20..=21).contains(&asked), "once, then every 30 s for 10 minutes: {asked}");
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_never_erases_a_working_route() {
    let network = Network::cluster("T", &["a"]);
    network.name_server(|_, asked| match asked {
        0 => Ok(route_body(&["a"])),
        1 => Ok(route_body(&[])),
        _ => Err(17),
    });
    let producer = network.producer();
    for _ in 0..4 {
        producer.send(message()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(31)).await;
    }
    network.remove(NAME_SERVER);
    tokio::time::sleep(Duration::from_secs(31)).await;
    producer.send(message()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_refreshes_the_route_at_once() {
    let network = Network::cluster("T", &["a", "b"]);
    network.name_server(|_, asked| Ok(route_body(if asked == 0 { &["a"] } else { &["b"] })));
    network.remove(&address("a"));
    let producer = network.producer();
    let receipt = producer.send(message()).await.unwrap();
    assert_eq!(receipt.queue().broker_name(), "b", "the second attempt sees the new route");
}

#[tokio::test(start_paused = true)]
async fn a_stale_route_is_refreshed_when_a_broker_says_so() {
    let network = Network::cluster("T", &["a", "b"]);
    network.name_server(|_, asked| Ok(route_body(if asked == 0 { &["a"] } else { &["b"] })));
    network.peer(&address("a"), |request| {
        let answer = reply(request, ResponseCode::TOPIC_NOT_EXIST).with_remark("topic[T] not exist");
        vec![Act::Answer(if request.request_code() == SENDS { answer } else { serve(request) })]
    });
    let receipt = network.producer().send(message()).await.unwrap();
    assert_eq!((receipt.queue().broker_name(), receipt.attempts().len()), ("b", 2));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_advertised_address_can_be_mapped() {
    let network = Network::cluster("T", &["container"]);
    network.remove(&address("container"));
    network.peer("reachable:10911", |request| vec![Act::Answer(serve(request))]);
    let config = network.config().map_address(address("container"), "reachable:10911");
    let producer = Client::lazy(config).unwrap().producer(ProducerConfig::new("tests")).unwrap();
    producer.send(message()).await.unwrap();
    assert_eq!(network.heard("reachable:10911", SENDS).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn brokers_hear_of_a_producer_at_once_and_every_30_seconds() {
    let network = Network::cluster("T", &["a", "b"]);
    let producer = network.producer();
    producer.send(message()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    for broker in ["a", "b"] {
        let beats = network.heard(&address(broker), RequestCode::HEART_BEAT);
        assert_eq!(beats.len(), 1, "{broker}");
        let body = String::from_utf8(beats[0].body.to_vec()).unwrap();
        assert!(body.contains(r#""producerDataSet":[{"groupName":"tests"}]"#), "{body}");
        assert!(body.contains(&format!(r#""clientID":"{}""#, producer.client().id())), "{body}");
    }
    assert_eq!(producer.client().broker_version(&address("a")), Some(479));
    tokio::time::sleep(Duration::from_secs(95)).await;
    let beats = network.heard(&address("a"), RequestCode::HEART_BEAT).len();
    assert_eq!(beats, 5, "at once, after 1 s, 31 s, 61 s and 91 s");
}

#[tokio::test(start_paused = true)]
async fn a_frozen_broker_delays_no_other_heartbeat() {
    let network = Network::cluster("T", &["a", "b"]);
    network.deafen(&address("a"));
    let producer = network.producer();
    producer.send(message()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(95)).await;
    assert!(network.heard(&address("b"), RequestCode::HEART_BEAT).len() >= 4);
}

#[tokio::test(start_paused = true)]
async fn closing_waits_for_what_is_under_way_and_unregisters() {
    let network = Network::cluster("T", &["a"]);
    let producer = network.producer();
    producer.send(message()).await.unwrap();
    network.slow_down(&address("a"), Duration::from_secs(1));
    let sending = producer.send(message()).into_future();
    let (sent, report) = tokio::join!(sending, async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        producer.close(Duration::from_secs(5)).await
    });
    sent.unwrap();
    assert_eq!((report.acknowledged, report.unknown), (1, 0), "{report:?}");
    let error = producer.send(message()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome(), error.code()),
        (SendErrorKind::Closed, Outcome::NotSent, ErrorCode::CLOSED)
    );
    let gone = network.heard(&address("a"), RequestCode::UNREGISTER_CLIENT);
    assert_eq!(gone.len(), 1);
    assert_eq!(gone[0].ext.get("producerGroup"), Some("tests"));
    let second = producer.close(Duration::from_secs(5)).await;
    assert_eq!(second.acknowledged, 0);
}

#[tokio::test(start_paused = true)]
async fn closing_has_an_end_when_a_broker_has_none() {
    let network = Network::cluster("T", &["a"]);
    network.peer(&address("a"), |_| vec![]);
    let producer = network.producer();
    let sending = tokio::time::timeout(
        Duration::from_secs(60),
        producer.send(message()).timeout(Duration::from_secs(50)),
    );
    let client = producer.client().clone();
    let (sent, report) = tokio::join!(sending, async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        client.close(Duration::from_secs(2)).await
    });
    assert_eq!(report.unknown, 1, "{report:?}");
    let error = sent.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (SendErrorKind::Closed, Outcome::Unknown));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_unregisters_in_the_background() {
    let network = Network::cluster("T", &["a"]);
    let producer = network.producer();
    producer.send(message()).await.unwrap();
    drop(producer);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(network.heard(&address("a"), RequestCode::UNREGISTER_CLIENT).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_and_its_producer_keep_each_other_apart() {
    let network = Network::cluster("T", &["a"]);
    let client = network.client();
    let (one, two) = (
        client.producer(ProducerConfig::new("one")).unwrap(),
        client.producer(ProducerConfig::new("two")).unwrap(),
    );
    one.send(message()).await.unwrap();
    one.close(Duration::from_secs(1)).await;
    two.send(message()).await.unwrap();
    let gone = network.heard(&address("a"), RequestCode::UNREGISTER_CLIENT);
    assert_eq!(gone.len(), 1);
    assert_eq!(gone[0].ext.get("producerGroup"), Some("one"));
}

#[tokio::test(start_paused = true)]
async fn configurations_that_cannot_work_are_refused() {
    let network = Network::cluster("T", &["a"]);
    let client = network.client();
    for group in ["", "a b", "DEFAULT_PRODUCER"] {
        assert!(client.producer(ProducerConfig::new(group)).is_err(), "{group:?}");
    }
    let error = Producer::connect("rocketmq://ns:9876").await.unwrap_err();
    assert!(error.to_string().contains("?group=NAME"), "{error}");
}

#[test]
fn a_client_needs_a_runtime_and_says_so() {
    let error = Client::lazy(ClientConfig::new("ns:9876")).unwrap_err();
    assert!(error.to_string().contains("tokio runtime"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn administration_reports_what_a_server_says() {
    let network = Network::default();
    network.name_server(|_, _| Err(17));
    let admin = network.client().admin();
    let error = admin.route("T").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code(), error.response_code(), error.address()),
        (RequestErrorKind::NoRoute, ErrorCode::TOPIC_NOT_FOUND, Some(17), Some(NAME_SERVER))
    );
    for (topic, settings) in [
        ("a b", TopicSettings::default()),
        ("TBW102", TopicSettings::default()),
        ("ok", TopicSettings::default().queues(0)),
        ("ok", TopicSettings::default().perm(99)),
    ] {
        let error = admin.create_topic(topic, settings).await.unwrap_err();
        assert_eq!(error.kind(), RequestErrorKind::Invalid, "{error}");
    }
    assert_eq!(admin.view_message("xyz").await.unwrap_err().kind(), RequestErrorKind::Invalid);
}
