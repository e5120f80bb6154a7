//! Maxq: a RocketMQ client for Rust.
//!
//! It finds brokers through name servers, keeps routes and heartbeats fresh, and sends messages with retries under one
//! honest deadline, over the RocketMQ remoting protocol (4.x and 5.x).
//!
//! ```
//! use std::time::Duration;
//! use maxq::{Message, Outcome, Producer};
//! use maxq_emulator::Cluster; // a cluster in this process, for tests
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = Cluster::start(2).await?;
//! let url = format!("rocketmq://{}/?group=orders", cluster.name_servers());
//! let producer = Producer::connect(&url).await?;
//!
//! // Awaited: the receipt says where the message is.
//! let receipt = producer.send(Message::new("orders", "paid").key("42")).await?;
//! println!("{} is in {} at {}", receipt.message_id(), receipt.queue(), receipt.queue_offset());
//!
//! // One way: handed to the socket, not acknowledged.
//! producer.send(Message::new("orders", "seen")).oneway().await?;
//!
//! // A failure says whether the message may be stored, what was tried, and gives the message back.
//! if let Err(error) = producer.send(Message::new("orders", "packed")).timeout(Duration::from_secs(1)).await {
//!     match error.outcome() {
//!         Outcome::Unknown => eprintln!("may be stored: {error}"),
//!         _ => eprintln!("not stored: {error}"),
//!     }
//! }
//! producer.close(Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```
//!
//! The whole surface is on this page. Handles ([`Client`], [`Producer`]) are cheap to clone, `Send + Sync`, and take
//! `&self`; there are no globals. Every wait has a deadline, every queue a bound. What a dropped future leaves behind
//! is said under "Cancel safety" at each function.
//!
//! # More
//!
//! What a receipt is worth, when copies can be stored, how one deadline is shared out, and every option with its price are
//! told in the pages of `docs/` in the repository; `docs/README.md` is their index. Small programs are in
//! `crates/client/examples`.
//!
//! | to | begin at |
//! |---|---|
//! | send | [`Producer::send`], [`Sending`]; several at once: [`MessageBatch`] |
//! | send without async | [`blocking::Producer`] |
//! | read | [`Client::reader`]: one queue, no consumer group; consumers are not there yet |
//! | make topics, look messages up | [`Client::admin`] |
//! | find out why nothing works | [`doctor::examine`] |
//! | test | the crate `maxq-emulator` |
//!
//! # Features
//!
//! `zlib` and `lz4` (both on by default) and `zstd` write and read such bodies; `http-discovery` adds
//! [`ClientConfig::from_http`].

mod admission;
mod client;
mod clock;
mod config;
mod discovery;
mod error;
mod events;
mod health;
mod heartbeat;
mod message;
mod message_view;
mod name_servers;
#[cfg(doctest)]
mod pages;
mod prewarm;
mod producer;
mod queue;
mod reader;
mod remoting;
mod resolver;
mod roles;
mod route;
mod shutdown;
mod stats;
mod together;
mod told;
mod unique_id;

pub mod admin;
pub mod blocking;
pub mod doctor;

pub use client::Client;
pub use config::{ClientConfig, CompressionChoice, Offload, Overflow, ProducerConfig};
pub use error::{
    Attempt, ConfigError, ConnectError, ErrorCode, RequestError, RequestErrorKind, SendError, SendErrorKind,
};
pub use events::{Event, Events};
pub use maxq_policy::{Outcome, Parity, RetryPolicy, Rules};
pub use maxq_protocol::HeaderEncoding;
pub use message::Message;
pub use message_view::MessageView;
pub use producer::{
    BatchError, BatchErrorKind, BatchReceipt, ByChance, ByKey, Delivery, FlushReport, MessageBatch,
    MessageId, Producer, QueueSelector, SendFuture, SendReceipt, Sending, SendingBatch, SendingOneway,
    StoreStatus,
};
pub use queue::MessageQueue;
pub use reader::{From, Reader};
pub use remoting::{
    Phase,
    connect::{Connect, Connecting, ReadWrite, Stream},
};
pub use resolver::{Resolver, Resolving};
pub use shutdown::CloseReport;
pub use stats::{Breaker, BrokerStats, Latencies, Latency, Load, Retries, Stats};
