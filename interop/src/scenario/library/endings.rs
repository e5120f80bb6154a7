//! Every way to end a send, and both encodings of headers.

use std::{sync::mpsc, time::Duration};

use anyhow::{Context as _, Result};
use maxq::{ClientConfig, HeaderEncoding, Message, MessageBatch, SendReceipt, blocking};

use super::stored_where;
use crate::{
    expect,
    library::{self, Library, PATIENCE, message},
    message::Sample,
    scenario::{
        produce::all_kinds,
        readers::{Lookup, all_see, find},
    },
    stage::Stage,
};

/// Awaited, one way, enqueued and flushed, tried without waiting, with a callback, without async.
pub(in crate::scenario) fn endings(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-library";
    let library = Library::connect(&stage.name_server)?;
    library.ensure_topic(TOPIC, 4)?;
    let producer = library.producer()?;
    let mut sent = all_kinds();
    let mut receipts = Vec::new();
    for sample in &sent {
        receipts.push(library.run(async { producer.send(message(TOPIC, sample)).await })?);
    }

    let oneway = numbered("one way", 3);
    for sample in &oneway {
        library.run(async { producer.send(message(TOPIC, sample)).oneway().await })?;
    }
    let enqueued = numbered("enqueued", 20);
    let tried = numbered("tried", 3);
    receipts.extend(library.run(async {
        let mut deliveries = Vec::new();
        for sample in &enqueued {
            deliveries.push(producer.send(message(TOPIC, sample)).enqueue().await?);
        }
        for sample in &tried {
            deliveries.push(producer.send(message(TOPIC, sample)).try_enqueue()?);
        }
        let flushed = producer.flush(PATIENCE).await;
        let rest = (flushed.refused, flushed.not_sent, flushed.unknown, flushed.pending);
        expect::that("refused, not sent, unknown and pending of the flush", rest).is(&(0, 0, 0, 0))?;
        let mut receipts = Vec::new();
        for delivery in deliveries {
            receipts.push(delivery.await?);
        }
        anyhow::Ok(receipts)
    })?);
    let called = numbered("with callback", 1);
    receipts.push(with_callback(&library, &producer, message(TOPIC, &called[0]))?);
    let blocking = numbered("without async", 8);
    receipts.extend(without_async(&stage.name_server, TOPIC, &blocking)?);
    let hasty = Sample::new("does not wait for the store");
    let unwaited = message(TOPIC, &hasty).wait_for_store(false);
    let unwaited = library.run(async { producer.send(unwaited).await })?;

    sent.extend([oneway, enqueued, tried, called, blocking, vec![hasty]].concat());
    let seen = all_see(stage, TOPIC, &sent, Lookup::First)?;
    receipts.iter().try_for_each(|receipt| stored_where(receipt, &seen))?;
    stored_where(&unwaited, &seen)?;
    properties(stage, TOPIC, sent.len(), &unwaited)
}

/// As [`endings`], with the binary header that 4.9 mirrors and 5.x answers in JSON.
pub(in crate::scenario) fn binary_headers(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-binary";
    let config = ClientConfig::new(&stage.name_server).header_encoding(HeaderEncoding::Binary);
    let library = Library::with(config)?;
    library.ensure_topic(TOPIC, 2)?;
    let producer = library.producer()?;
    let mut sent = all_kinds();
    let mut receipts = Vec::new();
    for sample in &sent {
        receipts.push(library.run(async { producer.send(message(TOPIC, sample)).await })?);
    }
    let oneway = Sample::new("one way, binary");
    library.run(async { producer.send(message(TOPIC, &oneway)).oneway().await })?;
    sent.push(oneway);
    let batch = numbered("batch, binary", 3);
    let messages = MessageBatch::new(batch.iter().map(|sample| message(TOPIC, sample)))?;
    let stored = library.run(async { producer.send_batch(messages).await })?;
    expect::that("receipts of the batch", stored.receipts().len()).is(&3)?;
    sent.extend(batch);
    let seen = all_see(stage, TOPIC, &sent, Lookup::First)?;
    receipts.iter().try_for_each(|receipt| stored_where(receipt, &seen))?;
    for queue in library.run(library.admin().queues(TOPIC))? {
        let (mut reader, mut read) = (library.client().reader(&queue, maxq::From::Start), Vec::new());
        while let Some(view) = library.run(reader.next())? {
            read.push(library::seen(&view));
        }
        let of_queue = seen
            .iter()
            .filter(|seen| (seen.broker.as_str(), seen.queue) == (queue.broker_name(), queue.queue_id()));
        expect::that("messages of a queue, read with binary headers", read)
            .are(&of_queue.cloned().collect::<Vec<_>>())?;
    }
    Ok(())
}

