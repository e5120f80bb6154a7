//! Sending: what is stored, and what the answer says.

use maxq_emulator::{Cluster, EmulatedVersion};
use maxq_protocol::{
    Flags, HeaderEncoding, RemotingCommand, RequestCode, ResponseCode,
    header::{GetMaxOffset, SendMessageV1, SendReply},
    message::{OffsetMessageId, SysFlag},
};

use crate::support::{RawClient, Send, one_broker, properties, route};

#[tokio::test]
async fn a_stored_message_is_what_was_sent_and_what_the_broker_adds() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let send = Send::to("orders")
        .properties(&[
            ("UNIQ_KEY", "U1"),
            ("TAGS", "TagA"),
            ("KEYS", "k1 k2"),
            ("WAIT", "true"),
            ("POP_CK", "x"),
        ])
        .with(|header| (header.queue_id, header.flag, header.sys_flag) = (3, 7, 0x101));
    let reply = client.store(send).await;
    assert_eq!((reply.queue_id, reply.queue_offset), (3, 0));
    assert_eq!((reply.region.as_deref(), reply.trace_on), (Some("DefaultRegion"), Some(true)));
    assert_eq!(reply.transaction_id.as_deref(), Some("U1"));

    let stored = cluster.stored("orders");
    let [message] = &stored[..] else { panic!("{stored:?}") };
    assert_eq!((message.broker.as_str(), message.topic(), message.queue_id()), ("broker-0", "orders", 3));
    assert_eq!(
        (&message.body()[..], message.unique_id(), message.tag()),
        (&b"hello"[..], Some("U1"), Some("TagA"))
    );
    assert_eq!(message.keys().collect::<Vec<_>>(), ["k1", "k2"]);
    assert_eq!((message.record.flag, message.record.sys_flag), (7, SysFlag(0x101)));
    assert_eq!(message.record.born_timestamp, 1_700_000_000_000);
    assert_eq!(message.offset_id(), reply.message_id);
    let names: Vec<_> = message.properties.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["UNIQ_KEY", "TAGS", "KEYS", "WAIT", "MSG_REGION", "TRACE_ON", "CLUSTER"]);
    assert!(message.record.properties.ends_with('\u{2}'));
}

#[tokio::test]
async fn an_old_broker_adds_the_cluster_only_and_drops_wait() {
    let cluster = one_broker(EmulatedVersion::V4_9_7).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let reply = client.store(Send::to("orders").properties(&[("UNIQ_KEY", "U1"), ("WAIT", "true")])).await;
    assert_eq!(reply.transaction_id, None);
    let stored = cluster.stored("orders");
    assert_eq!(stored[0].record.properties, "UNIQ_KEY\u{1}U1\u{2}CLUSTER\u{1}DefaultCluster");
}

#[tokio::test]
async fn a_missing_unique_key_is_made_by_a_new_broker() {
    for version in EmulatedVersion::ALL {
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        let reply = client.store(Send::to("orders").properties(&[])).await;
        let stored = cluster.stored("orders");
        assert_eq!(reply.transaction_id.as_deref(), stored[0].unique_id());
        assert_eq!(stored[0].unique_id().map(str::len), (version == EmulatedVersion::V5_5_0).then_some(32));
    }
}

#[tokio::test]
async fn message_ids_name_the_broker_and_the_place_in_its_log() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let ids: Vec<OffsetMessageId> = [
        client.store(Send::to("orders")).await.message_id,
        client.store(Send::to("orders")).await.message_id,
        client.store(Send::to("bills")).await.message_id,
    ]
    .iter()
    .map(|id| id.parse().unwrap())
    .collect();
    assert!(ids.iter().all(|id| id.store_host == cluster.broker(0).address()));
    let lengths: Vec<_> =
        cluster.stored("orders").iter().map(|stored| stored.record.encoded_len() as i64).collect();
    let offsets: Vec<_> = ids.iter().map(|id| id.commit_log_offset).collect();
    assert_eq!(offsets, [0, lengths[0], lengths[0] + lengths[1]]);
}

