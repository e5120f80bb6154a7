//! Requests whose fields are missing, empty or no numbers: what Java makes of them. Each was answered so by running
//! servers of both versions (`maxq-interop twins`).

use maxq_emulator::EmulatedVersion;
use maxq_protocol::{
    RemotingCommand, RequestCode as Code,
    body::{ConsumeType, ConsumerData},
    header::{Heartbeat, PullMessage, SendMessageV1},
    message::property,
};

use crate::{
    clients::{consumer, heartbeat},
    support::{RawClient, Send, one_broker, pull, verdict},
    topics::{create, plain},
};

/// The class of the exception that an answer tells of.
fn exception(answer: &RemotingCommand) -> &str {
    assert_eq!(answer.code, 1, "{answer:?}");
    answer.remark.as_deref().and_then(|remark| remark.split(':').next()).unwrap_or_default()
}

const NULL_POINTER: &str = "java.lang.NullPointerException";

#[tokio::test]
async fn a_field_that_is_no_number_is_a_missing_one_unless_its_header_has_a_decoder_of_its_own() {
    for version in EmulatedVersion::ALL {
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        let max = plain(Code::GET_MAX_OFFSET, &[("topic", "orders"), ("queueId", "x")]);
        assert_eq!(exception(&client.call(max).await), NULL_POINTER);
        let mut long = RemotingCommand::request(&SendMessageV1(Send::to("orders").header)).with_body("x");
        long.ext.set("queueId", "x");
        assert_eq!(exception(&client.call(long.clone()).await), NULL_POINTER);
        long.ext.set("queueId", "0");
        long.ext.set("defaultTopicQueueNums", "x");
        assert_eq!(client.call(long).await.code, if version == EmulatedVersion::V5_5_0 { 29 } else { 1 });
        let mut short = Send::to("orders").request();
        short.ext.set("e", "x");
        assert_eq!(exception(&client.call(short).await), "java.lang.NumberFormatException");
        let mut topic = RemotingCommand::request(&create("orders"));
        topic.ext.set("topicSysFlag", "x");
        assert_eq!(client.call(topic.clone()).await.code, 0);
        topic.ext.remove("topicFilterType");
        let class = "org.apache.rocketmq.remoting.exception.RemotingCommandException";
        assert_eq!(exception(&client.call(topic).await), class);
        let query = [
            ("topic", "orders"),
            ("key", "k"),
            ("maxNum", "-1"),
            ("beginTimestamp", "0"),
            ("endTimestamp", "9"),
        ];
        let answer = client.call(plain(Code::QUERY_MESSAGE, &query)).await;
        assert_eq!(exception(&answer), "java.lang.IllegalArgumentException");
    }
}

#[tokio::test]
async fn a_name_that_java_looks_up_must_be_there_and_one_that_it_joins_to_a_key_need_not() {
    for version in EmulatedVersion::ALL {
        let is_new = version == EmulatedVersion::V5_5_0;
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        let mut codes = vec![
            Code::GET_CONSUMER_LIST_BY_GROUP,
            Code::GET_CONSUMER_CONNECTION_LIST,
            Code::GET_PRODUCER_CONNECTION_LIST,
            Code::GET_TOPIC_STATS_INFO,
            Code::QUERY_TOPIC_CONSUME_BY_WHO,
        ];
        codes.extend(is_new.then_some(Code::GET_TOPIC_CONFIG));
        for code in codes {
            assert_eq!(exception(&client.call(plain(code, &[])).await), NULL_POINTER, "{code}");
        }
        let commit = [("topic", "orders"), ("queueId", "0"), ("commitOffset", "7")];
        let answer = client.call(plain(Code::UPDATE_CONSUMER_OFFSET, &commit)).await;
        if is_new {
            assert_eq!(verdict(&answer), (26, "Group null not exist!"));
        } else {
            assert_eq!(answer.code, 0);
            let answer = client.call(plain(Code::QUERY_CONSUMER_OFFSET, &commit[..2])).await;
            assert_eq!(answer.ext.get("offset"), Some("7"));
        }
    }
}

