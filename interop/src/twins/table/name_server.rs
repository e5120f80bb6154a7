//! The name server: routes, lists and keys.

use maxq_protocol::{HeaderEncoding, RemotingCommand, RequestCode as Code, Version};

use super::{
    super::request::{coded, with},
    Table,
    topic::{TOPIC, UNEVEN},
};

/// Routes for old and new clients, and the lists.
pub(super) fn name_server(table: &mut Table) {
    let route = |topic: &str| coded(Code::GET_ROUTEINFO_BY_TOPIC, &[("topic", topic)]);
    for version in [0, 317, 400, 401, 479, 513, -1] {
        for json in ["true", "false", "yes", ""] {
            let request = with(&route(UNEVEN), "acceptStandardJsonOnly", json);
            let request = RemotingCommand { version: Version(version), ..request };
            table.name_server(format!("route for version {version}, standard `{json}`"), request);
        }
        let request = RemotingCommand { version: Version(version), ..route(TOPIC) };
        table.name_server(format!("route for version {version}"), request);
        let request =
            RemotingCommand { version: Version(version), ..coded(Code::GET_BROKER_CLUSTER_INFO, &[]) };
        table.name_server(format!("clusters for version {version}"), request);
    }
    for topic in [
        "twins-nobody",
        "",
        " ",
        "TBW102",
        "DefaultCluster",
        "broker-0",
        "SELF_TEST_TOPIC",
        "BenchmarkTest",
        "%RETRY%twins-retry",
        "%DLQ%twins-retry",
        "OFFSET_MOVED_EVENT",
        "SCHEDULE_TOPIC_XXXX",
        "RMQ_SYS_TRANS_HALF_TOPIC",
        "RMQ_SYS_TRANS_OP_HALF_TOPIC",
        "DefaultCluster_REPLY_TOPIC",
        "rmq_sys_wheel_timer",
        "twins-perm-0",
        "twins-perm-m1",
    ] {
        table.name_server(format!("route of `{topic}`"), route(topic));
    }
    table.name_server("route of no topic", coded(Code::GET_ROUTEINFO_BY_TOPIC, &[]));
    for (what, request) in [
        ("route", route(TOPIC)),
        ("route of nobody", route("twins-nobody")),
        ("clusters", coded(Code::GET_BROKER_CLUSTER_INFO, &[])),
        ("topics", coded(Code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, &[])),
        ("a key that is not there", coded(Code::GET_KV_CONFIG, &[("namespace", "n"), ("key", "k")])),
    ] {
        table.name_server(
            format!("{what}, in binary"),
            RemotingCommand { encoding: HeaderEncoding::Binary, ..request },
        );
    }
    table.name_server("all topics", coded(Code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, &[]));
    table.name_server("system topics", coded(Code::GET_SYSTEM_TOPIC_LIST_FROM_NS, &[]));
    for cluster in ["DefaultCluster", "no-cluster", ""] {
        table.name_server(
            format!("topics of `{cluster}`"),
            coded(Code::GET_TOPICS_BY_CLUSTER, &[("cluster", cluster)]),
        );
    }
    table.name_server("topics of no cluster", coded(Code::GET_TOPICS_BY_CLUSTER, &[]));
}

/// Keys by namespace.
pub(super) fn keys(table: &mut Table) {
    let pair = |code, namespace: &str, key: &str| coded(code, &[("namespace", namespace), ("key", key)]);
    table.name_server(
        "a namespace that is not there",
        coded(Code::GET_KVLIST_BY_NAMESPACE, &[("namespace", "twins")]),
    );
    table.name_server("a key that is not there", pair(Code::GET_KV_CONFIG, "twins", "one"));
    table.name_server("put", with(&pair(Code::PUT_KV_CONFIG, "twins", "one"), "value", "1 \u{e4}"));
    table.name_server("get", pair(Code::GET_KV_CONFIG, "twins", "one"));
    table.name_server("put again", with(&pair(Code::PUT_KV_CONFIG, "twins", "one"), "value", "2"));
    table.name_server("get again", pair(Code::GET_KV_CONFIG, "twins", "one"));
    table.name_server("another key of the namespace", pair(Code::GET_KV_CONFIG, "twins", "two"));
    table.name_server("list", coded(Code::GET_KVLIST_BY_NAMESPACE, &[("namespace", "twins")]));
    table.name_server("delete another key", pair(Code::DELETE_KV_CONFIG, "twins", "two"));
    table.name_server("delete", pair(Code::DELETE_KV_CONFIG, "twins", "one"));
    table.name_server("get the deleted key", pair(Code::GET_KV_CONFIG, "twins", "one"));
    table.name_server("list of nothing", coded(Code::GET_KVLIST_BY_NAMESPACE, &[("namespace", "twins")]));
    for (code, what) in [
        (Code::PUT_KV_CONFIG, "put"),
        (Code::GET_KV_CONFIG, "get"),
        (Code::DELETE_KV_CONFIG, "delete"),
        (Code::GET_KVLIST_BY_NAMESPACE, "list"),
    ] {
        table.name_server(format!("{what} nothing"), coded(code, &[]));
        table.name_server(format!("{what} without a key"), coded(code, &[("namespace", "twins")]));
        table.name_server(format!("{what} without a namespace"), coded(code, &[("key", "one")]));
    }
    table.name_server("put without a value", pair(Code::PUT_KV_CONFIG, "twins", "three"));
    table.name_server("get what has no value", pair(Code::GET_KV_CONFIG, "twins", "three"));
}
