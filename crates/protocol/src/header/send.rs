//! Sending: SEND_MESSAGE (10), SEND_MESSAGE_V2 (310), SEND_BATCH_MESSAGE (320).
//!
//! One set of fields under two sets of names (Apache's `SendMessageRequestHeader` and `..V2`). Java sends V2 by
//! default. Running brokers do without `a`, `c` and `d`; without `b`, `e`, `f`, `g` or `h` they answer code 1.

use std::borrow::Cow;

use super::{Field, Header, Request, headers};
use crate::{DecodeError, ExtFields, RequestCode, ext::ExtSink};

/// The fields of a send. Texts are borrowed when writing and owned when read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SendMessage<'a> {
    /// The group of the sender.
    pub producer_group: Cow<'a, str>,
    /// The topic.
    pub topic: Cow<'a, str>,
    /// The topic whose settings an automatically created topic takes: `TBW102`.
    pub default_topic: Cow<'a, str>,
    /// How many queues an automatically created topic gets at most.
    pub default_topic_queue_nums: i32,
    /// The queue; a negative one leaves the choice to the broker.
    pub queue_id: i32,
    /// Compression and transaction bits, see [`SysFlag`](crate::message::SysFlag).
    pub sys_flag: i32,
    /// When the message was made, in milliseconds since 1970.
    pub born_timestamp: i64,
    /// The user's own flag.
    pub flag: i32,
    /// The encoded properties, see [`Properties`](crate::message::Properties).
    pub properties: Cow<'a, str>,
    /// How often the message was consumed before; only for retry topics.
    pub reconsume_times: Option<i32>,
    /// Unit mode of the sender.
    pub unit_mode: Option<bool>,
    /// When the message becomes a dead letter; only for retry topics.
    pub max_reconsume_times: Option<i32>,
    /// Whether the body is a batch. This decides, not the request code.
    pub batch: Option<bool>,
    /// The broker's name. A proxy needs it to find the broker.
    pub broker_name: Option<Cow<'a, str>>,
}

/// What the fields are called. Constants of a type, so that each way of writing is compiled with its keys in it: this is
/// the way of every send.
trait Names {
    const PRODUCER_GROUP: &'static str;
    const TOPIC: &'static str;
    const DEFAULT_TOPIC: &'static str;
    const DEFAULT_TOPIC_QUEUE_NUMS: &'static str;
    const QUEUE_ID: &'static str;
    const SYS_FLAG: &'static str;
    const BORN_TIMESTAMP: &'static str;
    const FLAG: &'static str;
    const PROPERTIES: &'static str;
    const RECONSUME_TIMES: &'static str;
    const UNIT_MODE: &'static str;
    const MAX_RECONSUME_TIMES: &'static str;
    const BATCH: &'static str;
    const BROKER_NAME: &'static str;
}

/// Apache's `SendMessageRequestHeader`.
struct Long;

impl Names for Long {
    const PRODUCER_GROUP: &'static str = "producerGroup";
    const TOPIC: &'static str = "topic";
    const DEFAULT_TOPIC: &'static str = "defaultTopic";
    const DEFAULT_TOPIC_QUEUE_NUMS: &'static str = "defaultTopicQueueNums";
    const QUEUE_ID: &'static str = "queueId";
    const SYS_FLAG: &'static str = "sysFlag";
    const BORN_TIMESTAMP: &'static str = "bornTimestamp";
    const FLAG: &'static str = "flag";
    const PROPERTIES: &'static str = "properties";
    const RECONSUME_TIMES: &'static str = "reconsumeTimes";
    const UNIT_MODE: &'static str = "unitMode";
    const MAX_RECONSUME_TIMES: &'static str = "maxReconsumeTimes";
    const BATCH: &'static str = "batch";
    const BROKER_NAME: &'static str = "bname";
}

/// Apache's `SendMessageRequestHeaderV2`.
struct Short;

impl Names for Short {
    const PRODUCER_GROUP: &'static str = "a";
    const TOPIC: &'static str = "b";
    const DEFAULT_TOPIC: &'static str = "c";
    const DEFAULT_TOPIC_QUEUE_NUMS: &'static str = "d";
    const QUEUE_ID: &'static str = "e";
    const SYS_FLAG: &'static str = "f";
    const BORN_TIMESTAMP: &'static str = "g";
    const FLAG: &'static str = "h";
    const PROPERTIES: &'static str = "i";
    const RECONSUME_TIMES: &'static str = "j";
    const UNIT_MODE: &'static str = "k";
    const MAX_RECONSUME_TIMES: &'static str = "l";
    const BATCH: &'static str = "m";
    const BROKER_NAME: &'static str = "n";
}

