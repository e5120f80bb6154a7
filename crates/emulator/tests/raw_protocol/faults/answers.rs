//! Answers that are late, missing, lied, or wrong in what they say.

use std::time::Duration;

use maxq_emulator::{Busy, Effect, Fault, On, When};
use maxq_protocol::{RemotingCommand, ResponseCode, Version, header::SendReply, message::batch};

use super::{SECOND, Scene, oneway, send};
use crate::{
    clients::heartbeat,
    support::{Send, messages, pull, verdict},
};

#[tokio::test(start_paused = true)]
async fn a_delayed_answer_is_stored_at_once_and_comes_later() {
    let (mut scene, fault) = Scene::of_sends(Effect::delay(10 * SECOND)).await;
    scene.post().await;
    // Others overtake it.
    let pulled = RemotingCommand::request(&pull("T", 0, 0));
    scene.client.post(pulled).await;
    assert_eq!(scene.client.next().await.unwrap().response_code(), ResponseCode::SUCCESS);
    assert_eq!((scene.stored(), scene.elapsed()), (1, 0));
    scene.client.next().await.unwrap();
    assert_eq!((scene.elapsed(), fault.fired()), (10_000, 1));
}

#[tokio::test(start_paused = true)]
async fn a_delayed_request_is_stored_later() {
    let late = Effect::Delay { from: SECOND, to: SECOND, when: When::InsteadOfStoring };
    let (mut scene, _) = Scene::of_sends(late).await;
    scene.post().await;
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(scene.stored(), 0);
    scene.client.next().await.unwrap();
    assert_eq!((scene.stored(), scene.elapsed()), (1, 1000));
}

