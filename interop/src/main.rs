//! `maxq-interop`: proves Maxq against released Apache RocketMQ servers, clients and tools.
//!
//! Read from the top: [`smoke`] is a run, [`scenario`] is what is proved, [`stage`] is where. [`apache`] starts real
//! clusters, [`judge`] drives Apache's Java client and tools, [`maxq`] drives the command line under test. See
//! `README.md` for how to run it.

mod apache;
mod clock;
mod expect;
mod interrupt;
mod judge;
mod maxq;
mod message;
mod mqadmin;
mod ports;
mod process;
mod report;
mod scenario;
mod smoke;
mod stage;

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};

use crate::{
    apache::{Apache, ApacheCluster},
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
        #[command(flatten)]
        versions: Versions,
        /// The maxq to test, instead of one built now.
        #[arg(long, value_name = "FILE")]
        maxq: Option<PathBuf>,
    },
    /// Apache's clients and tools against Apache's servers: whether the judges agree among themselves.
    SelfCheck {
        #[command(flatten)]
        versions: Versions,
    },
    /// Starts an Apache cluster to play with, until Ctrl-C.
    Up {
        /// Version of Apache RocketMQ.
        #[arg(long, default_value = "5.5.0", value_parser = version)]
        version: String,
        /// Number of brokers.
        #[arg(long, default_value_t = 1)]
        brokers: usize,
    },
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
        let mut known = BTreeSet::new();
        self.versions.into_iter().filter(|version| known.insert(version.clone())).collect()
    }
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
        Task::Smoke { versions, maxq } => {
            let maxq = match maxq {
                Some(binary) => binary.canonicalize().with_context(|| format!("{}", binary.display()))?,
                None => maxq::build()?,
            };
            play("smoke", &Plan { versions: versions.once_each(), maxq: Some(maxq), scratch })
        }
        Task::SelfCheck { versions } => {
            play("self-check", &Plan { versions: versions.once_each(), maxq: None, scratch })
        }
        Task::Up { version, brokers } => {
            let apache = Apache::prepare(&version, &maxq::target_folder()?.join("interop"))?;
            let cluster = ApacheCluster::start(&apache, brokers, &scratch)?;
            println!("name server {}", cluster.name_server());
            for broker in cluster.brokers() {
                println!("{} {}", broker.name, broker.address);
            }
            eprintln!("Apache RocketMQ {version} is up; Ctrl-C stops it");
            loop {
                std::thread::park();
            }
        }
    }
}

fn play(name: &str, plan: &Plan) -> Result<bool> {
    let report = smoke::run(plan)?;
    io::stdout().write_all(report.text(name).as_bytes()).context("cannot write to standard output")?;
    Ok(report.passed())
}

/// A version becomes part of file names and of Maven's arguments.
fn version(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    match text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("expected a version such as 5.5.0".to_owned()),
    }
}

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
