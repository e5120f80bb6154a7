//! What a client tells of itself: connections and routes. And what is left to tell after a prewarming: nothing.

use std::{collections::BTreeSet, iter};

use anyhow::{Context as _, Result};
use maxq::{Event, Events};

use crate::{
    expect,
    library::{Library, PATIENCE, message},
    message::Sample,
    scenario::readers::{Lookup, all_see},
    stage::Stage,
};

/// The first send of a client finds its route and connects; a topic that somebody changes is told, and so is the end.
pub(in crate::scenario) fn events(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-events";
    let operator = Library::connect(&stage.name_server)?;
    operator.ensure_topic(TOPIC, 2)?;
    let library = Library::lazy(&stage.name_server)?;
    let mut events = library.client().events();
    let producer = library.producer()?;
    expect::that("events before the first use", told(&mut events)).are(&[])?;
    let sample = Sample::new("the first of a client");
    let receipt = library.run(async { producer.send(message(TOPIC, &sample)).await })?;
    let first = told(&mut events);
    let (begin, rest) = first.split_at(first.len().min(2));
    expect::that("what a first send tells first", begin.to_vec())
        .are(&[connected(&stage.name_server), changed(TOPIC)])?;
    // The heartbeats that begin with the route may connect to the other broker meanwhile.
    let at = receipt.attempts().last().context("a receipt without attempts")?.address();
    expect::holds(&format!("the rest names {at}: {rest:?}"), rest.contains(&connected(at)))?;
    only_brokers(stage, rest)?;

    // By this client itself, which looks at the route at once.
    library.ensure_topic(TOPIC, 3)?;
    let after = told(&mut events);
    expect::holds(&format!("a changed topic is told: {after:?}"), after.contains(&changed(TOPIC)))?;
    library.run(library.client().close(PATIENCE));
    let last = told(&mut events);
    expect::that("the last event", last.last()).is(&Some(&Event::Closed))?;
    expect::that("what follows the last event", library.run(events.next())).is(&None)?;
    all_see(stage, TOPIC, &[sample], Lookup::First).map(drop)
}

/// After [`prewarm`](maxq::Producer::prewarm) the route is known, every broker is connected and knows the group; a first
/// send to each queue asks nobody and dials nobody.
pub(in crate::scenario) fn prewarm(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-prewarm";
    let operator = Library::connect(&stage.name_server)?;
    operator.ensure_topic(TOPIC, 2)?;
    let library = Library::lazy(&stage.name_server)?;
    let mut events = library.client().events();
    let producer = library.producer()?;
    library.run(producer.prewarm(&[TOPIC]))?;
    let ready = told(&mut events);
    let expected: BTreeSet<_> = iter::once(connected(&stage.name_server))
        .chain(iter::once(changed(TOPIC)))
        .chain(stage.brokers.iter().map(|broker| connected(&broker.address.to_string())))
        .map(|event| event.to_string())
        .collect();
    expect::that("events of prewarm", ready.len()).is(&expected.len())?;
    expect::that("what prewarm tells", ready.iter().map(Event::to_string).collect::<BTreeSet<_>>())
        .is(&expected)?;
    for broker in &stage.brokers {
        let version = library.client().broker_version(&broker.address.to_string());
        expect::holds(&format!("{} has heard of the group: {version:?}", broker.name), version.is_some())?;
    }
    let stats = producer.stats();
    let standing: Vec<_> = stats.brokers.iter().map(|broker| broker.is_connected).collect();
    expect::that("connected brokers before the first send", standing)
        .are(&vec![true; stage.brokers.len()])?;
    expect::that("sends before the first", stats.begun).is(&0)?;

    let mut sent = Vec::new();
    for queue in library.run(producer.queues(TOPIC))? {
        let sample = Sample::new(format!("prepared for {queue}"));
        library.run(async { producer.send(message(TOPIC, &sample)).to(queue).await })?;
        sent.push(sample);
    }
    expect::that("events of the first sends", told(&mut events)).are(&[])?;
    all_see(stage, TOPIC, &sent, Lookup::First).map(drop)
}

/// What was told since the last look.
fn told(events: &mut Events) -> Vec<Event> {
    iter::from_fn(|| events.try_next()).collect()
}

fn connected(address: &str) -> Event {
    Event::Connected { address: address.into() }
}

fn changed(topic: &str) -> Event {
    Event::RouteChanged { topic: topic.into() }
}

/// Nothing but new connections to brokers of the stage.
fn only_brokers(stage: &Stage<'_>, events: &[Event]) -> Result<()> {
    let known: Vec<_> = stage.brokers.iter().map(|broker| connected(&broker.address.to_string())).collect();
    let others: Vec<_> = events.iter().filter(|event| !known.contains(event)).collect();
    expect::that("events that are no connection to a broker", others).are(&[])
}
