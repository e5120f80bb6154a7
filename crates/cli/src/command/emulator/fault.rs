//! `maxq emulator fault`: arm, list and remove the faults of a running emulator.

use std::{
    fs,
    io::{self, Read as _},
    time::Duration,
};

use anyhow::Context as _;
use clap::Subcommand;
use maxq_emulator::{Busy, Effect, Fault, Goodbye, On, When};
use serde_json::Value;

use super::remote::{self, Remote};
use crate::{
    args::Global,
    exit::{Exit, Failure},
    output::{self, Format, Rows},
    value,
};

/// Arm, list and remove the faults of a running emulator
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(super) struct FaultArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Add(Box<AddArgs>),
    List(ListArgs),
    Remove(RemoveArgs),
}

/// Arm a fault
///
/// Without further options it is for every request of every server, fires always, and only counts.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
struct AddArgs {
    #[command(flatten)]
    place: Place,

    /// A whole fault as JSON, from this file, or from standard input (-)
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "on", "then", "broker", "name_server_index", "topic", "queue", "client_id", "skip", "times", "chance", "lasting",
    ])]
    json: Option<String>,

    /// Which requests: any-request, connect, send, pull, heartbeat, route, or a request code
    #[arg(long, value_name = "WHAT", default_value = "any-request", value_parser = on)]
    on: On,

    /// What happens: observe, delay=TIME, drop-request, drop-answer, close, close-after, code=N, busy, disk-full,
    /// flush-timeout, replica-timeout, no-replica, lied-success, go-away, answer-twice, wrong-opaque, garbage; all others by --json
    #[arg(long, value_name = "EFFECT", default_value = "observe", value_parser = effect)]
    then: Effect,

    /// Only at the broker with this name
    #[arg(long, value_name = "NAME")]
    broker: Option<String>,

    /// Only at the name server with this number, counted from 0
    #[arg(long, value_name = "N")]
    name_server_index: Option<usize>,

    /// Only about this topic
    #[arg(long)]
    topic: Option<String>,

    /// Only about the queue with this id
    #[arg(long, value_name = "ID")]
    queue: Option<i32>,

    /// Only of the client with this id
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,

    /// Let so many of them through first
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip: u64,

    /// Fire so often, then never again [default: always]
    #[arg(long, value_name = "N")]
    times: Option<u64>,

    /// Fire with this chance, from 0 to 1
    #[arg(long, value_name = "CHANCE", default_value_t = 1.0)]
    chance: f64,

    /// How long it is armed [default: for ever]
    #[arg(long = "for", value_name = "DURATION", value_parser = value::duration)]
    lasting: Option<Duration>,
}

/// List the armed faults, and how often each has fired
#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    place: Place,
}

/// Disarm a fault
#[derive(Debug, clap::Args)]
struct RemoveArgs {
    /// Its number
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    id: Option<u64>,

    /// All of them
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    place: Place,
}

#[derive(Debug, clap::Args)]
struct Place {
    /// The emulator's control interface: PORT or HOST:PORT
    #[arg(long, value_name = "ADDR", value_parser = remote::address)]
    control: String,
}

pub(super) async fn run(args: FaultArgs, global: &Global) -> anyhow::Result<Exit> {
    match args.action {
        Action::Add(args) => add(*args, global).await?,
        Action::List(args) => list(&Remote::new(&args.place.control, global), global.output).await?,
        Action::Remove(args) => remove(&args, global).await?,
    }
    Ok(Exit::Done)
}

async fn add(args: AddArgs, global: &Global) -> anyhow::Result<()> {
    let remote = Remote::new(&args.place.control, global);
    let fault = args.fault()?;
    let armed = remote.post("/v1/faults", serde_json::to_vec(&fault)?).await?;
    match global.output {
        Format::Json => output::json(&armed),
        Format::Human => output::text(&format!("{}\n", armed["id"])),
    }
}

