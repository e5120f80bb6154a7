//! Frames that are cut, stalled, or wrong in their bytes.

use std::{io::ErrorKind, time::Duration};

use maxq_emulator::{Effect, Fault, FramePart, Goodbye, On};
use maxq_protocol::{
    Flags, HeaderEncoding, RemotingCommand, ResponseCode,
    header::{GetRouteInfo, SendReply},
};
use tokio::{io::AsyncReadExt, time::timeout};

use super::{SECOND, Scene, send};
use crate::support::RawClient;

/// Everything that comes until the end, and how it ends; or until nothing has come for a second.
async fn bytes(client: &mut RawClient) -> (Vec<u8>, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    loop {
        match timeout(SECOND, client.stream.read_buf(&mut bytes)).await {
            Ok(Ok(0)) | Err(_) => return (bytes, None),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return (bytes, Some(error.kind())),
        }
    }
}

/// The bytes of a true answer.
async fn whole() -> Vec<u8> {
    let mut scene = Scene::new().await;
    scene.post().await;
    bytes(&mut scene.client).await.0
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_be_cut_in_every_part_of_its_frame() {
    let whole = whole().await;
    let header = usize::from(u16::from_be_bytes([whole[6], whole[7]]));
    let places =
        [(FramePart::Length, 2), (FramePart::Header, 8 + header / 2), (FramePart::Body, whole.len() - 1)];
    for (at, length) in places {
        for (goodbye, end) in [(Goodbye::Fin, None), (Goodbye::Reset, Some(ErrorKind::ConnectionReset))] {
            let (mut scene, _) = Scene::of_sends(Effect::CutFrame { at, goodbye }).await;
            scene.post().await;
            assert_eq!(bytes(&mut scene.client).await, (whole[..length].to_vec(), end));
            assert_eq!(scene.stored(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_stall_and_hold_up_those_behind_it() {
    for at in [FramePart::Length, FramePart::Header, FramePart::Body] {
        let mut scene = Scene::new().await;
        let stall = Effect::StallFrame { at, pause: 20 * SECOND };
        scene.cluster.fault(Fault::on(On::Send).once().then(stall));
        let (first, second) = (scene.post().await, scene.post().await);
        assert!(timeout(19 * SECOND, scene.client.next()).await.is_err());
        assert_eq!(scene.stored(), 2, "requests are still read");
        for opaque in [first, second] {
            assert_eq!(scene.client.next().await.unwrap().opaque, opaque);
            assert_eq!(scene.elapsed(), 20_000);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_may_come_instead_of_an_answer() {
    let (mut scene, _) = Scene::of_sends(Effect::Garbage { bytes: 5000 }).await;
    scene.post().await;
    let (first, _) = bytes(&mut scene.client).await;
    assert_eq!((first.len(), scene.stored()), (5000, 1));
    scene.post().await;
    assert_ne!(bytes(&mut scene.client).await.0, first, "chance draws anew");
}

#[tokio::test(start_paused = true)]
async fn lengths_may_lie() {
    let whole = whole().await;
    let length = i32::try_from(whole.len()).unwrap() - 4;
    let cases = [
        (Effect::Length { length: 0 }, 0..4, 0_i32.to_be_bytes().to_vec()),
        (Effect::Length { length: -1 }, 0..4, vec![0xFF; 4]),
        (Effect::Length { length: 16_777_217 }, 0..4, vec![1, 0, 0, 1]),
        (Effect::LengthLie { by: 1 }, 0..4, (length + 1).to_be_bytes().to_vec()),
        (Effect::LengthLie { by: -1 }, 0..4, (length - 1).to_be_bytes().to_vec()),
        (Effect::HeaderLength { length: 0x00FF_FFFF }, 4..8, vec![0, 0xFF, 0xFF, 0xFF]),
        (Effect::SerializeType { byte: 9 }, 4..5, vec![9]),
    ];
    for (effect, place, expected) in cases {
        let (mut scene, _) = Scene::of_sends(effect.clone()).await;
        scene.post().await;
        let (mut found, _) = bytes(&mut scene.client).await;
        assert_eq!(found[place.clone()], expected, "{effect:?}");
        found[place.clone()].copy_from_slice(&whole[place]);
        assert_eq!(found, whole, "the rest is true");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_may_be_encoded_as_nobody_asked() {
    for (asked, answered) in
        [(HeaderEncoding::Json, HeaderEncoding::Binary), (HeaderEncoding::Binary, HeaderEncoding::Json)]
    {
        let (mut scene, _) = Scene::of_sends(Effect::OtherEncoding).await;
        let answer = scene.client.call(RemotingCommand { encoding: asked, ..send() }).await;
        assert_eq!(answer.encoding, answered);
        assert_eq!(answer.header::<SendReply>().unwrap().queue_offset, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_remark_may_be_no_utf_8() {
    let (mut scene, _) = Scene::of_sends(Effect::NonUtf8Remark { code: 1 }).await;
    scene.post().await;
    let (found, _) = bytes(&mut scene.client).await;
    let remark: &[u8] = b"\"remark\":\"\xFF\xFF";
    assert!(found.windows(remark.len()).any(|window| window == remark));
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_be_written_byte_by_byte() {
    let (mut scene, _) = Scene::of_sends(Effect::SmallWrites { size: 1 }).await;
    scene.post().await;
    let mut reads = Vec::new();
    let mut found = Vec::new();
    while let Ok(count) = timeout(SECOND, scene.client.stream.read_buf(&mut found)).await {
        reads.push(count.unwrap());
    }
    assert_eq!(found, whole().await);
    assert!(reads.iter().all(|count| *count == 1), "{reads:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_may_ask_its_client_something_unknown() {
    let (mut scene, _) = Scene::of_sends(Effect::ServerRequest { code: 9999 }).await;
    let opaque = scene.post().await;
    let asked = scene.client.next().await.unwrap();
    assert_eq!((asked.code, asked.flags), (9999, Flags::REQUEST));
    assert_eq!(scene.client.next().await.unwrap().opaque, opaque);
    // The client's answer to it does no harm.
    let answer = RemotingCommand::response(ResponseCode::REQUEST_CODE_NOT_SUPPORTED, asked.opaque);
    let mut frame = Vec::new();
    answer.encode(&mut frame);
    scene.client.write(&frame).await;
    scene.cluster.clear_faults();
    scene.send().await;
}

#[tokio::test(start_paused = true)]
async fn answers_of_name_servers_suffer_too() {
    let scene = Scene::new().await;
    scene.cluster.fault(Fault::on(On::Route).once().then(Effect::delay(Duration::from_secs(7))));
    let mut client = RawClient::dial(&scene.network, scene.cluster.name_server()).await;
    let request = GetRouteInfo { topic: "T".into(), accept_standard_json_only: None };
    client.call(RemotingCommand::request(&request)).await;
    assert_eq!(scene.elapsed(), 7000);
}
