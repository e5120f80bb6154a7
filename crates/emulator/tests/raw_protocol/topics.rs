//! Topics: making, changing, deleting, and what tools ask of a broker.

use std::collections::BTreeMap;

use maxq_emulator::{Cluster, EmulatedVersion};
use maxq_protocol::{
    RemotingCommand, RequestCode, ResponseCode,
    body::{KvTable, TopicConfig, from_json},
    header::{CreateTopic, GetBrokerClusterInfo},
};

use crate::support::{RawClient, Send, one_broker, pull, route, verdict};

pub(crate) fn create(topic: &str) -> CreateTopic {
    CreateTopic {
        topic: topic.into(),
        default_topic: "TBW102".into(),
        read_queue_nums: 3,
        write_queue_nums: 2,
        perm: 6,
        topic_filter_type: "SINGLE_TAG".into(),
        topic_sys_flag: Some(0),
        order: Some(false),
        attributes: None,
        force: None,
    }
}

/// A request without a header type.
pub(crate) fn plain(code: RequestCode, fields: &[(&str, &str)]) -> RemotingCommand {
    let mut request = RemotingCommand::request(&GetBrokerClusterInfo {});
    request.code = code.0;
    for (name, value) in fields {
        request.ext.set(name, value);
    }
    request
}

#[tokio::test]
async fn a_topic_is_made_changed_and_deleted() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let mut header = create("orders");
    let answer = client.call(RemotingCommand::request(&header)).await;
    // A success with a remark: never judge by the remark.
    assert_eq!(verdict(&answer), (0, "not set any response code"));
    let queues = route(&cluster, "orders").await.unwrap().queue_datas.remove(0);
    assert_eq!((queues.read_queue_nums, queues.write_queue_nums, queues.perm), (3, 2, 6));

    (header.write_queue_nums, header.perm, header.order) = (5, 4, Some(true));
    header.attributes = Some("+message.type=FIFO".into());
    client.call(RemotingCommand::request(&header)).await;
    let answer =
        client.call(plain(RequestCode::GET_TOPIC_CONFIG, &[("topic", "orders"), ("lo", "true")])).await;
    let config: TopicConfig = from_json(&answer.body).unwrap();
    assert_eq!((config.write_queue_nums, config.perm, config.order), (5, 4, true));
    assert_eq!(config.attributes, BTreeMap::from([("message.type".into(), "FIFO".into())]));

    client.call(plain(RequestCode::DELETE_TOPIC_IN_BROKER, &[("topic", "orders")])).await;
    let answer = client.call(plain(RequestCode::GET_TOPIC_CONFIG, &[("topic", "orders")])).await;
    assert_eq!(verdict(&answer), (17, "No topic in this broker. topic: orders"));
    // The name server is told separately.
    assert!(route(&cluster, "orders").await.is_some());
    let mut name_server = RawClient::to_name_server(&cluster).await;
    name_server.call(plain(RequestCode::DELETE_TOPIC_IN_NAMESRV, &[("topic", "orders")])).await;
    assert_eq!(route(&cluster, "orders").await, None);
}

#[tokio::test]
async fn names_that_may_not_be_are_refused() {
    for version in EmulatedVersion::ALL {
        let is_new = version == EmulatedVersion::V5_5_0;
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        for topic in [
            "TBW102",
            "SCHEDULE_TOPIC_XXXX",
            "rmq_sys_foo",
            "DefaultCluster",
            "broker-0",
            "DefaultCluster_REPLY_TOPIC",
        ] {
            let answer = client.call(RemotingCommand::request(&create(topic))).await;
            let remark = format!("The topic[{topic}] is conflict with system topic.");
            assert_eq!(verdict(&answer), (if is_new { 29 } else { 1 }, remark.as_str()));
        }
        let answer = client.call(RemotingCommand::request(&create("a b"))).await;
        assert_eq!(answer.code, if is_new { 29 } else { 1 });
        let mut header = create("filter");
        header.topic_filter_type = "FOO".into();
        assert_eq!(client.call(RemotingCommand::request(&header)).await.code, 1);
        let mut header = create("attributes");
        header.attributes = Some("+message.type=MIXED".into());
        assert_eq!(client.call(RemotingCommand::request(&header)).await.code, if is_new { 29 } else { 0 });
        for answer in [
            client.call(plain(RequestCode::DELETE_TOPIC_IN_BROKER, &[("topic", "TBW102")])).await,
            client.call(plain(RequestCode::DELETE_TOPIC_IN_BROKER, &[])).await,
        ] {
            assert_eq!(answer.code, if is_new { 29 } else { 1 });
        }
    }
}

