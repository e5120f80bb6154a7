//! Heartbeats and who is online.

use maxq_emulator::EmulatedVersion;
use maxq_protocol::{
    RemotingCommand, RequestCode,
    body::{ConsumerData, HeartbeatData, JsonDialect, ProducerData, SubscriptionData, to_json},
    header::{CheckClientConfig, Heartbeat, HeartbeatReply, UnregisterClient},
};

use crate::{
    support::{RawClient, one_broker, route, verdict},
    topics::plain,
};

/// A consumer group with one subscription of one tag.
pub(crate) fn consumer(group: &str, topic: &str, tag: &str, version: i64) -> ConsumerData {
    let code = tag.bytes().fold(0i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(i32::from(byte)));
    ConsumerData {
        group_name: group.into(),
        subscription_data_set: vec![SubscriptionData {
            topic: topic.into(),
            sub_string: tag.into(),
            tags_set: vec![tag.into()],
            code_set: vec![code],
            sub_version: version,
            expression_type: "TAG".into(),
            class_filter_mode: false,
        }],
        ..ConsumerData::default()
    }
}

/// A heartbeat of the client `c@1`.
pub(crate) fn heartbeat(producers: &[&str], consumers: &[ConsumerData]) -> RemotingCommand {
    beat(&data(producers, consumers))
}

fn data(producers: &[&str], consumers: &[ConsumerData]) -> HeartbeatData {
    HeartbeatData {
        client_id: "c@1".into(),
        producer_data_set: producers.iter().map(|name| ProducerData { group_name: (*name).into() }).collect(),
        consumer_data_set: consumers.to_vec(),
        ..HeartbeatData::default()
    }
}

fn beat(data: &HeartbeatData) -> RemotingCommand {
    RemotingCommand::request(&Heartbeat {}).with_body(to_json(data, JsonDialect::Standard))
}

fn unregister(producer_group: Option<&str>, consumer_group: Option<&str>) -> RemotingCommand {
    RemotingCommand::request(&UnregisterClient {
        client_id: "c@1".into(),
        producer_group: producer_group.map(str::to_owned),
        consumer_group: consumer_group.map(str::to_owned),
    })
}

#[tokio::test]
async fn a_heartbeat_registers_groups_until_they_are_unregistered() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let answer = client.call(heartbeat(&["p1", "p2"], &[consumer("cg", "orders", "A", 1)])).await;
    let reply: HeartbeatReply = answer.header().unwrap();
    assert_eq!((reply.supports_v2, reply.subscription_changed), (Some(true), Some(true)));
    let clients = cluster.clients();
    let [known] = &clients[..] else { panic!("{clients:?}") };
    assert_eq!((known.client_id.as_str(), known.broker.as_str()), ("c@1", "broker-0"));
    assert_eq!(known.producer_groups.iter().collect::<Vec<_>>(), ["p1", "p2"]);
    assert_eq!(known.consumer_groups.iter().collect::<Vec<_>>(), ["cg"]);
    // The topic of the group's retries is made.
    assert_eq!(route(&cluster, "%RETRY%cg").await.unwrap().queue_datas[0].write_queue_nums, 1);

    client.call(unregister(Some("p1"), Some("cg"))).await;
    assert_eq!(cluster.clients()[0].producer_groups.iter().collect::<Vec<_>>(), ["p2"]);
    client.call(unregister(Some("p2"), None)).await;
    assert!(cluster.clients().is_empty());
    let answer = client.call(unregister(Some("never"), Some("heard"))).await;
    assert_eq!(answer.code, 0);
}

#[tokio::test]
async fn an_old_broker_answers_a_heartbeat_without_fields() {
    let cluster = one_broker(EmulatedVersion::V4_9_7).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let answer = client.call(heartbeat(&["p"], &[])).await;
    assert_eq!((answer.code, answer.ext.is_empty()), (0, true));
}

