//! Pulling: status, filters, limits, and the long poll.

use maxq_emulator::{Cluster, EmulatedVersion};
use maxq_protocol::{
    RemotingCommand, RequestCode, ResponseCode,
    header::{PullReply, QueryConsumerOffset, UpdateConsumerOffset},
    message::PullSysFlag,
};

use crate::{
    clients::{consumer, heartbeat},
    support::{RawClient, Send, messages, one_broker, pull, verdict},
};

/// A pull that may be held for so many milliseconds.
fn held(topic: &str, offset: i64, millis: i64) -> RemotingCommand {
    let mut header = pull(topic, 0, offset);
    header.sys_flag |= PullSysFlag::SUSPEND.0;
    header.suspend_timeout_millis = Some(millis);
    RemotingCommand::request(&header)
}

async fn filled(version: EmulatedVersion, tags: &[&str]) -> (Cluster, RawClient) {
    let cluster = one_broker(version).await;
    let mut client = RawClient::to_broker(&cluster).await;
    for tag in tags {
        client.store(Send::to("orders").properties(&[("UNIQ_KEY", "U"), ("TAGS", tag)])).await;
    }
    (cluster, client)
}

#[tokio::test]
async fn the_answer_says_where_the_offset_lies() {
    for version in EmulatedVersion::ALL {
        let (_cluster, mut client) = filled(version, &["A", "A", "A"]).await;
        for (queue, offset, code, status, next, max) in [
            (0, 0, 0, "FOUND", 3, 3),
            (0, 2, 0, "FOUND", 3, 3),
            (0, 3, 19, "OFFSET_OVERFLOW_ONE", 3, 3),
            (0, 4, 21, "OFFSET_OVERFLOW_BADLY", 3, 3),
            (0, -1, 21, "OFFSET_TOO_SMALL", 0, 3),
            (2, 0, 19, "NO_MESSAGE_IN_QUEUE", 0, 0),
            (2, 5, 21, "NO_MESSAGE_IN_QUEUE", 0, 0),
        ] {
            let answer = client.call(RemotingCommand::request(&pull("orders", queue, offset))).await;
            assert_eq!(verdict(&answer), (code, status));
            let reply: PullReply = answer.header().unwrap();
            assert_eq!((reply.next_begin_offset, reply.min_offset, reply.max_offset), (next, 0, max));
            assert_eq!(reply.suggest_which_broker_id, 0);
            let has_flags = answer.ext.get("topicSysFlag") == Some("0");
            assert_eq!(has_flags, version == EmulatedVersion::V5_5_0);
        }
    }
}

#[tokio::test]
async fn pulled_records_are_the_stored_ones() {
    let (cluster, mut client) = filled(EmulatedVersion::V5_5_0, &["A", "B"]).await;
    let answer = client.call(RemotingCommand::request(&pull("orders", 0, 0))).await;
    let stored: Vec<_> = cluster.stored("orders").into_iter().map(|stored| stored.record).collect();
    assert_eq!(messages(&answer), stored);
    let mut lite = RemotingCommand::request(&pull("orders", 0, 0));
    lite.code = RequestCode::LITE_PULL_MESSAGE.0;
    assert_eq!(messages(&client.call(lite).await), stored);
}

#[tokio::test]
async fn old_brokers_do_not_know_the_lite_pull() {
    let (_cluster, mut client) = filled(EmulatedVersion::V4_9_7, &["A"]).await;
    let mut lite = RemotingCommand::request(&pull("orders", 0, 0));
    lite.code = RequestCode::LITE_PULL_MESSAGE.0;
    assert_eq!(verdict(&client.call(lite).await), (3, " request type 361 not supported"));
}

#[tokio::test]
async fn one_answer_carries_32_messages_or_256_kib_and_at_least_one() {
    let (_cluster, mut client) = filled(EmulatedVersion::V5_5_0, &["A"; 40]).await;
    for (wanted, got) in [(100, 32), (32, 32), (5, 5), (1, 1), (0, 1), (-1, 1)] {
        let mut header = pull("orders", 0, 0);
        header.max_messages = wanted;
        assert_eq!(messages(&client.call(RemotingCommand::request(&header)).await).len(), got, "{wanted}");
    }
    for _ in 0..3 {
        client.store(Send::to("large").body(vec![1; 100_000])).await;
    }
    client.store(Send::to("large").body(vec![2; 1_000_000])).await;
    let sizes = |answer: RemotingCommand| {
        messages(&answer).iter().map(|message| message.body.len()).collect::<Vec<_>>()
    };
    let first = client.call(RemotingCommand::request(&pull("large", 0, 0))).await;
    assert_eq!(sizes(first), [100_000, 100_000]);
    let rest = client.call(RemotingCommand::request(&pull("large", 0, 3))).await;
    assert_eq!(sizes(rest), [1_000_000]);
}

