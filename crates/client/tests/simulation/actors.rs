//! Who acts in a story: senders, and misfortune.

use std::{fmt, time::Duration};

use maxq::{Message, MessageQueue, Outcome, Producer, SendError, SendReceipt};
use maxq_emulator::{Busy, Cluster, Effect, Fault, FramePart, Goodbye, On, When};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    crowd::Member,
    ends::{Ends, Told},
    story::Teller,
    trouble::{settle, trouble},
    world::{TOPICS, World},
};

/// How a message ended.
pub(crate) enum Ending {
    /// It never ended.
    Pending,
    /// Awaited: stored.
    Stored(Box<SendReceipt>),
    /// Failed.
    Failed { outcome: Outcome, attempts: usize, is_oneway: bool },
    /// One way: handed to the socket.
    Handed,
    /// The caller lost patience and dropped the future.
    GivenUp,
}

/// Plays all senders and the misfortune to their ends. With `more` chance there is a crowd, and trouble.
pub(crate) async fn perform(world: &World, chance: &mut fastrand::Rng, more: Option<fastrand::Rng>) -> Told {
    let ends = Ends::default();
    let mut senders = JoinSet::new();
    for number in 0..chance.usize(2..=8) {
        let sender = Sender {
            number,
            producer: world.producer.clone(),
            story: world.story.clone(),
            allowed: world.timeout,
            chance: chance.fork(),
            ends: ends.clone(),
        };
        senders.spawn(sender.act());
    }
    match more {
        None => misfortune(world, chance).await,
        Some(mut more) => {
            for number in 100..100 + more.usize(1..=3) {
                let member = Member {
                    number,
                    producer: world.producer.clone(),
                    config: world.config.clone(),
                    story: world.story.clone(),
                    allowed: world.timeout,
                    chance: more.fork(),
                    ends: ends.clone(),
                };
                senders.spawn(member.act());
            }
            tokio::join!(biased; misfortune(world, chance), trouble(world, &mut more));
        }
    }
    while let Some(joined) = senders.join_next().await {
        joined.expect("a sender does not panic");
    }
    ends.take()
}

struct Sender {
    number: usize,
    producer: Producer,
    story: Teller,
    allowed: Duration,
    chance: fastrand::Rng,
    ends: Ends,
}

impl Sender {
    /// Sends one message after the other.
    async fn act(mut self) {
        for n in 0..self.chance.usize(5..25) {
            sleep(Duration::from_millis(self.chance.u64(0..120))).await;
            let (key, topic) = (format!("{}-{n}", self.number), TOPICS[usize::from(self.chance.u8(..) < 80)]);
            let place = self.ends.note(self.number, &key, topic, self.allowed);
            let body = if self.chance.u8(..) < 16 {
                vec![b'b'; self.chance.usize(1..150_000)]
            } else {
                vec![b'a'; 20]
            };
            let message = Message::new(topic, body).key(&key);
            let began = Instant::now();
            let (ending, allowed) = self.send(message, topic).await;
            let took = began.elapsed();
            self.story.tell(format_args!("{key} to {topic}: {ending} after {took:?}"));
            self.ends.end_within(place, ending, took, allowed);
        }
    }

    async fn send(&mut self, message: Message, topic: &str) -> (Ending, Duration) {
        let sending = self.producer.send(message);
        match self.chance.u8(0..100) {
            0..70 => (awaited(sending.await), self.allowed),
            70..80 => {
                let total = Duration::from_millis(self.chance.u64(1..1_500));
                (awaited(sending.timeout(total).await), total)
            }
            80..86 => {
                // A queue that may or may not exist.
                let broker = format!("broker-{}", ["a", "b", "0", "1"][self.chance.usize(0..4)]);
                let queue = MessageQueue::new(topic, broker, self.chance.i32(0..3));
                (awaited(sending.to(queue).await), self.allowed)
            }
            86..93 => match sending.oneway().await {
                Ok(()) => (Ending::Handed, self.allowed),
                Err(error) => (failed(&error, true), self.allowed),
            },
            _ => {
                let patience = Duration::from_micros(self.chance.u64(0..300_000));
                match timeout(patience, sending.into_future()).await {
                    Ok(result) => (awaited(result), self.allowed),
                    Err(_) => (Ending::GivenUp, self.allowed),
                }
            }
        }
    }
}

pub(crate) fn awaited(result: Result<SendReceipt, SendError>) -> Ending {
    match result {
        Ok(receipt) => Ending::Stored(Box::new(receipt)),
        Err(error) => failed(&error, false),
    }
}

pub(crate) fn failed(error: &SendError, is_oneway: bool) -> Ending {
    Ending::Failed { outcome: error.outcome(), attempts: error.attempts().len(), is_oneway }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("pending"),
            Self::Stored(receipt) => {
                write!(f, "stored at {} offset {}", receipt.queue(), receipt.queue_offset())?;
                if receipt.attempts().len() > 1 {
                    write!(f, ", attempt {}", receipt.attempts().len())?;
                }
                f.write_str(if receipt.maybe_duplicate() { ", may be stored twice" } else { "" })
            }
            Self::Failed { outcome, attempts, .. } => {
                let outcome = match outcome {
                    Outcome::NotSent => "not sent",
                    Outcome::Refused => "refused",
                    Outcome::Unknown => "unknown",
                };
                write!(f, "{outcome}, {attempts} attempts")
            }
            Self::Handed => f.write_str("one way"),
            Self::GivenUp => f.write_str("given up"),
        }
    }
}

