//! The phases of a drill, and what the sends of each come to.
//!
//! ```text
//!  0        before     fault       +2 s            heal      healed        end
//!  | warm-up | measured | recovery  | measured       | (start) | measured    |
//! ```

use std::{collections::BTreeMap, time::Duration};

use super::sends::{End, Send};

/// When things happened, since the start of the load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moments {
    /// The warm-up was over.
    pub(crate) before: Duration,
    /// The signal was about to be sent.
    pub(crate) fault: Duration,
    /// The broker was told to go on, or was started again.
    pub(crate) heal: Duration,
    /// It was back.
    pub(crate) healed: Duration,
    /// The senders were told to stop.
    pub(crate) end: Duration,
}

/// What the sends of one drill come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Figures {
    /// Of the whole load, from warm-up to end, as are the errors.
    pub(crate) acknowledged: usize,
    pub(crate) errors: BTreeMap<String, usize>,
    /// Receipts that warn of a duplicate.
    pub(crate) warnings: usize,
    /// Sends that were under way when the signal was sent.
    pub(crate) in_flight: usize,
    pub(crate) slowest: Slowest,
    pub(crate) per_second: PerSecond,
}

/// The slowest send of each phase. What was under way at the fault, or still was at the healing, is the fault's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slowest {
    pub(crate) before: Duration,
    /// From the fault to the healing.
    pub(crate) fault: Duration,
    /// From the healing to the end.
    pub(crate) after: Duration,
}

/// Acknowledged messages per second of each phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct PerSecond {
    pub(crate) before: f64,
    /// While the fault lasts, without its first two seconds.
    pub(crate) fault: f64,
    pub(crate) after: f64,
}

impl PerSecond {
    /// What is left of the throughput while the fault lasts, once the client had its two seconds.
    pub(crate) fn kept(&self) -> f64 {
        if self.before > 0.0 { self.fault / self.before } else { 0.0 }
    }
}

impl Figures {
    /// Counts `sends`.
    pub(crate) fn of(sends: &[Send], at: &Moments) -> Self {
        let mut figures = Self {
            slowest: Slowest {
                before: slowest(sends, |send| (at.before..at.fault).contains(&send.ended())),
                fault: slowest(sends, |send| send.ended() >= at.fault && send.began < at.heal),
                after: slowest(sends, |send| send.began >= at.heal),
            },
            per_second: PerSecond {
                before: per_second(sends, at.before, at.fault),
                fault: per_second(sends, at.fault + RECOVERY, at.heal),
                after: per_second(sends, at.healed, at.end),
            },
            ..Self::default()
        };
        for send in sends {
            match &send.end {
                End::Acknowledged { maybe_duplicate } => {
                    figures.acknowledged += 1;
                    figures.warnings += usize::from(*maybe_duplicate);
                }
                End::Failed { kind, .. } => *figures.errors.entry(kind.clone()).or_default() += 1,
            }
            figures.in_flight += usize::from(send.began <= at.fault && send.ended() >= at.fault);
        }
        figures
    }

    /// How many sends ended with an error.
    pub(crate) fn failed(&self) -> usize {
        self.errors.values().sum()
    }
}

