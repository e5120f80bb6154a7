//! Any bytes as a heartbeat: what is read is written and read alike.

#![no_main]

use libfuzzer_sys::fuzz_target;
use maxq_protocol::body::{HeartbeatData, JsonDialect, from_json, to_json};

fuzz_target!(|data: &[u8]| {
    if let Ok(heartbeat) = from_json::<HeartbeatData>(data) {
        assert_eq!(from_json(&to_json(&heartbeat, JsonDialect::Standard)), Ok(heartbeat));
    }
});
