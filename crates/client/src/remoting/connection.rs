//! The connection task: the only owner of a socket, its buffers and its table of unanswered requests.
//!
//! ```text
//!   callers --posts--> [queue] --encode while outbox < 64 KiB--> [outbox] --write--> socket
//!                                                    |                                 |
//!   callers <--answers-- [in flight by opaque] <-----'        <-------- read ----------'
//! ```
//!
//! Everything that waits here has a deadline, so nothing stays for ever: not behind a socket that takes no bytes, not
//! at a broker that never answers. When the stream ends, every waiter hears the same cause, and whether the socket
//! had taken its whole frame: that is the difference between "not sent" and "unknown".

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use bytes::{Buf as _, Bytes, BytesMut};
use maxq_policy::{BrokerHealth, Failure, Time};
use maxq_protocol::{FrameReader, RemotingCommand, ResponseCode, StoredReader};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    sync::{mpsc, oneshot},
};

use super::{
    answer::SendAnswer,
    cause::Cause,
    connect::Stream,
    inflight::{Inflight, Written},
    orders::Orders,
    outbox::{HIGH_WATER, Outbox, Pace, write},
    queue::Queue,
    timer::Timer,
    timing::{Round, Timing},
};
use crate::{admission::Permit, clock::Clock, health::Healths, stats::Lanes};

/// A request on its way to the connection task.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) opaque: i32,
    /// Length word and header, encoded.
    pub(crate) head: Vec<u8>,
    pub(crate) body: Bytes,
    pub(crate) deadline: Time,
    pub(crate) waiter: Waiter,
    /// What pays for the message. A post that waits does not hold it, its caller does; a written request does until it
    /// is answered or expires, even when the caller has gone.
    pub(crate) permit: Weak<Permit>,
    /// When its queueing began, for the figures of who pays.
    pub(crate) begun: Time,
    /// Whether it should be answered at once, and not when something happens.
    pub(crate) prompt: bool,
}

/// Who waits, and for what.
#[derive(Debug)]
pub(crate) enum Waiter {
    /// For the answer.
    Answer(oneshot::Sender<Result<RemotingCommand, Unanswered>>),
    /// For the answer to a send.
    Stored(oneshot::Sender<Result<SendAnswer, Unanswered>>),
    /// For the socket to take the whole frame; a one-way request is never answered.
    Taken(oneshot::Sender<Result<(), Unanswered>>),
}

/// How a request ended without an answer.
#[derive(Clone, Debug)]
pub(crate) enum Unanswered {
    /// The socket never took the whole frame.
    NotSent(Arc<Cause>),
    /// The server may have received it.
    NoAnswer(Arc<Cause>),
}

impl Waiter {
    pub(super) fn is_gone(&self) -> bool {
        match self {
            Self::Answer(waiter) => waiter.is_closed(),
            Self::Stored(waiter) => waiter.is_closed(),
            Self::Taken(waiter) => waiter.is_closed(),
        }
    }

    /// A caller that has gone is not an error: it does not want to know.
    pub(super) fn fail(self, end: Unanswered) {
        match self {
            Self::Answer(waiter) => drop(waiter.send(Err(end))),
            Self::Stored(waiter) => drop(waiter.send(Err(end))),
            Self::Taken(waiter) => drop(waiter.send(Err(end))),
        }
    }
}

/// What the pool gives to a new connection task.
pub(super) struct Wiring {
    pub(super) posts: mpsc::Receiver<Post>,
    pub(super) clock: Clock,
    /// After so long without a word and without anybody who waits, the connection ends.
    pub(super) max_idle: Duration,
    pub(super) orders: Arc<Orders>,
    pub(super) address: Arc<str>,
    pub(super) health: Arc<BrokerHealth>,
    pub(super) healths: Arc<Healths>,
    /// Filled when the connection ends: for who comes too late to be told.
    pub(super) ended: Arc<OnceLock<Arc<Cause>>>,
    /// Told when the server is mute and this connection begins to listen.
    pub(super) on_mute: Box<dyn Fn() + Send + Sync>,
}

