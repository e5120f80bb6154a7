//! Sends of every shape (codes 10 and 310), and what is stored of them.

use maxq_protocol::{HeaderEncoding, LanguageCode, RemotingCommand, Version, message::property};

use super::{
    super::request::{BORN, Send, UNIQUE_KEY, pull, typed, with, without},
    Table,
    topic::{BITS, EMPTY, ONE_QUEUE, READ_ONLY, TAGS, TOPIC, UNEVEN, WRITE_ONLY, odd_names},
};

/// What is accepted and what is refused.
pub(super) fn sends(table: &mut Table) {
    shapes(table);
    bodies(table);
    queues(table);
    topics(table);
    fields(table);
    properties(table);
    envelopes(table);
    bits(table);
    table.oneway("one way", Send::to(TOPIC).body("one way").v2());
    table.oneway("one way to no queue", Send::to(TOPIC).queue(77).v2());
    table.oneway("one way to a bad topic", Send::to("a b").v1());
}

fn shapes(table: &mut Table) {
    for (encoding, what) in [(HeaderEncoding::Json, "JSON"), (HeaderEncoding::Binary, "binary")] {
        for (code, make) in [("10", Send::v1 as fn(Send) -> RemotingCommand), ("310", Send::v2)] {
            let short = Send::to(TOPIC).body(format!("{code} in {what}"));
            let whole = short.clone().with(|header| {
                header.queue_id = 1;
                header.flag = -5;
                header.reconsume_times = Some(0);
                header.unit_mode = Some(false);
                header.max_reconsume_times = Some(16);
                header.batch = Some(false);
                header.broker_name = Some("broker-0".into());
            });
            let refused = Send::to("a b");
            for (fields, send) in [("necessary", short), ("all", whole), ("refused", refused)] {
                let request = RemotingCommand { encoding, ..make(send) };
                table.broker(format!("code {code} in {what}, {fields}"), request);
            }
        }
    }
}

fn bodies(table: &mut Table) {
    let bodies: [(&str, Vec<u8>); 6] = [
        ("one byte", vec![0]),
        ("every byte", (0..=255).collect()),
        ("64 KiB", vec![b'a'; 65_536]),
        ("4 MiB", vec![b'b'; 4 << 20]),
        ("a byte more than 4 MiB", vec![b'c'; (4 << 20) + 1]),
        ("nothing", Vec::new()),
    ];
    for (what, body) in bodies {
        table.broker(format!("a body of {what}"), Send::to(UNEVEN).queue(1).body(body).v2());
    }
}

fn queues(table: &mut Table) {
    for queue in [3, 4, 99, i32::MAX] {
        table.broker(format!("to queue {queue} of 4"), Send::to(TOPIC).queue(queue).v2());
    }
    for queue in [-1, -7, i32::MIN] {
        table.broker(format!("to queue {queue} of 1"), Send::to(ONE_QUEUE).queue(queue).v2());
    }
    for queue in [2, 5, 6] {
        table.broker(
            format!("to queue {queue} of 2 to read and 6 to write"),
            Send::to(UNEVEN).queue(queue).v2(),
        );
    }
    for topic in [READ_ONLY, WRITE_ONLY] {
        table.broker(format!("to {topic}"), Send::to(topic).v2());
    }
}

