//! A quick look at a frame: the few fields that a null broker and a floor client need, and nothing else.
//!
//! The protocol crate reads a header into a value with all its fields. Here that would be most of the cost, and what
//! the broker spends competes with the client for the cores. So the fields are cut out of the bytes where they stand.

use bytes::{Buf, TryGetError};
use maxq_protocol::{DecodeError, FrameReader, HeaderEncoding};

/// One whole frame at the start of a buffer.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// How the header is encoded.
    pub encoding: HeaderEncoding,
    /// The header.
    pub header: &'a [u8],
    /// The body.
    pub body: &'a [u8],
    /// All bytes of the frame, length word included.
    pub bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first frame of `buffer`, or `None` when it is not whole yet.
    ///
    /// # Errors
    /// The bytes are not a frame.
    pub fn first(buffer: &'a [u8]) -> Result<Option<Self>, DecodeError> {
        let reader = FrameReader::new();
        let (Some(0), Some((head, _))) = (reader.missing(buffer)?, buffer.split_first_chunk::<8>()) else {
            return Ok(None);
        };
        let [l0, l1, l2, l3, kind, h0, h1, h2] = *head;
        let end = 4 + u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let body = 8 + u32::from_be_bytes([0, h0, h1, h2]) as usize;
        Ok(Some(Self {
            encoding: HeaderEncoding::from_byte(kind)?,
            header: &buffer[8..body],
            body: &buffer[body..end],
            bytes: &buffer[..end],
        }))
    }

    /// The fields that matter; what is missing or no number is 0.
    pub fn glance(&self) -> Glance {
        match self.encoding {
            HeaderEncoding::Json => json(self.header),
            HeaderEncoding::Binary => binary(self.header).unwrap_or_default(),
        }
    }
}

/// The fields of a header that decide what happens to the frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// Request or response code.
    pub code: i32,
    /// Correlates an answer with its request.
    pub opaque: i32,
    /// Response and one-way bits.
    pub flag: i32,
    /// The queue of a send: `e`, or `queueId` in the old form.
    pub queue_id: i32,
}

impl Glance {
    /// Whether this frame answers a request.
    pub const fn is_response(&self) -> bool {
        self.flag & 1 != 0
    }

    /// Whether nobody waits for an answer.
    pub const fn is_oneway(&self) -> bool {
        self.flag & 2 != 0
    }

    /// `depth` is 1 in the header itself and 2 in its ext fields.
    fn take(&mut self, depth: usize, key: &[u8], value: &[u8]) {
        match (depth, key) {
            (1, b"code") => self.code = number(value),
            (1, b"opaque") => self.opaque = number(value),
            (1, b"flag") => self.flag = number(value),
            (2, b"e" | b"queueId") => self.queue_id = number(value),
            _ => {}
        }
    }
}

fn json(header: &[u8]) -> Glance {
    let mut glance = Glance::default();
    let mut scan = Scan { bytes: header, at: 0 };
    let mut depth = 0usize;
    while let Some(byte) = scan.step() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                let key = scan.text();
                if let Some(value) = scan.value() {
                    glance.take(depth, key, value);
                }
            }
            _ => {}
        }
    }
    glance
}

/// A walk over JSON that knows texts and numbers; every index is judged, so no bytes can make it panic.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn step(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied();
        self.at += 1;
        byte
    }

    /// What stands before the closing quote, escapes as they are. The opening quote has been taken.
    fn text(&mut self) -> &'a [u8] {
        let start = self.at;
        while let Some(byte) = self.step() {
            match byte {
                b'"' => return &self.bytes[start..self.at - 1],
                b'\\' => self.at += 1,
                _ => {}
            }
        }
        &[]
    }

    /// The text or number behind a key, or `None` before an object, which the caller enters.
    fn value(&mut self) -> Option<&'a [u8]> {
        while let Some(b':' | b' ') = self.bytes.get(self.at) {
            self.at += 1;
        }
        match self.bytes.get(self.at)? {
            b'{' => None,
            b'"' => {
                self.at += 1;
                Some(self.text())
            }
            _ => {
                let rest = &self.bytes[self.at..];
                let end = rest.iter().position(|byte| matches!(byte, b',' | b'}')).unwrap_or(rest.len());
                self.at += end;
                Some(&rest[..end])
            }
        }
    }
}

