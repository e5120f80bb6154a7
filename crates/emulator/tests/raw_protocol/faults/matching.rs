//! Which requests a fault is for, how often it fires, and what is forgotten when.

use std::sync::Arc;

use maxq_emulator::{
    Busy, Cluster, Effect, Fault, FramePart, Goodbye, On, RouteVariant, ServerName, VirtualNetwork, When,
};
use maxq_protocol::{
    RemotingCommand, RequestCode,
    header::{SendMessage, SendMessageV1},
};

use super::{SECOND, Scene, send};
use crate::{
    clients::heartbeat,
    support::{RawClient, Send, pull},
};

fn refusal() -> Effect {
    Effect::refuse(1, "no")
}

#[tokio::test(start_paused = true)]
async fn a_fault_is_only_for_what_it_names() {
    let network = VirtualNetwork::seeded(0);
    let cluster =
        Cluster::builder().virtual_network(&network).brokers(2).topic("T", 4).start().await.unwrap();
    let mut clients = Vec::new();
    for broker in 0..2 {
        clients.push(RawClient::dial(&network, cluster.broker(broker).address()).await);
    }
    let to = |topic, queue_id| Send::to(topic).with(|header| header.queue_id = queue_id).request();
    let long_names = RemotingCommand::request(&SendMessageV1(SendMessage {
        topic: "T".into(),
        queue_id: 2,
        ..SendMessage::default()
    }))
    .with_body("x");
    let cases = [
        (Fault::on(On::Send).broker("broker-1"), 1, to("T", 0), true),
        (Fault::on(On::Send).broker("broker-1"), 0, to("T", 0), false),
        (Fault::on(On::Send).topic("T"), 0, to("T", 0), true),
        (Fault::on(On::Send).topic("other"), 0, to("T", 0), false),
        (Fault::on(On::Send).queue_id(2), 0, to("T", 2), true),
        (Fault::on(On::Send).queue_id(2), 0, to("T", 1), false),
        (Fault::on(On::Send).topic("T").queue_id(2), 0, long_names, true),
        (Fault::on(On::Send), 0, RemotingCommand::request(&pull("T", 0, 0)), false),
        (Fault::on(On::Pull).topic("T"), 0, RemotingCommand::request(&pull("T", 0, 0)), true),
        (Fault::on(On::Code(310)), 0, to("T", 0), true),
        (Fault::on(On::Code(10)), 0, to("T", 0), false),
        (Fault::on(On::AnyRequest), 0, heartbeat(&["p"], &[]), true),
        (Fault::on(On::Heartbeat), 0, heartbeat(&["p"], &[]), true),
        (Fault::on(On::Heartbeat).name_server(0), 0, heartbeat(&["p"], &[]), false),
        (Fault::on(On::Send).chance(0.0), 0, to("T", 0), false),
    ];
    for (fault, broker, request, fires) in cases {
        let handle = cluster.fault(fault.clone().then(refusal()));
        let answer = clients[broker].call(request).await;
        assert_eq!(answer.remark.as_deref() == Some("no"), fires, "{fault:?}");
        assert_eq!(handle.fired(), u64::from(fires));
        handle.remove();
    }
    assert!(cluster.faults().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_client_is_known_by_its_heartbeats() {
    let mut scene = Scene::new().await;
    let mut another = scene.another().await;
    scene.client.call(heartbeat(&["p"], &[])).await;
    let id = scene.cluster.clients()[0].client_id.clone();
    scene.cluster.fault(Fault::on(On::AnyRequest).client_id("me@1").then(refusal()));
    scene.cluster.fault(Fault::on(On::AnyRequest).client_id(id).then(refusal()));
    assert_eq!(scene.send().await.code, 1);
    assert_eq!(another.call(send()).await.code, 0);
    assert_eq!(scene.another().await.call(heartbeat(&["p"], &[])).await.code, 1, "the first one counts, too");
}

#[tokio::test(start_paused = true)]
async fn observing_counts_and_lets_the_next_one_decide() {
    let mut scene = Scene::new().await;
    let all = scene.cluster.fault(Fault::on(On::Send));
    let first = scene.cluster.fault(Fault::on(On::Send).once().then(Effect::refuse(14, "first")));
    let second = scene.cluster.fault(Fault::on(On::Send).skip(1).then(Effect::refuse(2, "second")));
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(scene.send().await.code);
    }
    assert_eq!(codes, [14, 0, 2, 2]);
    assert_eq!((all.fired(), first.fired(), second.fired()), (4, 1, 2));
    let armed = scene.cluster.faults();
    assert_eq!(
        armed.iter().map(|fault| (fault.id, fault.fired)).collect::<Vec<_>>(),
        [(1, 4), (2, 1), (3, 2)]
    );
    assert!(scene.cluster.remove_fault(second.id()));
    assert!(!scene.cluster.remove_fault(second.id()));
    assert_eq!(scene.send().await.code, 0);
    assert_eq!(second.fired(), 2);
}

#[tokio::test(start_paused = true)]
async fn chance_comes_from_the_seed() {
    let run = || async {
        let mut scene = Scene::new().await;
        scene.cluster.fault(Fault::on(On::Send).chance(0.3).then(refusal()));
        let mut codes = Vec::new();
        for _ in 0..200 {
            codes.push(scene.send().await.code);
        }
        codes
    };
    let codes = run().await;
    let fired = codes.iter().filter(|code| **code == 1).count();
    assert!((40..=80).contains(&fired), "{fired}");
    assert_eq!(run().await, codes);
}

#[tokio::test(start_paused = true)]
async fn a_closure_sees_everything_and_says_what_happens() {
    let mut scene = Scene::new().await;
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let notes = Arc::clone(&seen);
    let hook = scene.cluster.intercept(move |request| {
        notes.lock().unwrap().push((request.server(), request.code(), request.topic().map(str::to_owned)));
        let is_third_queue = request.queue_id() == Some(0) && request.request()?.body.starts_with(b"bad");
        is_third_queue.then(|| Effect::refuse(13, "a bad message"))
    });
    scene.send().await;
    let bad = scene.client.call(Send::to("T").body("bad message").request()).await;
    assert_eq!((bad.code, hook.fired(), scene.stored()), (13, 1, 1));
    scene.another().await.call(RemotingCommand::request(&pull("T", 0, 0))).await;
    let broker = ServerName::Broker(0);
    let send = (broker, Some(RequestCode::SEND_MESSAGE_V2), Some("T".to_owned()));
    let pull = (broker, Some(RequestCode::PULL_MESSAGE), Some("T".to_owned()));
    assert_eq!(*seen.lock().unwrap(), [send.clone(), send, (broker, None, None), pull]);
    assert_eq!(scene.cluster.faults()[0].fault, None);
    hook.remove();
    scene.send().await;
    assert_eq!(seen.lock().unwrap().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_closure_may_arm_and_remove_faults() {
    let scene = Scene::new().await;
    let cluster = Arc::new(scene.cluster);
    let weak = Arc::downgrade(&cluster);
    cluster.intercept(move |_| {
        let cluster = weak.upgrade()?;
        cluster.clear_faults();
        cluster.fault(Fault::on(On::Send).then(refusal()));
        None
    });
    let mut client = scene.client;
    assert_eq!(client.call(send()).await.code, 0);
    assert_eq!(client.call(send()).await.code, 1);
}

#[tokio::test(start_paused = true)]
async fn a_closure_that_contradicts_itself_ends_the_connection() {
    let mut scene = Scene::new().await;
    scene.cluster.intercept(|_| Some(Effect::SmallWrites { size: 0 }));
    scene.post().await;
    assert!(scene.client.next().await.is_none());
    assert_eq!(scene.stored(), 0);
}

#[tokio::test(start_paused = true)]
async fn faults_of_one_cluster_are_not_those_of_another() {
    let (mut scene, fault) = Scene::of_sends(refusal()).await;
    let network = scene.network.clone();
    let other = Cluster::builder().virtual_network(&network).start().await.unwrap();
    let mut client = RawClient::dial(&network, other.broker(0).address()).await;
    assert_eq!(client.call(send()).await.code, 0);
    assert_eq!(scene.send().await.code, 1);
    assert_eq!((fault.fired(), other.faults().len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_contradicts_itself_is_refused() {
    let scene = Scene::new().await;
    let cases = [
        (Fault::on(On::Connect).then(Effect::AnswerTwice), "this effect needs a request"),
        (
            Fault::on(On::Send).then(Effect::ConnectionLimit { connections: 1 }),
            "a limit of connections is about",
        ),
        (Fault::on(On::Connect).topic("T"), "a connection that opens has no topic"),
        (Fault::on(On::Send).broker("b").name_server(0), "a server is a broker or a name server"),
        (Fault::on(On::Send).then(Effect::delay(std::time::Duration::MAX)), "a time is a year at most"),
        (Fault::on(On::Send).lasting(std::time::Duration::MAX), "a fault lasts for a year at most"),
        (Fault::on(On::Send).chance(1.5), "a chance is between 0 and 1"),
        (Fault::on(On::Send).chance(f64::NAN), "a chance is between 0 and 1"),
        (Fault::on(On::Send).then(Effect::SmallWrites { size: 0 }), "writes of no bytes never end"),
        // It was made before it was looked at, and ended the process.
        (Fault::on(On::Send).then(Effect::Garbage { bytes: usize::MAX }), "at most 64 MiB of garbage"),
        (Fault::on(On::Send).then(Effect::jitter(SECOND..=SECOND / 2)), "the shortest delay is longer"),
    ];
    for (fault, sentence) in cases {
        let error = scene.cluster.try_fault(fault).unwrap_err();
        assert!(error.to_string().starts_with(sentence), "{error}");
    }
    assert!(scene.cluster.faults().is_empty());
}

#[test]
fn a_fault_reads_back_from_its_json() {
    let effects = [
        Effect::Observe,
        refusal(),
        Effect::lied_error(14, "disk"),
        Effect::Busy { tag: Busy::PageCacheSynchronized },
        Effect::flush_timeout(),
        Effect::NonUtf8Remark { code: 1 },
        Effect::LiedSuccess,
        Effect::jitter(SECOND..=2 * SECOND),
        Effect::DropRequest,
        Effect::DropAnswer,
        Effect::Close { when: When::AfterStoring, goodbye: Goodbye::Fin },
        Effect::GracefulClose,
        Effect::CutFrame { at: FramePart::Header, goodbye: Goodbye::Reset },
        Effect::StallFrame { at: FramePart::Body, pause: SECOND },
        Effect::Garbage { bytes: 3 },
        Effect::Length { length: -1 },
        Effect::LengthLie { by: 1 },
        Effect::HeaderLength { length: 9 },
        Effect::SerializeType { byte: 9 },
        Effect::OtherEncoding,
        Effect::WrongOpaque,
        Effect::SwapOpaques,
        Effect::Reorder { answers: 3 },
        Effect::AnswerTwice,
        Effect::AnswerOneway,
        Effect::message_id("x"),
        Effect::without_fields(["msgId"]),
        Effect::BatchIds { count: 2 },
        Effect::Version { version: 1 },
        Effect::ServerRequest { code: 1 },
        Effect::SmallWrites { size: 1 },
        Effect::StopReading { pause: None },
        Effect::StopReading { pause: Some(SECOND) },
        Effect::IdleClose { after: SECOND },
        Effect::ConnectionLimit { connections: 1 },
        Effect::DelayedVisibility { by: SECOND },
        Effect::ClockSkew { by_ms: -5 },
        Effect::Route { variant: RouteVariant::UnquotedKeys },
    ];
    for effect in effects {
        let fault = Fault::on(On::Code(310)).broker("broker-0").skip(1).times(2).lasting(SECOND).then(effect);
        let text = serde_json::to_string(&fault).unwrap();
        assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault, "{text}");
    }
    let short: Fault =
        serde_json::from_str(r#"{"on":"send","then":{"do":"delay","from_ms":5,"to_ms":9}}"#).unwrap();
    assert_eq!(short, Fault::on(On::Send).then(Effect::jitter(SECOND / 200..=9 * SECOND / 1000)));
    let close: Fault = serde_json::from_str(r#"{"then":{"do":"close"}}"#).unwrap();
    let expected = Effect::Close { when: When::InsteadOfStoring, goodbye: Goodbye::Reset };
    assert_eq!(close, Fault::on(On::AnyRequest).then(expected));
    for wrong in [
        r#"{"on":"sends"}"#,
        r#"{"topics":"T"}"#,
        r#"{"then":{"do":"explode"}}"#,
        r#"{"then":{"do":"delay"}}"#,
    ] {
        assert!(serde_json::from_str::<Fault>(wrong).is_err(), "{wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_tells_where_a_request_came_from_and_what_it_was_about() {
    let mut scene = Scene::new().await;
    scene.client.call(Send::to("T").with(|header| header.queue_id = -1).request()).await;
    scene.another().await.call(RemotingCommand::request(&pull("T", 0, 0))).await;
    let requests = scene.cluster.requests();
    let seen: Vec<_> = requests
        .iter()
        .map(|request| (request.server_index, request.connection, request.topic.as_deref(), request.queue_id))
        .collect();
    assert_eq!(seen, [(0, 1, Some("T"), Some(-1)), (0, 2, Some("T"), Some(0))]);
    assert_ne!(requests[0].peer, requests[1].peer);
    scene.cluster.clear_requests();
    assert!(scene.cluster.requests().is_empty());
}
