//! `maxq-bench`: the null broker, the floor, the client, and everything that compares them.

use std::{io::Read as _, process::ExitCode};

use clap::{Parser, Subcommand};
use maxq_bench::{
    child::NullBrokerProcess,
    client, document,
    floor::{self, Variant},
    load::{Load, Way},
    memory,
    null_broker::{self, NullBroker},
    peers,
    profile::{self, instructions},
    suite,
};
use tokio::{runtime, sync::oneshot};

/// What a message costs the client, as a ratio to the least that it could cost
#[derive(Parser)]
#[command(version)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a name server and brokers that answer at once and store nothing; the addresses come as one line of JSON
    NullBroker {
        #[command(flatten)]
        options: null_broker::Options,
        /// End when standard input does, so that it never outlives who started it
        #[arg(long)]
        until_stdin_closes: bool,
    },
    /// Send pre-built frames to a null broker: the least that awaited messages can cost
    Floor {
        #[command(flatten)]
        load: Load,
        /// How to send
        #[arg(long, value_enum, default_value_t = Variant::Tasks)]
        variant: Variant,
    },
    /// Send with the client to a null broker
    #[command(alias = "awaited")]
    Client {
        #[command(flatten)]
        load: Load,
    },
    /// Run floor and client in turn against null brokers of its own, part by part, and print the medians
    Suite(suite::Options),
    /// Tell where the instructions of a send go, by stage (needs valgrind)
    Profile(profile::Options),
    /// Count the instructions of a send and compare them with the recorded ones (needs valgrind)
    Instructions {
        /// Record them instead
        #[arg(long)]
        record: bool,
    },
    /// Send many messages and tell whether memory stays flat
    Memory(memory::FlatOptions),
    /// One run of `memory`
    #[command(hide = true)]
    MemoryPhases {
        #[command(flatten)]
        load: Load,
    },
    /// Open and close many clients and tell whether they leave anything behind
    Clients(memory::ClientsOptions),
    /// Build other clients and run them beside ours (needs Java, Maven and Go)
    Peers(peers::Options),
    /// Everything but `peers`: profile, instructions, suite, memory, clients, written into BENCHMARKS.md
    Report,
}

fn main() -> ExitCode {
    match run(Line::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the verdict is good, where there is one.
fn run(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::NullBroker { options, until_stdin_closes } => {
            runtime(1)?.block_on(serve(&options, until_stdin_closes))?;
        }
        Command::Floor { load, variant } => {
            print(&runtime(load.shape.threads.get())?.block_on(floor::run(variant, &load))?)?;
        }
        Command::Client { load } if load.way == Way::Blocking => print(&client::run_blocking(&load)?)?,
        Command::Client { load } => {
            print(&runtime(load.shape.threads.get())?.block_on(client::run(&load))?)?;
        }
        Command::Suite(options) => run_suite(&options)?,
        Command::Profile(options) => run_profile(&options)?,
        Command::Instructions { record } => return compare_instructions(record),
        Command::Memory(options) => return run_memory(&options),
        Command::MemoryPhases { load } => print(&runtime(1)?.block_on(memory::phases(&load))?)?,
        Command::Clients(options) => return run_clients(&options),
        Command::Peers(options) => {
            let peers = peers::run(&options)?;
            print!("{peers}");
            if options.write {
                peers.write(&options)?;
            }
        }
        Command::Report => return report(),
    }
    Ok(true)
}

/// Each as if it had been typed; the verdicts of all are asked for, even when one is bad.
fn report() -> anyhow::Result<bool> {
    let mut is_well = true;
    for words in ["profile --write", "instructions", "suite --write", "memory --write", "clients --write"] {
        eprintln!("=== {words}");
        is_well &= run(Line::try_parse_from(["maxq-bench"].into_iter().chain(words.split(' ')))?.command)?;
    }
    Ok(is_well)
}

fn run_suite(options: &suite::Options) -> anyhow::Result<()> {
    let suite = suite::run(options)?;
    match options.json {
        true => println!("{}", serde_json::to_string_pretty(&suite)?),
        false => print!("{suite}"),
    }
    if options.write { suite.write(options) } else { Ok(()) }
}

fn run_profile(options: &profile::Options) -> anyhow::Result<()> {
    let profile = profile::run(options)?;
    print!("{profile}");
    if options.write {
        document::write(profile::SECTION, "profile", &profile.to_string())?;
    }
    Ok(())
}

fn run_memory(options: &memory::FlatOptions) -> anyhow::Result<bool> {
    let flat = memory::compare(options)?;
    print!("{flat}");
    if options.write {
        document::write(memory::FLAT, "memory", &flat.to_string())?;
    }
    Ok(flat.is_flat())
}

fn run_clients(options: &memory::ClientsOptions) -> anyhow::Result<bool> {
    let broker = NullBrokerProcess::start()?;
    let clients = runtime(1)?.block_on(memory::churn(broker.name_server(), options.clients.get()))?;
    print!("{clients}");
    if options.write {
        document::write(memory::CLIENTS, "clients", &clients.to_string())?;
    }
    Ok(clients.left_nothing())
}

fn compare_instructions(record: bool) -> anyhow::Result<bool> {
    let now = instructions::count()?;
    print!("{now}");
    if record {
        now.record()?;
        return Ok(true);
    }
    let differences = instructions::Counts::recorded()?.differences(&now)?;
    for difference in &differences {
        eprintln!("{difference}");
    }
    if !differences.is_empty() {
        eprintln!("if that is meant, record it: cargo run --release -p maxq-bench -- instructions --record");
    }
    Ok(differences.is_empty())
}

async fn serve(options: &null_broker::Options, until_stdin_closes: bool) -> anyhow::Result<()> {
    let broker = NullBroker::bind(options).await?;
    println!("{}", serde_json::to_string(broker.addresses())?);
    let (alive, closed) = oneshot::channel::<()>();
    // Tokio's standard input would do the same, but holds up the end of the runtime.
    std::thread::spawn(move || {
        if until_stdin_closes {
            let _read = std::io::stdin().read_to_end(&mut Vec::new());
        } else {
            std::thread::park();
        }
        drop(alive);
    });
    tokio::select! {
        biased; // an error is told even when standard input has closed too
        result = broker.run() => Ok(result?),
        _ = closed => Ok(()),
    }
}

fn runtime(threads: usize) -> anyhow::Result<runtime::Runtime> {
    let mut builder = match threads {
        1 => runtime::Builder::new_current_thread(),
        _ => runtime::Builder::new_multi_thread(),
    };
    Ok(builder.worker_threads(threads).enable_all().build()?)
}

fn print(report: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(report)?);
    Ok(())
}