#[tokio::test]
async fn long_field_names_and_both_header_encodings_are_read() {
    for version in EmulatedVersion::ALL {
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        for encoding in [HeaderEncoding::Json, HeaderEncoding::Binary] {
            let send = Send::to("orders");
            let mut request =
                RemotingCommand::request(&SendMessageV1(send.header.clone())).with_body(send.body.clone());
            request.encoding = encoding;
            let answer = client.call(request).await;
            assert_eq!(answer.response_code(), ResponseCode::SUCCESS);
            // 5.x answers in JSON, 4.9 as it was asked.
            let mirrored = version == EmulatedVersion::V4_9_7;
            assert_eq!(answer.encoding, if mirrored { encoding } else { HeaderEncoding::Json });
        }
        assert_eq!(cluster.stored_count("orders"), 2);
    }
}

#[tokio::test]
async fn a_oneway_send_is_stored_and_never_answered() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let mut oneway = Send::to("orders").request();
    oneway.flags = Flags::ONEWAY;
    client.post(oneway.clone()).await;
    // One that is refused is not answered either.
    oneway.ext.set("b", "not/a/topic");
    client.post(oneway).await;
    let max = GetMaxOffset { topic: "orders".into(), queue_id: 0, committed: None, broker_name: None };
    // `call` sees that the first answer is the one to this request.
    let answer = client.call(RemotingCommand::request(&max)).await;
    assert_eq!(answer.ext.get("offset"), Some("1"));
    let requests = cluster.requests();
    let oneways: Vec<_> = requests.iter().map(|request| (request.code, request.is_oneway)).collect();
    assert_eq!(
        oneways,
        [
            (RequestCode::SEND_MESSAGE_V2, true),
            (RequestCode::SEND_MESSAGE_V2, true),
            (RequestCode::GET_MAX_OFFSET, false)
        ]
    );
}

#[tokio::test]
async fn a_negative_queue_leaves_the_choice_to_the_broker() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let mut used = std::collections::BTreeSet::new();
    for _ in 0..64 {
        let reply = client.store(Send::to("orders").with(|header| header.queue_id = -1)).await;
        used.insert(reply.queue_id);
    }
    assert_eq!(used.into_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[tokio::test]
async fn an_unknown_topic_gets_the_fewer_queues_of_client_and_template() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    for (topic, template, wanted, queues) in [
        ("a", "TBW102", 4, 4),
        ("b", "TBW102", 16, 8),
        ("c", "DefaultCluster", 32, 16),
        ("d", "broker-0", 4, 1),
    ] {
        let send = Send::to(topic).with(|header| {
            header.default_topic = template.into();
            header.default_topic_queue_nums = wanted;
        });
        client.store(send).await;
        // The route is there as soon as the answer is.
        let made = &route(&cluster, topic).await.unwrap().queue_datas[0];
        assert_eq!((made.read_queue_nums, made.write_queue_nums, made.perm), (queues, queues, 6), "{topic}");
    }
    let unit = Send::to("unit").with(|header| header.unit_mode = Some(true));
    client.store(unit).await;
    assert_eq!(route(&cluster, "unit").await.unwrap().queue_datas[0].topic_sys_flag, 1);
}

#[tokio::test]
async fn a_topic_made_with_no_queues_stays_and_the_send_is_refused() {
    for (version, code) in [(EmulatedVersion::V5_5_0, 29), (EmulatedVersion::V4_9_7, 1)] {
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        for (topic, wanted) in [("none", 0), ("minus", -1)] {
            let send = Send::to(topic).with(|header| header.default_topic_queue_nums = wanted);
            assert_eq!(client.call(send.request()).await.code, code);
            assert_eq!(route(&cluster, topic).await.unwrap().queue_datas[0].write_queue_nums, 0);
        }
    }
}

#[tokio::test]
async fn without_automatic_creation_only_seeded_topics_are_there() {
    let cluster = Cluster::builder().auto_create_topics(false).topic("seeded", 2).start().await.unwrap();
    let mut client = RawClient::to_broker(&cluster).await;
    client.store(Send::to("seeded")).await;
    assert_eq!(client.call(Send::to("other").request()).await.response_code(), ResponseCode::TOPIC_NOT_EXIST);
    assert_eq!(route(&cluster, "TBW102").await, None);
    assert_eq!(route(&cluster, "seeded").await.unwrap().queue_datas[0].write_queue_nums, 2);
    // A retry topic has its own rule.
    client.store(Send::to("%RETRY%g")).await;
    assert_eq!(route(&cluster, "%RETRY%g").await.unwrap().queue_datas[0].write_queue_nums, 1);
}

