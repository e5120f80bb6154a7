//! `maxq-interop`: proves Maxq against released Apache RocketMQ servers, clients and tools.
//!
//! Read from the top: [`smoke`] is a run, [`scenario`] is what is proved, [`stage`] is where, [`mishap`] is what
//! goes wrong. [`faults`] is the other run: real signals to real brokers, under load, measured. [`apache`] starts real clusters, [`judge`] drives Apache's Java client
//! and tools, [`maxq`] drives the command line under test. See `README.md` for how to run it.

mod apache;
mod clock;
mod compatibility;
mod emulated;
mod expect;
mod faults;
mod golden;
mod interrupt;
mod judge;
mod library;
mod machine;
mod maxq;
mod message;
mod mishap;
mod mqadmin;
mod ports;
mod process;
mod report;
mod scenario;
mod signal;
mod smoke;
mod stage;
mod twins;

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    apache::{Apache, ApacheCluster, Layout, Replication, USER},
    mishap::When,
    report::Report,
    smoke::Plan,
};

/// Proves Maxq against released Apache RocketMQ servers, clients and tools. Needs Java (a JDK) and Maven.
#[derive(Parser)]
#[command(name = "maxq-interop")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// maxq against Apache's servers, Apache's clients and tools against maxq's emulator.
    Smoke {
        /// Versions of Apache RocketMQ, as published on Maven [default: 5.5.0,4.9.7; with --all 4.9.7,5.1.4,5.3.3,5.5.0].
        #[arg(long, value_delimiter = ',', value_parser = version)]
        versions: Vec<String>,
        /// Every version of the matrix, and every failure instead of those of each change.
        #[arg(long)]
        all: bool,
        /// Only scenarios whose name has this in it.
        #[arg(long, value_name = "TEXT", conflicts_with = "write")]
        only: Option<String>,
        /// The maxq to test, instead of one built now.
        #[arg(long, value_name = "FILE")]
        maxq: Option<PathBuf>,
        /// Writes the table into COMPATIBILITY.md, whether everything passed or not.
        #[arg(long)]
        write: bool,
    },
    /// Kills and freezes one of two Apache brokers under load, once for Maxq and once for Apache's Java client.
    Faults {
        /// Versions of Apache RocketMQ, as published on Maven.
        #[arg(long, value_delimiter = ',', default_value = "5.5.0", value_parser = version)]
        versions: Vec<String>,
        /// How long each fault lasts.
        #[arg(long, default_value_t = 17, value_parser = clap::value_parser!(u64).range(5..=600))]
        seconds: u64,
        /// Leaves Apache's Java client out, for a quick look.
        #[arg(long, conflicts_with = "write")]
        without_java: bool,
        /// Writes the table into COMPATIBILITY.md, whether the bounds hold or not.
        #[arg(long)]
        write: bool,
    },
    /// Apache's clients and tools against Apache's servers: whether the judges agree among themselves.
    SelfCheck {
        #[command(flatten)]
        versions: Versions,
    },
    /// Bytes of Apache's own classes beside the committed ones that `protocol` is tested against.
    Golden {
        /// Writes them instead of comparing.
        #[arg(long)]
        write: bool,
    },
    /// The same raw requests to Apache's servers and to the emulator: every answer must be the same.
    Twins {
        #[command(flatten)]
        versions: Versions,
    },
    /// Starts an Apache cluster to play with, until Ctrl-C.
    Up {
        /// Version of Apache RocketMQ.
        #[arg(long, default_value = "5.5.0", value_parser = version)]
        version: String,
        /// Number of masters.
        #[arg(long, default_value_t = 1)]
        brokers: usize,
        /// A replica of broker-0, for which it waits (sync) or does not (async).
        #[arg(long)]
        replica: Option<Waits>,
        /// Access control; who may do everything is told.
        #[arg(long)]
        access_control: bool,
        /// Brokers refuse whoever does not speak TLS; their certificate is made up.
        #[arg(long)]
        tls: bool,
    },
    /// Prints the class path of Apache's Java client and tools, fetched by Maven, for programs beside the suite.
    ClassPath {
        /// Version of Apache RocketMQ.
        #[arg(long, default_value = "5.5.0", value_parser = version)]
        version: String,
    },
}

/// Whether `broker-0` waits for its replica.
#[derive(Clone, Copy, ValueEnum)]
enum Waits {
    Async,
    Sync,
}

#[derive(Args)]
struct Versions {
    /// Versions of Apache RocketMQ, as published on Maven.
    #[arg(long, value_delimiter = ',', default_values_t = ["5.5.0".to_owned(), "4.9.7".to_owned()])]
    #[arg(value_parser = version)]
    versions: Vec<String>,
}

impl Versions {
    /// In the order typed. Twice the same would share a folder.
    fn once_each(self) -> Vec<String> {
        once_each(self.versions)
    }
}