async fn list(remote: &Remote, format: Format) -> anyhow::Result<()> {
    let listed = remote.get("/v1/faults").await?;
    if format == Format::Json {
        return output::json(&listed);
    }
    let mut rows = Rows::new(&["ID", "FIRED", "FAULT"]);
    rows.align_right(&[0, 1]);
    for armed in listed["faults"].as_array().into_iter().flatten() {
        rows.push([armed["id"].to_string(), armed["fired"].to_string(), armed["fault"].to_string()]);
    }
    rows.print()
}

async fn remove(args: &RemoveArgs, global: &Global) -> anyhow::Result<()> {
    let path = match args.id {
        Some(id) => format!("/v1/faults/{id}"),
        None => "/v1/faults".to_owned(),
    };
    let removed: Value = Remote::new(&args.place.control, global).delete(&path).await?;
    match global.output {
        Format::Json => output::json(&removed),
        Format::Human => Ok(()),
    }
}

impl AddArgs {
    fn fault(self) -> anyhow::Result<Fault> {
        if let Some(file) = &self.json {
            let text = read(file).with_context(|| format!("cannot read the fault from {file}"))?;
            return serde_json::from_str(&text)
                .map_err(|error| Failure::usage(format!("this is no fault: {error}")));
        }
        let mut fault = Fault::on(self.on).skip(self.skip).chance(self.chance).then(self.then);
        fault.broker = self.broker;
        fault.name_server = self.name_server_index;
        fault.topic = self.topic;
        fault.queue_id = self.queue;
        fault.client_id = self.client_id;
        fault.times = self.times;
        fault.lasts = self.lasting;
        Ok(fault)
    }
}

fn read(file: &str) -> io::Result<String> {
    if file != "-" {
        return fs::read_to_string(file);
    }
    let mut text = String::new();
    io::stdin().take(MAX_FAULT).read_to_string(&mut text)?;
    Ok(text)
}

fn on(text: &str) -> Result<On, String> {
    match text {
        "any-request" => Ok(On::AnyRequest),
        "connect" => Ok(On::Connect),
        "send" => Ok(On::Send),
        "pull" => Ok(On::Pull),
        "heartbeat" => Ok(On::Heartbeat),
        "route" => Ok(On::Route),
        code => code.parse().map(On::Code).map_err(|_| {
            format!(
                "{code:?} is no request; write any-request, connect, send, pull, heartbeat, route or a code"
            )
        }),
    }
}

fn effect(text: &str) -> Result<Effect, String> {
    let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)));
    let close = |when| Effect::Close { when, goodbye: Goodbye::Reset };
    Ok(match (name, value) {
        ("observe", None) => Effect::Observe,
        ("delay", Some(time)) => Effect::delay(value::duration(time)?),
        ("drop-request", None) => Effect::DropRequest,
        ("drop-answer", None) => Effect::DropAnswer,
        ("close", None) => close(When::InsteadOfStoring),
        ("close-after", None) => close(When::AfterStoring),
        ("code", Some(code)) => {
            let code = code.parse().map_err(|_| format!("{code:?} is no answer's code"))?;
            Effect::refuse(code, "a fault of the emulator")
        }
        ("busy", None) => Effect::Busy { tag: Busy::Overload },
        ("disk-full", None) => Effect::disk_full(),
        ("flush-timeout", None) => Effect::flush_timeout(),
        ("replica-timeout", None) => Effect::replica_timeout(),
        ("no-replica", None) => Effect::no_replica(),
        ("lied-success", None) => Effect::LiedSuccess,
        ("go-away", None) => Effect::go_away(),
        ("answer-twice", None) => Effect::AnswerTwice,
        ("wrong-opaque", None) => Effect::WrongOpaque,
        ("garbage", None) => Effect::Garbage { bytes: 1024 },
        _ => return Err(format!("{text:?} is no effect known here; --help lists them, --json takes all")),
    })
}

const EXAMPLES: &str = "\
Examples:
  maxq emulator fault add --control 9877 --on send --topic orders --times 3 --then busy
  maxq emulator fault add --control 9877 --on send --chance 0.1 --then delay=2s
  echo '{\"on\":\"route\",\"then\":{\"do\":\"route\",\"variant\":\"truncated\"}}' | maxq emulator fault add --control 9877 --json -";

/// More than any fault has.
const MAX_FAULT: u64 = 256 * 1024;