/// Runs the connection until its stream ends, it is told to stop, or it was idle for too long; then tells everybody.
pub(super) async fn drive(stream: Stream, mut wiring: Wiring) {
    let mut driver = Driver::new(&wiring);
    let cause = match stream {
        Stream::Tcp(mut stream) => {
            let (reader, writer) = stream.split();
            driver.run(reader, writer, &mut wiring).await
        }
        Stream::Boxed(stream) => {
            let (reader, writer) = tokio::io::split(stream);
            driver.run(reader, writer, &mut wiring).await
        }
    };
    let cause = Arc::new(cause);
    tracing::debug!(address = %wiring.address, %cause, in_flight = driver.inflight.len(), "connection closed");
    drop(wiring.ended.set(cause.clone()));
    driver.leave_health(&wiring, &cause);
    driver.close(&cause);
    refuse(&mut wiring.posts, &cause).await;
}

/// Ends the life of a channel: what is in it was not sent, and what comes later is refused.
pub(super) async fn refuse(posts: &mut mpsc::Receiver<Post>, cause: &Arc<Cause>) {
    posts.close();
    while let Some(post) = posts.recv().await {
        post.waiter.fail(Unanswered::NotSent(cause.clone()));
    }
}

/// Whether posts still come in. `Closing`: the channel is closed and what is in it is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Intake {
    Open,
    Closing,
    Over,
}

struct Driver {
    clock: Clock,
    max_idle: Duration,
    queue: Queue,
    batch: Vec<Post>,
    outbox: Outbox,
    inflight: Inflight<Flying>,
    /// One-way frames that the socket has not wholly taken, with the position of their end.
    untaken: VecDeque<(u64, Time, Waiter)>,
    /// None of them expires before this.
    untaken_nearest: Time,
    input: BytesMut,
    frames: FrameReader,
    answers: StoredReader,
    last_heard: Time,
    timing: Timing,
    lanes: Lanes,
    health: Arc<BrokerHealth>,
    healths: Arc<Healths>,
    address: Arc<str>,
    /// What the health was last told.
    published: Option<Time>,
    /// A mute server may wake up until then.
    listening_until: Option<Time>,
}

/// What a written request leaves behind.
#[derive(Debug)]
struct Flying {
    waiter: Waiter,
    permit: Option<Arc<Permit>>,
    begun: Time,
}

impl Flying {
    fn fail(self, end: Unanswered, lanes: &mut Lanes) {
        if let Some(permit) = &self.permit {
            lanes.end(permit);
        }
        self.waiter.fail(end);
    }
}

impl Driver {
    fn new(wiring: &Wiring) -> Self {
        let clock = wiring.clock;
        Self {
            clock,
            max_idle: wiring.max_idle,
            queue: Queue::new(),
            batch: Vec::with_capacity(BATCH),
            outbox: Outbox::default(),
            inflight: Inflight::new(),
            untaken: VecDeque::new(),
            untaken_nearest: Time::NEVER,
            input: BytesMut::with_capacity(READ),
            frames: FrameReader::new(),
            answers: StoredReader::new(&FrameReader::new()),
            last_heard: clock.now(),
            timing: Timing::new(clock.now()),
            lanes: Lanes::default(),
            health: wiring.health.clone(),
            healths: wiring.healths.clone(),
            address: wiring.address.clone(),
            published: None,
            listening_until: None,
        }
    }

