//! What of Java's standard library shows through in RocketMQ's answers.

/// Java's `String.hashCode`: over UTF-16 units, wrapping.
pub(crate) fn hash_code(text: &str) -> i32 {
    extend_hash(0, text)
}

/// The hash of a text that goes on with `text`, from the hash of its begin.
pub(crate) fn extend_hash(hash: i32, text: &str) -> i32 {
    let extend = |hash: i32, unit: u16| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    if text.is_ascii() {
        text.bytes().map(u16::from).fold(hash, extend)
    } else {
        text.encode_utf16().fold(hash, extend)
    }
}

/// `StringUtils.isBlank`: empty, or nothing but white space.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_java() {
        assert_eq!(hash_code(""), 0);
        assert_eq!(hash_code("TagA"), 2_598_919);
        assert_eq!(hash_code("U1"), hash_code("TP"));
        // U+1F600 counts as its two surrogates.
        assert_eq!(hash_code("\u{1F600}"), 0xD83D * 31 + 0xDE00);
        assert_eq!(extend_hash(hash_code("Tag"), "A"), hash_code("TagA"));
    }
}
