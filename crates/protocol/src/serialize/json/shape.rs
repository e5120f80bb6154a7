//! The answers to sends on one connection are written alike, but for their values.
//!
//! ```text
//!   {"code":0,"extFields":{"msgId":"<hole>","queueId":"<hole>","queueOffset":"<hole>"},"flag":1,"opaque":<hole>,..}
//! ```
//!
//! So one is read with care, and of those that follow only the values: what stands between them is compared. A server
//! that writes the next one otherwise costs one more reading with care.

use std::ops::Range;

use super::{quick::Scan, scan::text_end};
use crate::{Flags, LanguageCode, header::StoredReply};

/// How an answer is written that says: stored.
#[derive(Clone, Debug, Default)]
pub(in crate::serialize) struct Shape {
    header: Vec<u8>,
    holes: Vec<Hole>,
}

/// A value that differs from answer to answer.
#[derive(Clone, Debug)]
struct Hole {
    at: Range<usize>,
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Opaque,
    MessageId,
    QueueId,
    QueueOffset,
    /// Nobody asks for it.
    Other,
}

impl Value {
    /// The ext fields that differ. All others are part of the shape.
    fn of_field(key: &str) -> Option<Self> {
        Some(match key {
            "msgId" => Self::MessageId,
            "queueId" => Self::QueueId,
            "queueOffset" => Self::QueueOffset,
            "transactionId" => Self::Other,
            _ => return None,
        })
    }
}

impl Shape {
    /// Learns from a header. It stays empty, and fits nothing, if that is not the usual answer to a stored send.
    pub(in crate::serialize) fn learn(&mut self, header: &[u8]) {
        self.holes.clear();
        self.header.clear();
        self.header.extend_from_slice(header);
        let is_usual = std::str::from_utf8(header).is_ok_and(|text| self.find_holes(text).is_some());
        if !is_usual {
            self.holes.clear();
        }
    }

    fn find_holes(&mut self, text: &str) -> Option<()> {
        let mut scan = Scan { text, at: 0 };
        let mut flags = Flags::default();
        let holes = &mut self.holes;
        scan.object(|scan, key| {
            match key {
                "code" => (scan.int()? == 0).then_some(())?,
                "flag" => flags = Flags(scan.int()?),
                "opaque" => {
                    let from = scan.at;
                    scan.int()?;
                    holes.push(Hole { at: from..scan.at, value: Value::Opaque });
                }
                "version" => drop(scan.int()?),
                // As the long way does, whatever a string may hold.
                "language" => drop(LanguageCode::from_name(scan.string()?)?),
                "serializeTypeCurrentRPC" => drop(scan.string()?),
                "extFields" => scan.object(|scan, key| {
                    // Behind the quote, and before the next.
                    let from = scan.at + 1;
                    scan.string()?;
                    let at = from..scan.at - 1;
                    holes.extend(Value::of_field(key).map(|value| Hole { at, value }));
                    (holes.len() < MOST).then_some(())
                })?,
                _ => return None,
            }
            Some(())
        })?;
        let is_answer = flags.0 & Flags::RESPONSE.0 != 0;
        (is_answer && scan.at == text.len()).then_some(())
    }

    /// Reads a header of this shape; `None` if it has another one.
    pub(in crate::serialize) fn read<'a>(&self, header: &'a [u8]) -> Option<StoredReply<'a>> {
        let (mut opaque, mut message_id, mut queue_id, mut queue_offset) = (None, None, None, None);
        let (mut rest, mut known) = (header, 0);
        for hole in &self.holes {
            rest = rest.strip_prefix(self.header.get(known..hole.at.start)?)?;
            let length = if hole.value == Value::Opaque { number_len(rest) } else { text_end(rest, 0) };
            let (value, behind) = rest.split_at_checked(length)?;
            match hole.value {
                // The last of several counts, as in ext fields. Of opaques the servers write one.
                Value::Opaque => opaque = Some(int(value).filter(|_| opaque.is_none())?),
                Value::MessageId => message_id = Some(std::str::from_utf8(value).ok()?),
                Value::QueueId => queue_id = Some(i32::try_from(natural(value)?).ok()?),
                Value::QueueOffset => queue_offset = Some(natural(value)?),
                Value::Other => value.is_ascii().then_some(())?,
            }
            (rest, known) = (behind, hole.at.end);
        }
        let reply = StoredReply {
            opaque: opaque?,
            message_id: message_id?,
            queue_id: queue_id?,
            queue_offset: queue_offset?,
        };
        (rest == self.header.get(known..)?).then_some(reply)
    }
}

