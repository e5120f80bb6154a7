//! Any bytes as a batch: what is read is written and read alike.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use maxq_protocol::message::{Properties, batch};

fuzz_target!(|data: &[u8]| {
    let Ok(entries) = batch::decode(Bytes::copy_from_slice(data)) else { return };
    if entries.iter().any(|entry| entry.properties.len() > Properties::MAX_ENCODED_LENGTH) {
        return;
    }
    let mut out = Vec::new();
    for entry in &entries {
        batch::encode_entry(entry.flag, &entry.body, &entry.properties, &mut out);
    }
    assert_eq!(batch::decode(out.into()), Ok(entries));
});
