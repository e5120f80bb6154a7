//! The topics of one broker: their configuration, the rules for names, and automatic creation.

use std::collections::BTreeMap;

use maxq_protocol::{
    ResponseCode,
    body::{TopicConfig, perm},
    name::{
        AUTO_CREATE_TOPIC, DLQ_PREFIX, RETRY_PREFIX, SEND_FORBIDDEN_TOPICS, SYSTEM_TOPIC_PREFIX,
        SYSTEM_TOPICS,
    },
};

use crate::{broker::Identity, java::is_blank, refusal::Refusal, version::EmulatedVersion};

/// Topic configurations by name (Apache's `TopicConfigManager`).
pub(crate) struct TopicTable {
    configs: BTreeMap<String, TopicConfig>,
    own_topics: [String; 3],
    auto_create: bool,
    version: EmulatedVersion,
}

/// What a send asks of a topic that does not exist yet.
pub(crate) struct Wanted<'a> {
    pub(crate) topic: &'a str,
    pub(crate) template: &'a str,
    pub(crate) queue_nums: i32,
    pub(crate) sys_flag: i32,
}

impl TopicTable {
    /// The topics that a broker has when it starts for the first time.
    pub(crate) fn new(identity: &Identity, auto_create: bool) -> Self {
        let version = identity.version;
        let start = start_topics(identity, auto_create).into_iter();
        Self {
            configs: start.map(|config| (config.topic_name.clone(), config)).collect(),
            own_topics: [
                identity.cluster.clone(),
                identity.broker.clone(),
                format!("{}_REPLY_TOPIC", identity.cluster),
            ],
            auto_create,
            version,
        }
    }

    /// The configuration of a topic.
    pub(crate) fn get(&self, topic: &str) -> Option<&TopicConfig> {
        self.configs.get(topic)
    }

    /// All configurations.
    pub(crate) fn all(&self) -> impl Iterator<Item = &TopicConfig> {
        self.configs.values()
    }

    /// Creates or changes a topic.
    pub(crate) fn put(&mut self, config: TopicConfig) {
        self.configs.insert(config.topic_name.clone(), config);
    }

    /// Deletes a topic.
    pub(crate) fn remove(&mut self, topic: &str) {
        self.configs.remove(topic);
    }

    /// Makes a topic as a send to an unknown one does (`TopicConfigManager.createTopicInSendMessageMethod`).
    ///
    /// The template must have the INHERIT bit. The new topic gets the smaller of the queues that the client asks for
    /// and those of the template, even if that is none at all.
    pub(crate) fn create_from_template(&mut self, wanted: &Wanted<'_>) -> Option<&TopicConfig> {
        let template = self.configs.get(wanted.template)?;
        let may_inherit =
            perm::is_inherited(template.perm) && (self.auto_create || wanted.template != AUTO_CREATE_TOPIC);
        if !may_inherit {
            return None;
        }
        let queues = wanted.queue_nums.min(template.write_queue_nums).max(0);
        let config = TopicConfig {
            read_queue_nums: queues,
            write_queue_nums: queues,
            perm: template.perm & !perm::INHERIT,
            topic_filter_type: template.topic_filter_type.clone(),
            topic_sys_flag: wanted.sys_flag,
            ..named(wanted.topic)
        };
        Some(self.configs.entry(wanted.topic.to_owned()).or_insert(config))
    }

    /// Makes a retry or dead-letter topic unless it is there (`createTopicInSendMessageBackMethod`). Says whether it
    /// was made.
    pub(crate) fn create_internal(&mut self, topic: &str, queues: i32, sys_flag: i32) -> bool {
        let is_new = !self.configs.contains_key(topic);
        if is_new {
            self.put(TopicConfig {
                read_queue_nums: queues,
                write_queue_nums: queues,
                topic_sys_flag: sys_flag,
                ..named(topic)
            });
        }
        is_new
    }

    /// `TopicValidator.validateTopic`.
    ///
    /// # Errors
    /// The name is blank, has a character that is not allowed, or is too long.
    pub(crate) fn check_name(&self, topic: &str) -> Result<(), Refusal> {
        let is_internal = topic.starts_with(RETRY_PREFIX) || topic.starts_with(DLQ_PREFIX);
        let limit = if is_internal && self.version.allows_long_internal_topics() { 255 } else { 127 };
        // New brokers repeat the name, old ones do not.
        let named = || if self.version.names_bad_topics() { format!(": {topic},") } else { String::new() };
        let remark = if is_blank(topic) {
            "The specified topic is blank.".to_owned()
        } else if !topic.chars().all(is_allowed) {
            let named = named();
            format!(
                "The specified topic{named} contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
            )
        } else if topic.len() <= limit {
            return Ok(());
        } else if self.version.names_bad_topics() {
            format!("The specified topic{} is longer than topic max length: {limit}", named())
        } else {
            "The specified topic is longer than topic max length.".to_owned()
        };
        Err(Refusal::new(self.version.invalid_parameter(), remark))
    }

