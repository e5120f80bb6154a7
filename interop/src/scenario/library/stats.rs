//! The figures of a producer.

use anyhow::{Context as _, Result};
use maxq::{CompressionChoice, Latencies, Load, Message, MessageBatch, Outcome, SendError, Stats};

use crate::{
    clock, expect,
    library::{self, Library, PATIENCE, message},
    message::Sample,
    scenario::readers::{Lookup, all_see},
    stage::Stage,
};

/// Each message is counted once, by how its send has ended; each answer once in each part of the latency. What is counted
/// as stored is what Apache's client finds.
pub(in crate::scenario) fn stats(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-stats";
    let library = Library::connect(&stage.name_server)?;
    library.ensure_topic(TOPIC, 4)?;
    // It lets pass what is more than the 4 MiB of a broker, so that the broker itself refuses.
    let config = library::producing().max_message_size(8 << 20).compression(CompressionChoice::Off);
    let producer = library.producer_with(config)?;
    expect::that("sends that began before the first", producer.stats().begun).is(&0)?;

    let mut sent: Vec<_> = (0..20).map(|number| Sample::new(format!("counted {number}"))).collect();
    for sample in &sent {
        library.run(async { producer.send(message(TOPIC, sample)).await })?;
    }
    let batch: Vec<_> = (0..3).map(|number| Sample::new(format!("counted in a batch {number}"))).collect();
    let messages = MessageBatch::new(batch.iter().map(|sample| message(TOPIC, sample)))?;
    library.run(async { producer.send_batch(messages).await })?;
    sent.extend(batch);
    // A batch is three messages and one answer.
    answered(stage, &producer.stats(), 21)?;

    let oneway = Sample::new("handed over");
    library.run(async { producer.send(message(TOPIC, &oneway)).oneway().await })?;
    let too_large = Message::new(TOPIC, vec![b'x'; (4 << 20) + 1]);
    outcome_is(library.run(async { producer.send(too_large).await }), Outcome::Refused)?;
    let empty = Message::new(TOPIC, "");
    outcome_is(library.run(async { producer.send(empty).await }), Outcome::NotSent)?;

    let stats = producer.stats();
    let ended = [stats.acknowledged, stats.refused, stats.not_sent, stats.unknown, stats.handed_over];
    expect::that("acknowledged, refused, not sent, unknown, handed over", ended).is(&[23, 1, 1, 0, 1])?;
    expect::that("begun and under way", (stats.begun, stats.under_way)).is(&(26, 0))?;
    // The connection lets go of a message a moment after its end was told.
    let is_empty = || {
        let stats = producer.stats();
        Ok((stats.buffered == Load::default() && stats.in_flight == Load::default()).then_some(()))
    };
    let emptied = clock::wait_for(PATIENCE, is_empty)?;
    emptied.with_context(|| format!("nothing is buffered and in flight: {:?}", producer.stats()))?;
    expect::that(&format!("retries of {:?}", stats.retries), stats.retries.total()).is(&0)?;
    // The refusal was an answer, too; the empty body never left, and one way there is none.
    let parts = [&stats.latency.queue, &stats.latency.network, &stats.latency.broker];
    expect::that("answers that are split into parts", parts.map(Latencies::count)).is(&[22; 3])?;
    expect::that("messages whose whole time is counted", stats.latency.total.count()).is(&21)?;

    sent.push(oneway);
    all_see(stage, TOPIC, &sent, Lookup::First).map(drop)
}

/// Nothing but acknowledged sends so far: their time has three parts, none longer than the longest whole, and every
/// broker has answered some.
fn answered(stage: &Stage<'_>, stats: &Stats, answers: u64) -> Result<()> {
    let latency = &stats.latency;
    let (total, parts) = (&latency.total, [&latency.queue, &latency.network, &latency.broker]);
    expect::that("answers", parts.map(Latencies::count)).is(&[answers; 3])?;
    for part in parts {
        expect::holds(
            &format!("a part is no longer than the whole: {latency:?}"),
            part.max() <= total.max(),
        )?;
    }
    expect::holds(&format!("the network takes time: {latency:?}"), !latency.network.max().is_zero())?;
    let known: Vec<_> =
        stats.brokers.iter().map(|at| (at.name.to_string(), at.address.to_string())).collect();
    let mut expected: Vec<_> =
        stage.brokers.iter().map(|broker| (broker.name.clone(), broker.address.to_string())).collect();
    expected.sort_by(|one, other| one.1.cmp(&other.1));
    expect::that("brokers, by address", known).are(&expected)?;
    for broker in &stats.brokers {
        let has_answered = broker.is_connected && !broker.usual_latency.is_zero();
        expect::holds(&format!("it is connected and has answered: {broker:?}"), has_answered)?;
    }
    Ok(())
}

fn outcome_is<T>(result: Result<T, SendError>, expected: Outcome) -> Result<()> {
    match result {
        Ok(_) => anyhow::bail!("a message that cannot be stored was taken"),
        Err(error) => expect::that(&format!("outcome of {error}"), error.outcome()).is(&expected),
    }
}
