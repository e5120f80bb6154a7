//! The short way through a JSON header: what servers really write, read in one pass.
//!
//! A header from Java or from Maxq is compact, has no escapes but those of the separators in properties, and is one
//! object of numbers and texts with one object of texts inside. That is all that is understood here; on anything else
//! this gives up and the JSON library reads the header from the start. So it decides nothing: a property test holds the
//! two ways together.

use std::ops::Range;

use super::scan::text_end;
use crate::{ExtFields, Flags, LanguageCode, RemotingCommand, Version};

/// Reads a header, or gives up. It never judges: giving up is not an error.
pub(super) fn read(text: &str) -> Option<RemotingCommand> {
    // Raw control characters pass, as they do in fastjson.
    let mut scan = Scan { text, at: 0 };
    let mut command = super::unset();
    scan.object(|scan, key| {
        match key {
            "code" => command.code = scan.int()?,
            "flag" => command.flags = Flags(scan.int()?),
            "opaque" => command.opaque = scan.int()?,
            "version" => command.version = Version(scan.int()?),
            "language" => command.language = LanguageCode::from_name(scan.string()?)?,
            "serializeTypeCurrentRPC" => drop(scan.string()?),
            "remark" => command.remark = Some(scan.string()?.to_owned()),
            "extFields" => fields(scan, &mut command.ext)?,
            _ => return None,
        }
        Some(())
    })?;
    (scan.at == text.len()).then_some(command)
}

fn fields(scan: &mut Scan<'_>, ext: &mut ExtFields) -> Option<()> {
    if !ext.is_empty() {
        return None;
    }
    *ext = ExtFields::parts_of(scan.text, super::USUAL_FIELDS);
    let mut unescaped = String::new();
    scan.object(|scan, key| {
        // Behind the key and its colon.
        let key_at = scan.at - key.len() - 2;
        match scan.value(&mut unescaped)? {
            Value::Part(at) => ext.set_part(key, key_at, at),
            Value::Unescaped => ext.set(key, &unescaped),
        }
        (ext.len() < super::MAX_FIELDS).then_some(())
    })
}

/// Where a value is.
enum Value {
    /// In the text, as it is.
    Part(Range<usize>),
    /// In the buffer: it had escapes.
    Unescaped,
}

pub(super) struct Scan<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl<'a> Scan<'a> {
    /// `{"key":value,..}`; the value is the caller's.
    #[inline]
    pub(super) fn object(&mut self, mut member: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.eat(b'{')?;
        if self.eat(b'}').is_some() {
            return Some(());
        }
        loop {
            let key = self.string()?;
            self.eat(b':')?;
            member(self, key)?;
            match self.next()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// A text without escapes.
    pub(super) fn string(&mut self) -> Option<&'a str> {
        self.eat(b'"')?;
        let part = self.until_quote_or_escape()?;
        (self.next()? == b'"').then_some(part)
    }

    /// A text that may have the escapes of control characters: every send has some, between its properties. What has
    /// any is put together in `buffer`.
    fn value(&mut self, buffer: &mut String) -> Option<Value> {
        self.eat(b'"')?;
        let from = self.at;
        let mut part = self.until_quote_or_escape()?;
        if self.eat(b'"').is_some() {
            return Some(Value::Part(from..from + part.len()));
        }
        buffer.clear();
        buffer.reserve(self.text.len() - from);
        loop {
            buffer.push_str(part);
            if self.eat(b'"').is_some() {
                return Some(Value::Unescaped);
            }
            buffer.push(self.control_character()?);
            part = self.until_quote_or_escape()?;
        }
    }

    /// At the end of the text, whoever looks for the quote finds none.
    #[inline(always)]
    fn until_quote_or_escape(&mut self) -> Option<&'a str> {
        let from = self.at;
        self.at = text_end(self.text.as_bytes(), from);
        self.text.get(from..self.at)
    }

    /// `\u0000` to `\u001f`; every other escape is unusual.
    fn control_character(&mut self) -> Option<char> {
        let [b'\\', b'u', b'0', b'0', high @ (b'0' | b'1'), low] =
            self.text.as_bytes().get(self.at..self.at + 6)?
        else {
            return None;
        };
        self.at += 6;
        char::from_u32((u32::from(high - b'0') << 4) + char::from(*low).to_digit(16)?)
    }

