//! The sys flag of a message and of a pull.

use std::fmt;

use crate::compression::Compression;

/// Bits that the client and the broker set on a message (Apache's `MessageSysFlag`). Unknown bits are kept.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SysFlag(pub i32);

impl SysFlag {
    /// The body is compressed; bits 8 to 10 say how.
    pub const COMPRESSED: Self = Self(0x1);
    /// The message has several tags.
    pub const MULTI_TAGS: Self = Self(0x2);
    /// Half message: its transaction is open.
    pub const TRANSACTION_PREPARED: Self = Self(0x4);
    /// Its transaction was committed.
    pub const TRANSACTION_COMMIT: Self = Self(0x8);
    /// Its transaction was rolled back.
    pub const TRANSACTION_ROLLBACK: Self = Self(0xC);
    /// The two bits of the transaction state.
    pub const TRANSACTION_MASK: Self = Self(0xC);
    /// The born host is IPv6.
    pub const BORN_HOST_V6: Self = Self(0x10);
    /// The store host is IPv6.
    pub const STORE_HOST_V6: Self = Self(0x20);
    /// The body holds several messages that the reader unwraps.
    pub const NEED_UNWRAP: Self = Self(0x40);
    /// The record is one batch of a topic that stores batches whole.
    pub const INNER_BATCH: Self = Self(0x80);
    /// The three bits of the compression type.
    pub const COMPRESSION_MASK: Self = Self(0x700);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// With the bits of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without the bits of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The transaction state: none (0), prepared, commit or rollback.
    pub const fn transaction(self) -> Self {
        Self(self.0 & Self::TRANSACTION_MASK.0)
    }

    /// With this transaction state instead of its own.
    #[must_use]
    pub const fn with_transaction(self, state: Self) -> Self {
        self.without(Self::TRANSACTION_MASK).with(state.transaction())
    }

    /// How the body is compressed: `None` when it is not, `Err` with the type bits when nobody knows them.
    ///
    /// Type 0 is zlib: clients before 5.0 knew nothing else (`CompressionType.findByValue`).
    pub const fn compression(self) -> Option<Result<Compression, u8>> {
        if !self.contains(Self::COMPRESSED) {
            return None;
        }
        let bits = ((self.0 & Self::COMPRESSION_MASK.0) >> COMPRESSION_SHIFT) as u8;
        Some(match Compression::from_bits(bits) {
            Some(kind) => Ok(kind),
            None if bits == 0 => Ok(Compression::Zlib),
            None => Err(bits),
        })
    }

    /// Compressed in this way.
    #[must_use]
    pub const fn with_compression(self, kind: Compression) -> Self {
        let bits = Self((kind.bits() as i32) << COMPRESSION_SHIFT);
        self.without(Self::COMPRESSION_MASK).with(bits).with(Self::COMPRESSED)
    }

    /// Not compressed.
    #[must_use]
    pub const fn without_compression(self) -> Self {
        self.without(Self::COMPRESSION_MASK).without(Self::COMPRESSED)
    }
}

impl fmt::Debug for SysFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SysFlag(0x{:x})", self.0)
    }
}

/// Bits of a pull request (Apache's `PullSysFlag`). Unknown bits are kept.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct PullSysFlag(pub i32);

impl PullSysFlag {
    /// The request carries an offset to commit.
    pub const COMMIT_OFFSET: Self = Self(1);
    /// The broker may hold the request until a message comes.
    pub const SUSPEND: Self = Self(2);
    /// The request carries its filter expression.
    pub const SUBSCRIPTION: Self = Self(4);
    /// Class filter; historic.
    pub const CLASS_FILTER: Self = Self(8);
    /// The pull of a lite consumer.
    pub const LITE_PULL: Self = Self(16);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// With the bits of `other`.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without the bits of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Debug for PullSysFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PullSysFlag(0x{:x})", self.0)
    }
}

const COMPRESSION_SHIFT: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_bits_are_those_of_java() {
        let flag = |kind| SysFlag::default().with_compression(kind);
        assert_eq!(flag(Compression::Zlib), SysFlag(769));
        assert_eq!(flag(Compression::Lz4), SysFlag(257));
        assert_eq!(flag(Compression::Zstd), SysFlag(513));
        assert_eq!(flag(Compression::Zlib).with(SysFlag::TRANSACTION_PREPARED), SysFlag(773));
        assert_eq!(flag(Compression::Lz4).with_compression(Compression::Zlib), SysFlag(769));
        assert_eq!(flag(Compression::Lz4).without_compression(), SysFlag(0));
    }

    #[test]
    fn a_compressed_body_without_type_is_zlib_and_an_unknown_type_is_told() {
        assert_eq!(SysFlag(0x700).compression(), None);
        assert_eq!(SysFlag(0x1).compression(), Some(Ok(Compression::Zlib)));
        assert_eq!(SysFlag(0x101).compression(), Some(Ok(Compression::Lz4)));
        assert_eq!(SysFlag(0x501).compression(), Some(Err(5)));
    }

    #[test]
    fn rollback_is_a_state_of_its_own() {
        let flag = SysFlag(0x311).with_transaction(SysFlag::TRANSACTION_ROLLBACK);
        assert_eq!(flag.transaction(), SysFlag::TRANSACTION_ROLLBACK);
        assert_eq!(
            flag.with_transaction(SysFlag::TRANSACTION_COMMIT).transaction(),
            SysFlag::TRANSACTION_COMMIT
        );
        assert_eq!(flag.with_transaction(SysFlag(0)), SysFlag(0x311));
    }
}