/// How many messages were acknowledged in each second, with `!` before the second of the fault and `+` before that of the
/// healing: for the reader who wonders where a figure comes from.
pub(crate) fn course(sends: &[Send], at: &Moments) -> String {
    let mut seconds = vec![0_usize; usize::try_from(at.end.as_secs()).unwrap_or(0) + 1];
    for send in sends.iter().filter(|send| send.is_acknowledged()) {
        let second = usize::try_from(send.ended().as_secs()).ok();
        if let Some(count) = second.and_then(|second| seconds.get_mut(second)) {
            *count += 1;
        }
    }
    let words = (0_u64..).zip(&seconds).map(|(second, count)| match second {
        _ if second == at.fault.as_secs() => format!("!{count}"),
        _ if second == at.heal.as_secs() => format!("+{count}"),
        _ => count.to_string(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Failed sends count too: somebody waited for them.
fn slowest(sends: &[Send], within: impl Fn(&&Send) -> bool) -> Duration {
    sends.iter().filter(within).map(|send| send.took).max().unwrap_or_default()
}

fn per_second(sends: &[Send], from: Duration, to: Duration) -> f64 {
    let within = |send: &&Send| send.is_acknowledged() && (from..to).contains(&send.ended());
    let count = u32::try_from(sends.iter().filter(within).count()).unwrap_or(u32::MAX);
    let seconds = to.saturating_sub(from).as_secs_f64();
    if seconds > 0.0 { f64::from(count) / seconds } else { 0.0 }
}

/// The time that a client may take to notice a fault and to go round it.
pub(crate) const RECOVERY: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const AT: Moments = Moments {
        before: seconds(3),
        fault: seconds(8),
        heal: seconds(20),
        healed: seconds(24),
        end: seconds(29),
    };

    fn send(began: u64, took: u64, end: End) -> Send {
        Send { name: (0, 0), began: Duration::from_millis(began), took: Duration::from_millis(took), end }
    }

    const STORED: End = End::Acknowledged { maybe_duplicate: false };

    /// One send after the other, each of `took` milliseconds.
    fn chain(from: u64, to: u64, took: u64) -> Vec<Send> {
        (from..to).step_by(took as usize).map(|began| send(began, took, STORED)).collect()
    }

    #[test]
    fn each_phase_counts_its_own_sends_and_the_first_two_seconds_of_a_fault_count_for_none() {
        let mut sends = chain(0, 8_000, 10);
        sends.push(send(8_000, 2_500, STORED));
        sends.extend(chain(10_500, 20_000, 20));
        sends.extend(chain(20_000, 29_000, 10));
        let figures = Figures::of(&sends, &AT);
        assert_eq!(figures.per_second.before.round(), 100.0);
        // 9.5 s of the 10 s, at half the speed.
        assert_eq!(figures.per_second.fault.round(), 48.0);
        assert_eq!(figures.per_second.after.round(), 100.0);
        assert!((figures.per_second.kept() - 0.475).abs() < 0.01);
    }

    #[test]
    fn what_was_under_way_at_the_fault_or_at_the_healing_is_a_send_of_the_fault() {
        let sends = [
            send(7_000, 3, STORED),
            send(7_999, 900, STORED),
            send(19_999, 901, STORED),
            send(20_900, 5, STORED),
        ];
        let figures = Figures::of(&sends, &AT);
        let [before, fault, after] = [3, 901, 5].map(Duration::from_millis);
        assert_eq!(figures.slowest, Slowest { before, fault, after });
        assert_eq!(figures.in_flight, 1);
    }

    #[test]
    fn errors_are_counted_by_kind_wherever_they_come() {
        let failed = |kind: &str| End::Failed { kind: kind.into(), denies: false };
        let sends = [
            send(100, 3_000, failed("timeout")),
            send(9_000, 3_000, failed("timeout")),
            send(25_000, 1, failed("refused")),
            send(26_000, 1, End::Acknowledged { maybe_duplicate: true }),
        ];
        let figures = Figures::of(&sends, &AT);
        assert_eq!(
            figures.errors.iter().map(|(kind, count)| (kind.as_str(), *count)).collect::<Vec<_>>(),
            [("refused", 1), ("timeout", 2)]
        );
        assert_eq!((figures.failed(), figures.acknowledged, figures.warnings), (3, 1, 1));
        // The failed send is the slowest: somebody waited for it.
        assert_eq!(figures.slowest.fault, seconds(3));
    }

    #[test]
    fn the_course_shows_each_second_and_where_the_fault_was() {
        let at = Moments { fault: seconds(2), heal: seconds(3), healed: seconds(3), end: seconds(4), ..AT };
        let mut sends = chain(0, 2_000, 500);
        sends.push(send(2_100, 3_000, STORED));
        assert_eq!(course(&sends, &at), "1 2 !1 +0 0");
    }

    #[test]
    fn without_a_send_nothing_was_kept() {
        assert_eq!(Figures::of(&[], &AT).per_second.kept(), 0.0);
    }
}
