//! `maxq produce TOPIC`: one message a line, from standard input or files.

mod pace;
mod receipt;
mod report;
mod sender;

use std::path::PathBuf;

use clap::ValueEnum;
use maxq::{Message, MessageQueue, ProducerConfig};
use maxq_protocol::message::property;

use self::{report::Report, sender::Sender};
use super::GOODBYE;
use crate::{
    args::Global,
    exit::{Exit, Failure},
    interrupt::Interrupt,
    lines::Lines,
    notes::Notes,
    output, record,
    value::{self, QueueName},
};

/// Send messages, one a line, from standard input or files
///
/// A line is sent as it is, without its line break; empty lines are left out. With --format ndjson a line is a record
/// as `maxq cat --format ndjson` writes it: body (text) or body_base64, and if wanted keys, tag, properties and flag.
/// Where a record came from (topic, broker, queue, offset, ids, timestamps) may be in it and changes nothing.
///
/// Messages are sent while the input is still being read, and the input is read no faster than they leave. At the
/// first message that fails nothing more is read, and all that is under way is finished.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = LONG_HELP)]
pub(crate) struct ProduceArgs {
    /// The topic; brokers may create it if it is missing
    #[arg(value_parser = value::topic)]
    topic: String,

    /// Files to read, - for standard input [default: standard input]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// What a line is: text, or an ndjson record
    #[arg(long, default_value = "text", hide_possible_values = true)]
    format: LineFormat,

    /// Tag of every message whose record names none
    #[arg(short, long)]
    tag: Option<String>,

    /// Key of every message, beside those of its record (repeatable)
    #[arg(short, long = "key", value_name = "KEY", value_parser = value::key)]
    keys: Vec<String>,

    /// Property of every message whose record does not have it (repeatable)
    #[arg(short, long = "property", value_name = "NAME=VALUE", value_parser = value::property)]
    properties: Vec<(String, String)>,

    /// Producer group [default: that of the connection string, else maxq-cli]
    #[arg(long)]
    group: Option<String>,

    /// Send to this queue alone
    #[arg(short, long, value_name = "BROKER:ID", value_parser = value::queue_name)]
    queue: Option<QueueName>,

    /// How many messages may be under way at once; 1 keeps the order of the input
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    in_flight: u32,

    /// Send no faster than this, such as 100/s or 6000/m [default: as fast as it goes]
    #[arg(long, value_name = "N/s", value_parser = value::rate)]
    rate: Option<f64>,

    /// Do not wait for answers: faster, and nobody knows what is stored
    #[arg(long)]
    oneway: bool,

    /// Go on with the next line when a message fails
    #[arg(long)]
    keep_going: bool,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LineFormat {
    Text,
    Ndjson,
}

pub(crate) async fn run(args: ProduceArgs, global: &Global) -> anyhow::Result<Exit> {
    let lines = Lines::of(&args.files)?;
    let mut interrupt = Interrupt::listen()?;
    let Some(client) = interrupt.unless(global.connect()).await else {
        return Err(Failure::error(Exit::Interrupted, "interrupted before anything was sent"));
    };
    let client = client?;
    let in_flight = args.in_flight as usize;
    let group = args.group.clone().or_else(|| global.group()).unwrap_or_else(|| GROUP.to_owned());
    let config = ProducerConfig::new(group).timeout(global.send_timeout()).limits(in_flight, MOST_BYTES);
    let producer = client.producer(config)?;
    let by_hand = lines.uses_standard_input() && output::is_typed_by_hand();
    // A bar would disturb whoever types.
    let notes = if by_hand { Notes::new() } else { Notes::with_bar(lines.total_bytes()) };
    if by_hand {
        notes.note("type a message and press Enter; Ctrl-D ends");
    }
    let report = Report::new(&args.topic, global.output, notes);
    let exit = Sender::new(producer, report, &args).run(lines, &mut interrupt).await;
    client.close(GOODBYE).await;
    exit
}

/// What every message of a run has in common.
struct Template {
    topic: String,
    format: LineFormat,
    tag: Option<String>,
    keys: Vec<String>,
    properties: Vec<(String, String)>,
    queue: Option<MessageQueue>,
    oneway: bool,
}

impl Template {
    fn new(args: &ProduceArgs) -> Self {
        Self {
            topic: args.topic.clone(),
            format: args.format,
            tag: args.tag.clone(),
            keys: args.keys.clone(),
            properties: args.properties.clone(),
            queue: args.queue.as_ref().map(|queue| queue.of(&args.topic)),
            oneway: args.oneway,
        }
    }

