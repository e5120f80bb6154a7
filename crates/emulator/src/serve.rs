//! Conversations: bytes in, requests to a service, answers out.
//!
//! [`converse`] works over any stream. One task per connection owns its socket, its buffers and the requests that it
//! holds; it ends when the peer leaves, breaks the framing, is silent for two minutes, or when the server is stopped.

use std::{future::Future, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use bytes::BytesMut;
use maxq_protocol::{FrameReader, RemotingCommand};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    runtime::Handle,
    task::JoinSet,
    time::sleep_until,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::clock::Clock;

/// Who answers: a name server or a broker.
pub(crate) trait Service: Send + Sync + 'static {
    /// Carries out one request. It does not wait: what has to wait is a [`Reaction::Later`].
    fn handle(self: &Arc<Self>, peer: &Peer, request: RemotingCommand) -> Reaction;

    /// A connection has ended.
    fn closed(&self, peer: &Peer);
}

/// What becomes of a request. One-way requests get no answer whatever this says.
pub(crate) enum Reaction {
    /// The answer.
    Answer(RemotingCommand),
    /// The answer comes later, out of order.
    Later(Pin<Box<dyn Future<Output = RemotingCommand> + Send>>),
    /// No answer.
    Silence,
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Tells connections apart, of which some may have had the same address.
    pub(crate) connection: u64,
    /// Its address.
    pub(crate) address: SocketAddr,
    /// Cancelled to close the connection.
    pub(crate) closing: CancellationToken,
}

/// A running server: its tasks and the way to end them.
pub(crate) struct Server {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Server {
    /// Serves `listener` until it is stopped.
    pub(crate) fn start<S: Service>(
        listener: TcpListener,
        service: Arc<S>,
        clock: Clock,
        runtime: &Handle,
    ) -> Self {
        let server = Self { stop: CancellationToken::new(), tasks: TaskTracker::new() };
        let accepting = accept(listener, service, clock, server.stop.clone(), server.tasks.clone());
        server.tasks.spawn_on(accepting, runtime);
        server
    }

    /// Runs `task` until the server is stopped.
    pub(crate) fn run_beside(&self, task: impl Future<Output = ()> + Send + 'static, runtime: &Handle) {
        let stop = self.stop.clone();
        self.tasks.spawn_on(
            async move {
                stop.run_until_cancelled(task).await;
            },
            runtime,
        );
    }

    /// Tells all tasks to end, without waiting for them.
    pub(crate) fn cancel(&self) {
        self.stop.cancel();
    }

    /// Ends all tasks and waits until their sockets are closed.
    ///
    /// Cancel safety: the tasks end all the same, call again to wait.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Accepts connections, each into a task of its own, until `stop`.
async fn accept<S: Service>(
    listener: TcpListener,
    service: Arc<S>,
    clock: Clock,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let mut connection = 0;
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        match accepted {
            Ok((stream, address)) => {
                connection += 1;
                let peer = Peer { connection, address, closing: stop.child_token() };
                // An answer waits for nothing; a failure here means that the peer has gone already.
                let _ = stream.set_nodelay(true);
                tasks.spawn(converse(stream, peer, Arc::clone(&service), clock));
            }
            Err(error) => {
                // Out of file handles, most likely: let some connections end first.
                tracing::warn!(%error, "accept failed");
                stop.run_until_cancelled(sleep_until(clock.instant() + ACCEPT_PAUSE)).await;
            }
        }
    }
}

/// Serves one connection until it ends.
pub(crate) async fn converse<T, S>(stream: T, peer: Peer, service: Arc<S>, clock: Clock)
where
    T: AsyncRead + AsyncWrite + Send,
    S: Service,
{
    let conversation = Conversation {
        peer: &peer,
        service: &service,
        clock,
        reader: FrameReader::new(),
        input: BytesMut::new(),
        output: Outbox::default(),
        held: JoinSet::new(),
    };
    if let Some(Err(error)) = peer.closing.run_until_cancelled(conversation.run(stream)).await {
        tracing::debug!(peer = %peer.address, %error, "connection ended");
    }
    service.closed(&peer);
}

struct Conversation<'a, S> {
    peer: &'a Peer,
    service: &'a Arc<S>,
    clock: Clock,
    reader: FrameReader,
    input: BytesMut,
    output: Outbox,
    /// Requests that wait for an answer, at most [`MAX_HELD`]. Dropped with the connection.
    held: JoinSet<RemotingCommand>,
}

