//! A message before it is sent ([`Sample`]) and as a reader reports it ([`Seen`]).
//!
//! Every reader's words are turned into a [`Seen`], so that comparing two readers, or a reader with what was sent, is
//! comparing values.

use std::{collections::BTreeMap, fmt};

use anyhow::{Context as _, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use maxq_protocol::message::body_crc;
use serde::Deserialize;

use crate::expect;

/// The content of a message. In a failure it is shown as text as far as it is text.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Body(pub(crate) Vec<u8>);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = String::from_utf8_lossy(&self.0[..self.0.len().min(SHOWN)]);
        // The sum tells bodies apart whose beginnings are the same.
        write!(f, "{start:?} ({} bytes, crc {:08x})", self.0.len(), body_crc(&self.0))
    }
}

impl<T: Into<Vec<u8>>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

/// A message to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) body: Body,
    pub(crate) tag: Option<String>,
    pub(crate) keys: Vec<String>,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) flag: i32,
}

impl Sample {
    pub(crate) fn new(body: impl Into<Body>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    pub(crate) fn tag(mut self, tag: &str) -> Self {
        self.tag = Some(tag.into());
        self
    }

    pub(crate) fn keys(mut self, keys: &[&str]) -> Self {
        self.keys = keys.iter().map(|key| (*key).to_owned()).collect();
        self
    }

    pub(crate) fn property(mut self, name: &str, value: &str) -> Self {
        self.properties.insert(name.into(), value.into());
        self
    }

    pub(crate) fn flag(mut self, flag: i32) -> Self {
        self.flag = flag;
        self
    }
}

/// A stored message as one reader reports it. Equal for all readers when both they and the store are right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) topic: String,
    pub(crate) broker: String,
    pub(crate) queue: i32,
    pub(crate) offset: i64,
    /// The unique id, given by the sending client.
    pub(crate) message_id: String,
    /// Address and place in the store, given by the broker.
    pub(crate) offset_message_id: String,
    pub(crate) keys: Vec<String>,
    pub(crate) tag: Option<String>,
    /// The sender's own properties.
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) flag: i32,
    pub(crate) born_timestamp: i64,
    pub(crate) store_timestamp: i64,
    pub(crate) body: Body,
}

impl Seen {
    /// What the sender decided.
    pub(crate) fn sample(&self) -> Sample {
        Sample {
            body: self.body.clone(),
            tag: self.tag.clone(),
            keys: self.keys.clone(),
            properties: self.properties.clone(),
            flag: self.flag,
        }
    }

    /// Its place: broker, queue, offset.
    pub(crate) fn place(&self) -> (&str, i32, i64) {
        (&self.broker, self.queue, self.offset)
    }
}

/// A message as Apache's Java client reports it (`java/judge/Reader.java`).
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct JavaMessage {
    topic: String,
    broker: String,
    queue: i32,
    offset: i64,
    message_id: Option<String>,
    /// The time that Apache's client reads out of the unique id.
    message_id_time: i64,
    offset_message_id: String,
    keys: Option<String>,
    tag: Option<String>,
    properties: BTreeMap<String, String>,
    flag: i32,
    sys_flag: i32,
    body_base64: String,
    pub(crate) store_size: usize,
    commit_log_offset: i64,
    reconsume_times: i32,
    born_timestamp: i64,
    born_host: String,
    store_timestamp: i64,
    store_host: String,
}

impl JavaMessage {
    /// Its place: broker, queue, offset.
    pub(crate) fn place(&self) -> (&str, i32, i64) {
        (&self.broker, self.queue, self.offset)
    }

