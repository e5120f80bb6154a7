//! The record of a message as brokers store it and pulls bring it (Apache's `MessageDecoder`, `MessageExtEncoder`).
//!
//! ```text
//! i32 size, i32 magic, i32 crc, i32 queue id, i32 flag, i64 queue offset, i64 commit-log offset, i32 sys flag,
//! i64 born time, born host, i64 store time, store host, i32 reconsume times, i64 prepared transaction offset,
//! i32 n + body, u8 n (V1) or i16 n (V2) + topic, i16 n + properties
//! ```
//!
//! A host has 4 or 16 address bytes, which the sys flag says, and 32 bits of port.

use std::net::SocketAddr;

use bytes::{Buf, Bytes};

use super::{OffsetMessageId, Properties, SysFlag, body_crc, host, property};
use crate::{DecodeError, DecodeErrorKind as Kind, compression};

/// One stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// The queue.
    pub queue_id: i32,
    /// The user's own flag.
    pub flag: i32,
    /// The place in the queue.
    pub queue_offset: i64,
    /// The place in the commit log of the broker.
    pub commit_log_offset: i64,
    /// Compression, transaction and host bits. The host bits follow the hosts when the record is written.
    pub sys_flag: SysFlag,
    /// When the client made it, in milliseconds since 1970.
    pub born_timestamp: i64,
    /// The client's address as the broker saw it.
    pub born_host: SocketAddr,
    /// When the broker stored it, in milliseconds since 1970.
    pub store_timestamp: i64,
    /// The broker's address.
    pub store_host: SocketAddr,
    /// How often it was consumed before.
    pub reconsume_times: i32,
    /// Where its half message lies, for a message of a transaction.
    pub prepared_transaction_offset: i64,
    /// The body as stored, which may be compressed; [`plain_body`](Self::plain_body) undoes that.
    pub body: Bytes,
    /// The topic.
    pub topic: String,
    /// The encoded properties.
    pub properties: String,
}

