//! One command, one file.

pub(crate) mod bench;
pub(crate) mod cat;
pub(crate) mod cluster;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod emulator;
pub(crate) mod explain;
pub(crate) mod msg;
pub(crate) mod produce;
pub(crate) mod route;
pub(crate) mod topic;

use std::{future::Future, time::Duration};

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};

use crate::{
    args::{Args, Command},
    exit::Exit,
};

/// Runs what was typed.
pub(crate) fn run(args: Args) -> anyhow::Result<Exit> {
    let global = &args.global;
    match args.command {
        // Client and emulated cluster share the machine, so they share its cores.
        Command::Demo(args) => drive(Builder::new_multi_thread(), demo::run(args, global)),
        Command::Bench(args) => drive(Builder::new_multi_thread(), bench::run(args, global)),
        Command::Emulator(args) => drive(Builder::new_multi_thread(), emulator::run(args, global)),
        // One client is at home on one thread, which also keeps the order of what is sent at once.
        Command::Produce(args) => drive(Builder::new_current_thread(), produce::run(args, global)),
        Command::Cat(args) => drive(Builder::new_current_thread(), cat::run(args, global)),
        Command::Route(args) => drive(Builder::new_current_thread(), route::run(args, global)),
        Command::Topic(args) => drive(Builder::new_current_thread(), topic::run(args, global)),
        Command::Msg(args) => drive(Builder::new_current_thread(), msg::run(args, global)),
        Command::Doctor(args) => drive(Builder::new_current_thread(), doctor::run(args, global)),
        Command::Cluster(args) => drive(Builder::new_current_thread(), cluster::run(args, global)),
        Command::Explain(args) => explain::run(&args, global),
        Command::Completions(args) => completions::run(&args, global),
    }
}

fn drive(mut builder: Builder, command: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime: Runtime = builder.enable_all().build().context("cannot start the runtime")?;
    // On the heap: the largest of them holds buffers for every line under way.
    let ended = runtime.block_on(Box::pin(command));
    // A read of standard input cannot be taken back; nobody waits for it.
    runtime.shutdown_timeout(Duration::ZERO);
    ended
}

/// How long a client that has nothing under way may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);
