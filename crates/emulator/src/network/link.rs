//! One connection: two directions of pieces under way.

use std::{
    collections::VecDeque,
    io,
    sync::{Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use bytes::{Buf as _, Bytes};
use serde::{Deserialize, Serialize};
use tokio::{io::ReadBuf, time::Instant};

use super::{SharedWeather, lock};
use crate::clock::tokio_now;

/// What both ends of a connection share.
pub(super) struct Link {
    weather: SharedWeather,
    state: Mutex<LinkState>,
}

/// An end of a connection.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Dialler,
    Listener,
}

/// How a connection ends. As JSON: `"fin"` or `"reset"`.
///
/// ```
/// use maxq_emulator::{Effect, Fault, Goodbye, On, When};
///
/// let polite = Effect::Close { when: When::InsteadOfStoring, goodbye: Goodbye::Fin };
/// let fault = Fault::on(On::AnyRequest).once().then(polite);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goodbye {
    /// In order, behind everything that was written.
    Fin,
    /// By a reset: the peer's next read or write fails.
    Reset,
}

struct LinkState {
    random: fastrand::Rng,
    /// Cut: nothing is delivered any more.
    is_reset: bool,
    /// Half-open: nothing is delivered for now.
    is_held: bool,
    to_listener: Direction,
    to_dialler: Direction,
}

#[derive(Default)]
struct Direction {
    pieces: VecDeque<Piece>,
    /// Bytes in `pieces`, at most [`WINDOW`].
    unread: usize,
    /// When the last piece arrives; the next one comes no earlier.
    last_due: Option<Instant>,
    /// What comes behind the last piece.
    end: Option<(Instant, Goodbye)>,
    /// Nobody will read what comes.
    is_unread_for_ever: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

struct Piece {
    due: Instant,
    bytes: Bytes,
}

/// What a read comes to.
pub(super) enum Read {
    /// Bytes, the end or an error.
    Done(io::Result<()>),
    /// There is something that arrives then.
    NotBefore(Instant),
    /// Nothing is under way, or it is held.
    Wait,
}

impl Link {
    pub(super) fn new(weather: SharedWeather, seed: u64) -> Self {
        let state = LinkState {
            random: fastrand::Rng::with_seed(seed),
            is_reset: false,
            is_held: false,
            to_listener: Direction::default(),
            to_dialler: Direction::default(),
        };
        Self { weather, state: Mutex::new(state) }
    }

    pub(super) fn read(&self, side: Side, cx: &Context<'_>, into: &mut ReadBuf<'_>) -> Read {
        let mut state = self.state();
        if state.is_reset {
            return Read::Done(Err(reset()));
        }
        let is_held = state.is_held;
        let direction = state.read_by(side);
        direction.reader = Some(cx.waker().clone());
        if is_held {
            return Read::Wait;
        }
        direction.read(into)
    }

    pub(super) fn write(&self, side: Side, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        if state.is_reset {
            return Poll::Ready(Err(reset()));
        }
        if !state.is_held
            && let Some((due, goodbye)) = state.read_by(side).end
            && state.written_by(side).is_unread_for_ever
            && due <= tokio_now()
        {
            let kind = match goodbye {
                Goodbye::Fin => io::ErrorKind::BrokenPipe,
                Goodbye::Reset => io::ErrorKind::ConnectionReset,
            };
            return Poll::Ready(Err(kind.into()));
        }
        let taken = std::task::ready!(state.written_by(side).room(cx, bytes.len()))?;
        let due = self.due(&mut state, side);
        state.written_by(side).push(due, &bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    /// Says that nothing more will be written.
    pub(super) fn finish(&self, side: Side, goodbye: Goodbye) {
        let mut state = self.state();
        let due = self.due(&mut state, side);
        let direction = state.written_by(side);
        if direction.end.is_none() {
            direction.end = Some((due, goodbye));
            direction.wake_reader();
        }
    }

    /// Says that nothing more will be read.
    pub(super) fn stop_reading(&self, side: Side) {
        let mut state = self.state();
        let direction = state.read_by(side);
        direction.is_unread_for_ever = true;
        direction.pieces.clear();
        direction.unread = 0;
        direction.wake_writer();
    }

    /// Cuts it.
    pub(super) fn reset(&self) {
        let mut state = self.state();
        state.is_reset = true;
        state.wake_all();
    }

    /// Holds back all that is under way, or lets it go.
    pub(super) fn hold(&self, is_held: bool) {
        let mut state = self.state();
        state.is_held = is_held;
        state.wake_all();
    }

    /// Whether both ends are there.
    pub(super) fn is_open(&self) -> bool {
        let state = self.state();
        !state.is_reset && !state.to_listener.is_unread_for_ever && !state.to_dialler.is_unread_for_ever
    }

    /// When something that is written now arrives.
    fn due(&self, state: &mut LinkState, side: Side) -> Instant {
        let due = tokio_now() + lock(&self.weather).travel_time(&mut state.random);
        let direction = state.written_by(side);
        let due = direction.last_due.map_or(due, |last| last.max(due));
        direction.last_due = Some(due);
        due
    }

    fn state(&self) -> MutexGuard<'_, LinkState> {
        lock(&self.state)
    }
}

impl LinkState {
    /// What this side reads.
    fn read_by(&mut self, side: Side) -> &mut Direction {
        match side {
            Side::Dialler => &mut self.to_dialler,
            Side::Listener => &mut self.to_listener,
        }
    }

    /// What this side writes.
    fn written_by(&mut self, side: Side) -> &mut Direction {
        match side {
            Side::Dialler => &mut self.to_listener,
            Side::Listener => &mut self.to_dialler,
        }
    }

    fn wake_all(&mut self) {
        for direction in [&mut self.to_listener, &mut self.to_dialler] {
            direction.wake_reader();
            direction.wake_writer();
        }
    }
}

impl Direction {
    fn read(&mut self, into: &mut ReadBuf<'_>) -> Read {
        let now = tokio_now();
        // One piece at a time, so that small writes are small reads.
        if let Some(piece) = self.pieces.front_mut() {
            if piece.due > now {
                return Read::NotBefore(piece.due);
            }
            let taken = piece.bytes.len().min(into.remaining());
            into.put_slice(&piece.bytes[..taken]);
            piece.bytes.advance(taken);
            self.unread -= taken;
            if piece.bytes.is_empty() {
                self.pieces.pop_front();
            }
            self.wake_writer();
            return Read::Done(Ok(()));
        }
        match self.end {
            Some((due, _)) if due > now => Read::NotBefore(due),
            Some((_, Goodbye::Fin)) => Read::Done(Ok(())),
            Some((_, Goodbye::Reset)) => Read::Done(Err(reset())),
            None => Read::Wait,
        }
    }

    /// How many of `wanted` bytes may be written now; none only when none are wanted.
    fn room(&mut self, cx: &Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        if self.end.is_some() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = wanted.min(WINDOW - self.unread);
        if room == 0 && wanted > 0 {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(room))
    }

    fn push(&mut self, due: Instant, bytes: &[u8]) {
        // When nobody reads and the writer does not know it yet, what he writes is lost.
        if !self.is_unread_for_ever && !bytes.is_empty() {
            self.unread += bytes.len();
            self.pieces.push_back(Piece { due, bytes: Bytes::copy_from_slice(bytes) });
            self.wake_reader();
        }
    }

    fn wake_reader(&mut self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.writer.take() {
            waker.wake();
        }
    }
}

fn reset() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

/// What two kernels hold between a writer and a reader who does not read.
const WINDOW: usize = 256 * 1024;