impl SendMessage<'_> {
    fn write_as<N: Names, S: ExtSink>(&self, sink: &mut S) {
        sink.field(N::PRODUCER_GROUP, &self.producer_group);
        sink.field(N::TOPIC, &self.topic);
        sink.field(N::DEFAULT_TOPIC, &self.default_topic);
        self.default_topic_queue_nums.write(N::DEFAULT_TOPIC_QUEUE_NUMS, sink);
        self.queue_id.write(N::QUEUE_ID, sink);
        self.sys_flag.write(N::SYS_FLAG, sink);
        self.born_timestamp.write(N::BORN_TIMESTAMP, sink);
        self.flag.write(N::FLAG, sink);
        if !self.properties.is_empty() {
            sink.field(N::PROPERTIES, &self.properties);
        }
        self.reconsume_times.write(N::RECONSUME_TIMES, sink);
        self.unit_mode.write(N::UNIT_MODE, sink);
        self.max_reconsume_times.write(N::MAX_RECONSUME_TIMES, sink);
        self.batch.write(N::BATCH, sink);
        self.broker_name.write(N::BROKER_NAME, sink);
    }

    fn read_as<N: Names>(ext: &ExtFields) -> Result<Self, DecodeError> {
        let optional = |key| Cow::Owned(ext.get(key).unwrap_or_default().to_owned());
        Ok(Self {
            producer_group: optional(N::PRODUCER_GROUP),
            topic: Field::read(ext, N::TOPIC)?,
            default_topic: optional(N::DEFAULT_TOPIC),
            default_topic_queue_nums: Option::read(ext, N::DEFAULT_TOPIC_QUEUE_NUMS)?.unwrap_or(0),
            queue_id: Field::read(ext, N::QUEUE_ID)?,
            sys_flag: Field::read(ext, N::SYS_FLAG)?,
            born_timestamp: Field::read(ext, N::BORN_TIMESTAMP)?,
            flag: Field::read(ext, N::FLAG)?,
            properties: optional(N::PROPERTIES),
            reconsume_times: Field::read(ext, N::RECONSUME_TIMES)?,
            unit_mode: Field::read(ext, N::UNIT_MODE)?,
            max_reconsume_times: Field::read(ext, N::MAX_RECONSUME_TIMES)?,
            batch: Field::read(ext, N::BATCH)?,
            broker_name: Field::read(ext, N::BROKER_NAME)?,
        })
    }
}

macro_rules! send_requests {
    ($($(#[$doc:meta])* $name:ident: $code:ident, $names:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name<'a>(pub SendMessage<'a>);

        impl Header for $name<'_> {
            fn write<S: ExtSink>(&self, sink: &mut S) {
                self.0.write_as::<$names, S>(sink);
            }

            fn read(ext: &ExtFields) -> Result<Self, DecodeError> {
                SendMessage::read_as::<$names>(ext).map(Self)
            }
        }

        impl Request for $name<'_> {
            const CODE: RequestCode = RequestCode::$code;
            type Response = SendReply;
        }
    )+};
}

send_requests! {
    /// A send with long field names.
    SendMessageV1: SEND_MESSAGE, Long;
    /// A send with one-letter field names.
    SendMessageV2: SEND_MESSAGE_V2, Short;
    /// A batch, one-letter field names.
    SendBatchMessage: SEND_BATCH_MESSAGE, Short;
}

headers! {
    /// What a broker says of a stored message (Apache's `SendMessageResponseHeader`).
    struct SendReply {
        /// The offset message id; for a batch one per message, joined by commas.
        "msgId" => message_id: String,
        /// The queue that was used.
        "queueId" => queue_id: i32,
        /// The offset in that queue; for a batch that of its first message.
        "queueOffset" => queue_offset: i64,
        /// The unique id of the message.
        "transactionId" => transaction_id: Option<String>,
        /// Only for topics that store batches as one record.
        "batchUniqId" => batch_unique_id: Option<String>,
        /// Only for accepted timer messages.
        "recallHandle" => recall_handle: Option<String>,
        /// The region of the broker.
        "MSG_REGION" => region: Option<String>,
        /// Whether the broker wants traces.
        "TRACE_ON" => trace_on: Option<bool>,
    }
}

/// What a sender wants to know of a [`SendReply`] with code 0, read in place; see
/// [`StoredReader`](crate::StoredReader).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredReply<'a> {
    /// The opaque of the request that is answered.
    pub opaque: i32,
    /// The offset message id; for a batch one per message, joined by commas.
    pub message_id: &'a str,
    /// The queue that was used.
    pub queue_id: i32,
    /// The offset in that queue; for a batch that of its first message. Never negative.
    pub queue_offset: u64,
}
