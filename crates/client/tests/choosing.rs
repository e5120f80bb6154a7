//! Which queue a message goes to, and what is tried again after which answer: a client on an emulated cluster, with a
//! virtual network and a paused clock.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::{collections::BTreeSet, time::Duration};

use maxq::{
    ByChance, ByKey, Client, ClientConfig, ErrorCode, Message, MessageQueue, Outcome, Parity, Producer,
    ProducerConfig, RetryPolicy, SendErrorKind, Stream,
};
use maxq_emulator::{Busy, Cluster, Effect, Fault, On, VirtualNetwork};
use maxq_protocol::RequestCode;

const TOPIC: &str = "T";

struct World {
    cluster: Cluster,
    client: Client,
    producer: Producer,
}

impl World {
    async fn new() -> Self {
        let network = VirtualNetwork::seeded(1);
        let cluster =
            Cluster::builder().virtual_network(&network).brokers(2).topic(TOPIC, 3).start().await.unwrap();
        let config = ClientConfig::new(cluster.name_servers()).seed(1).connector(move |address: String| {
            let network = network.clone();
            async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
        });
        let client = Client::connect(config).await.unwrap();
        let producer = client.producer(ProducerConfig::new("choosing")).unwrap();
        Self { cluster, client, producer }
    }

    fn sends(&self) -> Vec<RequestCode> {
        let requests = self.cluster.requests();
        let sends = requests.iter().map(|request| request.code);
        sends
            .filter(|code| [RequestCode::SEND_MESSAGE, RequestCode::SEND_MESSAGE_V2].contains(code))
            .collect()
    }
}

fn message() -> Message {
    Message::new(TOPIC, "hello")
}

#[tokio::test(start_paused = true)]
async fn messages_of_one_key_stay_in_one_queue() {
    let world = World::new().await;
    let mut queues = BTreeSet::new();
    for key in ["a", "b", "c", "order-42"] {
        let receipt = world.producer.send(message()).select_by(ByKey::new(key)).await.unwrap();
        for _ in 0..5 {
            let again = world.producer.send(message()).select_by(ByKey::new(key)).await.unwrap();
            assert_eq!(again.queue(), receipt.queue());
        }
        queues.insert(receipt.queue().clone());
    }
    // "a", "b" and "c" hash to 97, 98 and 99 of six queues, which stand in the order of their brokers.
    let expected = |index: usize| {
        let broker = world.cluster.broker(index / 3).name().to_owned();
        MessageQueue::new(TOPIC, broker, (index % 3) as i32)
    };
    for index in [97 % 6, 98 % 6, 99 % 6] {
        assert!(queues.contains(&expected(index)), "{index}");
    }
}

