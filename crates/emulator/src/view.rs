//! What tests look at: stored messages and registered clients.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use bytes::Bytes;
use maxq_protocol::{
    LanguageCode, Version,
    message::{Properties, StoredMessage, property},
};

use crate::{broker::Broker, client::Channel};

/// A message as a broker has stored it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use maxq_emulator::Cluster;
/// let cluster = Cluster::builder().topic("orders", 4).start().await?;
/// // .. the code under test sends ..
/// for stored in cluster.stored("orders") {
///     println!("{} {} at {}: {:?}", stored.broker, stored.queue_id(), stored.queue_offset(), stored.body());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// The name of the broker.
    pub broker: String,
    /// The record: topic, queue, offsets, times, hosts, flags, body as stored, properties as text.
    pub record: StoredMessage,
    /// The properties.
    pub properties: Properties,
}

impl Stored {
    /// The topic.
    pub fn topic(&self) -> &str {
        &self.record.topic
    }

    /// The queue.
    pub fn queue_id(&self) -> i32 {
        self.record.queue_id
    }

    /// The offset in the queue.
    pub fn queue_offset(&self) -> i64 {
        self.record.queue_offset
    }

    /// The body as it is stored: compressed if its sender compressed it.
    pub fn body(&self) -> &Bytes {
        &self.record.body
    }

    /// The id that its client gave (`UNIQ_KEY`).
    pub fn unique_id(&self) -> Option<&str> {
        self.properties.get(property::UNIQ_KEY)
    }

    /// The id that the broker gave.
    pub fn offset_id(&self) -> String {
        self.record.offset_id().to_string()
    }

    /// The tag.
    pub fn tag(&self) -> Option<&str> {
        self.properties.get(property::TAGS)
    }

    /// The keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.properties.get(property::KEYS).unwrap_or_default().split(' ').filter(|key| !key.is_empty())
    }

    /// The value of a property.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name)
    }
}

/// A client that a broker knows by its heartbeats.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use maxq_emulator::Cluster;
/// let cluster = Cluster::start(1).await?;
/// // .. clients connect ..
/// for client in cluster.clients() {
///     println!("{} is known to {} for {:?}", client.client_id, client.broker, client.producer_groups);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteredClient {
    /// The name of the broker.
    pub broker: String,
    /// Its id.
    pub client_id: String,
    /// Its address.
    pub address: SocketAddr,
    /// Its language.
    pub language: LanguageCode,
    /// Its version.
    pub version: Version,
    /// The producer groups that it is in.
    pub producer_groups: BTreeSet<String>,
    /// The consumer groups that it is in.
    pub consumer_groups: BTreeSet<String>,
}

/// Shows the messages of a topic on one broker. The broker is locked for some of them at a time only.
pub(crate) fn visit(broker: &Broker, topic: &str, visit: &mut impl FnMut(Stored)) {
    let mut from = (0, 0);
    loop {
        let records = broker.state().store.messages_from(topic, from, AT_A_TIME);
        let Some(last) = records.last() else { return };
        from = (last.queue_id, last.queue_offset + 1);
        for record in records {
            let properties = record.properties();
            visit(Stored { broker: broker.identity.broker.clone(), record, properties });
        }
    }
}

/// The clients of one broker, by connection.
pub(crate) fn clients(broker: &Broker) -> Vec<RegisteredClient> {
    let state = broker.state();
    let mut clients: BTreeMap<u64, RegisteredClient> = BTreeMap::new();
    let new = |channel: &Channel| RegisteredClient {
        broker: broker.identity.broker.clone(),
        client_id: channel.client_id.clone(),
        address: channel.address,
        language: channel.language,
        version: channel.version,
        producer_groups: BTreeSet::new(),
        consumer_groups: BTreeSet::new(),
    };
    for (group, channel) in state.clients.producers() {
        let client = clients.entry(channel.connection).or_insert_with(|| new(channel));
        client.producer_groups.insert(group.to_owned());
    }
    for (group, channel) in state.clients.consumers() {
        let client = clients.entry(channel.connection).or_insert_with(|| new(channel));
        client.consumer_groups.insert(group.to_owned());
    }
    clients.into_values().collect()
}

const AT_A_TIME: usize = 512;
