//! Topics on one broker: UPDATE_AND_CREATE_TOPIC (17), DELETE_TOPIC_IN_BROKER (215), GET_TOPIC_CONFIG (351).

use maxq_protocol::{RemotingCommand, ResponseCode, body::TopicConfig, header::CreateTopic};

use super::{
    Exchange,
    attributes::{self, Known},
    connection::json,
    read_header, success,
};
use crate::refusal::Refusal;

/// Creates or changes a topic (`AdminBrokerProcessor.updateAndCreateTopic`).
pub(crate) fn create(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    let header = read_create(exchange)?;
    let mut state = exchange.state();
    state.topics.check_name(&header.topic)?;
    state.topics.check_is_no_system_topic(&header.topic)?;
    let known = state.topics.get(&header.topic);
    let attributes = if exchange.version().knows_topic_attributes() {
        let current = known.map(|config| config.attributes.clone()).unwrap_or_default();
        let known = if known.is_some() { Known::Before } else { Known::New };
        attributes::change(known, current, header.attributes.as_deref().unwrap_or_default())?
    } else {
        Default::default()
    };
    let config = TopicConfig {
        attributes,
        order: header.order.unwrap_or(false),
        perm: header.perm,
        read_queue_nums: header.read_queue_nums,
        topic_filter_type: header.topic_filter_type,
        topic_name: header.topic,
        topic_sys_flag: header.topic_sys_flag.unwrap_or(0),
        write_queue_nums: header.write_queue_nums,
    };
    let broker = &exchange.broker.identity.broker;
    tracing::info!(%broker, topic = %config.topic_name, "topic created or changed");
    exchange.broker.announce_topic(&config);
    state.topics.put(config);
    // `RemotingCommand.createResponseCommand` begins with this remark, and nobody takes it away.
    Ok(success().with_remark("not set any response code"))
}

/// Deletes a topic. The name server keeps its route until it is told, too.
pub(crate) fn delete(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    let topic = exchange.field("topic").unwrap_or_default();
    let mut state = exchange.state();
    if crate::java::is_blank(topic) {
        return Err(Refusal::new(exchange.version().invalid_parameter(), "The specified topic is blank."));
    }
    state.topics.check_is_no_system_topic(topic)?;
    state.topics.remove(topic);
    state.store.forget(topic);
    Ok(success())
}

/// The configuration of a topic.
pub(crate) fn config(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    let topic = exchange.text("topic")?;
    let state = exchange.state();
    let config = state.topics.get(topic).ok_or_else(|| {
        Refusal::new(ResponseCode::TOPIC_NOT_EXIST, format!("No topic in this broker. topic: {topic}"))
    })?;
    Ok(success().with_body(json(config)))
}

/// Brokers do not use `defaultTopic` and do without it; so does this.
fn read_create(exchange: &Exchange<'_>) -> Result<CreateTopic, Refusal> {
    let mut request = exchange.request.clone();
    if request.ext.get("defaultTopic").is_none() {
        request.ext.set("defaultTopic", "");
    }
    let filter_type = request.ext.get("topicFilterType").unwrap_or("null").to_owned();
    if request.ext.get("topic").is_none() && !exchange.version().knows_topic_attributes() {
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, "The specified topic is blank."));
    }
    // `CreateTopicRequestHeader.checkFields` comes before anybody needs the numbers.
    if !matches!(&*filter_type, "SINGLE_TAG" | "MULTI_TAG") {
        let text = format!(
            "org.apache.rocketmq.remoting.exception.RemotingCommandException: topicFilterType = [{filter_type}] value \
             invalid"
        );
        return Err(Refusal::exception(text));
    }
    Ok(read_header(&request)?)
}
