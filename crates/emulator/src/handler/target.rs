//! Where a sent message goes: its topic, which may have to be made, its queue, or the dead letters.

use maxq_protocol::{
    ResponseCode, Version,
    header::SendMessage,
    name::{DLQ_PREFIX, RETRY_PREFIX},
};

use super::Exchange;
use crate::{
    broker::{BrokerState, RETRY_MAX_TIMES},
    refusal::Refusal,
    topic::{Wanted, describe},
};

/// Where a message goes.
pub(super) struct Target {
    pub(super) topic: String,
    pub(super) queue_id: i32,
    pub(super) is_dead_letter: bool,
    pub(super) has_many_tags: bool,
}

impl Target {
    /// Finds the topic and the queue of a send; makes the topic if it may be made
    /// (`AbstractSendMessageProcessor.msgCheck`, then `SendMessageProcessor.handleRetryAndDLQ`).
    pub(super) fn find(
        exchange: &Exchange<'_>,
        state: &mut BrokerState,
        header: &SendMessage<'_>,
    ) -> Result<Self, Refusal> {
        let topic = &*header.topic;
        state.topics.check_name(topic)?;
        state.topics.check_may_be_sent_to(topic)?;
        if state.topics.get(topic).is_none() {
            create_topic(exchange, state, header)?;
        }
        let config = state.topics.get(topic).ok_or_else(|| unknown_topic(exchange, topic))?;
        if header.queue_id >= config.read_queue_nums.max(config.write_queue_nums) {
            let remark = format!(
                "request queueId[{}] is illegal, {} Producer: {}",
                header.queue_id,
                describe(config, exchange.version()),
                exchange.peer.address
            );
            return Err(Refusal::new(exchange.version().invalid_parameter(), remark));
        }
        let mut queue_id = header.queue_id;
        if queue_id < 0 {
            if config.write_queue_nums <= 0 {
                return Err(Refusal::exception("java.lang.ArithmeticException: / by zero"));
            }
            queue_id = state.random.i32(0..config.write_queue_nums);
        }
        let has_many_tags = config.topic_filter_type == "MULTI_TAG";
        if buries(exchange, state, header)? {
            return Ok(Self {
                topic: make_dead_letter_topic(exchange, state, topic),
                queue_id: 0,
                is_dead_letter: true,
                has_many_tags: false,
            });
        }
        Ok(Self { topic: topic.to_owned(), queue_id, is_dead_letter: false, has_many_tags })
    }
}

/// A topic that does not exist: from the template that the client names, or as a retry topic.
fn create_topic(
    exchange: &Exchange<'_>,
    state: &mut BrokerState,
    header: &SendMessage<'_>,
) -> Result<(), Refusal> {
    let is_retry = header.topic.starts_with(RETRY_PREFIX);
    let sys_flag = match header.unit_mode {
        Some(true) if is_retry => UNIT_SUBSCRIPTION,
        Some(true) => UNIT,
        _ => 0,
    };
    let wanted = Wanted {
        topic: &header.topic,
        template: &header.default_topic,
        queue_nums: header.default_topic_queue_nums,
        sys_flag,
    };
    if state.topics.create_from_template(&wanted).is_none() {
        if !is_retry {
            return Err(unknown_topic(exchange, &header.topic));
        }
        state.topics.create_internal(&header.topic, 1, sys_flag);
    }
    if let Some(config) = state.topics.get(&header.topic) {
        let (broker, queues) = (&exchange.broker.identity.broker, config.write_queue_nums);
        tracing::info!(%broker, topic = %header.topic, queues, "topic created by a send");
        exchange.broker.announce_topic(config);
    }
    Ok(())
}

fn unknown_topic(exchange: &Exchange<'_>, topic: &str) -> Refusal {
    let remark = format!("topic[{topic}] not exist, apply first please!{}", exchange.version().faq());
    Refusal::new(ResponseCode::TOPIC_NOT_EXIST, remark)
}

/// Whether a message to a retry topic was tried often enough.
fn buries(
    exchange: &Exchange<'_>,
    state: &mut BrokerState,
    header: &SendMessage<'_>,
) -> Result<bool, Refusal> {
    let Some(group) = header.topic.strip_prefix(RETRY_PREFIX) else { return Ok(false) };
    if !state.groups.find_or_make(group) {
        let remark = format!("subscription group not exist, {group} {}", exchange.version().faq());
        return Err(Refusal::new(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
    }
    let by_client =
        header.max_reconsume_times.filter(|_| exchange.request.version >= KNOWS_MAX_RECONSUME_TIMES);
    let (tried, allowed) = (header.reconsume_times.unwrap_or(0), by_client.unwrap_or(RETRY_MAX_TIMES));
    Ok(tried > allowed || exchange.version().buries_at_the_last_attempt() && tried == allowed)
}

fn make_dead_letter_topic(exchange: &Exchange<'_>, state: &mut BrokerState, retry_topic: &str) -> String {
    let topic = retry_topic.replacen(RETRY_PREFIX, DLQ_PREFIX, 1);
    if state.topics.create_internal(&topic, 1, 0)
        && let Some(config) = state.topics.get(&topic)
    {
        exchange.broker.announce_topic(config);
    }
    topic
}

/// `MQVersion.Version.V3_4_9`.
const KNOWS_MAX_RECONSUME_TIMES: Version = Version(121);
/// Topic sys flag of a unit.
const UNIT: i32 = 1;
/// Topic sys flag of a unit's subscription.
const UNIT_SUBSCRIPTION: i32 = 2;
