//! JSON out, in the two dialects that servers write, and JSON in, whichever it is.

use std::io;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use super::normalise;
use crate::{DecodeError, DecodeErrorKind as Kind};

/// Which JSON a server writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JsonDialect {
    /// JSON.
    #[default]
    Standard,
    /// What fastjson writes when nobody asks for JSON: integer keys of maps are not quoted, `{0:"ip:port"}`.
    Fastjson,
}

/// Writes a body without white space.
///
/// # Panics
/// `value` has no JSON form, such as a map with structures as keys. The bodies of this crate all have one.
pub fn to_json<T: Serialize>(value: &T, dialect: JsonDialect) -> Vec<u8> {
    let mut out = Vec::new();
    let written = match dialect {
        JsonDialect::Standard => serde_json::to_writer(&mut out, value),
        JsonDialect::Fastjson => {
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, BareKeys::default()))
        }
    };
    written.expect("a Vec takes every write, and the value has a JSON form");
    out
}

/// Reads a body leniently: what is JSON is read as it is, else unquoted keys `{0:"a"}` and objects as keys
/// `{{"topic":"t"}:1}` are quoted first.
///
/// # Errors
/// It is no JSON even so, or not of the expected shape.
pub fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(error) if error.is_syntax() => serde_json::from_slice(&normalise(bytes)?).map_err(not_json),
        Err(error) => Err(not_json(error)),
    }
}

fn not_json(error: serde_json::Error) -> DecodeError {
    DecodeError::new(Kind::Json(error.to_string()), "JSON body")
}

/// Leaves the quotes of integer keys out.
///
/// serde_json opens a key with `begin_string`, whether a text or a number follows. So the opening quote of a key waits
/// until the next call tells which of the two it is.
#[derive(Default)]
struct BareKeys {
    key: Key,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Key {
    /// Not inside of a key.
    #[default]
    None,
    /// Inside; nothing is known.
    Open,
    /// Inside; the opening quote waits.
    QuoteWaits,
    /// Inside of a text; the quote is written.
    Quoted,
    /// Inside of an integer.
    Bare,
}

impl BareKeys {
    fn flush_quote<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.key == Key::QuoteWaits {
            self.key = Key::Quoted;
            writer.write_all(b"\"")?;
        }
        Ok(())
    }

    fn integer(&mut self) {
        if self.key == Key::QuoteWaits {
            self.key = Key::Bare;
        }
    }
}

macro_rules! integer_keys {
    ($($name:ident: $int:ty),+) => {$(
        fn $name<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: $int) -> io::Result<()> {
            self.integer();
            CompactFormatter.$name(writer, value)
        }
    )+};
}

impl Formatter for BareKeys {
    integer_keys!(write_i8: i8, write_i16: i16, write_i32: i32, write_i64: i64);
    integer_keys!(write_u8: u8, write_u16: u16, write_u32: u32, write_u64: u64);

    fn begin_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.key = Key::Open;
        CompactFormatter.begin_object_key(writer, first)
    }

    fn end_object_key<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.key = Key::None;
        CompactFormatter.end_object_key(writer)
    }

    fn begin_string<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.key == Key::Open {
            self.key = Key::QuoteWaits;
            return Ok(());
        }
        CompactFormatter.begin_string(writer)
    }

    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        self.flush_quote(writer)?;
        CompactFormatter.write_string_fragment(writer, text)
    }

    fn write_char_escape<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        self.flush_quote(writer)?;
        CompactFormatter.write_char_escape(writer, escape)
    }

    fn end_string<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        if self.key == Key::Bare {
            return Ok(());
        }
        self.flush_quote(writer)?;
        CompactFormatter.end_string(writer)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn only_integer_keys_lose_their_quotes_and_only_in_fastjson() {
        let map = BTreeMap::from([(-1i64, BTreeMap::from([("0", 5), ("", 6), ("a\"b", 7), ("\n", 8)]))]);
        let text = |dialect| String::from_utf8(to_json(&map, dialect)).unwrap();
        assert_eq!(text(JsonDialect::Fastjson), r#"{-1:{"":6,"\n":8,"0":5,"a\"b":7}}"#);
        assert_eq!(text(JsonDialect::Standard), r#"{"-1":{"":6,"\n":8,"0":5,"a\"b":7}}"#);
        let texts = ["a", ""];
        assert_eq!(to_json(&texts, JsonDialect::Fastjson), br#"["a",""]"#);
    }

    #[test]
    fn both_dialects_are_read() {
        let read = |text: &str| from_json::<BTreeMap<i64, String>>(text.as_bytes());
        let expected = BTreeMap::from([(0, "a".to_owned()), (1, "b".to_owned())]);
        assert_eq!(read(r#"{0:"a",1:"b"}"#).unwrap(), expected);
        assert_eq!(read(r#"{"0":"a", "1" : "b"}"#).unwrap(), expected);
        assert!(read(r#"{0:"a""#).is_err());
        assert!(read(r#"{x:"a"}"#).is_err());
    }

    #[test]
    fn deep_json_is_an_error() {
        for bomb in ["[", "{\"a\":", "{0:", "{{"] {
            let text = bomb.repeat(100_000);
            assert!(from_json::<serde_json::Value>(text.as_bytes()).is_err(), "{bomb}");
        }
    }
}