/// It was said of the runtime, which was well.
#[tokio::test(start_paused = true)]
async fn a_selector_that_panics_is_named_to_who_waits_for_the_delivery() {
    let world = World::new().await;
    let selector = |_: &[MessageQueue], _: &Message| -> Option<usize> { panic!("a bug of the caller's") };
    let delivery = world.producer.send(message()).select_by(selector).enqueue().await.unwrap();
    let error = delivery.await.unwrap_err();
    assert!(error.to_string().contains("a selector that panics"), "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown);
    world.producer.send(message()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn chance_reaches_every_queue() {
    let world = World::new().await;
    let (selector, mut queues) = (ByChance::seeded(7), BTreeSet::new());
    for _ in 0..100 {
        let receipt = world.producer.send(message()).select_by(selector.clone()).await.unwrap();
        queues.insert(receipt.queue().clone());
    }
    assert_eq!(queues.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_selector_sees_the_queues_and_the_message() {
    let world = World::new().await;
    let last = |queues: &[MessageQueue], message: &Message| {
        assert_eq!((queues.len(), message.topic()), (6, TOPIC));
        Some(queues.len() - 1)
    };
    let receipt = world.producer.send(message()).select_by(last).await.unwrap();
    assert_eq!((receipt.queue().broker_name(), receipt.queue().queue_id()), ("broker-1", 2));
}

#[tokio::test(start_paused = true)]
async fn a_selector_that_chooses_nothing_refuses_the_message() {
    let world = World::new().await;
    for (choice, says) in [(None, "none of 6 queues"), (Some(6), "queue 6 of 6")] {
        let selector = move |_: &[MessageQueue], _: &Message| choice;
        let error = world.producer.send(message()).select_by(selector).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (SendErrorKind::Invalid, Outcome::NotSent));
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(error.into_messages().len(), 1);
    }
    assert_eq!(world.cluster.stored_count(TOPIC), 0);
}

#[tokio::test(start_paused = true)]
async fn a_chosen_queue_gets_no_second_copy() {
    let world = World::new().await;
    world.cluster.fault(Fault::on(On::Send).once().then(Effect::DropAnswer));
    let sending = world.producer.send(message()).select_by(ByKey::new("k")).timeout(Duration::from_secs(1));
    let error = sending.await.unwrap_err();
    assert_eq!((error.outcome(), error.attempts().len()), (Outcome::Unknown, 1));
    assert_eq!(world.cluster.stored_count(TOPIC), 1);
}

/// Decision table, code 1500: a new connection to the same broker, once.
#[tokio::test(start_paused = true)]
async fn a_broker_that_says_go_away_is_asked_again_on_a_new_connection() {
    let world = World::new().await;
    let go_away = world.cluster.fault(Fault::on(On::Send).once().then(Effect::go_away()));
    let receipt = world.producer.send(message()).await.unwrap();
    assert_eq!(go_away.fired(), 1);
    let brokers: Vec<_> = receipt.attempts().iter().map(|attempt| attempt.broker().to_owned()).collect();
    assert_eq!((brokers.len(), &brokers[0]), (2, &brokers[1]), "the same broker");
    assert!(!receipt.maybe_duplicate());
    let requests = world.cluster.requests();
    let sends = requests.iter().filter(|request| request.code == RequestCode::SEND_MESSAGE_V2);
    let connections: BTreeSet<_> = sends.map(|request| request.connection).collect();
    assert_eq!(connections.len(), 2, "two connections");
}

/// Decision table, code 3 on 310: the long form, and from then on at once.
#[tokio::test(start_paused = true)]
async fn a_broker_that_knows_no_short_form_gets_the_long_one() {
    let world = World::new().await;
    let code = RequestCode::SEND_MESSAGE_V2.0;
    world.cluster.fault(Fault::on(On::Code(code)).then(Effect::not_supported(code)));
    for _ in 0..4 {
        let receipt = world.producer.send(message()).retry(RetryPolicy::none()).await.unwrap();
        assert!(!receipt.maybe_duplicate());
    }
    let (long, short): (Vec<_>, Vec<_>) =
        world.sends().into_iter().partition(|code| *code == RequestCode::SEND_MESSAGE);
    assert_eq!((long.len(), short.len()), (4, 2), "each of two brokers refuses once");
}

#[tokio::test(start_paused = true)]
async fn busy_brokers_are_asked_again_only_so_often() {
    let world = World::new().await;
    let busy = world.cluster.fault(Fault::on(On::Send).then(Effect::Busy { tag: Busy::Overload }));
    let mut said = BTreeSet::new();
    for _ in 0..120 {
        let error = world.producer.send(message()).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (SendErrorKind::Busy, ErrorCode::BUSY));
        assert_eq!(error.outcome(), Outcome::Refused);
        said.insert(error.to_string().contains("asked them again too often"));
    }
    assert_eq!(said, BTreeSet::from([false, true]), "first three tries each, then one");
    // 120 first tries and a hundred from the budget.
    assert_eq!(busy.fired(), 220);
    busy.remove();
    world.producer.send(message()).await.unwrap();
}

/// Apache's first attempt may spend the whole time: there is nothing left for another broker.
#[tokio::test(start_paused = true)]
async fn apaches_rules_give_all_the_time_to_a_stalled_broker() {
    let world = World::new().await;
    for (policy, attempts) in [
        (RetryPolicy::default(), 2),
        (RetryPolicy::java_sync(Parity::V5), 1),
        (RetryPolicy::java_async(Parity::V4_9), 1),
    ] {
        world.cluster.fault(Fault::on(On::Send).once().then(Effect::DropAnswer));
        match world.producer.send(message()).retry(policy).await {
            Ok(receipt) => assert_eq!(receipt.attempts().len(), attempts),
            Err(error) => assert_eq!((error.attempts().len(), attempts), (1, 1)),
        }
    }
}

/// `DefaultMQProducer.retryResponseCodes`: 5.x retries a busy broker, 4.9 does not, asynchronous sends never do.
#[tokio::test(start_paused = true)]
async fn apaches_rules_decide_which_codes_are_retried() {
    let world = World::new().await;
    for (policy, retries) in [
        (RetryPolicy::java_sync(Parity::V5), true),
        (RetryPolicy::java_sync(Parity::V4_9), false),
        (RetryPolicy::java_async(Parity::V5), false),
    ] {
        world.cluster.fault(Fault::on(On::Send).once().then(Effect::Busy { tag: Busy::Overload }));
        let sent = world.producer.send(message()).retry(policy).await;
        assert_eq!(sent.is_ok(), retries, "{policy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_broker_rests_when_the_ladder_is_on() {
    let world = World::new().await;
    world.producer.send(message()).await.unwrap();
    let policy = RetryPolicy::default().latency_fault(true);
    let slow = Effect::delay(Duration::from_millis(600));
    world.cluster.fault(Fault::on(On::Send).broker("broker-0").once().then(slow));
    let mut brokers = Vec::new();
    for _ in 0..8 {
        let receipt = world.producer.send(message()).retry(policy).await.unwrap();
        brokers.push(receipt.queue().broker_name().to_owned());
    }
    let first = brokers.iter().position(|name| name == "broker-0").unwrap();
    assert!(brokers[first + 1..].iter().all(|name| name == "broker-1"), "{brokers:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut back = BTreeSet::new();
    for _ in 0..8 {
        let receipt = world.producer.send(message()).retry(policy).await.unwrap();
        back.insert(receipt.queue().broker_name().to_owned());
    }
    assert_eq!(back.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_sends_the_messages_elsewhere() {
    let world = World::new().await;
    let full = world.cluster.fault(Fault::on(On::Send).broker("broker-0").then(Effect::disk_full()));
    for _ in 0..20 {
        let receipt = world.producer.send(message()).await.unwrap();
        assert_eq!(receipt.queue().broker_name(), "broker-1");
    }
    assert!((3..=4).contains(&full.fired()), "three refusals open the breaker: {}", full.fired());
}

#[tokio::test(start_paused = true)]
async fn a_read_only_broker_is_passed_by() {
    let world = World::new().await;
    world.producer.send(message()).await.unwrap();
    world.cluster.broker(1).set_read_only(true);
    for _ in 0..10 {
        let receipt = world.producer.send(message()).await.unwrap();
        assert_eq!(receipt.queue().broker_name(), "broker-0");
    }
    world.client.close(Duration::from_secs(1)).await;
}

/// Large bodies are compressed on the blocking pool, which has no made-up time.
#[tokio::test]
async fn a_large_body_is_compressed_and_read_back_whole() {
    let cluster = Cluster::builder().topic(TOPIC, 1).start().await.unwrap();
    let client = Client::connect(ClientConfig::new(cluster.name_servers())).await.unwrap();
    let producer = client.producer(ProducerConfig::new("large")).unwrap();
    let body: Vec<u8> = (0..200_000u32).map(|n| b"maxq"[n as usize % 4]).collect();
    let receipt = producer.send(Message::new(TOPIC, body.clone())).await.unwrap();
    assert!(cluster.stored(TOPIC)[0].body().len() < 10_000, "it travels small");
    let read = client.admin().view_message(receipt.offset_id()).await.unwrap();
    assert_eq!(read.body(), &body[..]);
    let report = client.close(Duration::from_secs(5)).await;
    assert_eq!(report.unknown, 0);
    cluster.stop().await;
}
