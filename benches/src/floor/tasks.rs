//! Many messages in flight over one connection, one task for each.
//!
//! A task appends its frame to a shared buffer, wakes the writer if nobody has, and awaits its own answer, which the
//! reader finds by its opaque. The writer takes whatever is there, so frames join into few writes by themselves.

use std::{
    future::poll_fn,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::{Buf as _, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
    task::JoinSet,
};

use super::Prebuilt;
use crate::{
    glance::Frame,
    load::{Load, Way},
    measure::{Meter, Steady},
};

/// Sends until the steady part is over. The senders are dealt out to the brokers in turn.
pub(super) async fn run(load: &Load) -> anyhow::Result<Steady> {
    let meter = Arc::new(Meter::new(load));
    let mut tasks = JoinSet::new();
    let brokers = load.brokers();
    for (nth, broker) in brokers.iter().enumerate() {
        let senders = (nth..load.inflight.get()).step_by(brokers.len()).count();
        let stream = TcpStream::connect(broker).await?;
        stream.set_nodelay(true)?;
        let (reading, writing) = stream.into_split();
        let lane = Arc::new(Lane::new(load, senders));
        tasks.spawn(lane.clone().write(writing));
        tasks.spawn(lane.clone().read(reading));
        for slot in 0..senders {
            tasks.spawn(send(lane.clone(), meter.clone(), slot));
        }
    }
    meter.steady(load, &mut tasks).await
}

/// One sender.
async fn send(lane: Arc<Lane>, meter: Arc<Meter>, slot: usize) -> anyhow::Result<()> {
    for nth in (0..).take_while(|nth| meter.wants(*nth)) {
        let started = meter.start(nth);
        lane.append(slot);
        poll_fn(|context| lane.poll_answer(slot, context)).await;
        meter.finish(started);
    }
    Ok(())
}

/// What the senders share with the writer and the reader of their connection.
struct Lane {
    frame: Prebuilt,
    state: Mutex<State>,
    writer: Notify,
    /// Nobody answers; a sender goes on when the socket has taken its frame.
    is_oneway: bool,
}

struct State {
    out: Vec<u8>,
    /// Whose frames they are, where it matters.
    senders: Vec<usize>,
    /// The writer has been woken and has not taken the buffer yet.
    writer_woken: bool,
    /// One for each sender; its index is the sender's opaque.
    slots: Vec<Slot>,
}

impl State {
    /// What `slot` waits for has come; gives who is to be woken.
    fn end(&mut self, slot: usize) -> Option<Waker> {
        match mem::replace(self.slots.get_mut(slot)?, Slot::Answered) {
            Slot::Waiting(waker) => Some(waker),
            Slot::Idle | Slot::Answered => None,
        }
    }
}

enum Slot {
    Idle,
    Waiting(Waker),
    Answered,
}

impl Lane {
    fn new(load: &Load, senders: usize) -> Self {
        let slots = (0..senders).map(|_| Slot::Idle).collect();
        let state = State { out: Vec::new(), senders: Vec::new(), writer_woken: false, slots };
        Self {
            frame: Prebuilt::new(load),
            state: Mutex::new(state),
            writer: Notify::new(),
            is_oneway: load.way == Way::Oneway,
        }
    }

    fn append(&self, slot: usize) {
        let woken = {
            let mut state = self.state();
            self.frame.append(slot as u32, &mut state.out);
            if self.is_oneway {
                state.senders.push(slot);
            }
            mem::replace(&mut state.writer_woken, true)
        };
        if !woken {
            self.writer.notify_one();
        }
    }

    fn poll_answer(&self, slot: usize, context: &Context<'_>) -> Poll<()> {
        let slot = &mut self.state().slots[slot];
        if let Slot::Answered = slot {
            *slot = Slot::Idle;
            return Poll::Ready(());
        }
        *slot = Slot::Waiting(context.waker().clone());
        Poll::Pending
    }

    async fn write(self: Arc<Self>, mut to: OwnedWriteHalf) -> anyhow::Result<()> {
        let (mut out, mut senders, mut woken) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            self.writer.notified().await;
            {
                let mut state = self.state();
                mem::swap(&mut state.out, &mut out);
                mem::swap(&mut state.senders, &mut senders);
                state.writer_woken = false;
            }
            to.write_all(&out).await?;
            out.clear();
            if self.is_oneway {
                let mut state = self.state();
                senders.drain(..).for_each(|slot| woken.extend(state.end(slot)));
                drop(state);
                woken.drain(..).for_each(Waker::wake);
            }
        }
    }

    async fn read(self: Arc<Self>, mut from: OwnedReadHalf) -> anyhow::Result<()> {
        let mut input = BytesMut::new();
        let mut woken = Vec::new();
        loop {
            input.reserve(READ);
            anyhow::ensure!(from.read_buf(&mut input).await? > 0, "the broker closed the connection");
            self.take_answers(&mut input, &mut woken)?;
            woken.drain(..).for_each(Waker::wake);
        }
    }

    /// Marks the slots that `input` answers; who waits for one goes into `woken`.
    fn take_answers(&self, input: &mut BytesMut, woken: &mut Vec<Waker>) -> anyhow::Result<()> {
        let mut state = self.state();
        while let Some(frame) = Frame::first(input)? {
            woken.extend(state.end(Prebuilt::slot(frame.glance().opaque)));
            let length = frame.bytes.len();
            input.advance(length);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room for one read: the answers to a thousand messages do not fit, those to a few hundred do.
const READ: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(inflight: usize) -> Lane {
        Lane::new(&Load::default(), inflight)
    }

    #[test]
    fn an_answer_reaches_its_own_slot_and_no_other() {
        let lane = lane(3);
        let context = Context::from_waker(Waker::noop());
        for slot in 0..3 {
            lane.append(slot);
            assert!(lane.poll_answer(slot, &context).is_pending());
        }
        // The frame of a request is as good an answer: only its opaque is looked at.
        let mut answers = Vec::new();
        lane.frame.append(2, &mut answers);
        lane.frame.append(0, &mut answers);
        let half = answers.len() - 1;
        let (mut input, mut woken) = (BytesMut::from(&answers[..half]), Vec::new());
        lane.take_answers(&mut input, &mut woken).unwrap();
        assert_eq!(woken.len(), 1);
        assert!(lane.poll_answer(2, &context).is_ready());
        input.extend_from_slice(&answers[half..]);
        lane.take_answers(&mut input, &mut woken).unwrap();
        assert_eq!(woken.len(), 2);
        assert!(lane.poll_answer(0, &context).is_ready());
        assert!(lane.poll_answer(1, &context).is_pending());
    }

    #[test]
    fn an_answer_that_came_before_the_wait_is_not_lost() {
        let lane = lane(1);
        let mut input = BytesMut::new();
        let mut answer = Vec::new();
        lane.frame.append(0, &mut answer);
        input.extend_from_slice(&answer);
        lane.take_answers(&mut input, &mut Vec::new()).unwrap();
        assert!(lane.poll_answer(0, &Context::from_waker(Waker::noop())).is_ready());
    }
}
