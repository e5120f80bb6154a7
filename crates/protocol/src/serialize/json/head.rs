//! The heads of all sends of one producer to one topic on one broker are alike, but for a few values.
//!
//! ```text
//!   {"code":310,"extFields":{"a":"group","b":"topic",..,"e":"<queue>",..,"g":"<born>",..,"i":"<properties>",..
//! ```
//!
//! So the head is written once, with care, and of each send only the values go between its parts.

use std::ops::Range;

use super::{quick::Scan, write_inner};
use crate::{
    ExtFields, Flags, HeaderEncoding,
    header::{SendMessage, SendMessageV2},
    message::SentProperties,
    serialize::{Envelope, put_lengths, write_request_head},
};

/// The head of a [`SendMessageV2`] as JSON, to be filled for each send.
#[derive(Clone, Debug)]
pub struct SendHead {
    /// Length words and header, with the values of a sample.
    text: Vec<u8>,
    holes: [Hole; 7],
}

/// What differs from send to send.
#[derive(Clone, Copy, Debug)]
pub struct SendFill<'a> {
    /// The queue.
    pub queue_id: i32,
    /// Compression and transaction bits.
    pub sys_flag: i32,
    /// When the message was made, in milliseconds since 1970.
    pub born_timestamp: i64,
    /// The user's own flag.
    pub flag: i32,
    /// The properties.
    pub properties: SentProperties<'a>,
}

#[derive(Clone, Debug)]
struct Hole {
    at: Range<usize>,
    value: Value,
}

#[derive(Clone, Copy, Debug)]
enum Value {
    /// A number, and the one that the sample has.
    Number(Number, i32),
    BornTimestamp,
    Properties,
}

#[derive(Clone, Copy, Debug)]
enum Number {
    Flags,
    Opaque,
    QueueId,
    SysFlag,
    Flag,
}

impl Number {
    const fn of(self, fill: &SendFill<'_>, opaque: i32, flags: Flags) -> i32 {
        match self {
            Self::Flags => flags.0,
            Self::Opaque => opaque,
            Self::QueueId => fill.queue_id,
            Self::SysFlag => fill.sys_flag,
            Self::Flag => fill.flag,
        }
    }
}

impl SendHead {
    /// The head of sends like `send`; `None` if a name in it is so unusual that each send is better written with care.
    pub fn new(send: &SendMessage<'_>) -> Option<Self> {
        // Numbers that nearly every send has.
        let usual = SendMessage { sys_flag: 0, flag: 0, properties: "sample".into(), ..send.clone() };
        let sample = SendMessageV2(usual);
        let envelope = Envelope { opaque: 1, flags: Flags::REQUEST, encoding: HeaderEncoding::Json };
        let mut text = Vec::new();
        write_request_head(&sample, &ExtFields::new(), envelope, 0, &mut text);
        let holes = holes(std::str::from_utf8(&text[LENGTHS..]).ok()?)?;
        Some(Self { text, holes })
    }

    /// Appends length words and head of one send, whose body of `body_length` bytes follows outside. The bytes are those
    /// of [`write_request_head`].
    pub fn write(
        &self,
        fill: &SendFill<'_>,
        opaque: i32,
        flags: Flags,
        body_length: usize,
        out: &mut Vec<u8>,
    ) {
        let (start, mut known) = (out.len(), 0);
        let mut copy_to = |hole: &Hole, out: &mut Vec<u8>| {
            out.extend_from_slice(&self.text[known..hole.at.start]);
            known = hole.at.end;
        };
        for hole in &self.holes {
            match hole.value {
                Value::Number(number, sample) => {
                    let number = number.of(fill, opaque, flags);
                    if number != sample {
                        copy_to(hole, out);
                        super::write_int(number, out);
                    }
                }
                Value::BornTimestamp => {
                    copy_to(hole, out);
                    out.extend_from_slice(itoa::Buffer::new().format(fill.born_timestamp).as_bytes());
                }
                Value::Properties => {
                    copy_to(hole, out);
                    write_properties(&fill.properties, out);
                }
            }
        }
        out.extend_from_slice(&self.text[known..]);
        put_lengths(start, HeaderEncoding::Json, body_length, out);
    }
}

/// Where the values of the sample are, in the order of the text.
fn holes(text: &str) -> Option<[Hole; 7]> {
    let mut scan = Scan { text, at: 0 };
    let mut holes = Vec::with_capacity(7);
    scan.object(|scan, key| {
        let from = LENGTHS + scan.at;
        match key {
            "code" | "version" => drop(scan.int()?),
            "flag" | "opaque" => {
                let number = if key == "flag" { Number::Flags } else { Number::Opaque };
                let value = Value::Number(number, scan.int()?);
                holes.push(Hole { at: from..LENGTHS + scan.at, value });
            }
            "extFields" => scan.object(|scan, key| {
                let from = LENGTHS + scan.at + 1;
                let sample = scan.string()?;
                let number = |number| Some(Value::Number(number, sample.parse().ok()?));
                let value = match key {
                    "e" => number(Number::QueueId)?,
                    "f" => number(Number::SysFlag)?,
                    "g" => Value::BornTimestamp,
                    "h" => number(Number::Flag)?,
                    "i" => Value::Properties,
                    _ => return Some(()),
                };
                holes.push(Hole { at: from..LENGTHS + scan.at - 1, value });
                Some(())
            })?,
            _ => drop(scan.string()?),
        }
        Some(())
    })?;
    holes.try_into().ok()
}

/// The two words in front of a header.
const LENGTHS: usize = 8;

fn write_properties(properties: &SentProperties<'_>, out: &mut Vec<u8>) {
    for (name, value) in properties.user.iter() {
        write_inner(name, out);
        out.extend_from_slice(NAME_END);
        write_inner(value, out);
        out.extend_from_slice(VALUE_END);
    }
    out.extend_from_slice(if properties.waits_for_store { WAITING } else { NOT_WAITING });
    out.extend_from_slice(&properties.unique_id.digits());
    out.extend_from_slice(VALUE_END);
}

/// What stands between the user's properties and the digits of the id.
const WAITING: &[u8] = br"WAIT\u0001true\u0002UNIQ_KEY\u0001";
const NOT_WAITING: &[u8] = br"WAIT\u0001false\u0002UNIQ_KEY\u0001";
/// The separators, as JSON has them.
const NAME_END: &[u8; 6] = br"\u0001";
const VALUE_END: &[u8; 6] = br"\u0002";