#[tokio::test]
async fn a_topic_of_the_test_is_on_every_broker() {
    let cluster = Cluster::builder().brokers(2).topic("seeded", 3).start().await.unwrap();
    cluster.create_topic("later", 1).unwrap();
    assert!(cluster.create_topic("not/a/topic", 1).is_err());
    for (topic, queues) in [("seeded", 3), ("later", 1)] {
        let route = route(&cluster, topic).await.unwrap();
        let found: Vec<_> = route
            .queue_datas
            .iter()
            .map(|queue| (queue.broker_name.as_str(), queue.write_queue_nums))
            .collect();
        assert_eq!(found, [("broker-0", queues), ("broker-1", queues)]);
    }
}

#[tokio::test]
async fn runtime_information_has_every_key_that_cluster_list_reads() {
    for version in EmulatedVersion::ALL {
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_broker(&cluster).await;
        client.store(Send::to("orders")).await;
        let answer = client.call(plain(RequestCode::GET_BROKER_RUNTIME_INFO, &[])).await;
        let table = from_json::<KvTable>(&answer.body).unwrap().table;
        let description = format!("V{}", version.name().replace('.', "_"));
        assert_eq!(table["brokerVersionDesc"], description);
        assert_eq!(
            (table["putMessageTimesTotal"].as_str(), table["msgPutTotalTodayNow"].as_str()),
            ("1", "1")
        );
        for key in ["putTps", "getTransferredTps", "getTransferedTps"] {
            assert_eq!(table[key].split(' ').count(), 3, "{key}");
        }
        for key in [
            "sendThreadPoolQueueSize",
            "pullThreadPoolQueueSize",
            "ackThreadPoolQueueSize",
            "sendThreadPoolQueueHeadWaitTimeMills",
            "pullThreadPoolQueueHeadWaitTimeMills",
            "ackThreadPoolQueueHeadWaitTimeMills",
            "pageCacheLockTimeMills",
            "earliestMessageTimeStamp",
            "commitLogDiskRatio",
            "timerReadBehind",
            "timerOffsetBehind",
            "timerCongestNum",
            "timerEnqueueTps",
            "timerDequeueTps",
            "brokerActive",
            "msgPutTotalYesterdayMorning",
            "msgPutTotalTodayMorning",
            "msgGetTotalYesterdayMorning",
            "msgGetTotalTodayMorning",
            "msgGetTotalTodayNow",
        ] {
            assert!(table.contains_key(key), "{key}");
        }
    }
}

#[tokio::test]
async fn statistics_have_objects_as_keys() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    cluster.create_topic("orders", 1).unwrap();
    client.store(Send::to("orders")).await;
    let stored_at = cluster.stored("orders")[0].record.store_timestamp;
    let answer = client.call(plain(RequestCode::GET_TOPIC_STATS_INFO, &[("topic", "orders")])).await;
    let key = r#"{"brokerName":"broker-0","queueId":0,"topic":"orders"}"#;
    let expected = format!(
        r#"{{"offsetTable":{{{key}:{{"lastUpdateTimestamp":{stored_at},"maxOffset":1,"minOffset":0}}}},"topicPutTps":0.0}}"#
    );
    assert_eq!(answer.body, expected);
    let mut header = pull("orders", 0, 0);
    (header.sys_flag, header.commit_offset) = (5, Some(1));
    client.call(RemotingCommand::request(&header)).await;
    let answer = client.call(plain(RequestCode::GET_CONSUME_STATS, &[("consumerGroup", "cg")])).await;
    let expected = format!(
        r#"{{"consumeTps":0.0,"offsetTable":{{{key}:{{"brokerOffset":1,"consumerOffset":1,"lastTimestamp":{stored_at},"pullOffset":1}}}}}}"#
    );
    assert_eq!(answer.body, expected);
    let answer = client.call(plain(RequestCode::QUERY_TOPIC_CONSUME_BY_WHO, &[("topic", "orders")])).await;
    assert_eq!(answer.body, r#"{"groupList":["cg"]}"#);
    let answer = client.call(plain(RequestCode::GET_TOPIC_STATS_INFO, &[("topic", "none")])).await;
    assert_eq!(verdict(&answer), (17, "topic[none] not exist"));
}

#[tokio::test]
async fn what_is_not_emulated_says_so() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let answer = client.call(plain(RequestCode::END_TRANSACTION, &[])).await;
    assert_eq!(answer.response_code(), ResponseCode::REQUEST_CODE_NOT_SUPPORTED);
    let remark = " request type 37 not supported: END_TRANSACTION is not emulated yet";
    assert_eq!(answer.remark.as_deref(), Some(remark));
    let answer = client.call(plain(RequestCode(9999), &[])).await;
    assert_eq!(verdict(&answer), (3, " request type 9999 not supported"));
}
