//! `maxq msg query`: the messages with a key.

use maxq::{
    Client,
    admin::{Found, KeyQuery},
};

use super::super::topic;
use crate::{
    exit::Exit,
    notes::Notes,
    output::{self, Format, Rows, grouped, printable},
    record, value,
};

/// Find the messages of a topic by key
///
/// Brokers keep an index of the keys that senders give to messages; the newest of it is a moment behind.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = LONG_HELP)]
pub(super) struct QueryArgs {
    /// The topic
    #[arg(value_parser = value::readable_topic)]
    topic: String,

    /// The key
    #[arg(value_parser = value::key)]
    key: String,

    /// How many messages of each broker at most
    #[arg(short = 'n', long = "count", value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(i32).range(1..=64))]
    count: i32,

    /// Only messages stored from here on: a time (RFC 3339), or how long ago (10m)
    #[arg(long, value_name = "TIME", value_parser = value::moment)]
    from: Option<i64>,

    /// Only messages stored up to here: a time (RFC 3339), or how long ago (10m)
    #[arg(long, value_name = "TIME", value_parser = value::moment)]
    to: Option<i64>,
}

pub(super) async fn run(client: &Client, args: &QueryArgs, format: Format) -> anyhow::Result<Exit> {
    let topic = &args.topic;
    let query =
        KeyQuery::default().most(args.count).begin(args.from.unwrap_or(0)).end(args.to.unwrap_or(i64::MAX));
    let asked = client.admin().query_by_key(topic, &args.key, query).await;
    let found = asked.map_err(|error| topic::explain(error, topic))?;
    match format {
        Format::Human if found.messages.is_empty() => {}
        Format::Human => print(&found)?,
        Format::Json => {
            let mut lines = Vec::new();
            found.messages.iter().for_each(|message| record::write(&mut lines, message));
            output::bytes(&lines)?;
        }
    }
    let notes = Notes::new();
    for (broker, error) in &found.unanswered {
        notes.warning(&printable(&format!("{broker} could not be asked: {error}")));
    }
    if found.messages.is_empty() {
        notes.note(&printable(&format!("no messages in {topic} with the key {}", args.key)));
    }
    Ok(found.unanswered.first().map_or(Exit::Done, |(_, error)| Exit::of_code(error.code())))
}

fn print(found: &Found) -> anyhow::Result<()> {
    let mut rows = Rows::new(&["STORED", "QUEUE", "OFFSET", "MESSAGE ID", "TAG", "BYTES"]);
    rows.align_right(&[2, 5]);
    for message in &found.messages {
        rows.push([
            value::time(message.store_timestamp()),
            format!("{}:{}", message.queue().broker_name(), message.queue().queue_id()),
            message.queue_offset().to_string(),
            message.message_id(),
            message.tag().unwrap_or("-").to_owned(),
            grouped(message.body().len() as u64),
        ]);
    }
    rows.print()
}

/// Once for both lengths of help.
macro_rules! examples {
    () => {
        "\
Examples:
  maxq msg query orders 42
  maxq msg query orders 42 --from 1h -o json | jq -r .body"
    };
}

const EXAMPLES: &str = examples!();

const LONG_HELP: &str = concat!(
    examples!(),
    "

Output:
  With -o json one object a line, as maxq cat --format ndjson writes it.

Exit codes:
  0  all brokers were asked, whether they have such messages or not
  3  a server could not be reached
  5  there is no such topic, or a broker refuses"
);
