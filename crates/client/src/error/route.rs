//! Why there is no route to write to. "No route info" is never all that is said.

use std::{fmt, sync::Arc};

use maxq_policy::NoQueues;
use maxq_protocol::{DecodeError, ResponseCode};

use super::{ErrorCode, blame, first_line};
use crate::remoting::CallError;

/// Why a topic has no queues, with the evidence.
#[derive(Clone, Debug)]
pub(crate) enum RouteError {
    /// No name server answered.
    NameServers(Vec<(Arc<str>, CallError)>),
    /// A name server says that there is no such topic.
    TopicNotFound { name_server: Arc<str>, default_topic: DefaultTopic },
    /// The route offers nothing.
    NoQueues { name_server: Arc<str>, why: NoQueues },
    /// A name server answered with another code.
    Refused { name_server: Arc<str>, code: ResponseCode, remark: String },
    /// The answer is no route.
    Malformed { name_server: Arc<str>, why: DecodeError },
    /// The deadline came first.
    TimedOut {
        /// The configured name servers.
        name_servers: Arc<str>,
    },
    /// The client is closed.
    Closed,
}

/// Whether the topic could have been created automatically.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DefaultTopic {
    /// This producer does not want it.
    NotWanted,
    /// No broker offers it.
    NotOffered,
}

impl RouteError {
    pub(crate) fn code(&self) -> ErrorCode {
        match self {
            // A wrong port is worth more than a server that is down; a closed client asked nobody.
            Self::NameServers(tried) => tried
                .iter()
                .map(|(_, error)| error.code())
                .find(|code| matches!(*code, ErrorCode::HTTP_PORT | ErrorCode::PROTOCOL | ErrorCode::CLOSED))
                .unwrap_or(ErrorCode::NAME_SERVER_UNREACHABLE),
            Self::TopicNotFound { .. } => ErrorCode::TOPIC_NOT_FOUND,
            Self::NoQueues { why, .. } => match why {
                NoQueues::NotWritable { .. } => ErrorCode::NOT_WRITABLE,
                NoQueues::NoMaster => ErrorCode::NO_MASTER,
                _ => ErrorCode::ROUTE_UNUSABLE,
            },
            Self::Refused { code, remark, .. } => match blame::of_answer(*code, remark) {
                ErrorCode::ACCESS => ErrorCode::ACCESS,
                _ => ErrorCode::ROUTE_REFUSED,
            },
            Self::Malformed { .. } => ErrorCode::ROUTE_UNUSABLE,
            Self::TimedOut { .. } => ErrorCode::NAME_SERVER_UNREACHABLE,
            Self::Closed => ErrorCode::CLOSED,
        }
    }
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameServers(tried) => {
                f.write_str("no name server answered (")?;
                for (n, (address, error)) in tried.iter().enumerate() {
                    let comma = if n == 0 { "" } else { ", " };
                    write!(f, "{comma}{address}: {}", error.cause)?;
                }
                f.write_str(")")
            }
            Self::TopicNotFound { name_server, default_topic } => {
                write!(f, "name server {name_server} does not know the topic, and ")?;
                f.write_str(match default_topic {
                    DefaultTopic::NotWanted => "this producer does not create topics (auto_create is off)",
                    DefaultTopic::NotOffered => "no broker creates topics (there is no TBW102)",
                })
            }
            Self::NoQueues { name_server, why } => {
                write!(f, "the route that name server {name_server} gives: {why}")
            }
            Self::Refused { name_server, code, remark } => {
                write!(f, "name server {name_server} answered {code}")?;
                if remark.is_empty() { Ok(()) } else { write!(f, ": {}", first_line(remark)) }
            }
            Self::Malformed { name_server, why } => {
                write!(f, "the route of name server {name_server}: {why}")
            }
            Self::TimedOut { name_servers } => {
                write!(f, "no route came from {name_servers} before the deadline")
            }
            Self::Closed => f.write_str("the client is closed"),
        }
    }
}
