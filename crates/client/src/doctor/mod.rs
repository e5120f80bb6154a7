//! Finds out why a cluster cannot be used, or that it can: names, ports, protocol, name servers, every advertised
//! broker, a topic's route and permission, a test message, clocks.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use maxq::{ClientConfig, doctor};
//!
//! // Nobody listens on port 1.
//! let examination = doctor::Examination::new().topic("orders");
//! let report = doctor::examine(ClientConfig::new("127.0.0.1:1"), examination).await;
//! assert_eq!(report.verdict(), doctor::Verdict::Unreachable);
//! for check in report.with(doctor::State::Failed) {
//!     eprintln!("{check}");
//! }
//! # }
//! ```

mod broker;
mod clock;
mod name_server;
mod report;
mod topic;

use std::{io, sync::Arc, time::Duration};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::{
    Client, ClientConfig, ErrorCode, Resolver,
    client::Shared,
    discovery::ways,
    remoting::{
        CallError, Phase,
        cause::Cause,
        connect::{Connect, Stream},
    },
};
pub use report::{Check, CheckKind, Report, State, Verdict};

/// What is looked at.
///
/// ```
/// use std::time::Duration;
/// use maxq::doctor::Examination;
///
/// // Looks at everything and stores nothing.
/// let examination = Examination::new().topic("orders").test_send(false).most_skew(Duration::from_secs(1));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Examination {
    /// Whose route and permission are looked at, and where the test messages go. Default none: those checks are skipped.
    pub topic: Option<String>,
    /// Whether one message is sent to each broker of the topic. Default yes. Consumers of the topic get them: tag
    /// `maxq-doctor`, body `maxq doctor`.
    pub test_send: bool,
    /// How far a broker's clock may be from the one here. Default 5 s.
    pub most_skew: Duration,
}

impl Default for Examination {
    fn default() -> Self {
        Self { topic: None, test_send: true, most_skew: Duration::from_secs(5) }
    }
}

impl Examination {
    /// Everything but a topic.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with this topic.
    #[must_use]
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// The same with or without test messages.
    #[must_use]
    pub const fn test_send(mut self, send: bool) -> Self {
        self.test_send = send;
        self
    }

    /// The same with this tolerance for clocks.
    #[must_use]
    pub const fn most_skew(mut self, skew: Duration) -> Self {
        self.most_skew = skew;
        self
    }
}

/// Examines the cluster that `config` names. It makes a client for that and closes it; the configuration's time-outs
/// hold for each question, so with silent servers it takes several times as long.
///
/// # Cancel safety
/// Dropped early, a test message may be stored; the client leaves in the background.
pub async fn examine(config: ClientConfig, examination: Examination) -> Report {
    let mut report = Report::default();
    let (connector, resolver) = ways(&config);
    let dialer = Dialer { connector, resolver, timeout: config.connect_timeout };
    let client = match Client::lazy(config) {
        Ok(client) => client,
        Err(error) => {
            let text = error.to_string();
            let found = text.split(';').next().unwrap_or_default();
            report.add([Check::failed(CheckKind::Configuration, "client", ErrorCode::CONFIG, found)]);
            return report;
        }
    };
    let patient = Patient { client: client.clone(), dialer, examination };
    // On the heap: it asks many questions at once, and nobody calls it often.
    Box::pin(patient.examine(&mut report)).await;
    client.close(GOODBYE).await;
    report
}

/// What is examined, and with what.
struct Patient {
    client: Client,
    dialer: Dialer,
    examination: Examination,
}

impl Patient {
    async fn examine(&self, report: &mut Report) {
        let servers = self.name_servers(report).await;
        if servers.is_empty() {
            let why = "no name server answers";
            report.add([
                Check::skipped(CheckKind::NameServer, "cluster", why),
                Check::skipped(CheckKind::Broker, "cluster", why),
            ]);
            report.add(self.skip_topic(why));
            return;
        }
        self.settle().await;
        let brokers = self.registered(&servers, report).await;
        let route = self.route(&servers, report).await;
        let reached = self.brokers(brokers, route.as_ref(), report).await;
        self.messages(route.as_ref(), &reached, report).await;
    }

    fn shared(&self) -> &Arc<Shared> {
        self.client.shared()
    }

    /// The topic, or what stands for it in a check that is skipped.
    fn topic(&self) -> Option<&str> {
        self.examination.topic.as_deref()
    }

    fn skip_topic(&self, why: &str) -> Vec<Check> {
        let topic = self.topic().unwrap_or("-");
        let why = if self.topic().is_some() { why } else { NO_TOPIC };
        [CheckKind::Route, CheckKind::Permission, CheckKind::TestSend, CheckKind::ClockSkew]
            .map(|kind| Check::skipped(kind, topic, why))
            .into()
    }
}

/// Looks names up and opens streams as the client does, to look at those steps alone.
struct Dialer {
    connector: Arc<dyn Connect>,
    /// Without one, what the connector does with names is its own business.
    resolver: Option<Arc<dyn Resolver>>,
    timeout: Duration,
}

impl Dialer {
    async fn dial(&self, address: &str) -> Result<(), CallError> {
        let dialled = tokio::time::timeout(self.timeout, self.connector.connect(address)).await;
        let cause = match dialled {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => Cause::Io(error),
            Err(_) => Cause::ConnectTimedOut,
        };
        Err(CallError { phase: Phase::Connect, cause: Arc::new(cause) })
    }
}

impl Dialer {
    /// Whether an HTTP server listens there. Many wait for a line to end before they say anything, so they are silent
    /// to a frame of ours and must be asked in their own words.
    async fn speaks_http(&self, address: &str) -> bool {
        let asked = async {
            match self.connector.connect(address).await? {
                Stream::Tcp(stream) => first_bytes(stream).await,
                Stream::Boxed(stream) => first_bytes(stream).await,
            }
        };
        match tokio::time::timeout(self.timeout, asked).await {
            Ok(Ok(bytes)) => bytes.starts_with(b"HTTP/") || Cause::ended(&bytes).is_http(),
            _ => false,
        }
    }
}

/// What a peer says to the shortest question of HTTP. A gRPC server says the first frame of HTTP/2.
async fn first_bytes(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<Vec<u8>> {
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    let mut bytes = Vec::new();
    stream.take(FIRST_FRAME).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// Whether a dial failed because nobody knows the host's name.
fn is_unknown_name(error: &CallError) -> bool {
    matches!(&*error.cause, Cause::Io(error) if error.kind() == io::ErrorKind::NotFound)
}

/// The host of `host:port`, without brackets.
fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

/// `1 broker`, `2 brokers`.
fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The header of a frame of HTTP/2.
const FIRST_FRAME: u64 = 9;
const NO_TOPIC: &str = "no topic was named";
const GOODBYE: Duration = Duration::from_secs(1);
