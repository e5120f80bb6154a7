//! The properties of a message on their way from a send request into the store.
//!
//! This is `protocol`'s `Properties` without owning the texts: a send has about five properties, and copying each
//! name and value would cost more than everything else the broker does with the message.

use std::collections::BTreeMap;

/// Borrowed name and value pairs; a name is there at most once.
pub(crate) struct PropertyPairs<'a>(Vec<(&'a str, &'a str)>);

impl<'a> PropertyPairs<'a> {
    /// Reads the text form as Java does: what is no pair is skipped, a later value of a name wins
    /// (`MessageDecoder.string2messageProperties`).
    pub(crate) fn parse(text: &'a str) -> Self {
        let pairs = split(text);
        let mut read = Self(Vec::with_capacity(8));
        let mut places = BTreeMap::new();
        for (name, value) in pairs {
            // Comparing with each pair is the fastest way for a few of them, and a trap for thousands.
            let place = if read.0.len() < FEW { read.place(name) } else { places.get(name).copied() };
            match place {
                Some(at) => read.0[at].1 = value,
                None => read.0.push((name, value)),
            }
            if read.0.len() == FEW && places.is_empty() {
                places.extend(read.0.iter().enumerate().map(|(at, (name, _))| (*name, at)));
            } else if read.0.len() > FEW {
                places.entry(name).or_insert(read.0.len() - 1);
            }
        }
        read
    }

    /// The value of `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.place(name).map(|at| self.0[at].1)
    }

    /// Sets `name` to `value`.
    pub(crate) fn set(&mut self, name: &'a str, value: &'a str) {
        match self.place(name) {
            Some(at) => self.0[at].1 = value,
            None => self.0.push((name, value)),
        }
    }

    /// Takes `name` out.
    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(at) = self.place(name) {
            self.0.remove(at);
        }
    }

    /// The text form, with a separator after the last pair.
    pub(crate) fn encode(&self) -> String {
        let length = self.0.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let mut text = String::with_capacity(length);
        for (name, value) in &self.0 {
            text.push_str(name);
            text.push(NAME_END);
            text.push_str(value);
            text.push(VALUE_END);
        }
        text
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(key, _)| *key == name)
    }
}

/// The pairs of a text form: the name ends at the first 0x01, neither side is empty.
///
/// Byte by byte: the pieces are so short that every search routine costs more than it saves.
pub(crate) fn split(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            if rest.is_empty() {
                return None;
            }
            let bytes = rest.as_bytes();
            let end = bytes.iter().position(|byte| *byte == VALUE_END as u8).unwrap_or(bytes.len());
            let name_end = bytes[..end].iter().position(|byte| *byte == NAME_END as u8);
            let pair = &rest[..end];
            rest = rest.get(end + 1..).unwrap_or_default();
            match name_end {
                Some(at) if at > 0 && at + 1 < end => return Some((&pair[..at], &pair[at + 1..])),
                _ => {}
            }
        }
    })
}

const NAME_END: char = '\u{1}';
pub(crate) const VALUE_END: char = '\u{2}';
const FEW: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junk_is_skipped_and_later_values_win() {
        let mut pairs =
            PropertyPairs::parse("a\u{1}1\u{2}junk\u{2}\u{1}x\u{2}b\u{1}\u{2}a\u{1}2\u{2}c\u{1}3");
        assert_eq!(pairs.encode(), "a\u{1}2\u{2}c\u{1}3\u{2}");
        pairs.remove("a");
        pairs.set("c", "4");
        pairs.set("d", "5");
        assert_eq!((pairs.get("c"), pairs.get("a")), (Some("4"), None));
        assert_eq!(pairs.encode(), "c\u{1}4\u{2}d\u{1}5\u{2}");
    }

    #[test]
    fn many_pairs_are_read_like_few() {
        let text: String = (0..500).map(|n| format!("k{}\u{1}v{n}\u{2}", n % 100)).collect();
        let pairs = PropertyPairs::parse(&text);
        assert_eq!(pairs.0.len(), 100);
        assert_eq!(
            (pairs.get("k7"), pairs.get("k31"), pairs.get("k99")),
            (Some("v407"), Some("v431"), Some("v499"))
        );
    }
}
