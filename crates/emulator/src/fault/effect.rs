//! What a fault does, as data.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use maxq_protocol::ResponseCode;
use serde::{Deserialize, Serialize};

use super::millis;
use crate::handler::DISK_FULL;
pub use crate::network::Goodbye;

/// What a fault does.
///
/// As JSON it is an object whose `do` names the variant, such as `{"do": "delay", "from_ms": 100, "to_ms": 200}`; times
/// are numbers of milliseconds. What has a default may be left out.
///
/// A request for which the table says "stored" is carried out like any other; only its answer suffers.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use maxq_emulator::Cluster;
/// use std::time::Duration;
/// use maxq_emulator::{Effect, Fault, On};
///
/// let cluster = Cluster::start(1).await?;
/// // Stored, and the answer comes 100 to 200 ms later.
/// let late = Effect::jitter(Duration::from_millis(100)..=Duration::from_millis(200));
/// cluster.fault(Fault::on(On::Send).times(3).then(late));
/// // Not stored, and answered with a code of your choice.
/// cluster.fault(Fault::on(On::Send).then(Effect::refuse(13, "the message is illegal")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", rename_all_fields = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Effect {
    /// Nothing: the fault only counts, and the next one is asked.
    #[default]
    Observe,
    /// This answer, instead of carrying the request out or although it was.
    Answer {
        /// The code.
        code: i32,
        /// The remark.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remark: Option<String>,
        /// The header's fields.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        fields: BTreeMap<String, String>,
        /// Whether the request is carried out.
        #[serde(default)]
        when: When,
    },
    /// Code 2 with one of the five remarks of a busy broker; not stored.
    Busy {
        /// Which remark.
        tag: Busy,
    },
    /// Stored, and the true answer with another code: 10, 11 and 12 come with all fields.
    Code {
        /// The code.
        code: i32,
    },
    /// Stored, and answered with this code and a remark that is not UTF-8.
    NonUtf8Remark {
        /// The code.
        code: i32,
    },
    /// Answered as a success, not stored. Only sends can lie; others are carried out.
    LiedSuccess,
    /// Carried out or answered later, by a time from this range.
    Delay {
        /// The shortest time.
        #[serde(rename = "from_ms", with = "millis")]
        from: Duration,
        /// The longest time.
        #[serde(rename = "to_ms", with = "millis")]
        to: Duration,
        /// What is late: the carrying out, or only the answer.
        #[serde(default = "When::after_storing")]
        when: When,
    },
    /// Never carried out, never answered. On [`On::Connect`](super::On::Connect): all that comes is swallowed.
    DropRequest,
    /// Stored, never answered.
    DropAnswer,
    /// The connection ends instead of an answer. On [`On::Connect`](super::On::Connect): at once.
    Close {
        /// Whether the request is carried out first.
        #[serde(default)]
        when: When,
        /// In order or by a reset.
        #[serde(default = "goodbye_reset")]
        goodbye: Goodbye,
    },
    /// Stored; the connection is finished in order: nothing more is read, what is pending is answered, then it closes.
    GracefulClose,
    /// Stored; the answer stops in the middle of a frame, and the connection ends.
    CutFrame {
        /// Where it stops.
        at: FramePart,
        /// In order or by a reset.
        #[serde(default = "goodbye_reset")]
        goodbye: Goodbye,
    },
    /// Stored; the answer pauses in the middle of a frame, and everything behind it waits.
    StallFrame {
        /// Where it pauses.
        at: FramePart,
        /// For how long.
        #[serde(rename = "for_ms", with = "millis")]
        pause: Duration,
    },
    /// Stored; random bytes instead of the answer. On [`On::Connect`](super::On::Connect): at once.
    Garbage {
        /// How many.
        bytes: usize,
    },
    /// Stored; the answer's frame claims this length.
    Length {
        /// The length word.
        length: i32,
    },
    /// Stored; the answer's frame claims to be longer or shorter than it is.
    LengthLie {
        /// By so many bytes.
        by: i32,
    },
    /// Stored; the answer's header claims this length.
    HeaderLength {
        /// The 24 bits of the length.
        length: u32,
    },
    /// Stored; the answer's header claims this encoding.
    SerializeType {
        /// The type byte; 0 and 1 are known.
        byte: u8,
    },
    /// Stored; the answer's header is encoded as the request's was not: JSON or binary.
    OtherEncoding,
    /// Stored; the answer carries an opaque that nobody waits for.
    WrongOpaque,
    /// Stored; the answers of two requests of a connection carry each other's opaque. The first waits for the second.
    SwapOpaques,
    /// Stored; so many answers of a connection are kept back and then come in reverse order.
    Reorder {
        /// How many.
        answers: usize,
    },
    /// Stored; the answer comes twice.
    AnswerTwice,
    /// Stored; a one-way request is answered although it must not be.
    AnswerOneway,
    /// Stored; fields of the true answer are changed.
    Fields {
        /// Fields and their new values.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        set: BTreeMap<String, String>,
        /// Fields that are missing.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remove: Vec<String>,
        /// Whether all others are missing, too.
        #[serde(default)]
        only: bool,
    },
    /// Stored; the answer to a batch names so many ids.
    BatchIds {
        /// How many.
        count: usize,
    },
    /// Stored; the answer names another version of the server.
    Version {
        /// The number on the wire.
        version: i32,
    },
    /// Stored; before its answer, the server sends a request of its own. On [`On::Connect`](super::On::Connect): at once.
    ServerRequest {
        /// The request code.
        code: i32,
    },
    /// Stored; from now on the server writes so many bytes at a time.
    SmallWrites {
        /// How many.
        size: usize,
    },
    /// Stored; from now on the server does not read from the connection, so that the peer's writes pile up.
    StopReading {
        /// For how long; for ever when it is left out.
        #[serde(
            rename = "for_ms",
            default,
            with = "millis::optional",
            skip_serializing_if = "Option::is_none"
        )]
        pause: Option<Duration>,
    },
    /// The connection closes after this time of silence instead of two minutes.
    IdleClose {
        /// The time.
        #[serde(rename = "after_ms", with = "millis")]
        after: Duration,
    },
    /// Only for [`On::Connect`](super::On::Connect): reset when the server has so many connections already.
    ConnectionLimit {
        /// How many are allowed.
        connections: usize,
    },
    /// A pull is not answered before its youngest message is this old.
    DelayedVisibility {
        /// The age.
        #[serde(rename = "by_ms", with = "millis")]
        by: Duration,
    },
    /// The request is carried out as if the clock were wrong: store times show it.
    ClockSkew {
        /// By so many milliseconds.
        by_ms: i64,
    },
    /// A route's JSON is told in another way.
    Route {
        /// Which way.
        variant: RouteVariant,
    },
}

