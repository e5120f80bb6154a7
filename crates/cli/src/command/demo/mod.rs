//! `maxq demo`: sends at full speed, kills a broker, freezes another one, and proves that nothing acknowledged is lost.

mod latency;
mod load;
mod stage;
mod verdict;

use std::{sync::Arc, time::Duration};

use maxq::{CompressionChoice, Producer, ProducerConfig};
use tokio::task::JoinSet;

use self::{
    load::{Blow, Load, Plan},
    stage::Stage,
    verdict::Verdict,
};
use super::GOODBYE;
use crate::{
    args::Global,
    clock,
    exit::{Exit, Failure},
    interrupt::Interrupt,
    notes::Notes,
    output::{Format, counted, grouped},
};

/// See it work: send at full speed, kill a broker, freeze another one, count what is lost
///
/// Starts an emulated cluster in this process and sends to it over real sockets, with one client, awaited messages and
/// one in ten one-way. After a quarter, a broker is killed; at half time, another one freezes: it keeps its connections
/// and answers nothing any more, as with a stalled disk. At the end every acknowledged message is looked for in what
/// the brokers have stored.
///
/// With --name-server the same runs on that cluster, in its topic maxq-demo, without such faults; the messages are
/// read back for the verdict. MAXQ_URL and NAMESRV_ADDR are not looked at, so that no cluster gets a load by accident.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = LONG_HELP)]
pub(crate) struct DemoArgs {
    /// How long to send
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,

    /// Stop after so many messages [default: as many as fit into 512 MiB]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    messages: Option<u64>,

    /// Size of each body in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=4_194_304))]
    body: u32,

    /// How many messages are under way at once
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    in_flight: u32,

    /// Brokers of the emulated cluster [default: 3]; with 2 one is killed, with more another one freezes, too
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=32))]
    brokers: Option<u8>,
}

pub(crate) async fn run(args: DemoArgs, global: &Global) -> anyhow::Result<Exit> {
    let mut interrupt = Interrupt::listen()?;
    let notes = Notes::with_bar(Some(load::WHOLE));
    let early = || Failure::error(Exit::Interrupted, "interrupted before the verdict");
    let stage = interrupt.unless(set_up(&args, global)).await.ok_or_else(early)??;
    notes.note(&stage.describe());
    let plan = Plan {
        run: clock::run_name(),
        topic: TOPIC,
        body: args.body as usize,
        in_flight: args.in_flight as usize,
        time: Duration::from_secs(args.seconds),
        messages: args.most_messages(),
    };
    notes.note(&plan.describe());
    let load = Load::new(plan, producer(&stage, &args, global).await?);
    let load = send(&stage, load, &notes, &mut interrupt).await?;
    notes.progress(load::WHOLE, "looking for every acknowledged message".to_owned());
    let run = load.run().to_owned();
    let outcome =
        interrupt.unless(stage.stored_ids(&run, load.acknowledged_ids())).await.ok_or_else(early)?;
    let verdict = Verdict::new(&load, outcome?);
    notes.end_bar();
    interrupt.unless(stage.take_down()).await;
    match global.output {
        Format::Human => verdict.print()?,
        Format::Json => verdict.print_json()?,
    }
    verdict.explain(&load, &notes);
    Ok(if load.was_interrupted() { Exit::Interrupted } else { verdict.exit() })
}

/// A cluster with the topic, emulated or real.
async fn set_up(args: &DemoArgs, global: &Global) -> anyhow::Result<Stage> {
    match (&global.name_server, args.brokers) {
        (Some(_), Some(_)) => Err(Failure::usage(
            "--brokers is for the emulated cluster; leave out one of --brokers and --name-server",
        )),
        (Some(_), None) => Stage::real(global.connect().await?, TOPIC).await,
        (None, brokers) => {
            let (messages, bytes) = (args.most_messages(), args.most_messages() * args.cost());
            Stage::emulated(brokers.unwrap_or(3).into(), TOPIC, (bytes, messages + REPEATS), global.timeout)
                .await
        }
    }
}

