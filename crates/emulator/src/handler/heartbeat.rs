//! HEART_BEAT (34), UNREGISTER_CLIENT (35), CHECK_CLIENT_CONFIG (46), and who is online: codes 38, 203, 204.

use maxq_protocol::{
    RemotingCommand, ResponseCode,
    body::{HeartbeatData, SubscriptionData, from_json},
    header::{HeartbeatReply, UnregisterClient},
    name::RETRY_PREFIX,
};
use serde::{Deserialize, Serialize};

use super::{
    Exchange,
    connection::{Connections, ConsumerConnections},
    read_header, success,
};
use crate::{broker::BrokerState, client::Channel, handler::pull::is_tag_type, refusal::Refusal};

/// Registers the groups of a client (`ClientManageProcessor.heartBeat`, `heartBeatV2`).
pub(crate) fn heartbeat(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    let mut data: HeartbeatData = from_json(body_of(exchange)?)?;
    let fingerprint = data.heartbeat_fingerprint;
    let mut subscription_changed = fingerprint == 0;
    check_group_names(exchange, &data)?;
    let channel = channel_of(exchange, std::mem::take(&mut data.client_id));
    let mut state = exchange.state();
    for consumer in data.consumer_data_set {
        let changed = state.clients.changes_fingerprint(&consumer.group_name, fingerprint);
        subscription_changed |= changed;
        if state.groups.find_or_make(&consumer.group_name) {
            make_retry_topic(exchange, &mut state, &consumer.group_name, consumer.unit_mode);
            let without_subscriptions = fingerprint != 0 && data.without_sub;
            state.clients.register_consumer(consumer, without_subscriptions, channel.clone());
        }
    }
    for producer in data.producer_data_set {
        state.clients.register_producer(&producer.group_name, channel.clone());
    }
    Ok(if exchange.version().knows_heartbeat_fingerprints() {
        let reply =
            HeartbeatReply { supports_v2: Some(true), subscription_changed: Some(subscription_changed) };
        success().with_header(&reply)
    } else {
        success()
    })
}

/// Java cannot use a null as a key of its tables. An empty name of a consumer group is no null, and passes.
fn check_group_names(exchange: &Exchange<'_>, data: &HeartbeatData) -> Result<(), Refusal> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "groupName")]
        _name: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Consumers {
        #[serde(rename = "consumerDataSet")]
        _consumers: Vec<Named>,
    }
    let has_nameless_producer = data.producer_data_set.iter().any(|producer| producer.group_name.is_empty());
    let has_nameless_consumer = data.consumer_data_set.iter().any(|consumer| consumer.group_name.is_empty())
        && from_json::<Consumers>(body_of(exchange)?).is_err();
    if has_nameless_producer || has_nameless_consumer {
        return Err(Refusal::exception("java.lang.NullPointerException: a group has no name"));
    }
    Ok(())
}

/// Drops the groups of a client that the request names.
pub(crate) fn unregister(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    // Java looks at the client id only where there is a group to leave.
    let header: UnregisterClient = read_header(&with_client_id(exchange.request))?;
    if header.producer_group.is_some() {
        exchange.text("clientID")?;
    }
    let mut state = exchange.state();
    if let Some(group) = header.producer_group {
        state.clients.unregister_producer(&group, exchange.peer.connection);
    }
    if let Some(group) = header.consumer_group {
        state.clients.unregister_consumer(&group, exchange.peer.connection);
    }
    Ok(success())
}

/// The same request with some client id.
fn with_client_id(request: &RemotingCommand) -> RemotingCommand {
    super::with_null(request, &["clientID"])
}

/// Whether a subscription would be accepted. Only tags are: `enablePropertyFilter` is off by default.
pub(crate) fn check_client_config(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    #[derive(Default, Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct CheckClientRequestBody {
        subscription_data: Option<SubscriptionData>,
    }
    if exchange.request.body.is_empty() && exchange.version().knows_heartbeat_fingerprints() {
        return Ok(success());
    }
    let body: CheckClientRequestBody = from_json(body_of(exchange)?)?;
    match body.subscription_data {
        Some(subscription) if !is_tag_type(Some(&subscription.expression_type)) => {
            let remark = format!(
                "The broker does not support consumer to filter message by {}",
                subscription.expression_type
            );
            Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark))
        }
        _ => Ok(success()),
    }
}

/// The client ids of a consumer group.
pub(crate) fn consumer_list(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct ConsumerIdList {
        consumer_id_list: Vec<String>,
    }
    let group = exchange.text("consumerGroup")?;
    let state = exchange.state();
    let found = state.clients.consumer_group(group).ok_or_else(|| {
        Refusal::new(ResponseCode::SYSTEM_ERROR, format!("no consumer for this group, {group}"))
    })?;
    let ids = found.channels().map(|channel| channel.client_id.clone()).collect();
    Ok(success().with_body(super::connection::json(&ConsumerIdList { consumer_id_list: ids })))
}

/// The clients of a consumer group and what it subscribes to.
pub(crate) fn consumer_connections(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    let group = exchange.text("consumerGroup")?;
    let state = exchange.state();
    let found = state.clients.consumer_group(group).ok_or_else(|| {
        Refusal::new(ResponseCode::CONSUMER_NOT_ONLINE, format!("the consumer group[{group}] not online"))
    })?;
    Ok(success().with_body(super::connection::json(&ConsumerConnections::of(found, exchange.version()))))
}

/// The clients of a producer group.
pub(crate) fn producer_connections(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    let group = exchange.text("producerGroup")?;
    let state = exchange.state();
    let channels = state.clients.producers_of(group).ok_or_else(|| {
        Refusal::new(ResponseCode::SYSTEM_ERROR, format!("the producer group[{group}] not exist"))
    })?;
    Ok(success().with_body(super::connection::json(&Connections::of(channels))))
}

fn body_of<'a>(exchange: &'a Exchange<'_>) -> Result<&'a [u8], Refusal> {
    if exchange.request.body.is_empty() {
        return Err(Refusal::exception("java.lang.NullPointerException: the request has no body"));
    }
    Ok(&exchange.request.body)
}

fn channel_of(exchange: &Exchange<'_>, client_id: String) -> Channel {
    Channel {
        connection: exchange.peer.connection,
        client_id,
        address: exchange.peer.address,
        language: exchange.request.language,
        version: exchange.request.version,
        last_heartbeat: exchange.broker.clock.elapsed(),
        closing: exchange.peer.closing.clone(),
    }
}

/// The first heartbeat of a consumer group makes the topic of its retries.
fn make_retry_topic(exchange: &Exchange<'_>, state: &mut BrokerState, group: &str, unit_mode: bool) {
    const UNIT_SUBSCRIPTION: i32 = 2;
    let topic = format!("{RETRY_PREFIX}{group}");
    let sys_flag = if unit_mode { UNIT_SUBSCRIPTION } else { 0 };
    if state.topics.create_internal(&topic, 1, sys_flag)
        && let Some(config) = state.topics.get(&topic)
    {
        exchange.broker.announce_topic(config);
    }
}
