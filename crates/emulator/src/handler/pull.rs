//! PULL_MESSAGE (11) and LITE_PULL_MESSAGE (361), with long polling.
//!
//! A pull at the end of its queue may wait for a message. The wait belongs to the connection: it is a future that looks
//! again whenever a message comes to the queue, and it dies with the connection.

use std::{sync::Arc, time::Duration};

use maxq_protocol::{
    RemotingCommand, ResponseCode,
    body::{SubscriptionData, perm},
    header::{PullMessage, PullReply},
    message::PullSysFlag,
};
use tokio::time::{Instant, sleep_until};

use super::Exchange;
use crate::{
    broker::{Broker, BrokerState},
    java::hash_code,
    refusal::Refusal,
    serve::Reaction,
    store::{PullFilter, PullResult, PullStatus},
};

/// Answers a pull, now or when a message comes (`PullMessageProcessor.processRequest`).
pub(crate) fn pull(broker: &Arc<Broker>, exchange: &Exchange<'_>) -> Reaction {
    match start(exchange) {
        Ok((pull, result)) if pull.may_wait() && result.status.waits(pull.offset) => {
            Reaction::Later(Box::pin(pull.wait(Arc::clone(broker))))
        }
        Ok((pull, result)) => Reaction::Answer(pull.answer(result)),
        Err(refusal) => Reaction::Answer(refusal.into_answer()),
    }
}

/// Whether an expression type means tags: nothing, or `TAG` (`ExpressionType.isTagType`).
pub(super) fn is_tag_type(expression_type: Option<&str>) -> bool {
    matches!(expression_type, None | Some("" | "TAG"))
}

/// A pull whose request was accepted.
struct Pull {
    topic: String,
    queue_id: i32,
    offset: i64,
    max_messages: i32,
    filter: PullFilter,
    suspend: Duration,
    topic_sys_flag: i32,
    has_flags: bool,
}

impl Pull {
    fn may_wait(&self) -> bool {
        !self.suspend.is_zero()
    }

    fn read(&self, state: &BrokerState) -> PullResult {
        state.store.pull((&self.topic, self.queue_id), self.offset, self.max_messages, &self.filter)
    }

    /// Waits until a wanted message comes, or the time is up (`PullRequestHoldService`).
    ///
    /// Messages that the filter does not want do not end the wait at once. Apache looks at all waiting pulls every
    /// five seconds and answers those that have fallen behind, so that their client goes on behind those messages.
    async fn wait(self, broker: Arc<Broker>) -> RemotingCommand {
        let deadline = later(broker.clock.instant(), self.suspend);
        let mut next_look = later(broker.clock.instant(), LOOK_INTERVAL).min(deadline);
        let arrival = broker.state().store.arrival(&self.topic, self.queue_id);
        loop {
            // Made before the queue is read, so that a message that comes in between is not missed.
            let notified = arrival.notified();
            let now = broker.clock.instant();
            let result = self.read(&broker.state());
            let has_fallen_behind = now >= next_look && !result.status.waits(self.offset);
            if result.status == PullStatus::Found || has_fallen_behind || now >= deadline {
                return self.answer(result);
            }
            if now >= next_look {
                next_look = later(now, LOOK_INTERVAL).min(deadline);
            }
            tokio::select! {
                biased;
                () = notified => {}
                () = sleep_until(next_look) => {}
            }
        }
    }

    /// `PullMessageProcessor.composeResponseHeader`.
    fn answer(&self, result: PullResult) -> RemotingCommand {
        let reply = PullReply {
            suggest_which_broker_id: 0,
            next_begin_offset: result.next_begin_offset,
            min_offset: 0,
            max_offset: result.max_offset,
            forbidden_type: None,
        };
        let mut answer = RemotingCommand::response(result.status.code(self.offset), 0)
            .with_header(&reply)
            .with_remark(result.status.name())
            .with_body(result.records);
        if self.has_flags {
            answer.ext.set("topicSysFlag", &self.topic_sys_flag.to_string());
            answer.ext.set("groupSysFlag", "0");
        }
        answer
    }
}

impl PullStatus {
    /// Whether a pull from `offset` that ended so may wait for a message: it is at the end of its queue.
    fn waits(self, offset: i64) -> bool {
        self.code(offset) == ResponseCode::PULL_NOT_FOUND
    }
}

/// Checks the request in Apache's order and reads the queue for the first time.
fn start(exchange: &Exchange<'_>) -> Result<(Pull, PullResult), Refusal> {
    let header: PullMessage = exchange.header()?;
    let mut state = exchange.state();
    let topic_sys_flag = check_topic(exchange, &mut state, &header)?;
    let filter = find_filter(exchange, &state, &header)?;
    if header.max_messages < 0 && !exchange.version().pulls_negative_numbers() {
        let number = header.max_messages;
        return Err(Refusal::exception(format!(
            "java.lang.IllegalArgumentException: Illegal Capacity: {number}"
        )));
    }
    let flags = PullSysFlag(header.sys_flag);
    let suspend =
        if flags.contains(PullSysFlag::SUSPEND) { header.suspend_timeout_millis.unwrap_or(0) } else { 0 };
    let pull = Pull {
        topic: header.topic,
        queue_id: header.queue_id,
        offset: header.queue_offset,
        max_messages: header.max_messages,
        filter,
        suspend: Duration::from_millis(u64::try_from(suspend).unwrap_or(0)),
        topic_sys_flag,
        has_flags: exchange.version().pull_answers_have_flags(),
    };
    let result = pull.read(&state);
    if flags.contains(PullSysFlag::COMMIT_OFFSET) {
        let offset = header.commit_offset.unwrap_or(0);
        state.offsets.commit(&header.consumer_group, &pull.topic, pull.queue_id, offset);
    }
    state.offsets.note_pull(&header.consumer_group, &pull.topic, pull.queue_id, result.next_begin_offset);
    Ok((pull, result))
}

