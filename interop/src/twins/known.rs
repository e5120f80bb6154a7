//! The differences that are meant: each with the line of the emulator's documentation that owns up to it.

use self::Versions::{Both, Only};
use super::compare::Difference;

/// Differences that the emulator has on purpose.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) versions: Versions,
    /// Which steps, with `*` for anything.
    pub(super) steps: &'static str,
    /// Which facets, with `*` for anything.
    pub(super) facets: &'static str,
    /// The begin of the row in the documentation of `maxq-emulator` that says so, and why.
    pub(super) documented: &'static str,
    /// Whether it depends on how long the run takes.
    pub(super) may_be_missing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versions {
    Both,
    Only(&'static str),
}

impl Known {
    /// Whether a difference is this one.
    pub(super) fn covers(&self, difference: &Difference) -> bool {
        matches(self.steps, &difference.step) && matches(self.facets, &difference.facet)
    }
}

/// Those of one version.
pub(super) fn of(version: &str) -> Vec<&'static Known> {
    let is_of = |known: &&'static Known| match known.versions {
        Both => true,
        Only(only) => only == version,
    };
    KNOWN.iter().filter(is_of).collect()
}

/// Whether `text` has the form of `pattern`, in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

const fn known(
    versions: Versions,
    steps: &'static str,
    facets: &'static str,
    documented: &'static str,
) -> Known {
    Known { versions, steps, facets, documented, may_be_missing: false }
}

/// A difference that time decides on.
const fn sometimes(known: Known) -> Known {
    Known { may_be_missing: true, ..known }
}

const HALF_TOPIC: &str = "`RMQ_SYS_TRANS_HALF_TOPIC` is there from the start";
const NOT_YET: &str = "everything else that the version knows";

const KNOWN: &[Known] = &[
    known(Both, "later: a delay level", "*", "delay levels"),
    known(Only("5.5.0"), "later: a timer", "*", "timer messages"),
    known(Both, "later: a half message", "*", "half messages"),
    known(Both, "not yet: *", "*", NOT_YET),
    known(Both, "name server: *", "body.topicList[\"RMQ_SYS_TRACE_TOPIC\"]", "`RMQ_SYS_TRACE_TOPIC` exists"),
    sometimes(known(
        Only("4.9.7"),
        "name server: *",
        "body.topicList[\"RMQ_SYS_TRANS_HALF_TOPIC\"]",
        HALF_TOPIC,
    )),
    sometimes(known(Only("4.9.7"), "name server: route of `RMQ_SYS_TRANS_HALF_TOPIC`", "*", HALF_TOPIC)),
    sometimes(known(
        Only("5.5.0"),
        "statistics: offsets of *",
        "body.topicPutTps",
        "the topic and consume statistics",
    )),
    sometimes(known(Both, "statistics: progress *", "body.consumeTps", "the topic and consume statistics")),
    known(Both, "statistics: runtime information", "body.table.*", "the runtime information (28)"),
    known(Both, "frame: *: a header with single quotes", "*", "a JSON header is JSON"),
];

/// The rows of the documentation whose difference no answer of the table shows, and why.
#[cfg(test)]
const NOT_SHOWN: &[(&str, &str)] = &[
    ("messages live in memory", "the table stores little"),
    ("a message is in its queue when", "what a server does a moment later is asked for until it is there"),
    ("with 4.9.7, a new topic's route", "what a server does a moment later is asked for until it is there"),
    ("a name server that starts again", "nothing is started again"),
    ("a read-only broker refuses", "no broker is made read-only"),
    ("a held pull ends when", "only whether it is held is compared"),
    ("a held pull looks for messages", "only whether it is held is compared"),
    ("stored properties stand in", "properties are compared by their names"),
    ("a unique key that the broker makes", "the keys that servers make are masked"),
    ("`extFields` is always there", "empty and none are read alike"),
    ("code 1 for a Java exception", "of an exception the class is compared"),
    ("an offset where no record begins", "what is there depends on the log of the server"),
    ("the IPv6 bits of a request's", "they would corrupt Apache's queue"),
    ("broken frames close a connection", "frames of the table are long enough for both"),
    ("no NOTIFY_CONSUMER_IDS_CHANGED", "the server's own requests are passed over"),
    ("at most 16,384 held pulls", "the table holds seven"),
    ("`putTps` and its like", "of measurements only the keys are compared"),
];

#[cfg(test)]
mod tests {
    use super::*;

    const EMULATOR: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/emulator/src/lib.rs"));

    /// The first cells of the table behind a heading of the emulator's documentation.
    fn rows(heading: &str) -> Vec<&'static str> {
        let (_, behind) = EMULATOR.split_once(heading).expect("the heading is there");
        let table = behind.lines().map(|line| line.trim_start_matches("//!").trim());
        let rows = table.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
        rows.skip(2).map(|row| row.trim_start_matches(['|', ' '])).collect()
    }

    #[test]
    fn every_known_difference_is_documented() {
        let rows = [rows("# What is there"), rows("# What is different from Apache")].concat();
        let claimed = KNOWN.iter().map(|known| known.documented).chain(NOT_SHOWN.iter().map(|(row, _)| *row));
        for begin in claimed {
            assert!(rows.iter().any(|row| row.starts_with(begin)), "no row begins with {begin:?}");
        }
    }

    #[test]
    fn every_documented_difference_is_known_or_cannot_be_shown() {
        for row in rows("# What is different from Apache") {
            let shown = KNOWN.iter().any(|known| row.starts_with(known.documented));
            let hidden = NOT_SHOWN.iter().any(|(begin, _)| row.starts_with(begin));
            assert!(shown != hidden, "{row}");
        }
    }

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text) in
            [("a*c", "abc"), ("a*c", "ac"), ("*", ""), ("a", "a"), ("*b*", "abc"), ("a*a", "aba")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a*c", "abd"), ("a", "ab"), ("a*a", "a"), ("*b*d", "abc")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
