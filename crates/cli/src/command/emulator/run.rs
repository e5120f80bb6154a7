//! `maxq emulator run`: an emulated cluster as a server of its own, for clients in any language.

use std::{
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use maxq_emulator::{Cluster, EmulatedVersion, StartError, StartErrorKind};
use serde::Serialize;

use super::control::Control;
use crate::{
    args::Global,
    exit::{Exit, Failure},
    interrupt::Interrupt,
    notes::Notes,
    output::{self, Format},
};

/// Serve a name server and brokers on this machine until Ctrl-C
///
/// For development and tests: everything is kept in memory and gone at the end. It listens on 127.0.0.1, and brokers
/// take free ports, which clients learn from the name server. Topics are created by the first message, or with
/// maxq topic create.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct RunArgs {
    /// Number of brokers
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=32))]
    brokers: u8,

    /// Port of the name server; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 9876)]
    port: u16,

    /// When it serves, write where to this file: {"name_server":"HOST:PORT","brokers":["HOST:PORT",..]},
    /// and with --control "control":"HOST:PORT"
    ///
    /// The file appears whole or not at all, and is removed at the end.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,

    /// Serve the control interface on this port of 127.0.0.1; 0 takes any free one
    ///
    /// It is HTTP with JSON: GET /v1/cluster, /v1/faults, /v1/requests; POST /v1/faults,
    /// /v1/brokers/N/kill|restart|restart-elsewhere|freeze|thaw|read-only|writable|forget-clients,
    /// /v1/name-servers/N/stop|start|keep-dead-brokers|drop-dead-brokers; DELETE /v1/faults, /v1/faults/ID, /v1/requests.
    #[arg(long, value_name = "PORT")]
    control: Option<u16>,

    /// Number of name servers
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    name_servers: u8,

    /// The RocketMQ version to answer as: 5.5.0 or 4.9.7
    #[arg(long, value_name = "VERSION", default_value = EmulatedVersion::V5_5_0.name(), value_parser = version)]
    version: EmulatedVersion,
}

/// Where it serves.
#[derive(Debug, Serialize)]
struct Ready {
    name_server: String,
    brokers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<String>,
}

pub(super) async fn run(args: RunArgs, global: &Global) -> anyhow::Result<Exit> {
    let mut interrupt = Interrupt::listen()?;
    let cluster = Cluster::builder()
        .brokers(args.brokers.into())
        .name_servers(args.name_servers.into())
        .port(args.port)
        .emulate(args.version.name())
        .remembered_requests(if args.control.is_some() { REMEMBERED } else { 0 })
        .start()
        .await
        .map_err(|error| explain(error, args.port))?;
    let cluster = Arc::new(cluster);
    let control = match args.control {
        Some(port) => Some(Control::start(port, &cluster).await?),
        None => None,
    };
    let ready = Ready::of(&cluster, control.as_ref().map(Control::address));
    let file = args.ready_file.as_deref().map(|file| ReadyFile::write(file, &ready)).transpose()?;
    announce(&ready, args.version, global.output)?;
    interrupt.next().await;
    drop(file);
    if let Some(control) = control {
        control.stop().await;
    }
    // The control interface has gone and has let go of the cluster.
    if let Some(cluster) = Arc::into_inner(cluster) {
        cluster.stop().await;
    }
    Ok(Exit::Done)
}

fn announce(ready: &Ready, version: EmulatedVersion, format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(ready);
    }
    let notes = Notes::new();
    let Ready { name_server, brokers, control } = ready;
    notes.note(&format!("emulated RocketMQ {}: name server {name_server}", version.name()));
    notes.note(&format!("brokers {}", brokers.join(", ")));
    if let Some(control) = control {
        notes.note(&format!("control interface http://{control}/v1/cluster"));
    }
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
    fn of(cluster: &Cluster, control: Option<SocketAddr>) -> Self {
        let brokers = (0..cluster.broker_count()).map(|index| cluster.broker(index).address().to_string());
        Self {
            name_server: cluster.name_servers(),
            brokers: brokers.collect(),
            control: control.map(|address| address.to_string()),
        }
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
  maxq emulator run --port 0 --ready-file cluster.json
  maxq emulator run --brokers 2 --control 9877";

/// How many requests the control interface tells.
const REMEMBERED: usize = 4096;