fn with_callback(library: &Library, producer: &maxq::Producer, message: Message) -> Result<SendReceipt> {
    let (tell, told) = mpsc::channel();
    library.run(async {
        let delivery = producer.send(message).enqueue().await?;
        delivery.on_complete(move |result| drop(tell.send(result)));
        anyhow::Ok(())
    })?;
    Ok(told.recv_timeout(PATIENCE).context("the callback was not called")??)
}

/// Waited for, one way, enqueued with a callback, in a batch: two of each. Receipts of all but those one way.
fn without_async(name_server: &str, topic: &str, samples: &[Sample]) -> Result<Vec<SendReceipt>> {
    let producer = blocking::Producer::with(ClientConfig::new(name_server), library::producing())?;
    let mut pairs = samples.chunks(2).map(|two| two.iter().map(|sample| message(topic, sample)));
    let mut two = || pairs.next().into_iter().flatten();
    let mut receipts = two().map(|message| producer.send(message).wait()).collect::<Result<Vec<_>, _>>()?;
    two().try_for_each(|message| producer.send(message).oneway().wait())?;
    let (tell, told) = mpsc::channel();
    for message in two() {
        let tell = tell.clone();
        producer.send(message).enqueue(move |result| drop(tell.send(result)))?;
    }
    receipts.extend(producer.send_batch(MessageBatch::new(two())?).wait()?);
    let flushed = producer.flush(PATIENCE);
    let rest = (flushed.refused, flushed.not_sent, flushed.pending);
    expect::that("refused, not sent and pending of the flush", rest).is(&(0, 0, 0))?;
    for _ in 0..2 {
        receipts.push(told.recv_timeout(PATIENCE).context("the callback was not called")??);
    }
    let stats = producer.stats();
    expect::that("acknowledged and handed over", (stats.acknowledged, stats.handed_over)).is(&(6, 2))?;
    let report = producer.close(Duration::from_secs(5));
    expect::that("refused, not sent and unknown at close", (report.refused, report.not_sent, report.unknown))
        .is(&(0, 0, 0))?;
    Ok(receipts)
}

/// RocketMQ's own properties as Apache's client sees them.
fn properties(stage: &mut Stage<'_>, topic: &str, count: usize, unwaited: &SendReceipt) -> Result<()> {
    let name_server = stage.name_server.clone();
    let stored = stage.judge()?.read(&name_server, topic, count)?;
    let seen = stored.iter().map(|message| message.judged()).collect::<Result<Vec<_>>>()?;
    let is_4 = stage.judges.is_4();
    let unwaited = find(&seen, unwaited.message_id().as_str())?;
    for (java, seen) in stored.iter().zip(&seen) {
        expect::that("property UNIQ_KEY", java.property("UNIQ_KEY")).is(&Some(seen.message_id.as_str()))?;
        let keys = (!seen.keys.is_empty()).then(|| seen.keys.join(" "));
        expect::that("property KEYS", java.property("KEYS")).is(&keys.as_deref())?;
        expect::that("property TAGS", java.property("TAGS")).is(&seen.tag.as_deref())?;
        // Brokers of 4.9 act on the property and do not store it.
        let waits = java.property("WAIT").unwrap_or("true");
        let expected = if seen.message_id == unwaited.message_id && !is_4 { "false" } else { "true" };
        expect::that("property WAIT", waits).is(&expected)?;
    }
    Ok(())
}

fn numbered(what: &str, count: usize) -> Vec<Sample> {
    (0..count)
        .map(|number| {
            Sample::new(format!("{what} {number}")).keys(&["k", what.split(' ').next().unwrap_or(what)])
        })
        .collect()
}
