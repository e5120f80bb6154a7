//! What a send does when peers behave, and when they do not. Time is tokio's paused clock.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use maxq::{
    ErrorCode, Message, MessageQueue, Outcome, Phase, ProducerConfig, RetryPolicy, SendErrorKind, StoreStatus,
};
use maxq_protocol::{RemotingCommand, RequestCode, ResponseCode};
use support::{Act, NAME_SERVER, Network, address, reply, route_body, serve};
use tokio::time::Instant;

const SENDS: RequestCode = RequestCode::SEND_MESSAGE_V2;

fn message() -> Message {
    Message::new("T", "hello").tag("t").key("k1").key("k2").property("color", "red")
}

#[tokio::test(start_paused = true)]
async fn a_stored_message_has_a_receipt() {
    let network = Network::cluster("T", &["a"]);
    let receipt = network.producer().send(message()).await.unwrap();
    assert_eq!((receipt.queue().topic(), receipt.queue().broker_name()), ("T", "a"));
    assert_eq!((receipt.queue_offset(), receipt.status()), (5, StoreStatus::Ok));
    assert_eq!(receipt.offset_id(), "7F00000100002A9F0000000000003039");
    assert_eq!(receipt.attempts().len(), 1);
    assert!(!receipt.maybe_duplicate() && !receipt.created_from_default_topic());
    let sent = &network.heard(&address("a"), SENDS)[0];
    assert_eq!(&sent.body[..], b"hello");
    let properties = format!(
        "TAGS\u{1}t\u{2}KEYS\u{1}k1 k2\u{2}color\u{1}red\u{2}WAIT\u{1}true\u{2}UNIQ_KEY\u{1}{}\u{2}",
        receipt.message_id()
    );
    assert_eq!(sent.ext.get("i"), Some(&*properties));
    assert_eq!(
        (sent.ext.get("a"), sent.ext.get("n"), sent.ext.get("c")),
        (Some("tests"), Some("a"), Some("TBW102"))
    );
}

#[tokio::test(start_paused = true)]
async fn messages_go_round_all_queues() {
    let network = Network::cluster("T", &["a", "b"]);
    let producer = network.producer();
    for _ in 0..8 {
        producer.send(message()).await.unwrap();
    }
    for broker in ["a", "b"] {
        assert_eq!(network.heard(&address(broker), SENDS).len(), 4, "{broker}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_broker_costs_its_share_and_another_one_stores() {
    let network = Network::cluster("T", &["a", "b"]);
    let first = silence_first(&network, &["a", "b"]);
    let began = Instant::now_of_the_test();
    let receipt = network.producer().send(message()).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 1, "a third of the 3 s");
    assert_ne!(Some(receipt.queue().broker_name().to_owned()), *first.lock().unwrap());
    assert!(receipt.maybe_duplicate());
    assert_eq!(receipt.attempts().len(), 2);
    assert_eq!(receipt.attempts()[0].phase(), Phase::Answer);
    assert_eq!(receipt.attempts()[0].remark(), Some("no answer in time"));
}

#[tokio::test(start_paused = true)]
async fn a_strict_send_ends_without_an_answer() {
    let network = Network::cluster("T", &["a", "b"]);
    silence_first(&network, &["a", "b"]);
    let error =
        network.producer().send(message()).retry(RetryPolicy::never_after_unknown()).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (SendErrorKind::Timeout, Outcome::Unknown));
    assert_eq!(error.code(), ErrorCode::TIMEOUT);
    let messages = error.into_messages();
    assert_eq!(&messages[0].body()[..], b"hello");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_handed_back_keeps_its_id() {
    let network = Network::cluster("T", &["a"]);
    network.peer(&address("a"), |request| {
        let answer = reply(request, ResponseCode::MESSAGE_ILLEGAL).with_remark("the message is illegal");
        vec![Act::Answer(if request.request_code() == SENDS { answer } else { serve(request) })]
    });
    let producer = network.producer();
    let error = producer.send(message()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome(), error.code()),
        (SendErrorKind::Refused, Outcome::Refused, ErrorCode::REFUSED)
    );
    assert!(error.to_string().contains("the message is illegal"), "{error}");
    let again = error.into_messages().pop().unwrap();
    drop(producer.send(again).await);
    let sent = network.heard(&address("a"), SENDS);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].ext.get("i"), sent[1].ext.get("i"));
}

