//! What an examination gives: plain values.

use std::fmt;

use crate::ErrorCode;

/// What was found, in the order in which it was looked at.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let config = maxq::ClientConfig::new(cluster.name_servers());
/// use maxq::doctor::{self, Examination, State, Verdict};
///
/// let report = doctor::examine(config, Examination::new().topic("orders")).await;
/// for check in report.with(State::Failed) {
///     eprintln!("{check}");
/// }
/// assert_eq!(report.verdict(), Verdict::Well);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The checks.
    pub checks: Vec<Check>,
}

/// One thing that was looked at.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let config = maxq::ClientConfig::new(cluster.name_servers());
/// # use maxq::doctor::{self, Examination};
/// let report = doctor::examine(config, Examination::new()).await;
/// for check in &report.checks {
///     println!("{} {}: {}", check.kind.name(), check.target, check.found);
///     if let Some(fix) = &check.fix {
///         println!("  {fix}");
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// What kind of thing.
    pub kind: CheckKind,
    /// Which one: an address, a broker, a topic.
    pub target: String,
    /// How it is.
    pub state: State,
    /// What was seen, as a phrase.
    pub found: String,
    /// What to do about it.
    pub fix: Option<String>,
    /// The stable code of what is wrong.
    pub code: Option<ErrorCode>,
}

/// What kind of thing was looked at.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let config = maxq::ClientConfig::new(cluster.name_servers());
/// # use maxq::doctor::{self, Examination};
/// use maxq::doctor::CheckKind;
///
/// let report = doctor::examine(config, Examination::new()).await;
/// for broker in report.of(CheckKind::Broker) {
///     println!("{}: {}", broker.target, broker.found);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum CheckKind {
    /// Whether the settings of the client can work.
    Configuration,
    /// Whether the host's name is known.
    Dns,
    /// Whether a name server's port takes connections.
    Tcp,
    /// Whether it speaks the remoting protocol.
    Protocol,
    /// Whether the name servers know brokers, and the same ones.
    NameServer,
    /// Whether an address that a broker advertises can be reached, and a broker answers there.
    Broker,
    /// Whether the topic is there, and has a master.
    Route,
    /// Whether the topic may be written.
    Permission,
    /// Whether a message is stored.
    TestSend,
    /// How far the clock of a broker is from the one here.
    ClockSkew,
}

/// How a thing is.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let config = maxq::ClientConfig::new(cluster.name_servers());
/// # use maxq::doctor::{self, Examination};
/// use maxq::doctor::State;
///
/// let report = doctor::examine(config, Examination::new()).await;
/// // Without a topic, some checks are left out.
/// assert!(report.with(State::Skipped).count() > 0);
/// assert_eq!(report.with(State::Failed).count(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// As it should be.
    Ok,
    /// It was not looked at, and why.
    Skipped,
    /// It works, and somebody should look at it.
    Warning,
    /// It does not work.
    Failed,
}

/// The sum of all checks.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let config = maxq::ClientConfig::new(cluster.name_servers());
/// # use maxq::doctor::{self, Examination};
/// use maxq::doctor::Verdict;
///
/// match doctor::examine(config, Examination::new()).await.verdict() {
///     Verdict::Well => println!("go on"),
///     Verdict::Failed => println!("something is wrong"),
///     Verdict::Unreachable => println!("no name server can be reached"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing failed; there may be warnings.
    Well,
    /// Something failed.
    Failed,
    /// No name server can be reached at all.
    Unreachable,
}

impl Report {
    /// The sum of all checks.
    pub fn verdict(&self) -> Verdict {
        let is_port = |check: &&Check| check.kind == CheckKind::Tcp;
        let mut ports = self.checks.iter().filter(is_port).peekable();
        if ports.peek().is_some() && !ports.any(|check| check.state == State::Ok) {
            Verdict::Unreachable
        } else if self.with(State::Failed).next().is_some() {
            Verdict::Failed
        } else {
            Verdict::Well
        }
    }

