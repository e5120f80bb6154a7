//! Apache's Java producer while an emulated broker fails: the client that everybody knows judges the emulator's faults.

use std::{
    collections::BTreeSet,
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use maxq_emulator::{Effect, Fault, On};

use crate::{
    clock,
    emulated::Emulated,
    expect,
    faults::{Send, named, of_java},
    judge::JavaLoad,
    maxq,
    stage::Stage,
};

/// One of two brokers is killed under load and comes back: the producer goes on with the other one.
///
/// A send that is under way as the broker dies may fail: once, a client 4.9.7 missed the end of its connection and
/// waited for the whole deadline. One that begins later may not.
pub(super) fn killed(stage: &mut Stage<'_>) -> Result<()> {
    under_load(stage, "interop-killed", false, |emulated| {
        clock::pass(PHASE);
        emulated.kill_broker(1);
        let killed = clock::now();
        clock::pass(PHASE);
        emulated.restart_broker(1)?;
        clock::pass(PHASE);
        Ok(Some(killed))
    })
}

/// One of two brokers answers slowly: the producer with `sendLatencyFaultEnable` leaves it and fails no send.
pub(super) fn slow(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-slow";
    under_load(stage, TOPIC, true, |emulated| {
        let slow = Fault::on(On::Send).broker("broker-1").then(Effect::delay(Duration::from_millis(700)));
        let fault = emulated.cluster().fault(slow);
        clock::pass(3 * PHASE);
        let (fired, stored) = (fault.fired(), emulated.cluster().stored_count(TOPIC));
        fault.remove();
        expect::holds(&format!("the slow broker was asked, {fired} times"), fired > 0)?;
        // Each sender meets it, learns, and stays away for a while: without that, every second send would meet it.
        expect::holds(
            &format!("of {stored} sends few went to the slow broker: {fired}"),
            fired * 4 < stored,
        )?;
        Ok(None)
    })
}

/// Plays `story` while Apache's producer sends. Only sends that were under way at the moment that the story gives may
/// fail, and what was acknowledged is stored.
fn under_load(
    stage: &mut Stage<'_>,
    topic: &str,
    latency_fault: bool,
    story: impl FnOnce(&Emulated) -> Result<Option<Instant>>,
) -> Result<()> {
    let emulated = Emulated::start(maxq::emulated(stage.judges.version()), 2)?;
    emulated.cluster().create_topic(topic, 4)?;
    let name_server = emulated.cluster().name_servers();
    let report = stage.folder(topic)?.join("sends");
    let judge = stage.judge()?;
    let load =
        JavaLoad { topic, senders: SENDERS, deadline: Duration::from_secs(10), body: 64, latency_fault };
    judge.load(&name_server, &load)?;
    let zero = clock::now();
    let told = story(&emulated);
    judge.unload(&report)?;
    let moment = told?.map(|moment| moment - zero);
    let sends = of_java(&fs::read_to_string(&report).context("the load left no report")?)?;
    let may_fail = |send: &Send| moment.is_some_and(|at| send.began <= at + MOMENT && at <= send.ended());
    let wrong = sends.iter().filter(|send| !send.is_acknowledged() && !may_fail(send)).collect::<Vec<_>>();
    expect::that(&format!("sends that failed and were not under way at {moment:?}"), wrong).are(&[])?;
    all_stored(&emulated, topic, &sends)
}

/// Each message that was acknowledged is there, and there were some.
fn all_stored(emulated: &Emulated, topic: &str, sends: &[Send]) -> Result<()> {
    let acknowledged = || sends.iter().filter(|send| send.is_acknowledged());
    let count = acknowledged().count();
    expect::holds(&format!("{count} sends are enough to tell"), count > 100)?;
    let mut stored = BTreeSet::new();
    emulated.cluster().visit_stored(topic, |message| stored.extend(named(message.body())));
    let missing: Vec<_> = acknowledged().filter(|send| !stored.contains(&send.name)).collect();
    expect::that("acknowledged messages that are not stored", missing).are(&[])
}

const SENDERS: u32 = 4;
/// How long a kill may take, with how far apart the clocks of suite and judge begin.
const MOMENT: Duration = Duration::from_millis(50);
/// Long enough for every sender to meet what has changed.
const PHASE: Duration = Duration::from_millis(1_000);
