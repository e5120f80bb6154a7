//! What a broker stores: the commit log, the consume queues over it, and the index of keys.
//!
//! A message is visible in its queue as soon as it is in the log; Apache's moment between the two is left out.

mod index;
mod log;
mod queue;
mod read;

use std::sync::Arc;

use bytes::Bytes;
use maxq_protocol::{
    header::BoundaryType,
    message::{StoredMessage, SysFlag, property},
};
use tokio::sync::Notify;

pub(crate) use self::{
    index::Found,
    read::{PullFilter, PullResult, PullStatus},
};
use self::{
    index::Index,
    log::CommitLog,
    queue::{ConsumeQueue, QueueUnit, Queues},
};
use crate::{java::hash_code, properties::split, version::EmulatedVersion};

/// Everything that one broker stores.
pub(crate) struct Store {
    log: CommitLog,
    queues: Queues,
    index: Index,
    limit: StoreLimit,
    used: StoreLimit,
}

/// How much a broker stores before it says that its disk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoreLimit {
    /// Bytes of records and of their places in queues and index.
    pub(crate) bytes: u64,
    /// Messages.
    pub(crate) messages: u64,
}

/// The store is at its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StoreFull;

impl Store {
    pub(crate) fn new(limit: StoreLimit) -> Self {
        Self {
            log: CommitLog::default(),
            queues: Queues::default(),
            index: Index::default(),
            limit,
            used: StoreLimit { bytes: 0, messages: 0 },
        }
    }

    /// Stores all messages, or none of them; their two offsets are filled in.
    ///
    /// # Errors
    /// They do not fit.
    pub(crate) fn append(&mut self, messages: &mut [StoredMessage]) -> Result<(), StoreFull> {
        // Entries of the index are charged when they are there, so the last messages may go a little above the limit.
        let needed: usize =
            messages.iter().map(|message| message.encoded_len() + size_of::<QueueUnit>()).sum();
        let used = StoreLimit {
            bytes: self.used.bytes + needed as u64,
            messages: self.used.messages + messages.len() as u64,
        };
        if used.bytes > self.limit.bytes || used.messages > self.limit.messages {
            return Err(StoreFull);
        }
        self.used = used;
        for message in messages {
            self.append_one(message);
        }
        Ok(())
    }

    /// Fills in the offsets that these messages would get, and stores nothing. They are of one queue, as a send is.
    pub(crate) fn foresee(&self, messages: &mut [StoredMessage]) {
        let mut log_offset = i64::try_from(self.log.end()).unwrap_or(i64::MAX);
        for (ahead, message) in (0..).zip(messages) {
            message.queue_offset = self.max_offset(&message.topic, message.queue_id) + ahead;
            message.commit_log_offset = log_offset;
            log_offset += i64::try_from(message.encoded_len()).unwrap_or(0);
        }
    }

    /// Whether one byte more would be refused.
    pub(crate) fn is_full(&self) -> bool {
        self.used.bytes >= self.limit.bytes || self.used.messages >= self.limit.messages
    }

    /// Bytes that are left.
    pub(crate) fn room(&self) -> u64 {
        self.limit.bytes.saturating_sub(self.used.bytes)
    }

    /// The next offset of a queue; 0 for a queue that nobody has written to.
    pub(crate) fn max_offset(&self, topic: &str, queue_id: i32) -> i64 {
        self.queue(topic, queue_id).map_or(0, ConsumeQueue::max_offset)
    }

    /// Whether a queue has messages.
    pub(crate) fn has_messages(&self, topic: &str, queue_id: i32) -> bool {
        self.max_offset(topic, queue_id) > 0
    }

    /// The store time of the oldest message of a queue.
    pub(crate) fn earliest_timestamp(&self, topic: &str, queue_id: i32) -> Option<i64> {
        self.queue(topic, queue_id)?.first().map(|unit| unit.store_timestamp)
    }

    /// The store time of the newest message of a queue.
    pub(crate) fn latest_timestamp(&self, topic: &str, queue_id: i32) -> Option<i64> {
        self.queue(topic, queue_id)?.last().map(|unit| unit.store_timestamp)
    }

    /// The store time of the message before `offset` of a queue.
    pub(crate) fn timestamp_before(&self, topic: &str, queue_id: i32, offset: i64) -> Option<i64> {
        let units = self.queue(topic, queue_id)?.units_from(offset.checked_sub(1)?);
        units.first().map(|unit| unit.store_timestamp)
    }

    /// The store time of the oldest message of all.
    pub(crate) fn oldest_timestamp(&self) -> Option<i64> {
        self.queues.all().filter_map(ConsumeQueue::first).map(|unit| unit.store_timestamp).min()
    }

    /// The offset for a store time, as `version` finds it; 0 for a queue that nobody has written to.
    pub(crate) fn offset_by_time(
        &self,
        (topic, queue_id): (&str, i32),
        timestamp: i64,
        boundary: BoundaryType,
        version: EmulatedVersion,
    ) -> i64 {
        let Some(queue) = self.queue(topic, queue_id) else { return 0 };
        if version.knows_boundary_types() {
            queue.offset_by_time(timestamp, boundary)
        } else {
            queue.offset_near_time(timestamp)
        }
    }

