//! Requests with everything that a line of the table does not care about.

use std::borrow::Cow;

use maxq_protocol::{
    ExtFields, RemotingCommand, Request, RequestCode,
    body::{ConsumerData, HeartbeatData, JsonDialect, ProducerData, SubscriptionData, to_json},
    header::{
        CreateTopic, Heartbeat, PullMessage, SendBatchMessage, SendMessage, SendMessageV1, SendMessageV2,
    },
    message::{Properties, PullSysFlag, batch},
};

/// A send under construction.
#[derive(Clone)]
pub(super) struct Send {
    header: SendMessage<'static>,
    body: Vec<u8>,
}

impl Send {
    /// To queue 0 of `topic`, with the unique key that its line of the table gives.
    pub(super) fn to(topic: &str) -> Self {
        let header = SendMessage {
            producer_group: "twins-producer".into(),
            topic: topic.to_owned().into(),
            default_topic: "TBW102".into(),
            default_topic_queue_nums: 4,
            born_timestamp: BORN,
            ..SendMessage::default()
        };
        Self { header, body: b"hello".to_vec() }.properties(&[("UNIQ_KEY", UNIQUE_KEY)])
    }

    pub(super) fn with(mut self, change: impl FnOnce(&mut SendMessage<'static>)) -> Self {
        change(&mut self.header);
        self
    }

    pub(super) fn queue(self, queue: i32) -> Self {
        self.with(|header| header.queue_id = queue)
    }

    pub(super) fn properties(mut self, pairs: &[(&str, &str)]) -> Self {
        self.header.properties = Cow::Owned(properties(pairs));
        self
    }

    pub(super) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// A batch of bodies, each with these properties.
    pub(super) fn batch(mut self, bodies: &[&[u8]], pairs: &[(&str, &str)]) -> Self {
        self.header.batch = Some(true);
        self.body = Vec::new();
        for (flag, body) in (0..).zip(bodies) {
            batch::encode_entry(flag, body, &properties(pairs), &mut self.body);
        }
        self
    }

    /// Code 310.
    pub(super) fn v2(self) -> RemotingCommand {
        RemotingCommand::request(&SendMessageV2(self.header)).with_body(self.body)
    }

    /// Code 10.
    pub(super) fn v1(self) -> RemotingCommand {
        RemotingCommand::request(&SendMessageV1(self.header)).with_body(self.body)
    }

    /// Code 320.
    pub(super) fn code_320(self) -> RemotingCommand {
        RemotingCommand::request(&SendBatchMessage(self.header)).with_body(self.body)
    }
}

/// The text form of properties.
pub(super) fn properties(pairs: &[(&str, &str)]) -> String {
    pairs.iter().copied().collect::<Properties>().encode()
}

/// A request without a header type.
pub(super) fn plain(code: i32, fields: &[(&str, &str)]) -> RemotingCommand {
    let request = RemotingCommand::request(&Heartbeat {});
    RemotingCommand { code, ext: fields.iter().copied().collect::<ExtFields>(), ..request }
}

/// A request by the name of its code.
pub(crate) fn coded(code: RequestCode, fields: &[(&str, &str)]) -> RemotingCommand {
    plain(code.0, fields)
}

/// A request with a typed header.
pub(super) fn typed(header: &impl Request) -> RemotingCommand {
    RemotingCommand::request(header)
}

/// The same request without one of its fields.
pub(super) fn without(request: &RemotingCommand, field: &str) -> RemotingCommand {
    let mut request = request.clone();
    request.ext.remove(field);
    request
}

/// The same request with a field set to this text.
pub(super) fn with(request: &RemotingCommand, field: &str, value: &str) -> RemotingCommand {
    let mut request = request.clone();
    request.ext.set(field, value);
    request
}

/// A topic of 4 queues to be made.
pub(super) fn create(topic: &str) -> CreateTopic {
    CreateTopic {
        topic: topic.to_owned(),
        default_topic: "TBW102".to_owned(),
        read_queue_nums: 4,
        write_queue_nums: 4,
        perm: 6,
        topic_filter_type: "SINGLE_TAG".to_owned(),
        topic_sys_flag: Some(0),
        order: Some(false),
        attributes: None,
        force: None,
    }
}

/// A pull of everything from an offset on, with its filter in the request.
pub(super) fn pull(topic: &str, queue_id: i32, offset: i64) -> PullMessage {
    PullMessage {
        consumer_group: "twins-reader".to_owned(),
        topic: topic.to_owned(),
        queue_id,
        queue_offset: offset,
        max_messages: 32,
        sys_flag: PullSysFlag::SUBSCRIPTION.0,
        commit_offset: Some(0),
        suspend_timeout_millis: Some(0),
        subscription: Some("*".to_owned()),
        subscription_version: Some(0),
        expression_type: Some("TAG".to_owned()),
        broker_name: None,
    }
}

/// What a client tells of itself.
pub(super) fn heartbeat_data(client: &str, producers: &[&str], consumers: &[ConsumerData]) -> HeartbeatData {
    let producer = |name: &&str| ProducerData { group_name: (*name).to_owned() };
    HeartbeatData {
        client_id: client.to_owned(),
        producer_data_set: producers.iter().map(producer).collect(),
        consumer_data_set: consumers.to_vec(),
        ..HeartbeatData::default()
    }
}

pub(super) fn heartbeat(data: &HeartbeatData) -> RemotingCommand {
    RemotingCommand::request(&Heartbeat {}).with_body(to_json(data, JsonDialect::Standard))
}

/// A consumer group that subscribes to one tag (or `*`) of one topic.
pub(super) fn consumer(group: &str, topic: &str, tag: &str, version: i64) -> ConsumerData {
    let code =
        |tag: &str| tag.bytes().fold(0i32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    let (tags, codes) =
        if tag == "*" { (Vec::new(), Vec::new()) } else { (vec![tag.to_owned()], vec![code(tag)]) };
    ConsumerData {
        group_name: group.to_owned(),
        subscription_data_set: vec![SubscriptionData {
            class_filter_mode: false,
            code_set: codes,
            expression_type: "TAG".to_owned(),
            sub_string: tag.to_owned(),
            sub_version: version,
            tags_set: tags,
            topic: topic.to_owned(),
        }],
        ..ConsumerData::default()
    }
}

/// When all messages of the table were made.
pub(super) const BORN: i64 = 1_700_000_000_000;
/// Begins as no server's own key does.
pub(super) const UNIQUE_KEY: &str = "U0000000000000000000000000000001";
