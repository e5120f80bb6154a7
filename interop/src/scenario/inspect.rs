//! The commands of Apache's admin tool that look at what is there: topics, messages, clients, brokers.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::{
    admin,
    readers::{Lookup, all_see},
};
use crate::{
    apache::CLUSTER,
    clock, expect,
    judge::SendMode,
    message::{Sample, Seen},
    mqadmin,
    stage::Stage,
};

/// `topicStatus`, `topicClusterList`, `allocateMQ`, `brokerStatus` and `deleteTopic`.
pub(super) fn topics(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-inspect-topics";
    admin::create_topic(stage, TOPIC, 3)?;
    let brokers = stage.brokers.clone();
    let status = mqadmin(stage, &["topicStatus", "-t", TOPIC])?;
    for broker in &brokers {
        let rows = status.lines().filter(|line| line.split_whitespace().next() == Some(broker.name.as_str()));
        expect::that(&format!("queues of {} that topicStatus shows in {status}", broker.name), rows.count())
            .is(&3)?;
    }
    let clusters = mqadmin(stage, &["topicClusterList", "-t", TOPIC])?;
    expect::contains("topicClusterList", &clusters, &[CLUSTER])?;
    let allocated = mqadmin(stage, &["allocateMQ", "-t", TOPIC, "-i", "10.0.0.1,10.0.0.2"])?;
    expect::contains("allocateMQ", &allocated, &["10.0.0.1", "10.0.0.2", TOPIC])?;
    for broker in &brokers {
        let status = mqadmin(stage, &["brokerStatus", "-b", &broker.address.to_string()])?;
        expect::contains("brokerStatus", &status, &["brokerVersionDesc", "putTps", "commitLogMaxOffset"])?;
    }
    mqadmin(stage, &["deleteTopic", "-c", CLUSTER, "-t", TOPIC])?;
    let gone = clock::wait_for(Duration::from_secs(10), || {
        let topics = mqadmin(stage, &["topicList"])?;
        Ok((!topics.lines().any(|line| line.trim() == TOPIC)).then_some(()))
    })?;
    gone.context("deleteTopic\n  expected: the topic leaves topicList\n      came: it stays")
}

/// `queryMsgByKey`, `queryMsgByUniqueKey`, `queryMsgByOffset` and `sendMsgStatus`.
pub(super) fn messages(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-inspect-messages";
    admin::create_topic(stage, TOPIC, 2)?;
    let sent: Vec<_> = ["one", "two"].map(|body| Sample::new(body).tag("t").keys(&["shared", body])).into();
    let name_server = stage.name_server.clone();
    stage.judge()?.send(&name_server, TOPIC, &sent, SendMode::Sync, None)?;
    let seen = all_see(stage, TOPIC, &sent, Lookup::First)?;
    // The index is written a moment after the message.
    by_key(stage, TOPIC, "shared", &seen)?;
    // Looked up by its unique key, a message is shown without its offset id.
    let fields = ["OffsetID", "Topic", "Queue ID", "Queue Offset"];
    for message in &seen {
        by_key(stage, TOPIC, &message.keys[1], std::slice::from_ref(message))?;
        let output = mqadmin(stage, &["queryMsgByUniqueKey", "-t", TOPIC, "-i", &message.message_id])?;
        shown("queryMsgByUniqueKey", &output, &fields[1..], message)?;
        let (queue, offset) = (message.queue.to_string(), message.offset.to_string());
        let at = ["queryMsgByOffset", "-t", TOPIC, "-b", &message.broker, "-i", &queue, "-o", &offset];
        let output = mqadmin(stage, &at)?;
        shown("queryMsgByOffset", &output, &fields, message)?;
    }
    let broker = stage.brokers.first().context("a stage has brokers")?.name.clone();
    let output = mqadmin(stage, &["sendMsgStatus", "-b", &broker, "-s", "64", "-c", "2"])?;
    let sends = output.lines().filter(|line| line.contains("sendStatus=SEND_OK")).count();
    expect::holds(&format!("sendMsgStatus stores its messages: {output}"), sends >= 2)
}

/// `producerConnection` and `consumerConnection` show the clients of the judge itself.
pub(super) fn clients(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-inspect-clients";
    admin::create_topic(stage, TOPIC, 1)?;
    let sample = Sample::new("from a client that is online");
    let name_server = stage.name_server.clone();
    stage.judge()?.send(&name_server, TOPIC, std::slice::from_ref(&sample), SendMode::Sync, None)?;
    all_see(stage, TOPIC, &[sample], Lookup::First)?;
    // Both clients say that they are there once a while.
    for (command, group) in [
        (["producerConnection", "-t", TOPIC].as_slice(), "maxq_interop_producer"),
        (["consumerConnection"].as_slice(), "maxq_interop_reader"),
    ] {
        let command = [command, &["-g", group]].concat();
        let mut latest = String::new();
        let online = clock::wait_for(Duration::from_secs(40), || {
            // Before the first heartbeat the tool prints a stack trace.
            latest = match mqadmin(stage, &command) {
                Ok(output) => output,
                Err(error) => format!("{error:#}"),
            };
            Ok((latest.contains("JAVA") && latest.contains("@")).then_some(()))
        })?;
        if online.is_none() {
            bail!("{}\n  expected: a client in JAVA\n      came: {latest}", command.join(" "));
        }
    }
    Ok(())
}

fn by_key(stage: &mut Stage<'_>, topic: &str, key: &str, expected: &[Seen]) -> Result<()> {
    let mut latest = String::new();
    let found = clock::wait_for(Duration::from_secs(10), || {
        latest = mqadmin(stage, &["queryMsgByKey", "-t", topic, "-k", key])?;
        let rows = latest.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).count();
        let all = expected.iter().all(|message| latest.contains(&message.message_id));
        Ok((all && rows == expected.len()).then_some(()))
    })?;
    if found.is_none() {
        bail!("queryMsgByKey -k {key}\n  expected: {} messages\n      came: {latest}", expected.len());
    }
    Ok(())
}

/// These fields of one message as the tool prints them.
fn shown(command: &str, output: &str, names: &[&str], message: &Seen) -> Result<()> {
    let fields = mqadmin::query_msg_by_id(output);
    for name in names {
        let expected = match *name {
            "OffsetID" => message.offset_message_id.clone(),
            "Topic" => message.topic.clone(),
            "Queue ID" => message.queue.to_string(),
            _ => message.offset.to_string(),
        };
        let Some(came) = fields.get(*name) else { bail!("{command}: no {name} in: {output}") };
        expect::that(&format!("{command}, {name}"), came).is(&&expected)?;
    }
    // Where the tool has put the body: outside of every folder that we could give it.
    if let Some(path) = fields.get("Message Body Path") {
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

fn mqadmin(stage: &mut Stage<'_>, arguments: &[&str]) -> Result<String> {
    let name_server = stage.name_server.clone();
    stage.judge()?.mqadmin(&name_server, arguments)
}
