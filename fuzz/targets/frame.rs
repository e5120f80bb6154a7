//! Any bytes as a stream of frames: what is read is written again and read alike.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use maxq_protocol::FrameReader;

fuzz_target!(|data: &[u8]| {
    let mut buffer = BytesMut::from(data);
    let reader = FrameReader::new();
    while let Ok(Some(command)) = reader.next(&mut buffer) {
        let mut again = Vec::new();
        command.encode(&mut again);
        let mut again = BytesMut::from(&again[..]);
        let read = reader.next(&mut again).expect("our own frame").expect("a whole frame");
        assert_eq!(read.ext, command.ext);
        assert_eq!((read.code, read.opaque, read.body), (command.code, command.opaque, command.body));
    }
});
