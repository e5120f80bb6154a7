//! Finds the bytes that JSON texts treat specially, eight bytes at a look.
//!
//! The texts of a header are short, mostly under forty bytes. For those a call into a vectorised search costs more than
//! the search itself, so this is done here in plain words, without any instruction set of its own.

/// Where the first byte stands that has to be escaped in a text: a control character, a quote or a backslash. The length
/// when there is none.
#[inline]
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    find(bytes, |word| below_space(word) | equal(word, b'"') | equal(word, b'\\'))
}

/// Where the text ends that begins these bytes, or has an escape: the first quote or backslash. The length when there is
/// none.
#[inline]
pub(super) fn text_len(bytes: &[u8]) -> usize {
    find(bytes, |word| equal(word, b'"') | equal(word, b'\\'))
}

/// The first byte for which `mark` sets its high bit. `mark` may be wrong about bytes behind the first that it marks.
#[inline]
fn find(bytes: &[u8], mark: impl Fn(u64) -> u64) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (nth, word) in words.iter().enumerate() {
        let marked = mark(u64::from_le_bytes(*word));
        if marked != 0 {
            return 8 * nth + marked.trailing_zeros() as usize / 8;
        }
    }
    // Nothing is marked in the bytes that are filled up.
    let mut word = [b'.'; 8];
    word[..rest.len()].copy_from_slice(rest);
    match mark(u64::from_le_bytes(word)) {
        0 => bytes.len(),
        marked => bytes.len() - rest.len() + marked.trailing_zeros() as usize / 8,
    }
}

/// Marks the bytes that equal `byte`: a byte becomes zero, and zero borrows from its high bit.
const fn equal(word: u64, byte: u8) -> u64 {
    let word = word ^ (ONES * byte as u64);
    word.wrapping_sub(ONES) & !word & HIGH
}

/// Marks the bytes below 0x20.
const fn below_space(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & HIGH
}

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES << 7;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn both_find_what_a_walk_finds(bytes in prop::collection::vec(prop_oneof![
            8 => any::<u8>(),
            1 => Just(b'"'),
            1 => Just(b'\\'),
            1 => Just(0x1f),
            1 => Just(0x20),
            40 => b' '..b'~',
        ], 0..64)) {
            let is_text_end = |byte: &u8| matches!(byte, b'"' | b'\\');
            let first = |is: &dyn Fn(&u8) -> bool| bytes.iter().position(is).unwrap_or(bytes.len());
            prop_assert_eq!(text_len(&bytes), first(&is_text_end));
            prop_assert_eq!(plain_len(&bytes), first(&|byte| *byte < 0x20 || is_text_end(byte)));
        }
    }
}
