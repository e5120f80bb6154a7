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

const LONG: Names = Names {
    producer_group: "producerGroup",
    topic: "topic",
    default_topic: "defaultTopic",
    default_topic_queue_nums: "defaultTopicQueueNums",
    queue_id: "queueId",
    sys_flag: "sysFlag",
    born_timestamp: "bornTimestamp",
    flag: "flag",
    properties: "properties",
    reconsume_times: "reconsumeTimes",
    unit_mode: "unitMode",
    max_reconsume_times: "maxReconsumeTimes",
    batch: "batch",
    broker_name: "bname",
};

const SHORT: Names = Names {
    producer_group: "a",
    topic: "b",
    default_topic: "c",
    default_topic_queue_nums: "d",
    queue_id: "e",
    sys_flag: "f",
    born_timestamp: "g",
    flag: "h",
    properties: "i",
    reconsume_times: "j",
    unit_mode: "k",
    max_reconsume_times: "l",
    batch: "m",
    broker_name: "n",
};

struct Names {
    producer_group: &'static str,
    topic: &'static str,
    default_topic: &'static str,
    default_topic_queue_nums: &'static str,
    queue_id: &'static str,
    sys_flag: &'static str,
    born_timestamp: &'static str,
    flag: &'static str,
    properties: &'static str,
    reconsume_times: &'static str,
    unit_mode: &'static str,
    max_reconsume_times: &'static str,
    batch: &'static str,
    broker_name: &'static str,
}

impl SendMessage<'_> {
    fn write_as(&self, names: &Names, sink: &mut dyn ExtSink) {
        sink.field(names.producer_group, &self.producer_group);
        sink.field(names.topic, &self.topic);
        sink.field(names.default_topic, &self.default_topic);
        self.default_topic_queue_nums.write(names.default_topic_queue_nums, sink);
        self.queue_id.write(names.queue_id, sink);
        self.sys_flag.write(names.sys_flag, sink);
        self.born_timestamp.write(names.born_timestamp, sink);
        self.flag.write(names.flag, sink);
        if !self.properties.is_empty() {
            sink.field(names.properties, &self.properties);
        }
        self.reconsume_times.write(names.reconsume_times, sink);
        self.unit_mode.write(names.unit_mode, sink);
        self.max_reconsume_times.write(names.max_reconsume_times, sink);
        self.batch.write(names.batch, sink);
        self.broker_name.write(names.broker_name, sink);
    }

    fn read_as(names: &Names, ext: &ExtFields) -> Result<Self, DecodeError> {
        let optional = |key| Cow::Owned(ext.get(key).unwrap_or_default().to_owned());
        Ok(Self {
            producer_group: optional(names.producer_group),
            topic: Field::read(ext, names.topic)?,
            default_topic: optional(names.default_topic),
            default_topic_queue_nums: Option::read(ext, names.default_topic_queue_nums)?.unwrap_or(0),
            queue_id: Field::read(ext, names.queue_id)?,
            sys_flag: Field::read(ext, names.sys_flag)?,
            born_timestamp: Field::read(ext, names.born_timestamp)?,
            flag: Field::read(ext, names.flag)?,
            properties: optional(names.properties),
            reconsume_times: Field::read(ext, names.reconsume_times)?,
            unit_mode: Field::read(ext, names.unit_mode)?,
            max_reconsume_times: Field::read(ext, names.max_reconsume_times)?,
            batch: Field::read(ext, names.batch)?,
            broker_name: Field::read(ext, names.broker_name)?,
        })
    }
}

macro_rules! send_requests {
    ($($(#[$doc:meta])* $name:ident: $code:ident, $names:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $name<'a>(pub SendMessage<'a>);

        impl Header for $name<'_> {
            fn write(&self, sink: &mut dyn ExtSink) {
                self.0.write_as(&$names, sink);
            }

            fn read(ext: &ExtFields) -> Result<Self, DecodeError> {
                SendMessage::read_as(&$names, ext).map(Self)
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
    SendMessageV1: SEND_MESSAGE, LONG;
    /// A send with one-letter field names.
    SendMessageV2: SEND_MESSAGE_V2, SHORT;
    /// A batch, one-letter field names.
    SendBatchMessage: SEND_BATCH_MESSAGE, SHORT;
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
