//! Pulls (codes 11 and 361): places, limits, filters and waiting.

use maxq_protocol::{RequestCode, header::PullMessage, message::PullSysFlag};

use super::{
    super::request::{
        Send, UNIQUE_KEY, coded, consumer, heartbeat, heartbeat_data, pull, typed, with, without,
    },
    Table,
    topic::{EMPTY, ONE_QUEUE, READ_ONLY, TAGS, TOPIC, UNEVEN, WRITE_ONLY},
};

/// Where from, how many, and by whom.
pub(super) fn pulls(table: &mut Table) {
    for offset in [0, 1, 9, 10_000, -1, i64::MAX] {
        table.broker(format!("from {offset}"), typed(&pull(TOPIC, 2, offset))).records();
    }
    // Where the queue ends is known when it is asked.
    for beyond in [0, 1, 2] {
        table
            .broker_with(format!("from {beyond} beyond the end"), move |memory| {
                let last = memory.record("stored: twins-tags, all", 3)?.queue_offset;
                Ok(typed(&pull(TAGS, 0, last + 1 + beyond)))
            })
            .records();
    }
    for messages in [0, -1, 1, 2, 32, 33, 1000] {
        let header = PullMessage { max_messages: messages, ..pull(TOPIC, 2, 0) };
        table.broker(format!("at most {messages}"), typed(&header)).records();
    }
    for (what, topic, queue) in [
        ("an empty queue", EMPTY, 0),
        ("the last queue to read", UNEVEN, 1),
        ("a queue that can only be written", UNEVEN, 5),
        ("queue 4 of 4", TOPIC, 4),
        ("queue -1", TOPIC, -1),
        ("an unknown topic", "twins-nobody", 0),
        ("a blank topic", "", 0),
        ("a topic that can only be read", READ_ONLY, 0),
        ("a topic that can only be written", WRITE_ONLY, 0),
        ("a system topic", "SELF_TEST_TOPIC", 0),
    ] {
        for offset in [0, 5] {
            table.broker(format!("{what} from {offset}"), typed(&pull(topic, queue, offset))).records();
        }
    }
    for group in ["", "twins new group", "CID_RMQ_SYS_TRANS", "TOOLS_CONSUMER"] {
        let header = PullMessage { consumer_group: group.to_owned(), ..pull(EMPTY, 0, 0) };
        table.broker(format!("by the group `{group}`"), typed(&header)).records();
    }
    let long = PullMessage { consumer_group: "g".repeat(121), ..pull(EMPTY, 0, 0) };
    table.broker("by a group of 121 letters", typed(&long)).records();
    fields(table);
    let lite = typed(&pull(TOPIC, 0, 0));
    table.broker("code 361", maxq_protocol::RemotingCommand { code: 361, ..lite.clone() }).records();
    let flag = (PullSysFlag::SUBSCRIPTION.0 | PullSysFlag::LITE_PULL.0).to_string();
    let lite = maxq_protocol::RemotingCommand { code: 361, ..with(&lite, "sysFlag", &flag) };
    table.broker("code 361 with its bit", lite).records();
}

fn fields(table: &mut Table) {
    let request = typed(&pull(TOPIC, 0, 0));
    for field in [
        "consumerGroup",
        "topic",
        "queueId",
        "queueOffset",
        "maxMsgNums",
        "sysFlag",
        "commitOffset",
        "suspendTimeoutMillis",
        "subscription",
        "subVersion",
        "expressionType",
    ] {
        table.broker(format!("without {field}"), without(&request, field)).records();
    }
    for field in [
        "queueId",
        "queueOffset",
        "maxMsgNums",
        "sysFlag",
        "commitOffset",
        "suspendTimeoutMillis",
        "subVersion",
    ] {
        table.broker(format!("with {field}=x"), with(&request, field, "x")).records();
    }
    for (field, value) in [("maxMsgBytes", "10"), ("bname", "another"), ("unknown", "x")] {
        table.broker(format!("with {field}={value}"), with(&request, field, value)).records();
    }
}

