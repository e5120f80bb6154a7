//! The load: workers that send one message after the other, as fast as it goes or on a schedule.

use std::{
    ops::Range,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use maxq::{Outcome, SendError};
use tokio::runtime::Handle;

use super::{
    Mode,
    record::{Point, Record, Summary},
    sender::{BlockingSender, Sender},
};
use crate::{clock::Stopwatch, output::grouped};

/// What is to be sent.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) mode: Mode,
    pub(super) topic: String,
    /// Bytes of a body.
    pub(super) body: usize,
    /// Messages that one send carries.
    pub(super) batch: u32,
    /// Sends under way at once.
    pub(super) in_flight: usize,
    /// Messages per second of the open loop.
    pub(super) rate: Option<f64>,
    pub(super) warm_up: Duration,
    /// Behind the warm-up.
    pub(super) time: Duration,
    /// Behind the warm-up.
    pub(super) messages: u64,
}

/// A load under way, shared by its workers.
pub(super) struct Load {
    plan: Plan,
    watch: Stopwatch,
    record: Record,
    /// Numbers given to scheduled sends.
    scheduled: AtomicU64,
    /// Messages that were begun behind the warm-up; may count on behind the end.
    begun: AtomicU64,
    counts: Counts,
    /// When, on the load's clock.
    interrupted: OnceLock<Duration>,
    first_error: Mutex<Option<String>>,
}

#[derive(Default)]
struct Counts {
    acknowledged: AtomicU64,
    failed: AtomicU64,
    unknown: AtomicU64,
    not_begun: AtomicU64,
}

/// The counters of what was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) acknowledged: u64,
    pub(super) failed: u64,
    pub(super) unknown: u64,
    /// Due by the end of the load, and not begun: in the latencies, and in no other number.
    pub(super) not_begun: u64,
}

impl Totals {
    pub(super) const fn sent(self) -> u64 {
        self.acknowledged + self.failed + self.unknown
    }
}

impl Load {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            record: Record::new(plan.warm_up),
            plan,
            watch: Stopwatch::start(),
            scheduled: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            counts: Counts::default(),
            interrupted: OnceLock::new(),
            first_error: Mutex::default(),
        }
    }

    /// Sends until the load is over.
    pub(super) async fn work(self: Arc<Self>, worker: usize, sender: Sender) {
        while let Some(turn) = self.next().await {
            let sent = sender.send().await;
            self.observe(worker, turn, sent);
        }
    }

    /// Sends until the load is over, from a thread that waits for each message. `runtime` keeps the time of schedules.
    pub(super) fn work_blocking(&self, worker: usize, sender: &BlockingSender, runtime: &Handle) {
        while let Some(turn) = runtime.block_on(self.next()) {
            let sent = sender.send();
            self.observe(worker, turn, sent);
        }
    }

    /// The next send; `None` when the load is over.
    async fn next(&self) -> Option<Turn> {
        let begin = self.due().await?;
        // By the clock, also when a schedule is far behind.
        let is_measured = self.watch.elapsed() >= self.plan.warm_up;
        let messages = u64::from(self.plan.batch);
        let is_enough = is_measured && self.begun.fetch_add(messages, Relaxed) >= self.plan.messages;
        (!is_enough).then_some(Turn { begin, is_measured })
    }

    /// From when on the next send counts; `None` when the load is over.
    async fn due(&self) -> Option<Duration> {
        let Some(schedule) = self.plan.schedule() else {
            let now = self.watch.elapsed();
            return (!self.is_over(now)).then_some(now);
        };
        let number = self.scheduled.fetch_add(1, Relaxed);
        let due = schedule.due(number);
        loop {
            let now = self.watch.elapsed();
            if self.is_over(now.max(due)) {
                // What nobody took a number for, `end` counts.
                self.miss(schedule, number..number + 1);
                return None;
            }
            // Timers wake up to a millisecond late, which is not the server's doing: the message may begin up to a
            // millisecond early, and counts from then. A late one counts from when it was due.
            let wait = due.saturating_sub(now + TIMER);
            if wait.is_zero() {
                return Some(due.min(now));
            }
            // In steps, to notice an interrupt.
            tokio::time::sleep(wait.min(STEP)).await;
        }
    }

    fn is_over(&self, now: Duration) -> bool {
        self.was_interrupted()
            || now >= self.plan.warm_up + self.plan.time
            || self.begun.load(Relaxed) >= self.plan.messages
    }

    /// What has failed took its time too: without it, the sends that waited longest would not be seen.
    fn observe(&self, worker: usize, turn: Turn, sent: Result<(), SendError>) {
        if !turn.is_measured {
            return;
        }
        let messages = u64::from(self.plan.batch);
        let took = self.watch.elapsed().saturating_sub(turn.begin);
        let Err(error) = sent else {
            self.counts.acknowledged.fetch_add(messages, Relaxed);
            self.record.observe(worker, messages, took);
            return;
        };
        self.record.observe(worker, 0, took);
        let counter = match error.outcome() {
            Outcome::Unknown => &self.counts.unknown,
            Outcome::NotSent | Outcome::Refused => &self.counts.failed,
        };
        counter.fetch_add(messages, Relaxed);
        let mut first = self.first_error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| error.to_string());
    }

    /// Of these sends of the schedule, none was begun. Those that were due before the end count with what they had
    /// waited by then: a stall at the end would else show only in the sends that were under way.
    fn miss(&self, schedule: Schedule, numbers: Range<u64>) {
        let Some(end) = self.end_of_schedule() else { return };
        for (sends, waited) in schedule.waits(numbers, end) {
            self.counts.not_begun.fetch_add(sends * u64::from(self.plan.batch), Relaxed);
            self.record.miss(sends, waited);
        }
    }

    /// When the load was over; `None` when as many messages as it has were begun, or nothing was measured yet.
    fn end_of_schedule(&self) -> Option<Duration> {
        let end = self.plan.warm_up + self.plan.time;
        let end = self.interrupted.get().map_or(end, |at| end.min(*at));
        let is_enough = self.begun.load(Relaxed) >= self.plan.messages;
        (!is_enough && end > self.plan.warm_up).then_some(end)
    }

    /// Closes a second of the record when it is over.
    pub(super) fn roll_if_due(&self) {
        self.record.roll_if_due(self.watch.elapsed());
    }

    /// All workers have ended.
    pub(super) fn end(&self) {
        if let Some(schedule) = self.plan.schedule() {
            self.miss(schedule, self.scheduled.load(Relaxed)..u64::MAX);
        }
        self.record.end(self.watch.elapsed());
    }

    /// No message is begun any more.
    pub(super) fn interrupt(&self) {
        self.interrupted.get_or_init(|| self.watch.elapsed());
    }

    pub(super) fn was_interrupted(&self) -> bool {
        self.interrupted.get().is_some()
    }

    pub(super) const fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn totals(&self) -> Totals {
        Totals {
            acknowledged: self.counts.acknowledged.load(Relaxed),
            failed: self.counts.failed.load(Relaxed),
            unknown: self.counts.unknown.load(Relaxed),
            not_begun: self.counts.not_begun.load(Relaxed),
        }
    }

    pub(super) fn summary(&self) -> Summary {
        self.record.summary()
    }

    pub(super) fn first_error(&self) -> Option<String> {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How far the load has come, out of [`WHOLE`].
    pub(super) fn progress(&self) -> u64 {
        let time = self.watch.elapsed().as_secs_f64() / (self.plan.warm_up + self.plan.time).as_secs_f64();
        let messages = self.begun.load(Relaxed) as f64 / self.plan.messages as f64;
        (time.max(messages).min(1.0) * WHOLE as f64) as u64
    }

    /// What is told while it runs: the last second.
    pub(super) fn line(&self) -> String {
        if self.watch.elapsed() < self.plan.warm_up {
            return "warming up".to_owned();
        }
        let Totals { failed, unknown, .. } = self.totals();
        let bad = if failed + unknown == 0 {
            String::new()
        } else {
            format!(", {} failed", grouped(failed + unknown))
        };
        match self.record.last() {
            Some(Point { per_second, p50, p99, .. }) => {
                format!("{}/s, p50 {p50} µs, p99 {p99} µs{bad}", grouped(per_second as u64))
            }
            None => format!("measuring{bad}"),
        }
    }
}

