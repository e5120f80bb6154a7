//! The table of a run, for people and for `COMPATIBILITY.md`.

use std::{collections::BTreeMap, time::Duration};

use super::{Client, Measured, Row, storage::Duplicates};

/// One line a drill.
pub(super) fn markdown(rows: &[Row]) -> String {
    rows.iter().fold(HEAD.to_owned(), |text, row| text + &line(row) + "\n")
}

/// The line of one drill.
pub(super) fn line(row: &Row) -> String {
    let (fault, client, version) = (row.fault.words(), row.client.words(), &row.version);
    let cells = row.measured.as_ref().map_or_else(|_| NOT_CARRIED_OUT.to_owned(), cells);
    let verdict = match (row.client, row.objections().is_empty()) {
        (_, false) => "**fails**",
        (Client::Maxq, true) => "holds",
        (_, true) => "-",
    };
    format!("| {fault} | {version} | {client} | {cells} | {verdict} |")
}

fn cells(measured: &Measured) -> String {
    let Measured { figures, storage } = measured;
    let (slowest, rate) = (figures.slowest, figures.per_second);
    [
        errors(&figures.errors),
        format!("{} / {} / {}", millis(slowest.before), millis(slowest.fault), millis(slowest.after)),
        whole(rate.before),
        format!("{} ({:.0} %)", whole(rate.fault), rate.kept() * 100.0),
        whole(rate.after),
        storage.lost.to_string(),
        duplicates(&storage.duplicates),
        format!("{} / {}", figures.warnings, figures.in_flight),
    ]
    .join(" | ")
}

/// `0`, or `68: 60 timeout, 8 refused`.
fn errors(kinds: &BTreeMap<String, usize>) -> String {
    let kinds_of_one = |(kind, count): (&String, &usize)| format!("{count} {kind}");
    match kinds.values().sum::<usize>() {
        0 => "0".to_owned(),
        all => format!("{all}: {}", kinds.iter().map(kinds_of_one).collect::<Vec<_>>().join(", ")),
    }
}

/// `0`, or `9: 8 marked, 1 after an error`.
fn duplicates(duplicates: &Duplicates) -> String {
    let Duplicates { marked, unknown, unmarked } = *duplicates;
    let kinds = [(marked, "marked"), (unknown, "after an error"), (unmarked, "unmarked")];
    let kinds = kinds.iter().filter(|(count, _)| *count > 0);
    let kinds: Vec<_> = kinds.map(|(count, kind)| format!("{count} {kind}")).collect();
    if kinds.is_empty() { "0".to_owned() } else { format!("{}: {}", duplicates.count(), kinds.join(", ")) }
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

fn whole(number: f64) -> String {
    format!("{number:.0}")
}

const HEAD: &str = "\
| Failure | Apache | Client | Errors | Slowest send before / fault / after, ms | msg/s before | from 2 s on | after | Lost | Stored again | Receipts with a warning / sends in flight | Verdict |
|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|
";
const NOT_CARRIED_OUT: &str = "? | ? | ? | ? | ? | ? | ? | ?";

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::{
        super::{
            Drills, Fault,
            phases::{Figures, PerSecond, Slowest},
            storage::Storage,
        },
        *,
    };

    fn row(client: Client, measured: anyhow::Result<Measured>) -> Row {
        Row { version: "5.5.0".into(), fault: Fault::Freeze, client, measured }
    }

    fn measured() -> Measured {
        let slowest = [2, 3_004, 12].map(Duration::from_millis);
        let figures = Figures {
            acknowledged: 40_000,
            errors: BTreeMap::from([("MQClientException 10002".into(), 60), ("RemotingTooMuch".into(), 8)]),
            in_flight: 16,
            slowest: Slowest { before: slowest[0], fault: slowest[1], after: slowest[2] },
            per_second: PerSecond { before: 2_460.2, fault: 180.4, after: 2_399.6 },
            ..Figures::default()
        };
        let duplicates = Duplicates { marked: 0, unknown: 4, unmarked: 1 };
        Measured { figures, storage: Storage { duplicates, ..Storage::default() } }
    }

    #[test]
    fn a_row_says_what_was_measured_and_javas_has_no_verdict() {
        let table = markdown(&[row(Client::Java, Ok(measured()))]);
        assert_eq!(
            table.lines().last(),
            Some(
                "| SIGSTOP of one of two brokers | 5.5.0 | Apache Java | 68: 60 MQClientException 10002, 8 \
                 RemotingTooMuch | 2 / 3004 / 12 | 2460 | 180 (7 %) | 2400 | 0 | 5: 4 after an error, 1 unmarked | 0 / \
                 16 | - |"
            )
        );
    }

    #[test]
    fn the_same_figures_are_a_failure_of_maxq_and_each_broken_bound_is_named() {
        let drills = Drills { rows: vec![row(Client::Maxq, Ok(measured()))] };
        let text = drills.text();
        assert!(!drills.passed());
        for part in
            ["| **fails** |", "68 sends failed", "took 3004 ms", "7.3 %", "1 copies", "1 drills, 1 failed"]
        {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn good_figures_hold() {
        let mut good = measured();
        good.figures.errors.clear();
        good.figures.slowest.fault = Duration::from_millis(800);
        good.figures.per_second.fault = 2_500.0;
        good.storage = Storage::default();
        let drills = Drills { rows: vec![row(Client::Maxq, Ok(good)), row(Client::Java, Ok(measured()))] };
        assert!(drills.passed(), "{}", drills.text());
        assert!(drills.table().contains("| 0 | 0 / 16 | holds |"), "{}", drills.table());
    }

    #[test]
    fn a_drill_that_was_not_carried_out_has_failed_whoever_sent() {
        let mut rows = vec![row(Client::Java, Err(anyhow!("no java")))];
        rows.push(row(Client::Maxq, Err(anyhow!("no broker"))));
        for row in rows {
            let columns = markdown(std::slice::from_ref(&row))
                .lines()
                .map(|line| line.matches('|').count())
                .collect::<Vec<_>>();
            assert_eq!(columns, [13, 13, 13]);
            let drills = Drills { rows: vec![row] };
            assert!(!drills.passed() && drills.text().contains("could not be carried out: no "));
        }
    }

    #[test]
    fn a_run_without_maxq_has_not_passed() {
        assert!(!Drills::default().passed());
        assert!(!Drills { rows: vec![row(Client::Java, Ok(measured()))] }.passed());
    }
}
