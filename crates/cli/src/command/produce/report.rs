//! What a run did: receipts in the order of the input, counts, a summary, the exit code.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use maxq::{ErrorCode, Outcome, SendReceipt, StoreStatus};

use super::receipt::{Became, Failed, Receipt, place_of};
use crate::{
    clock::Stopwatch,
    exit::{Exit, is_closed_output},
    lines::Place,
    notes::Notes,
    output::{Format, Stream, counted, grouped, printable},
};

/// Takes note of every message, from its begin to its end.
pub(super) struct Report {
    topic: String,
    notes: Notes,
    watch: Stopwatch,
    receipts: Option<Stream>,
    /// The messages from the oldest one on whose end was not told yet.
    open: VecDeque<(Place, Option<Became>)>,
    /// The number of the first of them.
    first_open: u64,
    counts: Counts,
    /// How often each failure came.
    failures: BTreeMap<ErrorCode, u64>,
    first_failure: Option<(Place, Exit)>,
    last_begun: Option<Place>,
    latest: Option<SendReceipt>,
    default_topic: bool,
}

#[derive(Debug, Default)]
struct Counts {
    stored: u64,
    unconfirmed: u64,
    maybe_twice: u64,
    handed_over: u64,
    refused: u64,
    not_sent: u64,
    unknown: u64,
    empty: u64,
}

/// Why no more lines were read.
#[derive(Debug)]
pub(super) enum Stop {
    EndOfInput,
    /// A message failed.
    Failure,
    /// The input cannot be read on.
    Unreadable(anyhow::Error),
    /// The output cannot be written; by then all of the input was sent, or not.
    Unwritable {
        error: anyhow::Error,
        all_sent: bool,
    },
    Interrupted,
}

impl Report {
    pub(super) fn new(topic: &str, format: Format, notes: Notes) -> Self {
        Self {
            topic: topic.to_owned(),
            notes,
            watch: Stopwatch::start(),
            receipts: (format == Format::Json).then(Stream::new),
            open: VecDeque::new(),
            first_open: 0,
            counts: Counts::default(),
            failures: BTreeMap::new(),
            first_failure: None,
            last_begun: None,
            latest: None,
            default_topic: false,
        }
    }

    /// How many messages have begun and are not told yet.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// A message begins. Its number is what [`end`](Self::end) wants.
    pub(super) fn begin(&mut self, place: Place) -> u64 {
        self.last_begun = Some(place.clone());
        self.open.push_back((place, None));
        self.first_open + self.open.len() as u64 - 1
    }

    /// A message has ended.
    pub(super) fn end(&mut self, number: u64, became: Became) {
        let Some((place, end)) = self.open.get_mut((number - self.first_open) as usize) else { return };
        let place = place.clone();
        count(&mut self.counts, &became);
        match &became {
            Became::Failed(failed) => {
                self.first_failure.get_or_insert((place.clone(), failed.exit));
                let times = self.failures.entry(failed.code).or_default();
                *times += 1;
                if *times <= SHOWN_OF_A_KIND {
                    self.notes.error(&printable(&format!("{place}: {}", failed.why)));
                }
            }
            Became::Stored(receipt) => self.default_topic |= receipt.created_from_default_topic(),
            Became::HandedOver | Became::Abandoned => {}
        }
        *end = Some(became);
        self.tell();
    }

    /// An empty line was left out.
    pub(super) fn skip_empty(&mut self) {
        self.counts.empty += 1;
    }

    /// Whether anything has failed.
    pub(super) fn has_failures(&self) -> bool {
        self.first_failure.is_some()
    }

    /// Moves the progress bar.
    pub(super) fn progress(&self, bytes_read: u64) {
        let done = self.counts.stored + self.counts.handed_over;
        let rate = done as f64 / self.watch.elapsed().as_secs_f64().max(0.001);
        let failed = self.failures.values().sum::<u64>();
        let failed = if failed == 0 { String::new() } else { format!(", {} failed", grouped(failed)) };
        let message = format!("{} sent, {}/s{failed}", grouped(done), grouped(rate as u64));
        self.notes.progress(bytes_read, message);
    }

    /// Whether somebody sees progress.
    pub(super) fn is_watched(&self) -> bool {
        self.notes.has_bar()
    }

    /// Where receipts go, if anybody wants them.
    pub(super) const fn receipts(&mut self) -> Option<&mut Stream> {
        self.receipts.as_mut()
    }

