//! The JSON header (Apache's `RemotingSerializable`, written by fastjson).
//!
//! `{"code":105,"extFields":{"topic":"T"},"flag":0,"language":"RUST","opaque":7,"serializeTypeCurrentRPC":"JSON","version":479}`
//!
//! Read leniently: keys in any order, unknown keys ignored, `language` as name or number, ext values of any scalar
//! type. Property separators 0x01 and 0x02 must be written as `\u0001` and `\u0002`.

mod head;
mod quick;
mod scan;
mod shape;

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

pub use self::head::{SendFill, SendHead};
use self::scan::plain_len;
pub(super) use self::shape::Shape;
use super::{Fields, HeaderEncoding, MAX_FIELDS, Preamble, USUAL_FIELDS};
use crate::{
    DecodeError, DecodeErrorKind as Kind, ExtFields, Flags, LanguageCode, RemotingCommand, Version,
    ext::ExtSink,
};

pub(super) fn write(preamble: Preamble<'_>, fields: &impl Fields, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"code\":");
    write_int(preamble.code, out);
    out.extend_from_slice(b",\"extFields\":{");
    fields.write_to(&mut JsonSink { out, first: true });
    out.extend_from_slice(b"},\"flag\":");
    write_int(preamble.flags.0, out);
    out.extend_from_slice(b",\"language\":\"");
    out.extend_from_slice(preamble.language.name().unwrap_or("OTHER").as_bytes());
    out.extend_from_slice(b"\",\"opaque\":");
    write_int(preamble.opaque, out);
    if let Some(remark) = preamble.remark {
        out.extend_from_slice(b",\"remark\":");
        write_text(remark, out);
    }
    out.extend_from_slice(b",\"serializeTypeCurrentRPC\":\"JSON\",\"version\":");
    write_int(preamble.version.0, out);
    out.push(b'}');
}

pub(super) fn read(header: &[u8]) -> Result<RemotingCommand, DecodeError> {
    // One check for the whole text is cheaper than one for each string in it.
    let text = std::str::from_utf8(header).map_err(|_| DecodeError::new(Kind::NotUtf8, "JSON header"))?;
    match quick::read(text) {
        Some(command) => Ok(command),
        None => read_thoroughly(text),
    }
}

fn read_thoroughly(text: &str) -> Result<RemotingCommand, DecodeError> {
    let read: JsonHeader = serde_json::from_str(text)
        .map_err(|error| DecodeError::new(Kind::Json(error.to_string()), "JSON header"))?;
    Ok(read.0)
}

/// What a header says that says nothing.
fn unset() -> RemotingCommand {
    RemotingCommand {
        code: 0,
        language: LanguageCode::OTHER,
        version: Version(0),
        opaque: 0,
        flags: Flags::default(),
        remark: None,
        ext: ExtFields::new(),
        body: Bytes::new(),
        encoding: HeaderEncoding::Json,
    }
}

struct JsonSink<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

// Always inlined, so that the key of each field of a send is known where it is written: a few stores.
impl JsonSink<'_> {
    /// `,"key":"`
    #[inline(always)]
    fn begin(&mut self, key: &str) {
        if !std::mem::take(&mut self.first) {
            match key.as_bytes() {
                [letter] => return self.out.extend_from_slice(&[b',', b'"', *letter, b'"', b':', b'"']),
                _ => self.out.push(b','),
            }
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":\"");
    }
}

impl ExtSink for JsonSink<'_> {
    #[inline(always)]
    fn field(&mut self, key: &'static str, value: &str) {
        self.begin(key);
        write_inner(value, self.out);
        self.out.push(b'"');
    }

    fn pair(&mut self, key: &str, value: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        write_text(key, self.out);
        self.out.push(b':');
        write_text(value, self.out);
    }

    #[inline(always)]
    fn number(&mut self, key: &'static str, value: i64) {
        self.begin(key);
        match value {
            // Most fields of a send.
            0..=9 => self.out.extend_from_slice(&[b'0' + value as u8, b'"']),
            _ => {
                self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
                self.out.push(b'"');
            }
        }
    }

    #[inline(always)]
    fn boolean(&mut self, key: &'static str, value: bool) {
        self.begin(key);
        if value {
            self.out.extend_from_slice(b"true\"");
        } else {
            self.out.extend_from_slice(b"false\"");
        }
    }
}

fn write_int(value: i32, out: &mut Vec<u8>) {
    match value {
        0..=9 => out.push(b'0' + value as u8),
        _ => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    write_inner(text, out);
    out.push(b'"');
}

/// What stands between the quotes. Properties are the texts that do need escapes, and nearly always only for their two
/// separators.
fn write_inner(text: &str, out: &mut Vec<u8>) {
    let start = out.len();
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_len(rest));
        out.extend_from_slice(plain);
        match special {
            [] => return,
            [1, ..] => out.extend_from_slice(b"\\u0001"),
            [2, ..] => out.extend_from_slice(b"\\u0002"),
            _ => {
                out.truncate(start);
                return write_escaped(text, out);
            }
        }
        rest = &special[1..];
    }
}

