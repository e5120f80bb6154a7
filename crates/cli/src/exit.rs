//! Exit codes: what a script learns from a run.

use std::{fmt, io, process::ExitCode};

use maxq::{ConfigError, ConnectError, ErrorCode, RequestError, SendError};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was done.
    Done = 0,
    /// The verdict is bad, or something else failed that has no code of its own, such as writing the output.
    Failed = 1,
    /// What was typed, or the input, is wrong; nothing was sent.
    Usage = 2,
    /// A server cannot be reached, or an address cannot be listened on.
    CannotConnect = 3,
    /// Some messages are stored, or may be, and others are not.
    PartlySent = 4,
    /// The cluster, or a rule of RocketMQ, refuses.
    Refused = 5,
    /// Ctrl-C or SIGTERM came before the end.
    Interrupted = 6,
}

impl Exit {
    /// What an error that ends a run means.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        error.chain().find_map(Self::of_cause).unwrap_or(Self::Failed)
    }

    /// What a stable code means. The thousands say who caused it: 1 the caller, 2 the route, 3 the network, 4 the
    /// broker, 5 access control.
    pub(crate) fn of_code(code: ErrorCode) -> Self {
        match code {
            ErrorCode::CONFIG | ErrorCode::INVALID => Self::Usage,
            ErrorCode::OVERLOADED | ErrorCode::CLOSED | ErrorCode::CONNECTION_FULL | ErrorCode::ANSWER => {
                Self::Failed
            }
            ErrorCode::NAME_SERVER_UNREACHABLE
            | ErrorCode::NO_MASTER
            | ErrorCode::NO_BROKER
            | ErrorCode::LEAVING => Self::CannotConnect,
            code if (ErrorCode::CONNECT..ErrorCode::REFUSED).contains(&code) => Self::CannotConnect,
            _ => Self::Refused,
        }
    }

    fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Self> {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return Some(failure.exit);
        }
        let code = None
            .or_else(|| cause.downcast_ref().map(ConfigError::code))
            .or_else(|| cause.downcast_ref().map(ConnectError::code))
            .or_else(|| cause.downcast_ref().map(RequestError::code))
            .or_else(|| cause.downcast_ref().map(SendError::code));
        code.map(Self::of_code)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// A failure that this tool itself has seen.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    what: String,
}

impl Failure {
    pub(crate) fn error(exit: Exit, what: impl Into<String>) -> anyhow::Error {
        Self { exit, what: what.into() }.into()
    }

    /// What was typed, or the input, is wrong.
    pub(crate) fn usage(what: impl Into<String>) -> anyhow::Error {
        Self::error(Exit::Usage, what)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

/// Whether the reader of our output has gone, which is no failure: `maxq cat orders | head`.
pub(crate) fn is_closed_output(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn the_cause_below_the_context_decides() {
        let error = Err::<(), _>(Failure::usage("wrong")).context("while reading").unwrap_err();
        assert_eq!(Exit::of(&error), Exit::Usage);
        assert_eq!(Exit::of(&anyhow::anyhow!("something else")), Exit::Failed);
        let error = maxq::ClientConfig::from_url("kafka://a").err().map(anyhow::Error::from).unwrap();
        assert_eq!(Exit::of(&error), Exit::Usage);
    }

    #[test]
    fn every_code_of_the_network_means_cannot_connect() {
        for code in ErrorCode::ALL {
            let text = code.to_string();
            assert!(!text.starts_with("MQ3") || Exit::of_code(*code) == Exit::CannotConnect, "{code}");
            assert!(!text.starts_with("MQ5") || Exit::of_code(*code) == Exit::Refused, "{code}");
        }
    }

    #[test]
    fn only_a_broken_pipe_is_a_closed_output() {
        let error = |kind| anyhow::Error::from(io::Error::from(kind)).context("cannot write");
        assert!(is_closed_output(&error(io::ErrorKind::BrokenPipe)));
        assert!(!is_closed_output(&error(io::ErrorKind::StorageFull)));
    }
}