impl Plan {
    /// Of the open loop.
    fn schedule(&self) -> Option<Schedule> {
        Some(Schedule { sends_per_second: self.rate? / f64::from(self.batch) })
    }
}

/// When the sends of an open loop are due.
#[derive(Clone, Copy)]
struct Schedule {
    sends_per_second: f64,
}

impl Schedule {
    fn due(self, number: u64) -> Duration {
        Duration::from_secs_f64(number as f64 / self.sends_per_second)
    }

    /// How long those of `numbers` that are due before `end` had waited by then: how many, and each of them so long.
    /// Where there are very many, neighbours count as one.
    fn waits(self, numbers: Range<u64>, end: Duration) -> impl Iterator<Item = (u64, Duration)> {
        let first_behind = (end.as_secs_f64() * self.sends_per_second).ceil() as u64;
        let to = numbers.end.min(first_behind);
        let step = to.saturating_sub(numbers.start).div_ceil(MOST_WAITS).max(1);
        let begins = std::iter::successors(Some(numbers.start), move |number| Some(number + step));
        begins
            .take_while(move |number| *number < to)
            .map(move |number| (step.min(to - number), end.saturating_sub(self.due(number))))
    }
}

/// One send that is to begin.
#[derive(Clone, Copy)]
struct Turn {
    /// From when on its time counts.
    begin: Duration,
    is_measured: bool,
}

/// The whole of [`Load::progress`].
pub(super) const WHOLE: u64 = 1_000;
/// How early a scheduled message may begin.
const TIMER: Duration = Duration::from_millis(1);
const STEP: Duration = Duration::from_millis(200);
/// What is told apart of what was not begun: as fine as anybody can see.
const MOST_WAITS: u64 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn what_is_due_by_the_end_has_waited_and_the_rest_has_not() {
        let schedule = Schedule { sends_per_second: 10.0 };
        assert_eq!((schedule.due(0), schedule.due(7)), (ms(0), ms(700)));
        let waits = |numbers, end| schedule.waits(numbers, end).collect::<Vec<_>>();
        assert_eq!(waits(7..u64::MAX, ms(1_000)), [(1, ms(300)), (1, ms(200)), (1, ms(100))]);
        assert_eq!(waits(9..10, ms(1_000)), [(1, ms(100))]);
        assert_eq!(waits(10..11, ms(1_000)), [], "it is due at the end, and not before");
    }

    #[test]
    fn of_very_many_neighbours_count_as_one_and_none_is_lost() {
        let schedule = Schedule { sends_per_second: 10_000_000.0 };
        let waits: Vec<_> = schedule.waits(5..u64::MAX, ms(1_000)).collect();
        assert!(waits.len() as u64 <= MOST_WAITS, "{}", waits.len());
        assert_eq!(waits.iter().map(|(sends, _)| sends).sum::<u64>(), 9_999_995);
        assert!(waits.is_sorted_by(|(_, a), (_, b)| a > b));
    }
}
