//! What one broker holds of a topic (Apache's `TopicStatsTable`).
//!
//! Its keys are objects, which is no JSON: `{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{..}}}`. Reading
//! makes a text of each, and here the text becomes a queue again.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de::Error as _};

use super::lenient;

/// The offsets of the queues of a topic on one broker. Answer to [`GetTopicStats`](crate::header::GetTopicStats).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicStats {
    /// Queue to offsets.
    #[serde(deserialize_with = "lenient::or_default")]
    pub offset_table: BTreeMap<QueueKey, QueueStats>,
}

/// A queue as a key of a table (Apache's `MessageQueue`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueKey {
    /// The name of the broker.
    pub broker_name: String,
    /// The queue.
    pub queue_id: i32,
    /// The topic.
    pub topic: String,
}

/// The offsets of one queue (Apache's `TopicOffset`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueStats {
    /// When the newest message was stored, in milliseconds since 1970; 0 or less when there is none.
    #[serde(deserialize_with = "lenient::int")]
    pub last_update_timestamp: i64,
    /// The next offset that will be written.
    #[serde(deserialize_with = "lenient::int")]
    pub max_offset: i64,
    /// The oldest offset.
    #[serde(deserialize_with = "lenient::int")]
    pub min_offset: i64,
}

impl<'de> Deserialize<'de> for QueueKey {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct Object {
            #[serde(deserialize_with = "lenient::or_default")]
            broker_name: String,
            #[serde(deserialize_with = "lenient::int")]
            queue_id: i32,
            #[serde(deserialize_with = "lenient::or_default")]
            topic: String,
        }
        let text = String::deserialize(from)?;
        let Object { broker_name, queue_id, topic } = serde_json::from_str(&text)
            .map_err(|error| D::Error::custom(format!("queue {text}: {error}")))?;
        Ok(Self { broker_name, queue_id, topic })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::from_json;

    fn key(queue_id: i32) -> QueueKey {
        QueueKey { broker_name: "broker-0".to_owned(), queue_id, topic: "orders".to_owned() }
    }

    /// As brokers of 5.5.0 and 4.9.7 answer; the older one has no `topicPutTps`.
    #[test]
    fn objects_as_keys_become_queues() {
        let newer = r#"{"offsetTable":{{"brokerName":"broker-0","queueId":1,"topic":"orders"}:{"lastUpdateTimestamp":1700000000000,"maxOffset":3,"minOffset":1},{"brokerName":"broker-0","queueId":0,"topic":"orders"}:{"lastUpdateTimestamp":0,"maxOffset":0,"minOffset":0}},"topicPutTps":0.0}"#;
        let stats: TopicStats = from_json(newer.as_bytes()).unwrap();
        let one = QueueStats { last_update_timestamp: 1_700_000_000_000, max_offset: 3, min_offset: 1 };
        assert_eq!(stats.offset_table, BTreeMap::from([(key(0), QueueStats::default()), (key(1), one)]));
        let older = newer.replace(",\"topicPutTps\":0.0", "");
        assert_eq!(from_json::<TopicStats>(older.as_bytes()), Ok(stats));
    }

    #[test]
    fn nothing_is_an_empty_table_and_a_key_that_is_no_queue_is_refused() {
        for empty in ["{}", r#"{"offsetTable":null}"#, r#"{"offsetTable":{}}"#] {
            assert_eq!(from_json(empty.as_bytes()), Ok(TopicStats::default()), "{empty}");
        }
        for wrong in [r#"{"offsetTable":{"a":{}}}"#, r#"{"offsetTable":{{"queueId":"x"}:{}}}"#] {
            assert!(from_json::<TopicStats>(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