/// A producer that knows the route, so that the first message is as fast as the others.
async fn producer(stage: &Stage, args: &DemoArgs, global: &Global) -> anyhow::Result<Producer> {
    let config = ProducerConfig::new(GROUP)
        .timeout(global.send_timeout())
        .limits(args.in_flight as usize, MOST_BYTES)
        .compression(CompressionChoice::Off);
    let producer = stage.client().producer(config)?;
    producer.queues(TOPIC).await?;
    Ok(producer)
}

/// Sends everything; on the way, brokers die and freeze.
async fn send(stage: &Stage, load: Load, notes: &Notes, interrupt: &mut Interrupt) -> anyhow::Result<Load> {
    let load = Arc::new(load);
    let mut workers = JoinSet::new();
    for worker in 0..load.in_flight() {
        workers.spawn(load.clone().work(worker));
    }
    let mut ids = Vec::new();
    let mut tick = tokio::time::interval(TICK);
    let mut blows = stage.blows().iter().copied().peekable();
    loop {
        tokio::select! {
            // What is rare goes first. A short load may be over when this task hears that part of it is: the blow falls
            // all the same, before the ends of the workers are seen.
            biased;
            () = interrupt.next(), if !load.was_interrupted() => {
                notes.note("interrupted: judging what was sent so far");
                load.interrupt();
            }
            blow = next_blow(&load, blows.peek()), if !load.was_interrupted() => {
                blows.next();
                load.observe_blow(blow);
                let name = stage.suffer(blow).await;
                let done = if blow == Blow::Kill { "killed" } else { "froze" };
                notes.note(&format!("{done} {name} after {}", load.at()));
            }
            _ = tick.tick() => notes.progress(load.progress(), load.line()),
            ended = workers.join_next() => match ended {
                Some(ended) => ids.push(ended?),
                None => break,
            },
        }
    }
    load.end(ids);
    stage.relieve();
    load.close(GOODBYE).await;
    Ok(Arc::into_inner(load).expect("all workers have ended, and they had the other handles"))
}

/// The next blow, when it is time for it; never, when there is none.
async fn next_blow(load: &Load, blow: Option<&Blow>) -> Blow {
    match blow {
        Some(blow) => {
            load.time_for(*blow).await;
            *blow
        }
        None => std::future::pending().await,
    }
}

impl DemoArgs {
    /// How many messages are sent at most. Their ids, and on an emulated cluster the messages, are kept in memory.
    fn most_messages(&self) -> u64 {
        self.messages.unwrap_or_else(|| (MOST_MEMORY / self.cost()).next_multiple_of(1_000))
    }

    /// What one message takes: the body, the rest of its record, its places in the store, its id twice.
    fn cost(&self) -> u64 {
        u64::from(self.body) + 512
    }
}

impl Plan {
    fn describe(&self) -> String {
        let Self { body, in_flight, time, messages, .. } = self;
        format!(
            "sending for {time:?} or {}: {} under way, bodies of {}, one message in ten one-way",
            counted(*messages, "message"),
            grouped(*in_flight as u64),
            counted(*body as u64, "byte")
        )
    }
}

const TOPIC: &str = "maxq-demo";
const GROUP: &str = "maxq-demo";
const TICK: Duration = Duration::from_millis(100);
/// Bytes of bodies under way.
const MOST_BYTES: usize = 256 << 20;
const MOST_MEMORY: u64 = 512 << 20;
/// Room for messages that are stored twice.
const REPEATS: u64 = 100_000;

/// Once for both lengths of help.
macro_rules! examples {
    () => {
        "\
Examples:
  maxq demo
  maxq demo --seconds 10 --in-flight 1000 --body 1024
  maxq demo --name-server 127.0.0.1:9876 -o json"
    };
}

const EXAMPLES: &str = examples!();

const LONG_HELP: &str = concat!(
    examples!(),
    "

Output:
  With -o json one object. sent = acknowledged + failed + unknown + oneway.
  stored counts messages, duplicates their further copies, lost those that
  were acknowledged and are not stored. Times are in microseconds;
  kill_max_us and freeze_max_us are the longest times without any
  acknowledgement after a broker was killed, and after one froze.

Exit codes:
  0  nothing lost
  1  something lost, or nothing acknowledged
  3  no server reached
  6  interrupted"
);