    /// Whether there is nothing in a line to send.
    fn is_empty(&self, line: &[u8]) -> bool {
        match self.format {
            LineFormat::Text => line.is_empty(),
            LineFormat::Ndjson => line.trim_ascii().is_empty(),
        }
    }

    /// The message of a line.
    fn message(&self, line: Vec<u8>) -> Result<Message, String> {
        let message = match self.format {
            LineFormat::Text => Message::new(self.topic.as_str(), line),
            LineFormat::Ndjson => record::read(&line, &self.topic)?,
        };
        Ok(self.complete(message))
    }

    /// Adds what the message does not say itself.
    fn complete(&self, message: Message) -> Message {
        let has = |name: &str| message.properties().any(|(known, _)| known == name);
        let tag = self.tag.as_ref().filter(|_| !has(property::TAGS));
        let missing: Vec<_> = self.properties.iter().filter(|(name, _)| !has(name)).collect();
        let mut message = message;
        if let Some(tag) = tag {
            message = message.tag(tag.as_str());
        }
        for (name, value) in missing {
            message = message.property(name.as_str(), value.as_str());
        }
        message.keys(&self.keys)
    }
}

const GROUP: &str = "maxq-cli";
/// The client's default.
const MOST_BYTES: usize = 64 << 20;

/// Once for both lengths of help.
macro_rules! examples {
    () => {
        "\
Examples:
  echo hello | maxq produce orders
  maxq produce orders events.log --tag created --property source=web
  maxq cat orders --format ndjson | maxq produce orders-copy --format ndjson
  maxq produce orders events.log --rate 100/s
  maxq produce orders -o json < events.log > receipts.ndjson"
    };
}

const EXAMPLES: &str = examples!();

const LONG_HELP: &str = concat!(
    examples!(),
    "

Output:
  Standard output stays empty, or with -o json has one object for each
  message, in the order of the input: its line, its outcome (stored,
  handed_over, refused, not_sent, unknown), and where it is or what went
  wrong. A summary goes to standard error.

Exit codes:
  0  all sent
  2  the input is wrong, and nothing was sent
  3  no server reached, and nothing was sent
  4  some messages are stored, or may be, and others are not
  5  all refused
  6  interrupted"
);

#[cfg(test)]
mod tests {
    use super::*;

    fn template(format: LineFormat) -> Template {
        Template {
            topic: "orders".to_owned(),
            format,
            tag: Some("t".to_owned()),
            keys: vec!["k".to_owned()],
            properties: vec![("a".to_owned(), "1".to_owned())],
            queue: None,
            oneway: false,
        }
    }

    #[test]
    fn a_line_of_text_gets_everything_from_the_options() {
        let message = template(LineFormat::Text).message(b"\xffx".to_vec()).unwrap();
        assert_eq!(message, Message::new("orders", b"\xffx".to_vec()).tag("t").property("a", "1").key("k"));
    }

    #[test]
    fn what_a_record_says_itself_wins() {
        let line = br#"{"body":"x","tag":"own","keys":["first"],"properties":{"a":"own"}}"#;
        let message = template(LineFormat::Ndjson).message(line.to_vec()).unwrap();
        let found: Vec<_> = message.properties().collect();
        for expected in [("TAGS", "own"), ("a", "own"), ("KEYS", "first k")] {
            assert!(found.contains(&expected), "{found:?}");
        }
    }
}
