//! `maxq bench`: how many messages a cluster takes, and how long each takes.

mod load;
mod plot;
mod record;
mod report;
mod sender;
mod stage;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::ValueEnum;
use maxq::{CompressionChoice, ProducerConfig};

use self::{
    load::{Load, Plan},
    report::Report,
    sender::Senders,
    stage::Stage,
};
use super::GOODBYE;
use crate::{
    args::Global,
    exit::{Exit, Failure},
    interrupt::Interrupt,
    notes::Notes,
    output::{Format, counted, grouped},
    value,
};

/// Measure how many messages a cluster takes, and how long each takes
///
/// Starts an emulated cluster in this process, which answers and stores nothing, and sends to it over real sockets.
/// With --name-server it measures that cluster, in its topic maxq-bench; the messages stay there (maxq topic delete
/// removes them). MAXQ_URL and NAMESRV_ADDR are not looked at, so that no cluster gets a load by accident.
///
/// Without --rate the loop is closed: as soon as one message ends, the next one begins. With --rate it is open:
/// messages begin on a schedule, and each one's time counts from when it was due, also when the ones before it are
/// late. A server that stalls therefore shows in every message that had to wait for it, and not in one alone
/// (coordinated omission). Messages that were due by the end and not begun are counted apart, and are in the latencies
/// with what they had waited by then.
///
/// In both loops the latencies are those of all messages behind the warm-up, also of those that failed or got no
/// answer: each counts until it ended. Many that fail at once make the latencies look good; look at failed first.
///
/// What a message costs the client in CPU time is another question; the benchmarks in the source answer that one
/// (benches, `maxq-bench`). Here an emulated cluster shares the machine's cores with the client.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = LONG_HELP)]
pub(crate) struct BenchArgs {
    /// How messages are sent: awaited (until a broker has answered), oneway (until the socket has taken them), batch
    /// (awaited, many in one request) or blocking (awaited, each by a thread that waits)
    #[arg(long, default_value = "awaited", hide_possible_values = true)]
    mode: Mode,

    /// How many messages, batches or threads are under way at once, at most [default: 256, threads: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    in_flight: Option<u32>,

    /// How many messages a batch has [default: 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch: Option<u32>,

    /// Open loop: begin so many messages a second, such as 5000/s [default: closed loop]
    #[arg(long, value_name = "N/s", value_parser = value::rate)]
    rate: Option<f64>,

    /// How long to send before it counts
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = value::duration)]
    warm_up: Duration,

    /// How long to measure
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = value::duration)]
    duration: Duration,

    /// Stop after so many messages behind the warm-up
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    messages: Option<u64>,

    /// Size of each body in bytes; it is not compressed
    #[arg(long, value_name = "BYTES", default_value_t = 1_024, value_parser = clap::value_parser!(u32).range(1..=4_194_304))]
    body: u32,

    /// The topic; it is created with these queues if it is missing
    #[arg(long, default_value = "maxq-bench", value_parser = value::topic)]
    topic: String,

    /// Queues of a new topic on each broker
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(i32).range(1..=1_024))]
    queues: i32,

    /// Brokers of the emulated cluster [default: 2]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=32))]
    brokers: Option<u8>,

    /// Draw throughput and latencies over time into this file, as SVG
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

/// How a message is sent, and with that, when it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    Awaited,
    Oneway,
    Batch,
    Blocking,
}

pub(crate) async fn run(args: BenchArgs, global: &Global) -> anyhow::Result<Exit> {
    let mut interrupt = Interrupt::listen()?;
    let plan = args.plan()?;
    let notes = Notes::with_bar(Some(load::WHOLE));
    let early = || Failure::error(Exit::Interrupted, "interrupted before anything was measured");
    let stage = interrupt.unless(Box::pin(set_up(&args, global))).await.ok_or_else(early)??;
    notes.note(&stage.describe());
    notes.note(&plan.describe());
    let config = ProducerConfig::new(GROUP)
        .timeout(global.send_timeout())
        .limits(plan.in_flight * plan.batch as usize, MOST_BYTES)
        .compression(CompressionChoice::Off);
    let senders = interrupt.unless(Senders::ready(&plan, &stage, config)).await.ok_or_else(early)??;
    let load = Arc::new(Load::new(plan));
    send(&load, &senders, &notes, &mut interrupt).await?;
    notes.end_bar();
    senders.producer().close(GOODBYE).await;
    interrupt.unless(stage.take_down()).await;
    let report = Report::new(&load);
    match global.output {
        Format::Human => report.print()?,
        Format::Json => report.print_json()?,
    }
    if let Some(file) = &args.plot {
        let picture = plot::svg(&report).context("cannot draw the plot")?;
        std::fs::write(file, picture).with_context(|| format!("cannot write {}", file.display()))?;
        notes.note(&format!("throughput and latencies over time: {}", file.display()));
    }
    report.explain(&load, &notes);
    Ok(if load.was_interrupted() { Exit::Interrupted } else { report.exit() })
}

