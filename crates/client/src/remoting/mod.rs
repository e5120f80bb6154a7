//! Requests to addresses. Nothing above this module knows sockets.

pub(crate) mod answer;
pub(crate) mod cause;
pub(crate) mod connect;
pub(crate) mod connection;
mod inflight;
mod orders;
mod outbox;
pub(crate) mod pool;
mod queue;
mod timer;
mod timing;

use std::sync::{
    Arc, Weak,
    atomic::{AtomicI32, Ordering::Relaxed},
};

use bytes::Bytes;
use maxq_policy::Time;
use maxq_protocol::{
    ExtFields, Flags, HeaderEncoding, RemotingCommand, Request, ResponseCode,
    serialize::{Envelope, write_request_head},
};
use tokio::sync::oneshot;

use crate::{admission::Permit, config::Mapping};
use answer::SendAnswer;
use cause::Cause;
use connection::{Post, Unanswered, Waiter};
use pool::{Connection, Pool};

/// What the rest of the client calls.
pub(crate) struct Remoting {
    pool: Arc<Pool>,
    opaque: AtomicI32,
    encoding: HeaderEncoding,
    mapping: Arc<Mapping>,
}

/// How far a call came.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// use maxq::{Message, Phase};
///
/// let receipt = producer.send(Message::new("orders", "paid")).await?;
/// assert_eq!(receipt.attempts()[0].phase(), Phase::Answer);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Opening the connection.
    Connect,
    /// Waiting for the socket to take the request.
    Write,
    /// Waiting for the answer.
    Answer,
}

/// A call that got no answer.
#[derive(Clone, Debug)]
pub(crate) struct CallError {
    pub(crate) phase: Phase,
    pub(crate) cause: Arc<Cause>,
}

/// What stands in front of a body: any request, or one whose head was written before.
pub(crate) trait Head {
    /// Appends length words and header.
    fn write(&self, envelope: Envelope, body_length: usize, out: &mut Vec<u8>);
}

impl<R: Request> Head for R {
    fn write(&self, envelope: Envelope, body_length: usize, out: &mut Vec<u8>) {
        write_request_head(self, &NO_EXTRA, envelope, body_length, out);
    }
}

/// One request, ready to be addressed.
pub(crate) struct Call<'a, R> {
    pub(crate) request: &'a R,
    pub(crate) body: Bytes,
    pub(crate) deadline: Time,
    pub(crate) permit: Weak<Permit>,
    /// When it began to matter to who pays for it.
    begun: Time,
    prompt: bool,
}

impl<'a, R: Head> Call<'a, R> {
    pub(crate) fn new(request: &'a R, deadline: Time) -> Self {
        Self { request, body: Bytes::new(), deadline, permit: Weak::new(), begun: Time::NEVER, prompt: false }
    }

    /// A server that does not answer it soon is suspect. So are sends and heartbeats; a long poll is held on purpose, and
    /// a question of administration may take its time.
    pub(crate) fn prompt(mut self) -> Self {
        self.prompt = true;
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn paid_by(mut self, permit: &Arc<Permit>, begun: Time) -> Self {
        self.permit = Arc::downgrade(permit);
        self.begun = begun;
        self
    }
}

impl Remoting {
    pub(crate) fn new(
        pool: Arc<Pool>,
        encoding: HeaderEncoding,
        mapping: Arc<Mapping>,
        first_opaque: i32,
    ) -> Self {
        Self { pool, opaque: AtomicI32::new(first_opaque), encoding, mapping }
    }

    /// Sends a request and waits for its answer, whatever its code.
    ///
    /// # Cancel safety
    /// Dropped before the connection task wrote it, nothing is sent; afterwards the server may carry it out, and its
    /// answer is dropped.
    pub(crate) async fn call<R: Request>(
        &self,
        address: &Arc<str>,
        call: Call<'_, R>,
    ) -> Result<RemotingCommand, CallError> {
        let connection = self.connection(address, call.deadline).await?;
        let answer = self.begin_call(&connection, call)?;
        end_call(connection, answer).await
    }

    /// Hands a request to the connection task. The caller can drop the request then: it is encoded.
    pub(crate) fn begin_call<R: Request>(
        &self,
        connection: &Connection,
        call: Call<'_, R>,
    ) -> Result<Answer, CallError> {
        let (waiter, answer) = oneshot::channel();
        self.post(connection, call, Flags::REQUEST, Waiter::Answer(waiter))?;
        Ok(answer)
    }

    /// As [`begin_call`](Self::begin_call), for a send.
    pub(crate) fn begin_send<R: Head>(
        &self,
        connection: &Connection,
        call: Call<'_, R>,
    ) -> Result<AnswerToSend, CallError> {
        let (waiter, answer) = oneshot::channel();
        self.post(connection, call, Flags::REQUEST, Waiter::Stored(waiter))?;
        Ok(answer)
    }

