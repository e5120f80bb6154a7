//! Finding messages: VIEW_MESSAGE_BY_ID (33) and QUERY_MESSAGE (12).

use maxq_protocol::{DecodeError, DecodeErrorKind, RemotingCommand, ResponseCode, header::ViewMessageById};

use super::{Exchange, success};
use crate::refusal::Refusal;

/// One message by its place in the commit log. The topic of the request is not looked at.
pub(crate) fn view_by_id(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    let header: ViewMessageById = exchange.header()?;
    let state = exchange.state();
    let record = state.store.record(header.offset).ok_or_else(|| {
        let remark = format!("can not find message by the offset, {}", header.offset);
        Refusal::new(ResponseCode::SYSTEM_ERROR, remark)
    })?;
    Ok(success().with_body(record.to_vec()))
}

/// Messages by unique key or by key (`QueryMessageProcessor.queryMessage`).
///
/// The field `_UNIQUE_KEY_QUERY` does not choose the kind of key: both are in one index. It only raises the number of
/// answers.
pub(crate) fn by_key(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    let text = |name| exchange.field(name).unwrap_or_default();
    let is_unique = exchange.field("_UNIQUE_KEY_QUERY") == Some("true");
    let asked = number(exchange, "maxNum")?;
    let too_few = || Refusal::exception("java.lang.IllegalArgumentException: Illegal Capacity");
    let max =
        if is_unique { DEFAULT_QUERY_MAX_NUM } else { usize::try_from(asked).map_err(|_| too_few())? };
    let (begin, end) = (number(exchange, "beginTimestamp")?, number(exchange, "endTimestamp")?);
    let state = exchange.state();
    let found = state.store.query(text("topic"), text("key"), max, begin, end);
    let records: Vec<u8> = found
        .positions
        .iter()
        .filter_map(|position| state.store.record(*position as i64))
        .flatten()
        .copied()
        .collect();
    let mut answer = if records.is_empty() {
        let remark = "can not find message, maybe time range not correct";
        Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark).into_answer()
    } else {
        success().with_body(records)
    };
    answer.ext.set("indexLastUpdateTimestamp", &found.last_timestamp.to_string());
    answer.ext.set("indexLastUpdatePhyoffset", &found.last_position.to_string());
    Ok(answer)
}

fn number(exchange: &Exchange<'_>, key: &'static str) -> Result<i64, DecodeError> {
    let number = exchange.field(key).and_then(|text| text.parse().ok());
    number.ok_or(DecodeError::new(DecodeErrorKind::Missing, key))
}

/// `MessageStoreConfig.defaultQueryMaxNum`.
const DEFAULT_QUERY_MAX_NUM: usize = 32;
