//! The library against Apache's servers and against the emulator: what it sends, Apache's client and tools read back field
//! by field.

mod administration;
mod batches;
mod choosing;
mod closing;
mod compression;
mod discovery;
mod endings;
mod events;
mod mistakes;
mod presence;
mod reading;
mod rules;
mod stats;

use anyhow::Result;
use maxq::{SendReceipt, StoreStatus};

pub(super) use self::{
    administration::{lookups, offsets, topics},
    batches::batches,
    choosing::choosing,
    closing::closing,
    compression::compression,
    discovery::{address_endpoint, name_servers},
    endings::{binary_headers, endings},
    events::{events, prewarm},
    mistakes::{missing_topic, wrong_ports},
    presence::presence,
    reading::reading,
    rules::rules,
    stats::stats,
};
use super::readers::find;
use crate::{expect, message::Seen};

/// Compares the receipt of a message that was stored at the first attempt with what is stored.
fn stored_where(receipt: &SendReceipt, seen: &[Seen]) -> Result<()> {
    let found = find(seen, receipt.message_id().as_str())?;
    expect::that("status in the receipt", receipt.status()).is(&StoreStatus::Ok)?;
    expect::that("attempts", receipt.attempts().len()).is(&1)?;
    expect::holds("the receipt warns of no duplicate", !receipt.maybe_duplicate())?;
    expect::that("topic in the receipt", receipt.queue().topic()).is(&found.topic.as_str())?;
    at_its_place(receipt, found)
}

/// Broker, queue, offset and the broker's id.
fn at_its_place(receipt: &SendReceipt, found: &Seen) -> Result<()> {
    let (queue, offset) = (receipt.queue(), receipt.queue_offset().cast_signed());
    expect::that("place in the receipt", (queue.broker_name(), queue.queue_id(), offset))
        .is(&found.place())?;
    expect::that("offset message id in the receipt", receipt.offset_id())
        .is(&found.offset_message_id.as_str())
}
