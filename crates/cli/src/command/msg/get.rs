//! `maxq msg get`: one message by its id.

use maxq::{Client, MessageView, admin::Found};
use maxq_protocol::message::OffsetMessageId;

use super::super::topic;
use crate::{
    exit::{Exit, Failure},
    notes::Notes,
    output::{self, Format, HEADER, counted, printable},
    record, value,
};

/// Show one message
///
/// Two ids lead to a message. The message id is what a receipt and `maxq cat` tell; it is found in the index of the
/// topic's brokers, so it needs --topic. The offset message id holds the broker's address and the place in its log.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = LONG_HELP)]
pub(super) struct GetArgs {
    /// Message id (with --topic), or offset message id
    #[arg(value_parser = id)]
    id: String,

    /// The topic of the message
    #[arg(short, long, value_parser = value::readable_topic)]
    topic: Option<String>,

    /// Write the body alone, as it is
    #[arg(long)]
    body: bool,
}

pub(super) async fn run(client: &Client, args: &GetArgs, format: Format) -> anyhow::Result<Exit> {
    let mut messages = match &args.topic {
        Some(topic) => by_message_id(client, topic, &args.id).await?,
        None => Vec::new(),
    };
    if messages.is_empty() {
        messages.push(by_offset_id(client, args).await?);
    }
    if messages.len() > 1 {
        let copies = counted(messages.len() as u64, "copy").replace("copys", "copies");
        Notes::new().note(&format!("{copies} of this message are stored: a send was repeated"));
    }
    for (n, message) in messages.iter().enumerate() {
        if args.body {
            return output::bytes(message.body()).map(|()| Exit::Done);
        }
        match format {
            Format::Human if n > 0 => output::text(&format!("\n{}", described(message)))?,
            Format::Human => output::text(&described(message))?,
            Format::Json => {
                let mut line = Vec::new();
                record::write(&mut line, message);
                output::bytes(&line)?;
            }
        }
    }
    Ok(Exit::Done)
}

async fn by_message_id(client: &Client, topic: &str, id: &str) -> anyhow::Result<Vec<MessageView>> {
    let asked = client.admin().query_by_unique_key(topic, id).await;
    let Found { messages, unanswered, .. } = asked.map_err(|error| topic::explain(error, topic))?;
    for (broker, error) in &unanswered {
        Notes::new().warning(&printable(&format!("{broker} could not be asked: {error}")));
    }
    match unanswered.into_iter().next() {
        // It may be at the broker that is silent.
        Some((_, error)) if messages.is_empty() => Err(error.into()),
        _ => Ok(messages),
    }
}

/// Only brokers of this cluster are asked: any 32 digits are an address and a place.
async fn by_offset_id(client: &Client, args: &GetArgs) -> anyhow::Result<MessageView> {
    let admin = client.admin();
    let address = args.id.parse::<OffsetMessageId>().ok().map(|id| id.store_host.to_string());
    let clusters = admin.clusters().await?;
    let brokers = clusters.iter().flat_map(|cluster| &cluster.brokers);
    let mut addresses = brokers.flat_map(|broker| broker.addresses.values());
    if address.is_none_or(|address| !addresses.any(|known| *known == address)) {
        let why = match &args.topic {
            Some(topic) => format!("no message of topic {topic} has the id {}", args.id),
            None => {
                format!("{} is no offset message id of this cluster; a message id needs --topic", args.id)
            }
        };
        return Err(Failure::error(Exit::Refused, why));
    }
    Ok(admin.view_message(&args.id).await?)
}

fn described(message: &MessageView) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: &str| {
        text.push_str(&format!("{HEADER}{name:<12}{HEADER:#} {}\n", printable(what)));
    };
    let queue = message.queue();
    line("topic", message.topic());
    line("queue", &format!("{}:{}", queue.broker_name(), queue.queue_id()));
    line("offset", &message.queue_offset().to_string());
    line("message id", &message.message_id());
    line("offset id", &message.offset_id());
    let (stored, born) = (value::time(message.store_timestamp()), value::time(message.born_timestamp()));
    line("stored", &format!("{stored} by {}", message.store_host()));
    line("born", &format!("{born} at {}", message.born_host()));
    if let Some(tag) = message.tag() {
        line("tag", tag);
    }
    message.keys().for_each(|key| line("key", key));
    for (name, value) in message.user_properties() {
        line("property", &format!("{name}={value}"));
    }
    if message.flag() != 0 {
        line("flag", &message.flag().to_string());
    }
    if message.reconsume_times() != 0 {
        line("consumed", &counted(message.reconsume_times().unsigned_abs().into(), "time"));
    }
    line("body", &counted(message.body().len() as u64, "byte"));
    match std::str::from_utf8(message.body()) {
        Ok(body) => body.lines().for_each(|body| text.push_str(&format!("{}\n", printable(body)))),
        Err(_) => text.push_str("(no text; --body writes it as it is)\n"),
    }
    text
}

fn id(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(format!("{text:?} is no id"));
    }
    Ok(text.to_owned())
}

/// Once for both lengths of help.
macro_rules! examples {
    () => {
        "\
Examples:
  maxq msg get --topic orders 7F00000123A418B4AAC26F0C3F7A0000
  maxq msg get 7F00000100002A9F0000000000003039
  maxq msg get --topic orders 7F00000123A418B4AAC26F0C3F7A0000 --body > body.bin"
    };
}

const EXAMPLES: &str = examples!();

const LONG_HELP: &str = concat!(
    examples!(),
    "

Output:
  With -o json one object a line, as maxq cat --format ndjson writes it.

Exit codes:
  0  found
  3  no server reached, or not all brokers and the others do not have it
  5  not found"
);
