//! SEND_MESSAGE (10), SEND_MESSAGE_V2 (310), SEND_BATCH_MESSAGE (320).
//!
//! Whether the body is a batch is said by a header field, not by the code.

use maxq_protocol::{
    RemotingCommand, RequestCode, ResponseCode,
    header::{SendMessage, SendMessageV1, SendMessageV2, SendReply},
    message::{StoredMessage, property},
};

use super::{
    Exchange,
    draft::{Draft, REGION, disk_full},
    success,
    target::Target,
};
use crate::{refusal::Refusal, store::StoreFull};

/// Stores a message or a batch.
pub(crate) fn send(exchange: &Exchange<'_>) -> RemotingCommand {
    match store(exchange) {
        Ok(reply) => success().with_header(&reply),
        Err(refusal) if refusal.is_exception() => refusal.into_answer(),
        Err(refusal) => {
            let mut answer = refusal.into_answer();
            answer.ext.set(property::MSG_REGION, REGION);
            answer.ext.set(property::TRACE_SWITCH, "true");
            answer
        }
    }
}

fn store(exchange: &Exchange<'_>) -> Result<SendReply, Refusal> {
    check_permission(exchange)?;
    let header = read_header(exchange)?;
    let is_batch = header.batch == Some(true);
    // Java has no empty body, only none, and stumbles over it (`AbstractSendMessageProcessor.buildMsgContext`).
    if exchange.request.body.is_empty() && (is_batch || !exchange.version().stores_empty_bodies()) {
        return Err(Refusal::exception("java.lang.NullPointerException: the request has no body"));
    }
    let mut state = exchange.state();
    let target = Target::find(exchange, &mut state, &header)?;
    let mut draft = if is_batch {
        Draft::batch(exchange, &state, &header, &target)?
    } else {
        Draft::single(exchange, &mut state, &header, target)?
    };
    if exchange.pretends {
        state.store.foresee(&mut draft.messages);
    } else {
        state.store.append(&mut draft.messages).map_err(|StoreFull| disk_full())?;
    }
    drop(state);
    reply(exchange, draft)
}

/// Apache refuses only ordered topics and trusts that clients see the permission in the route
/// (`AbstractSendMessageProcessor.msgCheck`); refusing all is what shows who does not look.
fn check_permission(exchange: &Exchange<'_>) -> Result<(), Refusal> {
    if exchange.broker.is_read_only() {
        let host = exchange.broker.identity.address.ip();
        let remark = format!("the broker[{host}] sending message is forbidden");
        return Err(Refusal::new(ResponseCode::NO_PERMISSION, remark));
    }
    Ok(())
}

fn read_header(exchange: &Exchange<'_>) -> Result<SendMessage<'static>, Refusal> {
    let read = match exchange.request.request_code() {
        RequestCode::SEND_MESSAGE => exchange.header().map(|SendMessageV1(header)| header),
        _ => exchange.header().map(|SendMessageV2(header)| header),
    };
    read.map_err(|error| {
        let has_no_topic = matches!(error.context, "topic" | "b");
        if has_no_topic && exchange.version().checks_missing_topics() {
            return Refusal::new(ResponseCode::SYSTEM_ERROR, "The specified topic is blank.");
        }
        error.into()
    })
}

/// `SendMessageProcessor.handlePutMessageResult`.
fn reply(exchange: &Exchange<'_>, draft: Draft) -> Result<SendReply, Refusal> {
    let first = draft
        .messages
        .first()
        .ok_or_else(|| Refusal::exception("java.lang.IllegalStateException: empty batch"))?;
    Ok(SendReply {
        message_id: offset_ids(exchange, &draft.messages),
        queue_id: first.queue_id,
        queue_offset: first.queue_offset,
        transaction_id: draft
            .unique_key
            .filter(|key| exchange.version().completes_properties() && !key.is_empty()),
        batch_unique_id: None,
        recall_handle: None,
        region: Some(REGION.to_owned()),
        trace_on: Some(true),
    })
}

/// One offset message id per message, joined by commas. Its first part is the same for all messages of a broker.
fn offset_ids(exchange: &Exchange<'_>, messages: &[StoredMessage]) -> String {
    let host = &exchange.broker.identity.id_prefix;
    let mut ids = String::with_capacity((host.len() + 17) * messages.len());
    for message in messages {
        if !ids.is_empty() {
            ids.push(',');
        }
        ids.push_str(host);
        let digits =
            message.commit_log_offset.to_be_bytes().into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
        ids.extend(digits.map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)])));
    }
    ids
}
