//! Stored messages: by the broker's id, by the sender's unique id, by key.

use std::sync::Arc;

use bytes::Bytes;
use maxq_protocol::{
    DecodeError, DecodeErrorKind, ResponseCode,
    header::{QueryMessage, ViewMessageById},
    message::{OffsetMessageId, StoredMessage},
};

use super::{Admin, all};
use crate::{MessageView, RequestError};

/// Which messages with a key are wanted.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// use maxq::{Message, admin::KeyQuery};
///
/// producer.send(Message::new("orders", "paid").key("42")).await?;
/// let query = KeyQuery::default().most(10).begin(1_700_000_000_000);
/// let found = client.admin().query_by_key("orders", "42", query).await?;
/// assert_eq!(found.messages.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyQuery {
    /// How many of each broker at most. Default 64, which is also the most that brokers give.
    pub most: i32,
    /// Stored at or after this time, in milliseconds since 1970. Default 0.
    pub begin: i64,
    /// Stored at or before this time, in milliseconds since 1970. Default: for ever.
    pub end: i64,
}

impl Default for KeyQuery {
    fn default() -> Self {
        Self { most: 64, begin: 0, end: i64::MAX }
    }
}

impl KeyQuery {
    /// The same query for so many messages of each broker at most.
    #[must_use]
    pub const fn most(mut self, messages: i32) -> Self {
        self.most = messages;
        self
    }

    /// The same query for messages stored at or after this time, in milliseconds since 1970.
    #[must_use]
    pub const fn begin(mut self, millis: i64) -> Self {
        self.begin = millis;
        self
    }

    /// The same query for messages stored at or before this time, in milliseconds since 1970.
    #[must_use]
    pub const fn end(mut self, millis: i64) -> Self {
        self.end = millis;
        self
    }
}

/// What a query by key has found.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// # use maxq::Message;
/// let receipt = producer.send(Message::new("orders", "paid")).await?;
/// let found = client.admin().query_by_unique_key("orders", receipt.message_id().as_str()).await?;
/// for message in &found.messages {
///     println!("{} at {}", message.queue(), message.queue_offset());
/// }
/// for (broker, error) in &found.unanswered {
///     eprintln!("{broker} could not be asked: {error}");
/// }
/// # assert_eq!(found.messages.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Found {
    /// The messages, by store time. A key that several senders use has several.
    pub messages: Vec<MessageView>,
    /// Brokers by name that could not be asked, and why: what they hold is not in `messages`.
    pub unanswered: Vec<(String, RequestError)>,
}