/// More values that differ than this are not usual.
const MOST: usize = 16;

/// Digits, and a sign before them.
fn number_len(bytes: &[u8]) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b'-';
    bytes.iter().position(|byte| !is_part(byte)).unwrap_or(bytes.len())
}

/// A number as JSON has it.
fn int(text: &[u8]) -> Option<i32> {
    match text {
        [b'0'] => Some(0),
        [b'-', digits @ ..] if !digits.starts_with(b"0") => {
            i32::try_from(-i64::try_from(natural(digits)?).ok()?).ok()
        }
        digits if !digits.starts_with(b"0") => i32::try_from(natural(digits)?).ok(),
        _ => None,
    }
}

/// A number of digits alone.
fn natural(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > MOST_DIGITS {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}

/// So many fit 64 bits, and all that fit a signed number.
const MOST_DIGITS: usize = 18;

#[cfg(test)]
mod tests {
    use super::*;

    const APACHE: &str = r#"{"code":0,"extFields":{"queueId":"2","transactionId":"7F0000010A1B18B4AAC20001","msgId":"7F00000100002A9F0000000000000000","TRACE_ON":"true","MSG_REGION":"DefaultRegion","queueOffset":"5"},"flag":1,"language":"JAVA","opaque":8,"serializeTypeCurrentRPC":"JSON","version":513}"#;

    fn shape() -> Shape {
        let mut shape = Shape::default();
        shape.learn(APACHE.as_bytes());
        shape
    }

    #[test]
    fn the_next_answer_is_read_by_its_values() {
        let next = APACHE.replace(r#""queueId":"2""#, r#""queueId":"13""#).replace(":8,", ":-2147483648,");
        let reply = shape().read(next.as_bytes()).unwrap();
        assert_eq!((reply.opaque, reply.queue_id, reply.queue_offset), (i32::MIN, 13, 5));
        assert_eq!(reply.message_id, "7F00000100002A9F0000000000000000");
    }

    #[test]
    fn what_is_written_otherwise_is_left_alone() {
        let shape = shape();
        for (from, to) in [
            ("\"code\":0", "\"code\":1"),
            ("\"flag\":1", "\"flag\":0"),
            ("\"version\":513}", "\"version\":513,\"remark\":\"x\"}"),
            (":8,", ":08,"),
            (":8,", ":-0,"),
            (":8,", ":,"),
            (":8,", ":99999999999,"),
            ("\"queueOffset\":\"5\"", "\"queueOffset\":\"-5\""),
            ("\"queueOffset\":\"5\"", "\"queueOffset\":\"\""),
            ("DefaultRegion", "Default\\nRegion"),
            ("DefaultRegion", "Default\"Region"),
            ("513}", "513}}"),
            ("513}", "513"),
        ] {
            let other = APACHE.replacen(from, to, 1);
            assert_ne!(other, APACHE);
            assert_eq!(shape.read(other.as_bytes()), None, "{other}");
        }
        assert_eq!(shape.read(b""), None);
    }

    #[test]
    fn only_the_usual_answer_is_a_shape() {
        for (from, to) in [
            ("\"code\":0", "\"code\":10"),
            ("\"flag\":1", "\"flag\":0"),
            ("\"flag\":1", "\"flag\":1,\"remark\":\"x\""),
            ("\"opaque\":8,", ""),
            ("\"opaque\":8,", "\"opaque\":8,\"opaque\":9,"),
            ("\"msgId\"", "\"id\""),
            ("DefaultRegion", "Default\\u0001"),
        ] {
            let other = APACHE.replacen(from, to, 1);
            assert_ne!(other, APACHE);
            let mut shape = shape();
            shape.learn(other.as_bytes());
            assert_eq!(shape.read(other.as_bytes()), None, "{other}");
        }
        assert_eq!(Shape::default().read(b""), None);
    }
}
