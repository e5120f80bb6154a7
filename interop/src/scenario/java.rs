//! Apache's Java producer.

use anyhow::{Context as _, Result};

use super::{
    admin,
    readers::{Lookup, all_see, find},
};
use crate::{
    expect,
    judge::{Acknowledged, SendMode, SendResult},
    message::{Sample, Seen},
    stage::Stage,
};

/// Awaited, with callback, one way, to a chosen queue and in batches: every reader finds each message where the result
/// of its send says.
pub(super) fn every_way_to_send(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-java";
    admin::create_topic(stage, TOPIC, 4)?;
    let name_server = stage.name_server.clone();
    let last = stage.brokers.last().context("a stage has brokers")?.name.clone();
    let sends = [
        (SendMode::Sync, None, waited()),
        (SendMode::Async, None, vec![Sample::new("with callback").tag("b").keys(&["k1"])]),
        (SendMode::Oneway, None, vec![Sample::new("one way")]),
        (SendMode::Sync, Some((last.as_str(), 3)), vec![Sample::new("to the last queue")]),
        (SendMode::Async, Some((last.as_str(), 2)), vec![Sample::new("with callback to queue 2")]),
        (SendMode::Oneway, Some((last.as_str(), 1)), vec![Sample::new("one way to queue 1")]),
        (SendMode::Batch, None, batch()),
    ];
    let mut sent = Vec::new();
    let mut results = Vec::new();
    for (mode, queue, samples) in sends {
        let came = stage.judge()?.send(&name_server, TOPIC, &samples, mode, queue)?;
        sent.extend(samples);
        results.extend(came.into_iter().map(|result| (result, queue)));
    }
    let seen = all_see(stage, TOPIC, &sent, Lookup::First)?;
    for (result, queue) in &results {
        found_where_it_says(
            result,
            &seen,
            !loses_batch_ids(&stage.server, stage.judges.version().starts_with("5.")),
        )?;
        if let Some(queue) = queue {
            let stored = find(&seen, &result.sent_message_id)?;
            expect::that("queue that was asked for", (stored.broker.as_str(), stored.queue)).is(queue)?;
        }
    }
    Ok(())
}

/// Messages with one argument go to one queue, in their order (`SelectMessageQueueByHash`).
pub(super) fn selector(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-java-selector";
    admin::create_topic(stage, TOPIC, 4)?;
    let name_server = stage.name_server.clone();
    // The judge takes the key for the argument.
    let of = |key: &str, number: i32| Sample::new(format!("{key} {number}")).keys(&[key]);
    let sent: Vec<_> = (0..4).flat_map(|number| [of("red", number), of("blue", number)]).collect();
    stage.judge()?.send(&name_server, TOPIC, &sent, SendMode::Selector, None)?;
    let seen = all_see(stage, TOPIC, &sent, Lookup::First)?;
    for key in ["red", "blue"] {
        let of_key: Vec<_> = seen.iter().filter(|message| message.keys == [key]).collect();
        let places: Vec<_> = of_key.iter().map(|message| (message.broker.as_str(), message.queue)).collect();
        expect::that(&format!("queues of the messages of {key}"), places.clone()).are(&[places[0]; 4])?;
        let bodies: Vec<_> = of_key.iter().map(|message| message.body.clone()).collect();
        let expected: Vec<_> = (0..4).map(|number| of(key, number).body).collect();
        expect::that(&format!("order of the messages of {key}"), bodies).are(&expected)?;
    }
    Ok(())
}

/// A topic that nobody made comes into being on the broker that gets the first message, by the rules of TBW102.
pub(super) fn auto_created_topic(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-java-new";
    let name_server = stage.name_server.clone();
    let sample = Sample::new("makes its topic");
    let results =
        stage.judge()?.send(&name_server, TOPIC, std::slice::from_ref(&sample), SendMode::Sync, None)?;
    let seen = all_see(stage, TOPIC, &[sample], Lookup::First)?;
    found_where_it_says(&results[0], &seen, true)?;
    admin::is_made_by_default(stage, TOPIC, &seen[0].broker)
}

fn waited() -> Vec<Sample> {
    vec![
        Sample::new("awaited").tag("a").keys(&["k1", "k2"]).flag(7).property("na=me", "va:lue=ä, 🚀"),
        Sample::new("x"),
        // Longer than 4 KiB: the client compresses it.
        Sample::new("repeated text ".repeat(700)),
        Sample::new((0..=255).collect::<Vec<u8>>()),
    ]
}

fn batch() -> Vec<Sample> {
    (0..3).map(|number| Sample::new(format!("batch {number}")).tag("c").keys(&["batch"])).collect()
}

/// Brokers before 5.4 store the batch's own properties behind those of each message in it, so that the ids of the
/// result are lost (apache/rocketmq#9416). So does 4.9, where the batch itself has an id: clients of 5.x give it one.
pub(super) fn loses_batch_ids(server: &str, batch_has_id: bool) -> bool {
    ["Apache 5.0.", "Apache 5.1.", "Apache 5.2.", "Apache 5.3."].iter().any(|line| server.starts_with(line))
        || server.contains(" 4.9.") && batch_has_id
}

/// Compares the ids and places of a result with the stored messages; the ids of a batch only if they are kept.
fn found_where_it_says(result: &SendResult, seen: &[Seen], keeps_batch_ids: bool) -> Result<()> {
    let Some(Acknowledged { status, message_id, offset_message_id, broker, queue, offset }) =
        &result.acknowledged
    else {
        return find(seen, &result.sent_message_id).map(drop);
    };
    expect::that("status", status.as_str()).is(&"SEND_OK")?;
    let (ids, offset_ids): (Vec<_>, Vec<_>) =
        (message_id.split(',').collect(), offset_message_id.split(',').collect());
    expect::that("number of offset ids", offset_ids.len()).is(&ids.len())?;
    expect::that("id in the result", ids[0]).is(&result.sent_message_id.as_str())?;
    for ((id, offset_id), offset) in ids.iter().zip(offset_ids).zip(*offset..) {
        let place = (broker.as_str(), *queue, offset);
        let stored = seen.iter().find(|message| message.place() == place);
        let stored = stored
            .with_context(|| format!("nothing is stored at {place:?}, where message {id} should be"))?;
        expect::that("offset message id", stored.offset_message_id.as_str()).is(&offset_id)?;
        if ids.len() == 1 || keeps_batch_ids {
            expect::that(&format!("id of the message at {place:?}"), stored.message_id.as_str()).is(id)?;
        }
    }
    Ok(())
}