#[tokio::test(start_paused = true)]
async fn a_dead_broker_fails_no_send() {
    let network = Network::cluster("T", &["a", "b"]);
    network.remove(&address("a"));
    let producer = network.producer();
    for _ in 0..10 {
        let receipt = producer.send(message()).await.unwrap();
        assert_eq!(receipt.queue().broker_name(), "b");
        assert!(!receipt.maybe_duplicate(), "a refused dial sends nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_gone_is_not_sent_and_says_what_was_tried() {
    let network = Network::cluster("T", &["a", "b"]);
    network.remove(&address("a"));
    network.remove(&address("b"));
    let error = network.producer().send(message()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.outcome(), error.code()),
        (SendErrorKind::Connect, Outcome::NotSent, ErrorCode::CONNECT)
    );
    assert_eq!(error.attempts().len(), 3);
    assert_eq!(error.attempts()[0].phase(), Phase::Connect);
    let text = error.to_string();
    for part in ["not sent", "a:10911", "b:10911", "connection refused", "map_address", "MQ3001"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_ends_the_connection_for_everybody() {
    let network = Network::cluster("T", &["a"]);
    let count = Arc::new(AtomicUsize::new(0));
    network.peer(&address("a"), move |request| match request.request_code() {
        SENDS if count.fetch_add(1, Ordering::Relaxed) == 2 => {
            vec![Act::Bytes(b"HTTP/1.1 400 Bad Request".to_vec())]
        }
        SENDS => vec![],
        _ => vec![Act::Answer(serve(request))],
    });
    let producer = network.producer();
    let send = || producer.send(message()).retry(RetryPolicy::none()).into_future();
    let began = Instant::now_of_the_test();
    let (a, b, c) = tokio::join!(send(), send(), send());
    assert_eq!(began.elapsed(), Duration::ZERO, "nobody waits for the deadline");
    for error in [a.unwrap_err(), b.unwrap_err(), c.unwrap_err()] {
        assert_eq!(error.outcome(), Outcome::Unknown);
        assert!(error.to_string().contains("HTTP/1"), "{error}");
    }
    // The next send dials anew; this peer is silent, so it ends by its deadline.
    let error = producer.send(message()).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_the_socket_never_took_is_not_sent() {
    let network = Network::cluster("T", &["a"]);
    network.deafen(&address("a"));
    // Larger than the stream's buffer: the socket takes a part of it only.
    let message = Message::new("T", vec![7; 3_000_000]);
    let producer = network
        .client()
        .producer(ProducerConfig::new("tests").compression(maxq::CompressionChoice::Off))
        .unwrap();
    let large = producer.send(message).timeout(Duration::from_secs(1)).into_future();
    let small = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        producer.send(Message::new("T", "behind it")).timeout(Duration::from_millis(500)).await
    };
    let (large, small) = tokio::join!(large, small);
    // The large one is in the outbox and may still leave; the one behind it never was encoded.
    assert_eq!(large.unwrap_err().outcome(), Outcome::Unknown);
    let small = small.unwrap_err();
    assert_eq!((small.outcome(), small.kind()), (Outcome::NotSent, SendErrorKind::Timeout));
}

#[tokio::test(start_paused = true)]
async fn answers_find_their_senders_in_any_order() {
    let network = Network::cluster("T", &["a"]);
    let held = Mutex::new(Vec::<RemotingCommand>::new());
    network.peer(&address("a"), move |request| {
        if request.request_code() != SENDS {
            return vec![Act::Answer(serve(request))];
        }
        let mut held = held.lock().unwrap();
        held.push(request.clone());
        if held.len() < 10 {
            return vec![];
        }
        let mut acts: Vec<_> = held
            .drain(..)
            .rev()
            .flat_map(|request| {
                let mut answer = serve(&request);
                let born = String::from_utf8(request.body.to_vec()).unwrap();
                answer.ext.set("queueOffset", &born);
                // A stray answer and a second one must not disturb anybody.
                let mut stray = answer.clone();
                stray.opaque = stray.opaque.wrapping_sub(1_000_000);
                [Act::Answer(stray), Act::Answer(answer.clone()), Act::Answer(answer)]
            })
            .collect();
        acts.push(Act::Answer(RemotingCommand {
            code: 9_999,
            flags: maxq_protocol::Flags::REQUEST,
            ..serve(request)
        }));
        acts
    });
    let producer = network.producer();
    let mut sends = tokio::task::JoinSet::new();
    for n in 0..10u64 {
        let sending = producer.send(Message::new("T", n.to_string()));
        sends.spawn(async move { (n, sending.await.unwrap().queue_offset()) });
    }
    while let Some(done) = sends.join_next().await {
        let (n, offset) = done.unwrap();
        assert_eq!(n, offset);
    }
    let error_answers = network.heard(&address("a"), RequestCode(3));
    assert_eq!(error_answers.len(), 1, "a request with an unknown code is answered with code 3");
}

#[tokio::test(start_paused = true)]
async fn many_senders_share_one_dial_and_one_route() {
    let network = Network::cluster("T", &["a"]);
    let producer = network.producer();
    let mut sends = tokio::task::JoinSet::new();
    for _ in 0..100 {
        sends.spawn(producer.send(message()).into_future());
    }
    while let Some(done) = sends.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(network.dials(), 2, "one name server, one broker");
    assert_eq!(network.heard(NAME_SERVER, RequestCode::GET_ROUTEINFO_BY_TOPIC).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_send_does_nothing() {
    let network = Network::cluster("T", &["a"]);
    let producer = network.producer();
    producer.send(message()).await.unwrap();
    drop(producer.send(message()));
    drop(producer.send(message()).into_future());
    producer.send(message()).await.unwrap();
    assert_eq!(network.heard(&address("a"), SENDS).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_one_way_send_is_done_when_the_socket_took_it() {
    let network = Network::cluster("T", &["a"]);
    network.peer(&address("a"), |_| vec![]);
    let producer = network.producer();
    producer.send(message()).oneway().await.unwrap();
    let heard = loop {
        let heard = network.heard(&address("a"), SENDS);
        if !heard.is_empty() {
            break heard;
        }
        tokio::task::yield_now().await;
    };
    assert!(heard[0].is_oneway());
}

#[tokio::test(start_paused = true)]
async fn a_fixed_queue_is_kept() {
    let network = Network::cluster("T", &["a", "b"]);
    let producer = network.producer();
    let queues = producer.queues("T").await.unwrap();
    assert_eq!(queues.len(), 4);
    for queue in &queues {
        let receipt = producer.send(message()).to(queue.clone()).await.unwrap();
        assert_eq!(receipt.queue(), queue);
    }
    let elsewhere = MessageQueue::new("other", "a", 0);
    assert_eq!(producer.send(message()).to(elsewhere).await.unwrap_err().kind(), SendErrorKind::Invalid);
    let nowhere = MessageQueue::new("T", "z", 0);
    let error = producer.send(message()).to(nowhere).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (SendErrorKind::NoRoute, ErrorCode::QUEUE_GONE));
}

#[tokio::test(start_paused = true)]
async fn messages_that_break_a_rule_never_leave() {
    let network = Network::cluster("T", &["a"]);
    let producer = network.producer();
    let cases = [
        (Message::new("", "x"), SendErrorKind::Invalid, "topic"),
        (Message::new("a b", "x"), SendErrorKind::Invalid, "character"),
        (Message::new("t".repeat(128), "x"), SendErrorKind::Invalid, "127"),
        (Message::new("SCHEDULE_TOPIC_XXXX", "x"), SendErrorKind::Invalid, "RocketMQ's own"),
        (Message::new("T", ""), SendErrorKind::Invalid, "empty"),
        (Message::new("T", vec![0; 5 << 20]), SendErrorKind::TooLarge, "5242880 bytes"),
        (Message::new("T", "x").property("a\u{1}b", "v"), SendErrorKind::Invalid, "0x01"),
        (Message::new("T", "x").property("a", "v\u{2}"), SendErrorKind::Invalid, "0x01"),
        (Message::new("T", "x").property("a", ""), SendErrorKind::Invalid, "empty"),
        (Message::new("T", "x").property("TAGS", "t"), SendErrorKind::Invalid, "RocketMQ's own"),
        (Message::new("T", "x").property("a", "v".repeat(33_000)), SendErrorKind::TooLarge, "32767"),
    ];
    for (message, kind, part) in cases {
        let error = producer.send(message).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (kind, Outcome::NotSent), "{error}");
        assert!(error.to_string().contains(part), "{part} in {error}");
    }
    assert!(network.heard(&address("a"), SENDS).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_limits_hold_back_and_tell_when_time_is_over() {
    let network = Network::cluster("T", &["a"]);
    network.peer(&address("a"), |_| vec![]);
    let producer = network.client().producer(ProducerConfig::new("tests").limits(1, 100)).unwrap();
    let (first, second) = tokio::join!(
        producer.send(message()).timeout(Duration::from_secs(2)).into_future(),
        producer.send(message()).timeout(Duration::from_secs(1)).into_future(),
    );
    assert_eq!(first.unwrap_err().outcome(), Outcome::Unknown);
    let second = second.unwrap_err();
    assert_eq!(
        (second.kind(), second.outcome(), second.code()),
        (SendErrorKind::Overloaded, Outcome::NotSent, ErrorCode::OVERLOADED)
    );
    assert_eq!(network.heard(&address("a"), SENDS).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn every_answer_has_its_kind() {
    let cases = [
        (2, "[REJECTREQUEST]system busy", SendErrorKind::Busy, ErrorCode::BUSY),
        (14, "service not available now", SendErrorKind::Refused, ErrorCode::UNAVAILABLE),
        (16, "User:a has no permission", SendErrorKind::Access, ErrorCode::ACCESS),
        (17, "topic[T] not exist", SendErrorKind::NoRoute, ErrorCode::TOPIC_NOT_FOUND),
        (13, "the message is illegal", SendErrorKind::Refused, ErrorCode::REFUSED),
        (4_711, "never heard of", SendErrorKind::Refused, ErrorCode::REFUSED),
    ];
    for (code, remark, kind, stable) in cases {
        let network = Network::cluster("T", &["a", "b"]);
        for broker in ["a", "b"] {
            network.peer(&address(broker), move |request| {
                let answer = reply(request, ResponseCode(code)).with_remark(remark);
                vec![Act::Answer(if request.request_code() == SENDS { answer } else { serve(request) })]
            });
        }
        let error = network.producer().send(message()).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.outcome(), error.code()),
            (kind, Outcome::Refused, stable),
            "{error}"
        );
        assert_eq!(error.attempts()[0].code(), Some(code));
        assert_eq!(error.attempts()[0].remark(), Some(remark));
    }
}

#[tokio::test(start_paused = true)]
async fn unconfirmed_stores_are_stored() {
    for (code, status) in
        [(10, StoreStatus::FlushTimeout), (11, StoreStatus::NoReplica), (12, StoreStatus::ReplicaTimeout)]
    {
        let network = Network::cluster("T", &["a", "b"]);
        for broker in ["a", "b"] {
            network.peer(&address(broker), move |request| {
                let mut answer = serve(request);
                answer.code = if request.request_code() == SENDS { code } else { 0 };
                vec![Act::Answer(answer)]
            });
        }
        let producer = network.producer();
        let receipt = producer.send(message()).await.unwrap();
        assert_eq!((receipt.status(), receipt.attempts().len()), (status, 1));
        let eager = RetryPolicy::default().retry_when_not_stored_ok(true);
        let receipt = producer.send(message()).retry(eager).await.unwrap();
        assert_eq!(receipt.status(), status);
    }
}

#[tokio::test(start_paused = true)]
async fn a_leaving_server_gets_a_new_connection() {
    let network = Network::cluster("T", &["a"]);
    let sends = AtomicUsize::new(0);
    network.peer(&address("a"), move |request| {
        let leave = request.request_code() == SENDS && sends.fetch_add(1, Ordering::Relaxed) == 0;
        vec![Act::Answer(if leave {
            reply(request, ResponseCode::GO_AWAY).with_remark("please go away")
        } else {
            serve(request)
        })]
    });
    let receipt = network.producer().send(message()).await.unwrap();
    assert_eq!(receipt.attempts().len(), 2);
    assert_eq!(network.dials(), 3, "the name server, the broker, the broker again");
}

#[tokio::test(start_paused = true)]
async fn success_without_a_place_is_not_believed() {
    let network = Network::cluster("T", &["a"]);
    network.peer(&address("a"), |request| vec![Act::Answer(reply(request, ResponseCode::SUCCESS))]);
    let error = network.producer().send(message()).retry(RetryPolicy::none()).await.unwrap_err();
    assert_eq!((error.outcome(), error.code()), (Outcome::Unknown, ErrorCode::ANSWER));
}

/// The first broker that gets a send never answers one; says which it was.
fn silence_first(network: &Network, brokers: &[&'static str]) -> Arc<Mutex<Option<String>>> {
    let first = Arc::new(Mutex::new(None::<String>));
    for broker in brokers.iter().copied() {
        let first = first.clone();
        network.peer(&address(broker), move |request| {
            if request.request_code() != SENDS {
                return vec![Act::Answer(serve(request))];
            }
            let silent = first.lock().unwrap().get_or_insert_with(|| broker.to_owned()) == broker;
            if silent { vec![] } else { vec![Act::Answer(serve(request))] }
        });
    }
    first
}

/// The paused clock of the test, read in one place.
trait TestClock {
    fn now_of_the_test() -> Self;
}

impl TestClock for Instant {
    #[expect(clippy::disallowed_methods, reason = "a test looks at the paused clock")]
    fn now_of_the_test() -> Self {
        Self::now()
    }
}

#[test]
fn route_bodies_of_these_tests_are_what_old_servers_write() {
    let text = String::from_utf8(route_body(&["a"])).unwrap();
    assert!(text.contains(r#"{0:"a:10911"}"#), "{text}");
}
