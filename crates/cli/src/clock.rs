//! The only file of the tool that reads the clock.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Measures from its start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    start: Instant,
}

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// How long ago the start was.
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    pub(crate) fn elapsed(&self) -> Duration {
        Instant::now().duration_since(self.start)
    }
}

/// Milliseconds since 1970.
pub(crate) fn wall_millis() -> i64 {
    i64::try_from(since_1970().as_millis()).unwrap_or(i64::MAX)
}

/// A name that no other run has: made of the time and the process.
pub(crate) fn run_name() -> String {
    format!("{:x}-{:x}", since_1970().as_micros(), std::process::id())
}

#[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
