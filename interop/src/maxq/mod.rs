//! The command line under test: the one place that knows its flags (here) and the keys of its output ([`output`]).

mod build;
mod emulator;
mod output;

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::output::{Clusters, Route, TopicList, record, seen};
pub(crate) use self::{
    build::{build, golden_bytes, target_folder},
    emulator::{Emulator, emulated},
    output::{BrokerOfCluster, Cluster, Receipt, RouteOfBroker},
};
use crate::{
    clock, expect,
    message::{Sample, Seen},
    process::{Ended, Process},
};

/// `maxq`, pointed at one name server.
#[derive(Clone, Debug)]
pub(crate) struct Maxq {
    binary: PathBuf,
    name_server: String,
    folder: PathBuf,
}

impl Maxq {
    pub(crate) fn new(binary: &Path, name_server: &str, folder: &Path) -> Self {
        Self { binary: binary.into(), name_server: name_server.into(), folder: folder.into() }
    }

    /// `produce`: one message a line, all with the tag, keys and properties of `common`.
    pub(crate) fn produce_lines(
        &self,
        topic: &str,
        bodies: &[&str],
        common: &Sample,
        way: &Way,
    ) -> Result<Vec<Receipt>> {
        let mut arguments = vec![topic.to_owned()];
        match way {
            Way::Awaited => {}
            Way::Oneway => arguments.push("--oneway".into()),
            Way::ToQueue(broker, queue) => arguments.extend(["--queue".into(), format!("{broker}:{queue}")]),
        }
        arguments.extend(common.tag.iter().flat_map(|tag| ["--tag".into(), tag.clone()]));
        arguments.extend(common.keys.iter().flat_map(|key| ["--key".into(), key.clone()]));
        let properties = common.properties.iter();
        arguments
            .extend(properties.flat_map(|(name, value)| ["--property".into(), format!("{name}={value}")]));
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let lines: String = bodies.iter().map(|body| format!("{body}\n")).collect();
        self.produce(&arguments, lines.as_bytes())
    }

    /// `produce --format ndjson` of what [`record`] makes of `samples`.
    pub(crate) fn produce_samples(&self, topic: &str, samples: &[Sample]) -> Result<Vec<Receipt>> {
        let lines: String = samples.iter().map(|sample| format!("{}\n", record(sample))).collect();
        self.produce_ndjson(topic, lines.as_bytes())
    }

    /// `produce --format ndjson`.
    pub(crate) fn produce_ndjson(&self, topic: &str, lines: &[u8]) -> Result<Vec<Receipt>> {
        self.produce(&[topic, "--format", "ndjson"], lines)
    }