    /// Ends every message that is still open without an end.
    pub(super) fn abandon(&mut self) {
        for (_, end) in self.open.iter_mut().filter(|(_, end)| end.is_none()) {
            let became = Became::Abandoned;
            count(&mut self.counts, &became);
            *end = Some(became);
        }
        self.tell();
    }

    /// Writes the summary; says how the run ended.
    pub(super) fn finish(self, stop: &Stop) -> Exit {
        self.notes.end_bar();
        self.summarise();
        for (code, times) in self.failures.iter().filter(|(_, times)| **times > SHOWN_OF_A_KIND) {
            self.notes.note(&format!("{} more failed with {code}", grouped(times - SHOWN_OF_A_KIND)));
        }
        match stop {
            Stop::EndOfInput => {}
            Stop::Failure => self.notes.note(&self.where_stopped()),
            Stop::Unreadable(error) | Stop::Unwritable { error, .. } => {
                // A closed output is no failure of ours; that we stopped early shows in the exit code.
                if !is_closed_output(error) {
                    self.notes.error(&printable(&format!("{error:#}")));
                }
            }
            Stop::Interrupted => {
                let last =
                    self.last_begun.as_ref().map_or_else(String::new, |last| format!(" behind {last}"));
                self.notes.note(&printable(&format!("interrupted: nothing{last} was sent")));
            }
        }
        self.exit(stop)
    }

    /// Tells whoever wants to send the rest later where that begins.
    fn where_stopped(&self) -> String {
        let (Some((failed, _)), Some(last)) = (&self.first_failure, &self.last_begun) else {
            return String::new();
        };
        let under_way =
            if last == failed { String::new() } else { format!(", with all up to {last} under way") };
        printable(&format!(
            "stopped at {failed}{under_way}; what follows was not read (--keep-going reads on)"
        ))
    }

    fn exit(&self, stop: &Stop) -> Exit {
        let nothing_left = self.counts.stored + self.counts.handed_over + self.counts.unknown == 0;
        match (stop, &self.first_failure) {
            (Stop::Interrupted, _) => Exit::Interrupted,
            (Stop::Unwritable { error, all_sent: true }, None) => {
                if is_closed_output(error) {
                    Exit::Done
                } else {
                    Exit::Failed
                }
            }
            (Stop::Unwritable { .. }, None) => Exit::PartlySent,
            (Stop::Unreadable(error), None) if nothing_left => Exit::of(error),
            (Stop::Unreadable(_), None) => Exit::PartlySent,
            (_, Some((_, exit))) if nothing_left => *exit,
            (_, Some(_)) => Exit::PartlySent,
            (Stop::EndOfInput | Stop::Failure, None) if self.counts.unknown > 0 => Exit::PartlySent,
            (Stop::EndOfInput | Stop::Failure, None) => Exit::Done,
        }
    }

    /// Tells the messages that have ended, up to the first that has not.
    fn tell(&mut self) {
        while let Some((place, Some(became))) = self.open.front() {
            if let Some(receipts) = &mut self.receipts {
                let buffer = receipts.buffer();
                serde_json::to_writer(&mut *buffer, &Receipt::new(place, became))
                    .expect("text, numbers and truth values are always JSON");
                buffer.push(b'\n');
            }
            if let Some((_, Some(Became::Stored(receipt)))) = self.open.pop_front() {
                self.latest = Some(receipt);
            }
            self.first_open += 1;
        }
    }