fn once_each(versions: Vec<String>) -> Vec<String> {
    let mut known = BTreeSet::new();
    versions.into_iter().filter(|version| known.insert(version.clone())).collect()
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything passed.
fn run(task: Task) -> Result<bool> {
    let temporary =
        tempfile::Builder::new().prefix("maxq-interop-").tempdir().context("no temporary folder")?;
    let scratch = temporary.path().to_owned();
    interrupt::handle(scratch.clone())?;
    match task {
        Task::Smoke { versions, all, only, maxq, write } => {
            let maxq = match maxq {
                Some(binary) => binary.canonicalize().with_context(|| format!("{}", binary.display()))?,
                None => maxq::build()?,
            };
            let usual: &[&str] = if all { &MATRIX } else { &EACH_CHANGE };
            let versions =
                if versions.is_empty() { usual.iter().map(ToString::to_string).collect() } else { versions };
            let mishaps = if all { When::All } else { When::Always };
            let plan = Plan { versions: once_each(versions), maxq: Some(maxq), mishaps, only, scratch };
            let report = play("smoke", &plan)?;
            if write {
                compatibility::write(SMOKE, &report.section())?;
            }
            Ok(report.passed())
        }
        Task::Faults { versions, seconds, without_java, write } => {
            let clients = if without_java { faults::Client::MAXQ } else { faults::Client::ALL };
            let (versions, lasting) = (once_each(versions), Duration::from_secs(seconds));
            let drills = faults::run(&faults::Plan { versions, clients, lasting, scratch })?;
            print(&drills.text())?;
            if write {
                compatibility::write(FAULTS, &drills.section(lasting))?;
            }
            Ok(drills.passed())
        }
        Task::SelfCheck { versions } => {
            let plan = Plan {
                versions: versions.once_each(),
                maxq: None,
                mishaps: When::Always,
                only: None,
                scratch,
            };
            Ok(play("self-check", &plan)?.passed())
        }
        Task::Golden { write } => {
            let report = golden::run(&scratch, write)?;
            print(&report.text("golden"))?;
            Ok(report.passed())
        }
        Task::Twins { versions } => {
            let report = twins::run(&twins::Plan { versions: versions.once_each(), scratch })?;
            print(&report.text("twins"))?;
            Ok(report.passed())
        }
        Task::ClassPath { version } => {
            let build = maxq::target_folder()?.join("interop");
            std::fs::create_dir_all(&build).with_context(|| format!("cannot make {}", build.display()))?;
            print(&format!("{}\n", apache::class_path(&version, "tools", &build)?))?;
            Ok(true)
        }
        Task::Up { version, brokers, replica, access_control, tls } => {
            let apache = Apache::prepare(&version, &maxq::target_folder()?.join("interop"))?;
            let mut layout = Layout::masters(brokers);
            layout = match replica {
                Some(Waits::Async) => layout.replica(Replication::Asynchronous),
                Some(Waits::Sync) => layout.replica(Replication::Synchronous),
                None => layout,
            };
            layout = if access_control { layout.access_control() } else { layout };
            layout = if tls { layout.tls_only() } else { layout };
            let cluster = ApacheCluster::launch(&apache, &layout, &scratch)?;
            println!("name server {}", cluster.name_server());
            for broker in cluster.brokers() {
                println!("{} {}", broker.name, broker.address);
            }
            if let Ok(address) = cluster.replica() {
                println!("replica of broker-0 {address}");
            }
            if access_control {
                println!("access key {}, secret key {}", USER.0, USER.1);
            }
            eprintln!("Apache RocketMQ {version} is up; Ctrl-C stops it");
            loop {
                std::thread::park();
            }
        }
    }
}

fn play(name: &str, plan: &Plan) -> Result<Report> {
    let report = smoke::run(plan)?;
    print(&report.text(name))?;
    Ok(report)
}

fn print(report: &str) -> Result<()> {
    interrupt::hold_if_interrupted();
    io::stdout().write_all(report.as_bytes()).context("cannot write to standard output")
}

/// A version becomes part of file names and of Maven's arguments.
fn version(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    match text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("expected a version such as 5.5.0".to_owned()),
    }
}

/// The versions that each change is proved against: the newest, and the last of 4.x whose jars are whole.
const EACH_CHANGE: [&str; 2] = ["5.5.0", "4.9.7"];
/// Those of the version matrix.
const MATRIX: [&str; 4] = ["4.9.7", "5.1.4", "5.3.3", "5.5.0"];
/// Sections of `COMPATIBILITY.md`.
const FAULTS: &str = "faults";
const SMOKE: &str = "smoke";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_version_is_no_path() {
        assert_eq!(version("5.5.0"), Ok("5.5.0".to_owned()));
        assert!(version("../5").is_err() && version("").is_err() && version("5/0").is_err());
    }

    #[test]
    fn a_version_is_played_once() {
        let typed = ["5.5.0", "4.9.7", "5.5.0"].map(str::to_owned).to_vec();
        assert_eq!(Versions { versions: typed }.once_each(), ["5.5.0", "4.9.7"]);
    }
}
