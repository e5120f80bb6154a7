//! All readers see the same: Apache's Java client, `mqadmin` and `maxq cat`.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::{
    expect,
    message::{Body, Sample, Seen},
    mqadmin,
    stage::Stage,
};

/// How thoroughly `mqadmin` looks: each of its commands takes up to seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    /// `queryMsgById` for the first message.
    First,
    /// `queryMsgById` for each message.
    Each,
}

/// Reads `topic` with every reader, compares what they see with each other and with what was sent, and gives it.
pub(super) fn all_see(
    stage: &mut Stage<'_>,
    topic: &str,
    sent: &[Sample],
    lookup: Lookup,
) -> Result<Vec<Seen>> {
    let name_server = stage.name_server.clone();
    let java = stage.judge()?.read(&name_server, topic, sent.len())?;
    let seen = java.iter().map(|message| message.judged()).collect::<Result<Vec<_>>>()?;
    expect::that("messages as Apache's Java client reads them", samples(seen.iter().map(Seen::sample)))
        .are(&samples(sent.iter().cloned()))?;
    printed(stage, topic, &seen)?;
    let looked_up = if lookup == Lookup::Each { seen.len() } else { 1 };
    for message in seen.iter().take(looked_up) {
        queried(stage, message)?;
    }
    if let Some(maxq) = &stage.maxq {
        expect::that("messages as maxq cat reads them", maxq.cat(topic, sent.len())?).are(&seen)?;
    }
    Ok(seen)
}

/// The message with this unique id.
pub(super) fn find<'a>(seen: &'a [Seen], message_id: &str) -> Result<&'a Seen> {
    let found = seen.iter().find(|message| message.message_id == message_id);
    found.with_context(|| format!("message {message_id} was sent and is not stored"))
}

/// `mqadmin printMsg` against what the Java client saw.
fn printed(stage: &mut Stage<'_>, topic: &str, seen: &[Seen]) -> Result<()> {
    let name_server = stage.name_server.clone();
    let output = stage.judge()?.mqadmin(&name_server, &["printMsg", "-t", topic, "-d", "true"])?;
    let printed = mqadmin::print_msg(&output)?;
    expect::that("number of messages that printMsg shows", printed.len()).is(&seen.len())?;
    for message in seen {
        // By its place, not by its unique id: some brokers give all messages of a batch the same.
        let id = &message.offset_message_id;
        let found = printed.iter().find(|printed| printed.text("msgId").is_ok_and(|found| found == id));
        let found = found.with_context(|| format!("printMsg does not show message {id}"))?;
        let what = |field: &str| format!("printMsg, {field} of message {id}");
        expect::that(&what("body"), &found.body).is(&&message.body)?;
        expect::that(&what("broker"), found.text("brokerName")?).is(&message.broker.as_str())?;
        expect::that(&what("unique id"), &found.message_id).is(&&message.message_id)?;
        for (field, expected) in [
            ("queueId", message.queue.into()),
            ("queueOffset", message.offset),
            ("flag", message.flag.into()),
            ("bornTimestamp", message.born_timestamp),
            ("storeTimestamp", message.store_timestamp),
        ] {
            expect::that(&what(field), found.number(field)?).is(&expected)?;
        }
        let mut pairs: Vec<_> =
            message.properties.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.extend(message.tag.iter().map(|tag| format!("TAGS={tag}")));
        pairs.extend((!message.keys.is_empty()).then(|| format!("KEYS={}", message.keys.join(" "))));
        for pair in pairs {
            expect::contains(&what("properties"), &found.properties, &[&pair])?;
        }
    }
    Ok(())
}

/// `mqadmin queryMsgById` against what the Java client saw.
fn queried(stage: &mut Stage<'_>, message: &Seen) -> Result<()> {
    let name_server = stage.name_server.clone();
    let judge = stage.judge()?;
    let mut arguments = vec!["queryMsgById", "-i", &message.offset_message_id];
    // Newer versions insist on the topic, older ones end the whole process over the option.
    if judge.mqadmin_help("queryMsgById")?.contains("--topic") {
        arguments.extend(["-t", &message.topic]);
    }
    let output = judge.mqadmin(&name_server, &arguments)?;
    let fields = mqadmin::query_msg_by_id(&output);
    let what = |field: &str| format!("queryMsgById, {field} of message {}", message.offset_message_id);
    for (field, expected) in [
        ("OffsetID", message.offset_message_id.clone()),
        ("Topic", message.topic.clone()),
        ("Tags", format!("[{}]", message.tag.as_deref().unwrap_or("null"))),
        (
            "Keys",
            format!("[{}]", if message.keys.is_empty() { "null".into() } else { message.keys.join(" ") }),
        ),
        ("Queue ID", message.queue.to_string()),
        ("Queue Offset", message.offset.to_string()),
        ("Reconsume Times", "0".to_owned()),
    ] {
        let Some(came) = fields.get(field) else { bail!("{} is not in: {output}", what(field)) };
        expect::that(&what(field), came).is(&&expected)?;
    }
    // The tool puts the body into a file of its own choosing, outside every folder that we could give it.
    let path = fields.get("Message Body Path").with_context(|| format!("no body in: {output}"))?;
    let body = fs::read(path).with_context(|| format!("cannot read {path}"))?;
    let _ = fs::remove_file(path);
    expect::that(&what("body"), Body(body)).is(&message.body)
}

/// In an order that is the same for the same samples: brokers and queues are chosen by the client.
fn samples(samples: impl Iterator<Item = Sample>) -> Vec<Sample> {
    let mut samples: Vec<_> = samples.collect();
    samples.sort_by(|one, other| (&one.body, &one.keys).cmp(&(&other.body, &other.keys)));
    samples
}
