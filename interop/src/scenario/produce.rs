//! The command line against Apache's servers.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use super::{
    admin,
    readers::{Lookup, all_see, find},
};
use crate::{
    apache::{Broker, CLUSTER},
    clock, expect,
    maxq::{BrokerOfCluster, Cluster, Maxq, Receipt, RouteOfBroker, Way},
    message::{Sample, Seen},
    stage::Stage,
};

/// `topic create`, `topic list`, `route` and `cluster` agree with `mqadmin`.
pub(super) fn names(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-maxq-names";
    let maxq = maxq(stage)?;
    maxq.topic_create(TOPIC, 3)?;
    let listed = maxq.topic_list()?.iter().any(|topic| topic == TOPIC);
    expect::holds("the new topic is in maxq topic list", listed)?;

    let mut brokers = Vec::new();
    let mut expected = Vec::new();
    for Broker { name, address } in stage.brokers.clone() {
        let addresses = BTreeMap::from([(0, address.to_string())]);
        brokers.push(BrokerOfCluster { name: name.clone(), addresses: addresses.clone() });
        let cluster = CLUSTER.to_owned();
        expected.push(RouteOfBroker { name, cluster, addresses, read_queues: 3, write_queues: 3, perm: 6 });
    }
    let mut clusters = maxq.clusters()?;
    clusters.iter_mut().for_each(|cluster| cluster.brokers.sort());
    expect::that("maxq cluster", clusters).are(&[Cluster { name: CLUSTER.to_owned(), brokers }])?;
    let mut route = maxq.route(TOPIC)?;
    route.sort_by(|one, other| one.name.cmp(&other.name));
    expect::that("maxq route", route).are(&expected)?;

    let route = admin::route(stage, TOPIC)?;
    let queues =
        route.queue_datas.iter().map(|queues| (queues.read_queue_nums, queues.write_queue_nums, queues.perm));
    expect::that("queues and permissions of the new topic that topicRoute shows", queues.collect::<Vec<_>>())
        .are(&vec![(3, 3, 6); stage.brokers.len()])
}

/// Lines with a tag, keys and properties for all.
pub(super) fn lines(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-lines";
    admin::create_topic(stage, TOPIC, 4)?;
    let bodies = ["plain text", "grüße 🚀 für alle", "x", " blanks around ", "{\"json\": 1}"];
    let common = Sample::new("")
        .tag("tag-a")
        .keys(&["order-1", "order:2"])
        .property("color", "red=1:2, blue")
        .property("größe", "ä 🚀");
    let before = clock::wall_millis();
    let receipts = maxq(stage)?.produce_lines(TOPIC, &bodies, &common, &Way::Awaited)?;
    let after = clock::wall_millis();
    let sent: Vec<_> = bodies.iter().map(|body| Sample { body: (*body).into(), ..common.clone() }).collect();
    let seen = all_see(stage, TOPIC, &sent, Lookup::Each)?;
    stored_where_receipts_say(TOPIC, &receipts, &seen)?;
    for message in seen {
        let born = message.born_timestamp;
        let between = (before..=after).contains(&born);
        expect::holds(&format!("born at {born}, between {before} and {after}"), between)?;
    }
    Ok(())
}

/// Bodies of all kinds and sizes, each with properties of its own.
pub(super) fn ndjson(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-ndjson";
    admin::create_topic(stage, TOPIC, 4)?;
    let sent = all_kinds();
    let receipts = maxq(stage)?.produce_samples(TOPIC, &sent)?;
    let seen = all_see(stage, TOPIC, &sent, Lookup::Each)?;
    stored_where_receipts_say(TOPIC, &receipts, &seen)?;
    let name_server = stage.name_server.clone();
    let stored = stage.judge()?.read(&name_server, TOPIC, sent.len())?;
    let largest = stored.iter().map(|message| message.store_size).max().context("nothing is stored")?;
    expect::holds(
        &format!("the body of {LONG} bytes is compressed: the largest record has {largest}"),
        largest < LONG / 4,
    )
}