impl StoredMessage {
    /// Appends the record to `out`. A topic of more than 127 bytes makes it a V2 record.
    ///
    /// Properties longer than [`Properties::MAX_ENCODED_LENGTH`] cannot be said in their 16 bits; brokers refuse such
    /// a message before they store it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        debug_assert!(
            self.properties.len() <= Properties::MAX_ENCODED_LENGTH,
            "the broker checks the properties"
        );
        let mut put = |bytes: &[u8]| out.extend_from_slice(bytes);
        put(&(self.encoded_len() as u32).to_be_bytes());
        put(&(if self.is_v1() { MAGIC_V1 } else { MAGIC_V2 }).to_be_bytes());
        put(&body_crc(&self.body).to_be_bytes());
        put(&self.queue_id.to_be_bytes());
        put(&self.flag.to_be_bytes());
        put(&self.queue_offset.to_be_bytes());
        put(&self.commit_log_offset.to_be_bytes());
        put(&self.stored_sys_flag().0.to_be_bytes());
        put(&self.born_timestamp.to_be_bytes());
        host::encode(self.born_host, out);
        out.extend_from_slice(&self.store_timestamp.to_be_bytes());
        host::encode(self.store_host, out);
        self.encode_content(out);
    }

    /// Bytes that the record takes.
    pub fn encoded_len(&self) -> usize {
        let hosts = host::encoded_len(self.born_host) + host::encoded_len(self.store_host);
        let topic_length = if self.is_v1() { 1 } else { 2 };
        let texts = topic_length + self.topic.len() + 2 + self.properties.len();
        BEFORE_BORN_HOST + 8 + hosts + AFTER_STORE_HOST + self.body.len() + texts
    }

    /// Takes one record off the front; `None` at the end, or at the filler that ends a commit-log file.
    ///
    /// The body shares the bytes given. Texts that are not UTF-8 are read as Java reads them, with U+FFFD.
    ///
    /// # Errors
    /// The record is not one, or its body does not have its checksum. `from` stands behind the record then, or at its
    /// end when the record does not say how long it is; so a loop over it ends, and may go on after a bad record.
    pub fn decode(from: &mut Bytes) -> Result<Option<Self>, DecodeError> {
        if from.is_empty() {
            return Ok(None);
        }
        let size = from.first_chunk().map_or(u32::MAX, |size| u32::from_be_bytes(*size)) as usize;
        let magic = from.get(4..8).and_then(<[u8]>::first_chunk).map(|magic| u32::from_be_bytes(*magic));
        if magic == Some(MAGIC_FILLER) {
            from.clear();
            return Ok(None);
        }
        let Some(magic) = magic.filter(|_| (8..=from.len()).contains(&size)) else {
            from.clear();
            return Err(TRUNCATED);
        };
        let mut record = from.split_to(size);
        record.advance(8);
        match magic {
            MAGIC_V1 => Self::decode_record(record, 1).map(Some),
            MAGIC_V2 => Self::decode_record(record, 2).map(Some),
            other => Err(DecodeError::new(Kind::UnknownMagic(other), RECORD)),
        }
    }

    /// Reads all records up to the end or the filler.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), for the first bad record.
    pub fn decode_all(mut from: Bytes) -> Result<Vec<Self>, DecodeError> {
        std::iter::from_fn(|| Self::decode(&mut from).transpose()).collect()
    }

    /// The decoded properties.
    pub fn properties(&self) -> Properties {
        Properties::decode(&self.properties)
    }

    /// The id that the broker gave.
    pub fn offset_id(&self) -> OffsetMessageId {
        OffsetMessageId { store_host: self.store_host, commit_log_offset: self.commit_log_offset }
    }

    /// The id that the client gave, if it gave one.
    pub fn unique_id(&self) -> Option<&str> {
        Properties::find(&self.properties, property::UNIQ_KEY)
    }

    /// The body as its sender gave it: decompressed when the sys flag says so, into at most `limit` bytes.
    ///
    /// # Errors
    /// The compression is not known or not in this build, the bytes are not of it, or they hold more than `limit`.
    pub fn plain_body(&self, limit: usize) -> Result<Bytes, DecodeError> {
        match self.sys_flag.compression() {
            None => Ok(self.body.clone()),
            Some(Ok(kind)) => compression::decompress(kind, &self.body, limit).map(Bytes::from),
            Some(Err(bits)) => Err(DecodeError::new(Kind::UnsupportedCompression(bits), "message body")),
        }
    }

    /// Everything behind the store host.
    fn encode_content(&self, out: &mut Vec<u8>) {
        let mut put = |bytes: &[u8]| out.extend_from_slice(bytes);
        put(&self.reconsume_times.to_be_bytes());
        put(&self.prepared_transaction_offset.to_be_bytes());
        put(&(self.body.len() as u32).to_be_bytes());
        put(&self.body);
        if self.is_v1() {
            put(&[self.topic.len() as u8]);
        } else {
            put(&(self.topic.len() as u16).to_be_bytes());
        }
        put(self.topic.as_bytes());
        put(&(self.properties.len() as u16).to_be_bytes());
        put(self.properties.as_bytes());
    }

    /// Reads what is behind the magic. `topic_width` is the width of the topic's length.
    fn decode_record(mut record: Bytes, topic_width: usize) -> Result<Self, DecodeError> {
        need(&record, BEFORE_BORN_HOST - 8)?;
        let stored_crc = record.get_u32();
        let queue_id = record.get_i32();
        let flag = record.get_i32();
        let queue_offset = record.get_i64();
        let commit_log_offset = record.get_i64();
        let sys_flag = SysFlag(record.get_i32());
        let born_timestamp = record.get_i64();
        let born_host = host::decode(&mut record, sys_flag.contains(SysFlag::BORN_HOST_V6), "born host")?;
        need(&record, 8)?;
        let store_timestamp = record.get_i64();
        let store_host = host::decode(&mut record, sys_flag.contains(SysFlag::STORE_HOST_V6), "store host")?;
        need(&record, AFTER_STORE_HOST)?;
        let reconsume_times = record.get_i32();
        let prepared_transaction_offset = record.get_i64();
        let body = take(&mut record, 4)?;
        let topic = text(&take(&mut record, topic_width)?);
        let properties = text(&take(&mut record, 2)?);
        check_crc(stored_crc, &body)?;
        Ok(Self {
            queue_id,
            flag,
            queue_offset,
            commit_log_offset,
            sys_flag,
            born_timestamp,
            born_host,
            store_timestamp,
            store_host,
            reconsume_times,
            prepared_transaction_offset,
            body,
            topic,
            properties,
        })
    }

    fn is_v1(&self) -> bool {
        self.topic.len() <= i8::MAX as usize
    }

    fn stored_sys_flag(&self) -> SysFlag {
        let set = |flag: SysFlag, bit, host: SocketAddr| {
            if host.is_ipv6() { flag.with(bit) } else { flag.without(bit) }
        };
        let flag = set(self.sys_flag, SysFlag::BORN_HOST_V6, self.born_host);
        set(flag, SysFlag::STORE_HOST_V6, self.store_host)
    }
}

fn need(record: &Bytes, length: usize) -> Result<(), DecodeError> {
    if record.remaining() < length { Err(TRUNCATED) } else { Ok(()) }
}

