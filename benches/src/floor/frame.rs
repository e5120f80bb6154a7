//! A send request that is ready but for its opaque.

use std::ops::Range;

use maxq_protocol::{
    ExtFields, Flags, HeaderEncoding, Request,
    header::{SendBatchMessage, SendMessage, SendMessageV2},
    message::batch::encode_entry,
    serialize::{Envelope, write_request_head},
};

use crate::load::{Load, Way};

/// A whole frame: SEND_MESSAGE_V2, the same one way, or SEND_BATCH_MESSAGE. Its opaque is the slot of the sender, added
/// to a base with ten digits, because JSON knows no leading zeros.
#[derive(Debug)]
pub struct Prebuilt {
    bytes: Vec<u8>,
    opaque: Range<usize>,
    encoding: HeaderEncoding,
}

impl Prebuilt {
    /// The frame of `load`, with the fields that the client sends too.
    pub fn new(load: &Load) -> Self {
        let (encoding, body) = (load.shape.encoding.into(), load.body());
        let send = SendMessage {
            producer_group: "bench_group".into(),
            topic: "BenchTopic".into(),
            default_topic: "TBW102".into(),
            default_topic_queue_nums: 4,
            queue_id: 3,
            born_timestamp: 1_724_400_000_000,
            properties: PROPERTIES.into(),
            reconsume_times: Some(0),
            unit_mode: Some(false),
            batch: Some(load.way == Way::Batch),
            broker_name: Some("null-broker-0".into()),
            ..SendMessage::default()
        };
        match load.way {
            Way::Batch => {
                let mut entries = Vec::new();
                for _ in 0..load.batch.get() {
                    encode_entry(0, &body, PROPERTIES, &mut entries);
                }
                Self::of(&SendBatchMessage(send), Flags::REQUEST, encoding, &entries)
            }
            Way::Oneway => Self::of(&SendMessageV2(send), Flags::ONEWAY, encoding, &body),
            _ => Self::of(&SendMessageV2(send), Flags::REQUEST, encoding, &body),
        }
    }

    fn of<R: Request>(request: &R, flags: Flags, encoding: HeaderEncoding, body: &[u8]) -> Self {
        let envelope = Envelope { opaque: BASE, flags, encoding };
        let mut bytes = Vec::new();
        write_request_head(request, &ExtFields::new(), envelope, body.len(), &mut bytes);
        let opaque = match encoding {
            HeaderEncoding::Json => {
                let text = format!("\"opaque\":{BASE}");
                let found = bytes.windows(text.len()).position(|window| window == text.as_bytes());
                let end = found.expect("the opaque was written above") + text.len();
                end - DIGITS..end
            }
            // Behind the two words of the frame, the code, the language and the version.
            HeaderEncoding::Binary => 13..17,
        };
        bytes.extend_from_slice(body);
        Self { bytes, opaque, encoding }
    }

    /// Appends the frame of `slot`.
    pub fn append(&self, slot: u32, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let opaque = BASE as u32 + slot;
        let place = &mut out[start..][self.opaque.clone()];
        match self.encoding {
            HeaderEncoding::Json => place.copy_from_slice(itoa::Buffer::new().format(opaque).as_bytes()),
            HeaderEncoding::Binary => place.copy_from_slice(&opaque.to_be_bytes()),
        }
    }

    /// The slot that an answer belongs to.
    pub fn slot(opaque: i32) -> usize {
        usize::try_from(opaque.wrapping_sub(BASE)).unwrap_or(usize::MAX)
    }
}

const PROPERTIES: &str = "UNIQ_KEY\u{1}7F0000010A2C18B4AAC20F2C3A510000\u{2}WAIT\u{1}true\u{2}";
const BASE: i32 = 1_000_000_000;
const DIGITS: usize = 10;

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use maxq_protocol::{FrameReader, RemotingCommand, message::batch};

    use super::*;
    use crate::load::{Encoding, Shape};

    #[test]
    fn every_slot_gets_a_whole_frame_of_its_own() {
        for encoding in [Encoding::Json, Encoding::Binary] {
            for way in [Way::Awaited, Way::Oneway, Way::Batch] {
                let shape = Shape { encoding, body: 7, ..Shape::default() };
                let frame = Prebuilt::new(&Load { way, shape, ..Load::default() });
                let mut out = Vec::new();
                for slot in [0, 1, 999] {
                    frame.append(slot, &mut out);
                }
                let mut out = BytesMut::from(&out[..]);
                for slot in [0, 1, 999] {
                    let command = FrameReader::new().next(&mut out).unwrap().unwrap();
                    assert_eq!(Prebuilt::slot(command.opaque), slot);
                    assert_eq!(command.encoding, encoding.into());
                    assert_eq!(command.is_oneway(), way == Way::Oneway);
                    assert_eq!(
                        bodies(way, &command),
                        vec![&b"xxxxxxx"[..]; if way == Way::Batch { 64 } else { 1 }]
                    );
                    let send: SendMessageV2<'_> = command.header().unwrap();
                    assert_eq!((&*send.0.topic, send.0.queue_id), ("BenchTopic", 3));
                }
                assert!(out.is_empty());
            }
        }
    }

    fn bodies(way: Way, command: &RemotingCommand) -> Vec<Bytes> {
        match way {
            Way::Batch => {
                batch::decode(command.body.clone()).unwrap().into_iter().map(|entry| entry.body).collect()
            }
            _ => vec![command.body.clone()],
        }
    }

    #[test]
    fn an_opaque_of_somebody_else_has_no_slot() {
        assert_eq!(Prebuilt::slot(7), usize::MAX);
    }
}
