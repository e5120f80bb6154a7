//! Connections that end, are not read, or do not come about.

use std::{io::ErrorKind, time::Duration};

use maxq_emulator::{Effect, Fault, Goodbye, On, When};
use maxq_protocol::RemotingCommand;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{sleep, timeout},
};

use super::{SECOND, Scene, oneway, send};
use crate::support::{RawClient, pull};

#[tokio::test(start_paused = true)]
async fn a_connection_may_end_before_or_after_storing() {
    for (when, stored) in [(When::InsteadOfStoring, 0), (When::AfterStoring, 1)] {
        for (goodbye, end) in [(Goodbye::Fin, None), (Goodbye::Reset, Some(ErrorKind::ConnectionReset))] {
            let (mut scene, fault) = Scene::of_sends(Effect::Close { when, goodbye }).await;
            scene.post().await;
            let read = scene.client.stream.read(&mut [0; 10]).await;
            assert_eq!(read.as_ref().err().map(std::io::Error::kind), end);
            assert_eq!(read.unwrap_or(0), 0);
            assert_eq!((scene.stored(), fault.fired()), (stored, 1));
            // Even a one-way send ends it.
            let mut another = scene.another().await;
            another.post(oneway()).await;
            assert!(another.next().await.is_none());
        }
    }
}

#[tokio::test]
async fn a_socket_is_reset_too() {
    let cluster = crate::support::one_broker(maxq_emulator::EmulatedVersion::V5_5_0).await;
    let close = Effect::Close { when: When::AfterStoring, goodbye: Goodbye::Reset };
    cluster.fault(Fault::on(On::Send).then(close));
    let mut client = RawClient::to_broker(&cluster).await;
    client.post(send()).await;
    let error = client.stream.read(&mut [0; 10]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(cluster.stored_count("T"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_graceful_end_answers_what_is_pending_and_reads_nothing_more() {
    let mut scene = Scene::new().await;
    scene.cluster.fault(Fault::on(On::Send).once().then(Effect::delay(3 * SECOND)));
    let pending = scene.post().await;
    scene.cluster.fault(Fault::on(On::Send).once().then(Effect::GracefulClose));
    let last = scene.post().await;
    assert_eq!(scene.client.next().await.unwrap().opaque, last);
    let unread = scene.post().await;
    assert_eq!(scene.client.next().await.unwrap().opaque, pending);
    assert_eq!(scene.elapsed(), 3000);
    assert!(scene.client.next().await.is_none(), "{unread} is not answered");
    assert_eq!(scene.stored(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_be_accepted_and_closed_for_a_time() {
    for (goodbye, end) in [(Goodbye::Fin, None), (Goodbye::Reset, Some(ErrorKind::ConnectionReset))] {
        let mut scene = Scene::new().await;
        let close = Effect::Close { when: When::InsteadOfStoring, goodbye };
        let fault =
            scene.cluster.fault(Fault::on(On::Connect).broker("broker-0").lasting(10 * SECOND).then(close));
        let mut closed = scene.another().await;
        assert_eq!(closed.stream.read(&mut [0; 10]).await.err().map(|error| error.kind()), end);
        scene.send().await;
        RawClient::dial(&scene.network, scene.cluster.name_server()).await;
        sleep(10 * SECOND).await;
        scene.another().await.call(send()).await;
        assert_eq!((fault.fired(), scene.stored()), (1, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_swallowing_connection_takes_all_and_gives_nothing() {
    let scene = Scene::new().await;
    scene.cluster.fault(Fault::on(On::Connect).then(Effect::DropRequest));
    let mut client = scene.another().await;
    for _ in 0..10 {
        timeout(SECOND, client.stream.write_all(&[0xFF; 100_000])).await.unwrap().unwrap();
    }
    assert!(timeout(100 * SECOND, client.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn connections_may_be_limited() {
    let mut scene = Scene::new().await;
    let fault = scene.cluster.fault(Fault::on(On::Connect).then(Effect::ConnectionLimit { connections: 2 }));
    let mut second = scene.another().await;
    second.call(send()).await;
    let mut third = scene.another().await;
    assert!(third.next().await.is_none());
    assert_eq!(fault.fired(), 1);
    drop(second);
    sleep(Duration::from_millis(1)).await;
    scene.another().await.call(send()).await;
    scene.send().await;
    assert_eq!(fault.fired(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_may_be_closed_sooner() {
    let scene = Scene::new().await;
    scene.cluster.fault(Fault::on(On::Connect).then(Effect::IdleClose { after: SECOND }));
    let mut client = scene.another().await;
    sleep(Duration::from_millis(700)).await;
    client.call(send()).await;
    sleep(Duration::from_millis(700)).await;
    client.call(send()).await;
    let before = scene.elapsed();
    assert!(client.next().await.is_none());
    assert_eq!(scene.elapsed() - before, 1000);
}

#[tokio::test(start_paused = true)]
async fn a_server_may_stop_reading_for_a_while() {
    let (mut scene, _) = Scene::of_sends(Effect::StopReading { pause: Some(60 * SECOND) }).await;
    scene.send().await;
    let filling = async {
        loop {
            scene.client.stream.write_all(&[0; 1000]).await.unwrap();
        }
    };
    assert!(timeout(59 * SECOND, filling).await.is_err(), "the window fills up");
    let scene = Scene::new().await;
    scene.cluster.fault(Fault::on(On::Connect).then(Effect::StopReading { pause: Some(60 * SECOND) }));
    let mut client = scene.another().await;
    client.call(send()).await;
    assert_eq!(scene.elapsed(), 60_000);
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_open_slowly_or_with_garbage_or_a_request() {
    let scene = Scene::new().await;
    scene.cluster.fault(Fault::on(On::Connect).once().then(Effect::ServerRequest { code: 4321 }));
    assert_eq!(scene.another().await.next().await.unwrap().code, 4321);
    scene.cluster.fault(Fault::on(On::Connect).once().then(Effect::delay(4 * SECOND)));
    scene.another().await.call(send()).await;
    assert_eq!(scene.elapsed(), 4000);
    scene.cluster.fault(Fault::on(On::Connect).once().then(Effect::Garbage { bytes: 100 }));
    let mut found = [0; 100];
    scene.another().await.stream.read_exact(&mut found).await.unwrap();
    assert_ne!(found, [0; 100]);
}

#[tokio::test(start_paused = true)]
async fn a_held_pull_that_suffers_dies_with_its_connection() {
    let scene = Scene::new().await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    scene.cluster.fault(Fault::on(On::Pull).then(Effect::delay(SECOND)));
    let mut client = scene.another().await;
    client.call(send()).await;
    let mut waiting = pull("T", 0, 1);
    (waiting.sys_flag, waiting.suspend_timeout_millis) = (6, Some(600_000));
    client.post(RemotingCommand::request(&waiting)).await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(tasks(), before + 2, "a connection and what it holds");
    drop(client);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(tasks(), before);
}
