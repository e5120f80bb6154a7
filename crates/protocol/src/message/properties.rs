//! The properties of a message and their one text form: `name 0x01 value 0x02`, repeated, nothing escaped.
//!
//! Reading follows Apache's `MessageDecoder.string2messageProperties`, which never fails.

use std::collections::BTreeMap;

/// Name and value separator.
const NAME_END: char = '\u{1}';
/// Pair separator; also written after the last pair.
const VALUE_END: char = '\u{2}';

/// Properties in the order in which they were set; a name is there at most once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(Vec<(String, String)>);

impl Properties {
    /// The longest encoded text in bytes that a broker stores; its length is a signed 16-bit number in the record.
    pub const MAX_ENCODED_LENGTH: usize = i16::MAX as usize;

    /// No properties.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Sets `name` to `value`; a name that is there keeps its place.
    pub fn set(&mut self, name: impl Into<String> + AsRef<str>, value: impl Into<String>) {
        match self.0.iter_mut().find(|(key, _)| key == name.as_ref()) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((name.into(), value.into())),
        }
    }

    /// Takes `name` out and gives its value.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// The pairs in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text form.
    pub fn encode(&self) -> String {
        let mut out = String::with_capacity(self.encoded_len());
        self.encode_into(&mut out);
        out
    }

    /// Appends the text form to `out`.
    pub fn encode_into(&self, out: &mut String) {
        for (name, value) in self.iter() {
            out.push_str(name);
            out.push(NAME_END);
            out.push_str(value);
            out.push(VALUE_END);
        }
    }

    /// Appends the bytes of the text form to `out`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for (name, value) in self.iter() {
            out.extend_from_slice(name.as_bytes());
            out.push(NAME_END as u8);
            out.extend_from_slice(value.as_bytes());
            out.push(VALUE_END as u8);
        }
    }

    /// Length of the text form in bytes.
    pub fn encoded_len(&self) -> usize {
        self.iter().map(|(name, value)| name.len() + value.len() + 2).sum()
    }

    /// Reads the text form; what is no pair is skipped, a later value of a name wins.
    pub fn decode(text: &str) -> Self {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        let mut places = BTreeMap::new();
        for (name, value) in split(text) {
            let place = *places.entry(name).or_insert(pairs.len());
            match pairs.get_mut(place) {
                Some(pair) => pair.1 = value,
                None => pairs.push((name, value)),
            }
        }
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// The value of one name in a text form, without reading the rest into memory.
    pub fn find<'a>(text: &'a str, name: &str) -> Option<&'a str> {
        split(text).filter(|(key, _)| *key == name).last().map(|(_, value)| value)
    }

    /// Whether a broker would store these properties and a reader get them back.
    ///
    /// # Errors
    /// A name or value is empty (a reader would not see the property) or holds a separator (it would become other
    /// properties), or the text form is too long.
    pub fn check(&self) -> Result<(), PropertyError> {
        for (name, value) in self.iter() {
            check_pair(name, value)?;
        }
        let length = self.encoded_len();
        if length > Self::MAX_ENCODED_LENGTH {
            return Err(PropertyError::TooLong { length, limit: Self::MAX_ENCODED_LENGTH });
        }
        Ok(())
    }
}

impl<N: Into<String> + AsRef<str>, V: Into<String>> FromIterator<(N, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut properties = Self::new();
        for (name, value) in pairs {
            properties.set(name, value);
        }
        properties
    }
}

/// Properties that must not be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// A property without a name.
    #[error("a property with the value {value:?} has no name")]
    EmptyName {
        /// Its value.
        value: String,
    },
    /// A property without a value; readers would not see it.
    #[error("property {name:?} has no value; readers drop such a property, so leave it out")]
    EmptyValue {
        /// Its name.
        name: String,
    },
    /// A separator in a name or value.
    #[error("property {name:?} holds the control character 0x{separator:02x}, which separates properties")]
    Separator {
        /// Its name.
        name: String,
        /// 1 or 2.
        separator: u8,
    },
    /// All together are too long.
    #[error("the properties have {length} bytes together; brokers store at most {limit}")]
    TooLong {
        /// Encoded length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

fn check_pair(name: &str, value: &str) -> Result<(), PropertyError> {
    if name.is_empty() {
        return Err(PropertyError::EmptyName { value: value.to_owned() });
    }
    if value.is_empty() {
        return Err(PropertyError::EmptyValue { name: name.to_owned() });
    }
    match name.bytes().chain(value.bytes()).find(|byte| matches!(byte, 1 | 2)) {
        Some(separator) => Err(PropertyError::Separator { name: name.to_owned(), separator }),
        None => Ok(()),
    }
}

/// The pairs of a text form: the name ends at the first 0x01, neither side is empty.
fn split(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(VALUE_END)
        .filter_map(|pair| pair.split_once(NAME_END))
        .filter(|(name, value)| !name.is_empty() && !value.is_empty())
}
