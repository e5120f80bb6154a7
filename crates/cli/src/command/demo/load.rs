//! The load: workers that send one message after the other, and what they count.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use maxq::{Message, Outcome, Producer, SendError};
use tokio::sync::Notify;

use super::latency::{Latencies, Percentiles};
use crate::{clock::Stopwatch, output::grouped};

/// What is to be sent.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Tells our messages from those of other runs in the same topic.
    pub(super) run: String,
    pub(super) topic: &'static str,
    /// Bytes of a body.
    pub(super) body: usize,
    pub(super) in_flight: usize,
    pub(super) time: Duration,
    pub(super) messages: u64,
}

/// A load under way, shared by its workers.
pub(super) struct Load {
    plan: Plan,
    producer: Producer,
    message: Message,
    watch: Stopwatch,
    latencies: Latencies,
    /// Numbers given to messages; may count on behind the end.
    next: AtomicU64,
    sent: AtomicU64,
    acknowledged: AtomicU64,
    oneway: AtomicU64,
    failed: AtomicU64,
    unknown: AtomicU64,
    pause: Pause,
    halfway: Notify,
    interrupted: AtomicBool,
    first_error: Mutex<Option<String>>,
    ended: Mutex<(Duration, Vec<u128>)>,
}

/// The longest time without any acknowledgement around the kill, in microseconds of the load's clock.
struct Pause {
    killed_at: AtomicU64,
    latest: AtomicU64,
    longest: AtomicU64,
}

/// The counters at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) oneway: u64,
    pub(super) failed: u64,
    pub(super) unknown: u64,
}

impl Load {
    pub(super) fn new(plan: Plan, producer: Producer) -> Self {
        let message = Message::new(plan.topic, vec![b'm'; plan.body]).property(RUN, plan.run.as_str());
        Self {
            plan,
            producer,
            message,
            watch: Stopwatch::start(),
            latencies: Latencies::new(),
            next: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            oneway: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            pause: Pause {
                killed_at: AtomicU64::new(u64::MAX),
                latest: AtomicU64::new(0),
                longest: AtomicU64::new(0),
            },
            halfway: Notify::new(),
            interrupted: AtomicBool::new(false),
            first_error: Mutex::default(),
            ended: Mutex::default(),
        }
    }

    /// Sends until the load is over. Gives the ids of the messages that were acknowledged.
    pub(super) async fn work(self: Arc<Self>, worker: usize) -> Vec<u128> {
        let mut acknowledged = Vec::new();
        while let Some(number) = self.next_number() {
            self.sent.fetch_add(1, Relaxed);
            let sending = self.producer.send(self.message.clone());
            if number % ONE_IN == ONE_IN - 1 {
                match sending.oneway().await {
                    Ok(()) => drop(self.oneway.fetch_add(1, Relaxed)),
                    Err(error) => self.observe_failure(&error),
                }
                continue;
            }
            let began = self.watch.elapsed();
            match sending.await {
                Ok(receipt) => {
                    let now = self.watch.elapsed();
                    self.acknowledged.fetch_add(1, Relaxed);
                    self.latencies.record(worker, now.saturating_sub(began));
                    self.pause.observe_acknowledgement(micros(now));
                    acknowledged.extend(parse_id(receipt.message_id().as_str()));
                }
                Err(error) => self.observe_failure(&error),
            }
        }
        acknowledged
    }

    /// Waits until it is time to kill a broker: part of the messages, or of the time, is over.
    pub(super) async fn time_to_kill(&self) {
        let at = self.plan.time.mul_f64(KILL_AT);
        tokio::select! {
            biased; // either will do
            () = self.halfway.notified() => {}
            () = tokio::time::sleep(at.saturating_sub(self.watch.elapsed())) => {}
        }
    }

    /// A broker is being killed now.
    pub(super) fn observe_kill(&self) {
        self.pause.killed_at.store(micros(self.watch.elapsed()), Relaxed);
    }

    /// No message is begun any more.
    pub(super) fn interrupt(&self) {
        self.interrupted.store(true, Relaxed);
    }

    pub(super) fn was_interrupted(&self) -> bool {
        self.interrupted.load(Relaxed)
    }

    /// All workers have ended with these ids.
    pub(super) fn end(&self, ids: Vec<Vec<u128>>) {
        let took = self.watch.elapsed();
        self.pause.observe_end(micros(took));
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = (took, ids.concat());
    }

    /// The ids of all messages that were acknowledged, once the load has ended.
    pub(super) fn acknowledged_ids(&self) -> Vec<u128> {
        std::mem::take(&mut self.ended.lock().unwrap_or_else(PoisonError::into_inner).1)
    }