    fn summarise(&self) {
        let Counts { stored, unconfirmed, maybe_twice, handed_over, refused, not_sent, unknown, empty } =
            self.counts;
        let took = rounded(self.watch.elapsed());
        let mut parts = Vec::new();
        match (stored, &self.latest) {
            (1, Some(receipt)) if handed_over == 0 => {
                parts.push(format!("1 message stored in {}: {}", self.topic, place_of(receipt)));
            }
            (1.., _) => {
                parts.push(format!("{} stored in {} in {took:?}", counted(stored, "message"), self.topic))
            }
            (0, _) if handed_over > 0 => {
                let messages = counted(handed_over, "message");
                parts.push(format!("{messages} handed over to brokers of {} in {took:?}", self.topic));
            }
            (0, _) => parts.push(format!("nothing stored in {}", self.topic)),
        }
        let more = [
            (unconfirmed, "not confirmed as flushed or replicated"),
            (maybe_twice, "maybe stored twice"),
            (refused, "refused"),
            (not_sent, "not sent"),
            (unknown, "with unknown outcome"),
        ];
        parts.extend(more.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", grouped(*n))));
        if empty > 0 {
            parts.push(format!("{} left out", counted(empty, "empty line")));
        }
        self.notes.note(&parts.join(", "));
        if self.default_topic {
            let topic = &self.topic;
            self.notes.note(&format!(
                "topic {topic} did not exist, and brokers created it as they got messages; maxq topic create {topic} \
                 makes it on all of them"
            ));
        }
    }
}

fn count(counts: &mut Counts, became: &Became) {
    match became {
        Became::Stored(receipt) => {
            counts.stored += 1;
            counts.unconfirmed += u64::from(receipt.status() != StoreStatus::Ok);
            counts.maybe_twice += u64::from(receipt.maybe_duplicate());
        }
        Became::HandedOver => counts.handed_over += 1,
        Became::Abandoned => counts.unknown += 1,
        Became::Failed(Failed { outcome, .. }) => match outcome {
            Outcome::NotSent => counts.not_sent += 1,
            Outcome::Refused => counts.refused += 1,
            Outcome::Unknown => counts.unknown += 1,
        },
    }
}

/// As exact as people want to know it.
fn rounded(took: Duration) -> Duration {
    Duration::from_millis(took.as_millis().try_into().unwrap_or(u64::MAX).max(1))
}

/// Further failures with the same code are counted only.
const SHOWN_OF_A_KIND: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn report(ends: &[Option<Failed>]) -> Report {
        let mut report = Report::new("orders", Format::Json, Notes::silent());
        for (n, end) in ends.iter().enumerate() {
            let number = report.begin(Place { file: None, line: n as u64 + 1 });
            let became = match end {
                None => Became::HandedOver,
                Some(Failed { outcome, code, exit, .. }) => Became::Failed(Failed {
                    outcome: *outcome,
                    code: *code,
                    exit: *exit,
                    why: "for a test".to_owned(),
                }),
            };
            report.end(number, became);
        }
        report
    }

    fn failed(outcome: Outcome, exit: Exit) -> Option<Failed> {
        Some(Failed { outcome, code: ErrorCode::CONNECT, exit, why: String::new() })
    }

    #[test]
    fn the_exit_code_tells_how_much_was_sent() {
        let exit = |ends: &[Option<Failed>], stop: Stop| report(ends).exit(&stop);
        let (not_sent, unknown) = (Outcome::NotSent, Outcome::Unknown);
        assert_eq!(exit(&[], Stop::EndOfInput), Exit::Done);
        assert_eq!(exit(&[None, None], Stop::EndOfInput), Exit::Done);
        assert_eq!(exit(&[failed(not_sent, Exit::CannotConnect)], Stop::Failure), Exit::CannotConnect);
        assert_eq!(exit(&[failed(Outcome::Refused, Exit::Refused)], Stop::EndOfInput), Exit::Refused);
        assert_eq!(exit(&[failed(not_sent, Exit::Usage)], Stop::Failure), Exit::Usage);
        assert_eq!(exit(&[None, failed(not_sent, Exit::Usage)], Stop::Failure), Exit::PartlySent);
        assert_eq!(exit(&[failed(unknown, Exit::CannotConnect)], Stop::Failure), Exit::PartlySent);
        assert_eq!(exit(&[None], Stop::Interrupted), Exit::Interrupted);
        let io = || anyhow::Error::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        let unwritable = |all_sent| Stop::Unwritable { error: io(), all_sent };
        assert_eq!(exit(&[None], unwritable(false)), Exit::PartlySent);
        assert_eq!(exit(&[None], unwritable(true)), Exit::Done);
        assert_eq!(exit(&[None], Stop::Unreadable(io())), Exit::PartlySent);
        assert_eq!(exit(&[], Stop::Unreadable(io())), Exit::Failed);
    }

    #[test]
    fn receipts_come_in_the_order_of_the_input() {
        let mut report = Report::new("orders", Format::Json, Notes::silent());
        let numbers: Vec<_> = (1..=3).map(|line| report.begin(Place { file: None, line })).collect();
        let lines = |report: &mut Report| {
            let buffer = report.receipts().map(Stream::buffer).cloned().unwrap_or_default();
            String::from_utf8(buffer).unwrap().lines().count()
        };
        report.end(numbers[2], Became::HandedOver);
        assert_eq!((lines(&mut report), report.open()), (0, 3));
        report.end(numbers[0], Became::HandedOver);
        assert_eq!((lines(&mut report), report.open()), (1, 2));
        report.abandon();
        assert_eq!((lines(&mut report), report.open()), (3, 0));
        assert_eq!((report.counts.handed_over, report.counts.unknown), (2, 1));
    }
}
