//! Finding messages by id and by key.

use maxq_emulator::EmulatedVersion;
use maxq_protocol::{
    RemotingCommand,
    header::{GetBrokerClusterInfo, ViewMessageById},
    message::OffsetMessageId,
};

use crate::support::{RawClient, Send, messages, one_broker, verdict};

/// QUERY_MESSAGE has no header type: any request with these fields is one.
fn query(topic: &str, key: &str, max: i32, is_unique: bool) -> RemotingCommand {
    let mut request = RemotingCommand::request(&GetBrokerClusterInfo {});
    request.code = 12;
    for (name, value) in
        [("topic", topic), ("key", key), ("beginTimestamp", "0"), ("endTimestamp", "9223372036854775807")]
    {
        request.ext.set(name, value);
    }
    request.ext.set("maxNum", &max.to_string());
    request.ext.set("_UNIQUE_KEY_QUERY", if is_unique { "true" } else { "false" });
    request
}

fn view(offset: i64) -> RemotingCommand {
    RemotingCommand::request(&ViewMessageById { topic: None, offset })
}

#[tokio::test]
async fn a_message_is_found_at_the_place_its_id_names() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    client.store(Send::to("orders")).await;
    let reply = client.store(Send::to("orders").body("second")).await;
    let id: OffsetMessageId = reply.message_id.parse().unwrap();
    let answer = client.call(view(id.commit_log_offset)).await;
    assert_eq!(&messages(&answer)[0].body[..], b"second");
    for offset in [id.commit_log_offset + 1, 99_999_999_999, -1, i64::MIN] {
        let answer = client.call(view(offset)).await;
        assert_eq!(verdict(&answer), (1, format!("can not find message by the offset, {offset}").as_str()));
    }
}

#[tokio::test]
async fn messages_are_found_by_unique_key_and_by_each_of_their_keys() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    for n in 0..5 {
        let unique = format!("U-{n}");
        client
            .store(Send::to("orders").properties(&[("UNIQ_KEY", &unique), ("KEYS", "shared  other")]))
            .await;
    }
    let answer = client.call(query("orders", "U-3", 1, true)).await;
    assert_eq!(messages(&answer)[0].unique_id(), Some("U-3"));
    let last = cluster.stored("orders")[4].record.clone();
    assert_eq!(answer.ext.get("indexLastUpdatePhyoffset"), Some(last.commit_log_offset.to_string().as_str()));
    assert_eq!(answer.ext.get("indexLastUpdateTimestamp"), Some(last.store_timestamp.to_string().as_str()));
    // The newest, and the oldest of them first.
    for key in ["shared", "other"] {
        let found = messages(&client.call(query("orders", key, 2, false)).await);
        let ids: Vec<_> = found.iter().map(|message| message.unique_id().unwrap()).collect();
        assert_eq!(ids, ["U-3", "U-4"]);
    }
    for (topic, key) in [("orders", "nothing"), ("bills", "shared")] {
        let answer = client.call(query(topic, key, 32, false)).await;
        assert_eq!(verdict(&answer), (22, "can not find message, maybe time range not correct"));
        assert_eq!(answer.ext.get("indexLastUpdatePhyoffset"), Some("0"));
    }
}

#[tokio::test]
async fn a_query_without_its_numbers_is_an_exception() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let mut request = query("orders", "k", 1, false);
    request.ext.remove("maxNum");
    let answer = client.call(request).await;
    assert_eq!((answer.code, answer.ext.is_empty()), (1, true));
}