    /// How long the load took.
    pub(super) fn took(&self) -> Duration {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Closes the producer: what is on its way to a socket gets there.
    pub(super) async fn close(&self, within: Duration) {
        self.producer.close(within).await;
    }

    pub(super) const fn in_flight(&self) -> usize {
        self.plan.in_flight
    }

    pub(super) fn run(&self) -> &str {
        &self.plan.run
    }

    pub(super) fn totals(&self) -> Totals {
        Totals {
            sent: self.sent.load(Relaxed),
            acknowledged: self.acknowledged.load(Relaxed),
            oneway: self.oneway.load(Relaxed),
            failed: self.failed.load(Relaxed),
            unknown: self.unknown.load(Relaxed),
        }
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        self.latencies.percentiles()
    }

    /// The longest time without any acknowledgement around the kill, if there was one.
    pub(super) fn kill_pause(&self) -> Option<Duration> {
        let was_killed = self.pause.killed_at.load(Relaxed) != u64::MAX;
        was_killed.then(|| Duration::from_micros(self.pause.longest.load(Relaxed)))
    }

    pub(super) fn first_error(&self) -> Option<String> {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How far the load has come, out of [`WHOLE`].
    pub(super) fn progress(&self) -> u64 {
        let sent = self.sent.load(Relaxed) as f64 / self.plan.messages as f64;
        let time = self.watch.elapsed().as_secs_f64() / self.plan.time.as_secs_f64();
        (sent.max(time).min(1.0) * WHOLE as f64) as u64
    }

    /// What is told while it runs.
    pub(super) fn line(&self) -> String {
        let Totals { sent, acknowledged, oneway, failed, unknown } = self.totals();
        let rate = (acknowledged + oneway) as f64 / self.watch.elapsed().as_secs_f64().max(0.001);
        let bad = if failed + unknown == 0 {
            String::new()
        } else {
            format!(", {} failed", grouped(failed + unknown))
        };
        format!("{} sent, {}/s{bad}", grouped(sent), grouped(rate as u64))
    }

    /// How long it has run, for people.
    pub(super) fn at(&self) -> String {
        format!("{:.1?}", self.watch.elapsed())
    }

    /// The number of the next message, while the load is not over.
    fn next_number(&self) -> Option<u64> {
        if self.is_over() {
            return None;
        }
        let number = self.next.fetch_add(1, Relaxed);
        if number == (self.plan.messages as f64 * KILL_AT) as u64 {
            self.halfway.notify_one();
        }
        (number < self.plan.messages).then_some(number)
    }

    fn is_over(&self) -> bool {
        self.was_interrupted()
            || self.next.load(Relaxed) >= self.plan.messages
            || self.watch.elapsed() >= self.plan.time
    }

    fn observe_failure(&self, error: &SendError) {
        let counter = match error.outcome() {
            Outcome::Unknown => &self.unknown,
            Outcome::NotSent | Outcome::Refused => &self.failed,
        };
        counter.fetch_add(1, Relaxed);
        let mut first = self.first_error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| error.to_string());
    }
}

impl Pause {
    fn observe_acknowledgement(&self, now: u64) {
        let before = self.latest.fetch_max(now, Relaxed);
        self.observe(before, now);
    }

    fn observe_end(&self, now: u64) {
        self.observe(self.latest.load(Relaxed), now);
    }

    /// Nothing was acknowledged between these two. It is the kill's doing if it ended after the kill and began before,
    /// or soon after.
    fn observe(&self, before: u64, now: u64) {
        let killed_at = self.killed_at.load(Relaxed);
        if now > killed_at && before < killed_at.saturating_add(AFTERMATH) {
            self.longest.fetch_max(now.saturating_sub(before), Relaxed);
        }
    }
}

/// The 16 bytes that a unique id writes as 32 hexadecimal digits.
pub(super) fn parse_id(text: &str) -> Option<u128> {
    if text.len() == 32 { u128::from_str_radix(text, 16).ok() } else { None }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The property that names the run.
pub(super) const RUN: &str = "demo-run";
/// The whole of [`Load::progress`].
pub(super) const WHOLE: u64 = 1_000;
/// One message in so many is one-way.
const ONE_IN: u64 = 10;
/// Which part of the load is over when a broker is killed.
const KILL_AT: f64 = 0.4;
/// For how long pauses are put down to the kill, in microseconds.
const AFTERMATH: u64 = 3_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pause_around_the_kill_counts() {
        let pause = Pause {
            killed_at: AtomicU64::new(u64::MAX),
            latest: AtomicU64::new(0),
            longest: AtomicU64::new(0),
        };
        let at = |now| {
            pause.observe_acknowledgement(now);
            pause.longest.load(Relaxed)
        };
        assert_eq!(at(5_000), 0);
        pause.killed_at.store(6_000, Relaxed);
        assert_eq!(at(8_000), 3_000);
        assert_eq!(at(8_500), 3_000);
        assert_eq!(at(8_400), 3_000);
        assert_eq!(at(4_000_000), 3_991_500);
        assert_eq!(at(9_000_000), 3_991_500);
    }

    #[test]
    fn an_id_is_sixteen_bytes() {
        assert_eq!(parse_id("000000000000000000000000000000FF"), Some(255));
        assert_eq!(parse_id("FF"), None);
        assert_eq!(parse_id(&"g".repeat(32)), None);
    }
}
