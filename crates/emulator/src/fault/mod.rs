//! Faults as data: what to watch for, how often, and what to do then.
//!
//! A [`Fault`] is a value. [`Cluster::fault`](crate::Cluster::fault) arms it and gives a [`FaultHandle`]. The faults of
//! a cluster are asked in the order in which they were armed; the first that fires decides what becomes of a request,
//! but [`Effect::Observe`] only counts and lets the next one look. What no value expresses is a closure:
//! [`Cluster::intercept`](crate::Cluster::intercept).
//!
//! ```
//! use std::time::Duration;
//!
//! use maxq_emulator::{Busy, Cluster, Effect, Fault, On};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = Cluster::start(2).await?;
//! // The second to fourth send of topic "orders" find a busy broker.
//! let busy = Effect::Busy { tag: Busy::Overload };
//! let busy = cluster.fault(Fault::on(On::Send).topic("orders").skip(1).times(3).then(busy));
//! // One of ten answers of the first broker is late.
//! cluster.fault(Fault::on(On::AnyRequest).broker("broker-0").chance(0.1).then(Effect::delay(Duration::from_secs(1))));
//! // .. use the cluster ..
//! println!("{} sends were refused", busy.fired());
//! busy.remove();
//! # Ok(())
//! # }
//! ```
//!
//! As JSON, for the control interface of `maxq emulator run --control PORT`:
//!
//! ```
//! use maxq_emulator::Fault;
//!
//! let fault: Fault = serde_json::from_str(
//!     r#"{"on": "send", "topic": "orders", "skip": 1, "times": 3, "then": {"do": "busy", "tag": "overload"}}"#,
//! )?;
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! # The list
//!
//! What a producer meets at a broken cluster, what makes it here, and the test that shows it (all in
//! `tests/raw_protocol`).
//!
//! | # | fault | made by | test |
//! |---|---|---|---|
//! | 1 | fixed latency | [`Effect::delay`], or [`VirtualNetwork::latency`](crate::VirtualNetwork::latency) | `a_delayed_answer_is_stored_at_once_and_comes_later`, `what_is_written_travels_for_the_latency_and_in_order` |
//! | 2 | jitter; only the n-th is late | [`Effect::jitter`], [`Fault::skip`] | `jitter_stays_in_its_range_and_only_the_third_may_be_late` |
//! | 3 | no answer | [`Effect::DropRequest`], [`Effect::DropAnswer`] | `a_dropped_request_is_not_stored_and_a_dropped_answer_is` |
//! | 4 | an answer after the time-out | [`Effect::delay`] | `a_delayed_answer_is_stored_at_once_and_comes_later` |
//! | 5 | busy n times, five remarks | [`Effect::Busy`], [`Fault::times`] | `a_busy_broker_says_so_twice_with_each_of_five_remarks` |
//! | 6 | 10, 11, 12 on a stored message | [`Effect::flush_timeout`], [`no_replica`](Effect::no_replica), [`replica_timeout`](Effect::replica_timeout) | `a_stored_message_may_lack_its_flush_or_its_replica` |
//! | 7 | lied error | [`Effect::lied_error`] | `a_lied_error_is_stored` |
//! | 8 | lied success | [`Effect::LiedSuccess`] | `a_lied_success_looks_true_and_stores_nothing` |
//! | 9 | disk full | [`Effect::disk_full`] | `a_send_may_be_refused_with_any_code_and_remark` |
//! | 10 | 16, 17, 29 after the route said yes | [`Effect::refuse`] | `a_send_may_be_refused_with_any_code_and_remark` |
//! | 11 | odd remarks: Java exceptions, very long, not UTF-8 | [`Effect::java_exception`], [`Effect::refuse`], [`Effect::NonUtf8Remark`] | `a_send_may_be_refused_with_any_code_and_remark`, `a_remark_may_be_no_utf_8` |
//! | 12 | unknown code; 3 for 310 and 320 | [`Effect::refuse`], [`Effect::not_supported`] with [`On::Code`] | `a_send_may_be_refused_with_any_code_and_remark` |
//! | 13 | reset before the answer, stored or not | [`Effect::Close`] | `a_connection_may_end_before_or_after_storing`, `a_socket_is_reset_too` |
//! | 14 | an end in the middle of a frame | [`Effect::CutFrame`] | `an_answer_may_be_cut_in_every_part_of_its_frame` |
//! | 15 | a stall in the middle of a frame | [`Effect::StallFrame`] | `an_answer_may_stall_and_hold_up_those_behind_it` |
//! | 16 | half-open | [`VirtualNetwork::black_hole`](crate::VirtualNetwork::black_hole), or [`On::Connect`] with [`Effect::DropRequest`] | `a_half_open_link_swallows_all_until_it_is_healed`, `a_swallowing_connection_takes_all_and_gives_nothing` |
//! | 17 | accept and close; refuse for a time; no answer to a dial | [`On::Connect`] with [`Effect::Close`] and [`Fault::lasting`]; [`VirtualNetwork::refuse`](crate::VirtualNetwork::refuse), [`black_hole`](crate::VirtualNetwork::black_hole) | `a_connection_may_be_accepted_and_closed_for_a_time`, `a_refusing_address_keeps_what_is_open`, `a_dial_into_a_black_hole_waits_for_the_healing` |
//! | 18 | connection limit | [`Effect::ConnectionLimit`] | `connections_may_be_limited` |
//! | 19 | garbage, wrong lengths | [`Effect::Garbage`], [`Effect::Length`], [`Effect::HeaderLength`] | `garbage_may_come_instead_of_an_answer`, `lengths_may_lie` |
//! | 20 | wrong type byte; the other encoding | [`Effect::SerializeType`], [`Effect::OtherEncoding`] | `lengths_may_lie`, `answers_may_be_encoded_as_nobody_asked` |
//! | 21 | unknown opaque; two swapped | [`Effect::WrongOpaque`], [`Effect::SwapOpaques`] | `answers_may_carry_a_wrong_opaque_or_each_others` |
//! | 22 | an answer twice | [`Effect::AnswerTwice`] | `answers_may_come_twice_or_in_reverse_order` |
//! | 23 | answers out of order | [`Effect::Reorder`] | `answers_may_come_twice_or_in_reverse_order` |
//! | 24 | missing fields, malformed message id | [`Effect::Fields`], [`Effect::message_id`] | `fields_may_be_missing_or_malformed` |
//! | 25 | a batch with a wrong number of ids | [`Effect::BatchIds`] | `a_batch_may_be_answered_with_a_wrong_number_of_ids` |
//! | 26 | another version; a heartbeat without its fields | [`Effect::Version`], [`Effect::without_fields`] | `an_answer_may_name_another_version_and_a_heartbeat_lack_its_fields` |
//! | 27 | go away, for newer clients | [`Effect::go_away`], [`Fault::version_above`] | `only_newer_clients_are_asked_to_go_away` |
//! | 28 | graceful shutdown | [`Effect::GracefulClose`] | `a_graceful_end_answers_what_is_pending_and_reads_nothing_more` |
//! | 29 | name server away, not ready, slow, one of two | [`Cluster::stop_name_server`](crate::Cluster::stop_name_server), [`Effect::name_server_not_ready`], [`Effect::delay`] | `a_stopped_name_server_is_gone_and_comes_back_with_all_routes`, `a_name_server_may_not_be_ready`, `answers_of_name_servers_suffer_too` |
//! | 30 | route flapping, moved topic, no master, new address | [`NameServerHandle::route_override`](crate::NameServerHandle::route_override), [`BrokerHandle::create_topic`](crate::BrokerHandle::create_topic), [`RouteVariant::NoMaster`], [`Cluster::restart_broker_elsewhere`](crate::Cluster::restart_broker_elsewhere) | `two_name_servers_can_disagree`, `a_topic_moves_from_one_broker_to_another`, `a_broker_that_moves_takes_its_messages_and_the_name_server_along` |
//! | 31 | variants of the route's JSON | [`Effect::Route`] | `a_route_may_be_told_in_every_way` |
//! | 32 | a dead broker in the route | [`NameServerHandle::keep_dead_brokers`](crate::NameServerHandle::keep_dead_brokers) | `a_name_server_may_keep_a_dead_broker` |
//! | 33 | restart on the same port | [`Cluster::restart_broker`](crate::Cluster::restart_broker) | `a_restarted_broker_has_its_port_and_its_messages` |
//! | 34 | idle close after a second | [`Effect::IdleClose`] | `a_silent_connection_may_be_closed_sooner` |
//! | 35 | heartbeat refused; client forgotten | [`On::Heartbeat`] with [`Effect::refuse`], [`BrokerHandle::forget_clients`](crate::BrokerHandle::forget_clients) | `a_heartbeat_may_be_refused_and_a_client_forgotten` |
//! | 36 | transaction checks of all kinds | comes with transactions | |
//! | 37 | END_TRANSACTION lost | [`Effect::DropRequest`] on code 37; means something with transactions | |
//! | 38 | replies late, twice, never | comes with request and reply | |
//! | 39 | messages that are seen later | [`Effect::DelayedVisibility`] | `a_stored_message_may_be_seen_later` |
//! | 40 | skewed clock, virtual time | [`Effect::ClockSkew`], [`ClusterBuilder::clock`](crate::ClusterBuilder::clock) | `store_times_may_be_skewed`, `the_clock_of_the_test_is_the_clock_of_the_brokers` |
//! | 41 | signature refused once | [`Effect::refuse`]; users come with access control | `a_send_may_be_refused_with_any_code_and_remark` |
//! | 42 | TLS failures | comes with TLS | |
//! | 43 | a server that does not read | [`Effect::StopReading`], [`Cluster::freeze_broker`](crate::Cluster::freeze_broker) | `a_server_may_stop_reading_for_a_while`, `a_direction_that_nobody_reads_fills_up` |
//! | 44 | byte by byte | [`Effect::SmallWrites`] | `an_answer_may_be_written_byte_by_byte` |
//! | 45 | larger than a frame may be; off by one | [`Effect::Length`], [`Effect::LengthLie`] | `lengths_may_lie` |
//! | 46 | a one-way request is answered | [`Effect::AnswerOneway`] | `a_oneway_send_may_be_answered_all_the_same` |
//! | 47 | a request of the server | [`Effect::ServerRequest`] | `a_server_may_ask_its_client_something_unknown` |
//! | 48 | read-only after a restart | [`BrokerHandle::set_read_only`](crate::BrokerHandle::set_read_only) | `a_read_only_broker_says_so_in_routes_and_refuses_sends` |

