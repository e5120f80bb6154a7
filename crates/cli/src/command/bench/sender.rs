//! What one send is: a message that is awaited or handed over, a batch, or a message that a thread waits for.

use std::sync::Arc;

use anyhow::Context as _;
use maxq::{ClientConfig, Message, MessageBatch, Producer, ProducerConfig, SendError, blocking};
use tokio::{runtime::Handle, sync::oneshot, task::JoinSet};

use super::{
    GROUP, Mode,
    load::{Load, Plan},
    stage::Stage,
};

/// Who sends.
pub(super) enum Senders {
    Tasks(Sender),
    Threads(BlockingSender),
}

/// Sends the same again and again.
#[derive(Clone)]
pub(super) enum Sender {
    Awaited(Producer, Message),
    Oneway(Producer, Message),
    Batch(Producer, MessageBatch),
}

/// The same for a thread outside the runtime.
#[derive(Clone)]
pub(super) struct BlockingSender(blocking::Producer, Message);

impl Senders {
    /// Senders of `plan`. With a known route their first message is as fast as the others.
    pub(super) async fn ready(plan: &Plan, stage: &Stage, config: ProducerConfig) -> anyhow::Result<Self> {
        let message = Message::new(plan.topic.as_str(), vec![b'm'; plan.body]);
        let task = |config| stage.client().producer(config);
        let senders = match plan.mode {
            Mode::Awaited => Self::Tasks(Sender::Awaited(task(config)?, message)),
            Mode::Oneway => Self::Tasks(Sender::Oneway(task(config)?, message)),
            Mode::Batch => {
                let batch = MessageBatch::new(std::iter::repeat_n(message, plan.batch as usize))?;
                Self::Tasks(Sender::Batch(task(config)?, batch))
            }
            Mode::Blocking => {
                Self::Threads(BlockingSender(connect_blocking(stage.config(), config).await?, message))
            }
        };
        senders.producer().queues(&plan.topic).await?;
        Ok(senders)
    }

    /// The producer of all of them.
    pub(super) const fn producer(&self) -> &Producer {
        match self {
            Self::Tasks(
                Sender::Awaited(producer, _) | Sender::Oneway(producer, _) | Sender::Batch(producer, _),
            ) => producer,
            Self::Threads(BlockingSender(producer, _)) => producer.inner(),
        }
    }

    /// Starts one worker for each send that is to be under way at once.
    pub(super) fn start(&self, load: &Arc<Load>) -> anyhow::Result<JoinSet<anyhow::Result<()>>> {
        let mut workers = JoinSet::new();
        for worker in 0..load.plan().in_flight {
            let load = load.clone();
            match self {
                Self::Tasks(sender) => {
                    let work = load.work(worker, sender.clone());
                    workers.spawn(async {
                        work.await;
                        Ok(())
                    });
                }
                Self::Threads(sender) => {
                    let (sender, runtime) = (sender.clone(), Handle::current());
                    let ended = in_thread(move || load.work_blocking(worker, &sender, &runtime))?;
                    workers.spawn(async {
                        ended.await.context("a thread has panicked, which is a bug in maxq")
                    });
                }
            }
        }
        Ok(workers)
    }
}

impl Sender {
    /// Sends once.
    pub(super) async fn send(&self) -> Result<(), SendError> {
        match self {
            Self::Awaited(producer, message) => producer.send(message.clone()).await.map(drop),
            Self::Oneway(producer, message) => producer.send(message.clone()).oneway().await,
            Self::Batch(producer, batch) => producer.send_batch(batch.clone()).await.map(drop),
        }
    }
}

impl BlockingSender {
    /// Sends once, and holds the thread up for so long.
    pub(super) fn send(&self) -> Result<(), SendError> {
        self.0.send(self.1.clone()).wait().map(drop)
    }
}

/// A blocking producer can be made outside the runtime only.
async fn connect_blocking(
    client: &ClientConfig,
    producer: ProducerConfig,
) -> anyhow::Result<blocking::Producer> {
    let client = client.clone();
    let connected = in_thread(move || blocking::Producer::with(client, producer))?;
    Ok(connected.await.context("the thread that connects has panicked, which is a bug in maxq")??)
}

/// Runs `work` in a thread of its own; what it gives is told.
fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<oneshot::Receiver<T>> {
    let (tell, told) = oneshot::channel();
    let thread = std::thread::Builder::new().name(GROUP.to_owned());
    thread.spawn(move || drop(tell.send(work()))).context("cannot start a thread")?;
    Ok(told)
}