    /// An integer of 32 bits in its shortest form.
    pub(super) fn int(&mut self) -> Option<i32> {
        let negative = self.eat(b'-').is_some();
        let start = self.at;
        let mut value = 0i64;
        while let Some(digit) = self.text.as_bytes().get(self.at).filter(|byte| byte.is_ascii_digit()) {
            value = value * 10 + i64::from(digit - b'0');
            self.at += 1;
            if self.at - start > 10 {
                return None;
            }
        }
        let digits = &self.text.as_bytes()[start..self.at];
        if digits.is_empty() || (digits.len() > 1 && digits[0] == b'0') || (negative && value == 0) {
            return None;
        }
        i32::try_from(if negative { -value } else { value }).ok()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.text.as_bytes().get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    fn next(&mut self) -> Option<u8> {
        let byte = *self.text.as_bytes().get(self.at)?;
        self.at += 1;
        Some(byte)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::serialize::json;

    const SEND_ANSWER: &str = r#"{"code":0,"extFields":{"queueId":"2","msgId":"7F00000100002A9F0000000000000000","TRACE_ON":"true","MSG_REGION":"DefaultRegion","queueOffset":"5"},"flag":1,"language":"JAVA","opaque":8,"serializeTypeCurrentRPC":"JSON","version":479}"#;

    const SEND: &str = r#"{"code":310,"extFields":{"a":"pg","i":"UNIQ_KEY\u00017F00\u0002\u001F\u0002","m":"\u0001"},"flag":0,"language":"RUST","opaque":8,"serializeTypeCurrentRPC":"JSON","version":479}"#;

    #[test]
    fn an_answer_to_a_send_goes_the_short_way() {
        let quick = read(SEND_ANSWER).unwrap();
        assert_eq!(quick, json::read_thoroughly(SEND_ANSWER).unwrap());
        assert_eq!(quick.ext.get("queueOffset"), Some("5"));
    }

    #[test]
    fn a_send_with_its_separators_goes_the_short_way() {
        let quick = read(SEND).unwrap();
        assert_eq!(quick, json::read_thoroughly(SEND).unwrap());
        assert_eq!(quick.ext.get("i"), Some("UNIQ_KEY\u{1}7F00\u{2}\u{1f}\u{2}"));
        assert_eq!((quick.ext.get("a"), quick.ext.get("m")), (Some("pg"), Some("\u{1}")));
        let twice = r#"{"extFields":{"a":"1","b":"2","a":"\u0001","b":"3"}}"#;
        assert_eq!(read(twice), json::read_thoroughly(twice).ok());
    }

    #[test]
    fn what_is_unusual_is_left_to_the_library() {
        for text in [
            r#"{ "code":0}"#,
            r#"{"code":0} "#,
            r#"{"code":"0"}"#,
            r#"{"code":00}"#,
            r#"{"code":-0}"#,
            r#"{"code":1e3}"#,
            r#"{"code":99999999999}"#,
            r#"{"code":0,"extFields":{"a":1}}"#,
            r#"{"code":0,"extFields":null}"#,
            r#"{"code":0,"extFields":{"a":"b"},"extFields":{"c":"d"}}"#,
            r#"{"code":0,"remark":"a\nb"}"#,
            r#"{"code":0,"extFields":{"a":"\n"}}"#,
            r#"{"code":0,"extFields":{"a":"\u0020"}}"#,
            r#"{"code":0,"extFields":{"a":"\u00e4"}}"#,
            r#"{"code":0,"extFields":{"a":"\u001g"}}"#,
            r#"{"code":0,"extFields":{"a":"\u00"}}"#,
            r#"{"code":0,"extFields":{"\u0001":"a"}}"#,
            r#"{"code":0,"language":12}"#,
            r#"{"code":0,"language":"KLINGON"}"#,
            r#"{"code":0,"new":1}"#,
            r#"{"code":0,}"#,
            r#"{"code":0"#,
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        /// Where the short way gives a command, the library gives the same.
        #[test]
        fn both_ways_read_the_same(
            text in prop_oneof![Just(SEND_ANSWER), Just(SEND)],
            at in 0..SEND.len().min(SEND_ANSWER.len()),
            cut in 0usize..6,
            insert in "[ -~]{0,6}",
        ) {
            let mut text = text.to_owned();
            let end = (at + cut).min(text.len());
            text.replace_range(at..end, &insert);
            if let Some(quick) = read(&text) {
                prop_assert_eq!(Some(quick), json::read_thoroughly(&text).ok());
            }
        }
    }
}