/// Lets things happen to the cluster, one after the other, for some seconds.
async fn misfortune(world: &World, chance: &mut fastrand::Rng) {
    for _ in 0..chance.usize(0..10) {
        sleep(Duration::from_millis(chance.u64(0..700))).await;
        let happened = happen(world, chance).await;
        world.story.tell(happened);
    }
}

async fn happen(world: &World, chance: &mut fastrand::Rng) -> String {
    let World { cluster, network, .. } = world;
    let index = chance.usize(0..cluster.broker_count());
    let broker = cluster.broker(index);
    let (name, address) = (broker.name().to_owned(), broker.address().to_string());
    match chance.u8(0..20) {
        0..3 => {
            cluster.kill_broker(index).await;
            format!("{name} is killed")
        }
        3..5 => match cluster.restart_broker(index).await {
            Ok(()) => format!("{name} is back"),
            Err(error) => format!("{name} does not start: {error}"),
        },
        5 => match cluster.restart_broker_elsewhere(index).await {
            Ok(()) => format!("{name} is back elsewhere"),
            Err(error) => format!("{name} does not start: {error}"),
        },
        6..8 => {
            cluster.freeze_broker(index);
            format!("{name} freezes")
        }
        8..10 => {
            cluster.thaw_broker(index);
            format!("{name} thaws")
        }
        10 | 11 => {
            network.cut(&address);
            format!("connections to {name} are cut")
        }
        12 => {
            network.black_hole(&address);
            format!("{name} is cut off without a sign")
        }
        13 => {
            network.refuse(&address);
            format!("{name} refuses connections")
        }
        14 => {
            network.heal(&address);
            format!("the way to {name} is healed")
        }
        15 => {
            let server = chance.usize(0..cluster.name_server_count());
            if chance.bool() {
                cluster.stop_name_server(server).await;
                format!("name server {server} is gone")
            } else {
                match cluster.start_name_server(server).await {
                    Ok(()) => format!("name server {server} is there"),
                    Err(error) => format!("name server {server} does not start: {error}"),
                }
            }
        }
        _ => {
            let fault = any_fault(chance).times(chance.u64(1..6));
            let told = format!("fault: {:?} at {:?}", fault.then, fault.on);
            cluster.fault(if chance.bool() { fault.broker(name) } else { fault });
            told
        }
    }
}

/// A fault that an honest broker may show: none that says "stored" of what is not, or the other way round.
fn any_fault(chance: &mut fastrand::Rng) -> Fault {
    let on = [On::Send, On::Send, On::Send, On::AnyRequest, On::Heartbeat, On::Route][chance.usize(0..6)];
    let some_time = Duration::from_millis(chance.u64(1..3_000));
    let when = if chance.bool() { When::InsteadOfStoring } else { When::AfterStoring };
    let goodbye = if chance.bool() { Goodbye::Reset } else { Goodbye::Fin };
    let part = [FramePart::Length, FramePart::Header, FramePart::Body][chance.usize(0..3)];
    let tag = [Busy::RejectRequest, Busy::Overload, Busy::TimeoutCleanQueue][chance.usize(0..3)];
    let then = match chance.u8(0..22) {
        0 => Effect::DropRequest,
        1 | 2 => Effect::DropAnswer,
        3 | 4 => Effect::Delay { from: Duration::ZERO, to: some_time, when },
        5 => Effect::Close { when, goodbye },
        6 => Effect::GracefulClose,
        7 => Effect::CutFrame { at: part, goodbye },
        8 => Effect::StallFrame { at: part, pause: some_time },
        9 => Effect::Garbage { bytes: chance.usize(1..100) },
        10 => Effect::WrongOpaque,
        11 => Effect::AnswerTwice,
        12 => Effect::Reorder { answers: chance.usize(2..4) },
        13 => Effect::SmallWrites { size: chance.usize(1..5) },
        14 => Effect::StopReading { pause: Some(some_time) },
        15 => Effect::go_away(),
        16 => Effect::disk_full(),
        17 => Effect::Code { code: [10, 11, 12][chance.usize(0..3)] },
        18 => Effect::ServerRequest { code: 999 },
        19 => Effect::OtherEncoding,
        _ => Effect::Busy { tag },
    };
    // These two are for sends only.
    let on = if matches!(then, Effect::Busy { .. } | Effect::Code { .. }) { On::Send } else { on };
    Fault::on(on).then(then)
}

/// Everything runs again.
pub(crate) async fn heal(world: &World) {
    let World { cluster, network, story, .. } = world;
    cluster.clear_faults();
    network.loss(0.0);
    for server in 0..cluster.name_server_count() {
        cluster.start_name_server(server).await.expect("its port is its own");
    }
    for index in 0..cluster.broker_count() {
        heal_broker(cluster, index).await;
        network.heal(&cluster.broker(index).address().to_string());
    }
    // Last: a broker that is frozen tells no name server what it may do.
    settle(world);
    story.tell("all is well");
}

async fn heal_broker(cluster: &Cluster, index: usize) {
    cluster.thaw_broker(index);
    cluster.restart_broker(index).await.expect("its port is its own");
}
