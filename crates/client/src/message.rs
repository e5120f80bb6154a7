//! What a user sends.

use std::fmt;

use bytes::Bytes;
use maxq_protocol::message::{Properties, UniqueId, property};

/// A message to send: a topic, a body, and what describes it.
///
/// Everything is checked when it is sent, so building one cannot fail. Once sent it never changes: a retry sends the
/// same bytes under the same unique id.
///
/// ```
/// use maxq::Message;
///
/// let message = Message::new("orders", "paid").tag("created").key("42").property("source", "web");
/// assert_eq!(message.topic(), "orders");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    topic: String,
    body: Bytes,
    flag: i32,
    properties: Properties,
    wait_for_store: bool,
    unique_id: Option<UniqueId>,
    /// What cannot be sent as it was said; send refuses the message and says why.
    misuse: Option<Box<str>>,
}

impl Message {
    /// A message for `topic`. The body is not copied when it is [`Bytes`] or a `Vec<u8>`.
    pub fn new(topic: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self {
            topic: topic.into(),
            body: body.into(),
            flag: 0,
            properties: Properties::new(),
            wait_for_store: true,
            unique_id: None,
            misuse: None,
        }
    }

    /// Sets the tag that consumers filter by (property `TAGS`).
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.properties.set(property::TAGS, tag.into());
        self
    }

    /// Adds one key that the broker indexes (property `KEYS`, joined by blanks). A key has no blanks in it.
    #[must_use]
    pub fn key(mut self, key: impl AsRef<str>) -> Self {
        if key.as_ref().is_empty() || key.as_ref().contains(' ') {
            let why = format!("key {:?} is empty or has a blank, and blanks separate keys", key.as_ref());
            self.misuse.get_or_insert(why.into());
        }
        let keys = match self.properties.get(property::KEYS) {
            Some(keys) => format!("{keys} {}", key.as_ref()),
            None => key.as_ref().to_owned(),
        };
        self.properties.set(property::KEYS, keys);
        self
    }

    /// Adds several keys, see [`key`](Self::key).
    #[must_use]
    pub fn keys<K: AsRef<str>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        keys.into_iter().fold(self, Self::key)
    }

    /// Sets a property of the user's own. RocketMQ's own names (`KEYS`, `TAGS`, `DELAY`, ..) are refused at send.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let name = name.into();
        if property::is_reserved(&name) {
            let why = format!("property {name:?} is RocketMQ's own: use the method of that purpose instead");
            self.misuse.get_or_insert(why.into());
        } else {
            self.properties.set(name, value.into());
        }
        self
    }

    /// Sets the user's own number (Apache's `Message.flag`); RocketMQ carries it and does not look at it. Default 0.
    #[must_use]
    pub const fn flag(mut self, flag: i32) -> Self {
        self.flag = flag;
        self
    }

    /// Whether the broker answers only when the message is flushed and replicated as it is configured (property
    /// `WAIT`). Default yes.
    #[must_use]
    pub const fn wait_for_store(mut self, wait: bool) -> Self {
        self.wait_for_store = wait;
        self
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The body.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// Tag, keys and the user's own properties.
    pub fn properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.iter()
    }

    pub(crate) const fn flag_value(&self) -> i32 {
        self.flag
    }

    pub(crate) const fn waits_for_store(&self) -> bool {
        self.wait_for_store
    }

    pub(crate) const fn raw_properties(&self) -> &Properties {
        &self.properties
    }

    pub(crate) fn misuse(&self) -> Option<&str> {
        self.misuse.as_deref()
    }

    pub(crate) const fn unique_id(&self) -> Option<UniqueId> {
        self.unique_id
    }

    /// A message that was sent once keeps its id when it is handed back.
    pub(crate) fn set_unique_id(&mut self, id: UniqueId) {
        self.unique_id = Some(id);
    }
}

impl fmt::Debug for Message {
    /// Without the body: bodies do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", &self.topic)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("properties", &self.properties)
            .finish_non_exhaustive()
    }
}
