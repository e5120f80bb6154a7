//! How far a broker's clock is from the one here.

use std::time::Duration;

use super::{Check, CheckKind};
use crate::admin::BrokerRuntime;

/// What a broker's clock showed at some time between two readings of the one here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// The broker's clock minus ours, in milliseconds.
    skew: i64,
    /// How wrong that may be, in milliseconds either way.
    precision: i64,
    source: Source,
}

/// Where the broker's time was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    StoreTime,
    Uptime,
}

impl Moment {
    /// A message stored at `stored` was sent after `began` and acknowledged before `ended`.
    pub(super) fn of_store(stored: i64, began: i64, ended: i64) -> Self {
        Self::new(Source::StoreTime, (stored, 0), began, ended)
    }

    /// From the start of the broker and the time that it has run, which it tells in whole seconds.
    pub(super) fn of(runtime: &BrokerRuntime, began: i64, ended: i64) -> Option<Self> {
        let seconds = runtime.uptime_seconds()?;
        let begin_of_second = runtime.boot_timestamp()?.checked_add(seconds.checked_mul(1_000)?)?;
        Some(Self::new(Source::Uptime, (begin_of_second, 1_000), began, ended))
    }

    /// The broker's clock showed something from `theirs` to `theirs + width`.
    fn new(source: Source, (theirs, width): (i64, i64), began: i64, ended: i64) -> Self {
        let ours = began + (ended - began) / 2;
        let skew = theirs.saturating_add(width / 2).saturating_sub(ours);
        // Both clocks are read in whole milliseconds.
        let precision = (ended - began + width) / 2 + 1;
        Self { skew, precision, source }
    }

    /// The check; a warning when the clocks are farther apart than `most` for sure.
    pub(super) fn check(self, broker: &str, most: Duration) -> Check {
        let source = match self.source {
            Source::StoreTime => "by the store time of the test message",
            Source::Uptime => "by its start and uptime",
        };
        let (skew, precision) = (self.skew.unsigned_abs(), self.precision.unsigned_abs());
        let side = if self.skew < 0 { "behind" } else { "ahead" };
        let found = if skew <= precision {
            format!("the clocks agree to {} ({source})", millis(precision))
        } else {
            format!("its clock is {} {side}, to {} exactly ({source})", millis(skew), millis(precision))
        };
        let check = Check::ok(CheckKind::ClockSkew, broker, found);
        if u128::from(skew.saturating_sub(precision)) <= most.as_millis() {
            return check;
        }
        check
            .warned()
            .fix("set both clocks, with NTP: store times, timers and searches by time follow the broker's")
    }
}

fn millis(millis: u64) -> String {
    if millis < 10_000 { format!("{millis} ms") } else { format!("{} s", millis / 1_000) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::doctor::State;

    fn told(moment: Moment) -> (State, String) {
        let check = moment.check("b", Duration::from_secs(5));
        (check.state, check.found)
    }

    #[test]
    fn a_difference_within_the_precision_is_none() {
        let (state, found) = told(Moment::of_store(1_004, 1_000, 1_010));
        assert_eq!(
            (state, found.as_str()),
            (State::Ok, "the clocks agree to 6 ms (by the store time of the test message)")
        );
        let (state, found) = told(Moment::of_store(2_005, 1_000, 1_010));
        assert_eq!(state, State::Ok);
        assert!(found.starts_with("its clock is 1000 ms ahead, to 6 ms exactly"), "{found}");
        let (state, found) = told(Moment::of_store(1_005, 3_601_000, 3_601_010));
        assert_eq!(state, State::Warning);
        assert!(found.starts_with("its clock is 3600 s behind"), "{found}");
    }

    #[test]
    fn an_uptime_is_known_to_the_second() {
        let entries = [("bootTimestamp", "10000"), ("runtime", "[ 0 days, 0 hours, 1 minutes, 5 seconds ]")];
        let entries: BTreeMap<_, _> = entries.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let moment = Moment::of(&BrokerRuntime { entries }, 75_200, 75_210).unwrap();
        assert_eq!(
            told(moment),
            (State::Ok, "the clocks agree to 506 ms (by its start and uptime)".to_owned())
        );
        assert_eq!(Moment::of(&BrokerRuntime { entries: BTreeMap::new() }, 0, 0), None);
    }
}