    /// What is notified of every message that comes to a queue.
    pub(crate) fn arrival(&mut self, topic: &str, queue_id: i32) -> Arc<Notify> {
        self.queues.get_or_make(topic, queue_id).arrival()
    }

    /// The record that begins at `offset` of the commit log.
    pub(crate) fn record(&self, offset: i64) -> Option<&[u8]> {
        let tail = self.log.tail(u64::try_from(offset).ok()?)?;
        let size = u32::from_be_bytes(*tail.first_chunk()?) as usize;
        let own_offset = i64::from_be_bytes(*tail.get(OFFSET_IN_RECORD..)?.first_chunk()?);
        // Apache does not look whether a record begins here and answers with whatever the "size" covers.
        if own_offset == offset { tail.get(..size) } else { None }
    }

    /// Messages by unique key or key.
    pub(crate) fn query(&self, topic: &str, key: &str, max: usize, begin: i64, end: i64) -> Found {
        self.index.query(topic, key, max, begin, end)
    }

    /// The messages of a topic from a place on, in the order of their queues and offsets; at most `max`.
    pub(crate) fn messages_from(
        &self,
        topic: &str,
        (queue_id, offset): (i32, i64),
        max: usize,
    ) -> Vec<StoredMessage> {
        let queues = self.queues.of_topic(topic).filter(|(id, _)| *id >= queue_id);
        queues
            .flat_map(|(id, queue)| queue.units_from(if id == queue_id { offset } else { 0 }))
            .take(max)
            .filter_map(|unit| self.decode(unit))
            .collect()
    }

    /// Number of messages of a topic.
    pub(crate) fn count(&self, topic: &str) -> u64 {
        self.queues.of_topic(topic).map(|(_, queue)| queue.max_offset() as u64).sum()
    }

    /// Forgets the queues of a topic. Their records stay in the log.
    pub(crate) fn forget(&mut self, topic: &str) {
        self.queues.remove(topic);
    }

    /// The offset behind the last record.
    pub(crate) fn log_end(&self) -> u64 {
        self.log.end()
    }

    /// Number of stored messages.
    pub(crate) fn message_count(&self) -> u64 {
        self.used.messages
    }

    fn append_one(&mut self, message: &mut StoredMessage) {
        let Self { log, queues, .. } = self;
        let queue =
            is_visible(message.sys_flag).then(|| queues.get_or_make(&message.topic, message.queue_id));
        message.queue_offset = queue.as_ref().map_or(0, |queue| queue.max_offset());
        message.commit_log_offset = log.end() as i64;
        let size = message.encoded_len();
        let position = log.append(size, |out| message.encode(out));
        let keys = MessageKeys::read(&message.properties);
        if let Some(queue) = queue {
            queue.push(QueueUnit {
                position,
                size: size as u32,
                tags_code: keys.tags.map_or(0, hash_code),
                store_timestamp: message.store_timestamp,
            });
        }
        self.index_keys(message, &keys, position);
    }

    /// `IndexService.buildIndex`.
    fn index_keys(&mut self, message: &StoredMessage, keys: &MessageKeys<'_>, position: u64) {
        if message.sys_flag.transaction() == SysFlag::TRANSACTION_ROLLBACK {
            return;
        }
        for key in keys.all() {
            self.index.push(&message.topic, key, position, message.store_timestamp);
            self.used.bytes += INDEX_ENTRY_SIZE;
        }
    }

    fn queue(&self, topic: &str, queue_id: i32) -> Option<&ConsumeQueue> {
        self.queues.get(topic, queue_id)
    }

    fn decode(&self, unit: &QueueUnit) -> Option<StoredMessage> {
        let record = self.log.bytes(unit.position, unit.size)?;
        StoredMessage::decode(&mut Bytes::copy_from_slice(record)).ok().flatten()
    }
}

/// What a message is found by besides its offset.
#[derive(Default)]
struct MessageKeys<'a> {
    tags: Option<&'a str>,
    unique: Option<&'a str>,
    /// Separated by blanks.
    keys: Option<&'a str>,
}

impl<'a> MessageKeys<'a> {
    fn read(properties: &'a str) -> Self {
        let mut found = Self::default();
        for (name, value) in split(properties) {
            match name {
                property::TAGS => found.tags = Some(value),
                property::UNIQ_KEY => found.unique = Some(value),
                property::KEYS => found.keys = Some(value),
                _ => {}
            }
        }
        found
    }

    fn all(&self) -> impl Iterator<Item = &'a str> {
        let keys = self.keys.into_iter().flat_map(|keys| keys.split(' ').filter(|key| !key.is_empty()));
        self.unique.into_iter().chain(keys)
    }
}

/// A message with the bits of a half message or of a rolled back one is stored and never dispatched to its queue
/// (`CommitLogDispatcherBuildConsumeQueue.dispatch`).
fn is_visible(sys_flag: SysFlag) -> bool {
    let state = sys_flag.transaction();
    state != SysFlag::TRANSACTION_PREPARED && state != SysFlag::TRANSACTION_ROLLBACK
}

/// Where a record says its own commit-log offset.
const OFFSET_IN_RECORD: usize = 28;
const INDEX_ENTRY_SIZE: u64 = 24;
