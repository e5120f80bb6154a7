//! The commands of Apache's admin tool.

use std::time::Duration;

use anyhow::{Result, bail};
use maxq_protocol::body::{TopicRouteData, from_json};

use super::readers::{Lookup, all_see};
use crate::{apache::CLUSTER, clock, expect, message::Sample, mqadmin, stage::Stage};

/// `clusterList`, `updateTopic`, `topicList` and `topicRoute` name what there is.
pub(super) fn names(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-names";
    let name_server = stage.name_server.clone();
    let brokers = stage.brokers.clone();
    let output = stage.judge()?.mqadmin(&name_server, &["clusterList"])?;
    let mut rows = mqadmin::cluster_list(&output);
    rows.sort();
    let rows: Vec<_> = rows.into_iter().map(|(name, address, _)| (name, address)).collect();
    let expected: Vec<_> =
        brokers.iter().map(|broker| (broker.name.clone(), broker.address.to_string())).collect();
    expect::that("brokers that clusterList shows", rows).are(&expected)?;

    create_topic(stage, TOPIC, 3)?;
    let topics = stage.judge()?.mqadmin(&name_server, &["topicList"])?;
    for topic in [TOPIC, "TBW102"] {
        if !topics.lines().any(|line| line.trim() == topic) {
            bail!("topicList\n  expected: a line {topic}\n      came: {topics}");
        }
    }
    let route = route(stage, TOPIC)?;
    for broker in &brokers {
        let data = route.broker_datas.iter().find(|data| data.broker_name == broker.name);
        let address = data.and_then(|data| data.broker_addrs.get(&0)).cloned();
        expect::that(&format!("address of {} that topicRoute shows", broker.name), address)
            .is(&Some(broker.address.to_string()))?;
    }
    for queues in &route.queue_datas {
        expect::that(
            &format!("queues and permission on {} that topicRoute shows", queues.broker_name),
            (queues.read_queue_nums, queues.write_queue_nums, queues.perm),
        )
        .is(&(3, 3, 6))?;
    }
    Ok(())
}

/// `sendMessage`, then every reader.
pub(super) fn message(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-admin";
    let name_server = stage.name_server.clone();
    create_topic(stage, TOPIC, 4)?;
    let sample = Sample::new("from mqadmin: grün 🚀").tag("admin").keys(&["first", "second"]);
    let send =
        ["sendMessage", "-t", TOPIC, "-p", "from mqadmin: grün 🚀", "-c", "admin", "-k", "first second"];
    let output = stage.judge()?.mqadmin(&name_server, &send)?;
    let (broker, queue, status, id) = mqadmin::send_message(&output)?;
    expect::that("status of sendMessage", status.as_str()).is(&"SEND_OK")?;
    let seen = all_see(stage, TOPIC, &[sample], Lookup::First)?;
    let place = (seen[0].broker.as_str(), seen[0].queue, seen[0].message_id.as_str());
    expect::that("place and id of the message", place).is(&(&broker, queue, &id))
}

/// `updateTopic`, and the wait until the name server knows it on every broker.
pub(super) fn create_topic(stage: &mut Stage<'_>, topic: &str, queues: usize) -> Result<()> {
    let name_server = stage.name_server.clone();
    let queues = queues.to_string();
    let update = ["updateTopic", "-c", CLUSTER, "-t", topic, "-r", &queues, "-w", &queues];
    let output = stage.judge()?.mqadmin(&name_server, &update)?;
    let done: Vec<_> =
        stage.brokers.iter().map(|broker| format!("create topic to {} success", broker.address)).collect();
    expect::contains("updateTopic", &output, &done.iter().map(String::as_str).collect::<Vec<_>>())?;
    let brokers = stage.brokers.len();
    let known = clock::wait_for(Duration::from_secs(10), || {
        Ok((route(stage, topic)?.queue_datas.len() == brokers).then_some(()))
    })?;
    if known.is_none() {
        bail!(
            "updateTopic\n  expected: a route of {topic} over {brokers} brokers\n      came: fewer within 10 s"
        );
    }
    Ok(())
}

/// Whether `topic` is on `broker` with the queues and the permission of a topic that a first message made.
pub(super) fn is_made_by_default(stage: &mut Stage<'_>, topic: &str, broker: &str) -> Result<()> {
    let route = route(stage, topic)?;
    let queues = route.queue_datas.iter().find(|queues| queues.broker_name == broker);
    let queues = queues.map(|queues| (queues.read_queue_nums, queues.write_queue_nums, queues.perm));
    // DefaultMQProducer.defaultTopicQueueNums is 4; the inherit bit of TBW102 is not handed on.
    expect::that("queues and permission of the new topic", queues).is(&Some((4, 4, 6)))
}

/// `topicRoute` as a value. The tool writes map keys without quotes.
pub(super) fn route(stage: &mut Stage<'_>, topic: &str) -> Result<TopicRouteData> {
    let name_server = stage.name_server.clone();
    let output = stage.judge()?.mqadmin(&name_server, &["topicRoute", "-t", topic])?;
    Ok(from_json(output.as_bytes())?)
}
