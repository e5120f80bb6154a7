//! Compressed message bodies, readable and writable by Java's clients.
//!
//! Whatever the bytes declare, decompressing makes room for the caller's limit at most: neither a 4 MiB block size in an
//! LZ4 header nor a zlib bomb decides an allocation.

#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "zlib")]
mod zlib;
#[cfg(feature = "zstd")]
mod zstandard;

use crate::{DecodeError, DecodeErrorKind as Kind};

/// How a body is compressed (Apache's `CompressionType`). The number travels in the sys flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// LZ4 frame. Fastest; levels mean nothing to it.
    Lz4 = 1,
    /// Zstandard.
    Zstd = 2,
    /// zlib (RFC 1950). The only one that clients before 5.0 know.
    Zlib = 3,
}

impl Compression {
    /// The compression with these type bits of a sys flag. 0 is none of them; see
    /// [`SysFlag::compression`](crate::message::SysFlag::compression).
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            1 => Some(Self::Lz4),
            2 => Some(Self::Zstd),
            3 => Some(Self::Zlib),
            _ => None,
        }
    }

    /// Its type bits.
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// RocketMQ's name of it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lz4 => "LZ4",
            Self::Zstd => "ZSTD",
            Self::Zlib => "ZLIB",
        }
    }

    /// Whether this build can do it: the features `lz4`, `zstd` and `zlib`.
    pub const fn is_available(self) -> bool {
        match self {
            Self::Lz4 => cfg!(feature = "lz4"),
            Self::Zstd => cfg!(feature = "zstd"),
            Self::Zlib => cfg!(feature = "zlib"),
        }
    }
}

/// Compresses `body`. `level` is 0 to 9 for zlib, 1 to 22 for zstd, and nothing to LZ4; a higher one counts as the
/// highest. Java uses 5 for all.
///
/// The result may be longer than `body`.
///
/// # Errors
/// This build does not have `kind`, or the library refused.
pub fn compress(kind: Compression, level: u32, body: &[u8]) -> Result<Vec<u8>, CompressError> {
    match kind {
        #[cfg(feature = "lz4")]
        Compression::Lz4 => {
            let _ = level;
            Ok(lz4::compress(body))
        }
        #[cfg(feature = "zstd")]
        Compression::Zstd => zstandard::compress(level, body),
        #[cfg(feature = "zlib")]
        Compression::Zlib => zlib::compress(level, body),
        #[allow(unreachable_patterns, reason = "with all features there is nothing left")]
        missing => {
            let _ = (level, body);
            Err(CompressError::NotInThisBuild(missing))
        }
    }
}

/// Decompresses `body` into at most `limit` bytes.
///
/// # Errors
/// This build does not have `kind`, the bytes are not of that kind, or they hold more than `limit` bytes.
pub fn decompress(kind: Compression, body: &[u8], limit: usize) -> Result<Vec<u8>, DecodeError> {
    match kind {
        #[cfg(feature = "lz4")]
        Compression::Lz4 => lz4::decompress(body, limit),
        #[cfg(feature = "zstd")]
        Compression::Zstd => zstandard::decompress(body, limit),
        #[cfg(feature = "zlib")]
        Compression::Zlib => zlib::decompress(body, limit),
        #[allow(unreachable_patterns, reason = "with all features there is nothing left")]
        missing => {
            let _ = (body, limit);
            Err(DecodeError::new(Kind::UnsupportedCompression(missing.bits()), CONTEXT))
        }
    }
}

/// A body that was not compressed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompressError {
    /// The feature is switched off.
    #[error("{} is not in this build", .0.name())]
    NotInThisBuild(Compression),
    /// The library refused.
    #[error("{} failed: {why}", .kind.name())]
    Failed {
        /// The compression.
        kind: Compression,
        /// What the library says.
        why: String,
    },
}

const CONTEXT: &str = "compressed body";

/// Makes room for `more` bytes: twice as much as there was, or the whole limit once that is near, so that the old and
/// the new room together never take much more than one and a half times the limit.
#[allow(dead_code, reason = "zstd makes its room in another way")]
fn reserve(out: &mut Vec<u8>, more: usize, limit: usize) {
    let needed = out.len() + more;
    let capacity = out.capacity();
    if needed > capacity {
        let wanted = if capacity >= limit / 4 { limit } else { capacity * 2 };
        out.reserve_exact(wanted.max(needed) - out.len());
    }
}

#[allow(dead_code, reason = "without any compression nothing is corrupt")]
fn corrupt(why: impl Into<String>) -> DecodeError {
    DecodeError::new(Kind::Corrupt(why.into()), CONTEXT)
}

#[allow(dead_code, reason = "without any compression nothing is too large")]
fn too_large(limit: usize) -> DecodeError {
    DecodeError::new(Kind::TooLarge { limit }, CONTEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Compression; 3] = [Compression::Lz4, Compression::Zstd, Compression::Zlib];

    fn available() -> impl Iterator<Item = Compression> {
        ALL.into_iter().filter(|kind| kind.is_available())
    }

    #[test]
    fn what_this_build_does_not_have_is_refused_by_name() {
        for kind in ALL.into_iter().filter(|kind| !kind.is_available()) {
            assert_eq!(compress(kind, 5, b"hello"), Err(CompressError::NotInThisBuild(kind)));
            let error = decompress(kind, b"hello", 100).unwrap_err();
            assert_eq!(error.kind, Kind::UnsupportedCompression(kind.bits()));
        }
    }

    #[test]
    fn bodies_of_all_sizes_come_back() {
        for kind in available() {
            for length in [0, 1, 12, 13, 1000, 65_535, 65_536, 65_537, 200_000] {
                let body: Vec<u8> = (0..length).map(|at: u32| (at / 100 * at) as u8).collect();
                let packed = compress(kind, 5, &body).unwrap();
                assert_eq!(decompress(kind, &packed, body.len()).unwrap(), body, "{kind:?} {length}");
            }
        }
    }

    #[test]
    fn one_byte_over_the_limit_is_too_large() {
        let body = vec![b'x'; 100_000];
        for kind in available() {
            let packed = compress(kind, 5, &body).unwrap();
            assert!(decompress(kind, &packed, 100_000).is_ok(), "{kind:?}");
            for limit in [99_999, 1, 0] {
                let error = decompress(kind, &packed, limit).unwrap_err();
                assert_eq!(error.kind, Kind::TooLarge { limit }, "{kind:?}");
            }
        }
    }

    #[test]
    fn half_a_body_is_corrupt() {
        let body: Vec<u8> = (0..100_000u32).map(|at| (at / 7) as u8).collect();
        for kind in available() {
            let packed = compress(kind, 5, &body).unwrap();
            for cut in [0, 1, 4, packed.len() / 2, packed.len() - 1] {
                let error = decompress(kind, &packed[..cut], 1 << 20).unwrap_err();
                assert!(matches!(error.kind, Kind::Corrupt(_)), "{kind:?} cut at {cut}: {error}");
            }
        }
    }

    #[test]
    fn high_levels_count_as_the_highest() {
        for kind in available() {
            let packed = compress(kind, u32::MAX, b"hello hello hello").unwrap();
            assert_eq!(decompress(kind, &packed, 100).unwrap(), b"hello hello hello");
        }
    }
}
