//! What is stored of a send: records with the properties that the broker adds, one or a batch of them.

use bytes::Bytes;
use maxq_protocol::{
    DecodeError, ResponseCode,
    header::SendMessage,
    message::{Properties, StoredMessage, SysFlag, batch, property},
    name::RETRY_PREFIX,
};

use super::{Exchange, target::Target};
use crate::{
    broker::BrokerState,
    properties::{PropertyPairs, VALUE_END},
    refusal::Refusal,
};

/// What is stored of a send, and the unique key that its answer repeats.
pub(super) struct Draft {
    pub(super) messages: Vec<StoredMessage>,
    pub(super) unique_key: Option<String>,
}

impl Draft {
    /// One message (`SendMessageProcessor.sendMessage`).
    pub(super) fn single(
        exchange: &Exchange<'_>,
        state: &mut BrokerState,
        header: &SendMessage<'_>,
        target: Target,
    ) -> Result<Self, Refusal> {
        let version = exchange.version();
        let now = exchange.now;
        let mut pairs = envelope(exchange, header);
        if target.is_dead_letter && version.marks_dead_letters() {
            pairs.set(property::DELAY, "-1");
        }
        let generated;
        if version.completes_properties() && pairs.get(property::UNIQ_KEY).is_none() {
            generated = state.unique_ids.next(now);
            pairs.set(property::UNIQ_KEY, &generated);
        }
        if !version.stores_wait() {
            pairs.remove(property::WAIT);
        }
        check_transaction(exchange, header, &pairs)?;
        check_store(state)?;
        if !target.is_dead_letter {
            check_delay(&pairs)?;
            check_timer(exchange, &pairs)?;
        }
        check_inner_batch(exchange, header, &pairs)?;
        let unique_key = pairs.get(property::UNIQ_KEY).map(str::to_owned);
        let properties = text_of(exchange, &pairs);
        if properties.len() > Properties::MAX_ENCODED_LENGTH || exchange.request.body.len() > MAX_MESSAGE_SIZE
        {
            return Err(illegal());
        }
        let message =
            record(exchange, header, &target, now, (header.flag, exchange.request.body.clone(), properties));
        Ok(Self { messages: vec![message], unique_key })
    }

    /// The messages of a batch (`SendMessageProcessor.sendBatchMessage`, `MessageExtEncoder.encode`).
    pub(super) fn batch(
        exchange: &Exchange<'_>,
        state: &BrokerState,
        header: &SendMessage<'_>,
        target: &Target,
    ) -> Result<Self, Refusal> {
        let version = exchange.version();
        let topic = &target.topic;
        if topic.len() > i8::MAX as usize {
            let remark = format!("message topic length too long {}", topic.len());
            return Err(Refusal::new(ResponseCode::MESSAGE_ILLEGAL, remark));
        }
        if topic.starts_with(RETRY_PREFIX) && !version.stores_batches_in_retry_topics() {
            let remark = format!("batch request does not support retry group {topic}");
            return Err(Refusal::new(ResponseCode::MESSAGE_ILLEGAL, remark));
        }
        check_store(state)?;
        let pairs = envelope(exchange, header);
        if SysFlag(header.sys_flag).transaction() != SysFlag(0) || delay_level(&pairs)? > 0 {
            return Err(illegal());
        }
        check_timer(exchange, &pairs)?;
        check_inner_batch(exchange, header, &pairs)?;
        if exchange.request.body.len() > MAX_MESSAGE_SIZE {
            return Err(if version.refuses_large_batches_as_illegal() {
                illegal()
            } else {
                Refusal::exception("java.lang.RuntimeException: message body size exceeded")
            });
        }
        let inherited = version.batch_children_take_the_envelope().then(|| text_of(exchange, &pairs));
        let now = exchange.now;
        let mut messages = Vec::new();
        let mut text_length = 0;
        for entry in batch::decode(exchange.request.body.clone()).map_err(broken_batch)? {
            let properties = child_text(entry.properties, inherited.as_deref())?;
            // Many small entries that all take a long envelope are more than their request: stop in time.
            text_length += properties.len() as u64;
            if text_length > state.store.room() {
                return Err(disk_full());
            }
            messages.push(record(exchange, header, target, now, (entry.flag, entry.body, properties)));
        }
        Ok(Self { messages, unique_key: pairs.get(property::UNIQ_KEY).map(str::to_owned) })
    }
}

/// The properties of the request with what the broker adds to all of them.
fn envelope<'a>(exchange: &Exchange<'a>, header: &'a SendMessage<'_>) -> PropertyPairs<'a> {
    let mut pairs = PropertyPairs::parse(&header.properties);
    if exchange.version().completes_properties() {
        pairs.remove(property::POP_CK);
        pairs.set(property::MSG_REGION, REGION);
        pairs.set(property::TRACE_SWITCH, "true");
    }
    pairs.set(property::CLUSTER, &exchange.broker.identity.cluster);
    pairs
}

/// Where the properties of an entry end too early, Java fails as it moves on, elsewhere as it reads.
fn broken_batch(error: DecodeError) -> Refusal {
    match error.context {
        batch::CUT_PROPERTIES => {
            Refusal::exception("java.lang.IllegalArgumentException: newPosition > limit")
        }
        _ => error.into(),
    }
}

fn text_of(exchange: &Exchange<'_>, pairs: &PropertyPairs<'_>) -> String {
    let mut text = pairs.encode();
    if !exchange.version().ends_properties_with_a_separator() {
        text.pop();
    }
    text
}

