//! Offsets of a queue and of a group: codes 14, 15, 29, 30, 31, 32.

use super::{Empty, Field, headers};
use crate::{DecodeError, DecodeErrorKind as Kind, ext::ExtSink};

headers! {
    /// Asks for the next offset that will be written.
    struct GetMaxOffset: GET_MAX_OFFSET -> OffsetReply {
        /// The topic.
        "topic" => topic: String,
        /// The queue.
        "queueId" => queue_id: i32,
        /// Only what is committed.
        "committed" => committed: Option<bool>,
        /// The broker's name. A proxy needs it.
        "bname" => broker_name: Option<String>,
    }

    /// Asks for the oldest offset.
    struct GetMinOffset: GET_MIN_OFFSET -> OffsetReply {
        /// The topic.
        "topic" => topic: String,
        /// The queue.
        "queueId" => queue_id: i32,
        /// The broker's name. A proxy needs it.
        "bname" => broker_name: Option<String>,
    }

    /// Asks for the offset that belongs to a store time.
    struct SearchOffset: SEARCH_OFFSET_BY_TIMESTAMP -> OffsetReply {
        /// The topic.
        "topic" => topic: String,
        /// The queue.
        "queueId" => queue_id: i32,
        /// Milliseconds since 1970.
        "timestamp" => timestamp: i64,
        /// Which one of several with the same time; LOWER when absent. 4.9 does not know it.
        "boundaryType" => boundary_type: Option<BoundaryType>,
        /// The broker's name. A proxy needs it.
        "bname" => broker_name: Option<String>,
    }

    /// Asks for the store time of the oldest message.
    struct GetEarliestStoreTime: GET_EARLIEST_MSG_STORETIME -> StoreTimeReply {
        /// The topic.
        "topic" => topic: String,
        /// The queue.
        "queueId" => queue_id: i32,
        /// The broker's name. A proxy needs it.
        "bname" => broker_name: Option<String>,
    }

    /// Asks how far a group has read.
    struct QueryConsumerOffset: QUERY_CONSUMER_OFFSET -> OffsetReply {
        /// The group.
        "consumerGroup" => consumer_group: String,
        /// The topic.
        "topic" => topic: String,
        /// The queue.
        "queueId" => queue_id: i32,
        /// Answer 0 where nothing is known; false asks for code 22 instead. 4.9 ignores it.
        "setZeroIfNotFound" => set_zero_if_not_found: Option<bool>,
        /// The broker's name. A proxy needs it.
        "bname" => broker_name: Option<String>,
    }

    /// Commits how far a group has read; usually sent one way.
    struct UpdateConsumerOffset: UPDATE_CONSUMER_OFFSET -> Empty {
        /// The group.
        "consumerGroup" => consumer_group: String,
        /// The topic.
        "topic" => topic: String,
        /// The queue.
        "queueId" => queue_id: i32,
        /// The next offset to read.
        "commitOffset" => commit_offset: i64,
        /// The broker's name. A proxy needs it.
        "bname" => broker_name: Option<String>,
    }

    /// An offset.
    struct OffsetReply {
        /// The offset.
        "offset" => offset: i64,
    }

    /// A store time.
    struct StoreTimeReply {
        /// Milliseconds since 1970; -1 when the queue is empty.
        "timestamp" => timestamp: i64,
    }
}

/// Which offset a search gives when several messages have the wanted store time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BoundaryType {
    /// The first one at or after the time.
    #[default]
    Lower,
    /// The last one at or before the time.
    Upper,
}

impl Field for BoundaryType {
    fn write<S: ExtSink>(&self, key: &'static str, sink: &mut S) {
        sink.field(
            key,
            match self {
                Self::Lower => "LOWER",
                Self::Upper => "UPPER",
            },
        );
    }

    fn parse(key: &'static str, text: &str) -> Result<Self, DecodeError> {
        match text {
            "LOWER" | "lower" => Ok(Self::Lower),
            "UPPER" | "upper" => Ok(Self::Upper),
            other => Err(DecodeError::new(Kind::Malformed(other.chars().take(64).collect()), key)),
        }
    }
}
