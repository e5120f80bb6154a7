//! Compressed bodies, by every algorithm.

use anyhow::Result;
use maxq::{CompressionChoice, From, MessageView};

use super::stored_where;
use crate::{
    expect,
    library::{self, Library, message},
    message::Sample,
    scenario::readers::{Lookup, all_see},
    stage::Stage,
};

/// The store has the algorithm's bits, and all readers get the body. Readers before 5.0 know zlib alone.
pub(in crate::scenario) fn compression(stage: &mut Stage<'_>) -> Result<()> {
    let library = Library::connect(&stage.name_server)?;
    let choices = [
        ("interop-plain", CompressionChoice::Off, 0, true),
        ("interop-zlib", CompressionChoice::Zlib { from: 4_096, level: 5 }, 0x301, true),
        ("interop-lz4", CompressionChoice::Lz4 { from: 4_096 }, 0x101, false),
        ("interop-zstd", CompressionChoice::Zstd { from: 4_096, level: 3 }, 0x201, false),
    ];
    for (topic, choice, bits, is_known_everywhere) in choices {
        library.ensure_topic(topic, 1)?;
        let producer = library.producer_with(library::producing().compression(choice))?;
        let sent = [Sample::new("grün 🚀 und blau ".repeat(4_000)), Sample::new("too short to compress")];
        let mut receipts = Vec::new();
        for sample in &sent {
            receipts.push(library.run(async { producer.send(message(topic, sample)).await })?);
        }
        if is_known_everywhere || stage.judges.knows_every_compression() {
            let seen = all_see(stage, topic, &sent, Lookup::First)?;
            receipts.iter().try_for_each(|receipt| stored_where(receipt, &seen))?;
        }
        for ((receipt, sample), expected) in receipts.iter().zip(&sent).zip([bits, 0]) {
            let view = read(&library, receipt)?;
            expect::that(&format!("sys flag of a message of {topic}"), view.sys_flag()).is(&expected)?;
            expect::that(&format!("body of a message of {topic}"), library::seen(&view).body)
                .is(&sample.body)?;
        }
    }
    Ok(())
}

fn read(library: &Library, receipt: &maxq::SendReceipt) -> Result<MessageView> {
    let mut reader = library.client().reader(receipt.queue(), From::Offset(receipt.queue_offset()));
    let view = library.run(reader.next_within(library::PATIENCE))?;
    view.ok_or_else(|| anyhow::anyhow!("nothing is stored at {}", receipt.queue_offset()))
}
