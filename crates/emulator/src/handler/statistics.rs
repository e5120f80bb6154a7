//! What tools count: GET_TOPIC_STATS_INFO (202), GET_CONSUME_STATS (208), QUERY_TOPIC_CONSUME_BY_WHO (300).
//!
//! The first two have objects as JSON keys, which is no JSON; Java's tools read nothing else. They are written by hand.

use std::{collections::BTreeSet, fmt::Write};

use maxq_protocol::{RemotingCommand, ResponseCode, body::TopicConfig};
use serde::Serialize;

use super::{Exchange, connection::json, success};
use crate::{broker::BrokerState, refusal::Refusal};

/// Offsets of every queue of a topic.
pub(crate) fn topic(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    let topic = exchange.text("topic")?;
    let state = exchange.state();
    let config = state
        .topics
        .get(topic)
        .ok_or_else(|| Refusal::new(ResponseCode::TOPIC_NOT_EXIST, format!("topic[{topic}] not exist")))?;
    let mut table = OffsetTable::new(&exchange.broker.identity.broker);
    for queue_id in 0..config.read_queue_nums.max(config.write_queue_nums) {
        let max = state.store.max_offset(topic, queue_id);
        let last = state.store.latest_timestamp(topic, queue_id).unwrap_or(0);
        table.push(
            (topic, queue_id),
            &format!("{{\"lastUpdateTimestamp\":{last},\"maxOffset\":{max},\"minOffset\":0}}"),
        );
    }
    let rate = if exchange.version().has_newer_statistics() { ",\"topicPutTps\":0.0" } else { "" };
    Ok(success().with_body(format!("{{{}{rate}}}", table.finish())))
}

/// How far a group has read, of one topic or of all that it has committed for.
pub(crate) fn consumption(exchange: &Exchange<'_>) -> RemotingCommand {
    let group = exchange.field("consumerGroup").unwrap_or_default();
    let mut state = exchange.state();
    state.groups.find_or_make(group);
    let topics = match exchange.field("topic") {
        Some(topic) => vec![topic.to_owned()],
        None => state.offsets.topics_of(group).map(str::to_owned).collect(),
    };
    let mut table = OffsetTable::new(&exchange.broker.identity.broker);
    for config in topics.iter().filter_map(|topic| state.topics.get(topic)) {
        consumption_of_topic(exchange, &state, (group, config), &mut table);
    }
    success().with_body(format!("{{\"consumeTps\":0.0,{}}}", table.finish()))
}

/// The groups that read a topic: those that have committed, and those that are online.
pub(crate) fn groups_of_topic(exchange: &Exchange<'_>) -> Result<RemotingCommand, Refusal> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct GroupList<'a> {
        group_list: BTreeSet<&'a str>,
    }
    let topic = exchange.text("topic")?;
    let state = exchange.state();
    let group_list = state.offsets.groups_of(topic).chain(state.clients.groups_of(topic)).collect();
    Ok(success().with_body(json(&GroupList { group_list })))
}

fn consumption_of_topic(
    exchange: &Exchange<'_>,
    state: &BrokerState,
    (group, config): (&str, &TopicConfig),
    table: &mut OffsetTable,
) {
    let topic = &config.topic_name;
    for queue_id in 0..config.read_queue_nums {
        let broker_offset = state.store.max_offset(topic, queue_id);
        let committed = state.offsets.committed(group, topic, queue_id);
        let last = committed
            .map_or(0, |committed| state.store.timestamp_before(topic, queue_id, committed).unwrap_or(0));
        let mut value = format!(
            "{{\"brokerOffset\":{broker_offset},\"consumerOffset\":{},\"lastTimestamp\":{last}",
            committed.unwrap_or(0)
        );
        if exchange.version().has_newer_statistics() {
            let pulled = state.offsets.pulled(group, topic, queue_id).max(committed).unwrap_or(0);
            write!(value, ",\"pullOffset\":{pulled}").expect("a String takes every write");
        }
        value.push('}');
        table.push((topic, queue_id), &value);
    }
}

/// `"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{..},..}`. Names need no escapes: their characters are
/// checked when a topic is made.
struct OffsetTable {
    broker: String,
    text: String,
}

impl OffsetTable {
    fn new(broker: &str) -> Self {
        Self { broker: broker.to_owned(), text: "\"offsetTable\":{".to_owned() }
    }

    fn push(&mut self, (topic, queue_id): (&str, i32), value: &str) {
        if !self.text.ends_with('{') {
            self.text.push(',');
        }
        let broker = &self.broker;
        write!(
            self.text,
            "{{\"brokerName\":\"{broker}\",\"queueId\":{queue_id},\"topic\":\"{topic}\"}}:{value}"
        )
        .expect("a String takes every write");
    }

    fn finish(self) -> String {
        self.text + "}"
    }
}
