//! The edge: a message is checked, named and compressed once, and from then on never changes.

use bytes::Bytes;
use maxq_protocol::{
    Topic,
    compression::{Compression, compress},
    message::{
        SentProperties, SysFlag, UniqueId,
        batch::{self, encode_sent_entry},
        property,
    },
};

use super::Shared;
use crate::{
    CompressionChoice, ErrorCode, Message, SendErrorKind, client::Shared as SharedClient,
    config::MAX_PROPERTIES,
};

/// What one request carries: what the user gave, to be handed back if the send fails.
pub(super) enum Parcel {
    One(Message),
    /// Never empty, and of one topic.
    Batch(Vec<Message>),
}

impl Parcel {
    pub(super) fn messages(&self) -> &[Message] {
        match self {
            Self::One(message) => std::slice::from_ref(message),
            Self::Batch(messages) => messages,
        }
    }

    pub(super) fn into_messages(self) -> Vec<Message> {
        match self {
            Self::One(message) => vec![message],
            Self::Batch(messages) => messages,
        }
    }

    pub(super) fn topic(&self) -> &str {
        self.first().topic()
    }

    /// Bytes of the bodies.
    pub(super) fn body_len(&self) -> usize {
        self.messages().iter().map(|message| message.body().len()).sum()
    }

    fn first(&self) -> &Message {
        match self {
            Self::One(message) => message,
            Self::Batch(messages) => messages.first().expect("a batch is never empty"),
        }
    }
}

/// A message, or a batch of them, on its way. Every attempt sends these same bytes.
pub(super) struct PreparedMessage {
    pub(super) parcel: Parcel,
    /// As it travels: compressed where that pays.
    pub(super) body: Bytes,
    pub(super) sys_flag: i32,
    pub(super) born_timestamp: i64,
}

/// Why a message cannot be sent; the message comes back.
pub(super) struct Unfit {
    pub(super) parcel: Parcel,
    pub(super) kind: SendErrorKind,
    pub(super) code: ErrorCode,
    pub(super) why: String,
}

/// Checks a message, all but the name of its topic, and encodes it.
///
/// `packed` is the body as it travels, if that was made already; see [`heavy`].
#[inline(always)]
pub(super) fn prepare(
    client: &SharedClient,
    producer: &Shared,
    parcel: Parcel,
    packed: Option<Packed>,
) -> Result<PreparedMessage, Unfit> {
    let born_timestamp = client.clock.wall_millis();
    match parcel {
        Parcel::One(message) => one(client, producer, message, packed, born_timestamp),
        Parcel::Batch(messages) => whole_batch(client, producer, messages, born_timestamp),
    }
}

#[inline(always)]
fn one(
    client: &SharedClient,
    producer: &Shared,
    mut message: Message,
    packed: Option<Packed>,
    born_timestamp: i64,
) -> Result<PreparedMessage, Unfit> {
    if let Err((kind, code, why)) = check_and_name(client, producer, &mut message, born_timestamp) {
        return Err(Unfit { parcel: Parcel::One(message), kind, code, why });
    }
    let (body, flag) = packed.unwrap_or_else(|| compressed(producer.config.compression, message.body()));
    Ok(PreparedMessage { body, sys_flag: flag.0, born_timestamp, parcel: Parcel::One(message) })
}

/// Apache's `MessageBatch.encode`: one entry after the other, never compressed.
///
/// The batch as a whole gets no id, as with Apache's clients of 4.x. Those of 5.x give it one, and a broker of 4.9 puts
/// that behind the properties of each message: the messages lose the ids of their receipts. Brokers of 5.x make one when
/// there is none.
fn whole_batch(
    client: &SharedClient,
    producer: &Shared,
    mut messages: Vec<Message>,
    born_timestamp: i64,
) -> Result<PreparedMessage, Unfit> {
    let mut body = Vec::with_capacity(messages.iter().map(encoded_len).sum());
    for (n, message) in messages.iter_mut().enumerate() {
        match check_and_name(client, producer, message, born_timestamp) {
            Ok(unique_id) => {
                let properties = sent(message, unique_id);
                encode_sent_entry(message.flag_value(), message.body(), &properties, &mut body);
            }
            Err((kind, code, why)) => {
                let why = format!("message {n} of the batch: {why}");
                return Err(Unfit { parcel: Parcel::Batch(messages), kind, code, why });
            }
        }
    }
    if body.len() > producer.config.max_message_size {
        let most = producer.config.max_message_size;
        let why = format!("the batch takes {} bytes, and at most {most} are allowed: split it", body.len());
        let (kind, code) = (SendErrorKind::TooLarge, ErrorCode::TOO_LARGE);
        return Err(Unfit { parcel: Parcel::Batch(messages), kind, code, why });
    }
    let parcel = Parcel::Batch(messages);
    Ok(PreparedMessage { body: body.into(), sys_flag: 0, born_timestamp, parcel })
}

/// Checks one message and gives it its id.
fn check_and_name(
    client: &SharedClient,
    producer: &Shared,
    message: &mut Message,
    born_timestamp: i64,
) -> Result<UniqueId, Misfit> {
    check(message, producer.config.max_message_size)?;
    let unique_id = message.unique_id().unwrap_or_else(|| client.unique_ids.next(born_timestamp));
    message.set_unique_id(unique_id);
    let length = sent(message, unique_id).encoded_len();
    if length > MAX_PROPERTIES {
        let why = format!("its properties take {length} bytes, and brokers store at most {MAX_PROPERTIES}");
        return Err((SendErrorKind::TooLarge, ErrorCode::TOO_LARGE, why));
    }
    Ok(unique_id)
}