/// Tags, in the request and by heartbeat.
pub(super) fn filters(table: &mut Table) {
    for expression in ["*", "", "a", "b", "a || b", "a||b", " a ", "nobody", "||", "| |", "a||", "*||a"] {
        let header = PullMessage { subscription: Some(expression.to_owned()), ..pull(TAGS, 0, 0) };
        table.broker(format!("`{expression}`"), typed(&header)).records();
    }
    for (kind, expression) in
        [("SQL92", "a = 1"), ("SQL92", ""), ("SQL92", "a >>> 5"), ("REGEX", "a"), ("tag", "a"), ("", "a")]
    {
        let header = PullMessage {
            subscription: Some(expression.to_owned()),
            expression_type: Some(kind.to_owned()),
            ..pull(TAGS, 0, 0)
        };
        table.broker(format!("{kind} `{expression}`"), typed(&header)).records();
    }
    let plain = |group: &str, topic: &str, version| PullMessage {
        consumer_group: group.to_owned(),
        sys_flag: 0,
        subscription: None,
        subscription_version: Some(version),
        expression_type: None,
        ..pull(topic, 0, 0)
    };
    table.broker("by a group without a heartbeat", typed(&plain("twins-filter", TAGS, 0))).records();
    let beat = |tag, version| {
        heartbeat(&heartbeat_data("twins@filter", &[], &[consumer("twins-filter", TAGS, tag, version)]))
    };
    table.broker("a heartbeat for tag a", beat("a", 5));
    for version in [0, 5, 6] {
        table
            .broker(format!("by heartbeat, version {version}"), typed(&plain("twins-filter", TAGS, version)))
            .records();
    }
    table.broker("by heartbeat, another topic", typed(&plain("twins-filter", TOPIC, 0))).records();
    table.broker("an older heartbeat for tag b", beat("b", 4));
    table.broker("by heartbeat after the older one", typed(&plain("twins-filter", TAGS, 5))).records();
    table.broker("a newer heartbeat for tag b", beat("b", 7));
    table.broker("by heartbeat after the newer one", typed(&plain("twins-filter", TAGS, 7))).records();
    table.broker("a heartbeat for everything", beat("*", 8));
    table.broker("by heartbeat for everything", typed(&plain("twins-filter", TAGS, 8))).records();
    let leave = coded(
        RequestCode::UNREGISTER_CLIENT,
        &[("clientID", "twins@filter"), ("consumerGroup", "twins-filter")],
    );
    table.broker("the group leaves", leave);
    table.broker("by a group that has left", typed(&plain("twins-filter", TAGS, 0))).records();
}

/// Pulls that may be held; all at once.
pub(super) fn polls(table: &mut Table) {
    let waiting = |topic: &str, offset: i64, millis: i64| PullMessage {
        sys_flag: PullSysFlag::SUBSCRIPTION.0 | PullSysFlag::SUSPEND.0,
        suspend_timeout_millis: Some(millis),
        ..pull(topic, 0, offset)
    };
    table.broker("an empty queue", typed(&waiting(EMPTY, 0, HELD))).held(HELD as u64);
    table.broker("a message that is there", typed(&waiting(ONE_QUEUE, 0, HELD))).held(HELD as u64);
    table.broker("beyond the end", typed(&waiting(TAGS, 99, HELD))).held(HELD as u64);
    table.broker("an unknown topic", typed(&waiting("twins-nobody", 0, HELD))).held(HELD as u64);
    let nobody = PullMessage { subscription: Some("nobody".to_owned()), ..waiting(TAGS, 0, HELD) };
    table.broker("messages of other tags", typed(&nobody)).held(HELD as u64);
    let unwilling = PullMessage { sys_flag: PullSysFlag::SUBSCRIPTION.0, ..waiting(EMPTY, 0, HELD) };
    table.broker("without the bit", typed(&unwilling)).held(HELD as u64);
}

/// Four messages with tags a, b, a and none.
pub(super) fn tagged(table: &mut Table) {
    for (number, tag) in [Some("a"), Some("b"), Some("a"), None].into_iter().enumerate() {
        let mut pairs = vec![("UNIQ_KEY", UNIQUE_KEY)];
        pairs.extend(tag.map(|tag| ("TAGS", tag)));
        table.broker(
            format!("tag {tag:?}, message {number}"),
            Send::to(TAGS).properties(&pairs).body(format!("{number}")).v2(),
        );
    }
}

/// Long enough to tell it from a busy machine.
const HELD: i64 = 2_500;
