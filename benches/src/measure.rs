//! Time, CPU and latency of the steady part of a run.

use std::{
    fmt, fs,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc,
    },
    time::{Duration, Instant},
};

use cpu_time::ProcessTime;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::load::Load;

/// The clock of the benches.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// Counts messages and looks at the latency of some.
///
/// Which ones are timed, the load says: [`Load::timed_every`].
#[derive(Debug)]
pub struct Meter {
    stopped: AtomicBool,
    messages: AtomicU64,
    timed_every: u64,
    messages_in_one: u64,
    /// How often each task shall send.
    share: Option<u64>,
    /// Messages of all shares together.
    all: u64,
    failed: AtomicU64,
    failure: Mutex<String>,
    latency: Mutex<Histogram<u64>>,
}

impl Meter {
    /// A meter for `load`.
    ///
    /// # Panics
    /// Never: the bounds of the histogram are constants.
    pub fn new(load: &Load) -> Self {
        let latency =
            Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("1 ns to a minute, three digits");
        Self {
            stopped: AtomicBool::new(false),
            messages: AtomicU64::new(0),
            timed_every: load.timed_every(),
            messages_in_one: load.messages_in_one(),
            share: load.share(),
            all: load.share().unwrap_or(0) * load.tasks() as u64 * load.messages_in_one(),
            failed: AtomicU64::new(0),
            failure: Mutex::default(),
            latency: Mutex::new(latency),
        }
    }

    /// Whether a task shall send its `nth` message, counted from 0.
    pub fn wants(&self, nth: u64) -> bool {
        !self.stopped.load(Relaxed) && self.share.is_none_or(|share| nth < share)
    }

    /// The `nth` message of some task sets out.
    pub fn start(&self, nth: u64) -> Option<Instant> {
        nth.is_multiple_of(self.timed_every).then(now)
    }

    /// What set out at `started` has ended well: a message, or a batch.
    pub fn finish(&self, started: Option<Instant>) {
        self.messages.fetch_add(self.messages_in_one, Relaxed);
        if let Some(started) = started {
            let took = now() - started;
            self.latency().saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// A send failed. Of the first one the reason is kept.
    pub fn fail(&self, why: &dyn fmt::Display) {
        if self.failed.fetch_add(1, Relaxed) == 0 {
            *self.failure() = why.to_string();
        }
    }

    /// How many sends failed.
    pub fn failed(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// Against a null broker no send may fail.
    ///
    /// # Errors
    /// One did.
    pub fn all_well(&self) -> anyhow::Result<()> {
        let failed = self.failed();
        anyhow::ensure!(failed == 0, "{failed} sends failed, the first one so: {}", self.failure());
        Ok(())
    }

    /// Messages that have ended well since the beginning.
    pub fn messages(&self) -> u64 {
        self.messages.load(Relaxed)
    }

    /// Waits until it is warm, measures, and tells the senders to stop; or, where the load is a number of messages,
    /// measures until they are sent.
    ///
    /// # Errors
    /// A sender failed, or ended before that.
    pub async fn steady(
        &self,
        load: &Load,
        senders: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<Steady> {
        if self.share.is_some() {
            let mark = self.mark();
            while self.messages.load(Relaxed) < self.all
                && let Some(ended) = senders.join_next().await
            {
                ended??;
            }
            return Ok(self.since(&mark));
        }
        let measured = async {
            tokio::time::sleep(load.shape.warm).await;
            let mark = self.mark();
            tokio::time::sleep(load.shape.steady).await;
            let steady = self.since(&mark);
            self.stopped.store(true, Relaxed);
            steady
        };
        tokio::select! {
            biased; // a measured part is not lost to a sender that has just been told to stop
            steady = measured => Ok(steady),
            Some(ended) = senders.join_next() => {
                ended??;
                anyhow::bail!("a sender ended before the measuring did")
            }
        }
    }

    /// As [`steady`](Self::steady), for senders that are threads and tell over `ends` how they ended.
    ///
    /// # Errors
    /// As there.
    pub fn steady_of_threads(
        &self,
        load: &Load,
        ends: &mpsc::Receiver<anyhow::Result<()>>,
    ) -> anyhow::Result<Steady> {
        if self.share.is_some() {
            let mark = self.mark();
            ends.iter().collect::<anyhow::Result<()>>()?;
            return Ok(self.since(&mark));
        }
        let wait = |time| match ends.recv_timeout(time) {
            Ok(ended) => ended.and_then(|()| Err(anyhow::anyhow!("a sender ended before the measuring did"))),
            Err(_) => Ok(()),
        };
        let measured = wait(load.shape.warm).and_then(|()| {
            let mark = self.mark();
            wait(load.shape.steady).map(|()| self.since(&mark))
        });
        self.stopped.store(true, Relaxed);
        measured
    }

    fn mark(&self) -> Mark {
        self.latency().clear();
        Mark { at: now(), cpu: Cpu::now(), messages: self.messages(), failed: self.failed() }
    }

    fn since(&self, mark: &Mark) -> Steady {
        let cpu = Cpu::now();
        let elapsed = now() - mark.at;
        let latency = self.latency();
        let microseconds = |quantile| latency.value_at_quantile(quantile) as f64 / 1000.0;
        Steady {
            messages: self.messages.load(Relaxed) - mark.messages,
            elapsed,
            cpu: cpu.total - mark.cpu.total,
            system_share: cpu.system_share_since(mark.cpu),
            p50_us: microseconds(0.5),
            p99_us: microseconds(0.99),
            p999_us: microseconds(0.999),
            max_us: latency.max() as f64 / 1000.0,
            failed: self.failed() - mark.failed,
            writes_per_message: None,
        }
    }

    fn failure(&self) -> MutexGuard<'_, String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn latency(&self) -> MutexGuard<'_, Histogram<u64>> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the steady part began.
struct Mark {
    at: Instant,
    cpu: Cpu,
    messages: u64,
    failed: u64,
}

/// What the steady part of a run gave.
#[derive(Clone, Copy, Debug)]
pub struct Steady {
    /// Acknowledged messages.
    pub messages: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// CPU time of the process, all threads, user and system.
    pub cpu: Duration,
    /// The part of it that the kernel spent, where the system tells.
    pub system_share: Option<f64>,
    /// Median latency of the messages that were timed.
    pub p50_us: f64,
    /// 99 of 100 were not slower.
    pub p99_us: f64,
    /// 999 of 1000 were not slower.
    pub p999_us: f64,
    /// The slowest of those that were timed.
    pub max_us: f64,
    /// Sends that failed.
    pub failed: u64,
    /// Write system calls for each message, where they were counted.
    pub writes_per_message: Option<f64>,
}

/// CPU time of this process, all threads.
#[derive(Clone, Copy, Debug)]
struct Cpu {
    total: Duration,
    /// User and system time in the kernel's ticks: coarse, but the only split without `unsafe`.
    ticks: Option<(u64, u64)>,
}

impl Cpu {
    fn now() -> Self {
        Self { total: ProcessTime::now().as_duration(), ticks: ticks() }
    }

    fn system_share_since(&self, before: Self) -> Option<f64> {
        let ((user, system), (user_before, system_before)) = (self.ticks?, before.ticks?);
        let (user, system) = (user - user_before, system - system_before);
        (user + system > 0).then(|| system as f64 / (user + system) as f64)
    }
}

/// `utime` and `stime`, fields 14 and 15 of Linux's `/proc/self/stat`. The name in field 2 may contain blanks.
fn ticks() -> Option<(u64, u64)> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
