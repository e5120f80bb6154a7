//! How far consumer groups have read, and how far they have pulled (Apache's `ConsumerOffsetManager`).

use std::collections::BTreeMap;

/// Offsets by group, topic and queue.
#[derive(Default)]
pub(crate) struct ConsumerOffsets {
    committed: Offsets,
    pulled: Offsets,
}

type Offsets = BTreeMap<(String, String), BTreeMap<i32, i64>>;

impl ConsumerOffsets {
    /// The committed offset; none is told for a negative one either.
    pub(crate) fn committed(&self, group: &str, topic: &str, queue_id: i32) -> Option<i64> {
        find(&self.committed, group, topic, queue_id).filter(|offset| *offset >= 0)
    }

    /// Commits. Offsets may go back, and may lie outside of the queue.
    pub(crate) fn commit(&mut self, group: &str, topic: &str, queue_id: i32, offset: i64) {
        put(&mut self.committed, group, topic, queue_id, offset);
    }

    /// The offset behind the last message that was pulled.
    pub(crate) fn pulled(&self, group: &str, topic: &str, queue_id: i32) -> Option<i64> {
        find(&self.pulled, group, topic, queue_id)
    }

    /// Notes what was pulled.
    pub(crate) fn note_pull(&mut self, group: &str, topic: &str, queue_id: i32, offset: i64) {
        put(&mut self.pulled, group, topic, queue_id, offset);
    }

    /// The groups that have committed for a topic.
    pub(crate) fn groups_of(&self, topic: &str) -> impl Iterator<Item = &str> {
        self.committed.keys().filter(move |(_, of)| of == topic).map(|(group, _)| group.as_str())
    }

    /// The topics that a group has committed for.
    pub(crate) fn topics_of(&self, group: &str) -> impl Iterator<Item = &str> {
        self.committed.keys().filter(move |(of, _)| of == group).map(|(_, topic)| topic.as_str())
    }
}

fn find(offsets: &Offsets, group: &str, topic: &str, queue_id: i32) -> Option<i64> {
    offsets.get(&(group.to_owned(), topic.to_owned()))?.get(&queue_id).copied()
}

fn put(offsets: &mut Offsets, group: &str, topic: &str, queue_id: i32, offset: i64) {
    offsets.entry((group.to_owned(), topic.to_owned())).or_default().insert(queue_id, offset);
}
