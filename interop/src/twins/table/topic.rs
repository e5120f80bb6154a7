//! Topics: made, changed, counted and deleted (codes 17, 351, 202, 300, 208, 215).

use maxq_protocol::{RequestCode, header::CreateTopic};

use super::{
    super::request::{coded, create, typed, with, without},
    Table,
};

/// Four queues, for most of the table.
pub(super) const TOPIC: &str = "twins";
/// One queue: whoever lets the broker choose knows which it is.
pub(super) const ONE_QUEUE: &str = "twins-one";
pub(super) const BATCHES: &str = "twins-batches";
pub(super) const BITS: &str = "twins-bits";
pub(super) const TAGS: &str = "twins-tags";
pub(super) const READ_ONLY: &str = "twins-read-only";
pub(super) const WRITE_ONLY: &str = "twins-write-only";
/// More queues to write than to read.
pub(super) const UNEVEN: &str = "twins-uneven";
/// Nothing is ever sent to it.
pub(super) const EMPTY: &str = "twins-empty";

/// The topics of the table, and every way to make one that is refused or odd.
pub(super) fn topics(table: &mut Table) {
    for (topic, read, write, perm) in [
        (TOPIC, 4, 4, 6),
        (ONE_QUEUE, 1, 1, 6),
        (BATCHES, 4, 4, 6),
        (BITS, 1, 1, 6),
        (TAGS, 1, 1, 6),
        (READ_ONLY, 1, 1, 4),
        (WRITE_ONLY, 1, 1, 2),
        (UNEVEN, 2, 6, 6),
        (EMPTY, 2, 2, 6),
    ] {
        let header = CreateTopic { read_queue_nums: read, write_queue_nums: write, perm, ..create(topic) };
        table.broker(format!("make {topic}"), typed(&header));
        shown(table, topic);
    }
    numbers(table);
    words(table);
    names(table);
    let request = typed(&create("twins-fields"));
    for field in [
        "topic",
        "defaultTopic",
        "readQueueNums",
        "writeQueueNums",
        "perm",
        "topicFilterType",
        "topicSysFlag",
        "order",
    ] {
        table.broker(format!("make without {field}"), without(&request, field));
    }
    for field in ["readQueueNums", "writeQueueNums", "perm", "topicSysFlag", "order"] {
        table.broker(format!("make with {field}=x"), with(&request, field, "x"));
    }
    shown(table, "twins-fields");
    for topic in ["twins-nobody", "", "TBW102", "DefaultCluster", "broker-0", "SELF_TEST_TOPIC"] {
        config(table, topic, &format!("configuration of `{topic}`"));
    }
    table.broker("configuration without a topic", coded(RequestCode::GET_TOPIC_CONFIG, &[]));
}

fn numbers(table: &mut Table) {
    for perm in [0, 1, 3, 5, 7, 8, 14, -1] {
        let topic = format!("twins-perm{}{perm}", if perm < 0 { "-minus" } else { "-" });
        table.broker(
            format!("make with perm {perm}"),
            typed(&CreateTopic { perm, ..create(&topic.replace("minus-", "m")) }),
        );
    }
    for queues in [0, -1, 1, 100] {
        let topic = format!("twins-queues-{}", queues + 1);
        let header = CreateTopic { read_queue_nums: queues, write_queue_nums: queues, ..create(&topic) };
        table.broker(format!("make with {queues} queues"), typed(&header));
        shown(table, &topic);
    }
    for flag in [1, 2, 3] {
        let topic = format!("twins-flag-{flag}");
        table.broker(
            format!("make with topicSysFlag {flag}"),
            typed(&CreateTopic { topic_sys_flag: Some(flag), ..create(&topic) }),
        );
        shown(table, &topic);
    }
    let changed =
        CreateTopic { read_queue_nums: 6, write_queue_nums: 3, order: Some(true), ..create("twins-flag-1") };
    table.broker("change queues and order", typed(&changed));
    shown(table, "twins-flag-1");
}

fn words(table: &mut Table) {
    for filter in ["MULTI_TAG", "SINGLE_TAG", "single_tag", "NONSENSE", ""] {
        let topic = format!("twins-filter-{}", filter.len());
        let topic = if filter == "single_tag" { "twins-filter-small".to_owned() } else { topic };
        let header = CreateTopic { topic_filter_type: filter.to_owned(), ..create(&topic) };
        table.broker(format!("make with topicFilterType `{filter}`"), typed(&header));
        config(table, &topic, &format!("configuration after topicFilterType `{filter}`"));
    }
    for (number, attributes) in [
        "+message.type=FIFO",
        "+message.type=NORMAL,+queue.type=SimpleCQ",
        "+message.type=NONSENSE",
        "+cleanup.policy=DELETE",
        "+unknown.key=1",
        "message.type=FIFO",
        "+message.type",
        "-message.type",
        "",
        "+",
    ]
    .iter()
    .enumerate()
    {
        let topic = format!("twins-attributes-{number}");
        let header = CreateTopic { attributes: Some((*attributes).to_owned()), ..create(&topic) };
        table.broker(format!("make with attributes `{attributes}`"), typed(&header));
        config(table, &topic, &format!("configuration after attributes `{attributes}`"));
    }
    for attributes in ["-message.type", "+message.type=DELAY", "+message.type=FIFO,+message.type=FIFO"] {
        let header = CreateTopic { attributes: Some(attributes.to_owned()), ..create("twins-attributes-0") };
        table.broker(format!("change attributes `{attributes}`"), typed(&header));
        config(table, "twins-attributes-0", &format!("configuration after the change `{attributes}`"));
    }
}

