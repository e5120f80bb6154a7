//! Reading a queue from an offset on, with Apache's rules of how much one pull gives.

use maxq_protocol::ResponseCode;

use super::{
    Store,
    queue::{ConsumeQueue, QueueUnit},
};

/// Which messages of a queue a pull wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PullFilter {
    /// All of them.
    All,
    /// Those whose tags have one of these hashes; the client compares the tags themselves.
    TagCodes(Vec<i32>),
}

impl PullFilter {
    pub(crate) fn matches(&self, tags_code: i32) -> bool {
        match self {
            Self::All => true,
            Self::TagCodes(codes) => codes.contains(&tags_code),
        }
    }
}

/// How a read ended (Apache's `GetMessageStatus`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PullStatus {
    /// There are messages.
    Found,
    /// There are messages, the filter wants none of those that were looked at.
    NoMatchedMessage,
    /// Nobody has written to the queue.
    NoMessageInQueue,
    /// The offset is the end of the queue.
    OffsetOverflowOne,
    /// The offset is behind the end of the queue.
    OffsetOverflowBadly,
    /// The offset is before the begin of the queue.
    OffsetTooSmall,
}

impl PullStatus {
    /// Java's name; it becomes the remark of the answer.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Found => "FOUND",
            Self::NoMatchedMessage => "NO_MATCHED_MESSAGE",
            Self::NoMessageInQueue => "NO_MESSAGE_IN_QUEUE",
            Self::OffsetOverflowOne => "OFFSET_OVERFLOW_ONE",
            Self::OffsetOverflowBadly => "OFFSET_OVERFLOW_BADLY",
            Self::OffsetTooSmall => "OFFSET_TOO_SMALL",
        }
    }

    /// The code of the answer to a pull from `offset` (`PullMessageProcessor.composeResponseHeader`).
    pub(crate) const fn code(self, offset: i64) -> ResponseCode {
        match self {
            Self::Found => ResponseCode::SUCCESS,
            Self::NoMatchedMessage => ResponseCode::PULL_RETRY_IMMEDIATELY,
            Self::NoMessageInQueue if offset != 0 => ResponseCode::PULL_OFFSET_MOVED,
            Self::NoMessageInQueue | Self::OffsetOverflowOne => ResponseCode::PULL_NOT_FOUND,
            Self::OffsetOverflowBadly | Self::OffsetTooSmall => ResponseCode::PULL_OFFSET_MOVED,
        }
    }
}

/// What a read gave.
#[derive(Debug)]
pub(crate) struct PullResult {
    pub(crate) status: PullStatus,
    pub(crate) next_begin_offset: i64,
    pub(crate) max_offset: i64,
    /// The records, one after the other.
    pub(crate) records: Vec<u8>,
}

impl Store {
    /// Reads a queue from `offset` on (`DefaultMessageStore.getMessage`).
    pub(crate) fn pull(
        &self,
        (topic, queue_id): (&str, i32),
        offset: i64,
        max_messages: i32,
        filter: &PullFilter,
    ) -> PullResult {
        let queue = self.queue(topic, queue_id).filter(|queue| queue.max_offset() > 0);
        let max_offset = queue.map_or(0, ConsumeQueue::max_offset);
        let nothing =
            |status, next_begin_offset| PullResult { status, next_begin_offset, max_offset, records: vec![] };
        let Some(queue) = queue else { return nothing(PullStatus::NoMessageInQueue, 0) };
        if offset < 0 {
            nothing(PullStatus::OffsetTooSmall, 0)
        } else if offset == max_offset {
            nothing(PullStatus::OffsetOverflowOne, offset)
        } else if offset > max_offset {
            nothing(PullStatus::OffsetOverflowBadly, max_offset)
        } else {
            self.collect(queue, offset, max_messages, filter)
        }
    }

    fn collect(
        &self,
        queue: &ConsumeQueue,
        offset: i64,
        max_messages: i32,
        filter: &PullFilter,
    ) -> PullResult {
        let mut batch = Batch { records: Vec::new(), count: 0, max: max_messages };
        let mut looked_at = 0;
        for unit in queue.units_from(offset).iter().take(scan_limit(max_messages)) {
            if batch.is_full(unit) {
                break;
            }
            looked_at += 1;
            if filter.matches(unit.tags_code)
                && let Some(record) = self.log.bytes(unit.position, unit.size)
            {
                batch.records.extend_from_slice(record);
                batch.count += 1;
            }
        }
        PullResult {
            status: if batch.count > 0 { PullStatus::Found } else { PullStatus::NoMatchedMessage },
            next_begin_offset: offset + looked_at,
            max_offset: queue.max_offset(),
            records: batch.records,
        }
    }
}

/// The records that one answer carries so far.
struct Batch {
    records: Vec<u8>,
    count: i32,
    max: i32,
}

impl Batch {
    /// `DefaultMessageStore.isTheBatchFull` for messages in memory: the first message always fits, however large, and
    /// however few are wanted.
    fn is_full(&self, next: &QueueUnit) -> bool {
        self.count > 0
            && (self.count >= self.max
                || self.count >= MAX_MESSAGES
                || self.records.len() + next.size as usize > MAX_BYTES)
    }
}

/// How many places of the queue one pull looks at: `maxFilterMessageSize` in bytes of 20 for each.
fn scan_limit(max_messages: i32) -> usize {
    let wanted = usize::try_from(max_messages).unwrap_or(0);
    wanted.max(16_000 / 20)
}

/// `MessageStoreConfig.maxTransferCountOnMessageInMemory`.
const MAX_MESSAGES: i32 = 32;
/// `MessageStoreConfig.maxTransferBytesOnMessageInMemory`.
const MAX_BYTES: usize = 256 * 1024;
