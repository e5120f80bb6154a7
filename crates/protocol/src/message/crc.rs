//! The checksum of a body.

/// CRC-32 of a body with the sign bit cleared, as RocketMQ stores it (`UtilAll.crc32`).
pub fn body_crc(body: &[u8]) -> u32 {
    crc32fast::hash(body) & 0x7FFF_FFFF
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_bit_is_cleared() {
        assert_eq!(body_crc(b"hello"), 907_060_870);
        assert_eq!(body_crc(b"a"), 0xE8B7_BE43 & 0x7FFF_FFFF);
        assert_eq!(body_crc(b""), 0);
    }
}
