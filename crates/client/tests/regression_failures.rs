//! What once went wrong while brokers failed. Each test says what should hold, and what happened instead.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![expect(clippy::disallowed_methods, reason = "sends are timed in the made-up time of the runtime")]

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use maxq::{
    Client, ClientConfig, Message, MessageQueue, Producer, ProducerConfig, RetryPolicy, SendError,
    SendReceipt, Stream,
};
use maxq_emulator::{Cluster, Effect, Fault, On, VirtualNetwork, When};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

const TOPIC: &str = "T";

struct World {
    network: VirtualNetwork,
    cluster: Cluster,
    client: Client,
    producer: Producer,
    dials: Arc<AtomicUsize>,
}

struct End {
    began: Instant,
    took: Duration,
    result: Result<SendReceipt, SendError>,
}

impl World {
    async fn of(brokers: usize, config: ProducerConfig) -> Self {
        let network = VirtualNetwork::seeded(1);
        network.latency(Duration::from_micros(500)..=Duration::from_micros(1_500));
        let cluster = Cluster::builder()
            .brokers(brokers)
            .topic(TOPIC, 4)
            .virtual_network(&network)
            .start()
            .await
            .unwrap();
        let (wires, dials) = (network.clone(), Arc::new(AtomicUsize::new(0)));
        let counted = dials.clone();
        let client = ClientConfig::new(cluster.name_servers()).seed(3).connector(move |address: String| {
            let network = wires.clone();
            counted.fetch_add(1, Ordering::Relaxed);
            async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
        });
        let client = Client::connect(client).await.unwrap();
        let producer = client.producer(config).unwrap();
        Self { network, cluster, client, producer, dials }
    }

    async fn new(brokers: usize) -> Self {
        Self::of(brokers, ProducerConfig::new("regression")).await
    }

    fn name(&self, broker: usize) -> String {
        self.cluster.broker(broker).name().to_owned()
    }

    /// Sends to every queue once, so that connections are open.
    async fn warm_up(&self, sends: usize) {
        for n in 0..sends {
            self.producer.send(Message::new(TOPIC, "warm").key(format!("warm-{n}"))).await.unwrap();
        }
    }

    async fn send_for(&self, senders: usize, time: Duration, disturb: impl AsyncFnOnce(&Self)) -> Vec<End> {
        let until = Instant::now() + time;
        let ends = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        for sender in 0..senders {
            let (producer, ends) = (self.producer.clone(), ends.clone());
            tasks.spawn(async move {
                for n in 0.. {
                    let began = Instant::now();
                    if began >= until {
                        return;
                    }
                    let key = format!("{sender}-{n}");
                    let result = producer.send(Message::new(TOPIC, "body").key(key)).await;
                    ends.lock().unwrap().push(End { began, took: began.elapsed(), result });
                    sleep(Duration::from_millis(10)).await;
                }
            });
        }
        disturb(self).await;
        while let Some(joined) = tasks.join_next().await {
            joined.unwrap();
        }
        Arc::into_inner(ends).unwrap().into_inner().unwrap()
    }

    fn copies(&self) -> BTreeMap<String, usize> {
        let mut copies = BTreeMap::new();
        self.cluster.visit_stored(TOPIC, |stored| {
            *copies.entry(stored.property("KEYS").unwrap_or_default().to_owned()).or_default() += 1;
        });
        copies
    }
}

fn slow(broker: String, by: u64) -> Fault {
    let by = Duration::from_millis(by);
    Fault::on(On::Send).broker(broker).then(Effect::Delay { from: by, to: by, when: When::AfterStoring })
}

/// A strict attempt was given a third of the time although none may follow it.
#[tokio::test(start_paused = true)]
async fn a_strict_send_is_not_given_up_before_its_deadline() {
    let config = ProducerConfig::new("regression").retry(RetryPolicy::never_after_unknown());
    let world = World::of(2, config).await;
    world.warm_up(8).await;
    for broker in 0..2 {
        world.cluster.fault(slow(world.name(broker), 1_200));
    }
    let began = Instant::now();
    let sent = world.producer.send(Message::new(TOPIC, "x")).await;
    assert!(sent.is_ok(), "after {:?} of 3 s: {}", began.elapsed(), sent.unwrap_err());
}

