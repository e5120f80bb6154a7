//! Messages that are sent while their caller goes on, flushing, closing with a report, and batches: on an emulated
//! cluster, with a virtual network and a paused clock.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![expect(clippy::disallowed_methods, reason = "tasks are joined where they are made, and time is made up")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use maxq::{
    BatchErrorKind, Client, ClientConfig, ErrorCode, Message, MessageBatch, Outcome, Overflow, Producer,
    ProducerConfig, SendErrorKind, Stream,
};
use maxq_emulator::{Cluster, Effect, Fault, On, VirtualNetwork};
use tokio::time::{Instant, sleep};

const TOPIC: &str = "T";
const SECOND: Duration = Duration::from_secs(1);

struct World {
    cluster: Cluster,
    client: Client,
    producer: Producer,
}

impl World {
    async fn new() -> Self {
        Self::with(ProducerConfig::new("flow")).await
    }

    async fn with(config: ProducerConfig) -> Self {
        let network = VirtualNetwork::seeded(1);
        network.latency(Duration::from_millis(1)..=Duration::from_millis(1));
        let cluster =
            Cluster::builder().virtual_network(&network).brokers(2).topic(TOPIC, 2).start().await.unwrap();
        let client = ClientConfig::new(cluster.name_servers()).seed(1).connector(move |address: String| {
            let network = network.clone();
            async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
        });
        let client = Client::connect(client).await.unwrap();
        let producer = client.producer(config).unwrap();
        Self { cluster, client, producer }
    }

    fn freeze(&self) {
        (0..2).for_each(|broker| self.cluster.freeze_broker(broker));
    }

    fn thaw(&self) {
        (0..2).for_each(|broker| self.cluster.thaw_broker(broker));
    }
}

fn message(n: usize) -> Message {
    Message::new(TOPIC, format!("body {n}")).key(format!("k{n}"))
}

