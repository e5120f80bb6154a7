//! The library's reader on messages of Apache's client.

use anyhow::{Context as _, Result};
use maxq::{From, MessageQueue, Reader};

use crate::{
    clock, expect,
    judge::SendMode,
    library::{self, Library, PATIENCE, message},
    message::{Sample, Seen},
    scenario::readers::{Lookup, all_see},
    stage::Stage,
};

/// From the start, an offset, a time and the end; seeking; and waiting for what comes.
pub(in crate::scenario) fn reading(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-reading";
    let library = Library::connect(&stage.name_server)?;
    library.ensure_topic(TOPIC, 1)?;
    let broker = stage.brokers[0].name.clone();
    let name_server = stage.name_server.clone();
    let mut send = |sample: &Sample| {
        let to = Some((broker.as_str(), 0));
        stage.judge()?.send(&name_server, TOPIC, std::slice::from_ref(sample), SendMode::Sync, to).map(drop)
    };
    let mut sent = vec![
        Sample::new("one").tag("a").keys(&["k1", "k2"]).property("ä=:", "ö, =:"),
        // Long enough for Apache's client to compress it.
        Sample::new("grün und blau ".repeat(1_000)),
        Sample::new((0..=255).collect::<Vec<u8>>()).flag(7),
    ];
    sent.iter().try_for_each(&mut send)?;
    // The store's clock has milliseconds: what is sent next is stored at another time than what was sent before.
    clock::pass(std::time::Duration::from_millis(20));
    sent.push(Sample::new("four"));
    send(&sent[3])?;
    let seen = all_see(stage, TOPIC, &sent, Lookup::First)?;
    let queue = MessageQueue::new(TOPIC, stage.brokers[0].name.as_str(), 0);

    let mut reader = library.client().reader(&queue, From::Start);
    expect::that("from the start", rest(&library, &mut reader)?).are(&seen)?;
    reader.seek(From::Offset(2));
    expect::that("from offset 2", rest(&library, &mut reader)?).are(&seen[2..])?;
    reader.seek(From::Time(seen[3].store_timestamp));
    expect::that("from the time of the last", rest(&library, &mut reader)?).are(&seen[3..])?;
    reader.seek(From::Time(seen[3].store_timestamp + 3_600_000));
    expect::that("from an hour later", rest(&library, &mut reader)?).are(&[])?;
    reader.seek(From::Offset(99));
    // The broker says where the queue ends; a reader that was sent beyond it reads on from there.
    expect::that("from beyond the end", rest(&library, &mut reader)?).are(&[])?;

    let mut waiting = library.client().reader(&queue, From::End);
    expect::that("from the end", rest(&library, &mut waiting)?).are(&[])?;
    let producer = library.producer()?;
    let late = Sample::new("comes later");
    let came = library.run(async {
        let sending = producer.send(message(TOPIC, &late)).to(queue.clone());
        let (came, receipt) = tokio::join!(waiting.next_within(PATIENCE), async { sending.await });
        receipt?;
        anyhow::Ok(came?)
    })?;
    let came = library::seen(&came.context("the message that was waited for did not come")?);
    expect::that("what came", (came.sample(), came.offset)).is(&(late, 4))
}

/// All up to the present end.
fn rest(library: &Library, reader: &mut Reader) -> Result<Vec<Seen>> {
    let mut read = Vec::new();
    while let Some(view) = library.run(reader.next())? {
        read.push(library::seen(&view));
    }
    Ok(read)
}
