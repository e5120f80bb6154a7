//! GET_BROKER_RUNTIME_INFO (28), and the list of what is not there yet.

use maxq_protocol::{RemotingCommand, RequestCode as Code, body::KvTable};

use super::{Exchange, connection::json, success};
use crate::version::EmulatedVersion;

/// The state of the broker, with every key that Java's tools read.
pub(crate) fn runtime_info(exchange: &Exchange<'_>) -> RemotingCommand {
    let known = known_values(exchange).into_iter();
    let zeros =
        |keys: &'static [&str], zero: &'static str| keys.iter().map(move |key| (*key, zero.to_owned()));
    let all = zeros(&ZEROS, "0")
        .chain(zeros(&ZERO_RATIOS, "0.0"))
        .chain(zeros(&ZERO_RATES, "0.0 0.0 0.0"))
        .chain(known);
    let table = all.map(|(key, value)| (key.to_owned(), value)).collect();
    success().with_body(json(&KvTable { table }))
}

/// The entries that mean something.
fn known_values(exchange: &Exchange<'_>) -> [(&'static str, String); 15] {
    let version = exchange.version();
    let state = exchange.state();
    let uptime = (exchange.now - state.started_at).max(0) / 1000;
    let (days, hours, minutes, seconds) =
        (uptime / 86_400, uptime / 3600 % 24, uptime / 60 % 60, uptime % 60);
    let (end, messages) = (state.store.log_end(), state.store.message_count());
    let average = if messages == 0 { 0.0 } else { end as f64 / messages as f64 };
    [
        ("brokerVersionDesc", version.description().to_owned()),
        ("brokerVersion", version.wire().0.to_string()),
        ("brokerActive", "true".to_owned()),
        ("bootTimestamp", state.started_at.to_string()),
        ("runtime", format!("[ {days} days, {hours} hours, {minutes} minutes, {seconds} seconds ]")),
        ("commitLogMaxOffset", end.to_string()),
        ("commitLogMinOffset", "0".to_owned()),
        ("earliestMessageTimeStamp", state.store.oldest_timestamp().unwrap_or(-1).to_string()),
        ("putMessageTimesTotal", messages.to_string()),
        ("putMessageSizeTotal", end.to_string()),
        ("putMessageAverageSize", average.to_string()),
        ("msgPutTotalTodayNow", messages.to_string()),
        ("remainTransientStoreBufferNumbs", i32::MAX.to_string()),
        ("remainHowManyDataToFlush", "0 B".to_owned()),
        ("commitLogDirCapacity", "Total : 0 B, Free : 0 B.".to_owned()),
    ]
}

/// What a request is called that the emulated version answers and this emulator does not, yet.
pub(crate) fn not_emulated_yet(code: Code, version: EmulatedVersion) -> Option<&'static str> {
    let is_known = NOT_YET.contains(&code) || version.knows_newer_requests() && NEWER_NOT_YET.contains(&code);
    if is_known { code.name() } else { None }
}

/// Requests of both versions that are not emulated yet.
const NOT_YET: [Code; 21] = [
    Code::GET_ALL_TOPIC_CONFIG,
    Code::UPDATE_BROKER_CONFIG,
    Code::GET_BROKER_CONFIG,
    Code::CONSUMER_SEND_MSG_BACK,
    Code::END_TRANSACTION,
    Code::LOCK_BATCH_MQ,
    Code::UNLOCK_BATCH_MQ,
    Code::GET_ALL_CONSUMER_OFFSET,
    Code::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
    Code::GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
    Code::DELETE_SUBSCRIPTIONGROUP,
    Code::INVOKE_BROKER_TO_RESET_OFFSET,
    Code::INVOKE_BROKER_TO_GET_CONSUMER_STATUS,
    Code::QUERY_CONSUME_TIME_SPAN,
    Code::GET_SYSTEM_TOPIC_LIST_FROM_BROKER,
    Code::GET_CONSUMER_RUNNING_INFO,
    Code::QUERY_CORRECTION_OFFSET,
    Code::CONSUME_MESSAGE_DIRECTLY,
    Code::SEND_REPLY_MESSAGE,
    Code::SEND_REPLY_MESSAGE_V2,
    Code::GET_ALL_PRODUCER_INFO,
];

/// Requests of 5.x that are not emulated yet.
const NEWER_NOT_YET: [Code; 13] = [
    Code::UPDATE_AND_CREATE_TOPIC_LIST,
    Code::GET_SUBSCRIPTIONGROUP_CONFIG,
    Code::RECALL_MESSAGE,
    Code::QUERY_ASSIGNMENT,
    Code::SET_MESSAGE_REQUEST_MODE,
    Code::POP_MESSAGE,
    Code::ACK_MESSAGE,
    Code::PEEK_MESSAGE,
    Code::CHANGE_MESSAGE_INVISIBLETIME,
    Code::NOTIFICATION,
    Code::POLLING_INFO,
    Code::POP_ROLLBACK,
    Code::BATCH_ACK_MESSAGE,
];

/// Rates, three each from the start: `clusterList` prints a stack trace for fewer, which young 5.x brokers give.
const ZERO_RATES: [&str; 6] =
    ["putTps", "getTransferredTps", "getTransferedTps", "getFoundTps", "getMissTps", "getTotalTps"];

/// Ratios and single rates.
const ZERO_RATIOS: [&str; 4] =
    ["commitLogDiskRatio", "consumeQueueDiskRatio", "timerEnqueueTps", "timerDequeueTps"];

/// Numbers that tools read and that mean nothing here.
const ZEROS: [&str; 32] = [
    "EndTransactionQueueSize",
    "EndTransactionThreadPoolQueueCapacity",
    "ackThreadPoolQueueCapacity",
    "ackThreadPoolQueueHeadWaitTimeMills",
    "ackThreadPoolQueueSize",
    "dispatchBehindBytes",
    "dispatchMaxBuffer",
    "getMessageEntireTimeMax",
    "litePullThreadPoolQueueCapacity",
    "litePullThreadPoolQueueHeadWaitTimeMills",
    "litePullThreadPoolQueueSize",
    "msgGetTotalTodayMorning",
    "msgGetTotalTodayNow",
    "msgGetTotalYesterdayMorning",
    "msgPutTotalTodayMorning",
    "msgPutTotalYesterdayMorning",
    "pageCacheLockTimeMills",
    "pullThreadPoolQueueCapacity",
    "pullThreadPoolQueueHeadWaitTimeMills",
    "pullThreadPoolQueueSize",
    "putMessageEntireTimeMax",
    "putMessageFailedTimes",
    "queryThreadPoolQueueCapacity",
    "queryThreadPoolQueueHeadWaitTimeMills",
    "queryThreadPoolQueueSize",
    "sendThreadPoolQueueCapacity",
    "sendThreadPoolQueueHeadWaitTimeMills",
    "sendThreadPoolQueueSize",
    "startAcceptSendRequestTimeStamp",
    "timerCongestNum",
    "timerOffsetBehind",
    "timerReadBehind",
];
