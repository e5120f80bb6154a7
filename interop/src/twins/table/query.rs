//! Messages by key and by place (codes 12 and 33).

use maxq_protocol::RequestCode as Code;

use super::{
    super::request::{Send, coded, plain, with, without},
    Table,
};

/// Every way to look for a message.
pub(super) fn queries(table: &mut Table) {
    let topic = "twins-query";
    for (number, (key, keys)) in
        [("U000query1", Some("red blue")), ("U000query2", Some("red")), ("U000query3", None)]
            .into_iter()
            .enumerate()
    {
        let mut pairs = vec![("UNIQ_KEY", key)];
        pairs.extend(keys.map(|keys| ("KEYS", keys)));
        table.broker(
            format!("send message {number}"),
            Send::to(topic).properties(&pairs).body(format!("{number}")).v2(),
        );
    }
    let query = |key: &str| {
        coded(
            Code::QUERY_MESSAGE,
            &[
                ("topic", topic),
                ("key", key),
                ("maxNum", "32"),
                ("beginTimestamp", "0"),
                ("endTimestamp", "9223372036854775807"),
            ],
        )
    };
    table.broker("by the key red", query("red")).until_records(2);
    for key in ["blue", "green", "", "red blue", "U000query1"] {
        table.broker(format!("by the key `{key}`"), query(key)).records();
        table
            .broker(format!("by the unique key `{key}`"), with(&query(key), "_UNIQUE_KEY_QUERY", "true"))
            .records();
        table
            .broker(format!("by the key `{key}`, index of keys"), with(&query(key), "indexType", "K"))
            .records();
        table
            .broker(format!("by the key `{key}`, index of unique keys"), with(&query(key), "indexType", "U"))
            .records();
    }
    for most in ["0", "1", "-1", "64", "100", "x"] {
        table.broker(format!("at most {most}"), with(&query("red"), "maxNum", most)).records();
    }
    for (what, begin, end) in [
        ("the past", "0", "1000"),
        ("the future", "4000000000000", "9223372036854775807"),
        ("no time", "5", "0"),
        ("negative times", "-5", "-1"),
    ] {
        let request = with(&with(&query("red"), "beginTimestamp", begin), "endTimestamp", end);
        table.broker(format!("in {what}"), request).records();
    }
    for field in ["topic", "key", "maxNum", "beginTimestamp", "endTimestamp"] {
        table.broker(format!("without {field}"), without(&query("red"), field)).records();
    }
    table.broker("of an unknown topic", with(&query("red"), "topic", "twins-nobody")).records();
    places(table);
}

fn places(table: &mut Table) {
    for number in 0..3 {
        let step = format!("query: send message {number}");
        table
            .broker_with(format!("at the place of message {number}"), move |memory| {
                let place = memory.offset_id(&step)?.commit_log_offset.to_string();
                Ok(plain(33, &[("offset", place.as_str()), ("topic", "twins-query")]))
            })
            .records();
    }
    for (what, fields) in [
        ("at a negative place", vec![("offset", "-1")]),
        ("beyond the end", vec![("offset", "99999999999")]),
        ("at no place", vec![]),
        ("at a place that is no number", vec![("offset", "x")]),
    ] {
        table.broker(what, plain(33, &fields)).records();
    }
}
