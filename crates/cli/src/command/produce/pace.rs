//! When the next message may leave: so many a second.

use std::time::Duration;

use crate::clock::Stopwatch;

/// A schedule of even steps. Small delays are made up for; long ones, such as a broker that does not answer, are not,
/// so that no flood follows.
pub(super) struct Pace {
    step: Duration,
    watch: Stopwatch,
    /// When the next one is due.
    due: Duration,
}

impl Pace {
    pub(super) fn new(per_second: f64) -> Self {
        Self {
            step: Duration::from_secs_f64(1.0 / per_second),
            watch: Stopwatch::start(),
            due: Duration::ZERO,
        }
    }

    /// Waits until the next message is due. Cancel safe: asking again waits for the rest.
    pub(super) async fn ready(&self) {
        let wait = self.due.saturating_sub(self.watch.elapsed());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// A message leaves now.
    pub(super) fn observe_send(&mut self) {
        self.due = next(self.due, self.step, self.watch.elapsed());
    }
}

fn next(due: Duration, step: Duration, now: Duration) -> Duration {
    (due + step).max(now.saturating_sub(MADE_UP_FOR))
}

/// Timers wake to the millisecond, and a busy machine later than that.
const MADE_UP_FOR: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_delays_are_made_up_for_and_long_ones_are_not() {
        let ms = Duration::from_millis;
        assert_eq!(next(ms(500), ms(10), ms(501)), ms(510));
        assert_eq!(next(ms(500), ms(10), ms(590)), ms(510));
        assert_eq!(next(ms(500), ms(10), ms(5_000)), ms(4_900));
    }
}
