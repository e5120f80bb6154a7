//! Errors of everything that is not a send.

use std::{borrow::Cow, fmt, sync::Arc};

use maxq_protocol::{DecodeError, RemotingCommand, ResponseCode};

use super::{ErrorCode, RouteError, blame};
use crate::{
    client::Shared,
    remoting::{CallError, Phase},
};

/// A configuration that cannot work. Nothing was done.
///
/// ```
/// use maxq::{ClientConfig, ErrorCode};
///
/// let error = ClientConfig::from_url("rocketmq://ns-1/?gruop=orders").unwrap_err();
/// assert_eq!(error.code(), ErrorCode::CONFIG);
/// assert!(error.to_string().contains("\"gruop\" is no key"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError(String);

impl ConfigError {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }

    /// The stable code.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::CONFIG
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {} [{}]", self.0, self.code().advice(), self.code())
    }
}

impl fmt::Debug for ConfigError {
    /// As it is displayed, for that is what a `main` that returns it prints; `{:#?}` shows the fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            f.debug_tuple("ConfigError").field(&self.0).finish()
        } else {
            fmt::Display::fmt(self, f)
        }
    }
}

impl std::error::Error for ConfigError {}

/// A client that could not be connected. Nothing is left behind; trying again is fine.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use maxq::{ErrorCode, Producer};
///
/// // Nobody listens on port 1.
/// let error = Producer::connect("rocketmq://127.0.0.1:1/?group=orders").await.unwrap_err();
/// assert_eq!(error.code(), ErrorCode::NAME_SERVER_UNREACHABLE);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ConnectError(Box<Connecting>);

#[derive(Clone, Debug)]
enum Connecting {
    Config(ConfigError),
    Route(RouteError),
}

impl ConnectError {
    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        match &*self.0 {
            Connecting::Config(error) => error.code(),
            Connecting::Route(error) => error.code(),
        }
    }
}

impl From<ConfigError> for ConnectError {
    fn from(error: ConfigError) -> Self {
        Self(Box::new(Connecting::Config(error)))
    }
}

impl From<RouteError> for ConnectError {
    fn from(error: RouteError) -> Self {
        Self(Box::new(Connecting::Route(error)))
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Connecting::Config(error) => error.fmt(f),
            Connecting::Route(error) => write!(f, "{error}; {} [{}]", error.code().advice(), error.code()),
        }
    }
}

impl fmt::Debug for ConnectError {
    /// As it is displayed, for that is what a `main` that returns it prints; `{:#?}` shows the fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { self.0.fmt(f) } else { fmt::Display::fmt(self, f) }
    }
}

impl std::error::Error for ConnectError {}

/// A request to a name server or broker that failed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// use maxq::ErrorCode;
///
/// let error = client.admin().route("no-such-topic").await.unwrap_err();
/// assert_eq!(error.code(), ErrorCode::TOPIC_NOT_FOUND);
/// println!("{error}: the server answered {:?}", error.response_code());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RequestError(Box<Failed>);

#[derive(Clone, Debug)]
struct Failed {
    kind: RequestErrorKind,
    code: ErrorCode,
    address: Option<Arc<str>>,
    response: Option<(ResponseCode, String)>,
    what: String,
}

/// What kind of failure a [`RequestError`] is.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// use maxq::RequestErrorKind;
///
/// match client.admin().route("no-such-topic").await {
///     Err(error) if error.kind() == RequestErrorKind::NoRoute => println!("make it first"),
///     route => println!("{:?}", route?.queues),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestErrorKind {
    /// An argument breaks a rule; nothing was asked.
    Invalid,
    /// There is no route to whom to ask.
    NoRoute,
    /// No connection.
    Connect,
    /// No answer before the deadline.
    Timeout,
    /// The connection was lost before the answer came.
    Lost,
    /// The server answered with another code than SUCCESS.
    Refused,
    /// Access control refuses.
    Access,
    /// The answer could not be understood.
    Answer,
    /// Too many requests wait for the connection; this one was not sent.
    Overloaded,
    /// The client is closed.
    Closed,
}

impl RequestErrorKind {
    const fn of(code: ErrorCode) -> Self {
        match code {
            ErrorCode::ACCESS => Self::Access,
            ErrorCode::CLOSED => Self::Closed,
            ErrorCode::CONNECTION_FULL => Self::Overloaded,
            ErrorCode::CONNECT | ErrorCode::ADVERTISED_ADDRESS => Self::Connect,
            ErrorCode::TIMEOUT | ErrorCode::DEADLINE => Self::Timeout,
            ErrorCode::LOST | ErrorCode::LEAVING => Self::Lost,
            ErrorCode::PROTOCOL | ErrorCode::HTTP_PORT | ErrorCode::ANSWER => Self::Answer,
            ErrorCode::TOPIC_NOT_FOUND => Self::NoRoute,
            _ => Self::Refused,
        }
    }
}

