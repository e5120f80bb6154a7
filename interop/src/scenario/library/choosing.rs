//! Who chooses the queue: the caller, a key as in Java, chance, a closure.

use anyhow::{Context as _, Result};
use maxq::{ByChance, ByKey, Message, MessageQueue, SendReceipt};

use super::stored_where;
use crate::{
    expect,
    library::{Library, message},
    message::Sample,
    scenario::readers::{Lookup, all_see, find},
    stage::Stage,
};

/// Every message is in the queue that was chosen, and a key leads where Apache's `SelectMessageQueueByHash` leads.
pub(in crate::scenario) fn choosing(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-choosing";
    let library = Library::connect(&stage.name_server)?;
    library.ensure_topic(TOPIC, 4)?;
    let producer = library.producer()?;
    let queues = library.run(producer.queues(TOPIC))?;
    expect::that("writable queues", queues.len()).is(&(4 * stage.brokers.len()))?;

    let mut sent = Vec::new();
    let mut chosen: Vec<(SendReceipt, MessageQueue)> = Vec::new();
    for queue in &queues {
        let sample = Sample::new(format!("to {queue}"));
        let sending = producer.send(message(TOPIC, &sample)).to(queue.clone());
        chosen.push((library.run(async { sending.await })?, queue.clone()));
        sent.push(sample);
    }
    let last = |queues: &[MessageQueue], _: &Message| queues.len().checked_sub(1);
    let sample = Sample::new("to the last");
    let sending = producer.send(message(TOPIC, &sample)).select_by(last);
    let expected = queues.last().context("a topic has queues")?;
    chosen.push((library.run(async { sending.await })?, expected.clone()));
    sent.push(sample);

    let chance = ByChance::seeded(7);
    let mut by_chance = Vec::new();
    for number in 0..8 {
        let sample = Sample::new(format!("by chance {number}"));
        let sending = producer.send(message(TOPIC, &sample)).select_by(chance.clone());
        by_chance.push(library.run(async { sending.await })?);
        sent.push(sample);
    }
    let places: std::collections::BTreeSet<_> =
        by_chance.iter().map(|receipt| receipt.queue().to_string()).collect();
    expect::holds(&format!("chance leads to several queues: {places:?}"), places.len() > 1)?;

    let mut by_key = Vec::new();
    for key in KEYS {
        let sample = Sample::new(format!("by key {key}"));
        let sending = producer.send(message(TOPIC, &sample)).select_by(ByKey::new(*key));
        by_key.push((*key, library.run(async { sending.await })?));
        sent.push(sample);
    }
    let mut by_java = Vec::new();
    let name_server = stage.name_server.clone();
    for key in KEYS {
        let sample = Sample::new(format!("by key in Java {key}"));
        by_java.push(stage.judge()?.send_by_key(&name_server, TOPIC, &sample, key)?);
        sent.push(sample);
    }

    let seen = all_see(stage, TOPIC, &sent, Lookup::First)?;
    for (receipt, queue) in &chosen {
        stored_where(receipt, &seen)?;
        expect::that("queue that was chosen", receipt.queue()).is(&queue)?;
    }
    by_chance.iter().try_for_each(|receipt| stored_where(receipt, &seen))?;
    for ((key, receipt), java) in by_key.iter().zip(&by_java) {
        stored_where(receipt, &seen)?;
        let ours = (receipt.queue().broker_name(), receipt.queue().queue_id());
        let java = find(&seen, &java.sent_message_id)?;
        expect::that(&format!("queue of the key {key:?}"), ours).is(&(java.broker.as_str(), java.queue))?;
    }
    Ok(())
}

/// Among them one beyond ASCII, one beyond the first plane, and one whose Java hash is negative.
const KEYS: &[&str] = &["order-42", "größe", "🚀", "polygenelubricants", "a"];
