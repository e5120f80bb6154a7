//! What is decided: values, the time and a little chance go in, a decision comes out.
//!
//! Nothing here waits, reads a clock or makes chance of its own: `now` is the first argument of whatever needs it and
//! a generator or a seed is passed in. The crate is `no_std`, so a clock, a thread, a socket or a randomly ordered map
//! has no name here. A type belongs here only if it decides something; data lives in `maxq-protocol`, waiting in
//! `maxq`.
//!
//! * [`route`]: a topic's route becomes the queues that a producer may write to; what changed between two routes.
//! * [`select`]: which of them is next.
//! * [`health`]: whether a broker is to be used: its [`breaker`], how long it keeps requests waiting, and Apache's
//!   latency-fault [`ladder`].
//! * [`answer`]: what a broker's answer means for a send.
//! * [`retry`]: what can be set; [`plan`]: the plan of one send: attempts, their deadlines, and when to stop;
//!   [`budget`]: how often busy brokers are asked again; `parity`: the same by Apache's rules.
//! * [`name_server`]: which name server is asked next.

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod answer;
pub mod breaker;
pub mod budget;
pub mod health;
pub mod ladder;
pub mod name_server;
mod parity;
pub mod plan;
pub mod retry;
pub mod route;
pub mod select;
#[cfg(test)]
mod stage;
pub mod time;

pub use answer::{Action, is_outage, judge};
pub use breaker::{BreakerState, Change, Failure};
pub use budget::RetryBudget;
pub use health::{BrokerHealth, Standing};
pub use plan::{Choice, Notice, SendPlan};
pub use retry::{AttemptEnd, Outcome, Parity, RetryPolicy, Rules, Step, Stop, Target};
pub use route::{Broker, NoQueues, Origin, PublishInfo, PublishQueue, RouteChanges};
pub use select::Rotation;
pub use time::Time;