fn binary(mut header: &[u8]) -> Result<Glance, TryGetError> {
    let mut glance = Glance { code: i32::from(header.try_get_i16()?), ..Glance::default() };
    let (_language, _version) = (header.try_get_u8()?, header.try_get_u16()?);
    glance.opaque = header.try_get_i32()?;
    glance.flag = header.try_get_i32()?;
    let remark = header.try_get_u32()?;
    take(&mut header, remark as usize);
    let _all = header.try_get_u32()?;
    while header.has_remaining() {
        let length = header.try_get_u16()?;
        let key = take(&mut header, usize::from(length));
        let length = header.try_get_u32()?;
        let value = take(&mut header, length as usize);
        glance.take(2, key, value);
    }
    Ok(glance)
}

/// The next `length` bytes, or as many as there are.
fn take<'a>(from: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = from.split_at(length.min(from.len()));
    *from = rest;
    taken
}

/// Decimal text; anything else gives some number, never a panic.
fn number(text: &[u8]) -> i32 {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        digits => (1, digits),
    };
    let magnitude = digits
        .iter()
        .fold(0i32, |value, digit| value.wrapping_mul(10).wrapping_add(i32::from(digit.wrapping_sub(b'0'))));
    magnitude.wrapping_mul(sign)
}

#[cfg(test)]
mod tests {
    use maxq_protocol::{
        Flags, RemotingCommand,
        header::{SendMessage, SendMessageV1, SendMessageV2},
    };

    use super::*;

    fn send() -> SendMessage<'static> {
        SendMessage {
            topic: "T".into(),
            queue_id: 7,
            properties: "KEYS\u{1}\"opaque\":5,{}\u{2}TAGS\u{1}\\\u{2}".into(),
            ..SendMessage::default()
        }
    }

    fn written(mut command: RemotingCommand, encoding: HeaderEncoding) -> Vec<u8> {
        command.opaque = 1_000_000_007;
        command.flags = Flags::ONEWAY;
        command.encoding = encoding;
        let mut out = Vec::new();
        command.with_body("body").encode(&mut out);
        out
    }

    #[test]
    fn both_encodings_and_both_field_names_are_seen() {
        for encoding in [HeaderEncoding::Json, HeaderEncoding::Binary] {
            for (command, code) in [
                (RemotingCommand::request(&SendMessageV1(send())), 10),
                (RemotingCommand::request(&SendMessageV2(send())), 310),
            ] {
                let bytes = written(command, encoding);
                let frame = Frame::first(&bytes).unwrap().unwrap();
                assert_eq!(frame.glance(), Glance { code, opaque: 1_000_000_007, flag: 2, queue_id: 7 });
                assert_eq!((frame.body, frame.bytes), (&b"body"[..], &bytes[..]));
            }
        }
    }

    #[test]
    fn a_frame_is_seen_only_when_its_last_byte_is_there() {
        let bytes = written(RemotingCommand::request(&SendMessageV2(send())), HeaderEncoding::Json);
        for cut in 0..bytes.len() {
            assert!(Frame::first(&bytes[..cut]).unwrap().is_none(), "cut at {cut}");
        }
        assert!(Frame::first(&bytes).unwrap().is_some());
    }

    #[test]
    fn negative_numbers_are_read() {
        assert_eq!(
            json(br#"{"opaque":-12,"extFields":{"e":"-1"}}"#),
            Glance { opaque: -12, queue_id: -1, ..Glance::default() }
        );
    }

    #[test]
    fn broken_headers_never_panic() {
        for encoding in [HeaderEncoding::Json, HeaderEncoding::Binary] {
            let bytes = written(RemotingCommand::request(&SendMessageV2(send())), encoding);
            let header = Frame::first(&bytes).unwrap().unwrap().header;
            for cut in 0..header.len() {
                let (_, _) = (json(&header[..cut]), binary(&header[..cut]));
                let (_, _) = (json(&header[cut..]), binary(&header[cut..]));
            }
        }
    }
}
