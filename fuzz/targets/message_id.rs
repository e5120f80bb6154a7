//! Any text as an id: what is read is written alike, in upper case.

#![no_main]

use libfuzzer_sys::fuzz_target;
use maxq_protocol::message::{OffsetMessageId, UniqueId, UniqueIdText};

fuzz_target!(|text: &str| {
    if let Ok(id) = text.parse::<OffsetMessageId>() {
        assert_eq!(id.to_string(), text.to_ascii_uppercase());
    }
    if let Ok(id) = text.parse::<UniqueId>() {
        assert_eq!(id.to_string(), text.to_ascii_uppercase());
        assert_eq!(text.parse::<UniqueIdText>().expect("32 digits").as_str(), text);
    }
    if let Ok(id) = text.parse::<UniqueIdText>() {
        assert_eq!(id.as_str(), text);
    }
});
