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

use maxq_protocol::{
    DecodeError, DecodeErrorKind, RemotingCommand, RequestCode, ResponseCode, header::Header,
};

pub(crate) use self::draft::DISK_FULL;
use crate::{
    broker::{Broker, BrokerState},
    refusal::Refusal,
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
    /// The typed header, read as Java does.
    fn header<H: Header>(&self) -> Result<H, DecodeError> {
        read_header(self.request)
    }

    /// A text that Java does not check: where it is missing, some of its tables fail.
    fn text(&self, key: &str) -> Result<&str, Refusal> {
        let missing =
            || Refusal::exception(format!("java.lang.NullPointerException: header field {key} is missing"));
        self.field(key).ok_or_else(missing)
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

/// Reads a header as Java does. Most are read by reflection, where a value that does not parse is logged and left out
/// (`RemotingCommand.decodeCommandCustomHeaderDirectly`); sends with one-letter names and pulls have decoders of their
/// own, which fail.
fn read_header<H: Header>(request: &RemotingCommand) -> Result<H, DecodeError> {
    let read = request.header();
    let has_own_decoder = matches!(
        request.request_code(),
        RequestCode::SEND_MESSAGE_V2
            | RequestCode::SEND_BATCH_MESSAGE
            | RequestCode::PULL_MESSAGE
            | RequestCode::LITE_PULL_MESSAGE
    );
    match &read {
        Err(DecodeError { kind: DecodeErrorKind::Malformed(_), context }) if !has_own_decoder => {
            let mut request = RemotingCommand { body: Default::default(), ..request.clone() };
            // One field less each time, so this ends.
            if request.ext.remove(context) { read_header(&request) } else { read }
        }
        _ => read,
    }
}

/// The same request with texts that are missing set to `null`: Java builds table keys with `+`.
fn with_null(request: &RemotingCommand, keys: &[&str]) -> RemotingCommand {
    let mut request = RemotingCommand { body: Default::default(), ..request.clone() };
    for key in keys {
        if request.ext.get(key).is_none() {
            request.ext.set(key, "null");
        }
    }
    request
}

/// An answer without fields and body. Its opaque, version and encoding are filled in when it leaves.
fn success() -> RemotingCommand {
    RemotingCommand::response(ResponseCode::SUCCESS, 0)
}
