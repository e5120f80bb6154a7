//! The rest of the command line: looking up, describing, deleting, pacing, measuring, examining.

use anyhow::{Context as _, Result};

use super::{
    admin,
    readers::{Lookup, all_see},
};
use crate::{clock, expect, maxq::Maxq, message::Sample, stage::Stage};

/// `msg get` by both ids, `msg query`, `topic describe`, `topic delete`.
pub(super) fn lookups(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-tools";
    admin::create_topic(stage, TOPIC, 2)?;
    let maxq = maxq(stage)?;
    let sent = [
        Sample::new("grün 🚀").tag("t").keys(&["shared", "own"]).property("ä=b", "c:d"),
        Sample::new((0..=255).collect::<Vec<u8>>()).keys(&["shared"]).flag(7),
    ];
    maxq.produce_samples(TOPIC, &sent)?;
    let seen = all_see(stage, TOPIC, &sent, Lookup::First)?;
    for message in &seen {
        let by_offset = maxq.msg(&["get", &message.offset_message_id])?;
        expect::that("maxq msg get, by offset id", by_offset).are(std::slice::from_ref(message))?;
        let by_id = indexed(1, || maxq.msg(&["get", "--topic", TOPIC, &message.message_id]))?;
        expect::that("maxq msg get, by message id", by_id).are(std::slice::from_ref(message))?;
    }
    let mut shared = indexed(2, || maxq.msg(&["query", TOPIC, "shared"]))?;
    shared.sort_by(|one, other| one.place().cmp(&other.place()));
    expect::that("maxq msg query", shared).are(&seen)?;

    let described = maxq.printed(&["topic", "describe", TOPIC])?;
    expect::that("messages of maxq topic describe", described["messages"].as_u64()).is(&Some(2))?;
    let brokers = described["brokers"].as_array().context("no brokers")?;
    expect::that("brokers of maxq topic describe", brokers.len()).is(&stage.brokers.len())?;
    for broker in brokers {
        let queues = (&broker["read_queues"], &broker["write_queues"], &broker["perm"]);
        expect::that("queues and permission of maxq topic describe", queues).is(&(
            &2.into(),
            &2.into(),
            &6.into(),
        ))?;
    }
    maxq.printed(&["topic", "delete", TOPIC, "--yes"])?;
    let name_server = stage.name_server.clone();
    let listed = stage.judge()?.mqadmin(&name_server, &["topicList"])?;
    expect::holds(
        "topicList does not show the deleted topic",
        !listed.lines().any(|line| line.trim() == TOPIC),
    )
}

/// `produce --rate`, `bench` in every mode and both loops, `doctor`.
pub(super) fn measures(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-measures";
    admin::create_topic(stage, TOPIC, 2)?;
    let maxq = maxq(stage)?;
    let sent: Vec<_> = (0..20).map(|number| Sample::new(format!("paced {number}"))).collect();
    let began = clock::now();
    maxq.produce_paced(TOPIC, "20/s", &sent)?;
    let took = began.elapsed();
    // The first goes at once.
    expect::holds(
        &format!("20 messages at 20 a second take 0.9 s and more: {took:?}"),
        took.as_millis() >= 900,
    )?;
    all_see(stage, TOPIC, &sent, Lookup::First)?;

    bench(stage, &maxq)?;

    let examined = maxq.printed(&["doctor", TOPIC])?;
    expect::that(&format!("verdict of {examined}"), examined["verdict"].as_str()).is(&Some("well"))?;
    let bad = examined["checks"].as_array().context("no checks")?.iter();
    // An address has no name to be looked up: that check is left out.
    let bad: Vec<_> = bad.filter(|check| check["state"] != "ok" && check["state"] != "skipped").collect();
    expect::that("checks of maxq doctor that are not well", bad).are(&[])?;
    let (name_server, expected) = (stage.name_server.clone(), sent.len() + stage.brokers.len());
    let stored = stage.judge()?.read(&name_server, TOPIC, expected)?;
    expect::that("messages with those of the doctor", stored.len()).is(&expected)
}

/// Each mode of `bench`; nothing fails, and what it counts is stored.
fn bench(stage: &Stage<'_>, maxq: &Maxq) -> Result<()> {
    let plot = stage.folder("plot")?.join("bench.svg");
    let plot = plot.to_str().context("a folder of another name")?;
    let ways: [&[&str]; 5] = [
        &["--in-flight", "32"],
        &["--rate", "500/s", "--plot", plot],
        // Paced: of a flood, a broker throws away what its queue has no room for, and tells nobody.
        &["--mode", "oneway", "--rate", "500/s"],
        &["--mode", "batch", "--in-flight", "2", "--batch", "10"],
        &["--mode", "blocking", "--in-flight", "2"],
    ];
    let mut sent = 0;
    for way in ways {
        let measured =
            maxq.printed(&[&["bench", "--warm-up", "100ms", "--duration", "400ms"], way].concat())?;
        let count = |key: &str| measured[key].as_u64().with_context(|| format!("no {key} in {measured}"));
        let amiss = (count("failed")?, count("unknown")?);
        expect::that(&format!("failed and unknown of {way:?}: {measured}"), amiss).is(&(0, 0))?;
        let done = count("acknowledged")?;
        expect::holds(&format!("bench {way:?} has sent something: {measured}"), done > 0)?;
        sent += done;
    }
    let drawn = std::fs::read_to_string(plot).context("bench --plot wrote nothing")?;
    expect::holds("the plot is a picture", drawn.contains("<svg") && drawn.contains("</svg>"))?;
    // What is sent one way is stored a moment later.
    let mut stored = 0;
    let all = clock::wait_for(std::time::Duration::from_secs(10), || {
        stored = maxq.printed(&["topic", "describe", "maxq-bench"])?["messages"].as_u64().unwrap_or(0);
        Ok((stored >= sent).then_some(()))
    })?;
    expect::holds(&format!("of the {sent} that bench counted, {stored} are stored"), all.is_some())
}

/// Looks again for some seconds: a broker adds a message to its index a moment after it is stored.
fn indexed<T>(count: usize, mut look: impl FnMut() -> Result<Vec<T>>) -> Result<Vec<T>> {
    let mut latest = Ok(Vec::new());
    clock::wait_for(std::time::Duration::from_secs(10), || {
        latest = look();
        Ok(latest.as_ref().is_ok_and(|found| found.len() >= count).then_some(()))
    })?;
    latest
}

fn maxq(stage: &Stage<'_>) -> Result<Maxq> {
    stage.maxq.clone().context("this scenario needs maxq")
}
