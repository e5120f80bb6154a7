//! Topic and group names, checked once and then carried as proof.
//!
//! Apache's `Validators` (client) and `TopicValidator` (broker) allow the same characters; the lengths differ. A
//! name made here passes both.

use std::{borrow::Borrow, fmt, ops::Deref, str::FromStr, sync::Arc};

/// The topic whose settings an automatically created topic takes (Apache's `AUTO_CREATE_TOPIC_KEY_TOPIC`).
pub const AUTO_CREATE_TOPIC: &str = "TBW102";
/// Starts the name of a group's retry topic.
pub const RETRY_PREFIX: &str = "%RETRY%";
/// Starts the name of a group's dead-letter topic.
pub const DLQ_PREFIX: &str = "%DLQ%";
/// Starts the name of a topic that brokers keep for themselves.
pub const SYSTEM_TOPIC_PREFIX: &str = "rmq_sys_";

/// RocketMQ's own topics (`TopicValidator.SYSTEM_TOPIC_SET`); so is each that begins with [`SYSTEM_TOPIC_PREFIX`].
pub const SYSTEM_TOPICS: [&str; 10] = [
    AUTO_CREATE_TOPIC,
    "SCHEDULE_TOPIC_XXXX",
    "BenchmarkTest",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRACE_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
    "CHECKPOINT_TOPIC",
];

/// Those that take no messages from clients (`TopicValidator.NOT_ALLOWED_SEND_TOPIC_SET`).
pub const SEND_FORBIDDEN_TOPICS: [&str; 6] = [
    "SCHEDULE_TOPIC_XXXX",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
];

/// Starts the name of a group that brokers and tools keep for themselves.
pub const SYSTEM_GROUP_PREFIX: &str = "CID_RMQ_SYS_";
/// The producer group of Java programs that name none; a producer must not start with it.
pub const DEFAULT_PRODUCER_GROUP: &str = "DEFAULT_PRODUCER";
/// The longest topic in bytes.
pub const MAX_TOPIC_LENGTH: usize = 127;
/// The longest group in bytes.
pub const MAX_GROUP_LENGTH: usize = 120;
/// The longest retry or dead-letter topic in bytes.
pub const MAX_INTERNAL_TOPIC_LENGTH: usize = 255;

/// A valid topic name: 1 to 127 of the characters `%`, `|`, `-`, `_`, digits and ASCII letters.
///
/// Cloning it counts a reference.
///
/// ```
/// use maxq_protocol::Topic;
///
/// assert!(Topic::new("orders").is_ok());
/// let error = Topic::new("orders/eu").unwrap_err();
/// assert_eq!(error.to_string(), "topic \"orders/eu\" has '/' at character 7; allowed are letters, digits, %, |, - and _");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(Arc<str>);

impl Topic {
    /// Checks a topic name.
    ///
    /// # Errors
    /// The name is empty, too long, or has a character that is not allowed.
    pub fn new(name: impl Into<Arc<str>> + AsRef<str>) -> Result<Self, NameError> {
        check(name.as_ref(), NameKind::Topic, MAX_TOPIC_LENGTH)?;
        Ok(Self(name.into()))
    }

    /// Checks a name that may be a retry or dead-letter topic; those may have 255 characters.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn internal(name: impl Into<Arc<str>> + AsRef<str>) -> Result<Self, NameError> {
        let text = name.as_ref();
        let is_internal = text.starts_with(RETRY_PREFIX) || text.starts_with(DLQ_PREFIX);
        check(text, NameKind::Topic, if is_internal { MAX_INTERNAL_TOPIC_LENGTH } else { MAX_TOPIC_LENGTH })?;
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, shared instead of copied.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }

    /// Whether RocketMQ keeps this topic for itself, so that nobody may create it (`TopicValidator.isSystemTopic`).
    pub fn is_system(&self) -> bool {
        SYSTEM_TOPICS.contains(&self.as_str()) || self.starts_with(SYSTEM_TOPIC_PREFIX)
    }

    /// Whether clients may not send to it (`TopicValidator.isNotAllowedSendTopic`).
    pub fn is_send_forbidden(&self) -> bool {
        SEND_FORBIDDEN_TOPICS.contains(&self.as_str())
    }

    /// Whether it is the retry topic of a group.
    pub fn is_retry(&self) -> bool {
        self.starts_with(RETRY_PREFIX)
    }

    /// Whether it is the dead-letter topic of a group.
    pub fn is_dead_letter(&self) -> bool {
        self.starts_with(DLQ_PREFIX)
    }
}

/// A valid group name: 1 to 120 of the characters `%`, `|`, `-`, `_`, digits and ASCII letters.
///
/// Cloning it counts a reference.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group(Arc<str>);

impl Group {
    /// Checks a group name. `DEFAULT_PRODUCER` passes: only a producer's start refuses it.
    ///
    /// # Errors
    /// The name is empty, too long, or has a character that is not allowed.
    pub fn new(name: impl Into<Arc<str>> + AsRef<str>) -> Result<Self, NameError> {
        check(name.as_ref(), NameKind::Group, MAX_GROUP_LENGTH)?;
        Ok(Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether brokers and tools keep this group for themselves.
    pub fn is_system(&self) -> bool {
        self.starts_with(SYSTEM_GROUP_PREFIX)
    }

    /// Where messages of this group wait for another try.
    pub fn retry_topic(&self) -> Topic {
        Topic(format!("{RETRY_PREFIX}{self}").into())
    }

    /// Where messages of this group end that were tried too often.
    pub fn dead_letter_topic(&self) -> Topic {
        Topic(format!("{DLQ_PREFIX}{self}").into())
    }
}

macro_rules! is_text {
    ($($name:ident)+) => {$(
        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    )+};
}

is_text!(Topic Group);

/// A name that RocketMQ does not accept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NameError {
    /// What was to be named.
    pub kind: NameKind,
    /// The name as it was given.
    pub name: String,
    /// The rule that it breaks.
    pub rule: NameRule,
}

/// What was to be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameKind {
    /// A topic.
    Topic,
    /// A producer or consumer group.
    Group,
}