/// Whether a request is carried out before something happens to it.
///
/// ```
/// use maxq_emulator::{Effect, Goodbye, When};
///
/// // Stored, and then the connection breaks: the sender cannot know.
/// let lost = Effect::Close { when: When::AfterStoring, goodbye: Goodbye::Reset };
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// It is not carried out.
    #[default]
    InsteadOfStoring,
    /// It is.
    AfterStoring,
}

/// The five remarks of a broker that is busy.
///
/// ```
/// use maxq_emulator::{Busy, Effect, Fault, On};
///
/// let fault = Fault::on(On::Send).times(2).then(Effect::Busy { tag: Busy::Overload });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Busy {
    /// `[REJECTREQUEST]`: the page cache is busy.
    RejectRequest,
    /// `[OVERLOAD]`: the queue of requests is full.
    Overload,
    /// `[TIMEOUT_CLEAN_QUEUE]`: the request waited for too long.
    TimeoutCleanQueue,
    /// `[PCBUSY_CLEAN_QUEUE]`: the page cache is busy and the queue was emptied.
    PageCacheBusy,
    /// `[PC_SYNCHRONIZED]`: the page cache was busy during the write.
    PageCacheSynchronized,
}

/// A place in the middle of a frame.
///
/// ```
/// use maxq_emulator::{Effect, Fault, FramePart, Goodbye, On};
///
/// let cut = Effect::CutFrame { at: FramePart::Header, goodbye: Goodbye::Fin };
/// let fault = Fault::on(On::Send).once().then(cut);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FramePart {
    /// After two bytes of the length.
    Length,
    /// In the middle of the header.
    Header,
    /// One byte before the end.
    Body,
}

/// How a name server may tell a route.
///
/// ```
/// use maxq_emulator::{Effect, Fault, On, RouteVariant};
///
/// let fault = Fault::on(On::Route).topic("orders").then(Effect::Route { variant: RouteVariant::NoMaster });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RouteVariant {
    /// Integer keys without quotes, as before 4.9.4.
    UnquotedKeys,
    /// With members that nobody knows.
    UnknownMembers,
    /// Without `filterServerTable`.
    NoFilterServers,
    /// With no brokers and no queues.
    EmptyLists,
    /// Cut in the middle.
    Truncated,
    /// With 100,000 queues at each broker.
    Huge,
    /// Only replicas are left: the master's id 0 became 1.
    NoMaster,
}

