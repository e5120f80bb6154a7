//! `maxq cat TOPIC`: reads the messages of a topic, without a consumer group and without disturbing one.

mod follow;
mod format;
mod history;
mod queue;

use std::collections::BTreeSet;

use clap::ValueEnum;
use maxq::{Client, MessageQueue};

use self::{follow::Follow, format::Printer, history::History, queue::QueueReaders};
use super::{GOODBYE, topic};
use crate::{
    args::Global,
    exit::{Exit, Failure},
    interrupt::Interrupt,
    notes::Notes,
    output::{Format, printable},
    value::{self, Begin, QueueName},
};

/// Read the messages of a topic, from all its queues
///
/// Messages come in the order in which they were stored, as far as the brokers' clocks agree. Without --follow it ends
/// where the queues ended when it began. Nothing is committed, so no consumer is disturbed.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = LONG_HELP)]
pub(crate) struct CatArgs {
    /// The topic
    #[arg(value_parser = value::readable_topic)]
    topic: String,

    /// Where to begin: start, end, an offset, a time (RFC 3339), or how long ago (10m)
    #[arg(long, value_name = "PLACE", default_value = "start", value_parser = value::begin)]
    from: Begin,

    /// Read this queue only (repeatable)
    #[arg(short, long = "queue", value_name = "BROKER:ID", value_parser = value::queue_name)]
    queues: Vec<QueueName>,

    /// Stop after so many messages in all
    #[arg(short = 'n', long = "count", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Wait for new messages at the end; Ctrl-C ends it
    #[arg(short, long)]
    follow: bool,

    /// How to write a message: text, ndjson or hex [default: text; with -o json ndjson]
    #[arg(long, hide_possible_values = true)]
    format: Option<MessageFormat>,
}

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum MessageFormat {
    /// The body and a line break.
    Text,
    /// The whole message as one JSON object in a line, which `produce` takes back.
    Ndjson,
    /// A header, and the body as hexadecimal digits and text.
    Hex,
}

pub(crate) async fn run(args: CatArgs, global: &Global) -> anyhow::Result<Exit> {
    let mut interrupt = Interrupt::listen()?;
    let format = args.format.unwrap_or(match global.output {
        Format::Human => MessageFormat::Text,
        Format::Json => MessageFormat::Ndjson,
    });
    let mut printer = Printer::new(format, args.count);
    if let Some(read) = interrupt.unless(read(&args, global, &mut printer)).await {
        return read;
    }
    // What was read is written, unless somebody presses Ctrl-C again.
    interrupt.unless(printer.flush()).await.transpose()?;
    Ok(if args.follow { Exit::Done } else { Exit::Interrupted })
}

async fn read(args: &CatArgs, global: &Global, printer: &mut Printer) -> anyhow::Result<Exit> {
    let client = global.connect().await?;
    let queues = chosen_queues(&client, args).await?;
    let notes = Notes::new();
    let (mut readers, live) = QueueReaders::new(client.clone(), notes.clone(), args.follow);
    let history = queues.iter().map(|queue| readers.start(queue, args.from.into_from())).collect();
    let mut exit = History::new(history, notes.clone()).print(printer).await?;
    if args.follow && !printer.has_all() {
        let grows = args.queues.is_empty().then_some(args.topic.as_str());
        Follow::new(readers, live, queues).print(printer, grows).await?;
        exit = Exit::Done;
    } else {
        readers.stop().await;
    }
    printer.flush().await?;
    if printer.printed() == 0 && exit == Exit::Done {
        notes.note(&format!("no messages in {}, from {} on", args.topic, args.from));
    }
    client.close(GOODBYE).await;
    Ok(exit)
}

/// The queues to read: those that were typed, else all that can be read.
async fn chosen_queues(client: &Client, args: &CatArgs) -> anyhow::Result<Vec<MessageQueue>> {
    let topic = &args.topic;
    let all = client.admin().queues(topic).await.map_err(|error| topic::explain(error, topic))?;
    if all.is_empty() {
        return Err(Failure::error(Exit::Refused, format!("topic {topic} has no queue that can be read")));
    }
    if args.queues.is_empty() {
        return Ok(all);
    }
    let wanted: BTreeSet<_> = args.queues.iter().map(|queue| queue.of(topic)).collect();
    if let Some(missing) = wanted.iter().find(|queue| !all.contains(queue)) {
        let name = queue_label(missing);
        return Err(Failure::usage(format!(
            "topic {topic} has no queue {name} to read; see maxq route {topic}"
        )));
    }
    Ok(wanted.into_iter().collect())
}

/// A queue as it is typed.
fn queue_label(queue: &MessageQueue) -> String {
    format!("{}:{}", printable(queue.broker_name()), queue.queue_id())
}

/// Once for both lengths of help.
macro_rules! examples {
    () => {
        "\
Examples:
  maxq cat orders
  maxq cat orders --from 10m --format ndjson | jq -r .tag
  maxq cat orders --follow --from end
  maxq cat orders --queue broker-0:3 --from 42 -n 1 --format hex
  maxq cat orders --format ndjson | maxq produce orders-copy --format ndjson"
    };
}

const EXAMPLES: &str = examples!();

const LONG_HELP: &str = concat!(
    examples!(),
    "

Formats:
  text    the body and a line break; on a screen, control characters are
          written as \\u{1b}
  ndjson  one JSON object a line, with topic, queue, broker, offset,
          message_id, offset_message_id, keys, tag, properties (the sender's
          own), flag, born_timestamp, store_timestamp (milliseconds since
          1970), and body, or body_base64 if the body is no valid UTF-8
  hex     a header, and the body as hexadecimal digits and text"
);
