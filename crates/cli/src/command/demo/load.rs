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
    pauses: Pauses,
    /// Told when so many messages are begun that the next blow is due.
    due: [Notify; Blow::ALL.len()],
    interrupted: AtomicBool,
    first_error: Mutex<Option<String>>,
    ended: Mutex<(Duration, Vec<u128>)>,
}

/// What is done to the cluster while it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blow {
    /// A broker is killed.
    Kill,
    /// A broker is frozen until the end.
    Freeze,
}

impl Blow {
    /// In their order.
    pub(super) const ALL: [Self; 2] = [Self::Kill, Self::Freeze];

    /// Which part of the load is over when it falls.
    const fn at(self) -> f64 {
        match self {
            Self::Kill => 0.25,
            Self::Freeze => 0.5,
        }
    }
}

/// The longest time without any acknowledgement around each blow, in microseconds of the load's clock.
#[derive(Default)]
struct Pauses {
    latest: AtomicU64,
    around: [Pause; Blow::ALL.len()],
}

struct Pause {
    from: AtomicU64,
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
            pauses: Pauses::default(),
            due: Default::default(),
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
                    self.pauses.observe_acknowledgement(micros(now));
                    acknowledged.extend(parse_id(receipt.message_id().as_str()));
                }
                Err(error) => self.observe_failure(&error),
            }
        }
        acknowledged
    }

    /// Waits until it is time for `blow`: part of the messages, or of the time, is over.
    pub(super) async fn time_for(&self, blow: Blow) {
        let at = self.plan.time.mul_f64(blow.at());
        tokio::select! {
            biased; // either will do
            () = self.due[blow as usize].notified() => {}
            () = tokio::time::sleep(at.saturating_sub(self.watch.elapsed())) => {}
        }
    }

    /// It falls now.
    pub(super) fn observe_blow(&self, blow: Blow) {
        self.pauses.around[blow as usize].from.store(micros(self.watch.elapsed()), Relaxed);
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
        self.pauses.observe_end(micros(took));
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

    /// The longest time without any acknowledgement around `blow`, in microseconds, if it fell.
    pub(super) fn longest_pause(&self, blow: Blow) -> Option<u64> {
        let pause = &self.pauses.around[blow as usize];
        let fell = pause.from.load(Relaxed) != u64::MAX;
        fell.then(|| pause.longest.load(Relaxed))
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
        for blow in Blow::ALL {
            if number == (self.plan.messages as f64 * blow.at()) as u64 {
                self.due[blow as usize].notify_one();
            }
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

impl Pauses {
    fn observe_acknowledgement(&self, now: u64) {
        let before = self.latest.fetch_max(now, Relaxed);
        self.observe(before, now);
    }

    fn observe_end(&self, now: u64) {
        self.observe(self.latest.load(Relaxed), now);
    }

    /// Nothing was acknowledged between these two.
    fn observe(&self, before: u64, now: u64) {
        for pause in &self.around {
            pause.observe(before, now);
        }
    }
}

impl Pause {
    /// It is the blow's doing if it ended after the blow and began before, or soon after.
    fn observe(&self, before: u64, now: u64) {
        let from = self.from.load(Relaxed);
        if now > from && before < from.saturating_add(AFTERMATH) {
            self.longest.fetch_max(now.saturating_sub(before), Relaxed);
        }
    }
}

impl Default for Pause {
    fn default() -> Self {
        Self { from: AtomicU64::new(u64::MAX), longest: AtomicU64::new(0) }
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
/// For how long pauses are put down to a blow, in microseconds. Blows of a short load fall close together; then the
/// longer pause counts for both.
const AFTERMATH: u64 = 900_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pause_around_a_blow_counts() {
        let pauses = Pauses::default();
        let at = |now| {
            pauses.observe_acknowledgement(now);
            pauses.around.each_ref().map(|pause| pause.longest.load(Relaxed))
        };
        assert_eq!(at(5_000), [0, 0]);
        pauses.around[0].from.store(6_000, Relaxed);
        assert_eq!(at(8_000), [3_000, 0]);
        assert_eq!(at(8_500), [3_000, 0]);
        assert_eq!(at(8_400), [3_000, 0]);
        pauses.around[1].from.store(2_000_000, Relaxed);
        assert_eq!(at(1_900_000), [1_891_500, 0]);
        assert_eq!(at(2_500_000), [1_891_500, 600_000]);
        assert_eq!(at(9_000_000), [1_891_500, 6_500_000]);
    }

    #[test]
    fn an_id_is_sixteen_bytes() {
        assert_eq!(parse_id("000000000000000000000000000000FF"), Some(255));
        assert_eq!(parse_id("FF"), None);
        assert_eq!(parse_id(&"g".repeat(32)), None);
    }
}
