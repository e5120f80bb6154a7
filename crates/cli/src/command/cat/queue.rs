//! Reads queues, each in a task of its own.
//!
//! ```text
//!  history: what was there at the start, for merging     live: what comes later, as it comes
//!  [ask for the end] -> [read up to it] ---------------> [wait for more] -> ...
//!          |                  |    error, three times           |  error
//!          `------------------`--> told; with --follow, live    `--> told once a broker, tried again each second
//! ```

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use maxq::{Client, From, MessageQueue, MessageView, Reader, RequestError, RequestErrorKind};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{notes::Notes, output::printable};

/// Starts readers of queues, and ends them when it is dropped.
pub(super) struct QueueReaders {
    client: Client,
    notes: Notes,
    live: Option<mpsc::Sender<MessageView>>,
    troubled: Troubled,
    tasks: JoinSet<()>,
}

/// The next message of a queue's history, or why there is none.
pub(super) type Past = Result<MessageView, (MessageQueue, RequestError)>;

impl QueueReaders {
    /// Readers that, if they `follow`, send what comes later to the receiver.
    pub(super) fn new(client: Client, notes: Notes, follow: bool) -> (Self, mpsc::Receiver<MessageView>) {
        // When it is full, the readers wait, and the brokers keep the messages.
        let (sender, receiver) = mpsc::channel(LIVE);
        let live = follow.then_some(sender);
        (Self { client, notes, live, troubled: Troubled::default(), tasks: JoinSet::new() }, receiver)
    }

    /// Reads `queue`; what is there already comes out of the receiver, which ends where the queue ends now.
    pub(super) fn start(&mut self, queue: &MessageQueue, from: From) -> mpsc::Receiver<Past> {
        // When it is full, the reader waits. It is small because a message may have 4 MiB, and there are many queues.
        let (history, receiver) = mpsc::channel(AHEAD);
        let reader = self.reader(queue, from);
        self.tasks.spawn(reader.run(history));
        receiver
    }

    /// Reads a queue that the topic did not have at the start; all that is in it comes as live.
    pub(super) fn start_behind(&mut self, queue: &MessageQueue) {
        let mut reader = self.reader(queue, From::Start);
        if let Some(live) = reader.live.take() {
            self.tasks.spawn(async move { reader.follow(None, live).await });
        }
    }

    /// The client of the readers.
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// Ends all readers.
    pub(super) async fn stop(&mut self) {
        self.tasks.shutdown().await;
    }

    fn reader(&self, queue: &MessageQueue, from: From) -> QueueReader {
        QueueReader {
            reader: self.client.reader(queue, from),
            client: self.client.clone(),
            notes: self.notes.clone(),
            live: self.live.clone(),
            troubled: self.troubled.clone(),
        }
    }
}

/// Brokers that cannot be read at the moment, so that each is told once and not once a queue.
#[derive(Clone, Default)]
struct Troubled(Arc<Mutex<BTreeSet<String>>>);

impl Troubled {
    /// Says true if this is news.
    fn insert(&self, broker: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(broker.to_owned())
    }

    fn remove(&self, broker: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(broker);
    }
}

struct QueueReader {
    reader: Reader,
    client: Client,
    notes: Notes,
    live: Option<mpsc::Sender<MessageView>>,
    troubled: Troubled,
}

impl QueueReader {
    /// Ends when nobody wants its messages any more.
    async fn run(mut self, history: mpsc::Sender<Past>) {
        let first = match self.past(&history).await {
            Ok(first) => first,
            Err(error) => {
                let queue = self.reader.queue().clone();
                if history.send(Err((queue, error))).await.is_err() {
                    return;
                }
                None
            }
        };
        drop(history);
        if let Some(live) = self.live.take() {
            self.follow(first, live).await;
        }
    }

    /// Sends what is in the queue now. Gives the first message behind that, if it was fetched already.
    async fn past(&mut self, history: &mpsc::Sender<Past>) -> Result<Option<MessageView>, RequestError> {
        let end = self.end().await?.cast_unsigned();
        loop {
            let Some(message) = self.next().await? else { return Ok(None) };
            if message.queue_offset() >= end {
                return Ok(Some(message));
            }
            let is_last = message.queue_offset() + 1 == end;
            if history.send(Ok(message)).await.is_err() || is_last {
                return Ok(None);
            }
        }
    }

    /// Sends what comes later, for as long as somebody wants it.
    async fn follow(&mut self, first: Option<MessageView>, live: mpsc::Sender<MessageView>) {
        if let Some(message) = first
            && live.send(message).await.is_err()
        {
            return;
        }
        let mut failing = false;
        let broker = self.reader.queue().broker_name().to_owned();
        loop {
            let read = self.reader.next_within(HOLD).await;
            if failing && read.is_ok() {
                failing = false;
                self.troubled.remove(&broker);
            }
            match read {
                Ok(None) => {}
                Ok(Some(message)) => {
                    if live.send(message).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    failing = true;
                    if self.troubled.insert(&broker) {
                        self.notes.warning(&printable(&format!("{broker}: {error}; trying again")));
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// The next message of the history.
    async fn next(&mut self) -> Result<Option<MessageView>, RequestError> {
        let mut tries = 1;
        loop {
            match self.reader.next().await {
                Err(error) if tries < TRIES && may_pass(&error) => tries += 1,
                read => return read,
            }
            tokio::time::sleep(SHORT_PAUSE).await;
        }
    }

    /// The next offset that will be written.
    async fn end(&self) -> Result<i64, RequestError> {
        let mut tries = 1;
        loop {
            match self.client.admin().max_offset(self.reader.queue()).await {
                Err(error) if tries < TRIES && may_pass(&error) => tries += 1,
                asked => return asked,
            }
            tokio::time::sleep(SHORT_PAUSE).await;
        }
    }
}

/// Whether asking again may help.
fn may_pass(error: &RequestError) -> bool {
    matches!(error.kind(), RequestErrorKind::Lost | RequestErrorKind::Connect)
}

const AHEAD: usize = 4;
const LIVE: usize = 16;
const TRIES: u32 = 3;
const SHORT_PAUSE: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_secs(1);
/// How long a broker may hold a question of ours.
const HOLD: Duration = Duration::from_secs(15);
