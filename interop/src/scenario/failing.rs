//! Apache's Java producer while an emulated broker fails: the client that everybody knows judges the emulator's faults.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use maxq_emulator::{Effect, Fault, On};

use crate::{clock, emulated::Emulated, expect, judge::JavaLoad, maxq, stage::Stage};

/// One of two brokers is killed under load and comes back: the producer goes on with the other one.
///
/// A send that is under way as the broker dies may fail: once, a client 4.9.7 missed the end of its connection and
/// waited for the whole deadline. One that begins later may not.
pub(super) fn killed(stage: &mut Stage<'_>) -> Result<()> {
    under_load(stage, "interop-killed", (false, SENDERS as usize), |emulated| {
        clock::pass(PHASE);
        emulated.kill_broker(1);
        clock::pass(PHASE);
        emulated.restart_broker(1)?;
        clock::pass(PHASE);
        Ok(())
    })
}

/// One of two brokers answers slowly: the producer with `sendLatencyFaultEnable` leaves it and fails no send.
pub(super) fn slow(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-slow";
    under_load(stage, TOPIC, (true, 0), |emulated| {
        let slow = Fault::on(On::Send).broker("broker-1").then(Effect::delay(Duration::from_millis(700)));
        let fault = emulated.cluster().fault(slow);
        clock::pass(3 * PHASE);
        let (fired, stored) = (fault.fired(), emulated.cluster().stored_count(TOPIC));
        fault.remove();
        expect::holds(&format!("the slow broker was asked, {fired} times"), fired > 0)?;
        // Each sender meets it, learns, and stays away for a while: without that, every second send would meet it.
        expect::holds(&format!("of {stored} sends few went to the slow broker: {fired}"), fired * 4 < stored)
    })
}

/// Plays `story` while Apache's producer sends; no more sends than said may fail, and what it was told is stored.
fn under_load(
    stage: &mut Stage<'_>,
    topic: &str,
    (latency_fault, may_fail): (bool, usize),
    story: impl FnOnce(&Emulated) -> Result<()>,
) -> Result<()> {
    let emulated = Emulated::start(maxq::emulated(stage.judges.version()), 2)?;
    emulated.cluster().create_topic(topic, 4)?;
    let name_server = emulated.cluster().name_servers();
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("sends");
    let judge = stage.judge()?;
    let load =
        JavaLoad { topic, senders: SENDERS, deadline: Duration::from_secs(10), body: 64, latency_fault };
    judge.load(&name_server, &load)?;
    let told = story(&emulated);
    judge.unload(&report)?;
    told?;
    let lines = fs::read_to_string(&report).context("the load left no report")?;
    // SENDER NUMBER BEGAN TOOK [KIND OF ERROR]
    let failed: Vec<_> = lines.lines().filter(|line| line.split(' ').count() > 4).collect();
    expect::holds(&format!("at most {may_fail} sends fail: {failed:?}"), failed.len() <= may_fail)?;
    let sends = (lines.lines().count() - failed.len()) as u64;
    expect::holds(&format!("{sends} sends are enough to tell"), sends > 100)?;
    let stored = emulated.cluster().stored_count(topic);
    expect::holds(&format!("all {sends} messages are stored: {stored}"), stored >= sends)
}

const SENDERS: u32 = 4;
/// Long enough for every sender to meet what has changed.
const PHASE: Duration = Duration::from_millis(1_000);