impl RequestError {
    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::new(RequestErrorKind::Invalid, ErrorCode::INVALID, None, what.into())
    }

    /// A call to `address`, as a route gives it, that got no answer.
    pub(crate) fn call(client: &Shared, address: &Arc<str>, error: &CallError) -> Self {
        let (code, cause) = (client.blame(address, error), &error.cause);
        let target = client.remoting.target(address);
        let mapped = if target == *address { String::new() } else { format!(" (mapped to {target})") };
        let what = match (code, error.phase) {
            (ErrorCode::ADVERTISED_ADDRESS, _) => {
                format!("the address that the name server gave{mapped} cannot be reached from here: {cause}")
            }
            (ErrorCode::CONNECT, _) => format!("no connection could be opened{mapped}: {cause}"),
            (_, Phase::Answer) => cause.to_string(),
            (_, Phase::Connect | Phase::Write) => format!("the request was not sent: {cause}"),
        };
        Self::new(RequestErrorKind::of(code), code, Some(address.clone()), what)
    }

    /// The answer of `address` when its code is not the wanted one.
    pub(crate) fn refused(address: &Arc<str>, answer: &RemotingCommand) -> Self {
        let code = answer.response_code();
        let remark = answer.remark.clone().unwrap_or_default();
        let stable = blame::of_answer(code, &remark);
        let mut what = format!("it answered {code}");
        if !remark.is_empty() {
            what = format!("{what}: {}", first_line(&remark));
        }
        let mut error = Self::new(RequestErrorKind::of(stable), stable, Some(address.clone()), what);
        error.0.response = Some((code, remark));
        error
    }

    /// As [`refused`](Self::refused), by a name server.
    pub(crate) fn refused_by_name_server(address: &Arc<str>, answer: &RemotingCommand) -> Self {
        let mut error = Self::refused(address, answer);
        if error.0.code == ErrorCode::REFUSED {
            error.0.code = ErrorCode::ROUTE_REFUSED;
        }
        error
    }

    /// The route leads to nobody who could be asked.
    pub(crate) fn no_route(code: ErrorCode, what: impl Into<String>) -> Self {
        Self::new(RequestErrorKind::NoRoute, code, None, what.into())
    }

    pub(crate) fn answer(address: &Arc<str>, error: &DecodeError) -> Self {
        let what = format!("its answer could not be understood: {error}");
        Self::new(RequestErrorKind::Answer, ErrorCode::ANSWER, Some(address.clone()), what)
    }

    /// A stored message that `address` gave and that cannot be read.
    pub(crate) fn damaged(address: &Arc<str>, what: impl Into<String>) -> Self {
        Self::new(RequestErrorKind::Answer, ErrorCode::ANSWER, Some(address.clone()), what.into())
    }

    /// Every server answered, but what they say has not become what it should in time.
    pub(crate) fn late(what: impl Into<String>) -> Self {
        Self::new(RequestErrorKind::Timeout, ErrorCode::TIMEOUT, None, what.into())
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> RequestErrorKind {
        self.0.kind
    }

    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// `host:port` of the server that was asked.
    pub fn address(&self) -> Option<&str> {
        self.0.address.as_deref()
    }

    /// The code that the server answered with (Apache's `ResponseCode`).
    pub fn response_code(&self) -> Option<i32> {
        self.0.response.as_ref().map(|(code, _)| code.0)
    }

    /// The text that the server answered with.
    pub fn remark(&self) -> Option<&str> {
        self.0.response.as_ref().map(|(_, remark)| remark.as_str())
    }

    fn new(kind: RequestErrorKind, code: ErrorCode, address: Option<Arc<str>>, what: String) -> Self {
        Self(Box::new(Failed { kind, code, address, response: None, what }))
    }
}

impl From<RouteError> for RequestError {
    fn from(error: RouteError) -> Self {
        let code = error.code();
        let kind = match RequestErrorKind::of(code) {
            kind @ (RequestErrorKind::Closed | RequestErrorKind::Access) => kind,
            _ => RequestErrorKind::NoRoute,
        };
        let mut failed = Self::new(kind, code, None, error.to_string());
        if let RouteError::Refused { code, remark, .. } = error {
            failed.0.response = Some((code, remark));
        }
        failed
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = &self.0.address {
            write!(f, "{address}: ")?;
        }
        write!(f, "{}; {} [{}]", self.0.what, self.0.code.advice(), self.0.code)
    }
}

impl fmt::Debug for RequestError {
    /// As it is displayed, for that is what a `main` that returns it prints; `{:#?}` shows the fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { self.0.fmt(f) } else { fmt::Display::fmt(self, f) }
    }
}

impl std::error::Error for RequestError {}

/// Remarks may carry a stack trace or a link; their first line says it, as far as a person reads one.
pub(crate) fn first_line(remark: &str) -> Cow<'_, str> {
    let line = remark.lines().next().unwrap_or_default().trim_end();
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]).into(),
        None => line.into(),
    }
}

/// In characters. The longest remarks of Apache's servers have about 300.
const LONGEST_LINE: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remark_is_shown_by_its_first_line_and_not_for_ever() {
        assert_eq!(first_line("disk full \r\n\tat Store.put"), "disk full");
        assert_eq!(first_line(""), "");
        let longest = "ü".repeat(LONGEST_LINE);
        assert_eq!(first_line(&longest), longest);
        assert_eq!(first_line(&format!("{longest}x")), format!("{longest}…"));
    }
}
