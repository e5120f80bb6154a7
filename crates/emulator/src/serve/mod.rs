//! Serving: connections in, requests to a service, answers out.
//!
//! One task accepts, one task per connection owns its stream, its buffers and the requests that it holds. All tasks of a
//! server pass through its gate, so that it can be frozen, and end with it.

mod conversation;
mod outbox;
mod server;

use std::{future::Future, net::SocketAddr, pin::Pin, sync::Arc};

use maxq_protocol::RemotingCommand;
use tokio_util::sync::CancellationToken;

pub(crate) use self::{conversation::converse, server::Server};
use crate::{fault::Site, surroundings::Surroundings};

/// Who answers: a name server or a broker.
pub(crate) trait Service: Send + Sync + 'static {
    /// Carries out one request. It does not wait: what has to wait is a [`Reaction::Later`].
    fn handle(self: &Arc<Self>, peer: &Peer, request: RemotingCommand, carrying: Carrying) -> Reaction;

    /// A connection has ended.
    fn closed(&self, peer: &Peer);

    /// Which server it is.
    fn site(&self) -> &Site;

    /// What it shares with all servers of its cluster.
    fn surroundings(&self) -> &Surroundings;

    /// Fills in what every answer to `request` has in common.
    fn seal(&self, answer: RemotingCommand, request: &RemotingCommand) -> RemotingCommand;

    /// The id of the client behind a connection, if it has told one.
    fn client_id(&self, peer: &Peer, request: Option<&RemotingCommand>) -> Option<String>;
}

/// How a request is carried out. Default: as it should be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carrying {
    /// A send is answered, and nothing is stored.
    pub(crate) pretends: bool,
    /// How wrong the clock is.
    pub(crate) skew_millis: i64,
}

/// What becomes of a request. One-way requests get no answer whatever this says.
pub(crate) enum Reaction {
    /// The answer.
    Answer(RemotingCommand),
    /// The answer comes later, out of order.
    Later(Pin<Box<dyn Future<Output = RemotingCommand> + Send>>),
    /// No answer.
    Silence,
}

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// Tells connections apart, of which some may have had the same address.
    pub(crate) connection: u64,
    /// Its address.
    pub(crate) address: SocketAddr,
    /// Cancelled to close the connection.
    pub(crate) closing: CancellationToken,
}
