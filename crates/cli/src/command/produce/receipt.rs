//! What became of one message, and the object that `-o json` prints for it.

use maxq::{ErrorCode, Outcome, SendError, SendErrorKind, SendReceipt, StoreStatus};
use serde::Serialize;

use crate::{exit::Exit, lines::Place, output::printable};

/// What became of one message.
#[derive(Debug)]
pub(super) enum Became {
    /// A broker has acknowledged it.
    Stored(SendReceipt),
    /// The socket took it; nobody knows more.
    HandedOver,
    /// It failed.
    Failed(Failed),
    /// The run ended before an answer came.
    Abandoned,
}

/// Why a message failed.
#[derive(Debug)]
pub(super) struct Failed {
    /// Whether it may be stored.
    pub(super) outcome: Outcome,
    pub(super) code: ErrorCode,
    /// What it means if nothing else happens in this run.
    pub(super) exit: Exit,
    pub(super) why: String,
}

impl Failed {
    /// A line of which no message could be made.
    pub(super) fn input(why: String) -> Self {
        Self { outcome: Outcome::NotSent, code: ErrorCode::INVALID, exit: Exit::Usage, why }
    }
}

impl From<SendError> for Failed {
    fn from(error: SendError) -> Self {
        let exit = match error.kind() {
            // The message is what is wrong, not what was typed.
            SendErrorKind::Invalid | SendErrorKind::TooLarge => Exit::Refused,
            _ => Exit::of_code(error.code()),
        };
        Self { outcome: error.outcome(), code: error.code(), exit, why: error.to_string() }
    }
}

/// One line of `-o json`.
#[derive(Debug, Serialize)]
pub(super) struct Receipt<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    line: u64,
    outcome: &'static str,
    #[serde(flatten)]
    stored: Option<Stored<'a>>,
    #[serde(flatten)]
    error: Option<Error<'a>>,
}

#[derive(Debug, Serialize)]
struct Stored<'a> {
    message_id: &'a str,
    offset_message_id: &'a str,
    topic: &'a str,
    broker: &'a str,
    queue: i32,
    offset: u64,
    status: &'static str,
    maybe_duplicate: bool,
    attempts: usize,
}

#[derive(Debug, Serialize)]
struct Error<'a> {
    code: String,
    error: &'a str,
}

impl<'a> Receipt<'a> {
    pub(super) fn new(place: &'a Place, became: &'a Became) -> Self {
        let stored = match became {
            Became::Stored(receipt) => Some(Stored::new(receipt)),
            _ => None,
        };
        let error = match became {
            Became::Failed(failed) => Some(Error { code: failed.code.to_string(), error: &failed.why }),
            Became::Abandoned => Some(Error { code: ErrorCode::CLOSED.to_string(), error: ABANDONED }),
            _ => None,
        };
        Self { file: place.file.as_deref(), line: place.line, outcome: became.word(), stored, error }
    }
}

impl<'a> Stored<'a> {
    fn new(receipt: &'a SendReceipt) -> Self {
        Self {
            message_id: receipt.message_id().as_str(),
            offset_message_id: receipt.offset_id(),
            topic: receipt.queue().topic(),
            broker: receipt.queue().broker_name(),
            queue: receipt.queue().queue_id(),
            offset: receipt.queue_offset(),
            status: match receipt.status() {
                StoreStatus::Ok => "ok",
                StoreStatus::FlushTimeout => "flush_timeout",
                StoreStatus::ReplicaTimeout => "replica_timeout",
                StoreStatus::NoReplica => "no_replica",
                _ => "other",
            },
            maybe_duplicate: receipt.maybe_duplicate(),
            attempts: receipt.attempts().len(),
        }
    }
}

impl Became {
    fn word(&self) -> &'static str {
        match self {
            Self::Stored(_) => "stored",
            Self::HandedOver => "handed_over",
            Self::Abandoned => "unknown",
            Self::Failed(failed) => match failed.outcome {
                Outcome::NotSent => "not_sent",
                Outcome::Refused => "refused",
                Outcome::Unknown => "unknown",
            },
        }
    }
}

/// Where a stored message is, for people.
pub(super) fn place_of(receipt: &SendReceipt) -> String {
    let queue = receipt.queue();
    let broker = printable(queue.broker_name());
    format!("{broker}:{} offset {}, id {}", queue.queue_id(), receipt.queue_offset(), receipt.message_id())
}

const ABANDONED: &str = "interrupted before an answer came: the message may or may not be stored";

#[cfg(test)]
mod tests {
    use super::*;

    fn json(file: Option<&str>, became: &Became) -> String {
        let place = Place { file: file.map(Into::into), line: 7 };
        serde_json::to_string(&Receipt::new(&place, became)).unwrap()
    }

    #[test]
    fn every_message_has_a_line_and_an_outcome() {
        assert_eq!(json(None, &Became::HandedOver), r#"{"line":7,"outcome":"handed_over"}"#);
        let failed = Became::Failed(Failed::input("no record".to_owned()));
        let expected = r#"{"file":"f","line":7,"outcome":"not_sent","code":"MQ1001","error":"no record"}"#;
        assert_eq!(json(Some("f"), &failed), expected);
        assert!(json(None, &Became::Abandoned).contains(r#""outcome":"unknown""#));
    }
}
