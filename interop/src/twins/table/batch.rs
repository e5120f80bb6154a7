//! Batches: codes 310 and 320 with the batch mark, and what is stored of them.

use maxq_protocol::message::property;

use super::{
    super::request::{Send, UNIQUE_KEY, pull, typed},
    Table,
    topic::{BATCHES, ONE_QUEUE, READ_ONLY},
};

/// Batches that are accepted and refused.
pub(super) fn batches(table: &mut Table) {
    let three: &[&[u8]] = &[b"one", b"two", b"three"];
    let child: &[(&str, &str)] = &[("UNIQ_KEY", "U000child"), ("TAGS", "a"), ("WAIT", "true")];
    for (what, bodies, pairs) in [
        ("one message", &three[..1], child),
        ("three messages", three, child),
        ("messages without properties", three, &[]),
        ("an empty message", &[b"".as_slice(), b"x"], child),
        ("no messages", &[], child),
    ] {
        let send = Send::to(BATCHES).batch(bodies, pairs);
        table.broker(format!("{what}, code 320"), send.clone().queue(0).code_320());
        table.broker(format!("{what}, code 310"), send.clone().queue(1).v2());
        table.broker(format!("{what}, code 10"), send.queue(2).v1());
    }
    marks(table, three, child);
    places(table, three, child);
    envelopes(table, three, child);
    broken(table, three, child);
    let large = vec![b'x'; 1 << 20];
    let four = Send::to(ONE_QUEUE).batch(&[large.as_slice(); 4], &[]);
    table.broker("more than 4 MiB in all", four.code_320());
    table.broker("almost 4 MiB in all", Send::to(ONE_QUEUE).batch(&[large.as_slice(); 3], &[]).code_320());
    table.oneway("one way", Send::to(BATCHES).queue(3).batch(three, child).code_320());
}

/// The mark decides, not the code.
fn marks(table: &mut Table, three: &[&[u8]], child: &[(&str, &str)]) {
    for (what, mark) in [("no mark", None), ("the mark false", Some(false))] {
        let send = Send::to(ONE_QUEUE).batch(three, child).with(|header| header.batch = mark);
        table.broker(format!("{what}, code 320"), send.code_320());
    }
    table.broker(
        "the mark on a plain body",
        Send::to(ONE_QUEUE).with(|header| header.batch = Some(true)).v2(),
    );
}

fn places(table: &mut Table, three: &[&[u8]], child: &[(&str, &str)]) {
    for (what, topic, queue) in [
        ("a queue that is not there", BATCHES, 9),
        ("a queue of the broker's choice", ONE_QUEUE, -1),
        ("a topic that cannot be written", READ_ONLY, 0),
        ("a new topic", "twins-batch-new", 0),
        ("a topic that nobody makes", "a b", 0),
        ("a retry topic", "%RETRY%twins-batch", 0),
        ("a system topic", "SELF_TEST_TOPIC", 0),
    ] {
        table.broker(format!("to {what}"), Send::to(topic).queue(queue).batch(three, child).code_320());
    }
    let long = format!("%RETRY%{}", "g".repeat(120));
    table.broker("to a retry topic of 127 letters", Send::to(&long).batch(three, child).code_320());
}

fn envelopes(table: &mut Table, three: &[&[u8]], child: &[(&str, &str)]) {
    for (what, pairs) in [
        ("no properties", vec![]),
        ("DELAY=1", vec![(property::DELAY, "1")]),
        ("DELAY=0", vec![(property::DELAY, "0")]),
        ("TRAN_MSG", vec![(property::TRANSACTION_PREPARED, "true")]),
        ("tag and keys", vec![("UNIQ_KEY", UNIQUE_KEY), ("TAGS", "envelope"), ("KEYS", "k")]),
        ("INNER_NUM", vec![("UNIQ_KEY", UNIQUE_KEY), ("INNER_NUM", "3")]),
    ] {
        let send = Send::to(BATCHES).queue(2).properties(&pairs).batch(three, child);
        table.broker(format!("an envelope with {what}"), send.code_320());
    }
    for sys_flag in [0x1, 0x2, 0x4, 0x8, 0xC] {
        let send = Send::to(BATCHES).queue(1).batch(three, child).with(|header| header.sys_flag = sys_flag);
        table.broker(format!("an envelope with sys flag 0x{sys_flag:x}"), send.code_320());
    }
    let flagged = Send::to(BATCHES).queue(1).batch(three, child).with(|header| {
        header.flag = 77;
        header.reconsume_times = Some(2);
    });
    table.broker("an envelope with a flag", flagged.code_320());
}

fn broken(table: &mut Table, three: &[&[u8]], child: &[(&str, &str)]) {
    let whole = Send::to(BATCHES).batch(three, child).code_320();
    let mut cut = |name: &str, change: fn(&mut Vec<u8>)| {
        let mut body = whole.body.to_vec();
        change(&mut body);
        let request = maxq_protocol::RemotingCommand { body: body.into(), ..whole.clone() };
        table.broker(name, request);
    };
    cut("an end in the middle of a message", |body| body.truncate(body.len() - 5));
    cut("an end in the middle of a length", |body| body.truncate(2));
    cut("a length of zero", |body| body[..4].fill(0));
    cut("a length beyond the end", |body| body[..4].fill(0x7f));
    cut("bytes behind the last message", |body| body.extend_from_slice(&[0; 3]));
}

/// Every record that the batches have left.
pub(super) fn stored(table: &mut Table) {
    for queue in 0..4 {
        table.broker(format!("{BATCHES}, queue {queue}"), typed(&pull(BATCHES, queue, 0))).until_records(3);
    }
    table.broker("the new topic", typed(&pull("twins-batch-new", 0, 0))).until_records(3);
    for offset in [24, 30, 33] {
        table.broker(format!("{ONE_QUEUE} from {offset}"), typed(&pull(ONE_QUEUE, 0, offset))).records();
    }
    table.broker("the retry topic", typed(&pull("%RETRY%twins-batch", 0, 0))).records();
}
