//! Batches, whole and cut.

use anyhow::{Context as _, Result};
use maxq::{BatchReceipt, MessageBatch};

use super::at_its_place;
use crate::{
    expect,
    library::{self, Library, message},
    message::{Sample, Seen},
    scenario::{
        java::loses_batch_ids,
        readers::{Lookup, all_see},
    },
    stage::Stage,
};

/// One batch, one to a queue, and a long row that is cut into batches: each message has a receipt of its own.
pub(in crate::scenario) fn batches(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-batches";
    let library = Library::connect(&stage.name_server)?;
    library.ensure_topic(TOPIC, 4)?;
    let producer = library.producer_with(library::producing().max_message_size(SMALL))?;
    let of = |samples: &[Sample]| samples.iter().map(|sample| message(TOPIC, sample)).collect::<Vec<_>>();
    let mut receipts: Vec<(Vec<Sample>, BatchReceipt)> = Vec::new();

    let whole = vec![
        Sample::new("first").tag("a").keys(&["k1", "k2"]).flag(7),
        Sample::new("grüße 🚀").property("größe", "ä=b:c"),
        Sample::new("x"),
        Sample::new((0..=255).collect::<Vec<u8>>()),
    ];
    let batch = MessageBatch::new(of(&whole))?;
    receipts.push((whole, library.run(async { producer.send_batch(batch).await })?));

    let queue = library.run(producer.queues(TOPIC))?.pop().context("a topic has queues")?;
    let chosen: Vec<_> = (0..3).map(|number| Sample::new(format!("to {queue}, {number}"))).collect();
    let batch = MessageBatch::new(of(&chosen))?;
    let stored = library.run(async { producer.send_batch(batch).to(queue.clone()).await })?;
    for receipt in stored.receipts() {
        expect::that("queue that was chosen for a batch", receipt.queue()).is(&&queue)?;
    }
    receipts.push((chosen, stored));

    let row: Vec<_> = (0..40).map(|number| Sample::new(format!("{number:>8192}"))).collect();
    let batches = producer.split_batches(of(&row))?;
    expect::holds(
        &format!("40 messages of 8 KiB need several batches: {}", batches.len()),
        batches.len() >= 5,
    )?;
    let mut rest = row.as_slice();
    for batch in batches {
        let (samples, others) = rest.split_at(batch.len());
        rest = others;
        receipts.push((samples.to_vec(), library.run(async { producer.send_batch(batch).await })?));
    }
    expect::that("messages that no batch had", rest.len()).is(&0)?;

    let sent: Vec<_> = receipts.iter().flat_map(|(samples, _)| samples.clone()).collect();
    let seen = all_see(stage, TOPIC, &sent, Lookup::First)?;
    let keeps_ids = !loses_batch_ids(&stage.server, false);
    receipts.iter().try_for_each(|(samples, receipt)| each_stored(samples, receipt, &seen, keeps_ids))
}

fn each_stored(samples: &[Sample], batch: &BatchReceipt, seen: &[Seen], keeps_ids: bool) -> Result<()> {
    expect::that("receipts of a batch", batch.receipts().len()).is(&samples.len())?;
    for (sample, receipt) in samples.iter().zip(batch.receipts()) {
        let place =
            (receipt.queue().broker_name(), receipt.queue().queue_id(), receipt.queue_offset().cast_signed());
        let found = seen.iter().find(|seen| seen.place() == place);
        let found = found.with_context(|| format!("nothing is stored at {place:?}"))?;
        at_its_place(receipt, found)?;
        expect::that(&format!("message at {place:?}"), found.sample()).is(sample)?;
        if keeps_ids {
            expect::that("id in the receipt", receipt.message_id().as_str())
                .is(&found.message_id.as_str())?;
        }
    }
    Ok(())
}

const SMALL: usize = 65_536;
