//! The one error of every decoder in this crate.

use std::fmt;

/// Bytes from the network that are not what the protocol says they should be.
///
/// `kind` is for matching, `context` names the field or structure that was being read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} while reading {context}")]
pub struct DecodeError {
    /// What was wrong.
    pub kind: DecodeErrorKind,
    /// What was being read: a header key, a structure, a field.
    pub context: &'static str,
}

impl DecodeError {
    /// An error of `kind`, met while reading `context`.
    pub const fn new(kind: DecodeErrorKind, context: &'static str) -> Self {
        Self { kind, context }
    }
}

/// What was wrong with the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The length word announces more than the limit: the peer is hostile, or speaks another protocol.
    FrameTooLong {
        /// The announced length in bytes.
        length: u32,
        /// The limit in bytes.
        limit: u32,
    },
    /// The length word is too small to hold a header word.
    FrameTooShort {
        /// The announced length in bytes.
        length: u32,
    },
    /// The header would be longer than the frame.
    HeaderTooLong {
        /// The announced header length in bytes.
        header: u32,
        /// The announced frame length in bytes.
        length: u32,
    },
    /// The serialize type byte is neither 0 (JSON) nor 1 (binary).
    UnknownSerializeType(u8),
    /// A length inside the structure points past its end, or the structure ends early.
    Truncated,
    /// Text that is not UTF-8.
    NotUtf8,
    /// JSON that does not parse, or does not have the expected shape.
    Json(String),
    /// A mandatory field is missing.
    Missing,
    /// A field is there but does not parse.
    Malformed(String),
    /// A magic number that no known version writes.
    UnknownMagic(u32),
    /// The checksum of the body does not match.
    CrcMismatch {
        /// The checksum that came with the body.
        stored: u32,
        /// The checksum of the body that came.
        computed: u32,
    },
    /// Decompressing would give more than the limit.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// A compression that this build, or any build, cannot undo.
    UnsupportedCompression(u8),
    /// Compressed bytes that do not decompress.
    Corrupt(String),
}

/// The length word that an HTTP/2 (gRPC) peer's preface reads as: `PRI ` plus the four bytes of the word itself.
pub const HTTP2_PREFACE_LENGTH: u32 = 0x5052_4920;

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FrameTooLong { length, limit } => {
                write!(f, "a frame of {length} bytes is longer than the limit of {limit}")?;
                match &length.to_be_bytes() {
                    b"PRI " => {
                        f.write_str(" (the peer speaks HTTP/2: this is a gRPC port, not a remoting port)")
                    }
                    b"HTTP" => f.write_str(" (the peer speaks HTTP/1: this is not a remoting port)"),
                    _ => Ok(()),
                }
            }
            Self::FrameTooShort { length } => {
                write!(f, "a frame of {length} bytes has no room for its header")
            }
            Self::HeaderTooLong { header, length } => {
                write!(f, "a header of {header} bytes does not fit a frame of {length}")
            }
            Self::UnknownSerializeType(byte) => write!(f, "unknown serialize type {byte}"),
            Self::Truncated => f.write_str("the bytes end too early"),
            Self::NotUtf8 => f.write_str("text is not UTF-8"),
            Self::Json(why) => write!(f, "not the expected JSON: {why}"),
            Self::Missing => f.write_str("a mandatory field is missing"),
            Self::Malformed(what) => write!(f, "malformed value {what:?}"),
            Self::UnknownMagic(magic) => write!(f, "unknown magic 0x{magic:08X}"),
            Self::CrcMismatch { stored, computed } => {
                write!(f, "checksum 0x{computed:08X} does not match the stored 0x{stored:08X}")
            }
            Self::TooLarge { limit } => write!(f, "more than {limit} bytes when decompressed"),
            Self::UnsupportedCompression(kind) => write!(f, "compression type {kind} is not supported here"),
            Self::Corrupt(why) => write!(f, "corrupt compressed bytes: {why}"),
        }
    }
}
