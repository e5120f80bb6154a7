//! Which RocketMQ the emulator answers as, and everything that makes the two differ.
//!
//! Each method is one observed difference between running 4.9.7 and 5.5.0 servers. No other file asks which version it
//! is, so this one is the whole list.

use std::{fmt, str::FromStr};

use maxq_protocol::{HeaderEncoding, LanguageCode, RemotingCommand, ResponseCode, Version};

/// The RocketMQ version whose answers, remarks and quirks are given.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use maxq_emulator::Cluster;
/// use maxq_emulator::EmulatedVersion;
///
/// let cluster = Cluster::builder().emulate("4.9.7").start().await?;
/// assert_eq!(cluster.version(), EmulatedVersion::V4_9_7);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EmulatedVersion {
    /// Apache RocketMQ 4.9.7.
    V4_9_7,
    /// Apache RocketMQ 5.5.0.
    #[default]
    V5_5_0,
}

impl EmulatedVersion {
    /// All versions, oldest first.
    pub const ALL: [Self; 2] = [Self::V4_9_7, Self::V5_5_0];

    /// The version as people write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4_9_7 => "4.9.7",
            Self::V5_5_0 => "5.5.0",
        }
    }

    /// The version as brokers describe themselves (key `brokerVersionDesc`).
    pub(crate) const fn description(self) -> &'static str {
        match self {
            Self::V4_9_7 => "V4_9_7",
            Self::V5_5_0 => "V5_5_0",
        }
    }

    /// The number in the version field of every answer; clients keep it as the broker's version.
    pub(crate) const fn wire(self) -> Version {
        match self {
            Self::V4_9_7 => Version::V4_9_7,
            Self::V5_5_0 => Version::V5_5_0,
        }
    }

    /// Fills in what every answer to `request` has in common.
    ///
    /// 4.9.7 answers in the header encoding of the request, 5.5.0 always in JSON.
    pub(crate) fn seal(self, mut answer: RemotingCommand, request: &RemotingCommand) -> RemotingCommand {
        answer.opaque = request.opaque;
        answer.language = LanguageCode::JAVA;
        answer.version = self.wire();
        answer.encoding = match self {
            Self::V4_9_7 => request.encoding,
            Self::V5_5_0 => HeaderEncoding::Json,
        };
        answer
    }

    /// The tail of the remarks that point to the documentation.
    pub(crate) const fn faq(self) -> &'static str {
        match self {
            Self::V4_9_7 => "\nSee http://rocketmq.apache.org/docs/faq/ for further details.",
            Self::V5_5_0 => "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.",
        }
    }

    /// The code for queue ids out of range, bad topic names and system topics.
    pub(crate) const fn invalid_parameter(self) -> ResponseCode {
        match self {
            Self::V4_9_7 => ResponseCode::SYSTEM_ERROR,
            Self::V5_5_0 => ResponseCode::INVALID_PARAMETER,
        }
    }

    /// Whether a name server answers an unknown request code at all.
    pub(crate) const fn name_server_answers_unknown_codes(self) -> bool {
        self.is_v5()
    }

    /// Whether routes and cluster info have the key `enableActingMaster`.
    pub(crate) const fn knows_acting_master(self) -> bool {
        self.is_v5()
    }

    /// Whether the refusal of a topic name repeats the name.
    pub(crate) const fn names_bad_topics(self) -> bool {
        self.is_v5()
    }

    /// Whether topics have attributes, in their text form and in UPDATE_AND_CREATE_TOPIC.
    pub(crate) const fn knows_topic_attributes(self) -> bool {
        self.is_v5()
    }

    /// Whether the system topics of 5.x are there.
    pub(crate) const fn has_newer_system_topics(self) -> bool {
        self.is_v5()
    }

    /// Whether retry and dead-letter topics may be longer than 127 characters.
    pub(crate) const fn allows_long_internal_topics(self) -> bool {
        self.is_v5()
    }

    /// Whether a broker adds `MSG_REGION`, `TRACE_ON` and a missing `UNIQ_KEY` to what it stores, and echoes the unique
    /// key as `transactionId`.
    pub(crate) const fn completes_properties(self) -> bool {
        self.is_v5()
    }

    /// Whether `WAIT` is stored; 4.9 drops it "to save 9 bytes for each message".
    pub(crate) const fn stores_wait(self) -> bool {
        self.is_v5()
    }

    /// Whether a message without a body is stored.
    pub(crate) const fn stores_empty_bodies(self) -> bool {
        !self.is_v5()
    }

    /// Whether every child of a batch gets all properties of the envelope behind its own, so that the envelope's
    /// `UNIQ_KEY`, `KEYS` and `TAGS` win.
    pub(crate) const fn batch_children_take_the_envelope(self) -> bool {
        !self.is_v5()
    }

    /// Whether the stored properties end with a separator.
    pub(crate) const fn ends_properties_with_a_separator(self) -> bool {
        self.is_v5()
    }

    /// Whether a send without a topic field is refused as one with a blank topic, or by an exception.
    pub(crate) const fn checks_missing_topics(self) -> bool {
        !self.is_v5()
    }

    /// Whether a batch above the largest message is refused as illegal, or with code 1 by an exception.
    pub(crate) const fn refuses_large_batches_as_illegal(self) -> bool {
        !self.is_v5()
    }

    /// Whether a batch may go to a retry topic.
    pub(crate) const fn stores_batches_in_retry_topics(self) -> bool {
        !self.is_v5()
    }

    /// Whether a message becomes a dead letter at its last allowed attempt already.
    pub(crate) const fn buries_at_the_last_attempt(self) -> bool {
        !self.is_v5()
    }

    /// Whether a dead letter carries `DELAY=-1`.
    pub(crate) const fn marks_dead_letters(self) -> bool {
        self.is_v5()
    }

    /// Whether timer properties mean something; 4.9 stores such a message as any other.
    pub(crate) const fn knows_timer_messages(self) -> bool {
        self.is_v5()
    }

    /// Whether the bit for an inner batch is looked at.
    pub(crate) const fn knows_inner_batches(self) -> bool {
        self.is_v5()
    }

    /// Whether a heartbeat's answer has `IS_SUPPORT_HEART_BEAT_V2` and `IS_SUB_CHANGE`.
    pub(crate) const fn knows_heartbeat_fingerprints(self) -> bool {
        self.is_v5()
    }

    /// Whether a group of more than 120 characters is made when a consumer of it shows up.
    pub(crate) const fn makes_long_groups(self) -> bool {
        !self.is_v5()
    }

    /// Whether a pull's answer has `topicSysFlag`, `groupSysFlag` and `forbiddenType`.
    pub(crate) const fn pull_answers_have_flags(self) -> bool {
        self.is_v5()
    }

    /// Whether a pull of a negative number of messages gives one message, or fails
    /// (`new GetMessageResult(maxMsgNums)`).
    pub(crate) const fn pulls_negative_numbers(self) -> bool {
        self.is_v5()
    }

    /// Whether the answer to GET_MIN_OFFSET has an empty remark instead of none.
    pub(crate) const fn min_offset_has_an_empty_remark(self) -> bool {
        self.is_v5()
    }

    /// Whether an offset query looks at `setZeroIfNotFound`.
    pub(crate) const fn knows_set_zero_if_not_found(self) -> bool {
        self.is_v5()
    }

    /// Whether a commit is checked: the group, the topic and the fields must exist.
    pub(crate) const fn checks_offset_commits(self) -> bool {
        self.is_v5()
    }

    /// Whether a search by time knows `boundaryType`; 4.9 gives the nearest message, and the last one for the future.
    pub(crate) const fn knows_boundary_types(self) -> bool {
        self.is_v5()
    }

    /// Whether GET_TOPIC_CONFIG (351) and LITE_PULL_MESSAGE (361) exist.
    pub(crate) const fn knows_newer_requests(self) -> bool {
        self.is_v5()
    }

    /// The package of the library that reads JSON; it shows in the remarks of its exceptions.
    pub(crate) const fn json_library(self) -> &'static str {
        match self {
            Self::V4_9_7 => "com.alibaba.fastjson",
            Self::V5_5_0 => "com.alibaba.fastjson2",
        }
    }

    /// Whether `CONSUME_POP` is a consume type; 4.9 takes it for none.
    pub(crate) const fn knows_popping(self) -> bool {
        self.is_v5()
    }

    /// Whether consume statistics have `pullOffset`, and topic statistics `topicPutTps`.
    pub(crate) const fn has_newer_statistics(self) -> bool {
        self.is_v5()
    }

    const fn is_v5(self) -> bool {
        matches!(self, Self::V5_5_0)
    }
}

impl fmt::Display for EmulatedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for EmulatedVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        Self::ALL
            .into_iter()
            .find(|version| version.name() == text)
            .ok_or_else(|| UnknownVersion(text.to_owned()))
    }
}

/// A version that is not emulated.
///
/// ```
/// use maxq_emulator::EmulatedVersion;
///
/// let error = "3.2.6".parse::<EmulatedVersion>().unwrap_err();
/// assert!(error.to_string().contains("is not emulated"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("RocketMQ {0:?} is not emulated; say \"4.9.7\" or \"5.5.0\"")]
pub struct UnknownVersion(pub String);