/// A cluster with the topic, emulated or real.
async fn set_up(args: &BenchArgs, global: &Global) -> anyhow::Result<Stage> {
    match (&global.name_server, args.brokers) {
        (Some(_), Some(_)) => Err(Failure::usage(
            "--brokers is for the emulated cluster; leave out one of --brokers and --name-server",
        )),
        (Some(_), None) => {
            Stage::real(global.client_config()?, global.connect().await?, &args.topic, args.queues).await
        }
        (None, brokers) => {
            Stage::emulated(brokers.unwrap_or(2).into(), &args.topic, args.queues, global.timeout).await
        }
    }
}

/// Sends everything; closes a second of the record each second.
async fn send(
    load: &Arc<Load>,
    senders: &Senders,
    notes: &Notes,
    interrupt: &mut Interrupt,
) -> anyhow::Result<()> {
    let mut workers = senders.start(load)?;
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            // What is rare goes first; all of it is short.
            biased;
            () = interrupt.next(), if !load.was_interrupted() => {
                notes.note("interrupted: reporting what was measured so far");
                load.interrupt();
            }
            _ = tick.tick() => {
                load.roll_if_due();
                notes.progress(load.progress(), load.line());
            }
            ended = workers.join_next() => match ended {
                Some(ended) => ended.context("a worker has panicked, which is a bug in maxq")??,
                None => break,
            },
        }
    }
    load.end();
    Ok(())
}

impl BenchArgs {
    fn plan(&self) -> anyhow::Result<Plan> {
        if self.batch.is_some() && self.mode != Mode::Batch {
            return Err(Failure::usage("--batch is for --mode batch"));
        }
        let in_flight = self.in_flight.unwrap_or(if self.mode == Mode::Blocking { 16 } else { 256 });
        if self.mode == Mode::Blocking && in_flight > MOST_THREADS {
            return Err(Failure::usage(format!("--in-flight: at most {MOST_THREADS} threads can be had")));
        }
        let batch = if self.mode == Mode::Batch { self.batch.unwrap_or(64) } else { 1 };
        Ok(Plan {
            mode: self.mode,
            topic: self.topic.clone(),
            body: self.body as usize,
            batch,
            in_flight: in_flight as usize,
            rate: self.rate,
            warm_up: self.warm_up,
            time: self.duration,
            messages: self.messages.unwrap_or(u64::MAX),
        })
    }
}

impl Plan {
    fn describe(&self) -> String {
        let Self { body, warm_up, time, .. } = self;
        let under_way = self.under_way();
        let how = match self.rate {
            None => format!("closed loop, {under_way}"),
            Some(rate) => format!("open loop, {rate} messages/s, at most {under_way}"),
        };
        let most = match self.messages {
            u64::MAX => String::new(),
            messages => format!(" or {}", counted(messages, "message")),
        };
        let bodies = counted(*body as u64, "byte");
        format!(
            "{}, {how}, bodies of {bodies}; warming up for {warm_up:?}, measuring for {time:?}{most}",
            self.mode.name()
        )
    }
}

impl Plan {
    /// How much is under way at once.
    fn under_way(&self) -> String {
        let number = grouped(self.in_flight as u64);
        match self.mode {
            Mode::Awaited | Mode::Oneway => format!("{number} under way"),
            Mode::Batch => format!("{number} batches of {} under way", grouped(self.batch.into())),
            Mode::Blocking => counted(self.in_flight as u64, "thread"),
        }
    }
}

impl Mode {
    const fn name(self) -> &'static str {
        match self {
            Self::Awaited => "awaited",
            Self::Oneway => "oneway",
            Self::Batch => "batch",
            Self::Blocking => "blocking",
        }
    }
}

const GROUP: &str = "maxq-bench";
const TICK: Duration = Duration::from_millis(100);
/// Threads of the blocking mode.
const MOST_THREADS: u32 = 1_024;
/// Bytes of bodies under way.
const MOST_BYTES: usize = 256 << 20;

/// Once for both lengths of help.
macro_rules! examples {
    () => {
        "\
Examples:
  maxq bench
  maxq bench --name-server 127.0.0.1:9876 --in-flight 64 --duration 30s
  maxq bench --name-server 127.0.0.1:9876 --rate 5000/s --plot bench.svg
  maxq bench --mode batch --batch 32 --in-flight 8
  maxq bench --mode oneway --body 100 -o json"
    };
}

const EXAMPLES: &str = examples!();

const LONG_HELP: &str = concat!(
    examples!(),
    "

Output:
  With -o json one object. sent = acknowledged + failed + unknown; a one-way
  message counts as acknowledged when the socket has taken it. Times are in
  microseconds, those of a batch once for all of it, and those of failed and
  unknown messages are among them; corrected says that they count from when a
  message was due. not_begun counts what was due by the end of an open loop and
  not begun: it is in the times and in no other number. points has one entry
  for each second; its messages are the acknowledged ones.

Exit codes:
  0  all messages were acknowledged
  1  none was
  3  no server reached
  4  some failed
  6  interrupted"
);
