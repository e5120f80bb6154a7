//! Finds messages by unique key and by key (Apache's `IndexService`).
//!
//! Apache keeps the 32-bit hash of `topic#key` and nothing else, so a query also gives messages whose hash is the same
//! by chance, and clients filter them out. The same happens here on purpose.

use crate::java::extend_hash;

/// Hashes of keys and the places of their messages, in the order of storing.
///
/// It is searched from its end, entry by entry: a query may be slow (milliseconds for a million messages), a send not.
#[derive(Default)]
pub(crate) struct Index(Vec<IndexEntry>);

struct IndexEntry {
    hash: u32,
    position: u64,
    store_timestamp: i64,
}

/// What a query found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Places in the commit log, oldest first.
    pub(crate) positions: Vec<u64>,
    /// Store time of the newest indexed message; 0 when nothing was found.
    pub(crate) last_timestamp: i64,
    /// Place of the newest indexed message; 0 when nothing was found.
    pub(crate) last_position: u64,
}

impl Index {
    /// Notes one key of a message.
    pub(crate) fn push(&mut self, topic: &str, key: &str, position: u64, store_timestamp: i64) {
        self.0.push(IndexEntry { hash: index_hash(topic, key), position, store_timestamp });
    }

    /// The newest `max` messages with this key that were stored in the window.
    pub(crate) fn query(&self, topic: &str, key: &str, max: usize, begin: i64, end: i64) -> Found {
        let hash = index_hash(topic, key);
        let window = begin..=end;
        let mut positions: Vec<_> = self
            .0
            .iter()
            .rev()
            .filter(|entry| entry.hash == hash && window.contains(&entry.store_timestamp))
            .map(|entry| entry.position)
            .take(max.min(MAX_FOUND))
            .collect();
        positions.reverse();
        match self.0.last() {
            Some(last) if !positions.is_empty() => {
                Found { positions, last_timestamp: last.store_timestamp, last_position: last.position }
            }
            _ => Found::default(),
        }
    }
}

/// `IndexFile.indexKeyHashMethod` of `IndexService.buildKey`.
fn index_hash(topic: &str, key: &str) -> u32 {
    let hash = extend_hash(extend_hash(extend_hash(0, topic), "#"), key);
    if hash == i32::MIN { 0 } else { hash.unsigned_abs() }
}

/// `MessageStoreConfig.maxMsgsNumBatch`.
const MAX_FOUND: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_found_and_given_oldest_first() {
        let mut index = Index::default();
        for n in 0..100 {
            index.push("T", if n % 2 == 0 { "even" } else { "odd" }, n, 1000 + n as i64);
        }
        let found = index.query("T", "even", 3, 0, i64::MAX);
        assert_eq!(
            (found.positions, found.last_position, found.last_timestamp),
            (vec![94, 96, 98], 99, 1099)
        );
        assert_eq!(index.query("T", "even", 1000, 0, i64::MAX).positions.len(), 50);
        assert_eq!(index.query("T", "odd", 9, 1000, 1003).positions, [1, 3]);
        assert_eq!(index.query("U", "odd", 9, 0, i64::MAX).last_position, 0);
    }

    #[test]
    fn equal_hashes_are_found_together_as_with_apache() {
        let mut index = Index::default();
        index.push("A4", "U1", 1, 0);
        index.push("A4", "TP", 2, 0);
        assert_eq!(index.query("A4", "U1", 32, 0, 9).positions, [1, 2]);
    }
}
