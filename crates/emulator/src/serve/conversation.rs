//! One connection: bytes in, requests to a service, answers out.
//!
//! [`converse`] ends when the peer leaves, breaks the framing, is silent for two minutes, when a fault wants it, or when
//! the server is stopped.

use std::{
    collections::BTreeMap,
    future::{Future, pending},
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::BytesMut;
use maxq_protocol::{FrameReader, RemotingCommand};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{Carrying, Peer, Reaction, Service, outbox::Outbox};
use crate::{
    fault::{Act, Goodbye, Kept, RequestView, Step, greet, suffer},
    gate::Gate,
    listener::ServerStream,
    surroundings::Surroundings,
};

/// Serves one connection until it ends. The server has so many `others`.
pub(crate) async fn converse<S: Service>(
    mut stream: ServerStream,
    peer: Peer,
    service: Arc<S>,
    gate: Arc<Gate>,
    others: usize,
) {
    let conversation = Conversation {
        peer: &peer,
        service: &service,
        surroundings: service.surroundings(),
        gate: &gate,
        others,
        reader: FrameReader::new(),
        input: BytesMut::new(),
        output: Outbox::new(),
        held: JoinSet::new(),
        kept: BTreeMap::new(),
        hearing: Hearing::Open,
        paused_until: None,
        max_idle: MAX_IDLE,
        swallows: false,
        is_finishing: false,
    };
    // Boxed: what it holds while it waits is a few kilobytes, which a task should not move around.
    let run = Box::pin(conversation.run(&mut stream));
    match peer.closing.run_until_cancelled(gate.pass(run)).await {
        Some(Ok(Goodbye::Reset)) => stream.reset(),
        Some(Err(error)) => tracing::debug!(peer = %peer.address, %error, "connection ended"),
        Some(Ok(Goodbye::Fin)) | None => {}
    }
    service.closed(&peer);
}

struct Conversation<'a, S> {
    peer: &'a Peer,
    service: &'a Arc<S>,
    surroundings: &'a Surroundings,
    gate: &'a Arc<Gate>,
    others: usize,
    reader: FrameReader,
    input: BytesMut,
    output: Outbox,
    /// Requests that wait for an answer, at most [`MAX_HELD`]. Dropped with the connection.
    held: JoinSet<Outcome>,
    /// Answers that wait for each other, by the fault that keeps them.
    kept: BTreeMap<u64, Vec<RemotingCommand>>,
    hearing: Hearing,
    paused_until: Option<Instant>,
    max_idle: Duration,
    /// What comes is forgotten.
    swallows: bool,
    /// It ends when all is answered.
    is_finishing: bool,
}

/// What a held request comes to.
enum Outcome {
    Answer(RemotingCommand),
    Steps(Vec<Step>),
}

/// Whether the connection is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Hearing {
    Open,
    NotBefore(Instant),
    Never,
}

