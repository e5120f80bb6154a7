//! Which requests a fault is for.

use std::net::SocketAddr;

use maxq_protocol::{RemotingCommand, RequestCode};
use serde::{Deserialize, Serialize};

use super::{Effect, Fault};
use crate::{ServerName, serve::Peer};

/// What a fault watches for. As JSON: the name in kebab-case, or `{"code": 310}`.
///
/// ```
/// use maxq_emulator::{Effect, Fault, On};
///
/// let no_heartbeats = Fault::on(On::Heartbeat).then(Effect::DropRequest);
/// let no_queries = Fault::on(On::Code(12)).then(Effect::not_supported(12));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum On {
    /// Every request.
    #[default]
    AnyRequest,
    /// A connection that opens.
    Connect,
    /// A send: codes 10, 310, 320.
    Send,
    /// A pull: codes 11, 361.
    Pull,
    /// A heartbeat: code 34.
    Heartbeat,
    /// A question for a route: code 105.
    Route,
    /// The request with this code.
    Code(i32),
}

/// A request, or a connection that opens, as closures see it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use maxq_emulator::Cluster;
/// use maxq_emulator::Effect;
///
/// let cluster = Cluster::start(2).await?;
/// // Every second queue is refused.
/// cluster.intercept(|request| match request.queue_id() {
///     Some(queue_id) if queue_id % 2 == 1 => Some(Effect::refuse(14, "not today")),
///     _ => None,
/// });
/// # Ok(())
/// # }
/// ```
pub struct RequestView<'a> {
    pub(crate) site: &'a Site,
    pub(crate) peer: &'a Peer,
    /// Nothing yet on a connection that opens.
    pub(crate) request: Option<&'a RemotingCommand>,
    /// Connections that the server has besides this one.
    pub(crate) connections: usize,
    pub(crate) client_id: &'a dyn Fn() -> Option<String>,
}

/// Which server something happens at.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) server: ServerName,
    /// Among the brokers, or among the name servers.
    pub(crate) index: usize,
    /// The broker's name; empty for a name server.
    pub(crate) name: String,
}

impl RequestView<'_> {
    /// Who is asked.
    pub fn server(&self) -> ServerName {
        self.site.server
    }

    /// The index of the server among the brokers, or among the name servers.
    pub fn server_index(&self) -> usize {
        self.site.index
    }

    /// What is asked for; nothing yet when a connection opens.
    pub fn code(&self) -> Option<RequestCode> {
        self.request.map(RemotingCommand::request_code)
    }

    /// The whole request; none yet when a connection opens.
    pub fn request(&self) -> Option<&RemotingCommand> {
        self.request
    }

    /// The topic that it is about.
    pub fn topic(&self) -> Option<&str> {
        topic(self.request?)
    }

    /// The queue that it is about.
    pub fn queue_id(&self) -> Option<i32> {
        queue_id(self.request?)
    }

    /// The client's id, which brokers know from its heartbeats.
    pub fn client_id(&self) -> Option<String> {
        (self.client_id)()
    }

    /// The number of the connection, which no other one of this server has.
    pub fn connection(&self) -> u64 {
        self.peer.connection
    }

    /// Where the connection comes from.
    pub fn peer(&self) -> SocketAddr {
        self.peer.address
    }
}

impl On {
    fn matches(self, code: Option<RequestCode>) -> bool {
        match (self, code) {
            (Self::Connect, None) | (Self::AnyRequest, Some(_)) => true,
            (Self::Send, Some(code)) => is_send(code),
            (Self::Pull, Some(code)) => {
                matches!(code, RequestCode::PULL_MESSAGE | RequestCode::LITE_PULL_MESSAGE)
            }
            (Self::Heartbeat, Some(code)) => code == RequestCode::HEART_BEAT,
            (Self::Route, Some(code)) => code == RequestCode::GET_ROUTEINFO_BY_TOPIC,
            (Self::Code(wanted), Some(code)) => code.0 == wanted,
            _ => false,
        }
    }
}

impl Fault {
    /// Whether it is for this request, whatever it has done before.
    pub(super) fn is_for(&self, view: &RequestView<'_>) -> bool {
        let is_broker = matches!(view.site.server, ServerName::Broker(_));
        self.on.matches(view.code())
            && self.broker.as_ref().is_none_or(|name| is_broker && *name == view.site.name)
            && self.name_server.is_none_or(|index| !is_broker && index == view.site.index)
            && self.topic.as_deref().is_none_or(|topic| view.topic() == Some(topic))
            && self.queue_id.is_none_or(|queue_id| view.queue_id() == Some(queue_id))
            && self
                .version_above
                .is_none_or(|version| view.request.is_some_and(|request| request.version.0 > version))
            && self.client_id.as_ref().is_none_or(|id| view.client_id().as_ref() == Some(id))
            && match self.then {
                Effect::ConnectionLimit { connections } => view.connections >= connections,
                _ => true,
            }
    }
}

/// The topic of a request. Sends of the second form have it under `b`.
pub(crate) fn topic(request: &RemotingCommand) -> Option<&str> {
    request.ext.get(if has_short_names(request) { "b" } else { "topic" })
}

/// The queue of a request.
pub(crate) fn queue_id(request: &RemotingCommand) -> Option<i32> {
    request.ext.get(if has_short_names(request) { "e" } else { "queueId" })?.parse().ok()
}

fn has_short_names(request: &RemotingCommand) -> bool {
    matches!(request.request_code(), RequestCode::SEND_MESSAGE_V2 | RequestCode::SEND_BATCH_MESSAGE)
}

fn is_send(code: RequestCode) -> bool {
    matches!(code, RequestCode::SEND_MESSAGE | RequestCode::SEND_MESSAGE_V2 | RequestCode::SEND_BATCH_MESSAGE)
}
