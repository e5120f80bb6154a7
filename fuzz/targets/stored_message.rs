//! Any bytes as stored messages: reading ends, and what is read is written and read alike.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use maxq_protocol::message::{Properties, StoredMessage};

fuzz_target!(|data: &[u8]| {
    const LIMIT: usize = 1 << 20;
    let mut from = Bytes::copy_from_slice(data);
    loop {
        let before = from.len();
        match StoredMessage::decode(&mut from) {
            Ok(None) => break,
            Ok(Some(message)) => {
                let _ = message
                    .plain_body(LIMIT)
                    .map(|body| assert!(body.len() <= LIMIT.max(message.body.len())));
                let _ = (message.properties(), message.unique_id(), message.offset_id().to_string());
                if message.properties.len() <= Properties::MAX_ENCODED_LENGTH && message.topic.len() <= 255 {
                    let mut out = Vec::new();
                    message.encode(&mut out);
                    let read = StoredMessage::decode_all(out.into()).expect("our own record");
                    assert_eq!(read, [message]);
                }
            }
            Err(_) => {}
        }
        assert!(from.len() < before);
    }
});
