//! The stage of one story: a cluster on a virtual network, one client, and what becomes of both at the end.

use std::{collections::BTreeSet, time::Duration};

use maxq::{
    Client, ClientConfig, CompressionChoice, HeaderEncoding, Message, Offload, Outcome, Parity, Producer,
    ProducerConfig, RetryPolicy, Stream,
};
use maxq_emulator::{Cluster, VirtualNetwork};
use tokio::{runtime::Handle, time::sleep};

use crate::{
    actors::{self, Ending},
    ends::End,
    story::{Story, Teller},
    verdict,
};

pub(crate) const TOPICS: [&str; 2] = ["orders", "events"];
/// Bytes of body that the producer may have under way.
const BYTES: usize = 400 * 1024;

/// Everything that the actors of a story share.
pub(crate) struct World {
    pub(crate) network: VirtualNetwork,
    pub(crate) cluster: Cluster,
    pub(crate) producer: Producer,
    /// What it was made of.
    pub(crate) config: ProducerConfig,
    pub(crate) story: Teller,
    /// How long a send may take in all.
    pub(crate) timeout: Duration,
    /// Whether sends may go out again after no answer.
    pub(crate) is_strict: bool,
}

/// Plays the story of `seed`, from the start of a cluster to the last task.
pub(crate) fn play(seed: u64) -> Story {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing");
    runtime.block_on(tell(seed))
}

async fn tell(seed: u64) -> Story {
    let mut chance = fastrand::Rng::with_seed(seed);
    let story = Teller::start();
    let network = VirtualNetwork::seeded(chance.u64(..));
    let slowest = Duration::from_millis(chance.u64(0..8));
    network.latency(Duration::from_micros(50)..=slowest.max(Duration::from_micros(50)));
    network.loss(chance.f64() * 0.01);
    let cluster = cluster(&mut chance, &network, &story).await;
    let (client, timeout, is_strict) = client(&mut chance, &network, &cluster, &story);
    let mut config = ProducerConfig::new("simulation").timeout(timeout).limits(chance.usize(4..40), BYTES);
    if chance.u8(..) < 192 {
        // Compressing is slow in a debug build, and the same in every story.
        config = config.compression(CompressionChoice::Off);
    }
    let (policy, rests_long) = policy(&mut chance, is_strict, &story);
    config = config.retry(policy);
    let mut events = client.events();
    let producer = client.producer(config.clone()).expect("the configuration is sound");
    let world = World { network, cluster, producer, config, story: story.clone(), timeout, is_strict };

    // Of its own, so that the stories without it stay what they are.
    let more = fastrand::Rng::with_seed(!seed);
    let told = actors::perform(&world, &mut chance, (seed % 4 >= 2).then_some(more)).await;

    actors::heal(&world).await;
    // Whatever is still in flight expires, and everybody comes back from a rest.
    sleep(timeout + Duration::from_secs(60)).await;
    let mut faults = verdict::judge(&world, &told);
    faults.extend(verdict::adds_up(&world.producer.stats()));
    if !rests_long {
        faults.extend(everybody_works(&world).await);
    }
    faults.extend(last_message(&world).await);
    faults.extend(leave(client, world, &told.ends).await);
    while let Some(event) = events.next().await {
        story.tell(format_args!("event: {event}"));
    }
    story.end(seed, faults)
}

/// How sends are tried again, and whether a broker may rest for longer than the story waits.
fn policy(chance: &mut fastrand::Rng, is_strict: bool, story: &Teller) -> (RetryPolicy, bool) {
    let parity = if chance.bool() { Parity::V5 } else { Parity::V4_9 };
    let (mut policy, mut rests_long) = match chance.u8(..) {
        _ if is_strict => (RetryPolicy::never_after_unknown(), false),
        0..20 => (RetryPolicy::java_sync(parity), true),
        20..40 => (RetryPolicy::java_async(parity), true),
        40..60 => (RetryPolicy::default().attempts(chance.u32(2..6)), false),
        60..70 => (RetryPolicy::default().retry_when_not_stored_ok(true), false),
        _ => (RetryPolicy::default(), false),
    };
    if chance.u8(..) < 32 {
        (policy, rests_long) = (policy.latency_fault(true), true);
    }
    story.tell(format_args!("{policy:?}"));
    (policy, rests_long)
}