fn topics(table: &mut Table) {
    for (what, topic) in odd_names() {
        table.broker(format!("to {what}"), Send::to(&topic).v2());
    }
    for topic in [
        "SCHEDULE_TOPIC_XXXX",
        "RMQ_SYS_TRANS_HALF_TOPIC",
        "RMQ_SYS_TRANS_OP_HALF_TOPIC",
        "TRANS_CHECK_MAX_TIME_TOPIC",
        "SELF_TEST_TOPIC",
        "OFFSET_MOVED_EVENT",
        "TBW102",
        "DefaultCluster",
        "broker-0",
        "BenchmarkTest",
        "rmq_sys_twins_new",
        "%SYS%twins",
    ] {
        table.broker(format!("to the system topic {topic}"), Send::to(topic).v2());
    }
    for (number, (default_topic, queues, queue)) in [
        ("TBW102", 4, 0),
        ("TBW102", 100, 7),
        ("TBW102", 1, 0),
        ("TBW102", 0, 0),
        ("TBW102", -1, 0),
        ("TBW102", 4, 9),
        ("TBW102", 4, 4),
        ("DefaultCluster", 32, 0),
        ("broker-0", 4, 0),
        (TOPIC, 4, 0),
        ("twins-nobody", 4, 0),
        ("", 4, 0),
    ]
    .into_iter()
    .enumerate()
    {
        let topic = format!("twins-new-{number}");
        let send = Send::to(&topic).queue(queue).with(|header| {
            header.default_topic = default_topic.into();
            header.default_topic_queue_nums = queues;
        });
        table.broker(
            format!("to a new topic by `{default_topic}`, {queues} queues, queue {queue}"),
            send.v2(),
        );
        let number = 105;
        table
            .name_server(
                format!("route of {topic}"),
                super::super::request::plain(number, &[("topic", topic.as_str())]),
            )
            .until_code(if ["TBW102", "DefaultCluster", "broker-0"].contains(&default_topic) {
                0
            } else {
                17
            });
    }
}

fn fields(table: &mut Table) {
    let long = [
        "producerGroup",
        "topic",
        "defaultTopic",
        "defaultTopicQueueNums",
        "queueId",
        "sysFlag",
        "bornTimestamp",
        "flag",
        "properties",
    ];
    let short = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let request = Send::to(TOPIC).body("fields");
    for field in long {
        table.broker(format!("code 10 without {field}"), without(&request.clone().v1(), field));
    }
    for field in short {
        table.broker(format!("code 310 without {field}"), without(&request.clone().v2(), field));
    }
    for field in &long[3..8] {
        table.broker(format!("code 10 with {field}=x"), with(&request.clone().v1(), field, "x"));
    }
    for field in ["d", "e", "f", "g", "h", "j", "l"] {
        table.broker(format!("code 310 with {field}=x"), with(&request.clone().v2(), field, "x"));
    }
    for (field, value) in [
        ("k", "yes"),
        ("m", "yes"),
        ("m", "TRUE "),
        ("z", "unknown"),
        ("n", "another-broker"),
        ("a", ""),
        ("e", " 1"),
        ("e", "1.0"),
        ("g", "99999999999999999999"),
    ] {
        table.broker(format!("code 310 with {field}=`{value}`"), with(&request.clone().v2(), field, value));
    }
    let no_fields = RemotingCommand { ext: Default::default(), ..request.clone().v2() };
    table.broker("code 310 without fields", no_fields);
    table.broker("code 310 with long names", RemotingCommand { code: 310, ..request.clone().v1() });
    table.broker("code 10 with short names", RemotingCommand { code: 10, ..request.v2() });
}

