//! Cuts a stream of bytes into commands.
//!
//! Apache's `NettyDecoder` is a `LengthFieldBasedFrameDecoder(16 MiB, 0, 4, 0, 4)`: its limit counts the length word,
//! so the largest length that passes is 16,777,212. Whatever breaks a rule closes the connection; nothing is answered.

use bytes::{Buf, Bytes, BytesMut};

use crate::{DecodeError, DecodeErrorKind as Kind, RemotingCommand, header::StoredReply, serialize};

/// The largest length word that Apache's decoder accepts.
pub const MAX_LENGTH: u32 = 16_777_212;

/// Takes commands out of a buffer that its caller fills.
///
/// It looks at no byte behind the frame that it returns, so what follows may belong to somebody else. An announced
/// length is judged as soon as its four bytes are there: a hostile one never becomes an allocation.
#[derive(Clone, Debug)]
pub struct FrameReader {
    limit: u32,
}

impl FrameReader {
    /// A reader with Apache's limit.
    pub const fn new() -> Self {
        Self { limit: MAX_LENGTH }
    }

    /// A reader that refuses lengths above `limit` bytes.
    pub const fn with_limit(limit: u32) -> Self {
        Self { limit }
    }

    /// Takes the next command out of `buffer`, or `None` when more bytes are needed.
    ///
    /// # Errors
    /// The bytes are not a frame. The stream has lost its framing and must be closed.
    pub fn next(&self, buffer: &mut BytesMut) -> Result<Option<RemotingCommand>, DecodeError> {
        let Some(length) = self.frame_length(buffer)? else { return Ok(None) };
        if buffer.len() < 4 + length {
            return Ok(None);
        }
        let header_length = header_length(buffer);
        let mut command = serialize::read_header(buffer[4], &buffer[8..8 + header_length])?;
        let body_length = length - 4 - header_length;
        buffer.advance(8 + header_length);
        command.body = if body_length == 0 { Bytes::new() } else { buffer.split_to(body_length).freeze() };
        Ok(Some(command))
    }

    /// How many bytes the frame at the start of `buffer` still lacks, when that is known.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub fn missing(&self, buffer: &[u8]) -> Result<Option<usize>, DecodeError> {
        Ok(self.frame_length(buffer)?.map(|length| (4 + length).saturating_sub(buffer.len())))
    }

    /// The judged length word. Every part is judged as early as its bytes are there.
    fn frame_length(&self, buffer: &[u8]) -> Result<Option<usize>, DecodeError> {
        let Some(word) = buffer.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*word);
        if length > self.limit {
            return Err(DecodeError::new(Kind::FrameTooLong { length, limit: self.limit }, "frame length"));
        }
        if length < 4 {
            return Err(DecodeError::new(Kind::FrameTooShort { length }, "frame length"));
        }
        if buffer.len() >= 8 {
            let header = header_length(buffer) as u32;
            if header > length - 4 {
                return Err(DecodeError::new(Kind::HeaderTooLong { header, length }, "header length"));
            }
            serialize::HeaderEncoding::from_byte(buffer[4])?;
        }
        Ok(Some(length as usize))
    }
}

/// Reads the usual answer to a send, code 0 and where the message is, without taking it apart: nothing is copied.
///
/// It remembers how the last one was written, so each connection has its own.
#[derive(Clone, Debug)]
pub struct StoredReader {
    frames: FrameReader,
    headers: serialize::StoredReader,
}

impl StoredReader {
    /// A reader for a stream that `frames` cuts.
    pub fn new(frames: &FrameReader) -> Self {
        Self { frames: frames.clone(), headers: serialize::StoredReader::default() }
    }

    /// What the frame at the start of `buffer` says, and its length, if it is whole, says that a message is stored, and
    /// holds nothing unusual. Nothing is taken out of the buffer.
    ///
    /// `None` decides nothing: [`FrameReader::next`] does.
    pub fn look<'a>(&mut self, buffer: &'a [u8]) -> Option<(StoredReply<'a>, usize)> {
        let end = 4 + self.frames.frame_length(buffer).ok()??;
        let header = buffer.get(8..end)?;
        // A body there is not.
        if header.len() != header_length(buffer) {
            return None;
        }
        Some((self.headers.read(buffer[4], header)?, end))
    }
}

impl Default for FrameReader {
    fn default() -> Self {
        Self::new()
    }
}

/// The low 24 bits of the second word. The caller has seen that eight bytes are there.
fn header_length(buffer: &[u8]) -> usize {
    u32::from_be_bytes([0, buffer[5], buffer[6], buffer[7]]) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Flags, header::GetRouteInfo};

    fn frame() -> Vec<u8> {
        let mut command = RemotingCommand::request(&GetRouteInfo {
            topic: "TopicTest".into(),
            accept_standard_json_only: Some(true),
        });
        command.opaque = 7;
        let mut out = Vec::new();
        command.with_body("hello").encode(&mut out);
        out
    }

    #[test]
    fn a_frame_that_comes_byte_by_byte_is_read_once() {
        let bytes = frame();
        let reader = FrameReader::new();
        let mut buffer = BytesMut::new();
        for byte in &bytes[..bytes.len() - 1] {
            buffer.extend_from_slice(&[*byte]);
            assert_eq!(reader.next(&mut buffer), Ok(None));
        }
        buffer.extend_from_slice(&bytes[bytes.len() - 1..]);
        buffer.extend_from_slice(b"next");
        let command = reader.next(&mut buffer).unwrap().unwrap();
        assert_eq!((command.opaque, command.flags, &command.body[..]), (7, Flags::REQUEST, &b"hello"[..]));
        assert_eq!(&buffer[..], b"next");
    }

    #[test]
    fn the_largest_length_waits_and_one_more_closes() {
        let reader = FrameReader::new();
        let mut buffer = BytesMut::from(&16_777_212u32.to_be_bytes()[..]);
        assert_eq!(reader.next(&mut buffer), Ok(None));
        let mut buffer = BytesMut::from(&16_777_213u32.to_be_bytes()[..]);
        let error = reader.next(&mut buffer).unwrap_err();
        assert_eq!(error.kind, Kind::FrameTooLong { length: 16_777_213, limit: MAX_LENGTH });
    }

    #[test]
    fn a_grpc_port_is_recognised() {
        let mut buffer = BytesMut::from(&b"PRI * HTTP/2.0"[..]);
        let error = FrameReader::new().next(&mut buffer).unwrap_err();
        assert!(error.to_string().contains("gRPC port"), "{error}");
    }

    #[test]
    fn bad_header_words_are_refused_before_the_header_comes() {
        let refused = |bytes: &[u8]| FrameReader::new().next(&mut BytesMut::from(bytes)).unwrap_err().kind;
        assert_eq!(refused(&[0, 0, 0, 3]), Kind::FrameTooShort { length: 3 });
        assert_eq!(refused(&[0, 0, 0, 8, 0, 0, 0, 5]), Kind::HeaderTooLong { header: 5, length: 8 });
        assert_eq!(refused(&[0, 0, 0, 8, 9, 0, 0, 4]), Kind::UnknownSerializeType(9));
    }
}