impl<S: Service> Conversation<'_, S> {
    async fn run(mut self, stream: &mut ServerStream) -> io::Result<Goodbye> {
        let (mut from_peer, mut to_peer) = tokio::io::split(stream);
        let mut last_active = self.surroundings.clock.instant();
        let idle = sleep_until(last_active + self.max_idle);
        tokio::pin!(idle);
        self.open();
        loop {
            let max_idle = self.max_idle;
            while let Some(deed) = self.output.next_deed() {
                if let Some(goodbye) = self.carry(deed) {
                    return Ok(goodbye);
                }
            }
            if self.is_finishing && self.held.is_empty() && self.output.is_done() {
                return Ok(Goodbye::Fin);
            }
            if self.max_idle != max_idle {
                idle.as_mut().reset(last_active + self.max_idle);
            }
            self.reserve();
            // Writing comes first: all answers to one read go out together before the next read. Reading stops
            // while too much waits to be written. Being idle comes last: whatever else is ready shows life.
            tokio::select! {
                biased;
                written = to_peer.write(self.output.unsent()), if !self.output.is_empty() => {
                    self.output.advance(written?);
                }
                Some(outcome) = self.held.join_next(), if !self.held.is_empty() => {
                    // A failed join is a panic of ours in a held request; its peer runs into its time-out.
                    match outcome {
                        Ok(Outcome::Answer(answer)) => self.output.push(answer),
                        Ok(Outcome::Steps(steps)) => self.take(steps),
                        Err(_) => {}
                    }
                }
                () = until(self.paused_until), if self.paused_until.is_some() => {
                    self.paused_until = None;
                    self.output.pause(false);
                }
                () = until(self.hearing.opens()), if self.hearing.opens().is_some() => {
                    self.hearing = Hearing::Open;
                }
                read = from_peer.read_buf(&mut self.input),
                    if self.hearing == Hearing::Open && self.output.has_room() =>
                {
                    if read? == 0 {
                        return Ok(Goodbye::Fin);
                    }
                    self.dispatch()?;
                }
                () = &mut idle => {
                    if self.surroundings.clock.instant() - last_active >= self.max_idle {
                        return Err(io::Error::new(io::ErrorKind::TimedOut, "idle for too long"));
                    }
                    idle.as_mut().reset(last_active + self.max_idle);
                    continue;
                }
            }
            last_active = self.surroundings.clock.instant();
        }
    }

    /// Asks the faults what becomes of the new connection.
    fn open(&mut self) {
        if let Some(act) = self.decide(None)
            && let Some(steps) = greet(&act.effect, act.seed)
        {
            self.take(steps);
        }
    }

    /// Carries out every request that has come whole. Whoever breaks the framing is not answered.
    fn dispatch(&mut self) -> io::Result<()> {
        if self.swallows {
            self.input.clear();
        }
        while let Some(request) = self.reader.next(&mut self.input).map_err(invalid)? {
            // Clients answer the broker's own requests; there is nothing to do with those answers here.
            if request.is_response() {
                continue;
            }
            self.note(&request);
            if let Some(act) = self.decide(Some(&request)) {
                self.suffer(act, request)?;
                continue;
            }
            let is_oneway = request.is_oneway();
            match self.service.handle(self.peer, request, Carrying::default()) {
                _ if is_oneway => {}
                Reaction::Answer(answer) => self.output.push(answer),
                Reaction::Later(answer) => self.hold(async { Outcome::Answer(answer.await) })?,
                Reaction::Silence => {}
            }
        }
        Ok(())
    }

    fn note(&self, request: &RemotingCommand) {
        let Surroundings { clock, requests, .. } = self.surroundings;
        requests.note(self.service.site(), self.peer, request, clock.now());
    }

    fn decide(&self, request: Option<&RemotingCommand>) -> Option<Act> {
        let faults = &self.surroundings.faults;
        if !faults.has_any() {
            return None;
        }
        faults.decide(&RequestView {
            site: self.service.site(),
            peer: self.peer,
            request,
            connections: self.others,
            client_id: &|| self.service.client_id(self.peer, request),
        })
    }

    /// What needs no waiting is done here and now, in the order of the requests and even when the peer leaves at once.
    fn suffer(&mut self, act: Act, request: RemotingCommand) -> io::Result<()> {
        let (service, peer) = (Arc::clone(self.service), self.peer.clone());
        let mut suffering = Box::pin(suffer(act, service, peer, request));
        match suffering.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(steps) => {
                self.take(steps);
                Ok(())
            }
            // The task polls it again, with a waker that works.
            Poll::Pending => self.hold(async { Outcome::Steps(suffering.await) }),
        }
    }

    fn hold(&mut self, outcome: impl Future<Output = Outcome> + Send + 'static) -> io::Result<()> {
        if self.held.len() >= MAX_HELD {
            return Err(io::Error::other("more held requests than a connection may have"));
        }
        let gate = Arc::clone(self.gate);
        self.held.spawn(async move { gate.pass(outcome).await });
        Ok(())
    }

    fn take(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Answer(answer) => self.output.push(answer),
                Step::Keep(kept) => self.keep(kept),
                step => self.output.push_step(step),
            }
        }
    }

    /// Keeps an answer; the last that is missing lets them all go.
    fn keep(&mut self, Kept { fault, answers, swaps_opaques, answer }: Kept) {
        let kept = self.kept.entry(fault).or_default();
        kept.push(answer);
        if kept.len() < answers {
            return;
        }
        let mut all = std::mem::take(kept);
        if let ([first, second], true) = (&mut *all, swaps_opaques) {
            std::mem::swap(&mut first.opaque, &mut second.opaque);
        } else {
            all.reverse();
        }
        for answer in all {
            self.output.push(answer);
        }
    }

    /// Does what comes next; gives how the connection ends, if it does.
    fn carry(&mut self, deed: Step) -> Option<Goodbye> {
        let now = self.surroundings.clock.instant();
        match deed {
            Step::Close(goodbye) => return Some(goodbye),
            Step::Finish => (self.is_finishing, self.hearing) = (true, Hearing::Never),
            Step::StopReading(Some(pause)) => self.hearing = Hearing::NotBefore(now + pause),
            Step::StopReading(None) => self.hearing = Hearing::Never,
            Step::Swallow => self.swallows = true,
            Step::SmallWrites(size) => self.output.write_at_most(size),
            Step::IdleClose(after) => self.max_idle = after,
            Step::Pause(pause) => {
                self.paused_until = Some(now + pause);
                self.output.pause(true);
            }
            // The outbox writes these itself, and `take` keeps these.
            Step::Answer(_) | Step::Write(_) | Step::Keep(_) => {}
        }
        None
    }

    /// Makes room for the next read: for the rest of a large frame at once, as far as that is reasonable.
    fn reserve(&mut self) {
        let missing = self.reader.missing(&self.input).ok().flatten().unwrap_or(0);
        self.input.reserve(missing.clamp(READ_SIZE, MAX_READ_SIZE));
    }
}

impl Hearing {
    fn opens(self) -> Option<Instant> {
        match self {
            Self::NotBefore(at) => Some(at),
            Self::Open | Self::Never => None,
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

fn invalid(error: maxq_protocol::DecodeError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// `NettyServerConfig.serverChannelMaxIdleTimeSeconds`.
const MAX_IDLE: Duration = Duration::from_secs(120);
const READ_SIZE: usize = 64 * 1024;
const MAX_READ_SIZE: usize = 1024 * 1024;
/// Long polls of one connection. Apache has no limit; a client has one for each of its queues.
const MAX_HELD: usize = 16 * 1024;