const fn sent(message: &Message, unique_id: UniqueId) -> SentProperties<'_> {
    SentProperties { user: message.raw_properties(), waits_for_store: message.waits_for_store(), unique_id }
}

/// What is wrong with a message.
type Misfit = (SendErrorKind, ErrorCode, String);

impl PreparedMessage {
    /// The id of the only message, or of the first of a batch.
    pub(super) fn unique_id(&self) -> UniqueId {
        self.parcel.first().unique_id().expect("preparing gives every message its id")
    }

    /// The properties of a message that travels alone.
    pub(super) fn sent_properties(&self) -> Option<SentProperties<'_>> {
        (!self.is_batch()).then(|| self.sent_by_first())
    }

    fn sent_by_first(&self) -> SentProperties<'_> {
        sent(self.parcel.first(), self.unique_id())
    }

    /// The properties as they travel in the header. A batch has those of its messages in its body, and here whether the
    /// store is waited for.
    pub(super) fn properties(&self) -> String {
        let (mut text, sent) = (String::new(), self.sent_by_first());
        if self.is_batch() {
            sent.encode_wait_into(&mut text);
        } else {
            sent.encode_into(&mut text);
        }
        text
    }

    pub(super) const fn is_batch(&self) -> bool {
        matches!(self.parcel, Parcel::Batch(_))
    }

    /// The user's own number; a batch has one for each message.
    pub(super) fn flag(&self) -> i32 {
        match &self.parcel {
            Parcel::One(message) => message.flag_value(),
            Parcel::Batch(_) => 0,
        }
    }
}

/// A topic that messages may go to, as Apache's `Validators.checkTopic` and `isNotAllowedSendTopic`.
pub(super) fn sendable_topic(name: &str) -> Result<Topic, String> {
    match Topic::new(name) {
        Ok(topic) if topic.is_send_forbidden() => {
            Err(format!("topic {topic} is RocketMQ's own and takes no messages"))
        }
        Ok(topic) => Ok(topic),
        Err(error) => Err(error.to_string()),
    }
}

fn check(message: &Message, max_message_size: usize) -> Result<(), Misfit> {
    let invalid = |why: String| Err((SendErrorKind::Invalid, ErrorCode::INVALID, why));
    if message.body().is_empty() {
        return invalid("its body is empty, which brokers refuse".to_owned());
    }
    if message.body().len() > max_message_size {
        let why = format!(
            "its body has {} bytes, and at most {max_message_size} are allowed",
            message.body().len()
        );
        return Err((SendErrorKind::TooLarge, ErrorCode::TOO_LARGE, why));
    }
    if let Some(why) = message.misuse() {
        return invalid(why.to_owned());
    }
    for (name, value) in message.properties() {
        let why = if name.is_empty() || value.is_empty() {
            "brokers drop a property whose name or value is empty"
        } else if [name, value].iter().any(|text| text.contains(['\u{1}', '\u{2}'])) {
            "the characters 0x01 and 0x02 separate properties and cannot be in one"
        } else if name == property::TAGS && value.trim().is_empty() {
            "a tag of blanks cannot be subscribed to"
        } else {
            continue;
        };
        return invalid(format!("property {name:?}: {why}"));
    }
    Ok(())
}

/// Bytes that a message takes in a batch, exactly.
pub(super) fn encoded_len(message: &Message) -> usize {
    // Every id has the same length.
    let properties = sent(message, UniqueId::new([0; 10], 0, 0)).encoded_len();
    batch::encoded_len(message.body().len(), properties)
}

/// A body as it travels, and how that is said.
pub(super) type Packed = (Bytes, SysFlag);

/// How the body is compressed, if that takes so long that it must not hold up the other tasks of this thread.
pub(super) fn heavy(producer: &Shared, parcel: &Parcel) -> Option<CompressionChoice> {
    let Parcel::One(message) = parcel else { return None };
    let (choice, length) = (producer.config.compression, message.body().len());
    let is_heavy = length > HEAVY && length >= choice.from()? && length <= producer.config.max_message_size;
    is_heavy.then_some(choice)
}

/// The body as it travels. What does not become smaller stays as it is.
pub(super) fn compressed(choice: CompressionChoice, body: &Bytes) -> Packed {
    let (kind, level, from) = match choice {
        CompressionChoice::Off => return (body.clone(), SysFlag(0)),
        CompressionChoice::Zlib { from, level } => (Compression::Zlib, level, from),
        CompressionChoice::Lz4 { from } => (Compression::Lz4, 0, from),
        CompressionChoice::Zstd { from, level } => (Compression::Zstd, level, from),
    };
    if body.len() < from {
        return (body.clone(), SysFlag(0));
    }
    match compress(kind, level, body) {
        Ok(small) if small.len() < body.len() => (small.into(), SysFlag(0).with_compression(kind)),
        Ok(_) => (body.clone(), SysFlag(0)),
        Err(error) => {
            // The feature was checked when the producer was made; without compression nothing is lost.
            tracing::warn!(%error, "sending uncompressed");
            (body.clone(), SysFlag(0))
        }
    }
}

/// Larger bodies are compressed elsewhere.
const HEAVY: usize = 16 * 1024;