impl<S: Service> Conversation<'_, S> {
    async fn run(mut self, stream: impl AsyncRead + AsyncWrite + Send) -> io::Result<()> {
        let (mut from_peer, mut to_peer) = tokio::io::split(stream);
        let idle = sleep_until(self.clock.instant() + MAX_IDLE);
        tokio::pin!(idle);
        let mut last_active = self.clock.instant();
        loop {
            self.reserve();
            // Writing comes first: all answers to one read go out together before the next read. Reading stops
            // while too much waits to be written, so a peer that does not read cannot make us hoard answers.
            tokio::select! {
                biased;
                written = to_peer.write(self.output.unsent()), if !self.output.is_empty() => {
                    self.output.advance(written?);
                }
                Some(answer) = self.held.join_next(), if !self.held.is_empty() => {
                    // A failed join is a panic of ours in a held request; its peer runs into its time-out.
                    if let Ok(answer) = answer {
                        self.output.push(&answer);
                    }
                }
                read = from_peer.read_buf(&mut self.input), if self.output.len() < MAX_UNSENT => {
                    if read? == 0 {
                        return Ok(());
                    }
                    self.dispatch()?;
                }
                () = &mut idle => {
                    if self.clock.instant() - last_active >= MAX_IDLE {
                        return Err(io::Error::new(io::ErrorKind::TimedOut, "idle for too long"));
                    }
                    idle.as_mut().reset(last_active + MAX_IDLE);
                    continue;
                }
            }
            last_active = self.clock.instant();
        }
    }

    /// Carries out every request that has come whole. Whoever breaks the framing is not answered.
    fn dispatch(&mut self) -> io::Result<()> {
        while let Some(request) = self.reader.next(&mut self.input).map_err(invalid)? {
            // Clients answer the broker's own requests; there is nothing to do with those answers here.
            if request.is_response() {
                continue;
            }
            let is_oneway = request.is_oneway();
            match self.service.handle(self.peer, request) {
                _ if is_oneway => {}
                Reaction::Answer(answer) => self.output.push(&answer),
                Reaction::Later(answer) if self.held.len() < MAX_HELD => drop(self.held.spawn(answer)),
                Reaction::Later(_) => {
                    return Err(io::Error::other("more held requests than a connection may have"));
                }
                Reaction::Silence => {}
            }
        }
        Ok(())
    }

    /// Makes room for the next read: for the rest of a large frame at once, as far as that is reasonable.
    fn reserve(&mut self) {
        let missing = self.reader.missing(&self.input).ok().flatten().unwrap_or(0);
        self.input.reserve(missing.clamp(READ_SIZE, MAX_READ_SIZE));
    }
}

/// Answers on their way out.
#[derive(Default)]
struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
}

impl Outbox {
    fn push(&mut self, answer: &RemotingCommand) {
        answer.encode(&mut self.bytes);
    }

    fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn advance(&mut self, written: usize) {
        self.sent += written;
        if self.is_empty() {
            self.sent = 0;
            self.bytes.clear();
            // One large pull must not keep its memory for the life of the connection.
            self.bytes.shrink_to(MAX_UNSENT);
        } else if self.sent >= MAX_UNSENT {
            self.bytes.drain(..self.sent);
            self.sent = 0;
        }
    }
}

fn invalid(error: maxq_protocol::DecodeError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// `NettyServerConfig.serverChannelMaxIdleTimeSeconds`.
const MAX_IDLE: Duration = Duration::from_secs(120);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
const READ_SIZE: usize = 64 * 1024;
const MAX_READ_SIZE: usize = 1024 * 1024;
/// Above this many bytes waiting to be written, nothing more is read.
const MAX_UNSENT: usize = 1024 * 1024;
/// Long polls of one connection. Apache has no limit; a client has one for each of its queues.
const MAX_HELD: usize = 16 * 1024;
