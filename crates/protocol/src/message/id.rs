//! The two ids of a message: the client's unique id and the broker's offset message id.
//!
//! Both are upper-case hex of 16 bytes, or of 28 where an IPv6 address is inside, so a text does not say which of
//! the two it is (Apache's `MessageClientIDSetter` and `MessageDecoder.createMessageId`).

use std::{fmt, net::SocketAddr, ops::Deref, str::FromStr};

use super::host;
use crate::{DecodeError, DecodeErrorKind as Kind};

/// The id that a client gives its message before it is sent (property `UNIQ_KEY`).
///
/// ```text
/// 0                          10                     14             16
/// | who: random per client   | milliseconds into    | counter      |
/// | (Java: ip, pid, hash)    | the month, u32       | u16          |
/// ```
///
/// Java's tools read the time out of it (`MessageClientIDSetter.getNearlyTimeFromID`), so those bytes stay in place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UniqueId([u8; 16]);

impl UniqueId {
    /// An id of `client`, made so many milliseconds after the month began.
    pub const fn new(client: [u8; 10], millis_into_month: u32, counter: u16) -> Self {
        let ([c0, c1, c2, c3, c4, c5, c6, c7, c8, c9], [m0, m1, m2, m3], [n0, n1]) =
            (client, millis_into_month.to_be_bytes(), counter.to_be_bytes());
        Self([c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, m0, m1, m2, m3, n0, n1])
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Milliseconds from the begin of the month to the making of the message.
    pub const fn millis_into_month(&self) -> u32 {
        u32::from_be_bytes([self.0[10], self.0[11], self.0[12], self.0[13]])
    }

    /// Digits of its text.
    pub const DIGITS: usize = V4_DIGITS;

    /// The digits of its text.
    pub(crate) fn digits(&self) -> [u8; Self::DIGITS] {
        let mut digits = [b'0'; Self::DIGITS];
        let (pairs, _) = digits.as_chunks_mut::<2>();
        for (pair, byte) in pairs.iter_mut().zip(self.0) {
            *pair = hex(byte);
        }
        digits
    }

    /// The text without an allocation.
    pub fn to_text(&self) -> UniqueIdText {
        let mut text = UniqueIdText { digits: [b'0'; V6_DIGITS], length: V4_DIGITS as u8 };
        text.digits[..V4_DIGITS].copy_from_slice(&self.digits());
        text
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_text())
    }
}

impl fmt::Debug for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for UniqueId {
    type Err = DecodeError;

    /// Reads 32 hex digits in any case. A client on an IPv6 address makes 56: those stay a [`UniqueIdText`].
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        unhex(text).map(Self).ok_or_else(|| malformed(text, UNIQUE_ID))
    }
}

/// The text of a unique id: 32 hex digits, or 56 from a client on an IPv6 address. Keeps the case that it came in.
#[derive(Clone, Copy)]
pub struct UniqueIdText {
    digits: [u8; V6_DIGITS],
    length: u8,
}

impl UniqueIdText {
    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[..usize::from(self.length)]).expect("only hex digits are put in")
    }
}

impl Deref for UniqueIdText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for UniqueIdText {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for UniqueIdText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for UniqueIdText {}

impl fmt::Display for UniqueIdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl fmt::Debug for UniqueIdText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl FromStr for UniqueIdText {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let is_id =
            matches!(text.len(), V4_DIGITS | V6_DIGITS) && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_id {
            return Err(malformed(text, UNIQUE_ID));
        }
        let mut digits = [b'0'; V6_DIGITS];
        digits[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { digits, length: text.len() as u8 })
    }
}

/// The id that a broker gives: where the message lies in which broker's commit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OffsetMessageId {
    /// The address that the broker stored the message under.
    pub store_host: SocketAddr,
    /// The place of the message in its commit log.
    pub commit_log_offset: i64,
}

impl fmt::Display for OffsetMessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(V6_DIGITS / 2);
        host::encode(self.store_host, &mut bytes);
        bytes.extend_from_slice(&self.commit_log_offset.to_be_bytes());
        let digits: Vec<u8> = bytes.into_iter().flat_map(hex).collect();
        f.pad(std::str::from_utf8(&digits).expect("hex digits are ASCII"))
    }
}