    /// The checks in this state.
    pub fn with(&self, state: State) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(move |check| check.state == state)
    }

    /// The checks of this kind.
    pub fn of(&self, kind: CheckKind) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(move |check| check.kind == kind)
    }

    pub(super) fn add(&mut self, checks: impl IntoIterator<Item = Check>) {
        self.checks.extend(checks);
    }

    /// Softens failures of these kinds: something else does the same work.
    pub(super) fn soften(&mut self, kinds: &[CheckKind]) {
        for check in &mut self.checks {
            if check.state == State::Failed && kinds.contains(&check.kind) {
                check.state = State::Warning;
            }
        }
    }
}

impl Check {
    pub(super) fn ok(kind: CheckKind, target: impl Into<String>, found: impl Into<String>) -> Self {
        Self { kind, target: target.into(), state: State::Ok, found: found.into(), fix: None, code: None }
    }

    pub(super) fn skipped(kind: CheckKind, target: impl Into<String>, why: impl Into<String>) -> Self {
        Self { state: State::Skipped, ..Self::ok(kind, target, why) }
    }

    /// It does not work. The fix is the code's advice unless a better one is known.
    pub(super) fn failed(
        kind: CheckKind,
        target: impl Into<String>,
        code: ErrorCode,
        found: impl Into<String>,
    ) -> Self {
        let fix = Some(code.advice().to_owned());
        Self { state: State::Failed, fix, code: Some(code), ..Self::ok(kind, target, found) }
    }

    pub(super) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// It works all the same.
    pub(super) fn warned(mut self) -> Self {
        self.state = State::Warning;
        self
    }

    pub(super) fn is_ok(&self) -> bool {
        self.state == State::Ok
    }
}

impl CheckKind {
    /// The name in machines' output, such as `clock-skew`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Protocol => "protocol",
            Self::NameServer => "name-server",
            Self::Broker => "broker",
            Self::Route => "route",
            Self::Permission => "permission",
            Self::TestSend => "test-send",
            Self::ClockSkew => "clock-skew",
        }
    }
}

impl State {
    /// The name: `ok`, `skipped`, `warning`, `failed`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

impl Verdict {
    /// The name: `well`, `failed`, `unreachable`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}: {}", self.state.name(), self.kind.name(), self.target, self.found)?;
        if let Some(fix) = &self.fix {
            write!(f, "; {fix}")?;
        }
        if let Some(code) = self.code {
            write!(f, " [{code}]")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_the_worst_that_was_found() {
        let tcp = |address: &str| Check::ok(CheckKind::Tcp, address, "open");
        let refused = |address: &str| {
            Check::failed(CheckKind::Tcp, address, ErrorCode::NAME_SERVER_UNREACHABLE, "refused")
        };
        let verdict = |checks: Vec<Check>| Report { checks }.verdict();
        assert_eq!(verdict(vec![tcp("a"), tcp("b").warned()]), Verdict::Well);
        assert_eq!(verdict(vec![tcp("a"), refused("b")]), Verdict::Failed);
        assert_eq!(verdict(vec![refused("a"), refused("b")]), Verdict::Unreachable);
        let unknown = Check::skipped(CheckKind::Tcp, "a", "no address");
        assert_eq!(verdict(vec![unknown]), Verdict::Unreachable);
        let setting = Check::failed(CheckKind::Configuration, "client", ErrorCode::CONFIG, "no port");
        assert_eq!(verdict(vec![setting]), Verdict::Failed);
    }

    #[test]
    fn a_check_says_all_in_one_line() {
        let check = Check::failed(CheckKind::Route, "orders", ErrorCode::NO_MASTER, "only replicas");
        assert_eq!(
            check.to_string(),
            "failed route orders: only replicas; start the master of the topic's broker [MQ2003]"
        );
    }
}