/// The rule that a name breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameRule {
    /// A name has at least one character.
    Empty,
    /// A name is not longer than the limit.
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// A name has only letters, digits, `%`, `|`, `-` and `_`.
    Character {
        /// The first character that is not allowed.
        character: char,
        /// Its place, counted in characters from 1.
        place: usize,
    },
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            NameKind::Topic => "topic",
            NameKind::Group => "group",
        };
        let shown: String = self.name.chars().take(SHOWN_CHARACTERS).collect();
        let more = if shown.len() < self.name.len() { ".." } else { "" };
        match self.rule {
            NameRule::Empty => write!(f, "{kind} is empty"),
            NameRule::TooLong { length, limit } => {
                write!(f, "{kind} {shown:?}{more} has {length} characters; at most {limit} are allowed")
            }
            NameRule::Character { character, place } => write!(
                f,
                "{kind} {shown:?}{more} has {character:?} at character {place}; \
                 allowed are letters, digits, %, |, - and _"
            ),
        }
    }
}

/// Characters first: a name that passes them is ASCII, so that its bytes are its characters.
fn check(name: &str, kind: NameKind, limit: usize) -> Result<(), NameError> {
    let broken = if name.is_empty() {
        Some(NameRule::Empty)
    } else if let Some((at, character)) = name.chars().enumerate().find(|(_, c)| !is_allowed(*c)) {
        Some(NameRule::Character { character, place: at + 1 })
    } else if name.len() > limit {
        Some(NameRule::TooLong { length: name.len(), limit })
    } else {
        None
    };
    broken.map_or(Ok(()), |rule| Err(NameError { kind, name: name.to_owned(), rule }))
}

/// `^[%|a-zA-Z0-9_-]+$`; the bar is a character, not an "or" (`TopicValidator.VALID_CHAR_BIT_MAP`).
const fn is_allowed(character: char) -> bool {
    matches!(character, '%' | '|' | '-' | '_' | '0'..='9' | 'A'..='Z' | 'a'..='z')
}

/// How much of a refused name its error prints.
const SHOWN_CHARACTERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_rocketmq() {
        assert!(Topic::new("t".repeat(127)).is_ok());
        assert_eq!(
            Topic::new("t".repeat(128)).unwrap_err().rule,
            NameRule::TooLong { length: 128, limit: 127 }
        );
        assert!(Group::new("g".repeat(120)).is_ok());
        assert_eq!(
            Group::new("g".repeat(121)).unwrap_err().rule,
            NameRule::TooLong { length: 121, limit: 120 }
        );
    }

    #[test]
    fn only_retry_and_dead_letter_topics_may_have_255_characters() {
        let name = |prefix: &str, length: usize| format!("{prefix}{}", "g".repeat(length - prefix.len()));
        assert!(Topic::internal(name(RETRY_PREFIX, 255)).is_ok());
        assert!(Topic::internal(name(DLQ_PREFIX, 255)).is_ok());
        assert!(Topic::internal(name(RETRY_PREFIX, 256)).is_err());
        assert!(Topic::internal(name("", 128)).is_err());
        assert!(Topic::new(name(RETRY_PREFIX, 128)).is_err());
    }

    #[test]
    fn the_error_names_the_character_and_its_place() {
        let error = Topic::new("a.b").unwrap_err();
        assert_eq!(error.rule, NameRule::Character { character: '.', place: 2 });
        assert_eq!(Group::new("").unwrap_err().to_string(), "group is empty");
        let error = Group::new("gäste").unwrap_err();
        assert_eq!(
            error.to_string(),
            "group \"gäste\" has 'ä' at character 2; allowed are letters, digits, %, |, - and _"
        );
        let error = Topic::new("x".repeat(1000)).unwrap_err().to_string();
        assert!(error.len() < 150 && error.contains("has 1000 characters"), "{error}");
    }

    #[test]
    fn rocketmqs_own_topics_are_known() {
        let topic = |name: &str| Topic::new(name).unwrap();
        assert!(topic("TBW102").is_system() && !topic("TBW102").is_send_forbidden());
        assert!(topic("rmq_sys_wheel_timer").is_system());
        assert!(topic("SCHEDULE_TOPIC_XXXX").is_send_forbidden());
        assert!(!topic("orders").is_system() && !topic("orders").is_send_forbidden());
    }

    #[test]
    fn the_topics_of_the_longest_group_are_valid_topics() {
        let group = Group::new("g".repeat(MAX_GROUP_LENGTH)).unwrap();
        assert!(group.retry_topic().is_retry() && Topic::new(group.retry_topic().as_str()).is_ok());
        assert!(group.dead_letter_topic().is_dead_letter());
        assert!(Topic::new(group.dead_letter_topic().as_str()).is_ok());
    }
}
