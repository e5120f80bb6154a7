//! One broker dies, freezes, or vanishes behind a dead link while many send: on an emulated cluster, with a virtual
//! network and a clock that jumps when nothing is left to do.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![expect(clippy::disallowed_methods, reason = "sends are timed in the made-up time of the runtime")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use maxq::{Client, ClientConfig, Message, Producer, ProducerConfig, SendError, SendReceipt, Stream};
use maxq_emulator::{Cluster, VirtualNetwork};
use tokio::{task::JoinSet, time::Instant};

const TOPIC: &str = "T";
const SENDERS: usize = 16;
const PAUSE: Duration = Duration::from_millis(10);

struct World {
    network: VirtualNetwork,
    cluster: Cluster,
    client: Client,
    producer: Producer,
}

/// What one send came to.
struct End {
    began: Instant,
    took: Duration,
    key: String,
    result: Result<SendReceipt, SendError>,
}

impl World {
    /// Two brokers, a millisecond away.
    async fn new() -> Self {
        let network = VirtualNetwork::seeded(1);
        network.latency(Duration::from_micros(500)..=Duration::from_micros(1_500));
        let cluster =
            Cluster::builder().brokers(2).topic(TOPIC, 4).virtual_network(&network).start().await.unwrap();
        let client = Client::connect(config(&network, &cluster)).await.unwrap();
        let producer = client.producer(ProducerConfig::new("failures")).unwrap();
        Self { network, cluster, client, producer }
    }

    /// Sixteen tasks send one message after the other, with a pause between, for `seconds`; `disturb` does what it does
    /// meanwhile.
    async fn send_for(&self, seconds: u64, disturb: impl AsyncFnOnce(&Self)) -> Vec<End> {
        let until = Instant::now() + Duration::from_secs(seconds);
        let ends = Arc::new(Mutex::new(Vec::new()));
        let mut senders = JoinSet::new();
        for sender in 0..SENDERS {
            let (producer, ends) = (self.producer.clone(), ends.clone());
            senders.spawn(async move {
                for n in 0.. {
                    let began = Instant::now();
                    if began >= until {
                        return;
                    }
                    let key = format!("{sender}-{n}");
                    let result = producer.send(Message::new(TOPIC, "body").key(&key)).await;
                    let end = End { began, took: began.elapsed(), key, result };
                    ends.lock().unwrap().push(end);
                    tokio::time::sleep(PAUSE).await;
                }
            });
        }
        disturb(self).await;
        while let Some(joined) = senders.join_next().await {
            joined.unwrap();
        }
        Arc::into_inner(ends).unwrap().into_inner().unwrap()
    }

    /// How often each key is stored.
    fn copies(&self) -> BTreeMap<String, usize> {
        let mut copies = BTreeMap::new();
        self.cluster.visit_stored(TOPIC, |stored| {
            *copies.entry(stored.property("KEYS").unwrap_or_default().to_owned()).or_default() += 1;
        });
        copies
    }

    async fn close(self) {
        self.client.close(Duration::from_secs(1)).await;
        self.cluster.stop().await;
    }
}

fn config(network: &VirtualNetwork, cluster: &Cluster) -> ClientConfig {
    let network = network.clone();
    ClientConfig::new(cluster.name_servers()).seed(3).connector(move |address: String| {
        let network = network.clone();
        async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
    })
}

/// The rules of every failure: no send fails while a broker lives, none takes longer than `most`, every acknowledged
/// message is stored, and one that is stored twice says that it may be.
fn judge(world: &World, ends: &[End], most: Duration) {
    let copies = world.copies();
    for end in ends {
        let receipt = end.result.as_ref().unwrap_or_else(|error| panic!("{}: {error}", end.key));
        assert!(end.took <= most, "{} took {:?}: {:?}", end.key, end.took, receipt.attempts());
        let stored = copies.get(&end.key).copied().unwrap_or(0);
        assert!(stored >= 1, "{} is lost", end.key);
        assert!(stored == 1 || receipt.maybe_duplicate(), "{} is stored {stored} times", end.key);
    }
}

fn sent_between(ends: &[End], from: Instant, to: Instant) -> f64 {
    let count = ends.iter().filter(|end| (from..to).contains(&(end.began + end.took))).count();
    count as f64 / to.duration_since(from).as_secs_f64()
}

#[tokio::test(start_paused = true)]
async fn a_killed_broker_fails_no_send_and_delays_none_by_100_ms() {
    let world = World::new().await;
    let ends = world
        .send_for(10, async |world| {
            tokio::time::sleep(Duration::from_secs(2)).await;
            world.cluster.kill_broker(1).await;
            tokio::time::sleep(Duration::from_secs(4)).await;
            world.cluster.restart_broker(1).await.unwrap();
        })
        .await;
    judge(&world, &ends, Duration::from_millis(100));
    world.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_frozen_broker_fails_no_send_and_the_other_one_takes_the_load() {
    let world = World::new().await;
    let start = Instant::now();
    let second = |n| start + Duration::from_secs(n);
    let ends = world
        .send_for(25, async |world| {
            tokio::time::sleep_until(second(3)).await;
            world.cluster.freeze_broker(1);
            tokio::time::sleep_until(second(20)).await;
            world.cluster.thaw_broker(1);
        })
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    judge(&world, &ends, Duration::from_millis(1_200));
    let doubtful = ends.iter().filter(|end| end.result.as_ref().unwrap().maybe_duplicate()).count();
    assert!(doubtful <= SENDERS + 8, "{doubtful} sends went twice: more than were in flight, and the trials");
    let (before, during) =
        (sent_between(&ends, second(1), second(3)), sent_between(&ends, second(5), second(20)));
    assert!(during >= 0.95 * before, "{before}/s before, {during}/s while it is frozen");
    // It gets its share again.
    let late = ends.iter().filter(|end| end.began > second(24));
    let late: Vec<_> =
        late.map(|end| end.result.as_ref().unwrap().queue().broker_name().to_owned()).collect();
    let back = late.iter().filter(|name| *name == world.cluster.broker(1).name()).count();
    assert!(back * 3 > late.len(), "{back} of {} sends go to it after 4 s", late.len());
    world.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_link_that_dies_without_a_sign_is_dialled_anew() {
    let world = World::new().await;
    let address = world.cluster.broker(1).address().to_string();
    let start = Instant::now();
    let second = |n| start + Duration::from_secs(n);
    let ends = world
        .send_for(30, async |world| {
            tokio::time::sleep_until(second(3)).await;
            world.network.black_hole(&address);
            tokio::time::sleep_until(second(15)).await;
            world.network.heal(&address);
        })
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    judge(&world, &ends, Duration::from_millis(1_200));
    let back = ends.iter().filter(|end| end.began > second(25));
    let back = back
        .filter(|end| end.result.as_ref().unwrap().queue().broker_name() == world.cluster.broker(1).name());
    assert!(back.count() > 0, "it is used again");
    world.close().await;
}
