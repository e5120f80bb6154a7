//! An answer as named facets, with everything masked that no two servers share: times, addresses, places in the log.

use std::{collections::BTreeMap, net::SocketAddr};

use maxq_protocol::{
    HeaderEncoding, RemotingCommand,
    body::normalise,
    message::{OffsetMessageId, Properties, StoredMessage, property},
};
use serde_json::Value;

use super::{
    request::UNIQUE_KEY,
    step::{Reading, records},
};
use crate::{clock, expect};

/// Name to value.
pub(super) type Facets = BTreeMap<String, String>;

/// The addresses of one server, which another server has others of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Places {
    pub(super) name_server: SocketAddr,
    pub(super) broker: SocketAddr,
    /// Our own end of the connection.
    pub(super) client: SocketAddr,
}

impl Places {
    /// What an answer says, facet by facet.
    pub(super) fn facets(self, answer: &RemotingCommand, body: Reading) -> Facets {
        let mut facets = Facets::from([
            ("code".to_owned(), answer.code.to_string()),
            ("remark".to_owned(), self.remark(answer.remark.as_deref())),
            ("language".to_owned(), answer.language.to_string()),
            ("version".to_owned(), answer.version.0.to_string()),
            ("flags".to_owned(), answer.flags.0.to_string()),
            ("encoding".to_owned(), encoding(answer.encoding).to_owned()),
        ]);
        for (key, value) in answer.ext.iter() {
            facets.insert(format!("ext.{key}"), self.field(key, value));
        }
        match body {
            Reading::Records => self.records(answer, &mut facets),
            Reading::Value | Reading::Keys => self.value(&answer.body, body, &mut facets),
        }
        facets
    }

    /// A Java exception counts by its class: the text behind it is dropped by the JVM once the code is hot.
    fn remark(self, remark: Option<&str>) -> String {
        let Some(remark) = remark else { return "<none>".to_owned() };
        // The JVM's own words for a null pointer, where a server repeats the message without the class.
        if remark.starts_with("Cannot invoke ") {
            return "<java.lang.NullPointerException>".to_owned();
        }
        match exception(remark) {
            Some(class) => format!("<{class}>"),
            None => self.mask(remark),
        }
    }

    fn field(self, key: &str, value: &str) -> String {
        match key {
            "msgId" => value.split(',').map(|id| self.offset_id(id)).collect::<Vec<_>>().join(","),
            "transactionId" => unique_key(value),
            "indexLastUpdatePhyoffset" => "<offset>".to_owned(),
            _ => self.mask(value),
        }
    }

    fn offset_id(self, id: &str) -> String {
        match id.parse::<OffsetMessageId>() {
            Ok(parsed) if parsed.store_host == self.broker && parsed.to_string() == id => "<id>".to_owned(),
            _ => id.to_owned(),
        }
    }

    fn records(self, answer: &RemotingCommand, facets: &mut Facets) {
        let found = records(answer);
        let whole: usize = found.iter().map(StoredMessage::encoded_len).sum();
        let count = match answer.body.len() {
            bytes if bytes == whole => found.len().to_string(),
            bytes => format!("{}, broken: {bytes} bytes", found.len()),
        };
        facets.insert("records".to_owned(), count);
        for (number, record) in found.iter().enumerate() {
            for (name, value) in self.record(record) {
                facets.insert(format!("record {number}.{name}"), value);
            }
        }
    }

    /// Field by field. Its checksum was compared with its body when it was read.
    fn record(self, record: &StoredMessage) -> Vec<(String, String)> {
        let StoredMessage { properties, topic, .. } = record;
        let mut fields = vec![
            ("topic", topic.clone()),
            ("queue", record.queue_id.to_string()),
            ("queue offset", record.queue_offset.to_string()),
            ("flag", record.flag.to_string()),
            ("sys flag", record.sys_flag.0.to_string()),
            ("born time", self.mask(&record.born_timestamp.to_string())),
            // Another client may have sent it: its port is nobody's business.
            ("born host", record.born_host.ip().to_string()),
            ("store time", self.mask(&record.store_timestamp.to_string())),
            ("store host", self.mask(&record.store_host.to_string())),
            ("reconsume times", record.reconsume_times.to_string()),
            ("prepared offset", record.prepared_transaction_offset.to_string()),
            ("body", body_text(&record.body)),
            ("properties end", properties.ends_with('\u{2}').to_string()),
        ];
        let pairs = properties.split('\u{2}').filter(|pair| !pair.is_empty()).count();
        fields.push(("number of properties", pairs.to_string()));
        let mut fields: Vec<_> = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        for (name, value) in Properties::decode(properties).iter() {
            let value = if name == property::UNIQ_KEY { unique_key(value) } else { self.mask(value) };
            fields.push((format!("property {name}"), expect::short(&value)));
        }
        fields
    }

    fn value(self, body: &[u8], reading: Reading, facets: &mut Facets) {
        if body.is_empty() {
            return;
        }
        let strict = serde_json::from_slice(body).ok();
        let lenient = || normalise(body).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let dialect = if strict.is_some() { "JSON" } else { "fastjson" };
        match strict.or_else(lenient) {
            Some(value) => {
                facets.insert("body".to_owned(), dialect.to_owned());
                self.flatten("body", &value, reading, facets);
            }
            None => {
                facets.insert("body".to_owned(), self.mask(&body_text(body)));
            }
        }
    }

