//! Refusals of a send: codes and remarks, word by word.

use maxq_emulator::{Cluster, EmulatedVersion};
use maxq_protocol::{ResponseCode, message::property};

use crate::support::{RawClient, Send, one_broker, verdict};

const ILLEGAL: &str = "the message is illegal, maybe msg body or properties length not matched. msg body length limit 4194304B, msg properties length limit 32KB.";
const NEW_FAQ: &str = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";
const OLD_FAQ: &str = "\nSee http://rocketmq.apache.org/docs/faq/ for further details.";

/// A send, and how the two versions refuse it.
struct Case {
    send: Send<'static>,
    new: (i32, String),
    old: (i32, String),
}

fn case(send: Send<'static>, new: (i32, &str), old: (i32, &str)) -> Case {
    let owned = |(code, remark): (i32, &str)| (code, remark.to_owned());
    Case { send, new: owned(new), old: owned(old) }
}

fn cases(address: &str) -> Vec<Case> {
    let long: &'static str = Box::leak("t".repeat(128).into_boxed_str());
    let config = "readQueueNums=4, writeQueueNums=4, perm=RW-, topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false";
    let queue_99 = |attributes: &str| {
        format!(
            "request queueId[99] is illegal, TopicConfig [topicName=known, {config}{attributes}] Producer: {address}"
        )
    };
    let unknown = |faq: &str| format!("topic[unknown] not exist, apply first please!{faq}");
    let forbidden = "Sending message to topic[SELF_TEST_TOPIC] is forbidden.";
    let half = "the broker[127.0.0.1] sending transaction message is forbidden";
    vec![
        case(Send::to(""), (29, "The specified topic is blank."), (1, "The specified topic is blank.")),
        case(Send::to("  "), (29, "The specified topic is blank."), (1, "The specified topic is blank.")),
        case(
            Send::to("a b"),
            (29, "The specified topic: a b, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"),
            (1, "The specified topic contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"),
        ),
        case(
            Send::to(long),
            (29, &format!("The specified topic: {long}, is longer than topic max length: 127")),
            (1, "The specified topic is longer than topic max length."),
        ),
        case(Send::to("SELF_TEST_TOPIC"), (16, forbidden), (16, forbidden)),
        case(
            Send::to("unknown").with(|header| header.default_topic = "nothing".into()),
            (17, &unknown(NEW_FAQ)),
            (17, &unknown(OLD_FAQ)),
        ),
        case(
            Send::to("known").with(|header| header.queue_id = 99),
            (29, &queue_99(", attributes={}")),
            (1, &queue_99("")),
        ),
        case(Send::to("known").body(vec![0; (4 << 20) + 1]), (13, ILLEGAL), (13, ILLEGAL)),
        case(Send::to("known").properties(&[("p", &"x".repeat(32_767))]), (13, ILLEGAL), (13, ILLEGAL)),
        case(
            Send::to("known").properties(&[(property::TRANSACTION_PREPARED, "true")]),
            (16, half),
            (16, half),
        ),
        case(
            Send::to("known").properties(&[(property::DELAY, "3")]),
            (1, "delay levels are not emulated yet"),
            (1, "delay levels are not emulated yet"),
        ),
    ]
}

#[tokio::test]
async fn every_refusal_has_the_code_and_the_words_of_its_version() {
    for version in EmulatedVersion::ALL {
        let is_new = version == EmulatedVersion::V5_5_0;
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        client.store(Send::to("known")).await;
        let address = cluster.stored("known")[0].record.born_host.to_string();
        for case in cases(&address) {
            let answer = client.call(case.send.request()).await;
            let (code, remark) = if is_new { &case.new } else { &case.old };
            assert_eq!(verdict(&answer), (*code, remark.as_str()), "{version}");
            assert_eq!(answer.ext.get("MSG_REGION"), Some("DefaultRegion"));
            assert_eq!(answer.ext.get("TRACE_ON"), Some("true"));
        }
        assert_eq!(cluster.stored_count("known"), 1);
    }
}

#[tokio::test]
async fn only_new_brokers_know_timers_and_inner_batches() {
    for version in EmulatedVersion::ALL {
        let is_new = version == EmulatedVersion::V5_5_0;
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        let timer = Send::to("orders").properties(&[(property::TIMER_DELAY_SEC, "5")]);
        let answer = client.call(timer.request()).await;
        if is_new {
            let remark = "accurate timer message is not enabled, timerWheelEnable is false";
            assert_eq!(verdict(&answer), (1, remark));
        } else {
            assert_eq!(answer.response_code(), ResponseCode::SUCCESS);
        }
        let inner = Send::to("orders").with(|header| header.sys_flag = 0x80);
        assert_eq!(client.call(inner.request()).await.code, if is_new { 13 } else { 0 });
    }
}

#[tokio::test]
async fn an_empty_body_is_an_exception_or_an_empty_message() {
    for version in EmulatedVersion::ALL {
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        let answer = client.call(Send::to("orders").body("").request()).await;
        if version == EmulatedVersion::V5_5_0 {
            assert_eq!((answer.code, answer.ext.is_empty(), cluster.stored_count("orders")), (1, true, 0));
        } else {
            assert_eq!((answer.code, cluster.stored("orders")[0].body().len()), (0, 0));
        }
    }
}

#[tokio::test]
async fn a_retry_topic_wants_a_group_that_may_be() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let group = "g".repeat(121);
    let topic = format!("%RETRY%{group}");
    let answer = client.call(Send::to(&topic).request()).await;
    assert_eq!(verdict(&answer), (26, format!("subscription group not exist, {group} {NEW_FAQ}").as_str()));
    let topic = format!("%RETRY%{}", "g".repeat(120));
    client.store(Send::to(&topic)).await;
    let cluster = one_broker(EmulatedVersion::V4_9_7).await;
    let mut client = RawClient::to_broker(&cluster).await;
    client.store(Send::to("%RETRY%")).await;
}

#[tokio::test]
async fn a_full_store_says_that_the_disk_is_full() {
    let cluster = Cluster::builder().store_limit(u64::MAX, 2).start().await.unwrap();
    let mut client = RawClient::to_broker(&cluster).await;
    client.store(Send::to("orders")).await;
    client.store(Send::to("orders")).await;
    // A full disk comes before every judgement of the message.
    for send in [Send::to("orders"), Send::to("orders").body(vec![0; (4 << 20) + 1])] {
        let answer = client.call(send.request()).await;
        assert_eq!(answer.response_code(), ResponseCode::SERVICE_NOT_AVAILABLE);
        let remark = answer.remark.unwrap();
        let begin = "service not available now. It may be caused by one of the following reasons: the broker's disk is full [CL: ";
        assert!(remark.starts_with(begin), "{remark}");
        assert_eq!(answer.ext.get("MSG_REGION"), Some("DefaultRegion"));
    }
    assert_eq!(cluster.stored_count("orders"), 2);
}

#[tokio::test]
async fn the_limit_in_bytes_counts_records_and_not_bodies() {
    let cluster = Cluster::builder().store_limit(4096, u64::MAX).start().await.unwrap();
    let mut client = RawClient::to_broker(&cluster).await;
    let too_long = Send::to("orders").body(vec![0; 4096]);
    let answer = client.call(too_long.request()).await;
    assert_eq!(answer.response_code(), ResponseCode::SERVICE_NOT_AVAILABLE);
    client.store(Send::to("orders").body(vec![0; 3000])).await;
}
