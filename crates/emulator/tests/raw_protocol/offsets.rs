//! Offsets of queues and of groups.

use maxq_emulator::EmulatedVersion;
use maxq_protocol::{
    RemotingCommand,
    header::{
        BoundaryType, GetEarliestStoreTime, GetMaxOffset, GetMinOffset, QueryConsumerOffset, SearchOffset,
        UpdateConsumerOffset,
    },
};

use crate::support::{RawClient, Send, one_broker, pull, verdict};

fn max(topic: &str, queue_id: i32) -> RemotingCommand {
    RemotingCommand::request(&GetMaxOffset {
        topic: topic.into(),
        queue_id,
        committed: None,
        broker_name: None,
    })
}

fn min(topic: &str) -> RemotingCommand {
    RemotingCommand::request(&GetMinOffset { topic: topic.into(), queue_id: 0, broker_name: None })
}

fn query(queue_id: i32, set_zero_if_not_found: Option<bool>) -> RemotingCommand {
    RemotingCommand::request(&QueryConsumerOffset {
        consumer_group: "cg".into(),
        topic: "orders".into(),
        queue_id,
        set_zero_if_not_found,
        broker_name: None,
    })
}

fn update(group: &str, topic: &str, commit_offset: i64) -> RemotingCommand {
    RemotingCommand::request(&UpdateConsumerOffset {
        consumer_group: group.into(),
        topic: topic.into(),
        queue_id: 0,
        commit_offset,
        broker_name: None,
    })
}

#[tokio::test]
async fn unknown_queues_have_the_offsets_of_empty_ones() {
    for version in EmulatedVersion::ALL {
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        client.store(Send::to("orders")).await;
        client.store(Send::to("orders")).await;
        for (topic, queue, offset) in
            [("orders", 0, "2"), ("orders", 3, "0"), ("orders", -1, "0"), ("none", 0, "0")]
        {
            assert_eq!(client.call(max(topic, queue)).await.ext.get("offset"), Some(offset));
        }
        let answer = client.call(min("orders")).await;
        assert_eq!(answer.ext.get("offset"), Some("0"));
        // A success with an empty remark, as 5.x gives it.
        assert_eq!(answer.remark.as_deref(), (version == EmulatedVersion::V5_5_0).then_some(""));
        let earliest = |topic: &str| {
            RemotingCommand::request(&GetEarliestStoreTime {
                topic: topic.into(),
                queue_id: 0,
                broker_name: None,
            })
        };
        let stored_at = cluster.stored("orders")[0].record.store_timestamp.to_string();
        assert_eq!(client.call(earliest("orders")).await.ext.get("timestamp"), Some(stored_at.as_str()));
        assert_eq!(client.call(earliest("none")).await.ext.get("timestamp"), Some("-1"));
    }
}

#[tokio::test]
async fn a_search_by_time_ends_as_its_version_does() {
    for (version, future_lower, future_upper) in
        [(EmulatedVersion::V5_5_0, "3", "2"), (EmulatedVersion::V4_9_7, "2", "2")]
    {
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        for _ in 0..3 {
            client.store(Send::to("orders")).await;
        }
        let search = |topic: &str, timestamp, boundary_type| {
            RemotingCommand::request(&SearchOffset {
                topic: topic.into(),
                queue_id: 0,
                timestamp,
                boundary_type,
                broker_name: None,
            })
        };
        let far = 99_999_999_999_999;
        for (request, offset) in [
            (search("orders", 0, None), "0"),
            (search("orders", 0, Some(BoundaryType::Upper)), "0"),
            (search("orders", far, None), future_lower),
            (search("orders", far, Some(BoundaryType::Lower)), future_lower),
            (search("orders", far, Some(BoundaryType::Upper)), future_upper),
            (search("none", far, None), "0"),
        ] {
            assert_eq!(client.call(request).await.ext.get("offset"), Some(offset), "{version}");
        }
        let mut unknown = search("orders", far, None);
        unknown.ext.set("boundaryType", "SIDEWAYS");
        assert_eq!(client.call(unknown).await.ext.get("offset"), Some(future_lower));
    }
}

#[tokio::test]
async fn a_group_without_an_offset_starts_where_the_queue_starts() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    client.store(Send::to("orders")).await;
    assert_eq!(client.call(query(0, None)).await.ext.get("offset"), Some("0"));
    let answer = client.call(query(0, Some(false))).await;
    assert_eq!(verdict(&answer), (22, "Not found, do not set to zero, maybe this group boot first"));
    let answer = client.call(query(2, None)).await;
    assert_eq!(verdict(&answer), (22, "Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first"));

    let cluster = one_broker(EmulatedVersion::V4_9_7).await;
    let mut client = RawClient::to_broker(&cluster).await;
    for request in [query(0, None), query(0, Some(false)), query(77, None)] {
        assert_eq!(client.call(request).await.ext.get("offset"), Some("0"));
    }
}

#[tokio::test]
async fn commits_are_kept_whatever_they_say_and_checked_by_new_brokers() {
    for version in EmulatedVersion::ALL {
        let is_new = version == EmulatedVersion::V5_5_0;
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        client.store(Send::to("orders")).await;
        let answer = client.call(update("cg", "orders", 3)).await;
        if is_new {
            assert_eq!(verdict(&answer), (26, "Group cg not exist!"));
            client.call(RemotingCommand::request(&pull("orders", 0, 0))).await;
        }
        for offset in ["3", "1", "999"] {
            client.call(update("cg", "orders", offset.parse().unwrap())).await;
            assert_eq!(client.call(query(0, None)).await.ext.get("offset"), Some(offset));
        }
        let answer = client.call(update("cg", "none", 1)).await;
        assert_eq!(verdict(&answer), if is_new { (17, "Topic none not exist!") } else { (0, "<none>") });
        for (field, remark) in [
            ("commitOffset", "Offset is null, topic is orders"),
            ("queueId", "QueueId is null, topic is orders"),
        ] {
            let mut request = update("cg", "orders", 1);
            request.ext.remove(field);
            let answer = client.call(request).await;
            assert_eq!(answer.code, if is_new { 29 } else { 1 });
            assert_eq!(answer.remark.as_deref() == Some(remark), is_new);
        }
    }
}