#[tokio::test(start_paused = true)]
async fn jitter_stays_in_its_range_and_only_the_third_may_be_late() {
    let (mut scene, jitter) = Scene::of_sends(Effect::jitter(SECOND..=2 * SECOND)).await;
    let mut times = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let before = scene.elapsed();
        scene.send().await;
        let took = scene.elapsed() - before;
        assert!((1000..=2001).contains(&took), "{took}");
        times.insert(took);
    }
    assert!(times.len() > 10, "{times:?}");
    jitter.remove();
    scene.cluster.fault(Fault::on(On::Send).skip(2).once().then(Effect::delay(SECOND)));
    for expected in [0, 0, 1000, 0] {
        let before = scene.elapsed();
        scene.send().await;
        assert_eq!(scene.elapsed() - before, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_request_is_not_stored_and_a_dropped_answer_is() {
    for (effect, stored) in [(Effect::DropRequest, 0), (Effect::DropAnswer, 1)] {
        let (mut scene, fault) = Scene::of_sends(effect).await;
        scene.post().await;
        assert!(scene.is_silent().await);
        assert_eq!((scene.stored(), fault.fired()), (stored, 1));
        // It came all the same.
        assert_eq!(scene.cluster.requests().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_broker_says_so_twice_with_each_of_five_remarks() {
    let remarks = [
        (Busy::RejectRequest, "[REJECTREQUEST]system busy, start flow control for a while"),
        (Busy::Overload, "[OVERLOAD]system busy, start flow control for a while"),
        (
            Busy::TimeoutCleanQueue,
            "[TIMEOUT_CLEAN_QUEUE]broker busy, start flow control for a while, period in queue:",
        ),
        (
            Busy::PageCacheBusy,
            "[PCBUSY_CLEAN_QUEUE]broker busy, start flow control for a while, period in queue:",
        ),
        (Busy::PageCacheSynchronized, "[PC_SYNCHRONIZED]broker busy, start flow control for a while"),
    ];
    for (tag, remark) in remarks {
        let mut scene = Scene::new().await;
        scene.cluster.fault(Fault::on(On::Send).times(2).then(Effect::Busy { tag }));
        for _ in 0..2 {
            let answer = scene.send().await;
            assert_eq!(answer.response_code(), ResponseCode::SYSTEM_BUSY);
            assert!(answer.remark.unwrap().starts_with(remark));
        }
        assert_eq!(scene.stored(), 0);
        assert_eq!(scene.send().await.response_code(), ResponseCode::SUCCESS);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stored_message_may_lack_its_flush_or_its_replica() {
    let effects =
        [(Effect::flush_timeout(), 10), (Effect::no_replica(), 11), (Effect::replica_timeout(), 12)];
    for (effect, code) in effects {
        let (mut scene, _) = Scene::of_sends(effect).await;
        let answer = scene.send().await;
        assert_eq!((answer.code, scene.stored()), (code, 1));
        let reply: SendReply = answer.header().unwrap();
        assert_eq!(reply.message_id, scene.cluster.stored("T")[0].offset_id());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lied_error_is_stored() {
    for code in [1, 2, 14] {
        let (mut scene, _) = Scene::of_sends(Effect::lied_error(code, "not at all")).await;
        assert_eq!(verdict(&scene.send().await), (code, "not at all"));
        assert_eq!(scene.stored(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lied_success_looks_true_and_stores_nothing() {
    let mut scene = Scene::new().await;
    let honest: SendReply = scene.send().await.header().unwrap();
    let lie = scene.cluster.fault(Fault::on(On::Send).then(Effect::LiedSuccess));
    let answer = scene.send().await;
    assert_eq!(answer.response_code(), ResponseCode::SUCCESS);
    let reply: SendReply = answer.header().unwrap();
    assert_eq!((reply.queue_offset, reply.message_id.len()), (1, honest.message_id.len()));
    assert_ne!(reply.message_id, honest.message_id);
    assert_eq!(scene.stored(), 1);
    lie.remove();
    let truth: SendReply = scene.send().await.header().unwrap();
    assert_eq!(
        (truth.message_id, truth.queue_offset),
        (reply.message_id, 1),
        "the same place, this time for good"
    );
    assert_eq!(scene.stored(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_send_may_be_refused_with_any_code_and_remark() {
    let cases = [
        (Effect::disk_full(), 14, "service not available now. It may be caused by"),
        (Effect::refuse(16, "the broker[10.0.1.1] sending message is forbidden"), 16, "the broker["),
        (Effect::refuse(16, "check signature failed."), 16, "check signature failed."),
        (Effect::refuse(17, "topic[T] not exist, apply first please!"), 17, "topic[T] not exist"),
        (Effect::refuse(29, "request queueId[7] is illegal"), 29, "request queueId[7] is illegal"),
        (Effect::java_exception("java.lang.NullPointerException"), 1, "java.lang.NullPointerException: "),
        (Effect::refuse(31_415, "nobody knows this code"), 31_415, "nobody knows"),
        (Effect::not_supported(310), 3, " request type 310 not supported"),
        (Effect::refuse(1, "x".repeat(1_000_000)), 1, "xxxx"),
    ];
    for (effect, code, remark) in cases {
        let (mut scene, _) = Scene::of_sends(effect).await;
        let answer = scene.send().await;
        assert_eq!(answer.code, code);
        assert!(answer.remark.unwrap().starts_with(remark), "{code}");
        assert_eq!(scene.stored(), 0);
        // It is an answer of this server like any other.
        assert_eq!(answer.version, Version::V5_5_0);
        // A one-way send is refused silently.
        scene.client.post(oneway()).await;
        assert!(scene.is_silent().await);
        assert_eq!(scene.stored(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn answers_may_carry_a_wrong_opaque_or_each_others() {
    let (mut scene, fault) = Scene::of_sends(Effect::WrongOpaque).await;
    let asked = scene.post().await;
    let answer = scene.client.next().await.unwrap();
    assert_eq!(answer.opaque, asked ^ (1 << 30));
    fault.remove();
    scene.cluster.fault(Fault::on(On::Send).then(Effect::SwapOpaques));
    let first = scene.post().await;
    assert!(scene.is_silent().await, "it waits for the second");
    let second = scene.post().await;
    let offsets = [scene.client.next().await.unwrap(), scene.client.next().await.unwrap()]
        .map(|answer| (answer.opaque, answer.header::<SendReply>().unwrap().queue_offset));
    assert_eq!(offsets, [(second, 1), (first, 2)]);
}

#[tokio::test(start_paused = true)]
async fn answers_may_come_twice_or_in_reverse_order() {
    let (mut scene, fault) = Scene::of_sends(Effect::AnswerTwice).await;
    let opaque = scene.post().await;
    for _ in 0..2 {
        assert_eq!(scene.client.next().await.unwrap().opaque, opaque);
    }
    assert_eq!(scene.stored(), 1);
    fault.remove();
    scene.cluster.fault(Fault::on(On::Send).then(Effect::Reorder { answers: 3 }));
    let mut posted = Vec::new();
    for _ in 0..3 {
        posted.push(scene.post().await);
    }
    let mut answered = Vec::new();
    for _ in 0..3 {
        answered.push(scene.client.next().await.unwrap().opaque);
    }
    answered.reverse();
    assert_eq!(answered, posted);
}

#[tokio::test(start_paused = true)]
async fn fields_may_be_missing_or_malformed() {
    let all = Effect::Fields { set: Default::default(), remove: Vec::new(), only: true };
    let (mut scene, fault) = Scene::of_sends(all).await;
    assert!(scene.send().await.ext.is_empty());
    fault.remove();
    for name in ["queueId", "queueOffset", "msgId"] {
        let fault = scene.cluster.fault(Fault::on(On::Send).then(Effect::without_fields([name])));
        let answer = scene.send().await;
        assert_eq!((answer.ext.get(name), answer.ext.len()), (None, 5), "{name}");
        fault.remove();
    }
    for id in ["0A000101", "not hexadecimal at all, but long", ""] {
        let fault = scene.cluster.fault(Fault::on(On::Send).then(Effect::message_id(id)));
        assert_eq!(scene.send().await.ext.get("msgId"), Some(id));
        fault.remove();
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_may_be_answered_with_a_wrong_number_of_ids() {
    for count in [0, 1, 5] {
        let (mut scene, _) = Scene::of_sends(Effect::BatchIds { count }).await;
        let mut body = Vec::new();
        for text in ["a", "b", "c"] {
            batch::encode_entry(0, text.as_bytes(), "", &mut body);
        }
        let answer = scene
            .client
            .call(Send::to("T").with(|header| header.batch = Some(true)).body(body).request())
            .await;
        let ids = answer.ext.get("msgId").unwrap();
        assert_eq!(ids.split(',').filter(|id| !id.is_empty()).count(), count);
        assert_eq!(scene.stored(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_name_another_version_and_a_heartbeat_lack_its_fields() {
    let (mut scene, _) = Scene::of_sends(Effect::Version { version: 317 }).await;
    assert_eq!(scene.send().await.version, Version(317));
    let missing = Effect::without_fields(["IS_SUPPORT_HEART_BEAT_V2"]);
    scene.cluster.fault(Fault::on(On::Heartbeat).then(missing));
    let answer = scene.client.call(heartbeat(&["p"], &[])).await;
    assert_eq!(answer.ext.get("IS_SUPPORT_HEART_BEAT_V2"), None);
    assert!(answer.ext.get("IS_SUB_CHANGE").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_may_be_refused_and_a_client_forgotten() {
    let mut scene = Scene::new().await;
    let refusal = Fault::on(On::Heartbeat).once().then(Effect::refuse(1, "no"));
    scene.cluster.fault(refusal);
    assert_eq!(scene.client.call(heartbeat(&["p"], &[])).await.code, 1);
    assert!(scene.cluster.clients().is_empty());
    scene.client.call(heartbeat(&["p"], &[])).await;
    assert_eq!(scene.cluster.clients().len(), 1);
    scene.cluster.broker(0).forget_clients();
    assert!(scene.cluster.clients().is_empty());
    scene.client.call(heartbeat(&["p"], &[])).await;
    assert_eq!(scene.cluster.clients().len(), 1, "its connection stayed, and it registers again");
}

#[tokio::test(start_paused = true)]
async fn only_newer_clients_are_asked_to_go_away() {
    let mut scene = Scene::new().await;
    let fault = Fault::on(On::AnyRequest).version_above(475).times(2).then(Effect::go_away());
    let fault = scene.cluster.fault(fault);
    for expected in [1500, 1500, 0] {
        assert_eq!(scene.send().await.code, expected);
    }
    let old = RemotingCommand { version: Version(475), ..send() };
    scene.cluster.fault(Fault::on(On::AnyRequest).version_above(475).then(Effect::go_away()));
    assert_eq!(scene.client.call(old).await.code, 0);
    assert_eq!(fault.fired(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_oneway_send_may_be_answered_all_the_same() {
    let (mut scene, fault) = Scene::of_sends(Effect::AnswerOneway).await;
    let opaque = scene.client.post(oneway()).await;
    assert_eq!(scene.client.next().await.unwrap().opaque, opaque);
    fault.remove();
    scene.client.post(oneway()).await;
    assert!(scene.is_silent().await);
    assert_eq!(scene.stored(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stored_message_may_be_seen_later() {
    let mut scene = Scene::new().await;
    let fault = Fault::on(On::Pull).then(Effect::DelayedVisibility { by: 5 * SECOND });
    scene.cluster.fault(fault);
    scene.send().await;
    let answer = scene.client.call(RemotingCommand::request(&pull("T", 0, 0))).await;
    assert_eq!((messages(&answer).len(), scene.elapsed()), (1, 5000));
    scene.client.call(RemotingCommand::request(&pull("T", 0, 0))).await;
    assert_eq!(scene.elapsed(), 5000, "it is old enough now");
}

#[tokio::test(start_paused = true)]
async fn store_times_may_be_skewed() {
    let mut scene = Scene::new().await;
    scene.cluster.fault(Fault::on(On::Send).once().then(Effect::ClockSkew { by_ms: -3_600_000 }));
    scene.send().await;
    scene.send().await;
    let stored = scene.cluster.stored("T");
    let times = [&stored[0], &stored[1]].map(|stored| stored.record.store_timestamp);
    assert_eq!(times[1] - times[0], 3_600_000);
}
