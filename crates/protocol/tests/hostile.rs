//! Bytes from the network never panic, never loop for ever, and never decide how much memory is taken.

use bytes::{Bytes, BytesMut};
use maxq_protocol::{
    DecodeErrorKind as Kind, FrameReader, Header, HeaderEncoding, RemotingCommand, ResponseCode,
    StoredReader, Topic,
    body::{
        ClusterInfo, HeartbeatData, TopicConfig, TopicList, TopicRouteData, TopicStats, from_json, normalise,
    },
    compression::{Compression, decompress},
    header::{
        CreateTopic, GetRouteInfo, HeartbeatReply, PullMessage, PullReply, QueryMessage, QueryMessageReply,
        SearchOffset, SendMessageV1, SendMessageV2, SendReply,
    },
    message::{OffsetMessageId, Properties, StoredMessage, UniqueId, UniqueIdText, batch},
};
use proptest::{collection::vec, prelude::*, sample::select};

#[path = "golden/values.rs"]
#[allow(dead_code, reason = "the golden tests use the rest")]
mod values;

const LIMIT: usize = 1 << 16;

proptest! {
    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        read_everything(&bytes);
    }

    #[test]
    fn any_text(text in any::<String>()) {
        read_everything(text.as_bytes());
    }

    #[test]
    fn almost_right_bytes(bytes in mutated()) {
        read_everything(&bytes);
    }

    #[test]
    fn almost_json(text in "[{}\\[\\]:,\"\\\\a0 ]{0,60}") {
        read_everything(text.as_bytes());
        if let Ok(text) = normalise(text.as_bytes()) {
            prop_assert!(std::str::from_utf8(&text).is_ok());
        }
    }

    #[test]
    fn almost_the_answer_to_a_send(
        binary in any::<bool>(),
        changes in vec((any::<prop::sample::Index>(), select(&b"\"\\{}:,01a\0\xff-+ "[..])), 0..4),
    ) {
        let mut answer = answer_to_a_send();
        answer.encoding = if binary { HeaderEncoding::Binary } else { HeaderEncoding::Json };
        let mut frame = Vec::new();
        answer.encode(&mut frame);
        let whole = StoredReader::new(&FrameReader::new()).look(&frame).map(|(reply, length)| (reply.queue_offset, length));
        prop_assert_eq!(whole, Some((5, frame.len())));
        for (at, byte) in changes {
            let at = at.index(frame.len());
            frame[at] = byte;
        }
        read_frames(&frame);
    }

    #[test]
    fn almost_a_frame(kind in 0u8..3, header in vec(any::<u8>(), 0..80), body in vec(any::<u8>(), 0..20)) {
        let mut frame = ((4 + header.len() + body.len()) as u32).to_be_bytes().to_vec();
        frame.extend_from_slice(&[kind, 0, 0, header.len() as u8]);
        frame.extend_from_slice(&header);
        frame.extend_from_slice(&body);
        read_frames(&frame);
    }
}

#[test]
fn deep_json_is_refused_wherever_it_stands() {
    for bomb in ["[", "{\"a\":", "{0:", "{{", "[{", "{\"brokerDatas\":["] {
        let text = bomb.repeat(200_000);
        assert!(from_json::<TopicRouteData>(text.as_bytes()).is_err(), "{bomb}");
        assert!(from_json::<serde_json::Value>(text.as_bytes()).is_err(), "{bomb}");
        for key in ["extFields", "other", "remark", "language"] {
            let header = format!("{{\"{key}\":{text}");
            let mut frame = ((4 + header.len()) as u32).to_be_bytes().to_vec();
            frame.extend_from_slice(&(header.len() as u32).to_be_bytes());
            frame.extend_from_slice(header.as_bytes());
            let error = FrameReader::new().next(&mut BytesMut::from(&frame[..])).unwrap_err();
            assert!(matches!(error.kind, Kind::Json(_)), "{key} {bomb}: {error}");
        }
    }
}

#[test]
fn a_header_with_very_many_fields_is_refused_at_once() {
    let fields: Vec<String> = (0..200_000).map(|at| format!("\"{at}\":\"v\"")).collect();
    let header = format!("{{\"extFields\":{{{}}}}}", fields.join(","));
    let mut json = ((4 + header.len()) as u32).to_be_bytes().to_vec();
    json.extend_from_slice(&(header.len() as u32).to_be_bytes());
    json.extend_from_slice(header.as_bytes());
    assert!(FrameReader::new().next(&mut BytesMut::from(&json[..])).is_err());

    let entries: Vec<u8> = (0..200_000u32)
        .flat_map(|at| [&[0, 4][..], &at.to_be_bytes().map(|byte| byte & 0x7F), &[0, 0, 0, 1, b'v']].concat())
        .collect();
    let mut header = vec![0; 17];
    header.extend_from_slice(&(entries.len() as u32).to_be_bytes());
    header.extend_from_slice(&entries);
    let mut binary = ((4 + header.len()) as u32).to_be_bytes().to_vec();
    binary.extend_from_slice(&(header.len() as u32 | 1 << 24).to_be_bytes());
    binary.extend_from_slice(&header);
    let error = FrameReader::new().next(&mut BytesMut::from(&binary[..])).unwrap_err();
    assert_eq!(error.kind, Kind::Malformed("too many".to_owned()));
}

