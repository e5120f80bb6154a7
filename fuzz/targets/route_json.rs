//! Any bytes as a route: what is read is written in both dialects and read alike. What is JSON stays what it is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use maxq_protocol::body::{JsonDialect, TopicRouteData, from_json, normalise, to_json};

fuzz_target!(|data: &[u8]| {
    if let Ok(route) = from_json::<TopicRouteData>(data) {
        for dialect in [JsonDialect::Standard, JsonDialect::Fastjson] {
            assert_eq!(from_json(&to_json(&route, dialect)), Ok(route.clone()));
        }
    }
    match normalise(data) {
        Ok(text) if serde_json::from_slice::<serde_json::Value>(data).is_ok() => assert_eq!(text, data),
        Ok(text) => assert!(text.len() <= 6 * data.len() && std::str::from_utf8(&text).is_ok()),
        Err(_) => {}
    }
});