fn properties(table: &mut Table) {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("none", &[]),
        ("tag and keys", &[("UNIQ_KEY", UNIQUE_KEY), ("TAGS", "a"), ("KEYS", "k1 k2")]),
        ("WAIT=true", &[("UNIQ_KEY", UNIQUE_KEY), ("WAIT", "true")]),
        ("WAIT=false", &[("UNIQ_KEY", UNIQUE_KEY), ("WAIT", "false")]),
        ("a cluster", &[("UNIQ_KEY", UNIQUE_KEY), ("CLUSTER", "another")]),
        ("a region", &[("UNIQ_KEY", UNIQUE_KEY), ("MSG_REGION", "another"), ("TRACE_ON", "false")]),
        ("POP_CK", &[("UNIQ_KEY", UNIQUE_KEY), ("POP_CK", "1 2 3")]),
        ("letters beyond ASCII", &[("UNIQ_KEY", UNIQUE_KEY), ("größe", "ä 🚀"), ("a=b", "c:d")]),
        ("several tags", &[("UNIQ_KEY", UNIQUE_KEY), ("TAGS", "a || b")]),
        ("DELAY=0", &[("UNIQ_KEY", UNIQUE_KEY), (property::DELAY, "0")]),
        ("DELAY=x", &[("UNIQ_KEY", UNIQUE_KEY), (property::DELAY, "x")]),
        ("INNER_NUM", &[("UNIQ_KEY", UNIQUE_KEY), ("INNER_NUM", "2")]),
        ("TRAN_MSG=false", &[("UNIQ_KEY", UNIQUE_KEY), ("TRAN_MSG", "false")]),
        ("a blank unique key", &[("UNIQ_KEY", " ")]),
        ("RETRY_TOPIC", &[("UNIQ_KEY", UNIQUE_KEY), ("RETRY_TOPIC", "other"), ("REAL_TOPIC", "other")]),
    ];
    for (what, pairs) in cases {
        table.broker(format!("with properties: {what}"), Send::to(ONE_QUEUE).properties(pairs).v2());
    }
    let texts: &[(&str, &str)] = &[
        ("no end", "UNIQ_KEY\u{1}U0000000000000000000000000000001\u{2}a\u{1}b"),
        ("twice the same", "UNIQ_KEY\u{1}U0000000000000000000000000000001\u{2}a\u{1}1\u{2}a\u{1}2\u{2}"),
        ("no value", "UNIQ_KEY\u{1}U0000000000000000000000000000001\u{2}a\u{1}\u{2}b\u{1}c\u{2}"),
        ("no separator", "nonsense"),
        ("only ends", "\u{2}\u{2}"),
        ("a value with a separator", "UNIQ_KEY\u{1}U0000000000000000000000000000001\u{2}a\u{1}b\u{1}c\u{2}"),
    ];
    for (what, text) in texts {
        let send = Send::to(ONE_QUEUE).with(|header| header.properties = (*text).to_owned().into());
        table.broker(format!("with a property text: {what}"), send.v2());
    }
    for length in [32_000, 32_767, 32_768, 40_000] {
        let long = "x".repeat(length - UNIQUE_KEY.len() - "UNIQ_KEY..p..".len());
        let send = Send::to(ONE_QUEUE).properties(&[("UNIQ_KEY", UNIQUE_KEY), ("p", &long)]);
        table.broker(format!("with {length} bytes of properties"), send.v2());
    }
}

/// Messages that are not to be seen at once. They come last: what Apache makes of them appears in between.
pub(super) fn later(table: &mut Table) {
    for (what, pairs) in [
        ("a delay level", [("UNIQ_KEY", UNIQUE_KEY), (property::DELAY, "1")]),
        ("a timer", [("UNIQ_KEY", UNIQUE_KEY), (property::TIMER_DELAY_SEC, "3600")]),
        ("a half message", [("UNIQ_KEY", UNIQUE_KEY), (property::TRANSACTION_PREPARED, "true")]),
    ] {
        table.broker(what, Send::to(EMPTY).properties(&pairs).v2());
    }
}

/// Who sends.
fn envelopes(table: &mut Table) {
    for version in [0, 317, 400, 401, 475, 513, 9999] {
        let request = RemotingCommand { version: Version(version), ..Send::to(TOPIC).queue(2).v2() };
        table.broker(format!("from version {version}"), request);
    }
    for language in [LanguageCode::JAVA, LanguageCode::GO, LanguageCode::OTHER] {
        let request = RemotingCommand { language, ..Send::to(TOPIC).queue(2).v2() };
        table.broker(format!("from {language}"), request);
    }
    for (what, born) in [("0", 0), ("a negative time", -1), ("the future", 4_000_000_000_000)] {
        let send = Send::to(TOPIC).queue(2).with(|header| header.born_timestamp = born);
        table.broker(format!("born at {what}"), send.v2());
    }
    for (reconsume, unit) in [(5, false), (-1, true), (i32::MAX, true)] {
        let send = Send::to(TOPIC).queue(2).with(|header| {
            header.reconsume_times = Some(reconsume);
            header.unit_mode = Some(unit);
            header.born_timestamp = BORN + 1;
        });
        table.broker(format!("reconsumed {reconsume} times, unit mode {unit}"), send.v2());
    }
    let commented = RemotingCommand { remark: Some("a remark".to_owned()), ..Send::to(TOPIC).queue(2).v2() };
    table.broker("with a remark", commented);
}

