//! Any bytes as a zlib body: never more than the limit comes out. The same bytes as a plain body come back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use maxq_protocol::compression::{Compression, compress, decompress};

fuzz_target!(|data: &[u8]| {
    const LIMIT: usize = 1 << 20;
    if let Ok(plain) = decompress(Compression::Zlib, data, LIMIT) {
        assert!(plain.len() <= LIMIT && plain.capacity() <= LIMIT + 1);
    }
    let packed = compress(Compression::Zlib, 5, data).expect("any body can be compressed");
    assert_eq!(decompress(Compression::Zlib, &packed, data.len()).expect("our own bytes"), data);
});