/// Takes a length of `width` bytes and that many bytes.
fn take(record: &mut Bytes, width: usize) -> Result<Bytes, DecodeError> {
    need(record, width)?;
    let length = record.get_uint(width) as usize;
    need(record, length)?;
    Ok(record.split_to(length))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn check_crc(stored: u32, body: &[u8]) -> Result<(), DecodeError> {
    let computed = body_crc(body);
    if stored == computed {
        return Ok(());
    }
    Err(DecodeError::new(Kind::CrcMismatch { stored, computed }, "message body"))
}

const RECORD: &str = "stored message";
const TRUNCATED: DecodeError = DecodeError::new(Kind::Truncated, RECORD);

/// `MessageDecoder.MESSAGE_MAGIC_CODE`.
const MAGIC_V1: u32 = 0xDAA3_20A7;
/// `MessageDecoder.MESSAGE_MAGIC_CODE_V2`: the topic has a 16-bit length.
const MAGIC_V2: u32 = 0xDAA3_20AB;
/// `CommitLog.BLANK_MAGIC_CODE`: the rest of the file is empty.
const MAGIC_FILLER: u32 = 0xCBD4_3194;

/// Size, magic, crc, queue id, flag, queue offset, commit-log offset, sys flag, born time.
const BEFORE_BORN_HOST: usize = 4 + 4 + 4 + 4 + 4 + 8 + 8 + 4 + 8;
/// Reconsume times, prepared transaction offset, body length.
const AFTER_STORE_HOST: usize = 4 + 8 + 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> StoredMessage {
        StoredMessage {
            queue_id: 1,
            flag: 2,
            queue_offset: 3,
            commit_log_offset: 4,
            sys_flag: SysFlag(0),
            born_timestamp: 5,
            born_host: "10.0.0.1:50000".parse().unwrap(),
            store_timestamp: 6,
            store_host: "10.0.0.2:10911".parse().unwrap(),
            reconsume_times: 7,
            prepared_transaction_offset: 8,
            body: "hello".into(),
            topic: "TopicTest".into(),
            properties: "UNIQ_KEY\u{1}ABC\u{2}".into(),
        }
    }

    fn encoded(message: &StoredMessage) -> Vec<u8> {
        let mut out = Vec::new();
        message.encode(&mut out);
        assert_eq!(out.len(), message.encoded_len());
        out
    }

    #[test]
    fn a_bad_record_does_not_hide_the_next() {
        let mut bytes = encoded(&message());
        bytes[91] ^= 1; // a byte of the body
        bytes.extend(encoded(&message()));
        let mut from = Bytes::from(bytes);
        let error = StoredMessage::decode(&mut from).unwrap_err();
        assert!(matches!(error.kind, Kind::CrcMismatch { .. }), "{error}");
        assert_eq!(StoredMessage::decode(&mut from), Ok(Some(message())));
        assert_eq!(StoredMessage::decode(&mut from), Ok(None));
    }

    #[test]
    fn the_filler_ends_the_records() {
        let mut bytes = encoded(&message());
        bytes.extend_from_slice(&100u32.to_be_bytes());
        bytes.extend_from_slice(&MAGIC_FILLER.to_be_bytes());
        bytes.extend_from_slice(&[0; 5]);
        assert_eq!(StoredMessage::decode_all(bytes.into()), Ok(vec![message()]));
    }

    #[test]
    fn a_record_that_ends_early_or_lies_is_refused() {
        let whole = encoded(&message());
        for cut in 1..whole.len() {
            let mut from = Bytes::copy_from_slice(&whole[..cut]);
            assert_eq!(StoredMessage::decode(&mut from), Err(TRUNCATED), "cut at {cut}");
            assert!(from.is_empty());
        }
        for size in 8..whole.len() as u32 {
            let mut lying = whole.clone();
            lying[..4].copy_from_slice(&size.to_be_bytes());
            assert_eq!(
                StoredMessage::decode(&mut lying.into()).unwrap_err().kind,
                Kind::Truncated,
                "size {size}"
            );
        }
        for size in [0, 7, u32::MAX] {
            let mut lying = whole.clone();
            lying[..4].copy_from_slice(&u32::to_be_bytes(size));
            assert_eq!(StoredMessage::decode(&mut lying.into()), Err(TRUNCATED), "size {size}");
        }
        let mut unknown = whole;
        unknown[4] = 0;
        assert_eq!(
            StoredMessage::decode(&mut unknown.into()).unwrap_err().kind,
            Kind::UnknownMagic(0x00A3_20A7)
        );
    }

    #[test]
    fn a_long_topic_makes_a_v2_record() {
        let long = StoredMessage { topic: "t".repeat(128), ..message() };
        let bytes = encoded(&long);
        assert_eq!(bytes[4..8], MAGIC_V2.to_be_bytes());
        assert_eq!(StoredMessage::decode_all(bytes.into()), Ok(vec![long]));
    }

    #[test]
    fn the_host_bits_follow_the_hosts() {
        let v6 = StoredMessage {
            born_host: "[::1]:1".parse().unwrap(),
            sys_flag: SysFlag(0x2).with(SysFlag::STORE_HOST_V6),
            ..message()
        };
        let read = StoredMessage::decode_all(encoded(&v6).into()).unwrap().remove(0);
        assert_eq!(read.sys_flag, SysFlag(0x2).with(SysFlag::BORN_HOST_V6));
        assert_eq!(StoredMessage { sys_flag: v6.sys_flag, ..read }, v6);
    }

    #[test]
    fn ids_come_out_of_the_record() {
        assert_eq!(message().unique_id(), Some("ABC"));
        assert_eq!(message().offset_id().to_string(), "0A00000200002A9F0000000000000004");
        assert_eq!(message().properties().get("UNIQ_KEY"), Some("ABC"));
    }

    #[test]
    fn an_unknown_compression_is_told() {
        let odd = StoredMessage { sys_flag: SysFlag(0x501), ..message() };
        assert_eq!(odd.plain_body(100).unwrap_err().kind, Kind::UnsupportedCompression(5));
        assert_eq!(message().plain_body(0).unwrap(), "hello");
    }
}