/// The text of a batch's child: as it was sent; with 4.9 the envelope's behind it.
fn child_text(mut own: String, inherited: Option<&str>) -> Result<String, Refusal> {
    if let Some(inherited) = inherited {
        if !own.is_empty() && !own.ends_with(VALUE_END) {
            own.push(VALUE_END);
        }
        own.push_str(inherited);
    }
    // Java reads the length as a negative number and fails.
    if own.len() > Properties::MAX_ENCODED_LENGTH {
        return Err(Refusal::exception("java.lang.IllegalArgumentException: newPosition < 0"));
    }
    Ok(own)
}

fn record(
    exchange: &Exchange<'_>,
    header: &SendMessage<'_>,
    target: &Target,
    now: i64,
    (flag, body, properties): (i32, Bytes, String),
) -> StoredMessage {
    let sys_flag = SysFlag(header.sys_flag);
    StoredMessage {
        queue_id: target.queue_id,
        flag,
        queue_offset: 0,
        commit_log_offset: 0,
        sys_flag: if target.has_many_tags { sys_flag.with(SysFlag::MULTI_TAGS) } else { sys_flag },
        born_timestamp: header.born_timestamp,
        born_host: exchange.peer.address,
        store_timestamp: now,
        store_host: exchange.broker.identity.address,
        reconsume_times: header.reconsume_times.unwrap_or(0),
        prepared_transaction_offset: 0,
        body,
        topic: target.topic.clone(),
        properties,
    }
}

/// Half messages are not emulated yet: the broker answers as one whose `rejectTransactionMessage` is on.
fn check_transaction(
    exchange: &Exchange<'_>,
    header: &SendMessage<'_>,
    pairs: &PropertyPairs<'_>,
) -> Result<(), Refusal> {
    let is_half =
        pairs.get(property::TRANSACTION_PREPARED).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let is_delayed_retry = header.reconsume_times.unwrap_or(0) > 0 && delay_level(pairs)? > 0;
    if is_half && !is_delayed_retry {
        let host = exchange.broker.identity.address.ip();
        let remark = format!("the broker[{host}] sending transaction message is forbidden");
        return Err(Refusal::new(ResponseCode::NO_PERMISSION, remark));
    }
    Ok(())
}

/// `HookUtils.checkBeforePutMessage`: a full disk comes before every judgement of the message itself.
fn check_store(state: &BrokerState) -> Result<(), Refusal> {
    if state.store.is_full() { Err(disk_full()) } else { Ok(()) }
}

/// Delay levels are not emulated yet, and RocketMQ has no switch for them: this remark is ours.
fn check_delay(pairs: &PropertyPairs<'_>) -> Result<(), Refusal> {
    if delay_level(pairs)? > 0 {
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, "delay levels are not emulated yet"));
    }
    Ok(())
}

/// Timer messages are not emulated yet: the broker answers as one whose `timerWheelEnable` is off
/// (`HookUtils.handleScheduleMessage`).
fn check_timer(exchange: &Exchange<'_>, pairs: &PropertyPairs<'_>) -> Result<(), Refusal> {
    const TIMERS: [&str; 3] =
        [property::TIMER_DELIVER_MS, property::TIMER_DELAY_MS, property::TIMER_DELAY_SEC];
    if exchange.version().knows_timer_messages()
        && TIMERS.iter().any(|timer| pairs.get(timer).is_some())
        && pairs.get(property::TIMER_OUT_MS).is_none()
    {
        let remark = "accurate timer message is not enabled, timerWheelEnable is false";
        return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, remark));
    }
    Ok(())
}

fn check_inner_batch(
    exchange: &Exchange<'_>,
    header: &SendMessage<'_>,
    pairs: &PropertyPairs<'_>,
) -> Result<(), Refusal> {
    let claims =
        SysFlag(header.sys_flag).contains(SysFlag::INNER_BATCH) || pairs.get(property::INNER_NUM).is_some();
    if exchange.version().knows_inner_batches() && claims { Err(illegal()) } else { Ok(()) }
}

/// `Message.getDelayTimeLevel`.
fn delay_level(pairs: &PropertyPairs<'_>) -> Result<i32, Refusal> {
    let Some(text) = pairs.get(property::DELAY) else { return Ok(0) };
    text.parse().map_err(|_| {
        Refusal::exception(format!("java.lang.NumberFormatException: For input string: \"{text}\""))
    })
}

/// `PutMessageStatus.MESSAGE_ILLEGAL` and `PROPERTIES_SIZE_EXCEEDED`.
fn illegal() -> Refusal {
    let remark = format!(
        "the message is illegal, maybe msg body or properties length not matched. \
         msg body length limit {MAX_MESSAGE_SIZE}B, msg properties length limit 32KB."
    );
    Refusal::new(ResponseCode::MESSAGE_ILLEGAL, remark)
}

/// `PutMessageStatus.SERVICE_NOT_AVAILABLE`.
pub(super) fn disk_full() -> Refusal {
    Refusal::new(ResponseCode::SERVICE_NOT_AVAILABLE, DISK_FULL)
}

/// The remark of `PutMessageStatus.SERVICE_NOT_AVAILABLE`.
pub(crate) const DISK_FULL: &str = "service not available now. It may be caused by one of the following reasons: the broker's disk is full \
     [CL:  1.00 CQ:  1.00 INDEX:  1.00], messages are put to the slave, message store has been shut down, etc.";

/// `BrokerConfig.regionId`.
pub(super) const REGION: &str = "DefaultRegion";
/// `MessageStoreConfig.maxMessageSize`.
const MAX_MESSAGE_SIZE: usize = 4 << 20;
