//! The body of a batch: entries one after the other, without a count (Apache's `MessageDecoder.encodeMessage`).
//!
//! `i32 size, i32 magic 0, i32 crc 0, i32 flag, i32 n + body, i16 n + properties`

use bytes::{Buf, Bytes};

use super::SentProperties;
use crate::{DecodeError, DecodeErrorKind as Kind};

/// One message of a batch. Topic, queue, times and hosts are those of the request around it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchEntry {
    /// The user's own flag.
    pub flag: i32,
    /// The body; never compressed.
    pub body: Bytes,
    /// The encoded properties, see [`Properties`](super::Properties).
    pub properties: String,
}

/// Appends one entry to `out`.
///
/// `properties` longer than [`MAX_ENCODED_LENGTH`](super::Properties::MAX_ENCODED_LENGTH) cannot be said in their 16
/// bits; [`Properties::check`](super::Properties::check) refuses them before.
pub fn encode_entry(flag: i32, body: &[u8], properties: &str, out: &mut Vec<u8>) {
    debug_assert!(properties.len() <= i16::MAX as usize, "the caller checks the properties");
    encode_front(flag, body, properties.len(), out);
    out.extend_from_slice(properties.as_bytes());
}

/// As [`encode_entry`], for a message on its way.
pub fn encode_sent_entry(flag: i32, body: &[u8], properties: &SentProperties<'_>, out: &mut Vec<u8>) {
    let length = properties.encoded_len();
    debug_assert!(length <= i16::MAX as usize, "the caller checks the properties");
    encode_front(flag, body, length, out);
    properties.write(out);
}

/// All of an entry before its properties.
fn encode_front(flag: i32, body: &[u8], properties: usize, out: &mut Vec<u8>) {
    let (size, length) = (encoded_len(body.len(), properties) as u32, body.len() as u32);
    let mut front = [0; FRONT];
    front[..4].copy_from_slice(&size.to_be_bytes());
    front[12..16].copy_from_slice(&flag.to_be_bytes());
    front[16..].copy_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&front);
    out.extend_from_slice(body);
    out.extend_from_slice(&(properties as u16).to_be_bytes());
}

/// Bytes that an entry takes.
pub const fn encoded_len(body_length: usize, properties_length: usize) -> usize {
    FIXED + body_length + properties_length
}

/// Reads all entries. Their bodies share the bytes given.
///
/// Brokers look at neither size, magic nor checksum of an entry (`MessageExtEncoder.encode(MessageExtBatch)`), nor
/// does this.
///
/// # Errors
/// An entry points past the end.
pub fn decode(mut from: Bytes) -> Result<Vec<BatchEntry>, DecodeError> {
    let mut entries = Vec::new();
    while from.has_remaining() {
        entries.push(decode_entry(&mut from)?);
    }
    Ok(entries)
}

fn decode_entry(from: &mut Bytes) -> Result<BatchEntry, DecodeError> {
    const TRUNCATED: DecodeError = DecodeError::new(Kind::Truncated, "batch entry");
    if from.remaining() < FIXED {
        return Err(TRUNCATED);
    }
    from.advance(12);
    let flag = from.get_i32();
    let length = from.get_u32() as usize;
    if length > from.remaining() - 2 {
        return Err(TRUNCATED);
    }
    let body = from.split_to(length);
    let length = usize::from(from.get_u16());
    if length > from.remaining() {
        return Err(DecodeError::new(Kind::Truncated, CUT_PROPERTIES));
    }
    let properties = String::from_utf8_lossy(&from.split_to(length)).into_owned();
    Ok(BatchEntry { flag, body, properties })
}

/// What was being read when the properties of an entry end too early. Java fails there in another way than elsewhere.
pub const CUT_PROPERTIES: &str = "properties of a batch entry";

/// Size, magic, checksum, flag, body length.
const FRONT: usize = 4 + 4 + 4 + 4 + 4;
/// The same and the length of the properties.
const FIXED: usize = FRONT + 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_lies_about_its_length_is_refused() {
        let mut whole = Vec::new();
        encode_entry(3, b"hello", "TAGS\u{1}t\u{2}", &mut whole);
        assert_eq!(decode(whole.clone().into()).unwrap().len(), 1);
        for cut in 1..whole.len() {
            assert_eq!(
                decode(whole[..cut].to_vec().into()).unwrap_err().kind,
                Kind::Truncated,
                "cut at {cut}"
            );
        }
        for (at, bytes) in [(16, [0xFF; 4]), (16, [0x7F, 0xFF, 0xFF, 0xFF]), (25, [0xFF; 4])] {
            let mut lying = whole.clone();
            lying[at..at + 4].copy_from_slice(&bytes);
            assert_eq!(decode(lying.into()).unwrap_err().kind, Kind::Truncated);
        }
    }
}
