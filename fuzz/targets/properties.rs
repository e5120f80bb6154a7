//! Any text as properties: what is read is found one by one, and is written and read alike.

#![no_main]

use libfuzzer_sys::fuzz_target;
use maxq_protocol::message::Properties;

fuzz_target!(|text: &str| {
    let properties = Properties::decode(text);
    for (name, value) in properties.iter() {
        assert_eq!(Properties::find(text, name), Some(value));
    }
    let encoded = properties.encode();
    assert_eq!(encoded.len(), properties.encoded_len());
    assert_eq!(Properties::decode(&encoded), properties);
    let _ = properties.check();
});
