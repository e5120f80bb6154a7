//! A send that failed, and what each attempt of a send saw.

use std::{fmt, sync::Arc, time::Duration};

use maxq_policy::Outcome;

use super::{ErrorCode, first_line};
use crate::{Message, remoting::Phase};

/// One attempt of a send at one broker.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// # use maxq::Message;
/// let receipt = producer.send(Message::new("orders", "paid")).await?;
/// for attempt in receipt.attempts() {
///     println!("{} at {} took {:?}", attempt.broker(), attempt.address(), attempt.elapsed());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Attempt {
    pub(crate) broker: Arc<str>,
    pub(crate) address: Arc<str>,
    pub(crate) queue_id: i32,
    pub(crate) phase: Phase,
    pub(crate) elapsed: Duration,
    pub(crate) code: Option<i32>,
    pub(crate) remark: Option<Box<str>>,
}

impl Attempt {
    /// The broker's name.
    pub fn broker(&self) -> &str {
        &self.broker
    }

    /// `host:port` of its master, as the route gives it.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The queue id.
    pub const fn queue_id(&self) -> i32 {
        self.queue_id
    }

    /// How far the attempt came.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// How long it took.
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The code that the broker answered with (Apache's `ResponseCode`), if it answered.
    pub const fn code(&self) -> Option<i32> {
        self.code
    }

    /// What the broker said, or what cut the attempt short.
    pub fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, queue {}) ", self.broker, self.address, self.queue_id)?;
        let remark = first_line(self.remark.as_deref().unwrap_or_default());
        match self.code {
            Some(code) => {
                write!(f, "answered {} after {:.1?}", maxq_protocol::ResponseCode(code), self.elapsed)?
            }
            None => {
                let far = match self.phase {
                    Phase::Connect => "no connection: ",
                    Phase::Write => "not sent: ",
                    Phase::Answer => "",
                };
                return write!(f, "{far}{remark} after {:.1?}", self.elapsed);
            }
        }
        if remark.is_empty() { Ok(()) } else { write!(f, ": {remark}") }
    }
}

/// A send that failed: whether the message may be stored, what was tried, and the message itself.
///
/// ```
/// # fn handle(error: maxq::SendError) {
/// use maxq::Outcome;
///
/// match error.outcome() {
///     Outcome::Unknown => eprintln!("may be stored: {error}"),
///     _ => {
///         eprintln!("not stored: {error}");
///         let messages = error.into_messages(); // to try again later, under the same ids
///     }
/// }
/// # }
/// ```
pub struct SendError(Box<SendFailure>);

/// The facts of a [`SendError`].
#[derive(Debug)]
pub(crate) struct SendFailure {
    pub(crate) kind: SendErrorKind,
    pub(crate) code: ErrorCode,
    pub(crate) outcome: Outcome,
    pub(crate) topic: String,
    pub(crate) what: String,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) messages: Vec<Message>,
}

/// What kind of failure a [`SendError`] is.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// # let producer = client.producer(maxq::ProducerConfig::new("orders"))?;
/// use maxq::{Message, SendErrorKind};
///
/// match producer.send(Message::new("orders", "")).await {
///     Ok(receipt) => println!("stored in {}", receipt.queue()),
///     Err(error) => match error.kind() {
///         SendErrorKind::Busy | SendErrorKind::Overloaded => println!("send slower"),
///         SendErrorKind::Invalid | SendErrorKind::TooLarge => println!("the message is at fault: {error}"),
///         _ => eprintln!("{error}"),
///     },
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// The message breaks a rule of RocketMQ.
    Invalid,
    /// The message is larger than allowed.
    TooLarge,
    /// The producer's limits left no room before the deadline.
    Overloaded,
    /// There is no route to write to.
    NoRoute,
    /// No broker could be reached.
    Connect,
    /// No answer came: the deadline was over, or the connection was lost.
    Timeout,
    /// A broker refused the message.
    Refused,
    /// Every broker that was asked is busy.
    Busy,
    /// Access control refuses.
    Access,
    /// The producer is closed.
    Closed,
}

impl SendErrorKind {
    pub(crate) const fn of(code: ErrorCode) -> Self {
        match code {
            ErrorCode::INVALID | ErrorCode::CONFIG => Self::Invalid,
            ErrorCode::TOO_LARGE => Self::TooLarge,
            ErrorCode::OVERLOADED | ErrorCode::CONNECTION_FULL => Self::Overloaded,
            ErrorCode::CLOSED => Self::Closed,
            ErrorCode::NAME_SERVER_UNREACHABLE
            | ErrorCode::TOPIC_NOT_FOUND
            | ErrorCode::NO_MASTER
            | ErrorCode::NOT_WRITABLE
            | ErrorCode::ROUTE_UNUSABLE
            | ErrorCode::QUEUE_GONE
            | ErrorCode::ROUTE_REFUSED
            | ErrorCode::NO_BROKER => Self::NoRoute,
            ErrorCode::CONNECT
            | ErrorCode::ADVERTISED_ADDRESS
            | ErrorCode::PROTOCOL
            | ErrorCode::HTTP_PORT
            | ErrorCode::LEAVING => Self::Connect,
            ErrorCode::TIMEOUT | ErrorCode::LOST | ErrorCode::DEADLINE | ErrorCode::ANSWER => Self::Timeout,
            ErrorCode::BUSY => Self::Busy,
            ErrorCode::ACCESS => Self::Access,
            _ => Self::Refused,
        }
    }
}

impl SendError {
    /// What kind of failure this is.
    pub fn kind(&self) -> SendErrorKind {
        self.0.kind
    }

    /// Whether the message may be stored. The worst attempt decides.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// The stable code.
    pub fn code(&self) -> ErrorCode {
        self.0.code
    }

    /// What was tried, in order.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0.attempts
    }

    /// What could not be sent: one message, or all of a batch.
    pub fn messages(&self) -> &[Message] {
        &self.0.messages
    }

    /// The message, to try again later: its unique id is kept, so a copy that was stored after all can be recognised.
    pub fn into_messages(self) -> Vec<Message> {
        self.0.messages
    }
}

impl From<SendFailure> for SendError {
    fn from(failure: SendFailure) -> Self {
        Self(Box::new(failure))
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = &*self.0;
        let outcome = match failure.outcome {
            Outcome::NotSent => "not sent",
            Outcome::Refused => "refused",
            Outcome::Unknown => "may or may not be stored",
        };
        write!(f, "message to {}: {outcome}: {}", failure.topic, failure.what)?;
        for (n, attempt) in failure.attempts.iter().enumerate() {
            write!(f, "{} {attempt}", if n == 0 { "; tried" } else { "," })?;
        }
        write!(f, "; {} [{}]", failure.code.advice(), failure.code)
    }
}

impl fmt::Debug for SendError {
    /// As it is displayed, for that is what a `main` that returns it prints; `{:#?}` shows the fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { self.0.fmt(f) } else { fmt::Display::fmt(self, f) }
    }
}

impl std::error::Error for SendError {}