fn names(table: &mut Table) {
    for (what, topic) in odd_names() {
        table.broker(format!("make {what}"), typed(&create(&topic)));
    }
    for topic in [
        "TBW102",
        "SELF_TEST_TOPIC",
        "SCHEDULE_TOPIC_XXXX",
        "RMQ_SYS_TRANS_HALF_TOPIC",
        "rmq_sys_twins",
        "DefaultCluster",
        "broker-0",
    ] {
        table.broker(format!("make the system topic {topic}"), typed(&create(topic)));
    }
}

/// Names at and beyond the limits, and what each is.
pub(super) fn odd_names() -> Vec<(&'static str, String)> {
    vec![
        ("a blank name", String::new()),
        ("a name of blanks", "  ".to_owned()),
        ("a name with a blank", "twins blank".to_owned()),
        ("a name with an umlaut", "twins-\u{e4}".to_owned()),
        ("a name with a dot", "twins.dot".to_owned()),
        ("a name with a bar", "twins|bar%percent".to_owned()),
        ("a name of 127 letters", "t".repeat(127)),
        ("a name of 128 letters", "t".repeat(128)),
        ("a name of 256 letters", "t".repeat(256)),
    ]
}

/// The configuration and the route.
fn shown(table: &mut Table, topic: &str) {
    config(table, topic, &format!("configuration of {topic}{}", table.steps.len()));
    let number = table.steps.len();
    table
        .name_server(
            format!("route of {topic}{number}"),
            coded(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", topic)]),
        )
        .until_code(0);
}

fn config(table: &mut Table, topic: &str, name: &str) {
    table.broker(name, coded(RequestCode::GET_TOPIC_CONFIG, &[("topic", topic)]));
}

/// What tools count.
pub(super) fn statistics(table: &mut Table) {
    for topic in [TOPIC, ONE_QUEUE, UNEVEN, EMPTY, "twins-nobody", "", "TBW102", "%RETRY%twins-retry"] {
        let field = [("topic", topic)];
        table.broker(format!("offsets of {topic}"), coded(RequestCode::GET_TOPIC_STATS_INFO, &field));
        table.broker(format!("groups of {topic}"), coded(RequestCode::QUERY_TOPIC_CONSUME_BY_WHO, &field));
    }
    table.broker("offsets without a topic", coded(RequestCode::GET_TOPIC_STATS_INFO, &[]));
    table.broker("groups without a topic", coded(RequestCode::QUERY_TOPIC_CONSUME_BY_WHO, &[]));
    for (what, fields) in [
        ("of a group", vec![("consumerGroup", "twins-reader")]),
        ("of a group and a topic", vec![("consumerGroup", "twins-reader"), ("topic", TOPIC)]),
        (
            "of a group and a topic that it has not read",
            vec![("consumerGroup", "twins-reader"), ("topic", EMPTY)],
        ),
        ("of a group and no topic", vec![("consumerGroup", "twins-reader"), ("topic", "twins-nobody")]),
        ("of an unknown group", vec![("consumerGroup", "twins-unknown-group")]),
    ] {
        table.broker(format!("progress {what}"), coded(RequestCode::GET_CONSUME_STATS, &fields));
    }
    table.broker("runtime information", coded(RequestCode::GET_BROKER_RUNTIME_INFO, &[])).keys();
}

/// Topics that go, and what is left of them.
pub(super) fn deletions(table: &mut Table) {
    for topic in ["twins-flag-2", "twins-nobody", "", "SELF_TEST_TOPIC", "TBW102", "rmq_sys_twins"] {
        table.broker(
            format!("delete `{topic}`"),
            coded(RequestCode::DELETE_TOPIC_IN_BROKER, &[("topic", topic)]),
        );
    }
    table.broker("delete without a topic", coded(RequestCode::DELETE_TOPIC_IN_BROKER, &[]));
    config(table, "twins-flag-2", "configuration of the deleted topic");
    // The name server keeps it until it is told, too.
    let route = coded(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "twins-flag-2")]);
    table.name_server("route of the deleted topic", route);
    let field = [("topic", "twins-flag-3")];
    table.name_server("forget a topic", coded(RequestCode::DELETE_TOPIC_IN_NAMESRV, &field));
    table.name_server("route of the forgotten topic", coded(RequestCode::GET_ROUTEINFO_BY_TOPIC, &field));
    let nobody = [("topic", "twins-nobody")];
    table.name_server("forget no topic", coded(RequestCode::DELETE_TOPIC_IN_NAMESRV, &nobody));
    let elsewhere = [("topic", "twins-flag-1"), ("clusterName", "no-cluster")];
    table
        .name_server("forget a topic of no cluster", coded(RequestCode::DELETE_TOPIC_IN_NAMESRV, &elsewhere));
    table.name_server("route of that topic", coded(RequestCode::GET_ROUTEINFO_BY_TOPIC, &elsewhere[..1]));
    table.name_server("forget without a topic", coded(RequestCode::DELETE_TOPIC_IN_NAMESRV, &[]));
}