impl Effect {
    /// An answer of this code instead of carrying the request out.
    pub fn refuse(code: i32, remark: impl Into<String>) -> Self {
        Self::answer(code, remark, When::InsteadOfStoring)
    }

    /// An answer of this code although the request was carried out: a lied error.
    pub fn lied_error(code: i32, remark: impl Into<String>) -> Self {
        Self::answer(code, remark, When::AfterStoring)
    }

    /// A true answer that comes this much later.
    pub fn delay(by: Duration) -> Self {
        Self::jitter(by..=by)
    }

    /// A true answer that comes later by a time from this range.
    pub fn jitter(range: RangeInclusive<Duration>) -> Self {
        Self::Delay { from: *range.start(), to: *range.end(), when: When::AfterStoring }
    }

    /// Stored, and the disk did not confirm it in time: 10.
    pub const fn flush_timeout() -> Self {
        Self::Code { code: ResponseCode::FLUSH_DISK_TIMEOUT.0 }
    }

    /// Stored, and no replica is there: 11.
    pub const fn no_replica() -> Self {
        Self::Code { code: ResponseCode::SLAVE_NOT_AVAILABLE.0 }
    }

    /// Stored, and the replica did not confirm it in time: 12.
    pub const fn replica_timeout() -> Self {
        Self::Code { code: ResponseCode::FLUSH_SLAVE_TIMEOUT.0 }
    }

    /// The disk is full: 14.
    pub fn disk_full() -> Self {
        Self::refuse(ResponseCode::SERVICE_NOT_AVAILABLE.0, DISK_FULL)
    }

    /// The server shuts down and asks to go elsewhere: 1500.
    pub fn go_away() -> Self {
        Self::refuse(ResponseCode::GO_AWAY.0, "please go away")
    }

    /// The server does not know the request: 3.
    pub fn not_supported(code: i32) -> Self {
        Self::refuse(
            ResponseCode::REQUEST_CODE_NOT_SUPPORTED.0,
            format!(" request type {code} not supported"),
        )
    }

    /// What becomes of an exception of this class: 1.
    pub fn java_exception(class: &str) -> Self {
        Self::refuse(
            ResponseCode::SYSTEM_ERROR.0,
            format!(
                "{class}: null, org.apache.rocketmq.store.CommitLog.asyncPutMessage(CommitLog.java:1040)"
            ),
        )
    }

    /// A name server that has just started: 1.
    pub fn name_server_not_ready() -> Self {
        Self::refuse(ResponseCode::SYSTEM_ERROR.0, "name server not ready")
    }

    /// A success whose message id is this.
    pub fn message_id(id: &str) -> Self {
        Self::Fields {
            set: BTreeMap::from([("msgId".to_owned(), id.to_owned())]),
            remove: Vec::new(),
            only: false,
        }
    }

    /// The true answer without these fields.
    pub fn without_fields<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let remove = names.into_iter().map(str::to_owned).collect();
        Self::Fields { set: BTreeMap::new(), remove, only: false }
    }

    fn answer(code: i32, remark: impl Into<String>, when: When) -> Self {
        Self::Answer { code, remark: Some(remark.into()), fields: BTreeMap::new(), when }
    }
}

impl When {
    const fn after_storing() -> Self {
        Self::AfterStoring
    }
}

impl Busy {
    /// The remark.
    pub(super) const fn remark(self) -> &'static str {
        match self {
            Self::RejectRequest => "[REJECTREQUEST]system busy, start flow control for a while",
            Self::Overload => "[OVERLOAD]system busy, start flow control for a while",
            Self::TimeoutCleanQueue => {
                "[TIMEOUT_CLEAN_QUEUE]broker busy, start flow control for a while, period in queue: 201ms, size of queue: 17"
            }
            Self::PageCacheBusy => {
                "[PCBUSY_CLEAN_QUEUE]broker busy, start flow control for a while, period in queue: 201ms, size of queue: 17"
            }
            Self::PageCacheSynchronized => "[PC_SYNCHRONIZED]broker busy, start flow control for a while",
        }
    }
}

const fn goodbye_reset() -> Goodbye {
    Goodbye::Reset
}