#[test]
fn many_properties_are_read_in_one_go() {
    let text: String = (0..200_000).map(|at| format!("{at}\u{1}v\u{2}")).collect();
    assert_eq!(Properties::decode(&text).len(), 200_000);
    let same = "a\u{1}v\u{2}".repeat(200_000);
    assert_eq!(Properties::decode(&same).len(), 1);
}

#[cfg(feature = "lz4")]
#[test]
fn an_lz4_header_decides_no_allocation() {
    // 4 MiB blocks and a content size of 2^63, with a right header checksum.
    let mut frame = vec![0x04, 0x22, 0x4D, 0x18, 0x68, 0x70];
    frame.extend_from_slice(&(1u64 << 63).to_le_bytes());
    let checksum = (twox_hash::XxHash32::oneshot(0, &frame[4..]) >> 8) as u8;
    frame.push(checksum);
    frame.extend_from_slice(&[0; 4]);
    let error = decompress(Compression::Lz4, &frame, usize::MAX).unwrap_err();
    assert_eq!(error.kind, Kind::Corrupt("the LZ4 content size is wrong".to_owned()));
    // A block that announces more than there is.
    let at = frame.len() - 4;
    frame[at..].copy_from_slice(&0x7FFF_FFFFu32.to_le_bytes());
    assert!(matches!(decompress(Compression::Lz4, &frame, usize::MAX).unwrap_err().kind, Kind::Corrupt(_)));
}

