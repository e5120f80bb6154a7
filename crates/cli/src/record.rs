//! The NDJSON record of one message: what `cat` writes and `produce` takes back without loss.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use maxq::{Message, MessageView};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::value;

/// A stored message, as one line.
#[derive(Debug, Serialize)]
struct Written<'a> {
    topic: &'a str,
    queue: i32,
    broker: &'a str,
    offset: u64,
    message_id: String,
    offset_message_id: String,
    keys: Vec<&'a str>,
    tag: Option<&'a str>,
    properties: BTreeMap<&'a str, &'a str>,
    flag: i32,
    born_timestamp: i64,
    store_timestamp: i64,
    #[serde(flatten)]
    body: Body<'a>,
}

/// A body is text where it is valid UTF-8.
#[derive(Debug, Serialize)]
enum Body<'a> {
    #[serde(rename = "body")]
    Text(&'a str),
    #[serde(rename = "body_base64")]
    Base64(String),
}

/// A line to be sent. Where the message was, and under which ids, is for the reader's information: a new message
/// gets its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given<'a> {
    #[serde(default, rename = "topic")]
    _topic: IgnoredAny,
    #[serde(default, rename = "queue")]
    _queue: IgnoredAny,
    #[serde(default, rename = "broker")]
    _broker: IgnoredAny,
    #[serde(default, rename = "offset")]
    _offset: IgnoredAny,
    #[serde(default, rename = "message_id")]
    _message_id: IgnoredAny,
    #[serde(default, rename = "offset_message_id")]
    _offset_message_id: IgnoredAny,
    #[serde(default, rename = "born_timestamp")]
    _born_timestamp: IgnoredAny,
    #[serde(default, rename = "store_timestamp")]
    _store_timestamp: IgnoredAny,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    tag: Option<String>,
    #[serde(default)]
    properties: BTreeMap<String, String>,
    #[serde(default)]
    flag: i32,
    #[serde(default, borrow)]
    body: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    body_base64: Option<Cow<'a, str>>,
}

/// Writes `message` and a line break behind what is in `out`.
pub(crate) fn write(out: &mut Vec<u8>, message: &MessageView) {
    let body = match std::str::from_utf8(message.body()) {
        Ok(text) => Body::Text(text),
        Err(_) => Body::Base64(STANDARD.encode(message.body())),
    };
    let written = Written {
        topic: message.topic(),
        queue: message.queue().queue_id(),
        broker: message.queue().broker_name(),
        offset: message.queue_offset(),
        message_id: message.message_id(),
        offset_message_id: message.offset_id(),
        keys: message.keys().collect(),
        tag: message.tag(),
        properties: message.user_properties().collect(),
        flag: message.flag(),
        born_timestamp: message.born_timestamp(),
        store_timestamp: message.store_timestamp(),
        body,
    };
    serde_json::to_writer(&mut *out, &written).expect("text, numbers and maps of text are always JSON");
    out.push(b'\n');
}

/// The message of one line, for `topic`.
///
/// # Errors
/// The line is no record, has an unknown key, or a value that no message can have: one sentence.
pub(crate) fn read(line: &[u8], topic: &str) -> Result<Message, String> {
    // Serde would take an array for a struct.
    if line.trim_ascii_start().first() != Some(&b'{') {
        return Err("no record: a JSON object such as {\"body\":\"hello\"} is expected".to_owned());
    }
    let given: Given<'_> = serde_json::from_slice(line).map_err(|error| explain(&error))?;
    let body = match (given.body, given.body_base64) {
        (Some(text), None) => text.into_owned().into_bytes(),
        (None, Some(text)) => {
            STANDARD.decode(text.as_bytes()).map_err(|error| format!("body_base64 is no base64: {error}"))?
        }
        (None, None) => return Err("the record has no body: give body (text) or body_base64".to_owned()),
        (Some(_), Some(_)) => return Err("the record has body and body_base64: give one of them".to_owned()),
    };
    let mut message = Message::new(topic, body).flag(given.flag);
    for key in given.keys {
        message = message.key(value::key(&key)?);
    }
    if let Some(tag) = given.tag {
        message = message.tag(tag);
    }
    Ok(given.properties.into_iter().fold(message, |message, (name, value)| message.property(name, value)))
}

/// Serde's sentence; the line it counts is always the first, and ours is known.
fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what =
        text.strip_suffix(&format!(" at line {} column {}", error.line(), error.column())).unwrap_or(&text);
    match error.classify() {
        serde_json::error::Category::Data => format!("bad record: {what} (column {})", error.column()),
        _ => format!("no JSON: {what} (column {})", error.column()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_describes_a_message_is_taken_over() {
        let line = br#" {"body":"gr\u00fcn","keys":["a","b"],"tag":"t","properties":{"k":"v"},"flag":-7}"#;
        let message = read(line, "orders").unwrap();
        let expected = Message::new("orders", "grün").keys(["a", "b"]).tag("t").property("k", "v").flag(-7);
        assert_eq!(message, expected);
        let message = read(br#"{"body_base64":"//4="}"#, "orders").unwrap();
        assert_eq!(message, Message::new("orders", vec![0xff, 0xfe]));
    }

    #[test]
    fn place_and_ids_are_for_information() {
        let line = br#"{"topic":"other","queue":3,"broker":"b","offset":9,"message_id":"x","offset_message_id":"y",
            "born_timestamp":1,"store_timestamp":2,"keys":[],"tag":null,"properties":{},"flag":0,"body":"x"}"#;
        assert_eq!(read(line, "orders").unwrap(), Message::new("orders", "x"));
    }

    #[test]
    fn what_is_no_record_says_why() {
        let cases: [(&[u8], &str); 13] = [
            (b"hello", "a JSON object"),
            (b"[1]", "a JSON object"),
            (b"", "a JSON object"),
            (b"{", "no JSON: EOF"),
            (b"{\"body\":\"x\"} y", "no JSON: trailing characters"),
            (b"{\"body\":\"x\",\"colour\":1}", "unknown field `colour`"),
            (b"{\"body\":\"x\",\"body\":\"y\"}", "duplicate field `body`"),
            (b"{\"body\":\"\xff\"}", "no JSON: invalid unicode code point"),
            (b"{}", "no body"),
            (b"{\"body\":\"x\",\"body_base64\":\"eA==\"}", "one of them"),
            (b"{\"body_base64\":\"*\"}", "no base64"),
            (b"{\"body\":\"x\",\"keys\":[\"a b\"]}", "has no blanks"),
            (b"{\"body\":\"x\",\"flag\":2147483648}", "invalid value"),
        ];
        for (line, why) in cases {
            let error = read(line, "orders").unwrap_err();
            assert!(error.contains(why), "{}: {error}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_deeply_nested_line_is_an_error_and_no_crash() {
        let bomb = [b"{\"body\":".as_slice(), &b"[".repeat(1_000_000)].concat();
        assert!(read(&bomb, "orders").is_err());
        let bomb = [b"{\"queue\":".as_slice(), &b"[".repeat(1_000_000)].concat();
        assert!(read(&bomb, "orders").is_err());
    }
}