    /// `produce -o json`: a receipt for each line of the input.
    fn produce(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<Receipt>> {
        let arguments = [&["produce", "-o", "json"], arguments].concat();
        let printed = String::from_utf8(self.run(&arguments, Some(input))?.stdout).context("maxq produce")?;
        let receipt = |line: &str| {
            serde_json::from_str(line)
                .with_context(|| format!("maxq produce: no receipt: {}", expect::short(line)))
        };
        let receipts = printed.lines().map(receipt).collect::<Result<Vec<_>>>()?;
        expect::that("number of receipts of maxq produce", receipts.len()).is(&count_lines(input))?;
        Ok(receipts)
    }

    /// `cat --format ndjson`, repeated until `count` messages are there or some seconds are over: a broker makes a
    /// message readable a moment after it has acknowledged it.
    pub(crate) fn cat_ndjson(&self, topic: &str, count: usize) -> Result<Vec<u8>> {
        let mut latest = Vec::new();
        clock::wait_for(READ_LIMIT, || {
            latest = self.run(&["cat", topic, "--format", "ndjson"], None)?.stdout;
            Ok((count_lines(&latest) >= count).then_some(()))
        })?;
        Ok(latest)
    }

    /// [`cat_ndjson`](Self::cat_ndjson) as values, in the order of broker, queue and offset.
    pub(crate) fn cat(&self, topic: &str, count: usize) -> Result<Vec<Seen>> {
        let lines = String::from_utf8(self.cat_ndjson(topic, count)?).context("maxq cat: not UTF-8")?;
        let mut seen = lines.lines().map(seen).collect::<Result<Vec<_>>>()?;
        seen.sort_by(|one, other| one.place().cmp(&other.place()));
        Ok(seen)
    }

    /// `topic create`.
    pub(crate) fn topic_create(&self, topic: &str, queues: i32) -> Result<()> {
        let queues = queues.to_string();
        self.run(&["topic", "create", topic, "--queues", &queues], None).map(drop)
    }

    /// `topic list`.
    pub(crate) fn topic_list(&self) -> Result<Vec<String>> {
        Ok(self.object::<TopicList>(&["topic", "list"])?.topics)
    }

    /// `route`: broker by broker.
    pub(crate) fn route(&self, topic: &str) -> Result<Vec<RouteOfBroker>> {
        Ok(self.object::<Route>(&["route", topic])?.brokers)
    }

    /// `cluster`: cluster by cluster.
    pub(crate) fn clusters(&self) -> Result<Vec<Cluster>> {
        Ok(self.object::<Clusters>(&["cluster"])?.clusters)
    }

    /// `msg get` and `msg query`: the messages found.
    pub(crate) fn msg(&self, arguments: &[&str]) -> Result<Vec<Seen>> {
        let printed = self.run(&[&["msg"], arguments, &["-o", "json"]].concat(), None)?.stdout;
        let lines = String::from_utf8(printed).context("maxq msg: not UTF-8")?;
        lines.lines().map(seen).collect()
    }

    /// `produce --rate` of samples.
    pub(crate) fn produce_paced(&self, topic: &str, rate: &str, samples: &[Sample]) -> Result<Vec<Receipt>> {
        let lines: String = samples.iter().map(|sample| format!("{}\n", record(sample))).collect();
        self.produce(&[topic, "--format", "ndjson", "--rate", rate], lines.as_bytes())
    }

    /// The one object that a subcommand prints with `-o json`.
    pub(crate) fn printed(&self, arguments: &[&str]) -> Result<Value> {
        self.object(arguments)
    }

    /// `demo`: its one object.
    pub(crate) fn demo(&self) -> Result<Value> {
        self.object(&["demo", "--seconds", "2"])
    }

    /// Runs a subcommand with `-o json`.
    fn object<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T> {
        let arguments = [arguments, &["-o", "json"]].concat();
        let printed = self.run(&arguments, None)?.stdout;
        serde_json::from_slice(&printed).with_context(|| {
            let printed = String::from_utf8_lossy(&printed);
            format!("maxq {}: not the expected JSON: {}", arguments.join(" "), expect::short(&printed))
        })
    }

    /// Runs a subcommand. Any status but 0 is an error that shows what it said.
    fn run(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Ended> {
        static RUNS: AtomicU32 = AtomicU32::new(0);
        let name = format!("maxq-{}", RUNS.fetch_add(1, Ordering::Relaxed));
        let input = match input {
            Some(bytes) => {
                let path = self.folder.join(format!("{name}.in"));
                fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
                Some(path)
            }
            None => None,
        };
        let mut command: Vec<OsString> = vec![self.binary.clone().into()];
        command.extend(arguments.iter().map(OsString::from));
        command.extend(["--name-server".into(), (&self.name_server).into()]);
        // A busy machine is no reason to fail, and a second attempt after a time-out may store a second message.
        command.extend(["--timeout", "30s"].map(OsString::from));
        let ended = Process::start(&name, &command, input.as_deref(), &self.folder)?.wait(COMMAND_LIMIT)?;
        if !ended.status.success() {
            bail!(
                "maxq {}\n  expected: status 0\n      came: {}\n{}",
                arguments.join(" "),
                ended.status,
                expect::short(&ended.stderr)
            );
        }
        Ok(ended)
    }
}

/// How `produce` is to send.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    Awaited,
    Oneway,
    /// To this queue of this broker.
    ToQueue(String, i32),
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

const READ_LIMIT: Duration = Duration::from_secs(10);
/// Longer than the demo takes on a busy machine.
const COMMAND_LIMIT: Duration = Duration::from_secs(90);
