//! `maxq-interop`: proves Maxq against released Apache RocketMQ servers, clients and tools.
//!
//! Read from the top: [`mod@smoke`] is a run, [`scenario`] is what is proved, [`stage`] is where, [`mishap`] is what
//! goes wrong. [`mod@faults`] is another run: real signals to real brokers, under load, measured. [`mod@twins`] asks two
//! servers the same, [`mod@golden`] compares bytes. [`apache`] starts real clusters, [`judge`] drives Apache's Java
//! client and tools, [`maxq`] drives the command line under test. See `README.md` for how to run it.

mod apache;
mod clock;
mod compatibility;
mod doctor;
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
mod told;
mod twins;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    io::{self, Write as _},
    path::{Path, PathBuf},
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
    /// Everything that can be proved, one after the other: golden, smoke with --all, twins, faults.
    All {
        /// Writes both tables into COMPATIBILITY.md, whether everything passed or not.
        #[arg(long)]
        write: bool,
    },
    /// maxq, Apache's clients and tools against Apache's servers and against maxq's emulator; then failures.
    Smoke(Smoke),
    /// Kills and freezes one of two Apache brokers under load, once for Maxq and once for Apache's Java client.
    Faults(Faults),
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
    Up(Up),
    /// Prints the class path of Apache's Java client and tools, fetched by Maven, for programs beside the suite.
    ClassPath {
        /// Version of Apache RocketMQ.
        #[arg(long, default_value = NEWEST, value_parser = version)]
        version: String,
    },
}

#[derive(Args)]
struct Smoke {
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
}

#[derive(Args)]
struct Faults {
    /// Versions of Apache RocketMQ, as published on Maven.
    #[arg(long, value_delimiter = ',', default_value = NEWEST, value_parser = version)]
    versions: Vec<String>,
    /// How long each fault lasts.
    #[arg(long, default_value_t = SECONDS, value_parser = clap::value_parser!(u64).range(5..=600))]
    seconds: u64,
    /// Leaves Apache's Java client out, for a quick look.
    #[arg(long, conflicts_with = "write")]
    without_java: bool,
    /// Writes the table into COMPATIBILITY.md, whether the bounds hold or not.
    #[arg(long)]
    write: bool,
}

#[derive(Args)]
struct Up {
    /// Version of Apache RocketMQ.
    #[arg(long, default_value = NEWEST, value_parser = version)]
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
    /// Ends when standard input does, so that it never outlives who started it.
    #[arg(long)]
    until_stdin_closes: bool,
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
    #[arg(long, value_delimiter = ',', default_values_t = EACH_CHANGE.map(str::to_owned))]
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
    let scratch = temporary.path();
    interrupt::handle(scratch.to_owned())?;
    match task {
        Task::All { write } => all(scratch, write),
        Task::Smoke(asked) => smoke(asked, scratch),
        Task::Faults(asked) => faults(asked, scratch),
        Task::SelfCheck { versions } => self_check(versions.once_each(), scratch),
        Task::Golden { write } => golden(scratch, write),
        Task::Twins { versions } => twins(versions.once_each(), scratch),
        Task::ClassPath { version } => class_path(&version),
        Task::Up(asked) => up(&asked, scratch),
    }
}

/// Each with a folder of its own. What fails does not keep the next one from being proved. The drills come last and have
/// the machine to themselves.
fn all(scratch: &Path, write: bool) -> Result<bool> {
    let (mut passed, mut failed) = (0, Vec::new());
    let mut prove = |name, proof: &dyn Fn(&Path) -> Result<bool>| {
        eprintln!("=== {name}");
        let outcome = proof(&scratch.join(name));
        if let Err(error) = &outcome {
            eprintln!("error: {error:#}");
        }
        if outcome.is_ok_and(|all_passed| all_passed) { passed += 1 } else { failed.push(name) }
    };
    prove("golden", &|folder| golden(folder, false));
    prove("smoke", &|folder| {
        smoke(Smoke { versions: Vec::new(), all: true, only: None, maxq: None, write }, folder)
    });
    prove("twins", &|folder| twins(EACH_CHANGE.map(str::to_owned).to_vec(), folder));
    prove("faults", &|folder| {
        let versions = vec![NEWEST.to_owned()];
        faults(Faults { versions, seconds: SECONDS, without_java: false, write }, folder)
    });
    let which = if failed.is_empty() { String::new() } else { format!(": {}", failed.join(", ")) };
    print(&format!("\nall: {passed} passed, {} failed{which}\n", failed.len()))?;
    Ok(failed.is_empty())
}

