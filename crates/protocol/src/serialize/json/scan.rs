//! Finds the bytes that JSON texts treat specially, eight bytes at a look.
//!
//! The texts of a header are short, mostly under forty bytes. For those a call into a vectorised search costs more than
//! the search itself, so this is done here in plain words, without any instruction set of its own.

/// Where the first byte stands that has to be escaped in a text: a control character, a quote or a backslash. The length
/// when there is none.
#[inline(always)]
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    find(bytes, 0, |word| below_space(word) | equal(word, b'"') | equal(word, b'\\'))
}

/// Where the text that begins at `from` ends or has an escape: at the first quote or backslash, or at the end.
#[inline(always)]
pub(super) fn text_end(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, |word| equal(word, b'"') | equal(word, b'\\'))
}

/// The first byte from `at` on for which `mark` sets its high bit. `mark` may be wrong about bytes behind the first that
/// it marks.
#[inline(always)]
fn find(bytes: &[u8], mut at: usize, mark: impl Fn(u64) -> u64) -> usize {
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        match mark(u64::from_le_bytes(*word)) {
            0 => at += 8,
            marked => return at + marked.trailing_zeros() as usize / 8,
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + (mark(fill_up(rest)).trailing_zeros() as usize / 8).min(rest.len())
}

/// Less than eight bytes as a word, filled up with some that are never marked.
#[inline(always)]
fn fill_up(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(ONES * u64::from(b'.'), |word, byte| word << 8 | u64::from(*byte))
}

/// Marks the bytes that equal `byte`: a byte becomes zero, and zero borrows from its high bit. Bytes behind the first
/// that is marked may be marked wrongly.
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
            prop_assert_eq!(text_end(&bytes, 0), first(&is_text_end));
            let from = bytes.len() / 2;
            let rest = bytes[from..].iter().position(is_text_end).unwrap_or(bytes.len() - from);
            prop_assert_eq!(text_end(&bytes, from), from + rest);
            prop_assert_eq!(plain_len(&bytes), first(&|byte| *byte < 0x20 || is_text_end(byte)));
        }
    }
}
