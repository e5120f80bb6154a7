//! What happened, as a table for people and one line for scripts.

use std::{fmt::Write as _, time::Duration};

use crate::machine;

/// The outcomes of a run, in the order in which they are shown.
#[derive(Debug, Default)]
pub(crate) struct Report {
    outcomes: Vec<Outcome>,
}

/// How one scenario ended.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) scenario: String,
    /// Who served.
    pub(crate) server: String,
    /// Version of Apache's client and tools.
    pub(crate) client: String,
    pub(crate) took: Duration,
    /// What was expected and what came, with the servers' last words.
    pub(crate) failure: Option<String>,
    /// Why it cannot be played here; it has neither passed nor failed.
    pub(crate) obstacle: Option<&'static str>,
}

impl Report {
    /// Adds the outcomes of one version.
    pub(crate) fn extend(&mut self, outcomes: Vec<Outcome>) {
        self.outcomes.extend(outcomes);
    }

    /// Whether every scenario passed, and there was one.
    pub(crate) fn passed(&self) -> bool {
        !self.outcomes.is_empty() && self.outcomes.iter().all(|outcome| outcome.failure.is_none())
    }

    /// The failures in full, the table, and the line `name: N passed, M failed`.
    pub(crate) fn text(&self, name: &str) -> String {
        let mut text = String::new();
        for outcome in &self.outcomes {
            if let Some(failure) = &outcome.failure {
                let Outcome { scenario, server, client, .. } = outcome;
                let _ = writeln!(text, "\nFAILED: {scenario} (server {server}, client {client})\n{failure}");
            }
        }
        let _ =
            writeln!(text, "\n{:<60}{:<16}{:<9}{:<8}{:>8}", "scenario", "server", "client", "result", "time");
        for outcome in &self.outcomes {
            let Outcome { scenario, server, client, took, failure, obstacle } = outcome;
            let result = match (failure, obstacle) {
                (Some(_), _) => "FAIL",
                (None, Some(_)) => "-",
                (None, None) => "pass",
            };
            let (seconds, why) = (format!("{:.1} s", took.as_secs_f64()), obstacle.unwrap_or_default());
            let line = format!("{scenario:<60}{server:<16}{client:<9}{result:<8}{seconds:>8}  {why}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
        let count = |what: fn(&&Outcome) -> bool| self.outcomes.iter().filter(what).count();
        let (failed, apart) =
            (count(|outcome| outcome.failure.is_some()), count(|outcome| outcome.obstacle.is_some()));
        let passed = self.outcomes.len() - failed - apart;
        let not_played = if apart == 0 { String::new() } else { format!(", {apart} not possible here") };
        let _ = writeln!(text, "\n{name}: {passed} passed, {failed} failed{not_played}");
        text
    }
}

impl Report {
    /// The section of `COMPATIBILITY.md`: a line for each scenario, a column for each server with its client.
    pub(crate) fn section(&self) -> String {
        let mut servers: Vec<_> = self.outcomes.iter().map(Outcome::played_by).collect();
        servers.sort();
        servers.dedup();
        let mut scenarios: Vec<&str> = Vec::new();
        for outcome in &self.outcomes {
            if !scenarios.contains(&outcome.scenario.as_str()) {
                scenarios.push(&outcome.scenario);
            }
        }
        let mut text = format!("Run {}.\n\n| Scenario |", machine::described());
        for (server, client) in &servers {
            let _ = write!(text, " {server}, Apache's client {client} |");
        }
        let _ = write!(text, "\n|---|{}", "---|".repeat(servers.len()));
        for scenario in scenarios {
            // A bar in a name would begin a column.
            let _ = write!(text, "\n| {} |", scenario.replace('|', "\\|"));
            for server in &servers {
                let of = |outcome: &&Outcome| outcome.scenario == scenario && outcome.played_by() == *server;
                let result = match self.outcomes.iter().find(of) {
                    None => "-",
                    Some(Outcome { obstacle: Some(_), .. }) => "not possible",
                    Some(Outcome { failure: None, .. }) => "pass",
                    Some(_) => "**fails**",
                };
                let _ = write!(text, " {result} |");
            }
        }
        let mut obstacles: Vec<_> = self.outcomes.iter().filter_map(Outcome::told_obstacle).collect();
        obstacles.sort();
        obstacles.dedup();
        if !obstacles.is_empty() {
            let _ = write!(text, "\n\nNot possible: {}.", obstacles.join("; "));
        }
        text
    }
}

impl Outcome {
    /// Scenario, and why it cannot be played.
    fn told_obstacle(&self) -> Option<String> {
        Some(format!("{} ({})", self.scenario, self.obstacle?))
    }

    /// Server and version of Apache's client.
    fn played_by(&self) -> (&str, &str) {
        (&self.server, &self.client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(failure: Option<&str>) -> Outcome {
        Outcome {
            scenario: "a message goes there".into(),
            server: "Apache 5.5.0".into(),
            client: "5.5.0".into(),
            took: Duration::from_millis(1250),
            failure: failure.map(str::to_owned),
            obstacle: None,
        }
    }

    #[test]
    fn the_last_line_counts_both_kinds() {
        let report =
            Report { outcomes: vec![outcome(None), outcome(Some("expected 1, came 2")), outcome(None)] };
        let text = report.text("smoke");
        assert!(!report.passed());
        assert!(text.ends_with("\nsmoke: 2 passed, 1 failed\n"), "{text}");
        assert!(text.contains("expected 1, came 2") && text.contains("1.2 s"), "{text}");
    }

    #[test]
    fn the_section_has_a_column_for_each_server_and_shows_what_was_not_played() {
        let old = Outcome { server: "Apache 4.9.7".into(), client: "4.9.7".into(), ..outcome(Some("lost")) };
        let other = Outcome { scenario: "cat | produce".into(), ..outcome(None) };
        let section = Report { outcomes: vec![outcome(None), other, old] }.section();
        let table: Vec<_> = section.lines().skip_while(|line| !line.starts_with('|')).collect();
        assert_eq!(
            table,
            [
                "| Scenario | Apache 4.9.7, Apache's client 4.9.7 | Apache 5.5.0, Apache's client 5.5.0 |",
                "|---|---|---|",
                "| a message goes there | **fails** | pass |",
                r"| cat \| produce | - | pass |",
            ]
        );
    }

    #[test]
    fn what_is_not_possible_has_neither_passed_nor_failed_and_says_why() {
        let apart =
            Outcome { scenario: "a disk is full".into(), obstacle: Some("it is not"), ..outcome(None) };
        let report = Report { outcomes: vec![outcome(None), apart] };
        let text = report.text("smoke");
        assert!(report.passed());
        assert!(text.ends_with("\nsmoke: 1 passed, 0 failed, 1 not possible here\n"), "{text}");
        let section = report.section();
        assert!(section.contains("| a disk is full | not possible |"), "{section}");
        assert!(section.ends_with("Not possible: a disk is full (it is not)."), "{section}");
    }

    #[test]
    fn a_run_without_scenarios_has_not_passed() {
        assert!(!Report::default().passed());
    }
}
