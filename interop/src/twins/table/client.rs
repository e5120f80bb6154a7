//! Heartbeats, and who is online (codes 34, 35, 46, 38, 203, 204).

use maxq_protocol::{
    RemotingCommand, RequestCode as Code,
    body::{ConsumeFromWhere, ConsumeType, ConsumerData, HeartbeatData, MessageModel},
};

use super::{
    super::request::{coded, consumer, heartbeat, heartbeat_data, typed},
    Table,
    topic::TAGS,
};
use maxq_protocol::header::{CheckClientConfig, Heartbeat};

/// Clients that come, change and go.
pub(super) fn clients(table: &mut Table) {
    online(table, "before anybody came");
    let data = heartbeat_data("twins@1", &["twins-p1", "twins-p2"], &[consumer("twins-c1", TAGS, "a", 1)]);
    table.broker("the first heartbeat", heartbeat(&data));
    online(table, "after the first heartbeat");
    table.broker("the same heartbeat", heartbeat(&data));
    let second = heartbeat_data("twins@2", &["twins-p1"], &[consumer("twins-c1", TAGS, "a", 1)]);
    table.broker("a second client", heartbeat(&second)).client("second");
    for (group, code, field) in [
        ("twins-c1", Code::GET_CONSUMER_LIST_BY_GROUP, "consumerGroup"),
        ("twins-p1", Code::GET_PRODUCER_CONNECTION_LIST, "producerGroup"),
    ] {
        // The address of the other client is not masked: only how many there are is the same.
        table.broker(format!("two clients in {group}"), coded(code, &[(field, group)])).keys();
    }
    fingerprints(table);
    kinds(table);
    for (what, fields) in [
        ("a producer group", vec![("clientID", "twins@1"), ("producerGroup", "twins-p1")]),
        ("a consumer group", vec![("clientID", "twins@1"), ("consumerGroup", "twins-c1")]),
        ("a group that it is not in", vec![("clientID", "twins@1"), ("producerGroup", "twins-p9")]),
        ("no group", vec![("clientID", "twins@1")]),
        ("nobody", vec![]),
        ("a producer group, without its id", vec![("producerGroup", "twins-p2")]),
        ("a consumer group, without its id", vec![("consumerGroup", "twins-c9")]),
    ] {
        table.broker(format!("leaves: {what}"), coded(Code::UNREGISTER_CLIENT, &fields));
    }
    let last = [("clientID", "twins@2"), ("producerGroup", "twins-p1"), ("consumerGroup", "twins-c1")];
    table.broker("the second client leaves", coded(Code::UNREGISTER_CLIENT, &last)).client("second");
    online(table, "after all have left");
    broken(table);
    checks(table);
}

fn online(table: &mut Table, when: &str) {
    for (code, field, groups) in [
        (Code::GET_CONSUMER_LIST_BY_GROUP, "consumerGroup", ["twins-c1", ""]),
        (Code::GET_CONSUMER_CONNECTION_LIST, "consumerGroup", ["twins-c1", ""]),
        (Code::GET_PRODUCER_CONNECTION_LIST, "producerGroup", ["twins-p1", ""]),
    ] {
        for group in groups {
            table.broker(format!("{code} of `{group}` {when}"), coded(code, &[(field, group)]));
        }
        table.broker(format!("{code} of no group {when}"), coded(code, &[]));
    }
}

fn fingerprints(table: &mut Table) {
    let full = |fingerprint| HeartbeatData {
        heartbeat_fingerprint: fingerprint,
        ..heartbeat_data("twins@1", &[], &[consumer("twins-c2", TAGS, "a", 1)])
    };
    let light = |fingerprint| HeartbeatData {
        heartbeat_fingerprint: fingerprint,
        without_sub: true,
        ..heartbeat_data(
            "twins@1",
            &[],
            &[ConsumerData { group_name: "twins-c2".to_owned(), ..ConsumerData::default() }],
        )
    };
    for (number, (what, data)) in [
        ("light 5", light(5)),
        ("full 77", full(77)),
        ("full 77", full(77)),
        ("light 77", light(77)),
        ("light 78", light(78)),
        ("full 0", full(0)),
    ]
    .into_iter()
    .enumerate()
    {
        table.broker(format!("heartbeat {number}: {what}"), heartbeat(&data));
    }
    let group = [("consumerGroup", "twins-c2")];
    table.broker("what is left of the subscriptions", coded(Code::GET_CONSUMER_CONNECTION_LIST, &group));
    table.broker(
        "that group leaves",
        coded(Code::UNREGISTER_CLIENT, &[("clientID", "twins@1"), ("consumerGroup", "twins-c2")]),
    );
}

