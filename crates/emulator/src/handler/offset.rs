//! Offsets of queues and of groups: codes 14, 15, 29, 30, 31, 32.
//!
//! An unknown topic or queue has the offsets of an empty one; nothing is refused.

use maxq_protocol::{
    DecodeErrorKind, RemotingCommand, ResponseCode,
    header::{
        GetEarliestStoreTime, GetMaxOffset, GetMinOffset, OffsetReply, QueryConsumerOffset, SearchOffset,
        StoreTimeReply, UpdateConsumerOffset,
    },
};

use super::{Exchange, read_header, success, with_null};
use crate::refusal::Refusal;

/// The next offset that will be written.
pub(crate) fn max_offset(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    let header: GetMaxOffset = exchange.header()?;
    Ok(offset(exchange.state().store.max_offset(&header.topic, header.queue_id)))
}

/// The oldest offset: always 0, nothing is thrown away.
pub(crate) fn min_offset(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    let GetMinOffset { .. } = exchange.header()?;
    let answer = offset(0);
    Ok(if exchange.version().min_offset_has_an_empty_remark() { answer.with_remark("") } else { answer })
}

/// The offset for a store time.
pub(crate) fn search(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    // A boundary that nobody knows counts as none (`BoundaryType.getType`).
    let header: SearchOffset = exchange.header()?;
    let boundary = header.boundary_type.unwrap_or_default();
    let queue = (&*header.topic, header.queue_id);
    Ok(offset(exchange.state().store.offset_by_time(queue, header.timestamp, boundary, exchange.version())))
}

/// The store time of the oldest message; -1 for an empty queue.
pub(crate) fn earliest_store_time(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    let header: GetEarliestStoreTime = exchange.header()?;
    let found = exchange.state().store.earliest_timestamp(&header.topic, header.queue_id);
    Ok(success().with_header(&StoreTimeReply { timestamp: found.unwrap_or(-1) }))
}

/// How far a group has read (`ConsumerManageProcessor.queryConsumerOffset`).
///
/// A group that has never committed starts at 0 while the queue still has its first message; where it starts
/// otherwise is the client's decision.
pub(crate) fn query(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    let header: QueryConsumerOffset = read_header(&with_null(exchange.request, null_texts(exchange)))?;
    let state = exchange.state();
    if let Some(committed) = state.offsets.committed(&header.consumer_group, &header.topic, header.queue_id) {
        return Ok(offset(committed));
    }
    if !exchange.version().knows_set_zero_if_not_found() {
        return Ok(offset(0));
    }
    let not_found = |remark| Err(Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark));
    if header.set_zero_if_not_found == Some(false) {
        return not_found("Not found, do not set to zero, maybe this group boot first");
    }
    if state.store.has_messages(&header.topic, header.queue_id) {
        return Ok(offset(0));
    }
    not_found("Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first")
}

/// Commits how far a group has read (`ConsumerManageProcessor.updateConsumerOffset`).
pub(crate) fn update(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    let header = read_update(exchange)?;
    let mut state = exchange.state();
    if exchange.version().checks_offset_commits() {
        if !state.groups.contains(&header.consumer_group) {
            let remark = format!("Group {} not exist!", header.consumer_group);
            return Err(Refusal::new(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST, remark));
        }
        if state.topics.get(&header.topic).is_none() {
            let remark = format!("Topic {} not exist!", header.topic);
            return Err(Refusal::new(ResponseCode::TOPIC_NOT_EXIST, remark));
        }
    }
    state.offsets.commit(&header.consumer_group, &header.topic, header.queue_id, header.commit_offset);
    Ok(success())
}

/// 5.x looks for missing fields, 4.9 stumbles over them.
fn read_update(exchange: &Exchange<'_>) -> Result<UpdateConsumerOffset, Refusal> {
    read_header(&with_null(exchange.request, null_texts(exchange))).map_err(|error| {
        let what = match error.context {
            "queueId" => "QueueId",
            "commitOffset" => "Offset",
            _ => return error.into(),
        };
        if exchange.version().checks_offset_commits() && error.kind == DecodeErrorKind::Missing {
            let remark = format!("{what} is null, topic is {}", exchange.field("topic").unwrap_or("null"));
            return Refusal::new(ResponseCode::INVALID_PARAMETER, remark);
        }
        error.into()
    })
}

/// The texts that are part of the key `topic@group` under which an offset is kept, and not looked at before.
fn null_texts(exchange: &Exchange<'_>) -> &'static [&'static str] {
    if exchange.version().checks_offset_commits() { &["consumerGroup"] } else { &["consumerGroup", "topic"] }
}

fn offset(offset: i64) -> RemotingCommand {
    success().with_header(&OffsetReply { offset })
}