impl Admin {
    /// The message with this offset message id, asked at the broker whose address is in the id (VIEW_MESSAGE_BY_ID).
    ///
    /// The id does not hold the broker's name: a name server is asked for it at the same time. Where none knows the
    /// address, the name in [`queue`](MessageView::queue) is empty.
    ///
    /// # Errors
    /// The id does not parse, the broker cannot be reached, or it has no message there.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn view_message(&self, offset_id: &str) -> Result<MessageView, RequestError> {
        let id: OffsetMessageId = offset_id.parse().map_err(|_| {
            RequestError::invalid(format!("{offset_id:?} is no offset message id: 32 or 56 hex digits"))
        })?;
        let address: Arc<str> = id.store_host.to_string().into();
        let request = ViewMessageById { topic: None, offset: id.commit_log_offset };
        let (answer, clusters) = tokio::join!(self.shared().ask_whole(&address, &request), self.clusters());
        let answer = answer?;
        let mut brokers = clusters.iter().flatten().flat_map(|cluster| &cluster.brokers);
        let broker = brokers.find(|broker| broker.addresses.values().any(|known| **known == *address));
        let name = broker.map_or("", |broker| broker.name.as_str());
        let read = read_records(answer.body, name).and_then(|mut messages| {
            messages.pop().ok_or(DecodeError::new(DecodeErrorKind::Truncated, "stored message"))
        });
        read.map_err(|error| RequestError::answer(&address, &error))
    }

    /// The messages of `topic` with this unique id, the one that [`SendReceipt::message_id`] tells (QUERY_MESSAGE).
    /// There is more than one when a send was repeated.
    ///
    /// Every broker of the topic is asked at once. A broker adds a message to its index a moment after it is stored.
    ///
    /// [`SendReceipt::message_id`]: crate::SendReceipt::message_id
    ///
    /// # Errors
    /// No name server answers or it does not know the topic, or no broker answers.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn query_by_unique_key(&self, topic: &str, unique_key: &str) -> Result<Found, RequestError> {
        let has_it = |message: &MessageView| message.message_id() == unique_key;
        self.query(topic, (unique_key, true), KeyQuery::default(), has_it).await
    }

    /// The messages of `topic` with this key, one of those that the sender gave them (QUERY_MESSAGE).
    ///
    /// Every broker of the topic is asked at once. A broker adds a message to its index a moment after it is stored.
    ///
    /// # Errors
    /// No name server answers or it does not know the topic, or no broker answers.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn query_by_key(&self, topic: &str, key: &str, query: KeyQuery) -> Result<Found, RequestError> {
        let times = query.begin..=query.end;
        let has_it = |message: &MessageView| {
            times.contains(&message.store_timestamp()) && message.keys().any(|known| known == key)
        };
        // The index cuts times down to whole seconds (`IndexFile.putKey`): a message may be there as older than it is.
        let asked = query.clone().begin(query.begin.saturating_sub(INDEX_SECOND).max(0));
        self.query(topic, (key, false), asked, has_it).await
    }

    /// Asks all brokers of the topic. Their index knows hashes only, so `has_it` looks again.
    async fn query(
        &self,
        topic: &str,
        (key, is_unique): (&str, bool),
        query: KeyQuery,
        has_it: impl Fn(&MessageView) -> bool,
    ) -> Result<Found, RequestError> {
        if key.is_empty() {
            return Err(RequestError::invalid("a key is not empty"));
        }
        let route = self.route(topic).await?;
        let request = QueryMessage {
            topic: route.topic.clone(),
            key: key.to_owned(),
            max_messages: query.most,
            begin_timestamp: query.begin,
            end_timestamp: query.end,
            index_type: Some(if is_unique { "U" } else { "K" }.to_owned()),
            is_unique_key: is_unique.then_some(true),
        };
        let (shared, request) = (self.shared(), &request);
        let ask = async |(name, address): (&str, Arc<str>)| {
            let answer = match shared.ask_whole(&address, request).await {
                Ok(answer) => answer,
                Err(error) if error.response_code() == Some(ResponseCode::QUERY_NOT_FOUND.0) => {
                    return Ok(Vec::new());
                }
                Err(error) => return Err((name.to_owned(), error)),
            };
            read_records(answer.body, name)
                .map_err(|error| (name.to_owned(), RequestError::answer(&address, &error)))
        };
        // A replica has the index too.
        let nearest =
            |broker: &super::Broker| broker.addresses.values().next().map(|found| found.as_str().into());
        let brokers: Vec<_> = route
            .brokers
            .iter()
            .filter_map(|broker| Some((broker.name.as_str(), nearest(broker)?)))
            .collect();
        let asked = brokers.len();
        let mut found = Found { messages: Vec::new(), unanswered: Vec::new() };
        for answer in all(brokers.into_iter().map(ask)).await {
            match answer {
                Ok(messages) => found.messages.extend(
                    messages.into_iter().filter(|message| message.topic() == route.topic && has_it(message)),
                ),
                Err(unanswered) => found.unanswered.push(unanswered),
            }
        }
        if found.unanswered.len() == asked
            && let Some((_, error)) = found.unanswered.pop()
        {
            return Err(error);
        }
        found.messages.sort_by_key(MessageView::store_timestamp);
        Ok(found)
    }
}

fn read_records(body: Bytes, broker: &str) -> Result<Vec<MessageView>, DecodeError> {
    let records = StoredMessage::decode_all(body)?.into_iter();
    records.map(|record| MessageView::new(record, broker, LARGEST_BODY)).collect()
}

/// In milliseconds.
const INDEX_SECOND: i64 = 1_000;
/// A decompressed body is no larger than this, whatever its record says.
const LARGEST_BODY: usize = 64 << 20;
