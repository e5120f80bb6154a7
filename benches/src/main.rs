//! `maxq-bench`: the null broker, the floor, the client, and the ratio of the last two.

use std::{io::Read as _, process::ExitCode};

use clap::{Parser, Subcommand};
use maxq_bench::{
    client,
    floor::{self, Variant},
    load::{Load, Way},
    null_broker::{self, NullBroker},
    profile::{self, instructions},
    ratios,
    report::Report,
};
use tokio::{runtime, sync::oneshot};

/// What an awaited message costs the client, as a ratio to the least that it could cost
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
    /// Run floor and client in turn against a null broker of its own, and print the medians
    Ratios(ratios::Options),
    /// Tell where the instructions of a send go, by stage (needs valgrind)
    Profile(profile::Options),
    /// Count the instructions of a send and compare them with the recorded ones (needs valgrind)
    Instructions {
        /// Record them instead
        #[arg(long)]
        record: bool,
    },
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
        Command::Ratios(options) => {
            let ratios = ratios::run(&options)?;
            match options.output {
                ratios::Output::Markdown => print!("{ratios}"),
                ratios::Output::Json => println!("{}", serde_json::to_string_pretty(&ratios)?),
            }
        }
        Command::Profile(options) => print!("{}", profile::run(&options)?),
        Command::Instructions { record } => return compare_instructions(record),
    }
    Ok(true)
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

fn print(report: &Report) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(report)?);
    Ok(())
}
