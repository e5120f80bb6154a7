//! What the brokers hold after a drill, beside what the client had said.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::sends::{End, Name, Send};

/// What the brokers hold of one sender, as Apache's consumer read it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Tally {
    pub(crate) sender: u32,
    /// Numbers of its messages as ranges: `0-41 43-50`.
    pub(crate) stored: String,
    /// Further copies by number: `17:1 30:2`.
    pub(crate) again: String,
}

/// Client and store compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Storage {
    /// Messages that were acknowledged and are not there.
    pub(crate) lost: usize,
    /// Copies beyond the first of a message.
    pub(crate) duplicates: Duplicates,
    /// Messages of which the client said that no broker has them, and that are there.
    pub(crate) denied: usize,
    /// Messages that ended in an error of unknown outcome, and are there.
    pub(crate) stored_after_error: usize,
}

/// Copies beyond the first, by what the client had said of their message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Duplicates {
    /// Acknowledged with the warning that it may be stored twice.
    pub(crate) marked: usize,
    /// An error that left open whether it is stored.
    pub(crate) unknown: usize,
    /// Acknowledged as stored, and nothing else said.
    pub(crate) unmarked: usize,
}

impl Duplicates {
    /// All of them.
    pub(crate) const fn count(&self) -> usize {
        self.marked + self.unknown + self.unmarked
    }
}

impl Storage {
    /// Compares. A stored message that nobody has sent is an error of the suite.
    pub(crate) fn compare(sends: &[Send], tallies: &[Tally]) -> Result<Self> {
        let mut copies = copies(tallies)?;
        let mut storage = Self::default();
        for send in sends {
            let copies = copies.remove(&send.name).unwrap_or(0);
            storage.observe(&send.end, copies);
        }
        match copies.first_key_value() {
            Some((name, _)) => anyhow::bail!("the brokers hold message {name:?}, which nobody sent"),
            None => Ok(storage),
        }
    }

    const fn observe(&mut self, end: &End, copies: usize) {
        let again = copies.saturating_sub(1);
        match end {
            End::Acknowledged { .. } if copies == 0 => self.lost += 1,
            End::Acknowledged { maybe_duplicate: true } => self.duplicates.marked += again,
            End::Acknowledged { maybe_duplicate: false } => self.duplicates.unmarked += again,
            End::Failed { .. } if copies == 0 => {}
            End::Failed { denies: true, .. } => self.denied += 1,
            End::Failed { denies: false, .. } => {
                self.stored_after_error += 1;
                self.duplicates.unknown += again;
            }
        }
    }
}

/// How often each message is stored.
fn copies(tallies: &[Tally]) -> Result<BTreeMap<Name, usize>> {
    let mut copies = BTreeMap::new();
    for tally in tallies {
        for range in tally.stored.split_whitespace() {
            let (first, last): (u32, u32) =
                pair(range, '-').with_context(|| format!("not a range: {range}"))?;
            copies.extend((first..=last).map(|number| ((tally.sender, number), 1)));
        }
        for again in tally.again.split_whitespace() {
            let (number, count): (u32, usize) =
                pair(again, ':').with_context(|| format!("not a count: {again}"))?;
            *copies.entry((tally.sender, number)).or_default() += count;
        }
    }
    Ok(copies)
}

fn pair<A, B>(text: &str, between: char) -> Option<(A, B)>
where
    A: std::str::FromStr,
    B: std::str::FromStr,
{
    let (first, second) = text.split_once(between)?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const STORED: End = End::Acknowledged { maybe_duplicate: false };
    const MARKED: End = End::Acknowledged { maybe_duplicate: true };

    fn failed(denies: bool) -> End {
        End::Failed { kind: "timeout".into(), denies }
    }

    /// What comes of one sender's sends.
    fn compare(ends: &[End], stored: &str, again: &str) -> Result<Storage> {
        let send = |(number, end): (u32, &End)| Send {
            name: (0, number),
            began: Duration::ZERO,
            took: Duration::ZERO,
            end: end.clone(),
        };
        let sends: Vec<_> = (0..).zip(ends).map(send).collect();
        Storage::compare(&sends, &[Tally { sender: 0, stored: stored.into(), again: again.into() }])
    }

    #[test]
    fn an_acknowledged_message_that_is_not_there_is_lost() {
        let storage = compare(&[STORED, STORED, MARKED, failed(false)], "0-0", "").unwrap();
        assert_eq!(storage, Storage { lost: 2, ..Storage::default() });
    }

    #[test]
    fn copies_are_told_apart_by_what_the_client_had_said() {
        let storage = compare(&[STORED, MARKED, MARKED, failed(false)], "0-3", "0:1 1:2 3:1").unwrap();
        let duplicates = Duplicates { marked: 2, unknown: 1, unmarked: 1 };
        assert_eq!(storage, Storage { duplicates, stored_after_error: 1, ..Storage::default() });
        assert_eq!(storage.duplicates.count(), 4);
    }

    #[test]
    fn a_message_that_was_called_not_stored_and_is_there_was_denied() {
        let storage = compare(&[failed(true), failed(true)], "1-1", "").unwrap();
        assert_eq!(storage, Storage { denied: 1, ..Storage::default() });
    }

    #[test]
    fn a_message_that_nobody_sent_is_an_error() {
        let error = compare(&[STORED], "0-1", "").unwrap_err().to_string();
        assert!(error.contains("(0, 1), which nobody sent"), "{error}");
    }

    #[test]
    fn an_answer_that_is_not_understood_is_an_error() {
        assert!(compare(&[STORED], "0", "").is_err());
        assert!(compare(&[STORED], "0-0", "0").is_err());
    }
}
