//! `maxq topic`: which topics there are, new ones, what is in one, and its end.

mod delete;
mod describe;

use std::{collections::BTreeSet, time::Duration};

use clap::Subcommand;
use maxq::{Client, ErrorCode, RequestError, admin::TopicSettings};
use maxq_protocol::Topic;
use serde::Serialize;

use super::GOODBYE;
use crate::{
    args::Global,
    clock::Stopwatch,
    exit::{Exit, Failure},
    notes::Notes,
    output::{self, Format, counted, printable},
    value,
};

/// List, create, describe and delete topics
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct TopicArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(ListArgs),
    Create(CreateArgs),
    Describe(describe::DescribeArgs),
    Delete(delete::DeleteArgs),
}

/// List the topics of a cluster
#[derive(Debug, clap::Args)]
#[command(after_help = LIST_EXAMPLES)]
struct ListArgs {
    /// RocketMQ's own topics too, and those of consumer groups (retries, dead letters)
    #[arg(short, long)]
    all: bool,
}

/// What `topic list -o json` prints.
#[derive(Serialize)]
struct Listed {
    topics: Vec<String>,
}

/// What `topic create -o json` prints.
#[derive(Serialize)]
struct Created<'a> {
    topic: &'a str,
    queues: i32,
    perm: i32,
    brokers: Vec<String>,
}

/// Create a topic on every broker, or change it
///
/// On return, the name server tells the new route.
#[derive(Debug, clap::Args)]
#[command(after_help = CREATE_EXAMPLES)]
struct CreateArgs {
    /// The topic
    #[arg(value_parser = value::topic)]
    topic: String,

    /// Queues on each broker
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(i32).range(1..=65_535))]
    queues: i32,

    /// What clients may do: rw, r or w
    #[arg(long, default_value = "rw", value_parser = value::perm)]
    perm: i32,
}

pub(crate) async fn run(args: TopicArgs, global: &Global) -> anyhow::Result<Exit> {
    let client = global.connect().await?;
    match args.action {
        Action::List(args) => list(&client, &args, global.output).await?,
        Action::Create(args) => create(&client, &args, global.output).await?,
        Action::Describe(args) => describe::run(&client, &args, global.output).await?,
        Action::Delete(args) => delete::run(&client, &args, global.output).await?,
    }
    client.close(GOODBYE).await;
    Ok(Exit::Done)
}

async fn list(client: &Client, args: &ListArgs, format: Format) -> anyhow::Result<()> {
    let mut topics = client.admin().topics().await?;
    let known = topics.len();
    if !args.all {
        let own = own_topics(client).await?;
        topics.retain(|topic| !is_rocketmqs_own(topic, &own));
    }
    let hidden = known - topics.len();
    match format {
        Format::Human => {
            let lines: String = topics.iter().map(|topic| printable(topic) + "\n").collect();
            output::text(&lines)?;
        }
        Format::Json => output::json(&Listed { topics })?,
    }
    note_hidden(hidden);
    Ok(())
}

fn note_hidden(hidden: usize) {
    if hidden > 0 {
        let topics = counted(hidden as u64, "topic");
        Notes::new().note(&format!("{topics} of RocketMQ's own left out; --all shows them"));
    }
}

/// Each cluster and each broker has a topic of its name.
async fn own_topics(client: &Client) -> anyhow::Result<BTreeSet<String>> {
    let mut own = BTreeSet::new();
    for cluster in client.admin().clusters().await? {
        own.insert(format!("{}_REPLY_TOPIC", cluster.name));
        own.insert(cluster.name);
        own.extend(cluster.brokers.into_iter().map(|broker| broker.name));
    }
    Ok(own)
}

fn is_rocketmqs_own(name: &str, own: &BTreeSet<String>) -> bool {
    let Ok(topic) = Topic::internal(name) else { return false };
    topic.is_system()
        || topic.is_retry()
        || topic.is_dead_letter()
        || name.starts_with("RMQ_SYS_")
        || own.contains(name)
}

async fn create(client: &Client, args: &CreateArgs, format: Format) -> anyhow::Result<()> {
    let settings = TopicSettings::default().queues(args.queues).perm(args.perm);
    let brokers = client.admin().create_topic(&args.topic, settings).await?;
    if !is_known_everywhere(client, &args.topic, &brokers).await {
        let seconds = VISIBLE_WITHIN.as_secs();
        Notes::new().warning(&format!(
            "the brokers have topic {}, but after {seconds} s the name server does not tell it of all of them yet",
            args.topic
        ));
    }
    match format {
        Format::Human => {
            let queues = counted(args.queues.unsigned_abs().into(), "queue");
            let (perm, brokers) = (perm_words(args.perm), brokers.join(", "));
            output::text(&format!("topic {} has {queues} ({perm}) on each of: {brokers}\n", args.topic))
        }
        Format::Json => {
            output::json(&Created { topic: &args.topic, queues: args.queues, perm: args.perm, brokers })
        }
    }
}

/// Waits a little until the name server tells the topic of all `brokers`, so that a script may go on at once.
pub(super) async fn is_known_everywhere(client: &Client, topic: &str, brokers: &[String]) -> bool {
    let waiting = Stopwatch::start();
    loop {
        if let Ok(route) = client.admin().route(topic).await
            && brokers.iter().all(|broker| route.queues.iter().any(|queues| queues.broker == *broker))
        {
            return true;
        }
        if waiting.elapsed() > VISIBLE_WITHIN {
            return false;
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// A missing topic is the most common failure of all, so it says what to do.
pub(super) fn explain(error: RequestError, topic: &str) -> anyhow::Error {
    let code = ErrorCode::TOPIC_NOT_FOUND;
    if error.code() != code {
        return error.into();
    }
    Failure::error(
        Exit::Refused,
        format!(
            "there is no topic {topic}; see maxq topic list, or create it with maxq topic create {topic} [{code}]"
        ),
    )
}

/// Permission bits in words.
pub(super) fn perm_words(perm: i32) -> String {
    match perm & 6 {
        6 => "read, write".to_owned(),
        4 => "read".to_owned(),
        2 => "write".to_owned(),
        _ => "none".to_owned(),
    }
}

const VISIBLE_WITHIN: Duration = Duration::from_secs(5);
const ASK_AGAIN: Duration = Duration::from_millis(50);

const LIST_EXAMPLES: &str = "\
Examples:
  maxq topic list
  maxq topic list --all -o json | jq -r '.topics[]'";

const CREATE_EXAMPLES: &str = "\
Examples:
  maxq topic create orders
  maxq topic create orders --queues 16
  maxq topic create archive --perm r";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_topics_are_told_from_rocketmqs_own() {
        let own = BTreeSet::from(["DefaultCluster".to_owned(), "broker-0".to_owned()]);
        for topic in
            ["TBW102", "%RETRY%g", "%DLQ%g", "RMQ_SYS_TRACE_TOPIC", "rmq_sys_x", "DefaultCluster", "broker-0"]
        {
            assert!(is_rocketmqs_own(topic, &own), "{topic}");
        }
        for topic in ["orders", "retry", "broker-1"] {
            assert!(!is_rocketmqs_own(topic, &own), "{topic}");
        }
    }
}
