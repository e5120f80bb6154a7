//! Comparisons whose failure says what was expected and what came.

use std::fmt::Debug;

use anyhow::{Result, bail};

/// A named value under judgement.
pub(crate) struct That<'a, T> {
    what: &'a str,
    came: T,
}

/// Names a value that is about to be judged.
pub(crate) fn that<T>(what: &str, came: T) -> That<'_, T> {
    That { what, came }
}

impl<T: Debug + PartialEq> That<'_, T> {
    /// Fails unless the value equals `expected`.
    pub(crate) fn is(self, expected: &T) -> Result<()> {
        if self.came == *expected {
            return Ok(());
        }
        bail!("{}\n  expected: {}\n      came: {}", self.what, shown(expected), shown(&self.came));
    }
}

impl<T: Debug + PartialEq> That<'_, Vec<T>> {
    /// Fails unless the values equal `expected`, and shows the first that differs.
    pub(crate) fn are(self, expected: &[T]) -> Result<()> {
        let Self { what, came } = self;
        let equal = came.iter().zip(expected).take_while(|(one, other)| one == other).count();
        if equal == came.len() && equal == expected.len() {
            return Ok(());
        }
        let at = |list: &[T]| list.get(equal).map_or_else(|| "nothing".to_owned(), shown);
        bail!(
            "{what}: number {} differs ({} expected, {} came)\n  expected: {}\n      came: {}",
            equal + 1,
            expected.len(),
            came.len(),
            at(expected),
            at(&came)
        );
    }
}

/// Fails unless the sentence `what` is true.
pub(crate) fn holds(what: &str, is_true: bool) -> Result<()> {
    if is_true {
        return Ok(());
    }
    bail!("not true: {what}");
}

/// Fails unless `text` holds every one of `parts`.
pub(crate) fn contains(what: &str, text: &str, parts: &[&str]) -> Result<()> {
    for part in parts {
        if !text.contains(part) {
            bail!("{what}\n  expected: a text with `{part}`\n      came: {}", short(text));
        }
    }
    Ok(())
}

/// A long text cut to what a reader looks at.
pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}.. ({} bytes)", &text[..end], text.len()),
        None => text.to_owned(),
    }
}

fn shown(value: &impl Debug) -> String {
    short(&format!("{value:#?}"))
}

const SHORT: usize = 1_500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_both_sides() {
        let text = that("queue", 1).is(&2).unwrap_err().to_string();
        assert_eq!(text, "queue\n  expected: 2\n      came: 1");
    }

    #[test]
    fn of_lists_the_first_difference_is_shown() {
        let text = that("offsets", vec![1, 2, 4]).are(&[1, 2, 3, 4]).unwrap_err().to_string();
        assert_eq!(text, "offsets: number 3 differs (4 expected, 3 came)\n  expected: 3\n      came: 4");
        let text = that("offsets", vec![1]).are(&[1, 2]).unwrap_err().to_string();
        assert!(text.ends_with("expected: 2\n      came: nothing"), "{text}");
        assert!(that("offsets", vec![1, 2]).are(&[1]).is_err());
        assert!(that("offsets", vec![1, 2]).are(&[1, 2]).is_ok());
    }

    #[test]
    fn a_text_without_the_part_is_shown() {
        let text = contains("route", "broker-0", &["broker-0", "broker-1"]).unwrap_err().to_string();
        assert!(text.contains("`broker-1`") && text.ends_with("came: broker-0"), "{text}");
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        let text = short(&"\u{e4}".repeat(2_000));
        assert!(text.ends_with(".. (4000 bytes)") && text.chars().count() < 1_520, "{text}");
    }
}