mod act;
mod effect;
mod frame;
mod matcher;
mod table;

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

pub(crate) use self::{
    act::{Act, Kept, Step, greet, suffer},
    matcher::{Site, queue_id, topic},
    table::FaultTable,
};
pub use self::{
    effect::{Busy, Effect, FramePart, Goodbye, RouteVariant, When},
    matcher::{On, RequestView},
    table::{ArmedFault, FaultHandle},
};

/// A fault: which requests it is for, how often it fires, and what it does.
///
/// Made by [`on`](Self::on); without further words it is for every server and topic, fires always, and only observes.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use maxq_emulator::Cluster;
/// use maxq_emulator::{Busy, Effect, Fault, On};
///
/// let cluster = Cluster::start(2).await?;
/// // The second to fourth send of the topic to this broker find it busy.
/// let fault = Fault::on(On::Send).broker("broker-0").topic("orders").skip(1).times(3);
/// let handle = cluster.fault(fault.then(Effect::Busy { tag: Busy::Overload }));
/// assert_eq!(handle.fired(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use = "a fault does nothing before it is given to `Cluster::fault`"]
#[non_exhaustive]
pub struct Fault {
    /// Which requests.
    pub on: On,
    /// Only those of the broker with this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker: Option<String>,
    /// Only those of the name server with this index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_server: Option<usize>,
    /// Only those about this topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Only those about the queue with this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_id: Option<i32>,
    /// Only those of the client with this id, which brokers know from its heartbeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Only those of clients whose version is above this number: Apache's go-away is for those above 475.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_above: Option<i32>,
    /// How often chance lets it fire: 1.0 is always.
    pub chance: f64,
    /// How many of those requests are let through first.
    pub skip: u64,
    /// How often it fires after that; always when it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How long it is armed, on the cluster's clock; for ever when it is left out.
    #[serde(rename = "lasts_ms", with = "millis::optional", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Duration>,
    /// What it does.
    pub then: Effect,
}

