//! The bounds that Maxq must keep in each drill.

use std::time::Duration;

use super::{Fault, Measured, phases::Figures, storage::Storage};

/// What a drill has shown against Maxq: one sentence for each bound that is broken, none if all hold.
pub(crate) fn broken(fault: Fault, measured: &Measured) -> Vec<String> {
    let Measured { figures, storage } = measured;
    let mut broken = Vec::new();
    let mut bound = |holds: bool, sentence: String| {
        if !holds {
            broken.push(sentence);
        }
    };
    answered(figures, &mut bound);
    let (slowest, limit) = (figures.slowest.fault, slowest_send(fault));
    bound(
        slowest < limit,
        format!(
            "the slowest send took {} ms, and must take less than {}",
            slowest.as_millis(),
            limit.as_millis()
        ),
    );
    if fault == Fault::Freeze {
        throughput(figures, &mut bound);
    }
    stored(figures, storage, &mut bound);
    broken
}

/// The part of [`broken`] that holds at any speed of the machine.
pub(crate) fn broken_always(measured: &Measured) -> Vec<String> {
    let Measured { figures, storage } = measured;
    let mut broken = Vec::new();
    let mut bound = |holds: bool, sentence: String| {
        if !holds {
            broken.push(sentence);
        }
    };
    answered(figures, &mut bound);
    stored(figures, storage, &mut bound);
    broken
}

fn answered(figures: &Figures, bound: &mut impl FnMut(bool, String)) {
    bound(figures.per_second.before > 0.0, "no message was acknowledged before the fault".into());
    bound(figures.failed() == 0, format!("{} sends failed, and none may", figures.failed()));
}

fn throughput(figures: &Figures, bound: &mut impl FnMut(bool, String)) {
    let kept = figures.per_second.kept();
    bound(
        kept >= THROUGHPUT_KEPT,
        format!(
            "{:.1} % of the throughput was there from 2 s after the fault on, and {:.0} % must be",
            kept * 100.0,
            THROUGHPUT_KEPT * 100.0
        ),
    );
}

fn stored(figures: &Figures, storage: &Storage, bound: &mut impl FnMut(bool, String)) {
    let duplicates = storage.duplicates;
    bound(storage.lost == 0, format!("{} acknowledged messages are not stored", storage.lost));
    bound(
        duplicates.count() <= figures.in_flight,
        format!(
            "{} copies were stored again, and only {} sends were in flight at the fault",
            duplicates.count(),
            figures.in_flight
        ),
    );
    bound(
        duplicates.unmarked == 0,
        format!("{} copies were stored again without a warning in the receipt", duplicates.unmarked),
    );
    bound(storage.denied == 0, format!("{} messages were called not stored, and are", storage.denied));
}

/// What no send may reach while the fault lasts.
const fn slowest_send(fault: Fault) -> Duration {
    match fault {
        // A dead process is reported by the kernel at once.
        Fault::Kill => Duration::from_millis(100),
        // A frozen one is not reported by anybody: the client has to give up waiting for it.
        Fault::Freeze => Duration::from_millis(1_200),
    }
}

const THROUGHPUT_KEPT: f64 = 0.95;

#[cfg(test)]
mod tests {
    use super::{
        super::{
            phases::{PerSecond, Slowest},
            storage::Duplicates,
        },
        *,
    };

    fn good() -> Measured {
        let figures = Figures {
            acknowledged: 10_000,
            in_flight: 16,
            slowest: Slowest { fault: Duration::from_millis(99), ..Slowest::default() },
            per_second: PerSecond { before: 1_000.0, fault: 950.0, after: 900.0 },
            ..Figures::default()
        };
        let duplicates = Duplicates { marked: 16, unknown: 0, unmarked: 0 };
        Measured { figures, storage: Storage { duplicates, ..Storage::default() } }
    }

    /// The one sentence that `change` brings, by fault.
    fn sentences(change: impl Fn(&mut Measured)) -> [Vec<String>; 2] {
        [Fault::Kill, Fault::Freeze].map(|fault| {
            let mut measured = good();
            change(&mut measured);
            broken(fault, &measured)
        })
    }

    #[test]
    fn a_drill_within_all_bounds_passes() {
        assert_eq!(sentences(|_| {}), [Vec::<String>::new(), Vec::new()]);
    }

    #[test]
    fn each_bound_can_be_broken_alone() {
        type Change = fn(&mut Measured);
        let changes: [(Change, &str); 6] = [
            (|measured| *measured.figures.errors.entry("timeout".into()).or_default() = 1, "1 sends failed"),
            (|measured| measured.figures.slowest.fault = Duration::from_millis(1_200), "took 1200 ms"),
            (|measured| measured.storage.lost = 1, "1 acknowledged messages are not stored"),
            (|measured| measured.storage.duplicates.unknown = 1, "17 copies were stored again, and only 16"),
            (
                |measured| measured.storage.duplicates = Duplicates { marked: 0, unknown: 0, unmarked: 1 },
                "1 copies were stored again without",
            ),
            (|measured| measured.storage.denied = 1, "1 messages were called not stored"),
        ];
        for (change, sentence) in changes {
            for broken in sentences(change) {
                assert!(broken.len() == 1 && broken[0].contains(sentence), "{sentence}: {broken:?}");
            }
        }
    }

    #[test]
    fn at_any_speed_only_errors_and_the_store_count() {
        let mut measured = good();
        measured.figures.slowest.fault = Duration::from_secs(2);
        measured.figures.per_second.fault = 1.0;
        assert_eq!(broken_always(&measured), Vec::<String>::new());
        measured.storage.lost = 1;
        assert_eq!(broken_always(&measured), ["1 acknowledged messages are not stored"]);
    }

    #[test]
    fn a_killed_broker_may_cost_a_send_less_than_a_frozen_one() {
        let [kill, freeze] =
            sentences(|measured| measured.figures.slowest.fault = Duration::from_millis(100));
        assert_eq!((kill.len(), freeze.len()), (1, 0));
    }

    #[test]
    fn only_a_freeze_is_judged_by_throughput() {
        let [kill, freeze] = sentences(|measured| measured.figures.per_second.fault = 949.0);
        assert!(kill.is_empty());
        assert!(freeze.len() == 1 && freeze[0].starts_with("94.9 %"), "{freeze:?}");
    }

    #[test]
    fn a_load_that_never_ran_does_not_pass() {
        let [kill, _] = sentences(|measured| measured.figures.per_second.before = 0.0);
        assert_eq!(kill, ["no message was acknowledged before the fault"]);
    }
}
