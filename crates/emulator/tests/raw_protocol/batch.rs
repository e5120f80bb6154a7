//! Batches: one request, several messages.

use maxq_emulator::{Cluster, EmulatedVersion};
use maxq_protocol::{
    RemotingCommand, ResponseCode,
    header::{SendBatchMessage, SendReply},
    message::batch::encode_entry,
};

use crate::support::{RawClient, Send, one_broker, properties, verdict};

fn entries(bodies: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (text, properties) in bodies {
        encode_entry(0, text.as_bytes(), properties, &mut body);
    }
    body
}

fn batch(topic: &str, body: Vec<u8>) -> RemotingCommand {
    batch_of(Send::to(topic).with(|header| header.batch = Some(true)).body(body))
}

fn batch_of(send: Send<'_>) -> RemotingCommand {
    RemotingCommand::request(&SendBatchMessage(send.header)).with_body(send.body)
}

#[tokio::test]
async fn every_entry_is_a_message_of_its_own() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let (one, two) = (properties(&[("UNIQ_KEY", "B1"), ("KEYS", "k")]), properties(&[("UNIQ_KEY", "B2")]));
    let answer = client.call(batch("orders", entries(&[("one", &one), ("two", &two), ("three", "")]))).await;
    let reply: SendReply = answer.header().unwrap();
    let stored = cluster.stored("orders");
    let ids: Vec<_> = stored.iter().map(|message| message.offset_id()).collect();
    assert_eq!(reply.message_id, ids.join(","));
    assert_eq!((reply.queue_offset, reply.transaction_id.as_deref()), (0, Some("U0")));
    let seen: Vec<_> = stored
        .iter()
        .map(|message| (message.queue_offset(), &message.body()[..], message.record.properties.as_str()))
        .collect();
    assert_eq!(seen, [(0, &b"one"[..], one.as_str()), (1, b"two", two.as_str()), (2, b"three", "")]);
}

#[tokio::test]
async fn with_an_old_broker_the_envelope_wins_over_the_entries() {
    let cluster = one_broker(EmulatedVersion::V4_9_7).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let own = "UNIQ_KEY\u{1}B1\u{2}a\u{1}b";
    client.call(batch("orders", entries(&[("one", own), ("two", "")]))).await;
    let stored = cluster.stored("orders");
    assert_eq!(
        stored[0].record.properties,
        format!("{own}\u{2}UNIQ_KEY\u{1}U0\u{2}CLUSTER\u{1}DefaultCluster")
    );
    assert_eq!((stored[0].unique_id(), stored[0].property("a")), (Some("U0"), Some("b")));
    assert_eq!(stored[1].record.properties, "UNIQ_KEY\u{1}U0\u{2}CLUSTER\u{1}DefaultCluster");
}

#[tokio::test]
async fn the_header_decides_what_is_a_batch_and_not_the_code() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let body = entries(&[("one", ""), ("two", "")]);
    client.call(batch_of(Send::to("single").body(body.clone()))).await;
    assert_eq!(&cluster.stored("single")[0].body()[..], body);
    client.store(Send::to("batch").with(|header| header.batch = Some(true)).body(body)).await;
    assert_eq!(cluster.stored_count("batch"), 2);
}

#[tokio::test]
async fn a_batch_is_stored_whole_or_not_at_all() {
    const ILLEGAL: &str = "the message is illegal, maybe msg body or properties length not matched. msg body length limit 4194304B, msg properties length limit 32KB.";
    for version in EmulatedVersion::ALL {
        let is_new = version == EmulatedVersion::V5_5_0;
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        let good = entries(&[("one", "")]);
        let mut garbage = entries(&[("one", "")]);
        garbage.extend_from_slice(b"garbage");
        for body in [vec![], b"ab".to_vec(), good[..good.len() - 1].to_vec(), garbage] {
            let answer = client.call(batch("orders", body)).await;
            assert_eq!((answer.response_code(), answer.ext.is_empty()), (ResponseCode::SYSTEM_ERROR, true));
        }
        let large = entries(&[(&"x".repeat(3 << 20), ""), (&"y".repeat(2 << 20), "")]);
        let answer = client.call(batch("orders", large)).await;
        if is_new {
            assert!(answer.remark.as_deref().unwrap().ends_with("message body size exceeded"), "{answer:?}");
        } else {
            assert_eq!(verdict(&answer), (13, ILLEGAL));
        }
        let delayed = Send::to("orders").properties(&[("DELAY", "3")]).body(good.clone());
        let half = Send::to("orders").with(|header| header.sys_flag = 4).body(good.clone());
        for send in [delayed, half] {
            let answer = client.call(batch_of(send.with(|header| header.batch = Some(true)))).await;
            assert_eq!(verdict(&answer), (13, ILLEGAL));
        }
        let answer = client.call(batch("%RETRY%g", good)).await;
        if is_new {
            assert_eq!(verdict(&answer), (13, "batch request does not support retry group %RETRY%g"));
        } else {
            assert_eq!(answer.response_code(), ResponseCode::SUCCESS);
        }
        assert_eq!(cluster.stored_count("orders"), 0);
    }
}

#[tokio::test]
async fn times_and_flags_of_the_envelope_are_those_of_every_message() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let mut body = Vec::new();
    encode_entry(9, b"nine", "", &mut body);
    let send = Send::to("orders").body(body).with(|header| {
        (header.batch, header.queue_id, header.flag, header.sys_flag) = (Some(true), 1, 7, 1);
        (header.reconsume_times, header.born_timestamp) = (Some(2), 123);
    });
    client.call(batch_of(send)).await;
    let record = &cluster.stored("orders")[0].record;
    assert_eq!((record.queue_id, record.flag, record.sys_flag.0), (1, 9, 1));
    assert_eq!((record.reconsume_times, record.born_timestamp), (2, 123));
}

#[tokio::test]
async fn many_small_entries_with_a_long_envelope_do_not_outgrow_the_store() {
    // 40,000 entries that would each get 30,000 bytes of properties: more than a gigabyte for one small request.
    let cluster = Cluster::builder().emulate("4.9.7").store_limit(1 << 20, u64::MAX).start().await.unwrap();
    let mut client = RawClient::to_broker(&cluster).await;
    let body = entries(&[("", ""); 40_000]);
    let long = "x".repeat(30_000);
    let send = Send::to("orders").properties(&[("p", &long)]).body(body);
    let answer = client.call(batch_of(send.with(|header| header.batch = Some(true)))).await;
    assert_eq!(answer.response_code(), ResponseCode::SERVICE_NOT_AVAILABLE);
    assert_eq!(cluster.stored_count("orders"), 0);
}