impl FromStr for OffsetMessageId {
    type Err = DecodeError;

    /// Reads 32 hex digits (IPv4) or 56 (IPv6) in any case.
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        match text.len() {
            V4_DIGITS => read_offset_id(&unhex::<16>(text).ok_or_else(|| malformed(text, OFFSET_ID))?, false),
            V6_DIGITS => read_offset_id(&unhex::<28>(text).ok_or_else(|| malformed(text, OFFSET_ID))?, true),
            _ => Err(malformed(text, OFFSET_ID)),
        }
    }
}

fn read_offset_id(mut bytes: &[u8], is_v6: bool) -> Result<OffsetMessageId, DecodeError> {
    let store_host = host::decode(&mut bytes, is_v6, OFFSET_ID)?;
    let offset = bytes.first_chunk().ok_or_else(|| DecodeError::new(Kind::Truncated, OFFSET_ID))?;
    Ok(OffsetMessageId { store_host, commit_log_offset: i64::from_be_bytes(*offset) })
}

/// Computed, not looked up, so that many digits are made at once.
const fn hex(byte: u8) -> [u8; 2] {
    const fn digit(value: u8) -> u8 {
        value + if value < 10 { b'0' } else { b'A' - 10 }
    }
    [digit(byte >> 4), digit(byte & 15)]
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = (digit(0)? << 4 | digit(1)?) as u8;
    }
    Some(bytes)
}

/// Shows as much of the text as an id could have.
fn malformed(text: &str, context: &'static str) -> DecodeError {
    DecodeError::new(Kind::Malformed(text.chars().take(V6_DIGITS + 1).collect()), context)
}

const V4_DIGITS: usize = 32;
const V6_DIGITS: usize = 56;
const UNIQUE_ID: &str = "unique id";
const OFFSET_ID: &str = "offset message id";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unique_id_is_written_as_java_writes_it() {
        let id = UniqueId::new([192, 168, 1, 10, 0x12, 0x34, 0x18, 0xB4, 0xAA, 0xC2], 169_552_957, 1);
        assert_eq!(id.to_string(), "C0A8010A123418B4AAC20A1B2C3D0001");
        assert_eq!(&*id.to_text(), "C0A8010A123418B4AAC20A1B2C3D0001");
        assert_eq!(id.millis_into_month(), 169_552_957);
        assert_eq!("c0a8010a123418b4aac20a1b2c3d0001".parse(), Ok(id));
    }

    #[test]
    fn the_unique_id_of_an_ipv6_client_keeps_its_text() {
        let text = "fe80000000000000000000000000000A123418B4AAC20A1B2C3D0001";
        let id: UniqueIdText = text.parse().unwrap();
        assert_eq!(id.as_str(), text);
        assert!(text.parse::<UniqueId>().is_err());
        assert!(text[2..].parse::<UniqueIdText>().is_err());
        assert!("g".repeat(32).parse::<UniqueIdText>().is_err());
    }

    #[test]
    fn an_offset_id_is_written_as_java_writes_it() {
        let id = OffsetMessageId { store_host: "127.0.0.1:10911".parse().unwrap(), commit_log_offset: 12345 };
        assert_eq!(id.to_string(), "7F00000100002A9F0000000000003039");
        assert_eq!("7f00000100002a9f0000000000003039".parse(), Ok(id));
        let id = OffsetMessageId { store_host: "[::1]:10911".parse().unwrap(), commit_log_offset: 12345 };
        assert_eq!(id.to_string(), "0000000000000000000000000000000100002A9F0000000000003039");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn what_is_no_offset_id_is_refused() {
        for text in ["", "7F", "7F00000100002A9F000000000000303", "ü", "7F00000100012A9F0000000000003039"] {
            assert!(text.parse::<OffsetMessageId>().is_err(), "{text}");
        }
        assert!("é".repeat(16).parse::<OffsetMessageId>().is_err());
        assert!("é".repeat(16).parse::<UniqueIdText>().is_err());
    }
}