    async fn run<R, W>(&mut self, mut reader: R, mut writer: W, wiring: &mut Wiring) -> Cause
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut timer = Timer::default();
        let orders = wiring.orders.clone();
        let mut ordered = std::pin::pin!(orders.given.notified());
        let mut intake = Intake::Open;
        let mut reads = 0;
        loop {
            self.encode();
            if intake == Intake::Open {
                self.publish();
            }
            if intake == Intake::Over && self.nobody_waits() && !self.lingers() {
                return if orders.is_given() { Cause::GoAway } else { Cause::Closed };
            }
            timer.arm(self.nearest().min(self.overdue_at(intake)), &self.clock);
            self.input.reserve(READ);
            if reads >= READS {
                // The other tasks of this runtime want their turn too.
                tokio::task::yield_now().await;
            }
            // The order matters. Answers first: they free callers and memory. Then posts before the write, or nothing
            // would ever be joined into one write. A peer that never stops talking is not heard for one turn after
            // some reads: the last arm, which is always ready, ends that turn when the others have nothing to do.
            tokio::select! {
                biased;
                read = reader.read_buf(&mut self.input), if reads < READS => {
                    reads += 1;
                    match read {
                        Ok(0) => return Cause::ended(&self.input),
                        Ok(_) => {
                            if let Err(cause) = self.dispatch() {
                                return cause;
                            }
                            // The clock was just read, and a busy connection seldom comes to its timer.
                            if self.last_heard >= self.nearest() {
                                self.expire(self.last_heard, wiring);
                            }
                        }
                        Err(error) => return Cause::Io(error),
                    }
                    continue;
                }
                count = wiring.posts.recv_many(&mut self.batch, BATCH),
                    if intake != Intake::Over =>
                {
                    if count == 0 {
                        intake = Intake::Over;
                    }
                    self.take_posts(&mut wiring.posts);
                }
                (written, pace) = write(&mut writer, &mut self.outbox), if !self.outbox.is_empty() => {
                    match written {
                        Ok(0) => return Cause::PeerClosed,
                        Ok(count) => self.release_taken(count, pace),
                        Err(error) => return Cause::Io(error),
                    }
                }
                () = timer.fired() => {
                    let now = self.clock.now();
                    self.timing.observe_clock(now);
                    self.expire(now, wiring);
                    // In a turn without reading, the socket was not just found empty.
                    if intake == Intake::Open && reads < READS {
                        self.confirm_overdue(now);
                    }
                    if self.nobody_waits() && now >= self.last_heard + self.max_idle {
                        return Cause::Idle;
                    }
                }
                () = &mut ordered => {
                    if orders.is_stop() {
                        return Cause::Closed;
                    }
                    ordered.set(orders.given.notified());
                    wiring.posts.close();
                    intake = Intake::Closing;
                    // The next connection to this address speaks for the broker from now on.
                    if self.published.take().is_some() {
                        self.health.publish_oldest(None);
                    }
                    if orders.is_hush() {
                        self.listening_until = None;
                    }
                }
                () = std::future::ready(()), if reads >= READS => {}
            }
            reads = 0;
        }
    }

    /// Takes the batch and whatever else is waiting already, so that one write carries all of it.
    fn take_posts(&mut self, posts: &mut mpsc::Receiver<Post>) {
        let now = self.clock.now();
        self.timing.observe_clock(now);
        let mut batch = std::mem::take(&mut self.batch);
        for post in batch.drain(..) {
            self.take_post(now, post);
        }
        self.batch = batch;
        while let Ok(post) = posts.try_recv() {
            self.take_post(now, post);
        }
    }

    /// Encodes a post, or queues it behind the mark. What is more than the queue takes is told so at once: nothing may
    /// wait in the channel, where no deadline is looked at.
    fn take_post(&mut self, now: Time, post: Post) {
        if self.queue.is_empty() && self.outbox_is_low() {
            self.encode_post(now, post);
        } else {
            self.queue.push(post);
        }
    }

    /// Moves queued posts into the outbox up to its mark.
    fn encode(&mut self) {
        if self.queue.is_empty() || !self.outbox_is_low() {
            return;
        }
        let now = self.clock.now();
        self.timing.observe_clock(now);
        while let Some(post) = if self.outbox_is_low() { self.queue.pop() } else { None } {
            self.encode_post(now, post);
        }
    }

    /// A post whose caller has gone leaves no trace, and one that comes too late is not sent.
    fn encode_post(&mut self, now: Time, post: Post) {
        if post.waiter.is_gone() {
            return;
        }
        if post.deadline <= now {
            return post.waiter.fail(Unanswered::NotSent(Arc::new(Cause::TimedOut)));
        }
        if self.outbox.is_empty() {
            self.timing.observe_first(now);
        }
        let end = self.outbox.push(&post.head, post.body);
        match post.waiter {
            Waiter::Answer(_) | Waiter::Stored(_) => {
                let permit = post.permit.upgrade();
                if let Some(permit) = &permit {
                    self.lanes.begin(permit);
                }
                let flying = Flying { waiter: post.waiter, permit, begun: post.begun };
                let written = Written { at: now, deadline: post.deadline, end, prompt: post.prompt };
                self.inflight.insert(post.opaque, flying, written);
            }
            Waiter::Taken(_) => {
                self.untaken_nearest = self.untaken_nearest.min(post.deadline);
                self.untaken.push_back((end, post.deadline, post.waiter));
            }
        }
    }

    fn outbox_is_low(&self) -> bool {
        bytes::Buf::remaining(&self.outbox) < HIGH_WATER
    }

    /// One-way frames that the socket has taken are done.
    fn release_taken(&mut self, count: usize, pace: Pace) {
        let (taken, at) = (self.outbox.taken(), self.timing.now());
        let at = if pace == Pace::Waited { self.clock.now() } else { at };
        self.timing.observe_write(taken - count as u64, taken, at);
        while self.untaken.front().is_some_and(|(end, ..)| *end <= self.outbox.taken()) {
            if let Some((_, _, Waiter::Taken(waiter))) = self.untaken.pop_front() {
                drop(waiter.send(Ok(())));
            }
        }
    }

    fn dispatch(&mut self) -> Result<(), Cause> {
        self.last_heard = self.clock.now();
        self.timing.observe_clock(self.last_heard);
        self.listening_until = None;
        loop {
            if self.dispatch_stored() {
                continue;
            }
            let Some(command) = self.frames.next(&mut self.input).map_err(Cause::Protocol)? else {
                return Ok(());
            };
            if !command.is_response() {
                self.answer_inbound(&command);
            } else if let Some((flying, encoded, end)) = self.inflight.take(command.opaque) {
                self.observe_answer(&flying, encoded, end);
                match flying.waiter {
                    Waiter::Answer(waiter) => drop(waiter.send(Ok(command))),
                    Waiter::Stored(waiter) => drop(waiter.send(Ok(SendAnswer::Other(Box::new(command))))),
                    Waiter::Taken(_) => {}
                }
            } else {
                // Normal after a time-out or a cancelled call. And a sign that the server is awake again.
                tracing::trace!(opaque = command.opaque, "answer without a waiter");
                self.healths.tell(&self.address, self.health.observe_sign_of_life(self.last_heard));
            }
        }
    }

    /// The usual answer to a send, read in place. `false` says that what comes next is to be read the long way.
    fn dispatch_stored(&mut self) -> bool {
        let Some((reply, length)) = self.answers.look(&self.input) else { return false };
        let is_send = |flying: &Flying| matches!(flying.waiter, Waiter::Stored(_));
        let Some((flying, encoded, end)) = self.inflight.take_if(reply.opaque, is_send) else { return false };
        let answer = SendAnswer::Stored(reply.into());
        self.input.advance(length);
        self.observe_answer(&flying, encoded, end);
        if let Waiter::Stored(waiter) = flying.waiter {
            drop(waiter.send(Ok(answer)));
        }
        true
    }

    /// The figures of an answered request.
    fn observe_answer(&mut self, flying: &Flying, encoded: Time, end: u64) {
        let parts = self.timing.observe_answer(Round { begun: flying.begun, encoded, end });
        if let Some(permit) = &flying.permit {
            self.lanes.answered(permit, parts);
        }
    }

    /// Requests from a broker use the broker's own opaques. No role that serves them is registered, so they get the
    /// answer of Apache's client: code 3. A broker that asks faster than it reads is not answered.
    fn answer_inbound(&mut self, request: &RemotingCommand) {
        tracing::debug!(code = %request.request_code(), "request from a broker");
        if request.is_oneway() || !self.outbox_is_low() {
            return;
        }
        let remark = format!(" request type {} not supported", request.code);
        let answer = RemotingCommand::response(ResponseCode::REQUEST_CODE_NOT_SUPPORTED, request.opaque);
        let mut frame = Vec::new();
        answer.with_remark(remark).encode(&mut frame);
        self.outbox.push(&frame, Bytes::new());
    }

    /// When something has to be looked at, at the latest.
    fn nearest(&self) -> Time {
        let untaken = if self.untaken.is_empty() { Time::NEVER } else { self.untaken_nearest };
        let flying = self.inflight.nearest_deadline().unwrap_or(Time::NEVER);
        let nearest = self.queue.nearest().min(untaken).min(flying);
        // As long as somebody waits, nothing depends on the end of listening.
        let nearest = match self.listening_until {
            Some(until) if nearest == Time::NEVER => until,
            _ => nearest,
        };
        if nearest == Time::NEVER { self.last_heard + self.max_idle } else { nearest }
    }

    /// Whether a connection that nobody uses any more has something left to do.
    fn lingers(&self) -> bool {
        match self.listening_until {
            Some(until) => self.clock.now() < until,
            None => !self.outbox.is_empty(),
        }
    }

    fn nobody_waits(&self) -> bool {
        self.queue.is_empty() && self.untaken.is_empty() && self.inflight.len() == 0
    }

    /// Tells who waits too long. A server that has said nothing at all since such a request was written may be
    /// frozen, or the link may be dead without a sign: whoever comes next dials anew, and this connection only listens
    /// whether the server wakes up.
    fn expire(&mut self, now: Time, wiring: &Wiring) {
        let timeout = Arc::new(Cause::TimedOut);
        let mut is_mute = false;
        for (flying, sent) in self.inflight.expire(now) {
            is_mute |= self.last_heard <= sent && now.since(sent) >= MUTE;
            flying.fail(Unanswered::NoAnswer(timeout.clone()), &mut self.lanes);
        }
        if is_mute && !wiring.orders.is_given() {
            self.listening_until = Some(now + LISTEN);
            wiring.orders.retire();
            self.healths.tell_loss(&self.address, &timeout);
            (wiring.on_mute)();
        }
        // Their bytes stay in the outbox and may still leave: unknown, not "not sent".
        if self.untaken_nearest <= now {
            self.untaken_nearest = Time::NEVER;
            for (end, deadline, waiter) in std::mem::take(&mut self.untaken) {
                if deadline <= now {
                    waiter.fail(Unanswered::NoAnswer(timeout.clone()));
                } else {
                    self.untaken_nearest = self.untaken_nearest.min(deadline);
                    self.untaken.push_back((end, deadline, waiter));
                }
            }
        }
        self.queue.expire(now, &timeout);
    }

    /// When it has to be looked at whether the oldest request is overdue.
    fn overdue_at(&mut self, intake: Intake) -> Time {
        match self.inflight.oldest() {
            Some(oldest) if intake == Intake::Open && self.published.is_none() => {
                oldest + self.health.patience() + TICK
            }
            _ => Time::NEVER,
        }
    }

    /// Tells the broker's health that the oldest request is overdue. Only here, where the socket was just found empty:
    /// after a pause of our own process the answers of all brokers lie unread, and a clock alone would accuse them.
    fn confirm_overdue(&mut self, now: Time) {
        let oldest = self.inflight.oldest().filter(|oldest| now.since(*oldest) > self.health.patience());
        if let Some(since) = oldest {
            if self.published.is_none() {
                self.healths.tell_suspicion(&self.address, now.since(since));
            }
            self.published = oldest;
            self.health.publish_oldest(oldest);
        }
    }

    /// Takes the accusation back when that request is answered or given up.
    fn publish(&mut self) {
        if self.published.is_some() && self.inflight.oldest() != self.published {
            self.published = None;
            self.health.publish_oldest(None);
        }
    }

    /// The end of a connection is one failure, however many requests it takes with it; a farewell is none.
    fn leave_health(&self, wiring: &Wiring, cause: &Cause) {
        // A stream that ends before its retirement was noticed leaves no accusation behind; one that the next
        // connection has made by now is not its own.
        if self.published.is_some() && self.health.waits_since() == self.published {
            self.health.publish_oldest(None);
        }
        if wiring.orders.is_given() {
            return;
        }
        if !matches!(cause, Cause::Idle | Cause::Closed | Cause::GoAway) {
            let now = self.clock.now();
            self.healths.tell_loss(&self.address, cause);
            self.healths.tell(&self.address, self.health.observe_failure(now, now, Failure::Other));
        }
    }

    fn close(&mut self, cause: &Arc<Cause>) {
        let taken = self.outbox.taken();
        let end_of = |end: u64| {
            if end <= taken {
                Unanswered::NoAnswer(cause.clone())
            } else {
                Unanswered::NotSent(cause.clone())
            }
        };
        for (flying, end) in self.inflight.drain() {
            flying.fail(end_of(end), &mut self.lanes);
        }
        for (end, _, waiter) in self.untaken.drain(..) {
            waiter.fail(end_of(end));
        }
        self.queue.close(cause);
    }
}

/// Posts taken from the channel at once.
const BATCH: usize = 64;
/// Reads in a row, before the others get a turn.
const READS: u32 = 16;
/// A request that had less time than this says nothing about its connection.
const MUTE: Duration = Duration::from_millis(250);
/// Timers are exact to a millisecond.
const TICK: Duration = Duration::from_millis(1);
/// How long a connection to a mute server listens on.
const LISTEN: Duration = Duration::from_secs(30);
/// Room that every read is given.
const READ: usize = 32 * 1024;
