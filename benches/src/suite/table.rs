//! Rows of comparisons as a table that is readable as it is.

use crate::compare::{Aim, Row};

/// A Markdown table.
pub(super) fn markdown(rows: &[Row]) -> String {
    let mut table = format!("| {} |\n|---|{}\n", TITLES.join(" | "), "--:|".repeat(TITLES.len() - 1));
    for row in rows {
        table += &format!("| {} |\n", cells(row).join(" | "));
    }
    table
}

fn cells(row: &Row) -> [String; 13] {
    let (floor, client) = (&row.floor, &row.client);
    [
        row.label.clone(),
        format!("{:.2}", floor.cpu_us),
        format!("{:.2}", client.cpu_us),
        format!("**{:.2}**", row.ratio),
        format!("{:.2} to {:.2}", row.ratio_min, row.ratio_max),
        aim(row),
        format!("{:.0}", floor.messages_per_second),
        format!("{:.0}", client.messages_per_second),
        format!("{:.0}", client.p50_us),
        format!("{:.0}", client.p99_us),
        format!("{:.0}", client.max_us),
        client.writes_per_message.map_or_else(String::new, |writes| format!("{writes:.3}")),
        format!("{:.1}", client.messages_per_read),
    ]
}

fn aim(row: &Row) -> String {
    let verdict = match row.meets_aim() {
        Some(true) => "met",
        Some(false) => "missed",
        None => return String::new(),
    };
    match row.aim {
        Some(Aim::Times(most)) => format!("{most} x: {verdict}"),
        Some(Aim::Micros(most)) => format!("{most} us: {verdict}"),
        None => String::new(),
    }
}

const TITLES: [&str; 13] = [
    "",
    "floor CPU us",
    "client CPU us",
    "ratio",
    "pairs",
    "aim",
    "floor msg/s",
    "client msg/s",
    "client p50 us",
    "p99 us",
    "max us",
    "writes per message",
    "messages per read",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::tests::{report, row};

    #[test]
    fn every_cell_has_a_title() {
        let mut row = row(&[(report(1.0, 1000.0), report(2.5, 400.0))]);
        row.client.writes_per_message = Some(0.25);
        let table = markdown(&[row]);
        assert_eq!(table.lines().count(), 3);
        let last = "| 64 in flight | 1.00 | 2.50 | **2.50** | 2.50 to 2.50 | 4 x: met | 1000 | 400 | 1 | 1 | 1 | 0.250 \
                    | 1.0 |";
        assert_eq!(table.lines().last(), Some(last));
        let columns = |line: &str| line.matches('|').count();
        assert!(table.lines().all(|line| columns(line) == columns(last)), "{table}");
    }
}