    fn flatten(self, path: &str, value: &Value, reading: Reading, facets: &mut Facets) {
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    self.flatten(&format!("{path}.{}", self.mask(key)), member, reading, facets);
                }
            }
            // In an order that is the same for both: Java's sets have none.
            Value::Array(items) => {
                let mut items: Vec<_> =
                    items.iter().map(|item| (self.mask(&item.to_string()), item)).collect();
                items.sort_by(|one, other| one.0.cmp(&other.0));
                facets.insert(path.to_owned(), "list".to_owned());
                for (number, (text, item)) in items.into_iter().enumerate() {
                    match item {
                        Value::Object(_) | Value::Array(_) => {
                            self.flatten(&format!("{path}[{number}]"), item, reading, facets);
                        }
                        _ => _ = facets.insert(format!("{path}[{text}]"), "there".to_owned()),
                    }
                }
            }
            _ if reading == Reading::Keys => _ = facets.insert(path.to_owned(), "there".to_owned()),
            _ => _ = facets.insert(path.to_owned(), self.mask(&value.to_string())),
        }
    }

    /// Addresses and times replaced by what they are.
    fn mask(self, text: &str) -> String {
        let places =
            [(self.broker, "<broker>"), (self.name_server, "<name server>"), (self.client, "<client>")];
        let mut text = text.to_owned();
        for (address, name) in places {
            text = text.replace(&address.to_string(), name);
        }
        mask_times(&text, clock::wall_millis())
    }
}

/// Numbers of milliseconds within a day of `now` become `<now>`.
fn mask_times(text: &str, now: i64) -> String {
    const DAY: i64 = 86_400_000;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, number) = rest.split_at(start);
        let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        let (digits, after) = number.split_at(end);
        let is_now = digits.parse::<i64>().is_ok_and(|time| (time - now).abs() < DAY);
        out.push_str(before);
        out.push_str(if is_now { "<now>" } else { digits });
        rest = after;
    }
    out + rest
}

/// The class of the Java exception that a remark begins with.
fn exception(remark: &str) -> Option<&str> {
    let end = remark.find([':', ',', ' ', '\n']).unwrap_or(remark.len());
    let class = &remark[..end];
    let is_class = class.contains('.') && (class.ends_with("Exception") || class.ends_with("Error"));
    is_class.then_some(class)
}

/// Our own keys are compared, those that a server makes are not: hexadecimal digits, of an IPv6 host some more.
fn unique_key(key: &str) -> String {
    let is_made = key.len() >= UNIQUE_KEY.len() && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_made { "<made by the server>".to_owned() } else { key.to_owned() }
}

fn body_text(body: &[u8]) -> String {
    let text = match std::str::from_utf8(body) {
        Ok(text) => text.to_owned(),
        Err(_) => format!("{body:02x?}"),
    };
    format!("{} bytes: {}", body.len(), expect::short(&text))
}

const fn encoding(encoding: HeaderEncoding) -> &'static str {
    match encoding {
        HeaderEncoding::Json => "JSON",
        HeaderEncoding::Binary => "binary",
    }
}

#[cfg(test)]
mod tests {
    use maxq_protocol::ResponseCode;

    use super::*;

    fn places() -> Places {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Places { name_server: address(9876), broker: address(10911), client: address(50_000) }
    }

    #[test]
    fn addresses_and_the_present_are_masked_and_the_past_is_not() {
        let text = "Producer: 127.0.0.1:50000 of 127.0.0.1:10911 at 1700000000500, not 1600000000000";
        let text = mask_times(&text.replace("127.0.0.1:50000", "x"), 1_700_000_000_000);
        assert_eq!(text, "Producer: x of 127.0.0.1:10911 at <now>, not 1600000000000");
        assert_eq!(places().mask("/127.0.0.1:50000 and 127.0.0.1:10911"), "/<client> and <broker>");
    }

    #[test]
    fn an_exception_is_its_class() {
        assert_eq!(
            places().remark(Some("java.lang.NullPointerException: x, y")),
            "<java.lang.NullPointerException>"
        );
        assert_eq!(places().remark(Some("topic[T] not exist")), "topic[T] not exist");
        assert_eq!(places().remark(None), "<none>");
    }

    #[test]
    fn a_body_that_is_no_record_is_not_an_empty_one() {
        let facets = |body: &'static [u8]| {
            let answer = RemotingCommand::response(ResponseCode::SUCCESS, 1).with_body(body);
            places().facets(&answer, Reading::Records)
        };
        assert_eq!(facets(b"")["records"], "0");
        assert_eq!(facets(b"no record")["records"], "0, broken: 9 bytes");
    }

    #[test]
    fn lists_are_compared_without_their_order() {
        let facets = |text: &str| {
            let mut facets = Facets::new();
            places().value(text.as_bytes(), Reading::Value, &mut facets);
            facets
        };
        assert_eq!(
            facets(r#"{"a":["x","y"],"b":[{"c":2},{"c":1}]}"#),
            facets(r#"{"b":[{"c":1},{"c":2}],"a":["y","x"]}"#)
        );
        assert_eq!(facets("{0:\"h\"}")["body"], "fastjson");
        assert_eq!(facets("{0:\"h\"}")["body.0"], facets("{\"0\":\"h\"}")["body.0"]);
    }
}
