//! What happened, as a table for people and one line for scripts.

use std::{fmt::Write as _, time::Duration};

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
            writeln!(text, "\n{:<46}{:<16}{:<9}{:<8}{:>8}", "scenario", "server", "client", "result", "time");
        for outcome in &self.outcomes {
            let Outcome { scenario, server, client, took, failure } = outcome;
            let result = if failure.is_none() { "pass" } else { "FAIL" };
            let seconds = format!("{:.1} s", took.as_secs_f64());
            let _ = writeln!(text, "{scenario:<46}{server:<16}{client:<9}{result:<8}{seconds:>8}");
        }
        let failed = self.outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
        let _ = writeln!(text, "\n{name}: {} passed, {failed} failed", self.outcomes.len() - failed);
        text
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
    fn a_run_without_scenarios_has_not_passed() {
        assert!(!Report::default().passed());
    }
}
