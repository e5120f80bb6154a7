//! What the clients under load report: one record for each send, the same for every client.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// One send of a load. Its times count from the start of the load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Send {
    /// Which of the senders, and the how manieth of its sends: together they name the message.
    pub(crate) name: Name,
    pub(crate) began: Duration,
    pub(crate) took: Duration,
    pub(crate) end: End,
}

/// Sender and number, as the message's body carries them.
pub(crate) type Name = (u32, u32);

/// What the client said of a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It is stored.
    Acknowledged {
        /// The client warns that it may be stored twice.
        maybe_duplicate: bool,
    },
    /// An error.
    Failed {
        /// Of what kind, in the client's words.
        kind: String,
        /// The client says for sure that no broker has stored it.
        denies: bool,
    },
}

impl Send {
    /// When it ended.
    pub(crate) fn ended(&self) -> Duration {
        self.began + self.took
    }

    /// Whether it was acknowledged.
    pub(crate) const fn is_acknowledged(&self) -> bool {
        matches!(self.end, End::Acknowledged { .. })
    }
}

/// The lines `SENDER NUMBER BEGAN TOOK [KIND OF ERROR]` of the Java load, times in microseconds.
pub(crate) fn of_java(lines: &str) -> Result<Vec<Send>> {
    lines.lines().map(|line| java_send(line).with_context(|| format!("not a send: {line}"))).collect()
}

fn java_send(line: &str) -> Result<Send> {
    let mut words = line.splitn(5, ' ');
    let mut number = || -> Result<u64> { Ok(words.next().context("too few words")?.parse()?) };
    let name = (u32::try_from(number()?)?, u32::try_from(number()?)?);
    let (began, took) = (Duration::from_micros(number()?), Duration::from_micros(number()?));
    let end = match words.next() {
        // Apache's client never says that a message may be there twice,
        None => End::Acknowledged { maybe_duplicate: false },
        // nor that a failed one is surely not stored.
        Some(kind) => End::Failed { kind: kind.to_owned(), denies: false },
    };
    Ok(Send { name, began, took, end })
}

/// The body that names a message of a load, as `judge.Tally` reads it.
pub(crate) fn body((sender, number): Name) -> Vec<u8> {
    let mut body = format!("{sender} {number} ").into_bytes();
    body.resize(BODY.max(body.len()), b'.');
    body
}

/// The message that a body names.
pub(crate) fn named(body: &[u8]) -> Option<Name> {
    let mut words = std::str::from_utf8(body).ok()?.split(' ');
    let mut number = || words.next()?.parse().ok();
    Some((number()?, number()?))
}

/// Bytes of each message: what Apache's own benchmark sends.
pub(crate) const BODY: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_java_load_is_a_send() {
        let sends = of_java("3 7 1000 250\n3 8 1250 3000000 MQClientException 10002\n").unwrap();
        let acknowledged = End::Acknowledged { maybe_duplicate: false };
        let (began, took) = (Duration::from_millis(1), Duration::from_micros(250));
        assert_eq!(sends[0], Send { name: (3, 7), began, took, end: acknowledged });
        assert_eq!(sends[1].ended(), Duration::from_micros(3_001_250));
        assert_eq!(sends[1].end, End::Failed { kind: "MQClientException 10002".into(), denies: false });
    }

    #[test]
    fn a_line_that_is_cut_off_is_an_error() {
        assert!(of_java("3 7 1000").is_err());
        assert!(of_java("3 -7 1000 250").is_err());
    }

    #[test]
    fn a_body_names_its_message_and_has_the_size_of_all_others() {
        assert!(body((15, 4_711)).starts_with(b"15 4711 ..."));
        assert_eq!(body((0, 0)).len(), BODY);
        assert_eq!(named(&body((15, 4_711))), Some((15, 4_711)));
        assert_eq!(named(b"something else"), None);
    }
}