/// One way, to a chosen queue, and to a topic that the first message makes.
pub(super) fn ways(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-ways";
    const NEW_TOPIC: &str = "interop-ways-new";
    admin::create_topic(stage, TOPIC, 4)?;
    let maxq = maxq(stage)?;
    let last = stage.brokers.last().context("a stage has brokers")?.name.clone();
    let (oneway, chosen) = (["one way 1", "one way 2", "one way 3"], ["to queue 3"]);
    let handed_over = maxq.produce_lines(TOPIC, &oneway, &Sample::default(), &Way::Oneway)?;
    let outcomes = handed_over.into_iter().map(|receipt| receipt.outcome).collect::<Vec<_>>();
    expect::that("outcomes of one-way messages", outcomes).are(&["handed_over"; 3].map(str::to_owned))?;
    let to_queue = Way::ToQueue(last.clone(), 3);
    let receipts = maxq.produce_lines(TOPIC, &chosen, &Sample::default(), &to_queue)?;
    let sent: Vec<_> = oneway.iter().chain(&chosen).map(|body| Sample::new(*body)).collect();
    let seen = all_see(stage, TOPIC, &sent, Lookup::First)?;
    stored_where_receipts_say(TOPIC, &receipts, &seen)?;
    let stored = receipts[0].stored.as_ref().context("no receipt")?;
    expect::that("queue that was asked for", (&stored.broker, stored.queue)).is(&(&last, 3))?;

    let receipts = maxq.produce_lines(NEW_TOPIC, &["makes its topic"], &Sample::default(), &Way::Awaited)?;
    let seen = all_see(stage, NEW_TOPIC, &[Sample::new("makes its topic")], Lookup::First)?;
    stored_where_receipts_say(NEW_TOPIC, &receipts, &seen)?;
    admin::is_made_by_default(stage, NEW_TOPIC, &seen[0].broker)
}

/// What `cat` prints, `produce` takes back: nothing is lost and nothing added.
pub(super) fn round_trip(stage: &mut Stage<'_>) -> Result<()> {
    const FROM: &str = "interop-copy-from";
    const TO: &str = "interop-copy-to";
    admin::create_topic(stage, FROM, 4)?;
    admin::create_topic(stage, TO, 4)?;
    let sent = all_kinds();
    let maxq = maxq(stage)?;
    maxq.produce_samples(FROM, &sent)?;
    let lines = maxq.cat_ndjson(FROM, sent.len())?;
    maxq.produce_ndjson(TO, &lines)?;
    all_see(stage, TO, &sent, Lookup::First).map(drop)
}

/// Compares the receipts of awaited messages, one for each, with what is stored.
fn stored_where_receipts_say(topic: &str, receipts: &[Receipt], seen: &[Seen]) -> Result<()> {
    for Receipt { outcome, stored } in receipts {
        expect::that("outcome", outcome.as_str()).is(&"stored")?;
        let told = stored.as_ref().context("a receipt without place")?;
        let found = find(seen, &told.message_id)?;
        expect::that("status in the receipt", told.status.as_str()).is(&"ok")?;
        expect::that("topic in the receipt", told.topic.as_str()).is(&topic)?;
        let place = (told.broker.as_str(), told.queue, told.offset);
        expect::that("place in the receipt", place).is(&found.place())?;
        expect::that("offset message id in the receipt", &told.offset_message_id)
            .is(&&found.offset_message_id)?;
    }
    Ok(())
}

/// Line breaks are left out: `printMsg` shows one message a line.
pub(super) fn all_kinds() -> Vec<Sample> {
    vec![
        Sample::new("plain text"),
        Sample::new("grüße 🚀 für alle").tag("größe").keys(&["schlüssel"]),
        Sample::new("x").keys(&["one", "two", "three:3"]),
        Sample::new("sixteen letters ".repeat(LONG / 16)).tag("long"),
        Sample::new((0..=255).cycle().take(1024).collect::<Vec<u8>>()).property("kind", "bytes"),
        Sample::new("properties")
            .property("a=b", "c=d")
            .property("a:b", "c:d, {e}")
            .property("ключ", "значение 🚀")
            .flag(7),
    ]
}

fn maxq(stage: &Stage<'_>) -> Result<Maxq> {
    stage.maxq.clone().context("this scenario needs maxq")
}

const LONG: usize = 65_536;