/// On a healthy cluster, every broker gets its share again.
async fn everybody_works(world: &World) -> Option<String> {
    let mut used = BTreeSet::new();
    for n in 0..60 {
        let sent = world.producer.send(Message::new(TOPICS[0], "well").key("well")).await;
        match sent {
            Ok(receipt) if n >= 36 => drop(used.insert(receipt.queue().broker_name().to_owned())),
            Ok(_) => {}
            Err(error) => return Some(format!("a send fails on a healthy cluster: {error}")),
        }
        sleep(Duration::from_millis(250)).await;
    }
    let all = world.cluster.broker_count();
    (used.len() < all).then(|| format!("only {used:?} of {all} brokers are used on a healthy cluster"))
}

async fn cluster(chance: &mut fastrand::Rng, network: &VirtualNetwork, story: &Teller) -> Cluster {
    let (brokers, servers) = (chance.usize(1..=3), chance.usize(1..=2));
    let version = if chance.bool() { "5.5.0" } else { "4.9.7" };
    let mut builder = Cluster::builder()
        .virtual_network(network)
        .brokers(brokers)
        .name_servers(servers)
        .emulate(version)
        .seed(chance.u64(..));
    // The second topic may have to be made by its first message.
    for topic in TOPICS.iter().take(chance.usize(1..=2)) {
        builder = builder.topic(*topic, chance.u32(1..=4));
    }
    story.tell(format_args!("{brokers} brokers of {version}, {servers} name servers"));
    builder.start().await.expect("a virtual network has room for a cluster")
}

fn client(
    chance: &mut fastrand::Rng,
    network: &VirtualNetwork,
    cluster: &Cluster,
    story: &Teller,
) -> (Client, Duration, bool) {
    let network = network.clone();
    let mut config = ClientConfig::new(cluster.name_servers())
        .instance_name("simulation")
        .seed(chance.u64(..))
        .offload(Offload::Inline)
        .connector(move |address: String| {
            let network = network.clone();
            async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
        });
    if chance.bool() {
        config = config.header_encoding(HeaderEncoding::Binary);
    }
    let most = if chance.u8(..) < 13 { 20_000 } else { 4_000 };
    let timeout = Duration::from_millis(chance.u64(300..most));
    let is_strict = chance.u8(..) < 40;
    story.tell(format_args!("sends may take {timeout:?}; strict: {is_strict}"));
    (Client::lazy(config).expect("the configuration is sound"), timeout, is_strict)
}

/// A message as large as all that may be under way: it goes only if every permit has come back.
async fn last_message(world: &World) -> Option<String> {
    let message = Message::new(TOPICS[0], vec![b'x'; BYTES]).key("last");
    let sent = world.producer.send(message).timeout(Duration::from_secs(5)).await;
    sent.err().map(|error| format!("the last message, alone on a healthy cluster: {error}"))
}

/// Closes everything, and says what is left behind.
async fn leave(client: Client, world: World, ends: &[End]) -> Vec<String> {
    let mut faults = Vec::new();
    let report = client.close(Duration::from_secs(5)).await;
    let late = report.acknowledged + report.refused + report.not_sent + report.unknown;
    if late != 0 || !report.unsent.is_empty() {
        faults.push(format!("nothing was under way, but closing reports {report:?}"));
    }
    let message = Message::new(TOPICS[0], "late");
    match world.producer.send(message).await {
        Err(error) if error.outcome() == Outcome::NotSent => {}
        other => faults.push(format!("a closed producer sends: {other:?}")),
    }
    drop(client);
    let World { cluster, producer, .. } = world;
    drop(producer);
    cluster.stop().await;
    let left = Handle::current().metrics().num_alive_tasks();
    if left != 0 {
        faults.push(format!("{left} tasks are left"));
    }
    let unresolved = ends.iter().filter(|end| matches!(end.ending, Ending::Pending)).count();
    if unresolved > 0 {
        faults.push(format!("{unresolved} sends never ended"));
    }
    faults
}