#[tokio::test]
async fn a_producer_group_needs_a_name_and_a_consumer_group_some_text() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let beat = |body: &str| RemotingCommand::request(&Heartbeat {}).with_body(body.to_owned());
    for body in [
        r#"{"producerDataSet":[{}]}"#,
        r#"{"producerDataSet":[{"groupName":""}]}"#,
        r#"{"consumerDataSet":[{}]}"#,
    ] {
        assert_eq!(exception(&client.call(beat(body)).await), NULL_POINTER, "{body}");
    }
    assert_eq!(client.call(beat(r#"{"consumerDataSet":[{"groupName":""}]}"#)).await.code, 0);
    let leave = plain(Code::UNREGISTER_CLIENT, &[("producerGroup", "p")]);
    assert_eq!(exception(&client.call(leave).await), NULL_POINTER);
    assert_eq!(client.call(plain(Code::UNREGISTER_CLIENT, &[])).await.code, 0);
}

#[tokio::test]
async fn each_version_names_its_own_json_library_and_consume_types() {
    for (version, class, is_popping) in [
        (EmulatedVersion::V4_9_7, "com.alibaba.fastjson.JSONException", false),
        (EmulatedVersion::V5_5_0, "com.alibaba.fastjson2.JSONException", true),
    ] {
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        let nonsense = RemotingCommand::request(&Heartbeat {}).with_body("nonsense");
        assert_eq!(exception(&client.call(nonsense).await), class);
        let popping = ConsumerData { consume_type: ConsumeType::Pop, ..consumer("cg", "orders", "A", 1) };
        client.call(heartbeat(&[], &[popping])).await;
        let answer = client.call(plain(Code::GET_CONSUMER_CONNECTION_LIST, &[("consumerGroup", "cg")])).await;
        assert_eq!(String::from_utf8_lossy(&answer.body).contains("CONSUME_POP"), is_popping);
    }
}

#[tokio::test]
async fn an_empty_filter_type_means_tags_that_nobody_takes_apart() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    client.store(Send::to("orders").properties(&[("UNIQ_KEY", "U0"), ("TAGS", "a")])).await;
    for (expression, code) in [("a", 20), ("*", 0), ("", 23)] {
        let header = PullMessage {
            subscription: Some(expression.to_owned()),
            expression_type: Some(String::new()),
            ..pull("orders", 0, 0)
        };
        assert_eq!(client.call(RemotingCommand::request(&header)).await.code, code, "{expression}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_batch_is_told_as_java_stumbles() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let mut body = Vec::new();
    maxq_protocol::message::batch::encode_entry(0, b"one", "TAGS\u{1}a\u{2}", &mut body);
    let batch = Send::to("orders").body(body.clone()).with(|header| header.batch = Some(true));
    let claims = batch.clone().properties(&[("UNIQ_KEY", "U0"), (property::INNER_NUM, "1")]);
    assert_eq!(client.call(claims.request()).await.code, 13);
    let cut = batch.clone().body(&body[..body.len() - 2]);
    assert_eq!(exception(&client.call(cut.request()).await), "java.lang.IllegalArgumentException");
    let short = batch.body(&body[..2]);
    assert_eq!(exception(&client.call(short.request()).await), "java.nio.BufferUnderflowException");
    // A unique key of blanks is one.
    let blank = client.store(Send::to("orders").properties(&[("UNIQ_KEY", " ")])).await;
    assert_eq!(blank.transaction_id.as_deref(), Some(" "));
}

#[tokio::test]
async fn a_group_has_pulled_at_least_what_it_has_committed() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    client.store(Send::to("orders")).await;
    client.call(RemotingCommand::request(&pull("orders", 0, 0))).await;
    let commit = [("consumerGroup", "cg"), ("topic", "orders"), ("queueId", "0"), ("commitOffset", "1000")];
    client.call(plain(Code::UPDATE_CONSUMER_OFFSET, &commit)).await;
    let answer = client.call(plain(Code::GET_CONSUME_STATS, &commit[..2])).await;
    let body = String::from_utf8_lossy(&answer.body);
    assert!(body.contains("\"consumerOffset\":1000") && body.contains("\"pullOffset\":1000"), "{body}");
}

#[tokio::test]
async fn a_key_without_a_value_is_none() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_name_server(&cluster).await;
    let key = [("namespace", "n"), ("key", "k")];
    assert_eq!(client.call(plain(Code::PUT_KV_CONFIG, &key)).await.code, 0);
    assert_eq!(client.call(plain(Code::GET_KV_CONFIG, &key)).await.code, 22);
}

#[tokio::test]
async fn a_topic_is_forgotten_in_the_cluster_that_is_named() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    cluster.create_topic("orders", 1).unwrap();
    let mut client = RawClient::to_name_server(&cluster).await;
    for (name, code) in [("another", 0), ("DefaultCluster", 17)] {
        let forget = plain(Code::DELETE_TOPIC_IN_NAMESRV, &[("topic", "orders"), ("clusterName", name)]);
        assert_eq!(client.call(forget).await.code, 0);
        let route = plain(Code::GET_ROUTEINFO_BY_TOPIC, &[("topic", "orders")]);
        assert_eq!(client.call(route).await.code, code, "{name}");
    }
}
