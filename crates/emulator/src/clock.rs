//! The time of a cluster: one object, handed to whoever needs it.
//!
//! It counts on tokio's clock, so a paused and advanced runtime moves the brokers' time too.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Tells the time to every part of one cluster.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::{Duration, UNIX_EPOCH};
/// use maxq_emulator::{Clock, Cluster};
///
/// tokio::time::pause();
/// let clock = Clock::starting_at(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
/// let cluster = Cluster::builder().clock(clock).start().await?;
/// tokio::time::advance(Duration::from_secs(60)).await;
/// assert_eq!(clock.now(), UNIX_EPOCH + Duration::from_secs(1_700_000_060));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: Instant,
    began_at: SystemTime,
}

impl Clock {
    /// A clock that shows the machine's time now and goes on with tokio's clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place of the emulator that reads the machine's clock"
    )]
    pub fn system() -> Self {
        Self::starting_at(SystemTime::now())
    }

    /// A clock that shows `time` now and goes on with tokio's clock: with a paused runtime, a repeatable one.
    pub fn starting_at(time: SystemTime) -> Self {
        Self { began: tokio_now(), began_at: time }
    }

    /// The time of day.
    pub fn now(&self) -> SystemTime {
        self.began_at + self.elapsed()
    }

    /// Now in milliseconds since 1970.
    pub(crate) fn millis(&self) -> i64 {
        millis(self.now())
    }

    /// Time since this clock began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.instant() - self.began
    }

    /// A point in time that sleeps understand.
    pub(crate) fn instant(&self) -> Instant {
        tokio_now()
    }
}

/// Milliseconds since 1970, as RocketMQ writes time.
pub(crate) fn millis(time: SystemTime) -> i64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

/// Now on tokio's clock, for what belongs to no cluster.
#[expect(clippy::disallowed_methods, reason = "the one place of the emulator that reads tokio's clock")]
pub(crate) fn tokio_now() -> Instant {
    Instant::now()
}
