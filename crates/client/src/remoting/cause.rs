//! Why a connection could not be opened, or ended. One value, shared by all who waited for it.

use std::{fmt, io};

use maxq_protocol::{DecodeError, DecodeErrorKind};

/// The cause of a missing connection or answer.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The operating system refused or broke the connection.
    Io(io::Error),
    /// The stream could not be opened in time.
    ConnectTimedOut,
    /// The peer closed the stream.
    PeerClosed,
    /// The bytes were no frames.
    Protocol(DecodeError),
    /// The deadline of the request is over.
    TimedOut,
    /// Nothing was said for a long time.
    Idle,
    /// More requests wait for this connection than it takes.
    Full,
    /// The server asked to go away (code 1500).
    GoAway,
    /// This client is closing.
    Closed,
}

impl Cause {
    /// Whether nobody listens at the address.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    }

    /// Whether the peer speaks HTTP: a gRPC port of a proxy or a web server, not a remoting port.
    pub(crate) fn is_http(&self) -> bool {
        let Self::Protocol(DecodeError { kind: DecodeErrorKind::FrameTooLong { length, .. }, .. }) = self
        else {
            return false;
        };
        matches!(&length.to_be_bytes(), b"PRI " | b"HTTP")
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => f.write_str("connection refused"),
                io::ErrorKind::ConnectionReset => f.write_str("connection reset by the peer"),
                io::ErrorKind::BrokenPipe => f.write_str("connection broken"),
                _ => write!(f, "{error}"),
            },
            Self::ConnectTimedOut => f.write_str("connecting took too long"),
            Self::PeerClosed => f.write_str("the peer closed the connection"),
            Self::Protocol(error) => write!(f, "the peer does not speak the remoting protocol: {error}"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Idle => f.write_str("closed after a long silence"),
            Self::Full => f.write_str("too many requests wait for this connection"),
            Self::GoAway => f.write_str("the server is leaving"),
            Self::Closed => f.write_str("this client is closed"),
        }
    }
}
