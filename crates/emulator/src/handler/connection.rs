//! The JSON of who is online (Apache's `ConsumerConnection`, `ProducerConnection`).

use std::collections::BTreeMap;

use maxq_protocol::body::{
    ConsumeFromWhere, ConsumeType, JsonDialect, MessageModel, SubscriptionData, to_json,
};
use serde::Serialize;

use crate::{
    client::{Channel, ConsumerGroup},
    version::EmulatedVersion,
};

/// Clients.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connections {
    connection_set: Vec<Connection>,
}

/// Clients of a consumer group, and the group.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsumerConnections {
    connection_set: Vec<Connection>,
    consume_from_where: ConsumeFromWhere,
    #[serde(skip_serializing_if = "Option::is_none")]
    consume_type: Option<ConsumeType>,
    message_model: MessageModel,
    subscription_table: BTreeMap<String, SubscriptionData>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    client_addr: String,
    client_id: String,
    language: String,
    version: i32,
}

impl Connections {
    pub(super) fn of(channels: Vec<&Channel>) -> Self {
        Self { connection_set: channels.into_iter().map(Connection::of).collect() }
    }
}

impl ConsumerConnections {
    pub(super) fn of(group: &ConsumerGroup, version: EmulatedVersion) -> Self {
        let is_known = group.consume_type != ConsumeType::Pop || version.knows_popping();
        Self {
            connection_set: group.channels().map(Connection::of).collect(),
            consume_from_where: group.consume_from_where,
            consume_type: is_known.then_some(group.consume_type),
            message_model: group.message_model,
            subscription_table: group.subscriptions.clone(),
        }
    }
}

impl Connection {
    fn of(channel: &Channel) -> Self {
        Self {
            client_addr: channel.address.to_string(),
            client_id: channel.client_id.clone(),
            language: channel.language.name().unwrap_or("OTHER").to_owned(),
            version: channel.version.0,
        }
    }
}

/// A body as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Vec<u8> {
    to_json(value, JsonDialect::Standard)
}
