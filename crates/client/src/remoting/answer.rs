//! What a broker answers to a send. Nearly always "stored, here": that is read in place, and nothing else is kept.

use std::fmt;

use maxq_protocol::{RemotingCommand, ResponseCode, header::StoredReply};

/// The answer to a send.
#[derive(Debug)]
pub(crate) enum SendAnswer {
    /// The usual one: success, and where the message is.
    Stored(Stored),
    /// Any other.
    Other(Box<RemotingCommand>),
}

impl SendAnswer {
    pub(crate) fn code(&self) -> ResponseCode {
        match self {
            Self::Stored(_) => ResponseCode::SUCCESS,
            Self::Other(command) => command.response_code(),
        }
    }

    pub(crate) fn remark(&self) -> Option<&str> {
        match self {
            Self::Stored(_) => None,
            Self::Other(command) => command.remark.as_deref(),
        }
    }

    /// Where the message is, if the answer says so.
    pub(crate) fn into_stored(self) -> Option<Stored> {
        match self {
            Self::Stored(stored) => Some(stored),
            Self::Other(command) => Some(Stored {
                offset_id: OffsetId::new(command.ext.get("msgId")?),
                queue_id: command.ext.get("queueId")?.parse().ok()?,
                queue_offset: command.ext.get("queueOffset")?.parse().ok()?,
            }),
        }
    }
}

/// Where a message is.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) offset_id: OffsetId,
    pub(crate) queue_id: i32,
    pub(crate) queue_offset: u64,
}

impl From<StoredReply<'_>> for Stored {
    fn from(reply: StoredReply<'_>) -> Self {
        Self {
            offset_id: OffsetId::new(reply.message_id),
            queue_id: reply.queue_id,
            queue_offset: reply.queue_offset,
        }
    }
}

/// An offset message id as the broker wrote it, whatever that was. The usual one, of an IPv4 address, needs no
/// allocation.
#[derive(Clone)]
pub(crate) struct OffsetId(Text);

#[derive(Clone)]
enum Text {
    Usual([u8; 32]),
    Other(Box<str>),
}

impl OffsetId {
    pub(crate) fn new(text: &str) -> Self {
        Self(text.as_bytes().try_into().map_or_else(|_| Text::Other(text.into()), Text::Usual))
    }

    pub(crate) fn as_str(&self) -> &str {
        match &self.0 {
            Text::Usual(text) => std::str::from_utf8(text).expect("it was a text"),
            Text::Other(text) => text,
        }
    }
}

impl fmt::Debug for OffsetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_id_stays_as_the_broker_wrote_it() {
        for text in
            ["", "7f00000100002A9F00000000000003E8", "7F00000100002A9F0000,7F00", "äöü", &"ä".repeat(16)]
        {
            assert_eq!(OffsetId::new(text).as_str(), text);
        }
    }
}
