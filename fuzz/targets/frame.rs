//! Any bytes as a stream of frames: what is read is written again and read alike, and the short way of an
//! answer to a send reads what the long way reads.

#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use maxq_protocol::{FrameReader, StoredReader};

fuzz_target!(|data: &[u8]| {
    let mut buffer = BytesMut::from(data);
    let reader = FrameReader::new();
    let mut stored = StoredReader::new(&reader);
    loop {
        let short = stored.look(&buffer).map(|(reply, length)| (reply.opaque, buffer.len() - length));
        let next = reader.next(&mut buffer);
        if let Some((opaque, rest)) = short {
            let command = next.as_ref().expect("a frame").as_ref().expect("a whole frame");
            assert_eq!((command.code, command.opaque, buffer.len()), (0, opaque, rest));
        }
        let Ok(Some(command)) = next else { break };
        let mut again = Vec::new();
        command.encode(&mut again);
        let mut again = BytesMut::from(&again[..]);
        let read = reader.next(&mut again).expect("our own frame").expect("a whole frame");
        assert_eq!(read.ext, command.ext);
        assert_eq!((read.code, read.opaque, read.body), (command.code, command.opaque, command.body));
    }
});
