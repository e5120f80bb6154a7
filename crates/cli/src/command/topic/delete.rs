//! `maxq topic delete`: the end of a topic and its messages.

use maxq::Client;
use serde::Serialize;

use super::explain;
use crate::{
    exit::Failure,
    output::{self, Format, counted},
    value,
};

/// Delete a topic with all its messages, on every broker and name server
///
/// This cannot be undone. A producer that may create topics makes the topic anew with its next message.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct DeleteArgs {
    /// The topic
    #[arg(value_parser = value::readable_topic)]
    topic: String,

    /// Really delete it; without this, only what would be lost is said
    #[arg(long)]
    yes: bool,
}

/// What `-o json` prints.
#[derive(Serialize)]
struct Deleted<'a> {
    topic: &'a str,
    brokers: Vec<String>,
}

pub(super) async fn run(client: &Client, args: &DeleteArgs, format: Format) -> anyhow::Result<()> {
    let (admin, topic) = (client.admin(), &args.topic);
    if !args.yes {
        let described = admin.describe_topic(topic).await.map_err(|error| explain(error, topic))?;
        let messages = counted(described.messages(), "message");
        return Err(Failure::usage(format!(
            "nothing was deleted: topic {topic} has {messages}, which would be lost for good; add --yes to delete it"
        )));
    }
    let brokers = admin.delete_topic(topic).await.map_err(|error| explain(error, topic))?;
    match format {
        Format::Human => output::text(&format!("topic {topic} is deleted on: {}\n", brokers.join(", "))),
        Format::Json => output::json(&Deleted { topic, brokers }),
    }
}

const EXAMPLES: &str = "\
Examples:
  maxq topic delete orders         say what would be lost
  maxq topic delete orders --yes";