/// A trial taken by a one-way send is never reported, so its broker was tried once in 3 s for ever.
#[tokio::test(start_paused = true)]
async fn a_broker_that_gets_only_one_way_messages_comes_back() {
    let world = World::new(2).await;
    let oneways = async |count: usize| {
        for _ in 0..count {
            world.producer.send(Message::new(TOPIC, "x")).oneway().await.unwrap();
            sleep(Duration::from_millis(10)).await;
        }
    };
    oneways(50).await;
    world.cluster.kill_broker(1).await;
    oneways(100).await;
    world.cluster.restart_broker(1).await.unwrap();
    // The route is polled every 30 s; until then nobody knows that it is back.
    oneways(3_500).await;
    let stored = |world: &World| {
        let (mut all, mut back) = (0, 0);
        let name = world.name(1);
        world.cluster.visit_stored(TOPIC, |stored| {
            all += 1;
            back += usize::from(*stored.broker == *name);
        });
        (all, back)
    };
    let before = stored(&world);
    oneways(1_000).await;
    let after = stored(&world);
    let (all, back) = (after.0 - before.0, after.1 - before.1);
    assert!(back * 3 > all, "35 s after its restart it gets {back} of {all} messages");
}

/// Patience was 4 x p99 without a bound; with p99 > 250 ms no attempt of a 3 s send ever lasts so long, so neither
/// suspicion nor a counted time-out ever came.
#[tokio::test(start_paused = true)]
async fn a_broker_that_was_slow_and_then_freezes_gets_no_more_sends() {
    let world = World::new(2).await;
    world.warm_up(8).await;
    let fault = world.cluster.fault(slow(world.name(1), 300));
    let start = Instant::now();
    let second = |n| start + Duration::from_secs(n);
    let ends = world
        .send_for(16, Duration::from_secs(40), async |world| {
            sleep_until(second(10)).await;
            fault.remove();
            world.cluster.freeze_broker(1);
        })
        .await;
    let late: Vec<_> = ends.iter().filter(|end| end.began > second(20)).collect();
    let slow = late.iter().filter(|end| end.took >= Duration::from_millis(250)).count();
    assert!(slow <= 5, "{slow} of {} sends wait for a broker that is frozen for 10 s and more", late.len());
}

/// A suspect broker did not count as another one, so a send that met two suspects spent all of its time on the frozen
/// one.
#[tokio::test(start_paused = true)]
async fn sends_that_begin_while_both_are_suspect_fail_not_when_one_recovers() {
    let world = World::new(2).await;
    world.warm_up(8).await;
    world.cluster.freeze_broker(0);
    world.cluster.freeze_broker(1);
    let mut first = JoinSet::new();
    for _ in 0..8 {
        first.spawn(world.producer.send(Message::new(TOPIC, "x")).into_future());
    }
    sleep(Duration::from_millis(300)).await;
    let mut second = JoinSet::new();
    for _ in 0..8 {
        second.spawn(world.producer.send(Message::new(TOPIC, "y")).into_future());
    }
    sleep(Duration::from_millis(100)).await;
    world.cluster.thaw_broker(1);
    let mut failed = Vec::new();
    while let Some(end) = second.join_next().await {
        failed.extend(end.unwrap().err());
    }
    assert!(
        failed.is_empty(),
        "{} of 8 sends fail though a broker is well since 2.9 s: {}",
        failed.len(),
        failed[0]
    );
}

/// A mute connection that had listened for long enough, and still waited for an answer, armed its timer in the past, for
/// ever.
#[test]
fn a_retired_connection_that_still_waits_does_not_spin() {
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let world = World::new(1).await;
            world.warm_up(4).await;
            world.cluster.freeze_broker(0);
            let send = |seconds| {
                world
                    .producer
                    .send(Message::new(TOPIC, "x"))
                    .timeout(Duration::from_secs(seconds))
                    .into_future()
            };
            let long = tokio::spawn(send(60));
            let short = tokio::spawn(send(2));
            assert!(short.await.unwrap().is_err());
            assert!(long.await.unwrap().is_err());
        });
        tell.send(()).unwrap();
    });
    let ended = told.recv_timeout(Duration::from_secs(10));
    assert!(ended.is_ok(), "in made-up time this takes no time, unless a task is always ready");
}

/// Each late answer ended the rest, so a broker that always answers after the attempt's share was tried for ever, and
/// stored every trial twice.
#[tokio::test(start_paused = true)]
async fn a_broker_that_always_answers_too_late_rests_longer_and_longer() {
    let world = World::new(2).await;
    world.warm_up(8).await;
    world.cluster.fault(slow(world.name(1), 1_200));
    let ends = world.send_for(4, Duration::from_secs(60), async |_| {}).await;
    let twice = world.copies().values().filter(|copies| **copies > 1).count();
    let slow = ends.iter().filter(|end| end.took >= Duration::from_secs(1)).count();
    // 4 in flight at first, then trials after 1, 2, 4, 8, 16 s.
    assert!(twice <= 4 + 8, "{twice} messages are stored twice, {slow} sends take a second");
}