#[tokio::test]
async fn fingerprints_tell_whether_subscriptions_changed() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let full = HeartbeatData { heartbeat_fingerprint: 77, ..data(&[], &[consumer("cg", "orders", "A", 1)]) };
    let light = |fingerprint| HeartbeatData {
        heartbeat_fingerprint: fingerprint,
        without_sub: true,
        ..data(&[], &[ConsumerData { group_name: "cg".into(), ..ConsumerData::default() }])
    };
    for (heartbeat, changed) in [
        (light(5), false),
        (full.clone(), true),
        (full, false),
        (light(77), false),
        (light(78), true),
        (light(78), false),
    ] {
        let answer = client.call(beat(&heartbeat)).await;
        assert_eq!(
            answer.header::<HeartbeatReply>().unwrap().subscription_changed,
            Some(changed),
            "{heartbeat:?}"
        );
    }
    // A light heartbeat leaves the subscriptions alone.
    let answer =
        client.call(plain(RequestCode::GET_CONSUMER_CONNECTION_LIST, &[("consumerGroup", "cg")])).await;
    assert!(String::from_utf8_lossy(&answer.body).contains(r#""subscriptionTable":{"orders":{"#));
}

#[tokio::test]
async fn the_end_of_a_connection_ends_its_registrations() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut stays = RawClient::to_broker(&cluster).await;
    stays.call(heartbeat(&["p"], &[])).await;
    let mut leaves = RawClient::to_broker(&cluster).await;
    leaves.call(heartbeat(&["p"], &[consumer("cg", "orders", "A", 1)])).await;
    assert_eq!(cluster.clients().len(), 2);
    drop(leaves);
    // The broker sees the end of a connection some time; every question gives it a chance to look.
    while cluster.clients().len() > 1 {
        stays.call(heartbeat(&["p"], &[])).await;
    }
    let answer = stays.call(plain(RequestCode::GET_CONSUMER_LIST_BY_GROUP, &[("consumerGroup", "cg")])).await;
    assert_eq!(verdict(&answer), (1, "no consumer for this group, cg"));
}

#[tokio::test]
async fn tools_see_who_is_online() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    client.call(heartbeat(&["p"], &[consumer("cg", "orders", "A", 1)])).await;
    let address = cluster.clients()[0].address;
    let connection =
        format!(r#"{{"clientAddr":"{address}","clientId":"c@1","language":"RUST","version":479}}"#);
    let answer =
        client.call(plain(RequestCode::GET_PRODUCER_CONNECTION_LIST, &[("producerGroup", "p")])).await;
    assert_eq!(answer.body, format!(r#"{{"connectionSet":[{connection}]}}"#));
    let answer =
        client.call(plain(RequestCode::GET_CONSUMER_CONNECTION_LIST, &[("consumerGroup", "cg")])).await;
    let expected = format!(
        r#"{{"connectionSet":[{connection}],"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","subscriptionTable":{{"orders":{{"classFilterMode":false,"codeSet":[65],"expressionType":"TAG","subString":"A","subVersion":1,"tagsSet":["A"],"topic":"orders"}}}}}}"#
    );
    assert_eq!(answer.body, expected);
    let answer =
        client.call(plain(RequestCode::GET_CONSUMER_LIST_BY_GROUP, &[("consumerGroup", "cg")])).await;
    assert_eq!(answer.body, r#"{"consumerIdList":["c@1"]}"#);
    for (code, field, verdict_of_none) in [
        (RequestCode::GET_PRODUCER_CONNECTION_LIST, "producerGroup", (1, "the producer group[no] not exist")),
        (
            RequestCode::GET_CONSUMER_CONNECTION_LIST,
            "consumerGroup",
            (206, "the consumer group[no] not online"),
        ),
    ] {
        assert_eq!(verdict(&client.call(plain(code, &[(field, "no")])).await), verdict_of_none);
    }
}

#[tokio::test]
async fn bodies_that_are_no_heartbeats_are_exceptions() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    for body in ["", "nonsense", "[1]", r#"{"consumerDataSet":7}"#] {
        let request = RemotingCommand::request(&Heartbeat {}).with_body(body);
        let answer = client.call(request).await;
        assert_eq!((answer.code, answer.ext.is_empty()), (1, true), "{body}");
    }
    let answer = client.call(RemotingCommand::request(&Heartbeat {}).with_body("{}")).await;
    assert_eq!(answer.code, 0);
}

#[tokio::test]
async fn only_tag_subscriptions_pass_the_check() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let check = |body: &str| RemotingCommand::request(&CheckClientConfig {}).with_body(body.to_owned());
    for body in [
        "",
        "{}",
        r#"{"clientId":"c","group":"g","subscriptionData":{"expressionType":"TAG","subString":"*"}}"#,
    ] {
        assert_eq!(client.call(check(body)).await.code, 0, "{body}");
    }
    let sql = r#"{"subscriptionData":{"expressionType":"SQL92","subString":"a = 1"}}"#;
    let remark = "The broker does not support consumer to filter message by SQL92";
    assert_eq!(verdict(&client.call(check(sql)).await), (1, remark));
}