    /// # Errors
    /// Clients may not send to this topic (`TopicValidator.isNotAllowedSendTopic`).
    pub(crate) fn check_may_be_sent_to(&self, topic: &str) -> Result<(), Refusal> {
        let is_new = NEWER_SEND_FORBIDDEN.contains(&topic) && self.version.has_newer_system_topics();
        if SEND_FORBIDDEN_TOPICS.contains(&topic) || is_new {
            let remark = format!("Sending message to topic[{topic}] is forbidden.");
            return Err(Refusal::new(ResponseCode::NO_PERMISSION, remark));
        }
        Ok(())
    }

    /// # Errors
    /// The topic belongs to RocketMQ or to this broker, so that nobody may change or delete it.
    pub(crate) fn check_is_no_system_topic(&self, topic: &str) -> Result<(), Refusal> {
        let is_system = topic.starts_with(SYSTEM_TOPIC_PREFIX)
            || SYSTEM_TOPICS.contains(&topic)
            || NEWER_SEND_FORBIDDEN.contains(&topic) && self.version.has_newer_system_topics()
            || self.own_topics.iter().any(|own| own == topic);
        if is_system {
            let remark = format!("The topic[{topic}] is conflict with system topic.");
            return Err(Refusal::new(self.version.invalid_parameter(), remark));
        }
        Ok(())
    }
}

/// Java's `TopicConfig.toString`, which is part of a remark.
pub(crate) fn describe(config: &TopicConfig, version: EmulatedVersion) -> String {
    let bit = |bit, letter| if config.perm & bit != 0 { letter } else { '-' };
    let attributes = if version.knows_topic_attributes() {
        let pairs: Vec<_> = config.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!(", attributes={{{}}}", pairs.join(", "))
    } else {
        String::new()
    };
    format!(
        "TopicConfig [topicName={}, readQueueNums={}, writeQueueNums={}, perm={}{}{}, topicFilterType={}, \
         topicSysFlag={}, order={}{attributes}]",
        config.topic_name,
        config.read_queue_nums,
        config.write_queue_nums,
        bit(perm::READ, 'R'),
        bit(perm::WRITE, 'W'),
        bit(perm::INHERIT, 'X'),
        config.topic_filter_type,
        config.topic_sys_flag,
        config.order,
    )
}

/// The constructor of `TopicConfigManager`. The trace topic is there although Apache makes it only on demand
/// (`traceTopicEnable`): a client that traces would log an error for every message.
fn start_topics(identity: &Identity, auto_create: bool) -> Vec<TopicConfig> {
    const INHERITED: i32 = perm::READ | perm::WRITE | perm::INHERIT;
    const NORMAL: i32 = perm::READ | perm::WRITE;
    let (cluster, broker) = (&identity.cluster, &identity.broker);
    let mut topics = vec![
        ("SELF_TEST_TOPIC".to_owned(), 1, NORMAL),
        ("BenchmarkTest".to_owned(), 1024, NORMAL),
        (cluster.clone(), 16, INHERITED),
        (broker.clone(), 1, INHERITED),
        ("OFFSET_MOVED_EVENT".to_owned(), 1, NORMAL),
        ("SCHEDULE_TOPIC_XXXX".to_owned(), 18, NORMAL),
        ("RMQ_SYS_TRACE_TOPIC".to_owned(), 1, NORMAL),
        (format!("{cluster}_REPLY_TOPIC"), 1, NORMAL),
        ("RMQ_SYS_TRANS_HALF_TOPIC".to_owned(), 1, NORMAL),
    ];
    if auto_create {
        topics.push((AUTO_CREATE_TOPIC.to_owned(), 8, INHERITED));
    }
    if identity.version.has_newer_system_topics() {
        topics.extend([
            ("RMQ_SYS_TRANS_OP_HALF_TOPIC".to_owned(), 1, NORMAL),
            ("RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC".to_owned(), 1, NORMAL),
            ("RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC".to_owned(), 1, NORMAL),
            (format!("rmq_sys_REVIVE_LOG_{cluster}"), 8, NORMAL),
            (format!("rmq_sys_SYNC_BROKER_MEMBER_{broker}"), 1, perm::INHERIT),
            ("rmq_sys_wheel_timer".to_owned(), 1, NORMAL),
        ]);
    }
    let config = |(name, queues, perm): (String, i32, i32)| TopicConfig {
        read_queue_nums: queues,
        write_queue_nums: queues,
        perm,
        ..named(&name)
    };
    topics.into_iter().map(config).collect()
}

fn named(topic: &str) -> TopicConfig {
    TopicConfig { topic_name: topic.to_owned(), ..TopicConfig::default() }
}

const fn is_allowed(character: char) -> bool {
    matches!(character, '%' | '|' | '-' | '_' | '0'..='9' | 'A'..='Z' | 'a'..='z')
}

/// What 5.5.0 has in `TopicValidator.NOT_ALLOWED_SEND_TOPIC_SET` besides.
const NEWER_SEND_FORBIDDEN: [&str; 2] =
    ["RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC", "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC"];