#[cfg(feature = "lz4")]
#[test]
fn lz4_frames_of_every_kind_are_read() {
    let plain = b"hello hello hello hello hello ".repeat(4000);
    let reads = |frame: &[u8]| assert_eq!(decompress(Compression::Lz4, frame, plain.len()).unwrap(), plain);
    for (flags, size_code) in [(0x60, 4), (0x60, 7), (0x40, 4), (0x7C, 5), (0x5C, 6), (0x70, 4), (0x44, 7)] {
        reads(&lz4_frame(&plain, flags, size_code));
    }
    let (first, second) = plain.split_at(70_000);
    let mut frames = lz4_frame(first, 0x60, 4);
    frames.extend_from_slice(&[0x53, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    frames.extend_from_slice(&lz4_frame(second, 0x40, 4));
    reads(&frames);
}

#[cfg(feature = "lz4")]
#[test]
fn a_flipped_bit_under_checksums_is_found() {
    let plain = b"hello hello hello hello hello ".repeat(100);
    let frame = lz4_frame(&plain, 0x7C, 4);
    for at in 0..frame.len() {
        let mut flipped = frame.clone();
        flipped[at] ^= 0x10;
        let read = decompress(Compression::Lz4, &flipped, 1 << 20);
        assert!(read.is_err(), "byte {at}");
    }
}

/// The first frame declares no content, the second has some: room for nothing, doubled again and again, was nothing.
#[cfg(feature = "zstd")]
#[test]
fn a_zstd_frame_that_declares_nothing_does_not_hang() {
    let mut frames = vec![0x28, 0xB5, 0x2F, 0xFD, 0x20, 0, 1, 0, 0];
    frames.extend_from_slice(&maxq_protocol::compression::compress(Compression::Zstd, 5, b"hello").unwrap());
    assert_eq!(decompress(Compression::Zstd, &frames, 100).unwrap(), b"hello");
    let found = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 0, 0, 0, 0, 0x2A, 0x64, 0x21, 1, 0, 0];
    assert!(decompress(Compression::Zstd, &found, 100).is_err());
}

/// A frame as another writer makes it: linked blocks, checksums, content size, by the flags.
#[cfg(feature = "lz4")]
fn lz4_frame(plain: &[u8], flags: u8, size_code: u8) -> Vec<u8> {
    let xxh32 = |bytes: &[u8]| twox_hash::XxHash32::oneshot(0, bytes);
    let mut frame = vec![0x04, 0x22, 0x4D, 0x18, flags, size_code << 4];
    if flags & 0x08 != 0 {
        frame.extend_from_slice(&(plain.len() as u64).to_le_bytes());
    }
    frame.push((xxh32(&frame[4..]) >> 8) as u8);
    for start in (0..plain.len()).step_by(1 << (8 + 2 * size_code)) {
        let block = &plain[start..plain.len().min(start + (1 << (8 + 2 * size_code)))];
        let packed = match flags & 0x20 {
            0 => lz4_flex::block::compress_with_dict(block, &plain[start.saturating_sub(65_536)..start]),
            _ => lz4_flex::block::compress(block),
        };
        frame.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        frame.extend_from_slice(&packed);
        if flags & 0x10 != 0 {
            frame.extend_from_slice(&xxh32(&packed).to_le_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    if flags & 0x04 != 0 {
        frame.extend_from_slice(&xxh32(plain).to_le_bytes());
    }
    frame
}

fn read_everything(bytes: &[u8]) {
    read_frames(bytes);
    let _ = batch::decode(Bytes::copy_from_slice(bytes));
    read_records(bytes);
    for kind in [Compression::Lz4, Compression::Zstd, Compression::Zlib] {
        if let Ok(plain) = decompress(kind, bytes, LIMIT) {
            assert!(plain.len() <= LIMIT);
        }
    }
    let _ = from_json::<TopicRouteData>(bytes);
    let _ = from_json::<ClusterInfo>(bytes);
    let _ = from_json::<HeartbeatData>(bytes);
    let _ = from_json::<TopicConfig>(bytes);
    let _ = from_json::<TopicList>(bytes);
    let _ = from_json::<TopicStats>(bytes);
    let text = String::from_utf8_lossy(bytes);
    let _ = Properties::decode(&text).check();
    let _ = Topic::new(&*text).map_err(|error| error.to_string());
    let _ = text.parse::<UniqueId>();
    let _ = text.parse::<UniqueIdText>();
    let _ = text.parse::<OffsetMessageId>();
}

fn answer_to_a_send() -> RemotingCommand {
    let reply = SendReply {
        message_id: "7F00000100002A9F0000000000000000".to_owned(),
        queue_id: 3,
        queue_offset: 5,
        transaction_id: None,
        batch_unique_id: None,
        recall_handle: None,
        region: Some("DefaultRegion".to_owned()),
        trace_on: Some(true),
    };
    RemotingCommand::response(ResponseCode::SUCCESS, 8).with_header(&reply)
}

fn read_frames(bytes: &[u8]) {
    let mut buffer = BytesMut::from(bytes);
    let reader = FrameReader::new();
    let _ = reader.missing(&buffer);
    let mut stored = StoredReader::new(&reader);
    // A usual one first: what follows may be of its shape, or nearly so.
    let mut usual = Vec::new();
    answer_to_a_send().encode(&mut usual);
    assert!(stored.look(&usual).is_some());
    loop {
        let short = stored.look(&buffer).map(|(reply, length)| {
            let id = reply.message_id.to_owned();
            ((reply.opaque, id, reply.queue_id, i64::try_from(reply.queue_offset)), buffer.len() - length)
        });
        let next = reader.next(&mut buffer);
        if let Some((short, rest)) = short {
            // What the short way reads, the long way reads alike.
            let command = next.as_ref().expect("a frame").as_ref().expect("a whole frame");
            let long = SendReply::read(&command.ext)
                .unwrap_or_else(|error| panic!("{error}: {}", bytes.escape_ascii()));
            assert_eq!(short, (command.opaque, long.message_id, long.queue_id, Ok(long.queue_offset)));
            assert!(command.code == 0 && command.is_response() && command.remark.is_none());
            assert!(command.body.is_empty() && buffer.len() == rest);
        }
        let Ok(Some(command)) = next else { break };
        let _ = GetRouteInfo::read(&command.ext);
        let _ = SendMessageV1::read(&command.ext);
        let _ = SendMessageV2::read(&command.ext);
        let _ = SendReply::read(&command.ext);
        let _ = PullMessage::read(&command.ext);
        let _ = PullReply::read(&command.ext);
        let _ = SearchOffset::read(&command.ext);
        let _ = CreateTopic::read(&command.ext);
        let _ = QueryMessage::read(&command.ext);
        let _ = QueryMessageReply::read(&command.ext);
        let _ = HeartbeatReply::read(&command.ext);
        command.encode(&mut Vec::new());
    }
}

/// Every call takes at least a byte, so the loop ends.
fn read_records(bytes: &[u8]) {
    let mut from = Bytes::copy_from_slice(bytes);
    loop {
        let before = from.len();
        match StoredMessage::decode(&mut from) {
            Ok(None) => break,
            Ok(Some(message)) => {
                let _ = message
                    .plain_body(LIMIT)
                    .map(|body| assert!(body.len() <= LIMIT.max(message.body.len())));
                let _ = (message.unique_id(), message.offset_id().to_string(), message.properties());
                if message.properties.len() <= Properties::MAX_ENCODED_LENGTH {
                    message.encode(&mut Vec::new());
                }
            }
            Err(_) => {}
        }
        assert!(from.len() < before);
    }
}

/// A right thing with some bytes changed, cut out or put in.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let samples: Vec<Vec<u8>> = values::files().into_values().filter(|bytes| bytes.len() < 2000).collect();
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0u8..4);
    (select(samples), vec(change, 1..6)).prop_map(|(mut bytes, changes)| {
        for (at, byte, what) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match what {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.truncate(at),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    })
}
