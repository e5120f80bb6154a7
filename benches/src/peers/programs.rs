//! The programs that take part: how each is built, with which settings it runs, how it is asked.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use tokio::{process, runtime, time};

use super::{
    Peer, Target,
    figures::{Figures, Line, Outcome},
};
use crate::{
    child::{ourselves, report_of},
    load::{Load, Way},
    report::Report,
};

/// One that takes part, ready to run.
#[derive(Debug)]
pub(super) struct Program {
    peer: Peer,
    /// Program and first arguments, for those that are not our own.
    command: Vec<String>,
}

impl Program {
    /// Builds it, or finds it built.
    ///
    /// # Errors
    /// What it needs is missing, or it does not build.
    pub(super) fn prepare(peer: Peer) -> anyhow::Result<Self> {
        let built = target()?.join("peers");
        fs::create_dir_all(&built)?;
        let command = match peer {
            Peer::Floor | Peer::Maxq => Vec::new(),
            Peer::Java => java(&built)?,
            Peer::Rust => rust(&built.join("rocketmq-rust"))?,
            Peer::Go => go(&built.join("rocketmq-go"))?,
        };
        Ok(Self { peer, command })
    }

    pub(super) const fn peer(&self) -> Peer {
        self.peer
    }

    pub(super) const fn name(&self) -> &'static str {
        match self.peer {
            Peer::Floor => "floor",
            Peer::Maxq => "Maxq",
            Peer::Java => "Java 5.5.0",
            Peer::Rust => "rocketmq-rust 1.0.0",
            Peer::Go => "Go 2.1.2",
        }
    }

    /// Its settings, in a sentence.
    pub(super) const fn settings(&self) -> &'static str {
        match self.peer {
            Peer::Floor => {
                "pre-built frames on tokio's current-thread runtime; it decides and checks nothing"
            }
            Peer::Maxq => {
                "tokio's current-thread runtime; \"async\" is `enqueue` with a callback, the limit of the producer is \
                 what is in flight"
            }
            Peer::Java => {
                "OpenJDK with -Xms4g -Xmx4g -XX:+UseParallelGC, warmed up for 20 s, after which it gets no quicker; \
                 \"sync\" has one thread for each message in flight"
            }
            Peer::Rust => {
                "its own runtime with one worker, which costs less than one for each core; \"async\" is `send_with_callback`"
            }
            Peer::Go => "the runtime as it comes; \"sync\" has one goroutine for each message in flight",
        }
    }

    /// The floor would need to know a real broker's queues, and says nothing there.
    pub(super) fn takes_part(&self, target: Target) -> bool {
        self.peer != Peer::Floor || target == Target::Null
    }

    /// One run; that a peer does not get through it is an outcome too.
    ///
    /// # Errors
    /// Ours failed, or theirs does not start.
    pub(super) fn run(&self, load: &Load, is_quick: bool) -> anyhow::Result<Outcome> {
        match self.peer {
            Peer::Floor => {
                let way = if load.way == Way::Enqueue { Way::Awaited } else { load.way };
                ours("floor", &Load { way, ..load.clone() }).map(Ok)
            }
            Peer::Maxq => ours("client", load).map(Ok),
            _ => self.theirs(load, is_quick),
        }
    }

    fn theirs(&self, load: &Load, is_quick: bool) -> anyhow::Result<Outcome> {
        let warm = match self.peer {
            Peer::Java if !is_quick => JIT.max(load.shape.warm),
            _ => load.shape.warm,
        };
        let way = if load.way == Way::Enqueue { "async".to_owned() } else { load.way.to_string() };
        let (program, first) = self.command.split_first().context("a peer without a program")?;
        let mut command = Command::new(program);
        command.args(first).args([
            format!("--name-server={}", load.name_server),
            format!("--way={way}"),
            format!("--inflight={}", load.inflight),
            format!("--batch={}", load.batch),
            format!("--body={}", load.shape.body),
            format!("--timed-every={}", load.timed_every()),
            format!("--warm={}", warm.as_secs_f64()),
            format!("--secs={}", load.shape.steady.as_secs_f64()),
        ]);
        let limit = warm + load.shape.steady + PATIENCE;
        let output =
            output_within(limit, command).with_context(|| format!("{} does not start", self.name()))?;
        let Some(output) = output else {
            return Ok(Err(format!("did not end within {} s", limit.as_secs())));
        };
        if !output.status.success() {
            return Ok(Err(format!("failed: {}", output.status)));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().rev().find(|line| line.starts_with('{')).unwrap_or_default();
        let figures: Line =
            serde_json::from_str(line).with_context(|| format!("{} printed no figures", self.name()))?;
        Ok(Ok(figures.into()))
    }
}

