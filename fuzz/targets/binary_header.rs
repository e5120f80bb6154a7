//! Any bytes as a binary header, and what the typed headers make of its fields.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use maxq_protocol::{
    FrameReader, Header,
    header::{
        CreateTopic, GetRouteInfo, PullMessage, PullReply, SearchOffset, SendMessageV1, SendMessageV2,
        SendReply,
    },
};

fuzz_target!(|data: &[u8]| {
    let mut frame = (4 + data.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(&(data.len() as u32 | 1 << 24).to_be_bytes());
    frame.extend_from_slice(data);
    let Ok(Some(command)) = FrameReader::new().next(&mut BytesMut::from(&frame[..])) else { return };
    let _ = GetRouteInfo::read(&command.ext);
    let _ = SendMessageV1::read(&command.ext);
    let _ = SendMessageV2::read(&command.ext);
    let _ = SendReply::read(&command.ext);
    let _ = PullMessage::read(&command.ext);
    let _ = PullReply::read(&command.ext);
    let _ = SearchOffset::read(&command.ext);
    let _ = CreateTopic::read(&command.ext);
});
