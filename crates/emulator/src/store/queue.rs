//! A consume queue: the places of one queue's messages in the commit log, in order (Apache's `ConsumeQueue`).

use std::{collections::BTreeMap, sync::Arc};

use maxq_protocol::header::BoundaryType;
use tokio::sync::Notify;

/// The messages of one queue. Offsets count from 0; nothing is ever thrown away.
#[derive(Default)]
pub(crate) struct ConsumeQueue {
    units: Vec<QueueUnit>,
    arrival: Option<Arc<Notify>>,
}

/// One message of a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueUnit {
    /// Where its record begins in the commit log.
    pub(crate) position: u64,
    /// How long its record is.
    pub(crate) size: u32,
    /// Java's hash of its tags; 0 without tags.
    pub(crate) tags_code: i32,
    /// When it was stored, in milliseconds since 1970.
    pub(crate) store_timestamp: i64,
}

impl ConsumeQueue {
    /// The offset that the next message will get.
    pub(crate) fn max_offset(&self) -> i64 {
        self.units.len() as i64
    }

    /// Appends a message and wakes those who wait for one.
    pub(crate) fn push(&mut self, unit: QueueUnit) {
        self.units.push(unit);
        if let Some(arrival) = &self.arrival {
            arrival.notify_waiters();
        }
    }

    /// What is notified of every message that comes.
    pub(crate) fn arrival(&mut self) -> Arc<Notify> {
        Arc::clone(self.arrival.get_or_insert_default())
    }

    /// The messages from `offset` on.
    pub(crate) fn units_from(&self, offset: i64) -> &[QueueUnit] {
        usize::try_from(offset).ok().and_then(|from| self.units.get(from..)).unwrap_or_default()
    }

    /// The first message.
    pub(crate) fn first(&self) -> Option<&QueueUnit> {
        self.units.first()
    }

    /// The last message.
    pub(crate) fn last(&self) -> Option<&QueueUnit> {
        self.units.last()
    }

    /// The offset for a store time as 5.x finds it (`ConsumeQueue.binarySearchInQueueByTime`): LOWER is the first
    /// message at or after the time, or the end; UPPER the last one at or before it, or the begin.
    pub(crate) fn offset_by_time(&self, timestamp: i64, boundary: BoundaryType) -> i64 {
        match boundary {
            BoundaryType::Lower => self.units.partition_point(|unit| unit.store_timestamp < timestamp) as i64,
            BoundaryType::Upper => {
                self.units.partition_point(|unit| unit.store_timestamp <= timestamp).saturating_sub(1) as i64
            }
        }
    }

    /// The offset for a store time as 4.9 finds it: a message of just that time, else the nearest one.
    pub(crate) fn offset_near_time(&self, timestamp: i64) -> i64 {
        let right = self.units.partition_point(|unit| unit.store_timestamp < timestamp);
        let left = right.saturating_sub(1);
        let distance = |at: usize| self.units.get(at).map(|unit| unit.store_timestamp.abs_diff(timestamp));
        match (distance(left), distance(right)) {
            (Some(before), Some(after)) if before > after => right as i64,
            _ => left as i64,
        }
    }
}

/// The queues of all topics of a broker.
#[derive(Default)]
pub(crate) struct Queues(BTreeMap<String, BTreeMap<i32, ConsumeQueue>>);

impl Queues {
    /// A queue that somebody has written to or waited at.
    pub(crate) fn get(&self, topic: &str, queue_id: i32) -> Option<&ConsumeQueue> {
        self.0.get(topic)?.get(&queue_id)
    }

    /// A queue; it is made when it is not there.
    pub(crate) fn get_or_make(&mut self, topic: &str, queue_id: i32) -> &mut ConsumeQueue {
        // `entry` wants an owned name; this way it is copied for the topic's first message only.
        if !self.0.contains_key(topic) {
            self.0.insert(topic.to_owned(), BTreeMap::new());
        }
        let queues = self.0.get_mut(topic).expect("the topic is there since the line above");
        queues.entry(queue_id).or_default()
    }

    /// The queues of a topic with their ids, in order.
    pub(crate) fn of_topic(&self, topic: &str) -> impl Iterator<Item = (i32, &ConsumeQueue)> {
        self.0.get(topic).into_iter().flatten().map(|(id, queue)| (*id, queue))
    }

    /// All queues.
    pub(crate) fn all(&self) -> impl Iterator<Item = &ConsumeQueue> {
        self.0.values().flat_map(BTreeMap::values)
    }

    /// Forgets the queues of a topic.
    pub(crate) fn remove(&mut self, topic: &str) {
        self.0.remove(topic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(times: &[i64]) -> ConsumeQueue {
        let mut queue = ConsumeQueue::default();
        for time in times {
            queue.push(QueueUnit { position: 0, size: 0, tags_code: 0, store_timestamp: *time });
        }
        queue
    }

    #[test]
    fn lower_is_the_first_and_upper_the_last_of_a_time() {
        let queue = queue(&[10, 20, 20, 30]);
        let lower = |time| queue.offset_by_time(time, BoundaryType::Lower);
        let upper = |time| queue.offset_by_time(time, BoundaryType::Upper);
        assert_eq!([lower(5), lower(10), lower(15), lower(20), lower(30), lower(31)], [0, 0, 1, 1, 3, 4]);
        assert_eq!([upper(5), upper(10), upper(15), upper(20), upper(30), upper(31)], [0, 0, 0, 2, 3, 3]);
        assert_eq!(super::ConsumeQueue::default().offset_by_time(5, BoundaryType::Upper), 0);
    }

    #[test]
    fn the_old_search_takes_the_nearest_and_never_the_end() {
        let queue = queue(&[10, 20, 30]);
        let near = |time| queue.offset_near_time(time);
        assert_eq!(
            [near(0), near(10), near(14), near(16), near(20), near(26), near(99)],
            [0, 0, 0, 1, 1, 2, 2]
        );
        assert_eq!(super::ConsumeQueue::default().offset_near_time(5), 0);
    }
}