/// The bits of the sys flag; those of IPv6 hosts are left out, because they corrupt Apache's queue.
fn bits(table: &mut Table) {
    for sys_flag in [0x1, 0x2, 0x3, 0x101, 0x301, 0x701, 0x4, 0x8, 0xC, 0x40, 0x80, 0x800, 0x4000_0000] {
        let send = Send::to(BITS).with(|header| header.sys_flag = sys_flag);
        table.broker(format!("with sys flag 0x{sys_flag:x}"), send.v2());
    }
}

/// Retry topics, and when a message becomes a dead letter.
pub(super) fn retries(table: &mut Table) {
    let topic = "%RETRY%twins-retry";
    for (times, most) in [
        (None, None),
        (Some(0), None),
        (Some(15), None),
        (Some(16), None),
        (Some(17), None),
        (Some(3), Some(3)),
        (Some(4), Some(3)),
        (Some(1), Some(0)),
        (Some(1), Some(-1)),
    ] {
        let send = Send::to(topic).with(|header| {
            header.reconsume_times = times;
            header.max_reconsume_times = most;
        });
        table.broker(format!("{times:?} times of {most:?}"), send.clone().v2());
        if most.is_some() {
            let old = RemotingCommand { version: Version(37), ..send.v2() };
            table.broker(format!("{times:?} times of {most:?} from an old client"), old);
        }
    }
    table.broker("to queue 1 of a retry topic", Send::to(topic).queue(1).v2());
    for (what, topic) in [
        ("no group", "%RETRY%".to_owned()),
        ("a dead letter topic", "%DLQ%twins-retry".to_owned()),
        ("an unknown dead letter topic", "%DLQ%twins-never".to_owned()),
        ("a group of 120 letters", format!("%RETRY%{}", "g".repeat(120))),
        ("a group of 121 letters", format!("%RETRY%{}", "g".repeat(121))),
        ("a group with a blank", "%RETRY%a b".to_owned()),
    ] {
        table.broker(format!("to {what}"), Send::to(&topic).v2());
    }
    let delayed = Send::to(topic).properties(&[("UNIQ_KEY", UNIQUE_KEY), (property::DELAY, "0")]);
    table.broker("with DELAY=0", delayed.v2());
}

/// Every record that the sends have left, field by field.
pub(super) fn stored(table: &mut Table) {
    let is_old = table.is_old();
    for queue in 0..4 {
        table
            .broker(format!("{TOPIC}, queue {queue}"), typed(&pull(TOPIC, queue, 0)))
            .until_records(if queue == 2 { 10 } else { 1 });
    }
    for offset in [0, 8, 16] {
        table
            .broker(format!("{ONE_QUEUE} from {offset}"), typed(&pull(ONE_QUEUE, 0, offset)))
            .until_records(1);
    }
    for offset in 0..4 {
        table
            .broker(format!("{UNEVEN}, queue 1, from {offset}"), typed(&pull(UNEVEN, 1, offset)))
            .until_records(1);
    }
    if is_old {
        table
            .broker(format!("{UNEVEN}, queue 1, the empty body"), typed(&pull(UNEVEN, 1, 4)))
            .until_records(1);
    }
    table.broker(format!("{TAGS}, all"), typed(&pull(TAGS, 0, 0))).until_records(4);
    for (topic, records) in [
        (BITS, 5),
        (READ_ONLY, 0),
        (WRITE_ONLY, 0),
        ("%RETRY%twins-retry", 4),
        ("%DLQ%twins-retry", 0),
        ("TBW102", 1),
        ("DefaultCluster", 1),
        ("twins-new-0", 1),
        ("twins-new-7", 1),
    ] {
        table.broker(format!("of {topic}"), typed(&pull(topic, 0, 0))).until_records(records);
    }
}