    /// Hands a one-way request to the connection task.
    pub(crate) fn begin_cast<R: Head>(
        &self,
        connection: &Connection,
        call: Call<'_, R>,
    ) -> Result<Taken, CallError> {
        let (waiter, taken) = oneshot::channel();
        self.post(connection, call, Flags::ONEWAY, Waiter::Taken(waiter))?;
        Ok(taken)
    }

    /// The connection to `address`, if one is open now. The way of every send.
    pub(crate) fn open(&self, address: &Arc<str>) -> Option<Arc<Connection>> {
        self.pool.open(&self.target(address))
    }

    /// Whether a connection to `address` is open now.
    pub(crate) fn is_connected(&self, address: &Arc<str>) -> bool {
        self.open(address).is_some()
    }

    /// How headers are encoded.
    pub(crate) const fn encoding(&self) -> HeaderEncoding {
        self.encoding
    }

    /// Where `address` is really dialled.
    pub(crate) fn target(&self, address: &Arc<str>) -> Arc<str> {
        self.mapping.target(address)
    }

    /// The connection to `address`, dialled if there is none.
    ///
    /// # Cancel safety
    /// Safe: a dial goes on for the others.
    pub(crate) async fn connection(
        &self,
        address: &Arc<str>,
        deadline: Time,
    ) -> Result<Arc<Connection>, CallError> {
        let address = self.target(address);
        if let Some(connection) = self.pool.open(&address) {
            return Ok(connection);
        }
        // Boxed, so that the send, which nearly always finds an open connection, stays small.
        let dialled = Box::pin(self.pool.get(&address, deadline)).await;
        dialled.map_err(|cause| CallError { phase: Phase::Connect, cause })
    }

    /// Ends every connection.
    pub(crate) fn stop(&self) {
        self.pool.stop();
    }

    fn post<R: Head>(
        &self,
        connection: &Connection,
        call: Call<'_, R>,
        flags: Flags,
        waiter: Waiter,
    ) -> Result<(), CallError> {
        let opaque = self.opaque.fetch_add(1, Relaxed);
        let envelope = Envelope { opaque, flags, encoding: self.encoding };
        let mut head = Vec::with_capacity(HEAD);
        call.request.write(envelope, call.body.len(), &mut head);
        let Call { body, deadline, permit, begun, prompt, .. } = call;
        let post = Post { opaque, head, body, deadline, waiter, permit, begun, prompt };
        connection.post(post).map_err(|cause| CallError { phase: Phase::Write, cause })
    }
}

/// The answer to a call that has begun.
pub(crate) type Answer = oneshot::Receiver<Result<RemotingCommand, Unanswered>>;
/// The answer to a send that has begun.
pub(crate) type AnswerToSend = oneshot::Receiver<Result<SendAnswer, Unanswered>>;
/// Whether the socket took a one-way request.
pub(crate) type Taken = oneshot::Receiver<Result<(), Unanswered>>;

/// Waits for the answer. A server that leaves is asked for nothing more on this connection.
pub(crate) async fn end_call(
    connection: Arc<Connection>,
    answer: Answer,
) -> Result<RemotingCommand, CallError> {
    let command = answer.await.map_err(|_| lost_task())??;
    if command.response_code() == ResponseCode::GO_AWAY {
        connection.retire();
    }
    Ok(command)
}

/// As [`end_call`], for a send.
pub(crate) async fn end_send(
    connection: Arc<Connection>,
    answer: AnswerToSend,
) -> Result<SendAnswer, CallError> {
    let answer = answer.await.map_err(|_| lost_task())??;
    if answer.code() == ResponseCode::GO_AWAY {
        connection.retire();
    }
    Ok(answer)
}

/// Waits until the socket has taken the request.
pub(crate) async fn end_cast(taken: Taken) -> Result<(), CallError> {
    Ok(taken.await.map_err(|_| lost_task())??)
}

impl From<Unanswered> for CallError {
    fn from(end: Unanswered) -> Self {
        match end {
            Unanswered::NotSent(cause) => Self { phase: Phase::Write, cause },
            Unanswered::NoAnswer(cause) => Self { phase: Phase::Answer, cause },
        }
    }
}

/// The connection task was dropped with its runtime: whether the frame had left, nobody knows any more.
fn lost_task() -> CallError {
    CallError { phase: Phase::Answer, cause: Arc::new(Cause::Closed) }
}

static NO_EXTRA: ExtFields = ExtFields::new();

/// A send header with its properties is seldom longer.
const HEAD: usize = 512;