/// Group, topic and queue; gives the topic's sys flag.
fn check_topic(
    exchange: &Exchange<'_>,
    state: &mut BrokerState,
    header: &PullMessage,
) -> Result<i32, Refusal> {
    let (group, topic, faq) = (&header.consumer_group, &header.topic, exchange.version().faq());
    let refuse = |code, remark: String| Err(Refusal::new(code, remark));
    if !state.groups.find_or_make(group) {
        return refuse(
            ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST,
            format!("subscription group [{group}] does not exist, {faq}"),
        );
    }
    let Some(config) = state.topics.get(topic) else {
        // This remark has a blank before the line break, that of a send has none.
        let remark = format!("topic[{topic}] not exist, apply first please! {faq}");
        return refuse(ResponseCode::TOPIC_NOT_EXIST, remark);
    };
    if !perm::is_readable(config.perm) {
        let remark = format!("the topic[{topic}] pulling message is forbidden");
        let refusal = Refusal::new(ResponseCode::NO_PERMISSION, remark);
        let has_flags = exchange.version().pull_answers_have_flags();
        return Err(if has_flags { refusal.with_field("forbiddenType", TOPIC_FORBIDDEN) } else { refusal });
    }
    if !(0..config.read_queue_nums).contains(&header.queue_id) {
        let remark = format!(
            "queueId[{}] is illegal, topic:[{topic}] topicConfig.readQueueNums:[{}] consumer:[/{}]",
            header.queue_id, config.read_queue_nums, exchange.peer.address
        );
        return refuse(exchange.version().invalid_parameter(), remark);
    }
    Ok(config.topic_sys_flag)
}

/// The filter of the request, or that of the group's heartbeats.
fn find_filter(
    exchange: &Exchange<'_>,
    state: &BrokerState,
    header: &PullMessage,
) -> Result<PullFilter, Refusal> {
    if PullSysFlag(header.sys_flag).contains(PullSysFlag::SUBSCRIPTION) {
        return filter_of_request(header);
    }
    let faq = exchange.version().faq();
    let missing = |remark: &str| Refusal::new(ResponseCode::SUBSCRIPTION_NOT_EXIST, format!("{remark}{faq}"));
    let group = state
        .clients
        .consumer_group(&header.consumer_group)
        .ok_or_else(|| missing("the consumer's group info not exist"))?;
    let subscription = group
        .subscriptions
        .get(&header.topic)
        .ok_or_else(|| missing("the consumer's subscription not exist"))?;
    if subscription.sub_version < header.subscription_version.unwrap_or(0) {
        let remark = "the consumer's subscription not latest";
        return Err(Refusal::new(ResponseCode::SUBSCRIPTION_NOT_LATEST, remark));
    }
    filter_of_subscription(subscription)
}

/// `FilterAPI.build`.
fn filter_of_request(header: &PullMessage) -> Result<PullFilter, Refusal> {
    let expression = header.subscription.as_deref().unwrap_or_default();
    let expression_type = header.expression_type.as_deref();
    let unparsable =
        || Refusal::new(ResponseCode::SUBSCRIPTION_PARSE_FAILED, "parse the consumer's subscription failed");
    if !is_tag_type(expression_type) {
        return Err(if expression.is_empty() { unparsable() } else { unsupported(expression_type) });
    }
    if expression_type == Some("") {
        // Means tags, and is not taken apart like tags (`FilterAPI.build`): everything, or nothing at all.
        return match expression {
            "" => Err(unparsable()),
            ALL => Ok(PullFilter::All),
            _ => Ok(PullFilter::TagCodes(Vec::new())),
        };
    }
    if matches!(expression, "" | ALL) {
        return Ok(PullFilter::All);
    }
    let pieces: Vec<_> = expression.split("||").collect();
    if pieces.iter().all(|piece| piece.is_empty()) {
        return Err(unparsable());
    }
    let tags = pieces.into_iter().map(str::trim).filter(|tag| !tag.is_empty());
    Ok(PullFilter::TagCodes(tags.map(hash_code).collect()))
}

fn filter_of_subscription(subscription: &SubscriptionData) -> Result<PullFilter, Refusal> {
    if !is_tag_type(Some(&subscription.expression_type)) {
        return Err(unsupported(Some(&subscription.expression_type)));
    }
    if subscription.sub_string == ALL || subscription.class_filter_mode {
        return Ok(PullFilter::All);
    }
    Ok(PullFilter::TagCodes(subscription.code_set.clone()))
}

/// Only tags: `enablePropertyFilter` is off by default.
fn unsupported(expression_type: Option<&str>) -> Refusal {
    let remark = format!(
        "The broker does not support consumer to filter message by {}",
        expression_type.unwrap_or("null")
    );
    Refusal::new(ResponseCode::SYSTEM_ERROR, remark)
}

/// As much later as the clock can say.
fn later(from: Instant, wait: Duration) -> Instant {
    from.checked_add(wait).unwrap_or(from + FOR_EVER)
}

/// `SubscriptionData.SUB_ALL`.
const ALL: &str = "*";
/// `ForbiddenType.TOPIC_FORBIDDEN`.
const TOPIC_FORBIDDEN: &str = "3";
/// How often `PullRequestHoldService` looks at all waiting pulls.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
