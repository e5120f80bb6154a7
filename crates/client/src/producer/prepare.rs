//! The edge: a message is checked and encoded once, and from then on never changes.

use bytes::Bytes;
use maxq_protocol::{
    Topic,
    compression::{Compression, compress},
    message::{SysFlag, UniqueId, property},
};

use super::Shared;
use crate::{
    CompressionChoice, ErrorCode, Message, SendErrorKind, client::Shared as SharedClient,
    config::MAX_PROPERTIES,
};

/// A message on its way. Every attempt sends these same bytes.
pub(super) struct PreparedMessage {
    /// What the user gave, to be handed back if the send fails.
    pub(super) message: Message,
    /// As it travels: compressed where that pays.
    pub(super) body: Bytes,
    pub(super) properties: String,
    pub(super) sys_flag: i32,
    pub(super) born_timestamp: i64,
}

/// Why a message cannot be sent; the message comes back.
pub(super) struct Unfit {
    pub(super) message: Message,
    pub(super) kind: SendErrorKind,
    pub(super) code: ErrorCode,
    pub(super) why: String,
}

/// Checks a message, all but the name of its topic, and encodes it.
///
/// `packed` is the body as it travels, if that was made already; see [`heavy`].
pub(super) fn prepare(
    client: &SharedClient,
    producer: &Shared,
    mut message: Message,
    packed: Option<Packed>,
) -> Result<PreparedMessage, Unfit> {
    if let Err((kind, code, why)) = check(&message, producer.config.max_message_size) {
        return Err(Unfit { message, kind, code, why });
    }
    let born_timestamp = client.clock.wall_millis();
    let unique_id = message.unique_id().unwrap_or_else(|| client.unique_ids.next(born_timestamp));
    message.set_unique_id(unique_id);
    let properties = encode_properties(&message, unique_id);
    if properties.len() > MAX_PROPERTIES {
        let why = format!(
            "its properties take {} bytes, and brokers store at most {MAX_PROPERTIES}",
            properties.len()
        );
        return Err(Unfit { message, kind: SendErrorKind::TooLarge, code: ErrorCode::TOO_LARGE, why });
    }
    let (body, flag) = packed.unwrap_or_else(|| compressed(producer.config.compression, message.body()));
    Ok(PreparedMessage { body, properties, sys_flag: flag.0, born_timestamp, message })
}

impl PreparedMessage {
    pub(super) fn unique_id(&self) -> UniqueId {
        self.message.unique_id().expect("preparing gives every message its id")
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

fn check(message: &Message, max_message_size: usize) -> Result<(), (SendErrorKind, ErrorCode, String)> {
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

/// The user's properties, then ours.
fn encode_properties(message: &Message, unique_id: UniqueId) -> String {
    let user = message.raw_properties();
    let mut text = String::with_capacity(user.encoded_len() + 64);
    user.encode_into(&mut text);
    let mut push = |name: &str, value: &str| {
        text.push_str(name);
        text.push('\u{1}');
        text.push_str(value);
        text.push('\u{2}');
    };
    push(property::WAIT, if message.waits_for_store() { "true" } else { "false" });
    push(property::UNIQ_KEY, &unique_id.to_text());
    text
}

/// A body as it travels, and how that is said.
pub(super) type Packed = (Bytes, SysFlag);

/// How the body is compressed, if that takes so long that it must not hold up the other tasks of this thread.
pub(super) fn heavy(producer: &Shared, message: &Message) -> Option<CompressionChoice> {
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
