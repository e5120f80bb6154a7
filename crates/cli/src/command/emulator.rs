//! `maxq emulator run`: an emulated cluster as a server of its own, for clients in any language.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Subcommand;
use maxq_emulator::{Cluster, EmulatedVersion, StartError, StartErrorKind};
use serde::Serialize;

use crate::{
    args::Global,
    exit::{Exit, Failure},
    interrupt::Interrupt,
    notes::Notes,
    output::{self, Format},
};

/// Serve an emulated RocketMQ cluster
#[derive(Debug, clap::Args)]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct EmulatorArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Run(RunArgs),
}

/// Serve a name server and brokers on this machine until Ctrl-C
///
/// For development and tests: everything is kept in memory and gone at the end. It listens on 127.0.0.1, and brokers
/// take free ports, which clients learn from the name server. Topics are created by the first message, or with
/// maxq topic create.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
struct RunArgs {
    /// Number of brokers
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=32))]
    brokers: u8,

    /// Port of the name server; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 9876)]
    port: u16,

    /// When it serves, write where to this file: {"name_server":"HOST:PORT","brokers":["HOST:PORT",..]}
    ///
    /// The file appears whole or not at all, and is removed at the end.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,

    /// The RocketMQ version to answer as: 5.5.0 or 4.9.7
    #[arg(long, value_name = "VERSION", default_value = EmulatedVersion::V5_5_0.name(), value_parser = version)]
    version: EmulatedVersion,
}

/// Where it serves.
#[derive(Debug, Serialize)]
struct Ready {
    name_server: String,
    brokers: Vec<String>,
}

pub(crate) async fn run(args: EmulatorArgs, global: &Global) -> anyhow::Result<Exit> {
    global.refuse_name_server("emulator run")?;
    let Action::Run(args) = args.action;
    let mut interrupt = Interrupt::listen()?;
    let cluster = Cluster::builder()
        .brokers(args.brokers.into())
        .port(args.port)
        .emulate(args.version.name())
        .remembered_requests(0)
        .start()
        .await
        .map_err(|error| explain(error, args.port))?;
    let ready = Ready::of(&cluster);
    let file = args.ready_file.as_deref().map(|file| ReadyFile::write(file, &ready)).transpose()?;
    announce(&ready, args.version, global.output)?;
    interrupt.next().await;
    drop(file);
    cluster.stop().await;
    Ok(Exit::Done)
}

fn announce(ready: &Ready, version: EmulatedVersion, format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(ready);
    }
    let notes = Notes::new();
    let Ready { name_server, brokers } = ready;
    notes.note(&format!("emulated RocketMQ {}: name server {name_server}", version.name()));
    notes.note(&format!("brokers {}", brokers.join(", ")));
    notes.note(&format!("to use it: export NAMESRV_ADDR={name_server}    to end it: Ctrl-C"));
    Ok(())
}

/// A port that is taken is the failure that people meet.
fn explain(error: StartError, port: u16) -> anyhow::Error {
    match error.kind() {
        StartErrorKind::Listen(_) => {
            let cause = anyhow::Error::from(error);
            let taken = cause.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
            let taken = taken.into_iter().any(|cause| cause.kind() == io::ErrorKind::AddrInUse);
            let advice = if taken {
                format!(
                    "; something listens on port {port} already: end it, or take another port (--port 0: any free one)"
                )
            } else {
                String::new()
            };
            Failure::error(Exit::CannotConnect, format!("{cause:#}{advice}"))
        }
        _ => error.into(),
    }
}

impl Ready {
    fn of(cluster: &Cluster) -> Self {
        let brokers = (0..cluster.broker_count()).map(|index| cluster.broker(index).address().to_string());
        Self { name_server: cluster.name_servers(), brokers: brokers.collect() }
    }
}

/// A file that is there as long as this value lives.
struct ReadyFile(PathBuf);

impl ReadyFile {
    /// Writes beside the place and renames, so that nobody reads half of it.
    fn write(file: &Path, ready: &Ready) -> anyhow::Result<Self> {
        let mut beside = file.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        let beside = Self(beside.into());
        let write = || {
            let mut out = fs::File::create(&beside.0)?;
            serde_json::to_writer(&mut out, ready)?;
            out.write_all(b"\n")?;
            fs::rename(&beside.0, file)
        };
        write().with_context(|| format!("cannot write the ready file {}", file.display()))?;
        Ok(Self(file.to_owned()))
    }
}

impl Drop for ReadyFile {
    /// What is not there any more needs no removing.
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

fn version(text: &str) -> Result<EmulatedVersion, String> {
    text.parse().map_err(|error: maxq_emulator::UnknownVersion| error.to_string())
}

const EXAMPLES: &str = "\
Examples:
  maxq emulator run
  maxq emulator run --brokers 3 --version 4.9.7
  maxq emulator run --port 0 --ready-file cluster.json";