#[tokio::test(start_paused = true)]
async fn an_enqueued_message_is_sent_while_its_caller_goes_on() {
    let world = World::new().await;
    let mut deliveries = Vec::new();
    for n in 0..100 {
        deliveries.push(world.producer.send(message(n)).enqueue().await.unwrap());
    }
    assert_eq!(world.cluster.stored_count(TOPIC), 0, "nothing has run yet");
    for delivery in deliveries {
        assert!(!delivery.await.unwrap().maybe_duplicate());
    }
    assert_eq!(world.cluster.stored_count(TOPIC), 100);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_delivery_does_not_cancel_its_message() {
    let world = World::new().await;
    drop(world.producer.send(message(0)).enqueue().await.unwrap());
    let report = world.producer.flush(SECOND).await;
    assert_eq!((report.acknowledged, report.pending), (1, 0));
    assert_eq!(world.cluster.stored_count(TOPIC), 1);
}

#[tokio::test(start_paused = true)]
async fn a_callback_is_called_once_whether_it_comes_early_or_late() {
    let world = World::new().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let early = world.producer.send(message(0)).enqueue().await.unwrap();
    let late = world.producer.send(message(1)).enqueue().await.unwrap();
    let count = |calls: &Arc<AtomicUsize>| {
        let calls = calls.clone();
        move |result: Result<maxq::SendReceipt, maxq::SendError>| {
            assert!(result.is_ok());
            calls.fetch_add(1, SeqCst);
        }
    };
    early.on_complete(count(&calls));
    world.producer.flush(SECOND).await;
    assert_eq!(calls.load(SeqCst), 1);
    late.on_complete(count(&calls));
    assert_eq!(calls.load(SeqCst), 2);
    world.client.close(SECOND).await;
    assert_eq!(calls.load(SeqCst), 2);
}

#[test]
fn a_callback_is_called_when_the_runtime_ends() {
    let outcome = Arc::new(Mutex::new(None));
    let told = outcome.clone();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let world = runtime.block_on(async {
        let world = World::new().await;
        world.freeze();
        let delivery = world.producer.send(message(0)).enqueue().await.unwrap();
        delivery.on_complete(move |result| {
            *told.lock().unwrap() = Some(result.map_err(|error| (error.code(), error.outcome())).err());
        });
        world
    });
    drop(runtime);
    assert_eq!(*outcome.lock().unwrap(), Some(Some((ErrorCode::CLOSED, Outcome::Unknown))));
    drop(world);
}

#[tokio::test(start_paused = true)]
async fn a_full_producer_hands_the_message_back_or_lets_it_wait() {
    let world = World::with(ProducerConfig::new("flow").limits(2, 1 << 20)).await;
    world.freeze();
    let held: Vec<_> = (0..2).map(|n| world.producer.send(message(n)).try_enqueue().unwrap()).collect();
    let error = world.producer.send(message(2)).try_enqueue().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (SendErrorKind::Overloaded, Outcome::NotSent));
    assert_eq!(error.messages()[0].body(), &b"body 2"[..]);
    let began = Instant::now();
    let error = world.producer.send(message(2)).timeout(SECOND / 2).enqueue().await.unwrap_err();
    assert_eq!((error.kind(), began.elapsed()), (SendErrorKind::Overloaded, SECOND / 2));
    world.thaw();
    for delivery in held {
        delivery.await.unwrap();
    }
    world.producer.send(message(2)).enqueue().await.unwrap().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_producer_that_rejects_never_lets_a_send_wait() {
    let config = ProducerConfig::new("flow").limits(1, 1 << 20).overflow(Overflow::Reject);
    let world = World::with(config).await;
    world.freeze();
    let held = world.producer.send(message(0)).try_enqueue().unwrap();
    let began = Instant::now();
    let error = world.producer.send(message(1)).await.unwrap_err();
    assert_eq!((error.kind(), began.elapsed()), (SendErrorKind::Overloaded, Duration::ZERO));
    world.thaw();
    held.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_what_was_before_it_and_for_nothing_else() {
    let world = World::new().await;
    world.producer.send(message(0)).await.unwrap();
    let slow = world.cluster.fault(Fault::on(On::Send).once().then(Effect::delay(SECOND / 2)));
    drop(world.producer.send(message(1)).enqueue().await.unwrap());
    let producer = world.producer.clone();
    let stream = tokio::spawn(async move {
        // One message after the other, for two seconds: a flush that waited for these would not end before.
        for n in 2..400 {
            producer.send(message(n)).await.unwrap();
            sleep(Duration::from_millis(5)).await;
        }
    });
    sleep(Duration::from_millis(20)).await;
    let began = Instant::now();
    let report = world.producer.flush(10 * SECOND).await;
    assert_eq!(report.pending, 0);
    assert!(began.elapsed() > SECOND / 4 && began.elapsed() < SECOND, "{:?}", began.elapsed());
    assert_eq!(slow.fired(), 1);
    stream.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_has_no_more_time_says_what_is_pending() {
    let world = World::new().await;
    world.freeze();
    for n in 0..3 {
        drop(world.producer.send(message(n)).enqueue().await.unwrap());
    }
    assert_eq!(world.producer.flush(SECOND / 10).await.pending, 3);
    world.thaw();
    let report = world.producer.flush(SECOND).await;
    assert_eq!((report.pending, report.acknowledged), (0, 3));
}

/// acknowledged + handed back + unknown = submitted, whatever happens; and what is handed back is not stored.
#[tokio::test(start_paused = true)]
async fn a_closing_producer_accounts_for_every_message() {
    for (name, within) in [("time", 10 * SECOND), ("no time", Duration::from_millis(30))] {
        let world = World::with(ProducerConfig::new("flow").limits(10_000, 64 << 20)).await;
        world.producer.send(message(1_000)).await.unwrap();
        world.cluster.fault(Fault::on(On::Send).skip(20).times(20).then(Effect::DropAnswer));
        world.cluster.fault(Fault::on(On::Send).chance(0.2).then(Effect::delay(SECOND / 10)));
        world.cluster.fault(Fault::on(On::Send).chance(0.1).then(Effect::disk_full()));
        let told = Arc::new(Mutex::new(BTreeMap::<&str, u64>::new()));
        for n in 0..500 {
            let told = told.clone();
            world.producer.send(message(n)).enqueue().await.unwrap().on_complete(move |result| {
                let end = match result.map_err(|error| error.outcome()) {
                    Ok(_) => "acknowledged",
                    Err(Outcome::Unknown) => "unknown",
                    Err(_) => "returned",
                };
                *told.lock().unwrap().entry(end).or_default() += 1;
            });
            if n == 250 {
                sleep(Duration::from_millis(5)).await;
            }
        }
        let flushed = world.producer.flush(Duration::ZERO).await;
        let before = told.lock().unwrap().values().sum::<u64>();
        let report = world.producer.close(within).await;
        let closed = report.acknowledged + report.refused + report.not_sent + report.unknown;
        assert_eq!(before + closed, 500, "{name}: {report:?} after {flushed:?}");
        assert!(report.unsent.is_empty(), "{name}: each was handed to its callback: {report:?}");
        if name == "time" {
            assert_eq!(report.unknown, 0, "{report:?}");
        }
        // Who is still in flight ends by itself, and everybody is told.
        world.client.close(10 * SECOND).await;
        assert_eq!(told.lock().unwrap().values().sum::<u64>(), 500, "{name}");
    }
}

/// Of messages that nobody holds: acknowledged + handed back + unknown = submitted, and what is handed back is not
/// stored.
#[tokio::test(start_paused = true)]
async fn a_closing_producer_hands_back_what_is_not_stored_and_nobody_holds() {
    for (name, within) in [("time", 10 * SECOND), ("no time", Duration::from_millis(30))] {
        let world = World::with(ProducerConfig::new("flow").limits(10_000, 64 << 20)).await;
        world.producer.send(message(1_000)).await.unwrap();
        world.cluster.fault(Fault::on(On::Send).chance(0.2).then(Effect::delay(SECOND / 10)));
        world.cluster.fault(Fault::on(On::Send).chance(0.2).then(Effect::refuse(13, "it is illegal")));
        for n in 0..200 {
            drop(world.producer.send(message(n)).enqueue().await.unwrap());
        }
        let begun = world.producer.stats().under_way;
        let report = world.producer.close(within).await;
        let back = report.unsent.len() as u64;
        assert_eq!(report.acknowledged + back + report.unknown, begun, "{name}: {report:?}");
        assert_eq!(back, report.refused + report.not_sent, "{name}: {report:?}");
        assert!(back > 0, "{name}: {report:?}");
        world.client.close(10 * SECOND).await;
        let stored = world.cluster.stored(TOPIC);
        for message in &report.unsent {
            let key = message.properties().find(|(name, _)| *name == "KEYS").unwrap().1;
            assert!(!stored.iter().any(|stored| stored.property("KEYS") == Some(key)), "{name}: {key}");
        }
    }
}

/// Whoever holds the delivery has the message with its error; handed back as well, it would be sent twice.
#[tokio::test(start_paused = true)]
async fn what_somebody_holds_is_not_handed_back_as_well() {
    let world = World::new().await;
    world.cluster.fault(Fault::on(On::Route).then(Effect::DropRequest));
    let unknown = |key: &str| world.producer.send(Message::new("unknown", "x").key(key)).enqueue();
    let (held, dropped) = (unknown("held").await.unwrap(), unknown("dropped").await.unwrap());
    drop(dropped);
    let report = world.producer.close(SECOND / 2).await;
    let keys = |messages: &[Message]| -> Vec<String> {
        messages.iter().flat_map(Message::properties).map(|(_, value)| value.to_owned()).collect()
    };
    assert_eq!((report.not_sent, keys(&report.unsent)), (2, vec!["dropped".to_owned()]));
    assert_eq!(keys(held.await.unwrap_err().messages()), ["held"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_when_the_time_is_over_is_handed_back() {
    let world = World::new().await;
    // Nobody knows the topic for a while, and the name server says nothing.
    world.cluster.fault(Fault::on(On::Route).then(Effect::DropRequest));
    for n in 0..5 {
        drop(world.producer.send(Message::new("unknown", "x").key(format!("k{n}"))).enqueue().await.unwrap());
    }
    sleep(SECOND / 10).await;
    let began = Instant::now();
    let report = world.producer.close(SECOND / 2).await;
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
    assert_eq!((report.unsent.len(), report.not_sent, report.unknown), (5, 5, 0), "{report:?}");
    assert!(world.producer.send(message(0)).try_enqueue().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_a_receipt_for_each_message() {
    let world = World::new().await;
    let batch = MessageBatch::new((0..10).map(|n| message(n).tag("t").flag(n as i32))).unwrap();
    let messages = batch.len();
    let receipt = world.producer.send_batch(batch).await.unwrap();
    assert_eq!(receipt.receipts().len(), messages);
    let stored = world.cluster.stored(TOPIC);
    assert_eq!(stored.len(), messages);
    for (n, (receipt, stored)) in receipt.receipts().iter().zip(&stored).enumerate() {
        assert_eq!(stored.body(), &format!("body {n}").into_bytes());
        assert_eq!(receipt.message_id().as_str(), stored.unique_id().unwrap());
        assert_eq!(receipt.offset_id(), stored.offset_id());
        assert_eq!(receipt.queue_offset(), stored.queue_offset() as u64);
        assert_eq!((stored.tag(), stored.property("KEYS")), (Some("t"), Some(&*format!("k{n}"))));
    }
}

#[tokio::test(start_paused = true)]
async fn the_size_of_a_batch_is_known_exactly_before_it_is_sent() {
    for waits in [true, false] {
        let row = || (0..7).map(move |n| message(n).tag("t").property("color", "red").wait_for_store(waits));
        let length = MessageBatch::new(row()).unwrap().encoded_len();
        for (most, fits) in [(length, true), (length - 1, false)] {
            let world = World::with(ProducerConfig::new("flow").max_message_size(most)).await;
            let sent = world.producer.send_batch(MessageBatch::new(row()).unwrap()).await;
            assert_eq!(sent.is_ok(), fits, "{most} for {length}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_goes_on_at_another_broker() {
    let world = World::new().await;
    world.cluster.fault(Fault::on(On::Send).once().then(Effect::DropAnswer));
    let receipt = world.producer.send_batch(MessageBatch::new((0..3).map(message)).unwrap()).await.unwrap();
    assert!(receipt.maybe_duplicate() && receipt.receipts().iter().all(maxq::SendReceipt::maybe_duplicate));
    assert_eq!(world.cluster.stored_count(TOPIC), 6, "the same messages twice, under the same ids");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_fails_gives_all_its_messages_back() {
    let world = World::with(ProducerConfig::new("flow").max_message_size(1_000)).await;
    let batch = MessageBatch::new((0..20).map(message)).unwrap();
    let error = world.producer.send_batch(batch).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (SendErrorKind::TooLarge, ErrorCode::TOO_LARGE));
    assert!(error.to_string().contains("split it"), "{error}");
    let batches = world.producer.split_batches(error.into_messages()).unwrap();
    assert!(batches.len() > 1 && batches.iter().all(|batch| batch.encoded_len() <= 1_000));
    for batch in batches {
        world.producer.send_batch(batch).await.unwrap();
    }
    assert_eq!(world.cluster.stored_count(TOPIC), 20);
}

#[test]
fn messages_that_cannot_be_stored_together_are_no_batch() {
    let kind = |messages: Vec<Message>| {
        let error = MessageBatch::new(messages).unwrap_err();
        assert!(!error.to_string().is_empty());
        (error.kind(), error.index())
    };
    assert_eq!(kind(vec![]), (BatchErrorKind::Empty, 0));
    assert_eq!(kind(vec![message(0), Message::new("U", "x")]), (BatchErrorKind::OtherTopic, 1));
    assert_eq!(kind(vec![message(0), message(1).wait_for_store(false)]), (BatchErrorKind::OtherWait, 1));
    assert_eq!(kind(vec![Message::new("%RETRY%g", "x")]), (BatchErrorKind::RetryTopic, 0));
}

#[tokio::test(start_paused = true)]
async fn a_row_of_messages_is_cut_where_it_cannot_stay_together() {
    let world = World::new().await;
    let row = [
        message(0),
        message(1),
        Message::new("U", "x"),
        message(2),
        message(3).wait_for_store(false),
        message(4).wait_for_store(false),
    ];
    let batches = world.producer.split_batches(row).unwrap();
    let shape: Vec<_> = batches.iter().map(|batch| (batch.topic(), batch.len())).collect();
    assert_eq!(shape, [("T", 2), ("U", 1), ("T", 1), ("T", 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_client_still_delivers_what_was_enqueued() {
    let world = World::new().await;
    for n in 0..10 {
        drop(world.producer.send(message(n)).enqueue().await.unwrap());
    }
    drop((world.producer, world.client));
    sleep(2 * SECOND).await;
    assert_eq!(world.cluster.stored_count(TOPIC), 10);
}
