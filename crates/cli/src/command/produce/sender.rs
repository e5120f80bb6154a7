//! The loop of `produce`: reads a line while there is room, sends it, takes note of its end.
//!
//! The room is a number of messages and of bytes. A slow broker therefore slows down the reading, and with it
//! whatever writes into our standard input.

use std::time::Duration;

use maxq::Producer;
use tokio::task::{JoinError, JoinSet};

use super::{
    ProduceArgs, Template,
    pace::Pace,
    receipt::{Became, Failed},
    report::{Report, Stop},
};
use crate::{
    exit::{Exit, Failure},
    interrupt::Interrupt,
    lines::{Line, Lines, Place, Unreadable},
};

/// Sends the lines of a run.
pub(super) struct Sender {
    producer: Producer,
    template: Template,
    pace: Option<Pace>,
    report: Report,
    sends: JoinSet<Ended>,
    most_messages: usize,
    /// Bytes of the messages whose send has not ended.
    bytes: usize,
    keep_going: bool,
}

/// The end of a send.
struct Ended {
    number: u64,
    bytes: usize,
    became: Became,
}

impl Sender {
    pub(super) fn new(producer: Producer, report: Report, args: &ProduceArgs) -> Self {
        Self {
            producer,
            template: Template::new(args),
            pace: args.rate.map(Pace::new),
            report,
            sends: JoinSet::new(),
            most_messages: args.in_flight as usize,
            bytes: 0,
            keep_going: args.keep_going,
        }
    }

    /// Sends everything, reports it, and says how the run ended.
    pub(super) async fn run(mut self, mut lines: Lines, interrupt: &mut Interrupt) -> anyhow::Result<Exit> {
        let mut stop = self.feed(&mut lines, interrupt).await;
        if !matches!(stop, Stop::Interrupted) && interrupt.unless(self.drain()).await.is_none() {
            stop = Stop::Interrupted;
        }
        if matches!(stop, Stop::Interrupted) {
            // Whoever presses Ctrl-C again does not even want to wait for this.
            drop(tokio::time::timeout(LAST_ANSWERS, interrupt.unless(self.drain())).await);
            self.sends.shutdown().await;
        }
        self.report.abandon();
        let written = self.write_receipts(interrupt, WriteAll::Yes).await;
        let stop = match (stop, written) {
            (stop @ Stop::Interrupted, _) | (stop, None) => stop,
            (Stop::EndOfInput, Some(Stop::Unwritable { error, .. })) => {
                Stop::Unwritable { error, all_sent: true }
            }
            (_, Some(written)) => written,
        };
        Ok(self.report.finish(&stop))
    }

    /// Reads and sends until the input ends or something stops us.
    async fn feed(&mut self, lines: &mut Lines, interrupt: &mut Interrupt) -> Stop {
        let mut tick = tokio::time::interval(PROGRESS);
        loop {
            let has_room = self.report.open() < self.most_messages && self.bytes < MOST_BYTES;
            // A signal goes first. Ends of sends make room, so they come before reading. The tick is rare, and behind
            // a reading that is always ready it would never come.
            let went = tokio::select! {
                biased;
                () = interrupt.next() => Err(Stop::Interrupted),
                _ = tick.tick(), if self.report.is_watched() => { self.report.progress(lines.bytes_read()); Ok(()) }
                Some(ended) = self.sends.join_next() => self.observe(ended),
                line = next_line(lines, self.pace.as_ref()), if has_room => self.take(line),
            };
            let written = self.write_receipts(interrupt, WriteAll::IfIdle).await;
            if let Some(stop) = went.err().or(written) {
                return stop;
            }
        }
    }

    /// Waits for all that is under way.
    async fn drain(&mut self) {
        while let Some(ended) = self.sends.join_next().await {
            drop(self.observe(ended));
        }
    }

    /// Sends what was read.
    fn take(&mut self, line: Result<Option<Line>, Unreadable>) -> Result<(), Stop> {
        match line {
            Ok(Some(line)) if self.template.is_empty(&line.bytes) => {
                self.report.skip_empty();
                Ok(())
            }
            Ok(Some(Line { place, bytes })) => match self.template.message(bytes) {
                Ok(message) => {
                    self.send(place, message);
                    Ok(())
                }
                Err(why) => self.refuse(place, why),
            },
            Ok(None) => Err(Stop::EndOfInput),
            Err(Unreadable::TooLong(place)) => self.refuse(place, TOO_LONG.to_owned()),
            Err(Unreadable::Failed(error)) => Err(Stop::Unreadable(error)),
        }
    }

    fn send(&mut self, place: Place, message: maxq::Message) {
        if let Some(pace) = &mut self.pace {
            pace.observe_send();
        }
        let (number, bytes) = (self.report.begin(place), message.body().len());
        self.bytes += bytes;
        let sending = self.producer.send(message);
        let sending = match &self.template.queue {
            Some(queue) => sending.to(queue.clone()),
            None => sending,
        };
        if self.template.oneway {
            let sending = sending.oneway();
            self.sends.spawn(async move {
                let became = match sending.await {
                    Ok(()) => Became::HandedOver,
                    Err(error) => Became::Failed(error.into()),
                };
                Ended { number, bytes, became }
            });
        } else {
            self.sends.spawn(async move {
                let became = match sending.await {
                    Ok(receipt) => Became::Stored(receipt),
                    Err(error) => Became::Failed(error.into()),
                };
                Ended { number, bytes, became }
            });
        }
    }

    /// A line that is no message.
    fn refuse(&mut self, place: Place, why: String) -> Result<(), Stop> {
        let number = self.report.begin(place);
        self.report.end(number, Became::Failed(Failed::input(why)));
        self.go_on()
    }

    fn observe(&mut self, ended: Result<Ended, JoinError>) -> Result<(), Stop> {
        let Ok(Ended { number, bytes, became }) = ended else {
            return Err(Stop::Unreadable(Failure::error(
                Exit::Failed,
                "a send has panicked, which is a bug in maxq",
            )));
        };
        self.bytes -= bytes;
        self.report.end(number, became);
        self.go_on()
    }

    fn go_on(&self) -> Result<(), Stop> {
        if self.report.has_failures() && !self.keep_going { Err(Stop::Failure) } else { Ok(()) }
    }

    /// Writes receipts out; gives a reason to stop if that does not work.
    async fn write_receipts(&mut self, interrupt: &mut Interrupt, all: WriteAll) -> Option<Stop> {
        // With nothing under way nobody knows when the next receipt comes.
        let all = all == WriteAll::Yes || self.sends.is_empty();
        let receipts = self.report.receipts()?;
        let writing = async { if all { receipts.flush().await } else { receipts.relieve().await } };
        match interrupt.unless(writing).await {
            Some(Ok(())) => None,
            Some(Err(error)) => Some(Stop::Unwritable { error, all_sent: false }),
            None => Some(Stop::Interrupted),
        }
    }
}

/// The next line, when it is time for it. Cancel safe: the line is not begun before, and reading loses none.
async fn next_line(lines: &mut Lines, pace: Option<&Pace>) -> Result<Option<Line>, Unreadable> {
    if let Some(pace) = pace {
        pace.ready().await;
    }
    lines.next().await
}

/// Whether receipts are written even if there are few.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WriteAll {
    Yes,
    IfIdle,
}

/// Half of what the producer admits, so that no send waits for room there: that would count against its deadline.
const MOST_BYTES: usize = 32 << 20;
/// How long an interrupted run waits for answers.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
const PROGRESS: Duration = Duration::from_millis(100);
const TOO_LONG: &str = "the line is longer than 32 MiB, and no message is that large";
