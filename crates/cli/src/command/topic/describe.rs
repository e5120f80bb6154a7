//! `maxq topic describe`: the settings of a topic on each broker, and the offsets of its queues.

use std::collections::BTreeMap;

use maxq::{
    Client,
    admin::{QueueState, TopicAtBroker, TopicDescription},
};
use serde::Serialize;

use super::{explain, perm_words};
use crate::{
    output::{self, Format, HEADER, Rows, counted, grouped, printable},
    value,
};

/// Show the settings of a topic, and the offsets of its queues
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DescribeArgs {
    /// The topic
    #[arg(value_parser = value::readable_topic)]
    topic: String,
}

/// What `-o json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    topic: &'a str,
    messages: u64,
    brokers: Vec<ShownBroker<'a>>,
}

#[derive(Serialize)]
struct ShownBroker<'a> {
    name: &'a str,
    cluster: &'a str,
    read_queues: i32,
    write_queues: i32,
    perm: i32,
    /// Brokers of 4.9 do not tell.
    order: Option<bool>,
    attributes: &'a BTreeMap<String, String>,
    queues: Vec<ShownQueue>,
}

#[derive(Serialize)]
struct ShownQueue {
    id: i32,
    min_offset: i64,
    max_offset: i64,
    messages: u64,
    /// Milliseconds since 1970.
    last_stored: Option<i64>,
}

pub(super) async fn run(client: &Client, args: &DescribeArgs, format: Format) -> anyhow::Result<()> {
    let topic = &args.topic;
    let description = client.admin().describe_topic(topic).await.map_err(|error| explain(error, topic))?;
    match format {
        Format::Human => print(&description),
        Format::Json => output::json(&shown(&description)),
    }
}

fn print(description: &TopicDescription) -> anyhow::Result<()> {
    let messages = counted(description.messages(), "message");
    output::text(&format!("{HEADER}topic {}{HEADER:#}: {messages}\n\n", printable(&description.topic)))?;
    let mut brokers = Rows::new(&["BROKER", "PERMISSION", "READ QUEUES", "WRITE QUEUES", "SETTINGS"]);
    brokers.align_right(&[2, 3]);
    let mut queues = Rows::new(&["QUEUE", "FIRST OFFSET", "NEXT OFFSET", "MESSAGES", "LAST STORED"]);
    queues.align_right(&[1, 2, 3]);
    for at in &description.brokers {
        brokers.push([
            at.broker.name.clone(),
            perm_words(at.perm),
            at.read_queues.to_string(),
            at.write_queues.to_string(),
            settings(at),
        ]);
        at.queues.iter().for_each(|queue| queues.push(row(queue)));
    }
    brokers.print()?;
    output::text("\n")?;
    queues.print()
}

fn row(state: &QueueState) -> [String; 5] {
    let offset = |offset: i64| u64::try_from(offset).map_or_else(|_| offset.to_string(), grouped);
    [
        format!("{}:{}", state.queue.broker_name(), state.queue.queue_id()),
        offset(state.min_offset),
        offset(state.max_offset),
        grouped(state.messages()),
        state.last_stored.map_or_else(|| "-".to_owned(), value::time),
    ]
}

/// What is not as usual.
fn settings(at: &TopicAtBroker) -> String {
    let mut settings: Vec<_> = at.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if at.order == Some(true) {
        settings.push("ordered".to_owned());
    }
    if at.broker.master().is_none() {
        settings.push("no master".to_owned());
    }
    if settings.is_empty() { "-".to_owned() } else { settings.join(", ") }
}

fn shown(description: &TopicDescription) -> Shown<'_> {
    let queue = |state: &QueueState| ShownQueue {
        id: state.queue.queue_id(),
        min_offset: state.min_offset,
        max_offset: state.max_offset,
        messages: state.messages(),
        last_stored: state.last_stored,
    };
    let brokers = description.brokers.iter().map(|at| ShownBroker {
        name: &at.broker.name,
        cluster: &at.broker.cluster,
        read_queues: at.read_queues,
        write_queues: at.write_queues,
        perm: at.perm,
        order: at.order,
        attributes: &at.attributes,
        queues: at.queues.iter().map(queue).collect(),
    });
    Shown { topic: &description.topic, messages: description.messages(), brokers: brokers.collect() }
}

const EXAMPLES: &str = "\
Examples:
  maxq topic describe orders
  maxq topic describe orders -o json | jq .messages";
