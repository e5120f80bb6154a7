//! Frames: split, joined, and broken.

use maxq_emulator::EmulatedVersion;
use maxq_protocol::{Flags, RemotingCommand, header::GetMaxOffset};

use crate::support::{RawClient, Send, one_broker};

fn request(opaque: i32) -> Vec<u8> {
    let max = GetMaxOffset { topic: "orders".into(), queue_id: 0, committed: None, broker_name: None };
    let mut command = RemotingCommand::request(&max);
    command.opaque = opaque;
    let mut frame = Vec::new();
    command.encode(&mut frame);
    frame
}

#[tokio::test]
async fn a_frame_may_be_split_at_every_byte() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let frame = request(1);
    for at in 0..=frame.len() {
        client.write(&frame[..at]).await;
        // Whether the two parts come together or not is up to the network; both must do.
        tokio::task::yield_now().await;
        client.write(&frame[at..]).await;
        assert_eq!(client.next().await.unwrap().opaque, 1, "split at {at}");
    }
}

#[tokio::test]
async fn frames_that_come_together_are_answered_in_their_order() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let frames: Vec<u8> = (0..500).flat_map(request).collect();
    client.write(&frames).await;
    for opaque in 0..500 {
        assert_eq!(client.next().await.unwrap().opaque, opaque);
    }
}

#[tokio::test]
async fn bytes_that_are_no_frames_close_the_connection_without_an_answer() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let good = request(1);
    let header = &good[8..];
    let framed = |word: u32, header: &[u8]| {
        let mut bytes = (4 + header.len() as u32).to_be_bytes().to_vec();
        bytes.extend_from_slice(&word.to_be_bytes());
        bytes.extend_from_slice(header);
        bytes
    };
    let broken: Vec<(&str, Vec<u8>)> = vec![
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a length of 2 GiB", 0x7FFF_FFFFu32.to_be_bytes().to_vec()),
        ("one byte above the limit", 16_777_213u32.to_be_bytes().to_vec()),
        ("no room for a header word", 3u32.to_be_bytes().to_vec()),
        ("an unknown serialize type", framed(9 << 24 | header.len() as u32, header)),
        ("a header longer than its frame", framed(header.len() as u32 + 1, header)),
        ("a header that is no object", framed(3, b"[1]")),
        ("a header that is no JSON", framed(7, b"{\"code\"")),
        ("a binary header that ends early", framed(1 << 24 | 3, b"abc")),
    ];
    for (what, bytes) in broken {
        for address in [cluster.broker(0).address(), cluster.name_server()] {
            let mut client = RawClient::connect(address).await;
            client.write(&bytes).await;
            assert!(client.next().await.is_none(), "{what}");
        }
    }
    // What came before the broken bytes was carried out.
    let mut client = RawClient::to_broker(&cluster).await;
    let mut bytes = Vec::new();
    Send::to("orders").request().encode(&mut bytes);
    bytes.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
    client.write(&bytes).await;
    assert!(client.next().await.is_none_or(|answer| answer.code == 0));
    assert_eq!(cluster.stored_count("orders"), 1);
}

#[tokio::test]
async fn answers_of_a_client_are_not_answered() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    let mut answer = RemotingCommand::response(maxq_protocol::ResponseCode::SUCCESS, 99);
    answer.flags = Flags::RESPONSE;
    let mut bytes = Vec::new();
    answer.encode(&mut bytes);
    bytes.extend(request(1));
    client.write(&bytes).await;
    assert_eq!(client.next().await.unwrap().opaque, 1);
}

#[tokio::test]
async fn a_client_that_does_not_read_cannot_make_the_broker_hoard_answers() {
    let cluster = one_broker(EmulatedVersion::V5_5_0).await;
    let mut client = RawClient::to_broker(&cluster).await;
    client.store(Send::to("orders").body(vec![1; 200_000])).await;
    let mut pulls = Vec::new();
    for opaque in 0..200 {
        let mut command = RemotingCommand::request(&crate::support::pull("orders", 0, 0));
        command.opaque = opaque;
        command.encode(&mut pulls);
    }
    // 40 MB of answers; they come as they are read, in order, and none is lost.
    client.write(&pulls).await;
    for opaque in 0..200 {
        let answer = client.next().await.unwrap();
        assert_eq!((answer.opaque, answer.body.len() > 200_000), (opaque, true));
    }
}
