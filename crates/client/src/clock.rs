//! The only file that reads the clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use maxq_policy::Time;
use tokio::time::Instant;

/// The clock of one client: points in time since its start, and wall time for what travels in messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Now, since the start. It follows tokio's clock, so a paused test runs in no time.
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    pub(crate) fn now(&self) -> Time {
        Time::from_start(Instant::now().duration_since(self.start))
    }

    /// The point of tokio's clock for `time`. What lies farther than a year away is as good as never.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        self.start + time.since_start().min(self.now().since_start() + Duration::from_secs(365 * 86_400))
    }

    /// When a point of std's clock is, in this client's time, in which it is `now`.
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    pub(crate) fn at_std(&self, now: Time, at: std::time::Instant) -> Time {
        now + at.saturating_duration_since(std::time::Instant::now())
    }

    /// Milliseconds since 1970, for born timestamps and unique ids.
    #[expect(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    pub(crate) fn wall_millis(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}
