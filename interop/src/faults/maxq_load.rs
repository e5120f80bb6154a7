//! Maxq under load: the library itself, without the command line around it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use maxq::{
    Client, ClientConfig, Message, Outcome, Producer, ProducerConfig, SendError, SendReceipt, StoreStatus,
    admin::TopicSettings,
};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

use super::{
    load::{DEADLINE, SENDERS},
    sends::{self, End, Name, Send},
};
use crate::clock;

/// Sixteen tasks with one producer. Dropping it aborts them.
pub(super) struct MaxqLoad {
    senders: JoinSet<Vec<Send>>,
    stopped: Arc<AtomicBool>,
    client: Client,
    /// The last field: what runs on it is dropped before.
    runtime: Runtime,
}

impl MaxqLoad {
    /// Starts to send, and says since when.
    pub(super) fn start(name_server: &str, topic: &str) -> Result<(Self, Instant)> {
        let (runtime, client) = connect(name_server)?;
        let producer = client.producer(ProducerConfig::new("maxq_interop_load").timeout(DEADLINE))?;
        let mut load = Self { senders: JoinSet::new(), stopped: Arc::default(), client, runtime };
        let zero = clock::now();
        for number in 0..SENDERS {
            let sender = Sender { producer: producer.clone(), topic: topic.to_owned(), number, zero };
            load.senders.spawn_on(sender.run(load.stopped.clone()), load.runtime.handle());
        }
        Ok((load, zero))
    }

    /// Lets each sender finish its send, and gives all sends.
    pub(super) fn stop(mut self) -> Result<Vec<Send>> {
        self.stopped.store(true, Ordering::Relaxed);
        let mut sends = Vec::new();
        while let Some(ended) = self.runtime.block_on(self.senders.join_next()) {
            sends.extend(ended.context("a sender of Maxq panicked")?);
        }
        self.runtime.block_on(self.client.close(CLOSE_LIMIT));
        Ok(sends)
    }
}

/// One sender: a task.
struct Sender {
    producer: Producer,
    topic: String,
    number: u32,
    zero: Instant,
}

impl Sender {
    async fn run(self, stopped: Arc<AtomicBool>) -> Vec<Send> {
        let mut sends = Vec::new();
        for number in 0.. {
            if stopped.load(Ordering::Relaxed) {
                break;
            }
            sends.push(self.send((self.number, number)).await);
        }
        sends
    }

    async fn send(&self, name: Name) -> Send {
        let message = Message::new(&self.topic, sends::body(name));
        let start = clock::now();
        let result = self.producer.send(message).await;
        let took = start.elapsed();
        Send { name, began: start - self.zero, took, end: end(&result) }
    }
}

/// What the client said, as the records of all clients have it.
fn end(result: &Result<SendReceipt, SendError>) -> End {
    match result {
        Ok(receipt) if receipt.status() == StoreStatus::Ok => {
            End::Acknowledged { maybe_duplicate: receipt.maybe_duplicate() }
        }
        Ok(receipt) => End::Failed { kind: format!("{:?}", receipt.status()), denies: false },
        Err(error) => End::Failed {
            kind: format!("{} {:?}", error.code(), error.kind()),
            denies: error.outcome() != Outcome::Unknown,
        },
    }
}

/// Makes `topic` on every broker.
pub(super) fn create_topic(name_server: &str, topic: &str) -> Result<()> {
    let (runtime, client) = connect(name_server)?;
    runtime.block_on(async {
        client.admin().create_topic(topic, TopicSettings::default().queues(QUEUES)).await?;
        client.close(CLOSE_LIMIT).await;
        Ok(())
    })
}

fn connect(name_server: &str) -> Result<(Runtime, Client)> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let client = runtime.block_on(Client::connect(ClientConfig::new(name_server)))?;
    Ok((runtime, client))
}

/// Per broker; as many as Apache's brokers give a topic that they make by themselves.
const QUEUES: i32 = 8;
const CLOSE_LIMIT: Duration = Duration::from_secs(5);
