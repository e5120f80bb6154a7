//! The clients that a broker knows by their heartbeats (Apache's `ProducerManager` and `ConsumerManager`).
//!
//! A client is a connection with a client id. It is forgotten when it unregisters, when its connection ends, or when no
//! heartbeat has come for two minutes.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use maxq_protocol::{
    LanguageCode, Version,
    body::{ConsumeFromWhere, ConsumeType, ConsumerData, MessageModel, SubscriptionData},
};
use tokio_util::sync::CancellationToken;

/// Groups and their clients.
#[derive(Default)]
pub(crate) struct ClientRegistry {
    producers: BTreeMap<String, BTreeMap<u64, Channel>>,
    consumers: BTreeMap<String, ConsumerGroup>,
    fingerprints: BTreeMap<String, i32>,
}

/// One client of a group.
#[derive(Clone)]
pub(crate) struct Channel {
    pub(crate) connection: u64,
    pub(crate) client_id: String,
    pub(crate) address: SocketAddr,
    pub(crate) language: LanguageCode,
    pub(crate) version: Version,
    /// Time of the last heartbeat since the cluster's clock began.
    pub(crate) last_heartbeat: Duration,
    /// Cancelled to close the connection.
    pub(crate) closing: CancellationToken,
}

/// A consumer group with at least one client.
#[derive(Default)]
pub(crate) struct ConsumerGroup {
    pub(crate) consume_type: ConsumeType,
    pub(crate) message_model: MessageModel,
    pub(crate) consume_from_where: ConsumeFromWhere,
    pub(crate) subscriptions: BTreeMap<String, SubscriptionData>,
    channels: BTreeMap<u64, Channel>,
}

impl ClientRegistry {
    /// A producer's heartbeat.
    pub(crate) fn register_producer(&mut self, group: &str, channel: Channel) {
        self.producers.entry(group.to_owned()).or_default().insert(channel.connection, channel);
    }

    /// A consumer's heartbeat. The subscriptions replace the known ones, unless the client leaves them out because
    /// they have not changed.
    pub(crate) fn register_consumer(
        &mut self,
        data: ConsumerData,
        without_subscriptions: bool,
        channel: Channel,
    ) {
        let group = self.consumers.entry(data.group_name).or_default();
        group.consume_type = data.consume_type;
        group.message_model = data.message_model;
        group.consume_from_where = data.consume_from_where;
        group.channels.insert(channel.connection, channel);
        if !without_subscriptions {
            group.update_subscriptions(data.subscription_data_set);
        }
    }

    /// Notes the fingerprint of a group's subscriptions; says whether another one was known
    /// (`ClientManageProcessor.heartBeatV2`).
    pub(crate) fn changes_fingerprint(&mut self, group: &str, fingerprint: i32) -> bool {
        let known = self.fingerprints.insert(group.to_owned(), fingerprint);
        known.is_some_and(|known| known != fingerprint)
    }

    /// A client leaves a producer group.
    pub(crate) fn unregister_producer(&mut self, group: &str, connection: u64) {
        if let Some(channels) = self.producers.get_mut(group) {
            channels.remove(&connection);
        }
        self.drop_empty_groups();
    }

    /// A client leaves a consumer group.
    pub(crate) fn unregister_consumer(&mut self, group: &str, connection: u64) {
        if let Some(found) = self.consumers.get_mut(group) {
            found.channels.remove(&connection);
        }
        self.drop_empty_groups();
    }

    /// A connection has ended.
    pub(crate) fn drop_connection(&mut self, connection: u64) {
        self.retain_channels(|channel| channel.connection != connection);
    }

    /// Forgets the clients that have been silent for too long; gives what closes their connections.
    pub(crate) fn expire(&mut self, now: Duration) -> Vec<CancellationToken> {
        let mut expired = Vec::new();
        self.retain_channels(|channel| {
            let is_alive = now.saturating_sub(channel.last_heartbeat) <= CHANNEL_EXPIRED_TIMEOUT;
            if !is_alive {
                expired.push(channel.closing.clone());
            }
            is_alive
        });
        expired
    }

    /// The clients of a producer group, by connection.
    pub(crate) fn producers_of(&self, group: &str) -> Option<Vec<&Channel>> {
        self.producers.get(group).map(|channels| channels.values().collect())
    }

    /// A consumer group that has clients.
    pub(crate) fn consumer_group(&self, group: &str) -> Option<&ConsumerGroup> {
        self.consumers.get(group)
    }

    /// The online consumer groups that subscribe to a topic.
    pub(crate) fn groups_of(&self, topic: &str) -> impl Iterator<Item = &str> {
        let subscribing =
            self.consumers.iter().filter(move |(_, group)| group.subscriptions.contains_key(topic));
        subscribing.map(|(name, _)| name.as_str())
    }

    /// Every producer group with each of its clients.
    pub(crate) fn producers(&self) -> impl Iterator<Item = (&str, &Channel)> {
        self.producers
            .iter()
            .flat_map(|(group, channels)| channels.values().map(move |channel| (group.as_str(), channel)))
    }

    /// Every consumer group with each of its clients.
    pub(crate) fn consumers(&self) -> impl Iterator<Item = (&str, &Channel)> {
        self.consumers
            .iter()
            .flat_map(|(group, found)| found.channels().map(move |channel| (group.as_str(), channel)))
    }

    /// The id that a connection's heartbeats tell.
    pub(crate) fn client_id(&self, connection: u64) -> Option<&str> {
        let channels = self.producers.values().chain(self.consumers.values().map(|group| &group.channels));
        channels
            .filter_map(|channels| channels.get(&connection))
            .map(|channel| channel.client_id.as_str())
            .next()
    }

    fn retain_channels(&mut self, mut keep: impl FnMut(&Channel) -> bool) {
        for channels in self.producers.values_mut() {
            channels.retain(|_, channel| keep(channel));
        }
        for group in self.consumers.values_mut() {
            group.channels.retain(|_, channel| keep(channel));
        }
        self.drop_empty_groups();
    }

    fn drop_empty_groups(&mut self) {
        self.producers.retain(|_, channels| !channels.is_empty());
        self.consumers.retain(|_, group| !group.channels.is_empty());
    }
}

impl ConsumerGroup {
    /// The clients of the group, by connection.
    pub(crate) fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.values()
    }

    /// Newer subscriptions replace older ones, and what is not in the list is dropped
    /// (`ConsumerGroupInfo.updateSubscription`).
    fn update_subscriptions(&mut self, subscriptions: Vec<SubscriptionData>) {
        let is_listed = |topic: &String| subscriptions.iter().any(|listed| listed.topic == *topic);
        self.subscriptions.retain(|topic, _| is_listed(topic));
        for subscription in subscriptions {
            let known = self.subscriptions.get(&subscription.topic);
            if known.is_none_or(|known| subscription.sub_version > known.sub_version) {
                self.subscriptions.insert(subscription.topic.clone(), subscription);
            }
        }
    }
}

/// `BrokerConfig.channelExpiredTimeout`.
const CHANNEL_EXPIRED_TIMEOUT: Duration = Duration::from_secs(120);
