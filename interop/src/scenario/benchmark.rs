//! Apache's benchmark classes, which are published for 5.5.0 only.

use std::time::Duration;

use anyhow::{Context as _, Result};
use maxq::Message;

use super::consumers;
use crate::{clock, emulated::Emulated, expect, library::Library, process::Process, stage::Stage};

/// `Producer -q`: it ends by itself and counts no failure; every message is stored. It speaks the binary header.
pub(super) fn producer(stage: &mut Stage<'_>) -> Result<()> {
    let emulated = Emulated::start(VERSION, 2)?;
    emulated.cluster().create_topic(TOPIC, 4)?;
    let messages = MESSAGES.to_string();
    let main = ["-q", &messages, "-w", "4", "-s", "256", "-t", TOPIC];
    let ended = start(stage, &emulated, "Producer", &main)?.wait(LIMIT)?;
    let printed = String::from_utf8_lossy(&ended.stdout);
    expect::holds(&format!("Producer ends well: {} {printed}", ended.status), ended.status.success())?;
    expect::contains("Producer", &printed, &[&format!("Send Total: {MESSAGES}"), "Send Failed: 0"])?;
    expect::that("messages that are stored", emulated.cluster().stored_count(TOPIC)).is(&MESSAGES)
}

/// `BatchProducer`, which never ends by itself: it stores batches until it is killed, and reports no failure.
pub(super) fn batch_producer(stage: &mut Stage<'_>) -> Result<()> {
    let emulated = Emulated::start(VERSION, 2)?;
    emulated.cluster().create_topic(TOPIC, 4)?;
    let main = ["-b", "8", "-w", "2", "-s", "64", "-t", TOPIC];
    let process = start(stage, &emulated, "BatchProducer", &main)?;
    let stored =
        clock::wait_for(LIMIT, || Ok((emulated.cluster().stored_count(TOPIC) >= MESSAGES).then_some(())))?;
    let said = process.tail();
    drop(process);
    stored.with_context(|| format!("BatchProducer stored fewer than {MESSAGES} messages\n{said}"))?;
    expect::holds(&format!("BatchProducer reports no failure: {said}"), !said.contains("Exception"))
}

/// `Consumer`, which never ends by itself: it takes what is sent meanwhile, reports no failure from the tenth second on,
/// and leaves nothing behind.
pub(super) fn consumer(stage: &mut Stage<'_>) -> Result<()> {
    const GROUP: &str = "interop-benchmark-group";
    let emulated = Emulated::start(VERSION, 2)?;
    emulated.cluster().create_topic(TOPIC, 4)?;
    let name_server = emulated.cluster().name_servers();
    let process = start(stage, &emulated, "Consumer", &["-t", TOPIC, "-g", GROUP, "-p", "false", "-w", "4"])?;
    let library = Library::connect(&name_server)?;
    let producer = library.producer()?;
    let report = clock::wait_for(LIMIT, || {
        library.run(async { producer.send(Message::new(TOPIC, "to be consumed")).await })?;
        // The first report may come before the first message, and a report is written piece by piece.
        let took_some = |line: &&str| {
            let is_whole = line.split_once("Consume Fail: ").is_some_and(|(_, count)| !count.is_empty());
            is_whole && line.contains("Consume TPS: ") && !line.contains("Consume TPS: 0 ")
        };
        Ok(process.tail().lines().find(took_some).map(str::to_owned))
    })?;
    let said = process.tail();
    let report = report.with_context(|| format!("Consumer reports no message\n{said}"))?;
    expect::contains("Consumer", &report, &["Consume Fail: 0"])?;
    let judge = stage.judge()?;
    let mut latest = String::new();
    let done = clock::wait_for(LIMIT, || {
        latest = judge.mqadmin(&name_server, &["consumerProgress", "-g", GROUP])?;
        Ok((consumers::left(&latest) == Some(0)).then_some(()))
    })?;
    done.with_context(|| format!("consumerProgress\n  expected: nothing left\n      came: {latest}"))?;
    let said = process.tail();
    expect::holds(&format!("Consumer reports no failure: {said}"), !said.contains("Exception"))
}

fn start(stage: &Stage<'_>, emulated: &Emulated, class: &str, arguments: &[&str]) -> Result<Process> {
    let folder = stage.folder(&format!("benchmark-{class}"))?;
    let class = format!("org.apache.rocketmq.example.benchmark.{class}");
    let name_server = emulated.cluster().name_servers();
    let main = [&[class.as_str(), "-n", &name_server], arguments].concat();
    let command = stage.judges.apache().benchmark(&folder.join("home"), &main)?;
    Process::start("benchmark", &command, None, &folder)
}

/// The only version whose benchmark is published.
pub(super) const VERSION: &str = "5.5.0";
const TOPIC: &str = "interop-benchmark";
const MESSAGES: u64 = 2_000;
const LIMIT: Duration = Duration::from_secs(90);
