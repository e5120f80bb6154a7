//! The keys of what `maxq` prints, and of what `produce` takes.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    expect,
    message::{Sample, Seen, from_base64, to_base64},
};

/// A sample as a line that `produce` takes.
pub(super) fn record(sample: &Sample) -> Value {
    let mut record = json!({ "keys": sample.keys, "properties": sample.properties, "flag": sample.flag });
    match std::str::from_utf8(&sample.body.0) {
        Ok(text) => record["body"] = text.into(),
        Err(_) => record["body_base64"] = to_base64(&sample.body.0).into(),
    }
    if let Some(tag) = &sample.tag {
        record["tag"] = tag.as_str().into();
    }
    record
}

/// A line that `cat` prints, read back.
pub(super) fn seen(line: &str) -> Result<Seen> {
    let record: Record =
        serde_json::from_str(line).with_context(|| format!("maxq cat: {}", expect::short(line)))?;
    let body = match (record.body, record.body_base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => from_base64(&text)?,
        _ => bail!("maxq cat: expected body or body_base64: {}", expect::short(line)),
    };
    Ok(Seen {
        topic: record.topic,
        broker: record.broker,
        queue: record.queue,
        offset: record.offset,
        message_id: record.message_id,
        offset_message_id: record.offset_message_id,
        keys: record.keys,
        tag: record.tag,
        properties: record.properties,
        flag: record.flag,
        born_timestamp: record.born_timestamp,
        store_timestamp: record.store_timestamp,
        body: body.into(),
    })
}

/// A line of `produce -o json`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Receipt {
    /// `stored` or `handed_over`, where all is well.
    pub(crate) outcome: String,
    /// Absent for a one-way send.
    #[serde(flatten)]
    pub(crate) stored: Option<StoredReceipt>,
}

/// What a broker acknowledged.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct StoredReceipt {
    pub(crate) message_id: String,
    pub(crate) offset_message_id: String,
    pub(crate) topic: String,
    pub(crate) broker: String,
    pub(crate) queue: i32,
    pub(crate) offset: i64,
    pub(crate) status: String,
}

/// The keys of `topic list -o json`.
#[derive(Deserialize)]
pub(super) struct TopicList {
    pub(super) topics: Vec<String>,
}

/// The keys of `route -o json`.
#[derive(Deserialize)]
pub(super) struct Route {
    pub(super) brokers: Vec<RouteOfBroker>,
}

/// One broker of `route -o json`.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct RouteOfBroker {
    pub(crate) name: String,
    pub(crate) cluster: String,
    /// By broker id; 0 is the master.
    pub(crate) addresses: BTreeMap<i64, String>,
    pub(crate) read_queues: i32,
    pub(crate) write_queues: i32,
    pub(crate) perm: i32,
}

/// The keys of `cluster -o json`.
#[derive(Deserialize)]
pub(super) struct Clusters {
    pub(super) clusters: Vec<Cluster>,
}

/// One cluster of `cluster -o json`.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    pub(crate) brokers: Vec<BrokerOfCluster>,
}

/// One broker of `cluster -o json`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct BrokerOfCluster {
    pub(crate) name: String,
    /// By broker id; 0 is the master.
    pub(crate) addresses: BTreeMap<i64, String>,
}

/// The keys of `cat --format ndjson`.
#[derive(Deserialize)]
struct Record {
    topic: String,
    broker: String,
    queue: i32,
    offset: i64,
    message_id: String,
    offset_message_id: String,
    #[serde(default)]
    keys: Vec<String>,
    #[serde(default)]
    tag: Option<String>,
    #[serde(default)]
    properties: BTreeMap<String, String>,
    #[serde(default)]
    flag: i32,
    born_timestamp: i64,
    store_timestamp: i64,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_base64: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_travels_as_text_and_other_bytes_as_base64() {
        assert_eq!(record(&Sample::new("grün"))["body"], "grün");
        assert_eq!(record(&Sample::new([0xff, 0xfe]))["body_base64"], "//4=");
    }

    #[test]
    fn a_line_of_cat_is_read_back() {
        let line = r#"{"topic":"t","broker":"broker-0","queue":1,"offset":2,"message_id":"A","offset_message_id":"B",
            "keys":["k"],"tag":null,"properties":{"a":"b"},"flag":7,"born_timestamp":3,"store_timestamp":4,"body":"x"}"#;
        let seen = seen(line).unwrap();
        assert_eq!(seen.sample(), Sample::new("x").keys(&["k"]).property("a", "b").flag(7));
        assert_eq!(seen.place(), ("broker-0", 1, 2));
    }
}
