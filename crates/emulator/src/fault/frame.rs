//! Frames that are wrong.

use maxq_protocol::{Flags, RemotingCommand};

use super::FramePart;

/// The bytes of an answer.
pub(super) struct Frame(Vec<u8>);

impl Frame {
    pub(super) fn of(answer: &RemotingCommand) -> Self {
        let mut bytes = Vec::new();
        answer.encode(&mut bytes);
        Self(bytes)
    }

    /// An answer whose remark is not UTF-8.
    pub(super) fn with_broken_remark(answer: RemotingCommand) -> Vec<u8> {
        let Self(mut bytes) = Self::of(&answer.with_remark(STAND_IN));
        // The stand-in is in the header, and plain in both encodings.
        let place = bytes.windows(STAND_IN.len()).position(|window| window == STAND_IN.as_bytes());
        if let Some(place) = place {
            bytes[place..place + STAND_IN.len()].fill(0xFF);
        }
        bytes
    }

    /// What comes before and after a place.
    pub(super) fn split(self, at: FramePart) -> (Vec<u8>, Vec<u8>) {
        let Self(mut bytes) = self;
        let header = usize::try_from(u32::from_be_bytes([0, bytes[5], bytes[6], bytes[7]])).unwrap_or(0);
        let place = match at {
            FramePart::Length => 2,
            FramePart::Header => HEADER_BEGIN + header / 2,
            FramePart::Body => bytes.len() - 1,
        };
        let end = bytes.split_off(place);
        (bytes, end)
    }

    pub(super) fn until(self, at: FramePart) -> Vec<u8> {
        self.split(at).0
    }

    pub(super) fn with_length(self, length: i32) -> Vec<u8> {
        self.with(0, length.to_be_bytes())
    }

    pub(super) fn with_length_changed(self, by: i32) -> Vec<u8> {
        let length = i32::try_from(self.0.len() - 4).unwrap_or(i32::MAX);
        self.with_length(length.saturating_add(by))
    }

    pub(super) fn with_header_length(self, length: u32) -> Vec<u8> {
        let [_, high, middle, low] = length.to_be_bytes();
        self.with(5, [high, middle, low])
    }

    pub(super) fn with_type(self, byte: u8) -> Vec<u8> {
        self.with(4, [byte])
    }

    fn with<const N: usize>(self, at: usize, bytes: [u8; N]) -> Vec<u8> {
        let Self(mut frame) = self;
        frame[at..at + N].copy_from_slice(&bytes);
        frame
    }
}

/// A request that a server sends to its client.
pub(super) fn request_of_a_server(code: i32) -> Vec<u8> {
    let mut request = RemotingCommand::response(maxq_protocol::ResponseCode(code), SERVER_OPAQUE);
    request.flags = Flags::REQUEST;
    Frame::of(&request).0
}

/// The length word, then the word of the header's length.
const HEADER_BEGIN: usize = 8;
const STAND_IN: &str = "A-REMARK-THAT-IS-NOT-UTF-8";
/// Servers count their own requests; this one is easy to see in a dump.
const SERVER_OPAQUE: i32 = 0x0050_5348;