/// What stands between the quotes of a text with escapes that are seldom met.
#[cold]
fn write_escaped(text: &str, out: &mut Vec<u8>) {
    let quoted = serde_json::to_vec(text).expect("a str is always JSON");
    out.extend_from_slice(&quoted[1..quoted.len() - 1]);
}

/// A command without its body.
struct JsonHeader(RemotingCommand);

impl<'de> Deserialize<'de> for JsonHeader {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = JsonHeader;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonHeader, A::Error> {
        let mut command = unset();
        while let Some(Text(key)) = map.next_key()? {
            match &*key {
                "code" => command.code = int(&map.next_value::<Scalar<'de>>()?)?,
                "flag" => command.flags = Flags(int(&map.next_value::<Scalar<'de>>()?)?),
                "opaque" => command.opaque = int(&map.next_value::<Scalar<'de>>()?)?,
                "version" => command.version = Version(int(&map.next_value::<Scalar<'de>>()?)?),
                "language" => command.language = language(&map.next_value::<Scalar<'de>>()?),
                "remark" => {
                    command.remark =
                        map.next_value::<Option<Text<'de>>>()?.map(|Text(text)| text.into_owned());
                }
                "extFields" => map.next_value_seed(ExtSeed(&mut command.ext))?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(JsonHeader(command))
    }
}

/// `language` travels as a name or as its ordinal; what nobody knows is OTHER.
fn language(value: &Scalar<'_>) -> LanguageCode {
    match value {
        Scalar::Text(name) => LanguageCode::from_name(name).unwrap_or(LanguageCode::OTHER),
        Scalar::Int(number) => u8::try_from(*number).map_or(LanguageCode::OTHER, LanguageCode),
        _ => LanguageCode::OTHER,
    }
}

/// A number of the fixed part; text numbers pass, as in fastjson, and null is 0.
fn int<E: serde::de::Error>(value: &Scalar<'_>) -> Result<i32, E> {
    let number = match value {
        Scalar::Int(number) => i32::try_from(*number).ok(),
        Scalar::Text(text) => text.parse().ok(),
        Scalar::Null => Some(0),
        Scalar::Bool(_) | Scalar::Other => None,
    };
    number.ok_or_else(|| E::custom("a number of the header does not fit 32 bits"))
}

/// Fills ext fields; numbers and booleans become their text, as fastjson does it, nulls are left out.
struct ExtSeed<'a>(&'a mut ExtFields);

impl<'de> DeserializeSeed<'de> for ExtSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ExtSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts, or null")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            match self.0.len() {
                0 => self.0.reserve(USUAL_TEXT, USUAL_FIELDS),
                MAX_FIELDS => return Err(serde::de::Error::custom("too many ext fields")),
                _ => {}
            }
            match map.next_value()? {
                Scalar::Text(value) => self.0.set(&key, &value),
                Scalar::Int(number) => self.0.set(&key, itoa::Buffer::new().format(number)),
                Scalar::Bool(value) => self.0.set(&key, if value { "true" } else { "false" }),
                Scalar::Null => {}
                Scalar::Other => return Err(serde::de::Error::custom("an ext field is not a text")),
            }
        }
        Ok(())
    }
}

/// Room for the text of the ext fields of a usual answer.
const USUAL_TEXT: usize = 256;

/// Text, borrowed where the JSON has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match from.deserialize_str(ScalarVisitor)? {
            Scalar::Text(text) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("expected a text")),
        }
    }
}

enum Scalar<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    Bool(bool),
    Null,
    /// A number that is no integer, or too large.
    Other,
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, a boolean or null")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Int(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(i64::try_from(number).map_or(Scalar::Other, Scalar::Int))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Other)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fastjson_tolerates_is_read() {
        let text = r#"{"opaque":"7","language":12,"extFields":{"n":4,"b":true,"z":null,"t":"a\u0001b"},"new":[{}],"code":105}"#;
        let command = read(text.as_bytes()).unwrap();
        assert_eq!((command.code, command.opaque, command.language), (105, 7, LanguageCode::RUST));
        let fields: Vec<_> = command.ext.iter().collect();
        assert_eq!(fields, [("n", "4"), ("b", "true"), ("t", "a\u{1}b")]);
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for text in
            ["[1]", "7", "null", "", "{\"code\":99999999999}", "{\"extFields\":{\"a\":{}}}", "{\"code\":"]
        {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(format!("{{\"a\":{deep}").as_bytes()).is_err());
    }
}