#[tokio::test]
async fn an_old_broker_stumbles_over_a_negative_number_of_messages() {
    let (_cluster, mut client) = filled(EmulatedVersion::V4_9_7, &["A"]).await;
    let mut header = pull("orders", 0, 0);
    header.max_messages = -1;
    let answer = client.call(RemotingCommand::request(&header)).await;
    assert_eq!(verdict(&answer), (1, "java.lang.IllegalArgumentException: Illegal Capacity: -1"));
}

#[tokio::test]
async fn tags_of_the_request_filter_by_their_hash() {
    let (_cluster, mut client) = filled(EmulatedVersion::V5_5_0, &["A", "B", "A", "C"]).await;
    for (expression, code, got, next) in [
        ("A", 0, 2, 4),
        (" A || C ", 0, 3, 4),
        ("A|| ||B", 0, 3, 4),
        ("*", 0, 4, 4),
        ("", 0, 4, 4),
        ("nothing", 20, 0, 4),
        ("  ", 20, 0, 4),
        ("||", 23, 0, 0),
    ] {
        let mut header = pull("orders", 0, 0);
        header.subscription = Some(expression.into());
        let answer = client.call(RemotingCommand::request(&header)).await;
        assert_eq!((answer.code, messages(&answer).len()), (code, got), "{expression:?}");
        if code != 23 {
            assert_eq!(answer.header::<PullReply>().unwrap().next_begin_offset, next, "{expression:?}");
        }
    }
    let mut header = pull("orders", 0, 0);
    header.expression_type = Some("SQL92".into());
    header.subscription = Some("a = 1".into());
    let answer = client.call(RemotingCommand::request(&header)).await;
    assert_eq!(verdict(&answer), (1, "The broker does not support consumer to filter message by SQL92"));
}

#[tokio::test]
async fn without_a_filter_in_the_request_that_of_the_heartbeat_counts() {
    let (_cluster, mut client) = filled(EmulatedVersion::V5_5_0, &["A", "B"]).await;
    let mut header = pull("orders", 0, 0);
    header.sys_flag = 0;
    let faq = "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";
    let answer = client.call(RemotingCommand::request(&header)).await;
    assert_eq!(verdict(&answer), (24, format!("the consumer's group info not exist{faq}").as_str()));

    client.call(heartbeat(&[], &[consumer("cg", "orders", "B", 7)])).await;
    let answer = client.call(RemotingCommand::request(&header)).await;
    assert_eq!(messages(&answer).len(), 1);
    header.subscription_version = Some(8);
    let answer = client.call(RemotingCommand::request(&header)).await;
    assert_eq!(verdict(&answer), (25, "the consumer's subscription not latest"));
    client.store(Send::to("other")).await;
    header.topic = "other".into();
    let answer = client.call(RemotingCommand::request(&header)).await;
    assert_eq!(verdict(&answer), (24, format!("the consumer's subscription not exist{faq}").as_str()));
}

#[tokio::test]
async fn groups_topics_and_queues_are_checked_in_this_order() {
    for version in EmulatedVersion::ALL {
        let is_new = version == EmulatedVersion::V5_5_0;
        let (cluster, mut client) = filled(version, &["A"]).await;
        let faq = if is_new {
            "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
        } else {
            "\nSee http://rocketmq.apache.org/docs/faq/ for further details."
        };
        let mut header = pull("unknown", 0, 0);
        let answer = client.call(RemotingCommand::request(&header)).await;
        // A blank before the line break, unlike the answer to a send.
        assert_eq!(
            verdict(&answer),
            (17, format!("topic[unknown] not exist, apply first please! {faq}").as_str())
        );
        header.consumer_group = "not a group".into();
        let answer = client.call(RemotingCommand::request(&header)).await;
        let remark = format!("subscription group [not a group] does not exist, {faq}");
        assert_eq!(verdict(&answer), if is_new { (26, remark.as_str()) } else { verdict(&answer) });
        assert_eq!(answer.code, if is_new { 26 } else { 17 });

        let answer = client.call(RemotingCommand::request(&pull("orders", 4, 0))).await;
        let address = cluster.stored("orders")[0].record.born_host;
        let remark = format!(
            "queueId[4] is illegal, topic:[orders] topicConfig.readQueueNums:[4] consumer:[/{address}]"
        );
        assert_eq!(verdict(&answer), (if is_new { 29 } else { 1 }, remark.as_str()));

        let mut create = crate::topics::create("writeonly");
        create.perm = 2;
        client.call(RemotingCommand::request(&create)).await;
        let answer = client.call(RemotingCommand::request(&pull("writeonly", 0, 0))).await;
        assert_eq!(verdict(&answer), (16, "the topic[writeonly] pulling message is forbidden"));
        assert_eq!(answer.ext.get("forbiddenType"), is_new.then_some("3"));
    }
}