fn smoke(asked: Smoke, scratch: &Path) -> Result<bool> {
    let Smoke { versions, all, only, maxq, write } = asked;
    let maxq = match maxq {
        Some(binary) => binary.canonicalize().with_context(|| format!("{}", binary.display()))?,
        None => maxq::build()?,
    };
    let usual: &[&str] = if all { &MATRIX } else { &EACH_CHANGE };
    let versions =
        if versions.is_empty() { usual.iter().map(ToString::to_string).collect() } else { versions };
    let mishaps = if all { When::All } else { When::Always };
    let (versions, scratch) = (once_each(versions), scratch.to_owned());
    let report = smoke::run(&Plan { versions, maxq: Some(maxq), mishaps, only, scratch })?;
    let passed = told("smoke", &report)?;
    if write {
        compatibility::write(SMOKE, &report.section())?;
    }
    Ok(passed)
}

fn faults(asked: Faults, scratch: &Path) -> Result<bool> {
    let clients = if asked.without_java { faults::Client::MAXQ } else { faults::Client::ALL };
    let (versions, lasting) = (once_each(asked.versions), Duration::from_secs(asked.seconds));
    let drills = faults::run(&faults::Plan { versions, clients, lasting, scratch: scratch.to_owned() })?;
    print(&drills.text())?;
    if asked.write {
        compatibility::write(FAULTS, &drills.section(lasting))?;
    }
    Ok(drills.passed())
}

fn self_check(versions: Vec<String>, scratch: &Path) -> Result<bool> {
    let (mishaps, scratch) = (When::Always, scratch.to_owned());
    told("self-check", &smoke::run(&Plan { versions, maxq: None, mishaps, only: None, scratch })?)
}

fn golden(scratch: &Path, write: bool) -> Result<bool> {
    told("golden", &golden::run(scratch, write)?)
}

fn twins(versions: Vec<String>, scratch: &Path) -> Result<bool> {
    told("twins", &twins::run(&twins::Plan { versions, scratch: scratch.to_owned() })?)
}

fn class_path(version: &str) -> Result<bool> {
    let build = maxq::target_folder()?.join("interop");
    std::fs::create_dir_all(&build).with_context(|| format!("cannot make {}", build.display()))?;
    print(&format!("{}\n", apache::class_path(version, "tools", &build)?))?;
    Ok(true)
}

fn up(asked: &Up, scratch: &Path) -> Result<bool> {
    let Up { version, brokers, replica, access_control, tls, until_stdin_closes } = asked;
    let apache = Apache::prepare(version, &maxq::target_folder()?.join("interop"))?;
    let mut layout = Layout::masters(*brokers);
    layout = match replica {
        Some(Waits::Async) => layout.replica(Replication::Asynchronous),
        Some(Waits::Sync) => layout.replica(Replication::Synchronous),
        None => layout,
    };
    layout = if *access_control { layout.access_control() } else { layout };
    layout = if *tls { layout.tls_only() } else { layout };
    let cluster = ApacheCluster::launch(&apache, &layout, scratch)?;
    let mut told = format!("name server {}\n", cluster.name_server());
    for broker in cluster.brokers() {
        let _ = writeln!(told, "{} {}", broker.name, broker.address);
    }
    if let Ok(address) = cluster.replica() {
        let _ = writeln!(told, "replica of broker-0 {address}");
    }
    if *access_control {
        let _ = writeln!(told, "access key {}, secret key {}", USER.0, USER.1);
    }
    print(&told)?;
    if *until_stdin_closes {
        io::copy(&mut io::stdin(), &mut io::sink())?;
        return Ok(true);
    }
    eprintln!("Apache RocketMQ {version} is up; Ctrl-C stops it");
    loop {
        std::thread::park();
    }
}

/// Prints a report, and says whether everything in it passed.
fn told(name: &str, report: &Report) -> Result<bool> {
    print(&report.text(name))?;
    Ok(report.passed())
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

/// The version that is taken where one is enough.
const NEWEST: &str = "5.5.0";
/// The versions that each change is proved against: the newest, and the last of 4.x whose jars are whole.
const EACH_CHANGE: [&str; 2] = [NEWEST, "4.9.7"];
/// Those of the version matrix.
const MATRIX: [&str; 4] = ["4.9.7", "5.1.4", "5.3.3", "5.5.0"];
/// How long each fault lasts in the table of `COMPATIBILITY.md`.
const SECONDS: u64 = 10;
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
