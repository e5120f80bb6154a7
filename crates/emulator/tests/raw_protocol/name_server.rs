//! The name server: routes, cluster info, topic lists, keys.

use maxq_emulator::{Cluster, EmulatedVersion};
use maxq_protocol::{
    HeaderEncoding, RemotingCommand, RequestCode, Version,
    body::{ClusterInfo, TopicList, from_json},
    header::{GetBrokerClusterInfo, GetRouteInfo, GetTopicList},
};

use crate::{
    support::{RawClient, one_broker, verdict},
    topics::plain,
};

fn route(topic: &str, version: Version, accept_standard_json_only: Option<bool>) -> RemotingCommand {
    let mut request =
        RemotingCommand::request(&GetRouteInfo { topic: topic.into(), accept_standard_json_only });
    request.version = version;
    request
}

#[tokio::test]
async fn a_route_is_written_as_the_client_can_read_it() {
    for version in EmulatedVersion::ALL {
        let cluster = one_broker(version).await;
        cluster.create_topic("orders", 4).unwrap();
        let mut client = RawClient::to_name_server(&cluster).await;
        let acting = if version == EmulatedVersion::V5_5_0 { r#","enableActingMaster":false"# } else { "" };
        let address = cluster.broker(0).address();
        let expected = |id: &str| {
            format!(
                r#"{{"brokerDatas":[{{"brokerAddrs":{{{id}:"{address}"}},"brokerName":"broker-0","cluster":"DefaultCluster"{acting}}}],"filterServerTable":{{}},"queueDatas":[{{"brokerName":"broker-0","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}}]}}"#
            )
        };
        for (client_version, flag, id) in [
            (Version(479), None, "\"0\""),
            (Version(401), None, "\"0\""),
            (Version(400), None, "0"),
            (Version(400), Some(false), "0"),
            (Version(400), Some(true), "\"0\""),
            (Version(317), None, "0"),
        ] {
            let answer = client.call(route("orders", client_version, flag)).await;
            assert_eq!(answer.body, expected(id), "{client_version} {flag:?}");
        }
        let answer = client.call(plain(RequestCode::GET_BROKER_CLUSTER_INFO, &[])).await;
        let expected = format!(
            r#"{{"brokerAddrTable":{{"broker-0":{{"brokerAddrs":{{0:"{address}"}},"brokerName":"broker-0","cluster":"DefaultCluster"{acting}}}}},"clusterAddrTable":{{"DefaultCluster":["broker-0"]}}}}"#
        );
        assert_eq!(answer.body, expected);
    }
}

#[tokio::test]
async fn an_unknown_topic_has_no_route() {
    for (version, faq) in [
        (EmulatedVersion::V5_5_0, "https://rocketmq.apache.org/docs/bestPractice/06FAQ"),
        (EmulatedVersion::V4_9_7, "http://rocketmq.apache.org/docs/faq/"),
    ] {
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_name_server(&cluster).await;
        let answer = client.call(route("none", Version::OURS, None)).await;
        let remark =
            format!("No topic route info in name server for the topic: none\nSee {faq} for further details.");
        assert_eq!(verdict(&answer), (17, remark.as_str()));
    }
}

#[tokio::test]
async fn the_topics_of_a_fresh_broker_are_those_of_apache() {
    const BOTH: [&str; 9] = [
        "BenchmarkTest",
        "DefaultCluster",
        "DefaultCluster_REPLY_TOPIC",
        "OFFSET_MOVED_EVENT",
        "RMQ_SYS_TRACE_TOPIC",
        "RMQ_SYS_TRANS_HALF_TOPIC",
        "SCHEDULE_TOPIC_XXXX",
        "SELF_TEST_TOPIC",
        "TBW102",
    ];
    const NEW: [&str; 6] = [
        "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC",
        "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC",
        "RMQ_SYS_TRANS_OP_HALF_TOPIC",
        "rmq_sys_REVIVE_LOG_DefaultCluster",
        "rmq_sys_SYNC_BROKER_MEMBER_broker-0",
        "rmq_sys_wheel_timer",
    ];
    for version in EmulatedVersion::ALL {
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_name_server(&cluster).await;
        let answer = client.call(RemotingCommand::request(&GetTopicList {})).await;
        let list = from_json::<TopicList>(&answer.body).unwrap().topic_list;
        let mut expected: Vec<_> = BOTH.into_iter().chain(["broker-0"]).collect();
        if version == EmulatedVersion::V5_5_0 {
            expected.extend(NEW);
        }
        expected.sort_unstable();
        assert_eq!(list, expected);
        for (topic, queues, perm) in
            [("TBW102", 8, 7), ("DefaultCluster", 16, 7), ("broker-0", 1, 7), ("BenchmarkTest", 1024, 6)]
        {
            let route = crate::support::route(&cluster, topic).await.unwrap();
            assert_eq!((route.queue_datas[0].write_queue_nums, route.queue_datas[0].perm), (queues, perm));
        }
    }
}

#[tokio::test]
async fn cluster_info_names_every_broker() {
    let cluster = Cluster::builder().brokers(3).cluster_name("shop").start().await.unwrap();
    let mut client = RawClient::to_name_server(&cluster).await;
    let answer = client.call(RemotingCommand::request(&GetBrokerClusterInfo {})).await;
    let info: ClusterInfo = from_json(&answer.body).unwrap();
    let names: Vec<_> = info.cluster_addr_table["shop"].iter().map(String::as_str).collect();
    assert_eq!(names, ["broker-0", "broker-1", "broker-2"]);
    for index in 0..3 {
        let broker = cluster.broker(index);
        assert_eq!(info.broker_addr_table[broker.name()].broker_addrs[&0], broker.address().to_string());
    }
    let answer = client.call(plain(RequestCode::GET_TOPICS_BY_CLUSTER, &[("cluster", "other")])).await;
    assert_eq!(answer.body, r#"{"topicList":[]}"#);
    let answer = client.call(plain(RequestCode::GET_SYSTEM_TOPIC_LIST_FROM_NS, &[])).await;
    let list: TopicList = from_json(&answer.body).unwrap();
    assert_eq!(list.topic_list, ["shop", "broker-0", "broker-1", "broker-2"]);
    assert!(list.broker_addr.is_some());
}

#[tokio::test]
async fn keys_are_kept_in_namespaces() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_name_server(&cluster).await;
    let key = [("namespace", "n"), ("key", "k")];
    let get = plain(RequestCode::GET_KV_CONFIG, &key);
    let answer = client.call(get.clone()).await;
    assert_eq!(verdict(&answer), (22, "No config item, Namespace: n Key: k"));
    client.call(plain(RequestCode::PUT_KV_CONFIG, &[("namespace", "n"), ("key", "k"), ("value", "v")])).await;
    assert_eq!(client.call(get.clone()).await.ext.get("value"), Some("v"));
    let list = plain(RequestCode::GET_KVLIST_BY_NAMESPACE, &[("namespace", "n")]);
    assert_eq!(client.call(list.clone()).await.body, r#"{"table":{"k":"v"}}"#);
    client.call(plain(RequestCode::DELETE_KV_CONFIG, &key)).await;
    assert_eq!(client.call(get).await.code, 22);
    // A namespace stays when its last key goes.
    assert_eq!(client.call(list).await.body, r#"{"table":{}}"#);
    let nowhere = plain(RequestCode::GET_KVLIST_BY_NAMESPACE, &[("namespace", "nowhere")]);
    assert_eq!(verdict(&client.call(nowhere).await), (22, "No config item, Namespace: nowhere"));
    let answer = client.call(plain(RequestCode::PUT_KV_CONFIG, &[("namespace", "n")])).await;
    assert_eq!(verdict(&answer), (1, "namespace or key is null"));
}

#[tokio::test]
async fn an_old_name_server_is_silent_about_what_it_does_not_know() {
    for version in EmulatedVersion::ALL {
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_name_server(&cluster).await;
        let unknown = client.post(plain(RequestCode(9999), &[])).await;
        let known = client.post(plain(RequestCode::GET_BROKER_CLUSTER_INFO, &[])).await;
        let first = client.next().await.unwrap();
        if version == EmulatedVersion::V5_5_0 {
            assert_eq!((first.opaque, verdict(&first)), (unknown, (3, " request type 9999 not supported")));
        } else {
            assert_eq!(first.opaque, known);
        }
    }
}

#[tokio::test]
async fn answers_say_which_version_they_come_from() {
    for (version, number) in [(EmulatedVersion::V5_5_0, 513), (EmulatedVersion::V4_9_7, 407)] {
        let cluster = one_broker(version).await;
        let mut client = RawClient::to_name_server(&cluster).await;
        let mut request = route("TBW102", Version::OURS, None);
        request.encoding = HeaderEncoding::Binary;
        let answer = client.call(request).await;
        assert_eq!((answer.version, answer.language.name()), (Version(number), Some("JAVA")));
        assert_eq!(answer.encoding == HeaderEncoding::Binary, version == EmulatedVersion::V4_9_7);
    }
}