impl Default for Fault {
    fn default() -> Self {
        Self {
            on: On::AnyRequest,
            broker: None,
            name_server: None,
            topic: None,
            queue_id: None,
            client_id: None,
            version_above: None,
            chance: 1.0,
            skip: 0,
            times: None,
            lasts: None,
            then: Effect::Observe,
        }
    }
}

impl Fault {
    /// A fault of these requests.
    pub fn on(on: On) -> Self {
        Self { on, ..Self::default() }
    }

    /// Only at the broker with this name.
    pub fn broker(mut self, name: impl Into<String>) -> Self {
        self.broker = Some(name.into());
        self
    }

    /// Only at the name server with this index.
    pub fn name_server(mut self, index: usize) -> Self {
        self.name_server = Some(index);
        self
    }

    /// Only about this topic.
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = Some(topic.into());
        self
    }

    /// Only about the queue with this id.
    pub fn queue_id(mut self, queue_id: i32) -> Self {
        self.queue_id = Some(queue_id);
        self
    }

    /// Only of the client with this id.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Only of clients whose version is above this number.
    pub fn version_above(mut self, version: i32) -> Self {
        self.version_above = Some(version);
        self
    }

    /// Fires with this chance.
    pub fn chance(mut self, chance: f64) -> Self {
        self.chance = chance;
        self
    }

    /// Lets so many requests through first.
    pub fn skip(mut self, requests: u64) -> Self {
        self.skip = requests;
        self
    }

    /// Fires so often, then never again.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Fires once.
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Is armed for this time.
    pub fn lasting(mut self, time: Duration) -> Self {
        self.lasts = Some(time);
        self
    }

    /// What it does.
    pub fn then(mut self, effect: Effect) -> Self {
        self.then = effect;
        self
    }

    /// Whether it can fire at all.
    ///
    /// # Errors
    /// It contradicts itself.
    pub fn check(&self) -> Result<(), FaultError> {
        // First: what greets is made below, and must not be larger than it may be.
        self.then.check()?;
        let greets = greet(&self.then, 0).is_some();
        let connects = self.on == On::Connect;
        let is_about_a_request = self.topic.is_some()
            || self.queue_id.is_some()
            || self.client_id.is_some()
            || self.version_above.is_some();
        let contradiction = if connects && !greets {
            "this effect needs a request, and a connection that opens is none"
        } else if !connects && matches!(self.then, Effect::ConnectionLimit { .. }) {
            "a limit of connections is about connections that open: say on connect"
        } else if connects && is_about_a_request {
            "a connection that opens has no topic, queue, client id or version yet"
        } else if self.broker.is_some() && self.name_server.is_some() {
            "a server is a broker or a name server, not both"
        } else if self.lasts.is_some_and(|lasts| lasts > LONGEST) {
            "a fault lasts for a year at most"
        } else if !(0.0..=1.0).contains(&self.chance) {
            "a chance is between 0 and 1"
        } else {
            return Ok(());
        };
        Err(FaultError(contradiction))
    }
}

