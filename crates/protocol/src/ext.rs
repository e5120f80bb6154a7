//! Ext fields: the string pairs that carry every typed header field.

use std::{fmt, ops::Range};

/// String pairs in the order in which they were written; a key is there at most once.
///
/// All text lives in one buffer and the pairs are spans into it, so a decoded header costs two allocations however
/// many fields it has. Look-ups are linear: a header has about fifteen fields.
#[derive(Clone, Default)]
pub struct ExtFields {
    text: String,
    spans: Vec<Span>,
}

#[derive(Clone, Copy)]
struct Span {
    key: (u32, u32),
    value: (u32, u32),
    tag: u32,
}

impl ExtFields {
    /// No fields.
    pub const fn new() -> Self {
        Self { text: String::new(), spans: Vec::new() }
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.place(key).map(|at| self.slice(self.spans[at].value))
    }

    /// Makes room for a header that is about to be read, so that it costs no more than the two allocations.
    pub(crate) fn reserve(&mut self, text: usize, pairs: usize) {
        if self.text.capacity() == 0 && self.spans.capacity() == 0 {
            // A new buffer is cheaper than a grown one.
            *self = Self { text: String::with_capacity(text), spans: Vec::with_capacity(pairs) };
        } else {
            self.text.reserve(text);
            self.spans.reserve(pairs);
        }
    }

    /// Sets `key` to `value`; a key that is there keeps its place.
    pub fn set(&mut self, key: &str, value: &str) {
        let value = self.push_text(value);
        match self.place(key) {
            Some(at) => self.spans[at].value = value,
            None => {
                let tag = tag_of(key);
                let key = self.push_text(key);
                self.spans.push(Span { key, value, tag });
            }
        }
    }

    /// Fields whose texts will be parts of `source`: it is copied once, instead of every text by itself.
    pub(crate) fn parts_of(source: &str, pairs: usize) -> Self {
        let mut text = String::with_capacity(source.len() + ROOM_FOR_UNESCAPED);
        text.push_str(source);
        Self { text, spans: Vec::with_capacity(pairs) }
    }

    /// Sets a key that stands at `key_at` in the source to what stands at `value_at`.
    pub(crate) fn set_part(&mut self, key: &str, key_at: usize, value_at: Range<usize>) {
        // A source is a header, which 24 bits of a frame can measure.
        let value = (value_at.start as u32, value_at.end as u32);
        match self.place(key) {
            Some(at) => self.spans[at].value = value,
            None => {
                let key_end = key_at + key.len();
                self.spans.push(Span { key: (key_at as u32, key_end as u32), value, tag: tag_of(key) });
            }
        }
    }

    /// Takes `key` out; says whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let before = self.spans.len();
        let text = &self.text;
        self.spans.retain(|span| &text[span.key.0 as usize..span.key.1 as usize] != key);
        self.spans.len() < before
    }

    /// The pairs in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.spans.iter().map(|span| (self.slice(span.key), self.slice(span.value)))
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Where `key` stands. The tags of the pairs that are passed over say that they are others, so that no text is
    /// looked at for them: a send has fourteen fields, and each of them is looked for.
    fn place(&self, key: &str) -> Option<usize> {
        let tag = tag_of(key);
        self.spans.iter().position(|span| span.tag == tag && self.slice(span.key) == key)
    }

    fn slice(&self, (from, to): (u32, u32)) -> &str {
        &self.text[from as usize..to as usize]
    }

    /// A frame is at most 16 MiB, so text offsets fit 32 bits; what could not fit is dropped to nothing, not wrapped.
    fn push_text(&mut self, text: &str) -> (u32, u32) {
        let from = self.text.len();
        let Ok(to) = u32::try_from(from + text.len()) else { return (0, 0) };
        self.text.push_str(text);
        (from as u32, to)
    }
}

/// The properties of a send have escapes, so that they cannot be a part of the source.
const ROOM_FOR_UNESCAPED: usize = 256;

/// A cheap number that few keys of one header share: first byte, last byte, length.
fn tag_of(key: &str) -> u32 {
    let byte = |byte: Option<&u8>| byte.map_or(0, |byte| u32::from(*byte));
    byte(key.as_bytes().first()) << 24 | byte(key.as_bytes().last()) << 16 | (key.len() as u32 & 0xFFFF)
}

impl PartialEq for ExtFields {
    /// Same pairs, whatever the order: the order means nothing to RocketMQ.
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl Eq for ExtFields {}

impl fmt::Debug for ExtFields {
    /// The values of `Signature` and `SecurityToken` are left out: they are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|(key, value)| match key {
                "Signature" | "SecurityToken" => (key, "[secret]"),
                _ => (key, value),
            }))
            .finish()
    }
}

impl<K: AsRef<str>, V: AsRef<str>> FromIterator<(K, V)> for ExtFields {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut fields = Self::new();
        for (key, value) in pairs {
            fields.set(key.as_ref(), value.as_ref());
        }
        fields
    }
}

/// Where header fields are written to: an [`ExtFields`], or one of the two header encodings directly.
pub trait ExtSink {
    /// Writes one field of the protocol's own. Its key is plain ASCII letters, so it needs no escaping anywhere.
    fn field(&mut self, key: &'static str, value: &str);

    /// Writes one field whose key can be anything.
    fn pair(&mut self, key: &str, value: &str);

    /// Writes one number as decimal text.
    fn number(&mut self, key: &'static str, value: i64) {
        self.field(key, itoa::Buffer::new().format(value));
    }

    /// Writes `true` or `false`.
    fn boolean(&mut self, key: &'static str, value: bool) {
        self.field(key, if value { "true" } else { "false" });
    }
}

impl ExtSink for ExtFields {
    fn field(&mut self, key: &'static str, value: &str) {
        self.set(key, value);
    }

    fn pair(&mut self, key: &str, value: &str) {
        self.set(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_value_wins_and_keeps_the_place() {
        let mut fields: ExtFields = [("a", "1"), ("b", "2")].into_iter().collect();
        fields.set("a", "3");
        assert_eq!(fields.iter().collect::<Vec<_>>(), [("a", "3"), ("b", "2")]);
        assert!(fields.remove("a"));
        assert!(!fields.remove("a"));
        assert_eq!(fields.get("a"), None);
    }

    #[test]
    fn secrets_do_not_reach_debug() {
        let fields: ExtFields = [("Signature", "abc="), ("AccessKey", "ak")].into_iter().collect();
        let shown = format!("{fields:?}");
        assert!(!shown.contains("abc="), "{shown}");
        assert!(shown.contains("ak"), "{shown}");
    }
}
