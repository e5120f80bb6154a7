//! Offsets of queues and of groups (codes 30, 31, 29, 32, 14, 15).

use maxq_protocol::RequestCode as Code;

use super::{
    super::request::{coded, with, without},
    Table,
    topic::{EMPTY, TAGS, TOPIC},
};

/// Of queues.
pub(super) fn offsets(table: &mut Table) {
    for (code, what) in [
        (Code::GET_MAX_OFFSET, "largest"),
        (Code::GET_MIN_OFFSET, "smallest"),
        (Code::GET_EARLIEST_MSG_STORETIME, "earliest store time"),
    ] {
        for (topic, queue) in [
            (TOPIC, "0"),
            (TOPIC, "2"),
            (EMPTY, "0"),
            (TOPIC, "99"),
            (TOPIC, "-1"),
            ("twins-nobody", "0"),
            ("", "0"),
            ("%RETRY%twins-retry", "0"),
        ] {
            let request = coded(code, &[("topic", topic), ("queueId", queue)]);
            table.broker(format!("{what} of `{topic}` {queue}"), request);
        }
        let request = coded(code, &[("topic", TOPIC), ("queueId", "0"), ("committed", "false")]);
        table.broker(format!("{what}, not committed"), request.clone());
        table.broker(format!("{what} without topic"), without(&request, "topic"));
        table.broker(format!("{what} without queue"), without(&request, "queueId"));
        table.broker(format!("{what} of queue x"), with(&request, "queueId", "x"));
    }
    times(table);
}

fn times(table: &mut Table) {
    let search = |topic: &str, time: &str| {
        coded(Code::SEARCH_OFFSET_BY_TIMESTAMP, &[("topic", topic), ("queueId", "0"), ("timestamp", time)])
    };
    for (what, time) in [
        ("0", "0"),
        ("a negative time", "-1"),
        ("the future", "4000000000000"),
        ("a time that is no number", "x"),
    ] {
        for topic in [TAGS, EMPTY, "twins-nobody"] {
            table.broker(format!("by {what} in {topic}"), search(topic, time));
        }
    }
    for boundary in ["LOWER", "UPPER", "lower", "nonsense", ""] {
        for (what, time) in [("0", "0"), ("the future", "4000000000000")] {
            table.broker(
                format!("by {what}, boundary `{boundary}`"),
                with(&search(TAGS, time), "boundaryType", boundary),
            );
        }
    }
    for (what, shift) in [("at", 0), ("just before", -1)] {
        // Messages may share their millisecond on one server and not on the other: only the first gives an offset that
        // does not depend on that, and 4.9 takes any of those that share it.
        if table.is_old() && shift == 0 {
            continue;
        }
        table.broker_with(format!("by {what} the time of the first message"), move |memory| {
            let time = memory.record("stored: twins-tags, all", 0)?.store_timestamp + shift;
            Ok(search(TAGS, &time.to_string()))
        });
    }
    table.broker("by no time", without(&search(TAGS, "0"), "timestamp"));
    table.broker("by time without topic", without(&search(TAGS, "0"), "topic"));
    table.broker("by time without queue", without(&search(TAGS, "0"), "queueId"));
}

/// Of groups.
pub(super) fn group_offsets(table: &mut Table) {
    let query = |group: &str, topic: &str, queue: &str| {
        coded(Code::QUERY_CONSUMER_OFFSET, &[("consumerGroup", group), ("topic", topic), ("queueId", queue)])
    };
    let commit = |group: &str, topic: &str, offset: &str| {
        coded(
            Code::UPDATE_CONSUMER_OFFSET,
            &[("consumerGroup", group), ("topic", topic), ("queueId", "0"), ("commitOffset", offset)],
        )
    };
    for (what, group, topic, queue) in [
        ("a new group", "twins-new", TOPIC, "0"),
        ("a new group, empty queue", "twins-new", EMPTY, "0"),
        ("a new group, no such queue", "twins-new", TOPIC, "99"),
        ("a new group, no such topic", "twins-new", "twins-nobody", "0"),
        ("a blank group", "", TOPIC, "0"),
    ] {
        table.broker(format!("of {what}"), query(group, topic, queue));
        for zero in ["true", "false"] {
            let request = with(&query(group, topic, queue), "setZeroIfNotFound", zero);
            table.broker(format!("of {what}, zero {zero}"), request);
        }
    }
    for (what, request) in [
        ("for an unknown group", commit("twins-unknown", TOPIC, "1")),
        ("for an unknown topic", commit("twins-reader", "twins-nobody", "1")),
        ("for a group", commit("twins-reader", TOPIC, "1")),
        ("further", commit("twins-reader", TOPIC, "3")),
        ("back", commit("twins-reader", TOPIC, "2")),
        ("a negative one", commit("twins-reader", EMPTY, "-1")),
        ("beyond the end", commit("twins-reader", TAGS, "1000")),
        ("one that is no number", commit("twins-reader", TOPIC, "x")),
    ] {
        table.broker(format!("commit {what}"), request);
        table.broker(format!("after the commit {what}"), query("twins-reader", TOPIC, "0"));
    }
    for topic in [EMPTY, TAGS, "twins-nobody"] {
        table.broker(format!("of the group in {topic}"), query("twins-reader", topic, "0"));
    }
    for field in ["consumerGroup", "topic", "queueId", "commitOffset"] {
        table.broker(format!("commit without {field}"), without(&commit("twins-reader", TOPIC, "1"), field));
        if field != "commitOffset" {
            table
                .broker(format!("query without {field}"), without(&query("twins-reader", TOPIC, "0"), field));
        }
    }
    table.oneway("commit one way", commit("twins-reader", TOPIC, "4"));
    table.broker("after the one-way commit", query("twins-reader", TOPIC, "0"));
    table.oneway("commit one way for an unknown group", commit("twins-unknown", TOPIC, "4"));
    table.broker("commit once more", commit("twins-reader", TOPIC, "5"));
    table.broker("after the last commit", query("twins-reader", TOPIC, "0"));
}