impl Effect {
    fn check(&self) -> Result<(), FaultError> {
        match self {
            Self::SmallWrites { size: 0 } => Err(FaultError("writes of no bytes never end")),
            Self::Reorder { answers: 0 } => Err(FaultError("at least one answer is kept back")),
            Self::Reorder { answers } if *answers > MAX_KEPT => {
                Err(FaultError("at most 10,000 answers are kept back"))
            }
            Self::Garbage { bytes } if *bytes > MAX_GARBAGE => {
                Err(FaultError("at most 64 MiB of garbage are written"))
            }
            Self::BatchIds { count } if *count > MAX_KEPT => Err(FaultError("at most 10,000 ids are named")),
            Self::Delay { from, to, .. } if from > to => {
                Err(FaultError("the shortest delay is longer than the longest"))
            }
            _ if self.longest_time() > LONGEST => Err(FaultError("a time is a year at most")),
            _ => Ok(()),
        }
    }

    fn longest_time(&self) -> Duration {
        match self {
            Self::Delay { to: time, .. }
            | Self::StallFrame { pause: time, .. }
            | Self::StopReading { pause: Some(time) }
            | Self::IdleClose { after: time }
            | Self::DelayedVisibility { by: time } => *time,
            _ => Duration::ZERO,
        }
    }
}

/// A fault that contradicts itself.
///
/// ```
/// use maxq_emulator::{Fault, On};
///
/// let error = Fault::on(On::Send).chance(1.5).check().unwrap_err();
/// assert_eq!(error.to_string(), "a chance is between 0 and 1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultError(&'static str);

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for FaultError {}

/// Times as numbers of milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }

    pub(super) mod optional {
        use super::{Deserialize, Deserializer, Duration, Serializer};

        pub(in super::super) fn serialize<S: Serializer>(
            time: &Option<Duration>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => super::serialize(time, to),
                None => to.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<Duration>, D::Error> {
            Ok(Option::<u64>::deserialize(from)?.map(Duration::from_millis))
        }
    }
}

/// Sums of a clock's time and any of these must not overflow.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);
const MAX_KEPT: usize = 10_000;
const MAX_GARBAGE: usize = 64 << 20;