#[tokio::test]
async fn messages_that_were_tried_too_often_become_dead_letters() {
    for version in EmulatedVersion::ALL {
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        // (tried, allowed by the client, buried by 5.5.0, buried by 4.9.7)
        for (tried, allowed, new, old) in [
            (1, None, false, false),
            (16, None, false, true),
            (17, None, true, true),
            (2, Some(2), false, true),
            (3, Some(2), true, true),
        ] {
            let before = cluster.stored_count("%DLQ%g");
            let send = Send::to("%RETRY%g").with(|header| {
                header.reconsume_times = Some(tried);
                header.max_reconsume_times = allowed;
            });
            client.store(send).await;
            let buried = if version == EmulatedVersion::V5_5_0 { new } else { old };
            assert_eq!(
                cluster.stored_count("%DLQ%g") - before,
                u64::from(buried),
                "{version}: {tried} of {allowed:?}"
            );
        }
        assert_eq!(route(&cluster, "%DLQ%g").await.unwrap().queue_datas[0].write_queue_nums, 1);
        let marked = cluster.stored("%DLQ%g")[0].property("DELAY") == Some("-1");
        assert_eq!(marked, version == EmulatedVersion::V5_5_0);
    }
}

#[tokio::test]
async fn the_write_permission_of_a_topic_is_not_checked() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let mut create = crate::topics::create("readonly");
    create.perm = 4;
    client.call(RemotingCommand::request(&create)).await;
    client.store(Send::to("readonly")).await;
}

#[tokio::test]
async fn half_broken_transaction_bits_are_accepted_and_never_visible() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    for bits in [4, 12] {
        let reply = client.store(Send::to("orders").with(|header| header.sys_flag = bits)).await;
        assert_eq!(reply.queue_offset, 0);
    }
    assert_eq!(cluster.stored_count("orders"), 0);
    let committed = client.store(Send::to("orders").with(|header| header.sys_flag = 8)).await;
    assert_eq!((committed.queue_offset, cluster.stored_count("orders")), (0, 1));
}

#[tokio::test]
async fn strange_properties_are_read_as_java_reads_them() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let text = "UNIQ_KEY\u{1}U2\u{2}junk\u{2}a\u{1}\u{2}x\u{1}y\u{2}x\u{1}z\u{2}TRACE_ON\u{1}false\u{2}CLUSTER\u{1}mine";
    client.store(Send::to("orders").with(|header| header.properties = text.into())).await;
    let stored = cluster.stored("orders");
    assert_eq!(stored[0].property("x"), Some("z"));
    assert_eq!(stored[0].property("a"), None);
    assert_eq!(
        (stored[0].property("TRACE_ON"), stored[0].property("CLUSTER")),
        (Some("true"), Some("DefaultCluster"))
    );
}

#[tokio::test]
async fn fields_that_running_brokers_do_without_may_be_missing() {
    for version in EmulatedVersion::ALL {
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        client.store(Send::to("orders")).await;
        for (field, code) in
            [("a", 0), ("c", 0), ("d", 0), ("i", 0), ("b", 1), ("e", 1), ("f", 1), ("g", 1), ("h", 1)]
        {
            let mut request = Send::to("orders").request();
            request.ext.remove(field);
            let answer = client.call(request).await;
            assert_eq!(answer.code, code, "{version} without {field}: {:?}", answer.remark);
            let is_exception = code != 0 && !(field == "b" && version == EmulatedVersion::V4_9_7);
            assert_eq!(answer.ext.is_empty(), is_exception, "{version} without {field}");
        }
        let mut request = Send::to("orders").request();
        request.ext.set("e", "zz");
        let answer = client.call(request).await;
        assert_eq!((answer.code, answer.ext.is_empty()), (1, true));
    }
}

#[tokio::test]
async fn the_largest_message_is_stored() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let reply: SendReply = client.store(Send::to("orders").body(vec![7; 4 << 20])).await;
    assert_eq!(reply.queue_offset, 0);
    assert_eq!(cluster.stored("orders")[0].body().len(), 4 << 20);
    // The properties of the broker count too: 18 bytes of CLUSTER are the shortest of them.
    let long = properties(&[("UNIQ_KEY", "U1"), ("p", &"x".repeat(32_600))]);
    client.store(Send::to("orders").with(|header| header.properties = long.into())).await;
}
