//! One file per conversation: a handler takes a decoded request and gives its answer, or says why not.
//!
//! The order of the checks, the codes and the remarks are Apache's; each function names the Java method it follows.

pub(crate) mod admin;
mod attributes;
mod connection;
mod draft;
pub(crate) mod heartbeat;
pub(crate) mod offset;
pub(crate) mod pull;
pub(crate) mod query;
pub(crate) mod send;
pub(crate) mod statistics;
mod target;
pub(crate) mod topic;

use std::sync::MutexGuard;

use maxq_protocol::{DecodeError, RemotingCommand, ResponseCode, header::Header};

pub(crate) use self::draft::DISK_FULL;
use crate::{
    broker::{Broker, BrokerState},
    serve::Peer,
    version::EmulatedVersion,
};

/// A request, and who asks whom.
pub(crate) struct Exchange<'a> {
    pub(crate) broker: &'a Broker,
    pub(crate) peer: &'a Peer,
    pub(crate) request: &'a RemotingCommand,
    /// When the request came, in milliseconds since 1970.
    pub(crate) now: i64,
    /// Whether a send is only answered.
    pub(crate) pretends: bool,
}

impl<'a> Exchange<'a> {
    fn header<H: Header>(&self) -> Result<H, DecodeError> {
        self.request.header()
    }

    fn state(&self) -> MutexGuard<'a, BrokerState> {
        self.broker.state()
    }

    fn version(&self) -> EmulatedVersion {
        self.broker.identity.version
    }

    /// A field without a type; absent when it is empty in the binary header.
    fn field(&self, key: &str) -> Option<&str> {
        self.request.ext.get(key)
    }
}

/// An answer without fields and body. Its opaque, version and encoding are filled in when it leaves.
fn success() -> RemotingCommand {
    RemotingCommand::response(ResponseCode::SUCCESS, 0)
}
