//! What is decided: values, the time and a little chance go in, a decision comes out.
//!
//! Nothing here waits, reads a clock or makes chance of its own: `now` is the first argument of whatever needs it and
//! a generator is passed in. The crate is `no_std`, so a clock, a thread, a socket or a randomly ordered map has no
//! name here. A type belongs here only if it decides something; data lives in `maxq-protocol`, waiting in `maxq`.
//!
//! * [`route`]: a topic's route becomes the queues that a producer may write to.
//! * [`select`]: which of them is next.
//! * [`answer`]: what a broker's answer means for a send.
//! * [`retry`]: the plan of one send: attempts, their deadlines, and when to stop.
//! * [`name_server`]: which name server is asked next.

#![no_std]

extern crate alloc;

pub mod answer;
pub mod name_server;
pub mod retry;
pub mod route;
pub mod select;
pub mod time;

pub use answer::{Action, judge};
pub use retry::{AttemptEnd, Outcome, RetryPolicy, SendPlan, Step, Stop, Target};
pub use route::{Broker, NoQueues, Origin, PublishInfo, PublishQueue};
pub use select::Rotation;
pub use time::Time;