/// What it printed, or nothing if it had to be killed at the limit.
fn output_within(limit: Duration, command: Command) -> anyhow::Result<Option<Output>> {
    let mut command = process::Command::from(command);
    // What they log is theirs; how many sends failed is counted.
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async { time::timeout(limit, command.output()).await.ok().transpose().map_err(Into::into) })
}

fn ours(sender: &str, load: &Load) -> anyhow::Result<Figures> {
    let mut command = ourselves(&[&[sender.to_owned()][..], &load.arguments()].concat())?;
    Ok(report_of::<Report>(&mut command, sender)?.into())
}

/// The jars are those of the interop suite, which knows how to get them.
fn java(built: &Path) -> anyhow::Result<Vec<String>> {
    let mut asked = Command::new("cargo");
    asked.args(["run", "--release", "-q", "-p", "maxq-interop", "--", "class-path", "--version", VERSION]);
    let output = asked.current_dir(ROOT).stderr(Stdio::inherit()).output().context("cargo does not start")?;
    anyhow::ensure!(output.status.success(), "maxq-interop gave no class path of Apache's Java client");
    let jars = String::from_utf8(output.stdout)?.trim().to_owned();
    let classes = built.join("java");
    fs::create_dir_all(&classes)?;
    let source = format!("{ROOT}/benches/peers/java/Bench.java");
    let mut javac = Command::new("javac");
    javac.args(["-nowarn", "-encoding", "UTF-8", "-cp", &jars, "-d"]).arg(&classes).arg(source);
    finish(&mut javac, "the Java peer does not compile (javac of JDK 17 is needed)")?;
    let command = [
        "java".to_owned(),
        "-Xms4g".to_owned(),
        "-Xmx4g".to_owned(),
        "-XX:+UseParallelGC".to_owned(),
        "-Dfile.encoding=UTF-8".to_owned(),
        // It logs there.
        format!("-Duser.home={}", built.display()),
        "-cp".to_owned(),
        format!("{}:{jars}", classes.display()),
        "Bench".to_owned(),
    ];
    Ok(command.to_vec())
}

fn rust(built: &Path) -> anyhow::Result<Vec<String>> {
    eprintln!("building rocketmq-client-rust; the first time that takes some minutes");
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--locked", "--manifest-path"]);
    cargo.arg(format!("{ROOT}/benches/peers/rocketmq-rust/Cargo.toml")).arg("--target-dir").arg(built);
    finish(&mut cargo, "the peer in Rust does not build")?;
    Ok(vec![built.join("release/peer-rocketmq-rust").display().to_string()])
}

fn go(built: &Path) -> anyhow::Result<Vec<String>> {
    let mut go = Command::new("go");
    go.args(["build", "-o"]).arg(built).arg(".").current_dir(format!("{ROOT}/benches/peers/go"));
    finish(&mut go, "the peer in Go does not build (leave it out with --peer floor,maxq,java,rust)")?;
    Ok(vec![built.display().to_string()])
}

fn finish(command: &mut Command, failed: &'static str) -> anyhow::Result<()> {
    let status = command.stdin(Stdio::null()).status().context(failed)?;
    anyhow::ensure!(status.success(), failed);
    Ok(())
}

/// The folder that this program was built in.
fn target() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.parent().and_then(Path::parent);
    Ok(target.context("this program is in no build folder")?.to_owned())
}

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// Of Apache RocketMQ: client and broker.
pub(super) const VERSION: &str = "5.5.0";
/// What a run may take beyond its own time: a client that cannot keep up is not waited for for ever.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the JVM needs on two cores, which its compilers share with it: after 5 s a message costs 2.4 times as much as
/// after 20 s, and after 40 s as much.
const JIT: Duration = Duration::from_secs(20);
