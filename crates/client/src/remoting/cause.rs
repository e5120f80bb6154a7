//! Why a connection could not be opened, or ended. One value, shared by all who waited for it.

use std::{fmt, io};

use maxq_protocol::{DecodeError, DecodeErrorKind};

/// The cause of a missing connection or answer. Its stable code is decided in `error/blame.rs`.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The operating system refused or broke the connection. From a dial, the kind `NotFound` means that the host's
    /// name is not known.
    Io(io::Error),
    /// The stream could not be opened in time.
    ConnectTimedOut,
    /// The peer closed the stream.
    PeerClosed,
    /// The peer answered as an HTTP/2 server does, and closed the stream.
    Http2,
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

    /// The end of a stream that leaves `rest` unread, because it is no whole frame.
    pub(crate) fn ended(rest: &[u8]) -> Self {
        if is_http2_settings(rest) { Self::Http2 } else { Self::PeerClosed }
    }

    /// Whether the peer speaks HTTP: a gRPC port of a proxy or a web server, not a remoting port.
    pub(crate) fn is_http(&self) -> bool {
        match self {
            Self::Http2 => true,
            _ => matches!(self.length_word().as_ref(), Some(b"PRI " | b"HTTP")),
        }
    }

    /// Whether the peer speaks TLS: its alert, or a record, was read as a length.
    fn is_tls(&self) -> bool {
        matches!(self.length_word(), Some([0x14..=0x17, 0x03, 0x00..=0x04, _]))
    }

    /// The first four bytes of a stream that are no possible length.
    fn length_word(&self) -> Option<[u8; 4]> {
        match self {
            Self::Protocol(DecodeError { kind: DecodeErrorKind::FrameTooLong { length, .. }, .. }) => {
                Some(length.to_be_bytes())
            }
            _ => None,
        }
    }
}

/// An HTTP/2 server begins with a SETTINGS frame (RFC 9113, 3.4), also towards a client that speaks something else;
/// a gRPC port then says GOAWAY and closes. Read as a frame of ours it has no header, so it never is one: 3 bytes of
/// length (6 for each setting), type 4, no flags, stream 0.
fn is_http2_settings(bytes: &[u8]) -> bool {
    let Some([0, 0, length, 4, 0, 0, 0, 0, 0]) = bytes.first_chunk::<9>() else { return false };
    length.is_multiple_of(6)
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => f.write_str("connection refused"),
                io::ErrorKind::ConnectionReset => f.write_str("connection reset by the peer"),
                io::ErrorKind::BrokenPipe => f.write_str("connection broken"),
                io::ErrorKind::NotFound => write!(f, "the host's name is not known ({error})"),
                _ => write!(f, "{error}"),
            },
            Self::ConnectTimedOut => f.write_str("connecting took too long"),
            Self::PeerClosed => f.write_str("the peer closed the connection"),
            Self::Http2 => f.write_str("the peer speaks HTTP/2: this is a gRPC port, not a remoting port"),
            Self::Protocol(_) if self.is_tls() => f.write_str("the peer speaks TLS"),
            Self::Protocol(error) => write!(f, "the peer does not speak the remoting protocol: {error}"),
            Self::TimedOut => f.write_str("no answer in time"),
            Self::Idle => f.write_str("closed after a long silence"),
            Self::Full => f.write_str("too many requests wait for this connection"),
            Self::GoAway => f.write_str("the server is leaving"),
            Self::Closed => f.write_str("this client is closed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use maxq_protocol::FrameReader;

    use super::*;

    fn cause_of(bytes: &[u8]) -> Cause {
        let mut input = BytesMut::from(bytes);
        match FrameReader::new().next(&mut input) {
            Ok(_) => Cause::ended(&input),
            Err(error) => Cause::Protocol(error),
        }
    }

    /// What grpc-netty 1.53 answered to GET_ROUTEINFO_BY_TOPIC before it closed: SETTINGS, WINDOW_UPDATE, and GOAWAY
    /// with a text (cut here).
    const GRPC: &[u8] = b"\0\0\x12\x04\0\0\0\0\0\0\x03\x7f\xff\xff\xff\0\x04\0\x10\0\0\0\x06\0\0\x20\0\
        \0\0\x04\x08\0\0\0\0\0\0\x0f\0\x01\
        \0\0\x86\x07\0\0\0\0\0\x7f\xff\xff\xff\0\0\0\x01HTTP/2 client preface string missing or corrupt.";

    #[test]
    fn a_grpc_port_is_known_by_its_first_frame() {
        for end in [9, 27, 40, GRPC.len()] {
            assert!(cause_of(&GRPC[..end]).is_http(), "{end}");
        }
        assert!(!cause_of(&[0, 0, 18, 4, 0, 0, 0, 2, 0]).is_http(), "this one has a header");
        assert!(!cause_of(&[0, 0, 18]).is_http() && !cause_of(b"").is_http());
    }

    #[test]
    fn http_and_tls_are_told_from_garbage() {
        assert!(cause_of(b"HTTP/1.1 400 Bad Request").is_http());
        assert!(cause_of(b"PRI * HTTP/2.0").is_http());
        assert_eq!(cause_of(&[0x15, 3, 3, 0, 2, 2, 40]).to_string(), "the peer speaks TLS");
        let garbage = cause_of(&[0x7f, 0xff, 0xff, 0xff]);
        assert!(!garbage.is_http() && garbage.to_string().contains("does not speak"), "{garbage}");
    }
}