    /// One of its properties, RocketMQ's own included.
    pub(crate) fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).map(String::as_str)
    }

    /// The part that every reader sees, after the parts that only Java shows have been judged.
    pub(crate) fn judged(&self) -> Result<Seen> {
        let id = self.message_id.clone().context("a message without unique id")?;
        expect::that("times of reconsumption", self.reconsume_times).is(&0)?;
        expect::that("offset message id", self.offset_message_id.clone()).is(&self.expected_offset_id()?)?;
        if !self.born_host.starts_with("127.0.0.1:") || self.born_host == self.store_host {
            bail!("born host: expected a port of the sender on loopback, came {}", self.born_host);
        }
        if self.message_id_time.abs_diff(self.born_timestamp) > ID_TIME_TOLERANCE {
            bail!(
                "time in unique id {id}: expected about the birth at {}, came {}",
                self.born_timestamp,
                self.message_id_time
            );
        }
        // Apache's client of version 5 clears the compressed bit and keeps the bits that name the algorithm.
        expect::that("sys flag beside compression", self.sys_flag & !COMPRESSION_BITS).is(&0)?;
        Ok(Seen {
            topic: self.topic.clone(),
            broker: self.broker.clone(),
            queue: self.queue,
            offset: self.offset,
            message_id: id,
            offset_message_id: self.offset_message_id.clone(),
            keys: split_keys(self.keys.as_deref()),
            tag: self.tag.clone(),
            properties: user_properties(&self.properties),
            flag: self.flag,
            born_timestamp: self.born_timestamp,
            store_timestamp: self.store_timestamp,
            body: from_base64(&self.body_base64)?.into(),
        })
    }

    /// Address and port of the broker and the place in its commit log, each as hexadecimal digits
    /// (`MessageDecoder.createMessageId`).
    fn expected_offset_id(&self) -> Result<String> {
        let address: std::net::SocketAddrV4 = self.store_host.parse().context("store host")?;
        let (ip, port) = (u32::from(*address.ip()), u32::from(address.port()));
        Ok(format!("{ip:08X}{port:08X}{:016X}", self.commit_log_offset))
    }
}

/// Keys as RocketMQ joins them: by blanks.
pub(crate) fn split_keys(keys: Option<&str>) -> Vec<String> {
    keys.unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// What is left without the names that clients and brokers set (`MessageConst`).
pub(crate) fn user_properties(all: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let own = all.iter().filter(|(name, _)| !SYSTEM_PROPERTIES.contains(&name.as_str()));
    own.map(|(name, value)| (name.clone(), value.clone())).collect()
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn from_base64(text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).with_context(|| format!("not base64: {}", expect::short(text)))
}

/// Those a plain message can have. Any other name that nobody sent shows up as a difference.
const SYSTEM_PROPERTIES: &[&str] =
    &["CLUSTER", "KEYS", "MAX_OFFSET", "MIN_OFFSET", "MSG_REGION", "TAGS", "TRACE_ON", "UNIQ_KEY", "WAIT"];
/// Bytes of a body that a failure shows.
const SHOWN: usize = 80;
/// `MessageSysFlag.COMPRESSED_FLAG` and the three bits of the algorithm.
const COMPRESSION_BITS: i32 = 0x701;
/// Milliseconds between making an id and sending the message that bears it, on a busy machine.
const ID_TIME_TOLERANCE: u64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_the_system_are_taken_out() {
        let all = [("UNIQ_KEY", "1"), ("color", "red"), ("uniq_key", "2")];
        let all = all.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(user_properties(&all).into_keys().collect::<Vec<_>>(), ["color", "uniq_key"]);
    }

    #[test]
    fn a_body_is_shown_as_text_with_its_length() {
        let shown = format!("{:?}", Body::from("gr\u{fc}n"));
        assert!(shown.starts_with("\"gr\u{fc}n\" (5 bytes, crc "), "{shown}");
        assert_ne!(format!("{:?}", Body::from(vec![7; 1000])), format!("{:?}", Body::from(vec![7; 1001])));
    }

    #[test]
    fn keys_are_cut_at_blanks() {
        assert_eq!(split_keys(Some("a  b")), ["a", "b"]);
        assert!(split_keys(None).is_empty());
    }
}
