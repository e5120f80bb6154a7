//! The one line of JSON that a run ends with.

use serde::{Deserialize, Serialize};

use crate::{
    load::{Encoding, Load, Way},
    measure::Steady,
    null_broker::Statistics,
};

/// What one run of the floor or of the client gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Who sent: `floor std`, `floor tokio`, `floor tasks`, or `client`.
    pub sender: String,
    /// How.
    pub way: Way,
    /// Messages in flight.
    pub inflight: usize,
    /// Threads of the runtime.
    pub threads: usize,
    /// Bytes in a body.
    pub body: usize,
    /// How headers were encoded.
    pub encoding: Encoding,
    /// Acknowledged messages in a second.
    pub messages_per_second: f64,
    /// CPU time of the sender for one message, in microseconds, user and system.
    pub cpu_us: f64,
    /// The system's part of it.
    pub cpu_us_system: Option<f64>,
    /// How many cores the sender kept busy.
    pub cores: f64,
    /// How many messages the broker got in one read: how well the sender joins its writes.
    pub messages_per_read: f64,
    /// CPU time of the broker for one message, in microseconds.
    pub broker_cpu_us: f64,
    /// Median latency in microseconds.
    pub p50_us: f64,
    /// 99 of 100 were not slower.
    pub p99_us: f64,
    /// 999 of 1000 were not slower.
    pub p999_us: f64,
    /// The slowest that was timed.
    pub max_us: f64,
    /// Sends that failed.
    pub failed: u64,
    /// Write system calls for each message, where they were counted.
    pub writes_per_message: Option<f64>,
}

impl Report {
    /// Puts a run together. `before` and `after` are the broker's view; they include the warming up.
    pub fn new(sender: &str, load: &Load, steady: Steady, before: Statistics, after: Statistics) -> Self {
        let cpu = steady.cpu.as_secs_f64();
        let cpu_us = cpu * 1e6 / steady.messages.max(1) as f64;
        let messages = (after.messages - before.messages).max(1) as f64;
        Self {
            sender: sender.to_owned(),
            way: load.way,
            inflight: load.inflight.get(),
            threads: load.shape.threads.get(),
            body: load.shape.body,
            encoding: load.shape.encoding,
            messages_per_second: steady.messages as f64 / steady.elapsed.as_secs_f64(),
            cpu_us,
            cpu_us_system: steady.system_share.map(|share| share * cpu_us),
            cores: cpu / steady.elapsed.as_secs_f64(),
            messages_per_read: messages / (after.reads - before.reads).max(1) as f64,
            broker_cpu_us: (after.cpu_us - before.cpu_us) as f64 / messages,
            p50_us: steady.p50_us,
            p99_us: steady.p99_us,
            p999_us: steady.p999_us,
            max_us: steady.max_us,
            failed: steady.failed,
            writes_per_message: steady.writes_per_message,
        }
    }
}
