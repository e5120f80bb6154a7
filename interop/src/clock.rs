//! The only place of the suite that reads a clock or sleeps.
//!
//! Measurements last some seconds ([`pass`]). Other processes start, store and end when they like; [`wait_for`] looks until they have, or a limit is over.

use std::{
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Result;

/// The present moment, for deadlines and durations.
#[expect(clippy::disallowed_methods, reason = "this is the suite's clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since 1970, as RocketMQ stamps messages.
#[expect(clippy::disallowed_methods, reason = "this is the suite's clock")]
pub(crate) fn wall_millis() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}

/// Looks again and again until something is there, fails, or `limit` is over (`None`).
#[expect(clippy::disallowed_methods, reason = "another process has no event that we could wait for")]
pub(crate) fn wait_for<T>(limit: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
    let end = now() + limit;
    loop {
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        if now() >= end {
            return Ok(None);
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Lets time pass: for a measurement, whose length is its only event.
#[expect(clippy::disallowed_methods, reason = "a measurement lasts as long as it says")]
pub(crate) fn pass(time: Duration) {
    thread::sleep(time);
}

/// Short beside the start of any process, long beside the cost of a look.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