#[tokio::test]
async fn a_held_pull_is_answered_by_the_message_it_waits_for() {
    let (cluster, mut client) = filled(EmulatedVersion::V5_5_0, &["A"]).await;
    let mut consumer = RawClient::to_broker(&cluster).await;
    let opaque = consumer.post(held("orders", 1, 60_000)).await;
    // An answer to a later request overtakes the held one, which shows that it is being held.
    let max = maxq_protocol::header::GetMinOffset { topic: "orders".into(), queue_id: 0, broker_name: None };
    consumer.call(RemotingCommand::request(&max)).await;
    client.store(Send::to("orders").body("awaited")).await;
    let answer = consumer.next().await.unwrap();
    assert_eq!((answer.opaque, verdict(&answer)), (opaque, (0, "FOUND")));
    assert_eq!(&messages(&answer)[0].body[..], b"awaited");
}

#[tokio::test]
async fn a_held_pull_in_an_empty_queue_is_answered_by_its_first_message() {
    let (cluster, mut client) = filled(EmulatedVersion::V5_5_0, &[]).await;
    cluster.create_topic("fresh", 1).unwrap();
    let mut consumer = RawClient::to_broker(&cluster).await;
    consumer.post(held("fresh", 0, 60_000)).await;
    client.store(Send::to("fresh")).await;
    assert_eq!(messages(&consumer.next().await.unwrap()).len(), 1);
}

#[tokio::test]
async fn a_message_that_the_filter_does_not_want_leaves_the_pull_held() {
    let (cluster, mut client) = filled(EmulatedVersion::V5_5_0, &["A"]).await;
    let mut consumer = RawClient::to_broker(&cluster).await;
    let mut request = held("orders", 1, 60_000);
    request.ext.set("subscription", "Z");
    let opaque = consumer.post(request).await;
    let unwanted = Send::to("orders").properties(&[("UNIQ_KEY", "U"), ("TAGS", "Y")]);
    client.store(unwanted).await;
    let min = maxq_protocol::header::GetMinOffset { topic: "orders".into(), queue_id: 0, broker_name: None };
    consumer.call(RemotingCommand::request(&min)).await;
    client.store(Send::to("orders").properties(&[("UNIQ_KEY", "U"), ("TAGS", "Z")])).await;
    let answer = consumer.next().await.unwrap();
    assert_eq!((answer.opaque, messages(&answer)[0].queue_offset), (opaque, 2));
    assert_eq!(answer.header::<PullReply>().unwrap().next_begin_offset, 3);
}

#[tokio::test]
async fn a_held_pull_ends_with_nothing_new_when_its_time_is_up() {
    for version in EmulatedVersion::ALL {
        let (_cluster, mut client) = filled(version, &["A"]).await;
        for millis in [1, 30, 0, -5] {
            let answer = client.call(held("orders", 1, millis)).await;
            assert_eq!(verdict(&answer), (19, "OFFSET_OVERFLOW_ONE"), "{millis} ms");
        }
        // Only the end of the queue is worth waiting at.
        let answer = client.call(held("orders", 9, 60_000)).await;
        assert_eq!(verdict(&answer), (21, "OFFSET_OVERFLOW_BADLY"));
    }
}

#[tokio::test]
async fn a_pull_commits_the_offset_that_it_carries() {
    let (_cluster, mut client) = filled(EmulatedVersion::V5_5_0, &["A", "A"]).await;
    let mut header = pull("orders", 0, 1);
    header.sys_flag |= PullSysFlag::COMMIT_OFFSET.0;
    header.commit_offset = Some(1);
    client.call(RemotingCommand::request(&header)).await;
    let query = QueryConsumerOffset {
        consumer_group: "cg".into(),
        topic: "orders".into(),
        queue_id: 0,
        set_zero_if_not_found: None,
        broker_name: None,
    };
    assert_eq!(client.call(RemotingCommand::request(&query)).await.ext.get("offset"), Some("1"));
    // The pull has made the group, so that it may commit.
    let update = UpdateConsumerOffset {
        consumer_group: "cg".into(),
        topic: "orders".into(),
        queue_id: 0,
        commit_offset: 2,
        broker_name: None,
    };
    let answer = client.call(RemotingCommand::request(&update)).await;
    assert_eq!(answer.response_code(), ResponseCode::SUCCESS);
}