fn kinds(table: &mut Table) {
    let kinds = [
        (ConsumeType::Actively, MessageModel::Broadcasting, ConsumeFromWhere::FirstOffset),
        (ConsumeType::Passively, MessageModel::Clustering, ConsumeFromWhere::Timestamp),
        (ConsumeType::Pop, MessageModel::Clustering, ConsumeFromWhere::LastOffset),
    ];
    for (number, (consume_type, message_model, consume_from_where)) in kinds.into_iter().enumerate() {
        let group = format!("twins-kind-{number}");
        let data = ConsumerData {
            consume_type,
            message_model,
            consume_from_where,
            ..consumer(&group, TAGS, "*", 1)
        };
        table.broker(
            format!("a heartbeat of kind {number}"),
            heartbeat(&heartbeat_data("twins@1", &[], &[data])),
        );
        table.broker(
            format!("who is online of kind {number}"),
            coded(Code::GET_CONSUMER_CONNECTION_LIST, &[("consumerGroup", &group)]),
        );
    }
    let unit = ConsumerData { unit_mode: true, ..consumer("twins-unit", TAGS, "*", 1) };
    table.broker("a heartbeat in unit mode", heartbeat(&heartbeat_data("twins@1", &[], &[unit])));
    table
        .name_server(
            "the retry topic of unit mode",
            coded(Code::GET_ROUTEINFO_BY_TOPIC, &[("topic", "%RETRY%twins-unit")]),
        )
        .until_code(0);
    let long = heartbeat_data("twins@1", &[], &[consumer(&"g".repeat(121), TAGS, "*", 1)]);
    table.broker("a group of 121 letters", heartbeat(&long));
    table.broker(
        "who is online in the group of 121 letters",
        coded(Code::GET_CONSUMER_LIST_BY_GROUP, &[("consumerGroup", &"g".repeat(121))]),
    );
    table.broker("a heartbeat of nobody", heartbeat(&heartbeat_data("", &[], &[])));
    table.oneway("a heartbeat one way", heartbeat(&heartbeat_data("twins@1", &["twins-oneway"], &[])));
}

fn broken(table: &mut Table) {
    for body in [
        "",
        "nonsense",
        "[1]",
        "{}",
        "7",
        r#"{"consumerDataSet":7}"#,
        r#"{"clientID":"twins@x","unknown":[1]}"#,
        r#"{"producerDataSet":[{}]}"#,
        r#"{"consumerDataSet":[{}]}"#,
        r#"{"producerDataSet":[{"groupName":""}]}"#,
        r#"{"consumerDataSet":[{"groupName":""}]}"#,
    ] {
        let request = RemotingCommand::request(&Heartbeat {}).with_body(body);
        table.broker(format!("a heartbeat with the body `{body}`"), request).client("broken");
    }
}

fn checks(table: &mut Table) {
    for body in [
        "",
        "{}",
        "nonsense",
        r#"{"clientId":"c","group":"g","subscriptionData":{"expressionType":"TAG","subString":"*","topic":"twins"}}"#,
        r#"{"clientId":"c","group":"g","subscriptionData":{"expressionType":"SQL92","subString":"a = 1","topic":"twins"}}"#,
        r#"{"clientId":"c","group":"g","subscriptionData":{"expressionType":"SQL92","subString":"a >>> 1","topic":"twins"}}"#,
        r#"{"clientId":"c","group":"g","subscriptionData":{"expressionType":"NONSENSE","subString":"a","topic":"twins"}}"#,
        r#"{"clientId":"c","group":"g","subscriptionData":{"subString":"a","topic":"twins"}}"#,
    ] {
        let request = typed(&CheckClientConfig {}).with_body(body);
        table.broker(format!("a check of `{body}`"), request).client("broken");
    }
}