/// Every attempt of every sender dialled anew.
#[tokio::test(start_paused = true)]
async fn a_dead_only_broker_is_not_dialled_in_a_crowd() {
    let world = World::new(1).await;
    world.warm_up(4).await;
    world.cluster.kill_broker(0).await;
    let before = world.dials.load(Ordering::Relaxed);
    let ends = world.send_for(64, Duration::from_secs(10), async |_| {}).await;
    let dials = world.dials.load(Ordering::Relaxed) - before;
    assert!(dials <= 1_000, "{dials} dials in 10 s for {} sends", ends.len());
}

/// Every request counted for suspicion, a slow question of administration too.
#[tokio::test(start_paused = true)]
async fn a_slow_admin_question_does_not_shut_a_broker_out() {
    let world = World::new(2).await;
    world.warm_up(100).await;
    let by = Duration::from_millis(800);
    world.cluster.fault(Fault::on(On::AnyRequest).broker(world.name(1)).once().then(Effect::Delay {
        from: by,
        to: by,
        when: When::AfterStoring,
    }));
    let queue = MessageQueue::new(TOPIC, world.name(1), 0);
    let client = world.client.clone();
    let asked = tokio::spawn(async move { client.admin().max_offset(&queue).await });
    let ends = world.send_for(4, Duration::from_millis(790), async |_| {}).await;
    asked.await.unwrap().unwrap();
    let name = world.name(1);
    let late = ends.iter().filter(|end| end.took < Duration::from_millis(50)).skip(ends.len() / 2);
    let (mut all, mut there) = (0, 0);
    for end in late {
        all += 1;
        there += usize::from(end.result.as_ref().unwrap().queue().broker_name() == name);
    }
    assert!(there * 3 > all, "{there} of {all} sends go to the broker whose sends are quick");
}

/// The fetch of a route lasted as long as the send, though another broker could store the message.
#[tokio::test(start_paused = true)]
async fn a_refresh_that_hangs_does_not_spend_the_whole_send() {
    let world = World::new(2).await;
    world.warm_up(8).await;
    world
        .cluster
        .fault(Fault::on(On::Send).broker(world.name(1)).then(Effect::refuse(17, "topic[T] not exist")));
    world.network.black_hole(&world.cluster.name_server().to_string());
    for n in 0..8 {
        let began = Instant::now();
        let sent = world.producer.send(Message::new(TOPIC, "x").key(format!("{n}"))).await;
        assert!(sent.is_ok(), "send {n}, after {:?}: {}", began.elapsed(), sent.unwrap_err());
    }
}

/// Every mute connection listened for 30 s, and each send that timed out left one.
#[tokio::test(start_paused = true)]
async fn a_frozen_only_broker_does_not_collect_connections() {
    let config = ProducerConfig::new("regression").timeout(Duration::from_millis(300));
    let world = World::of(1, config).await;
    world.warm_up(4).await;
    world.cluster.freeze_broker(0);
    let address = world.cluster.broker(0).address().to_string();
    let most = Arc::new(AtomicUsize::new(0));
    let highest = most.clone();
    world
        .send_for(8, Duration::from_secs(60), async |world| {
            for _ in 0..59 {
                sleep(Duration::from_secs(1)).await;
                highest.fetch_max(world.network.connections(&address), Ordering::Relaxed);
            }
        })
        .await;
    let most = most.load(Ordering::Relaxed);
    assert!(most <= 8, "{most} connections to one frozen broker are open at once");
}

/// A broker that answers heartbeats and hangs with every send, under a client that gives sends 30 s.
#[tokio::test(start_paused = true)]
async fn a_broker_that_answers_only_heartbeats_is_tried_less_and_less() {
    let config = ProducerConfig::new("regression").timeout(Duration::from_secs(30));
    let world = World::of(2, config).await;
    world.warm_up(64).await;
    world.cluster.fault(Fault::on(On::Send).broker(world.name(1)).then(Effect::DropRequest));
    let ends = world.send_for(4, Duration::from_secs(60), async |_| {}).await;
    let start = ends.iter().map(|end| end.began).min().unwrap();
    let late = ends.iter().filter(|end| end.began.duration_since(start) > Duration::from_secs(20));
    let slow = late.filter(|end| end.took > Duration::from_secs(5)).count();
    assert!(slow <= 4, "{slow} trials in 40 s, each of 10 s: rests of 4, 8, 16 s leave room for three");
}
