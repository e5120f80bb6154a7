//! A RocketMQ cluster inside your process: name servers and brokers, on real sockets or on a network in memory.
//!
//! It is for tests of programs that use RocketMQ, with any client in any language, and for trying things out. It starts
//! in a millisecond, needs neither Java nor files, and answers as Apache RocketMQ 5.5.0 or 4.9.7 does: the same codes,
//! remarks, fields and record bytes, compared request by request with running servers of both versions (on every change
//! of this project: a thousand requests, and any difference that is not in the tables below is a failure).
//!
//! ```
//! use maxq_emulator::Cluster;
//!
//! # async fn place_orders(name_servers: &str) { assert!(name_servers.starts_with("127.0.0.1:")); }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = Cluster::builder().brokers(2).topic("orders", 4).start().await?;
//!
//! // Give the address to the code under test ..
//! place_orders(&cluster.name_servers()).await;
//!
//! // .. and look at what it did.
//! for message in cluster.stored("orders") {
//!     println!("{} {}: {:?} {:?}", message.broker, message.queue_id(), message.unique_id(), message.body());
//! }
//! assert!(cluster.requests().iter().all(|request| !request.is_oneway));
//!
//! // Then make life hard.
//! cluster.kill_broker(1).await;
//! place_orders(&cluster.name_servers()).await;
//! cluster.restart_broker(1).await?;
//! cluster.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Making it fail
//!
//! | what | how |
//! |---|---|
//! | kill, restart, move, freeze and thaw a broker; make it read-only | [`Cluster::kill_broker`] and its neighbours, [`BrokerHandle`] |
//! | stop and start name servers, let them disagree or keep dead brokers | [`Cluster::stop_name_server`], [`NameServerHandle`] |
//! | answer wrongly, late, twice or never; break frames and connections | [`Cluster::fault`] with a [`Fault`], [`Cluster::intercept`] with a closure |
//! | latency, loss, cuts, half-open links; tests that can be repeated exactly | [`VirtualNetwork`] |
//! | look at what came | [`Cluster::requests`], [`FaultHandle::fired`] |
//!
//! [`fault`] has the list of the faults that are known, each with its test.
//!
//! Every cluster takes free ports and knows nothing of the others, so tests may run side by side. Dropping a cluster
//! ends it; [`Cluster::stop`] also waits until its sockets are closed.
//!
//! # What is there
//!
//! | conversation | state |
//! |---|---|
//! | send: codes 10, 310, 320; one-way; batches | as Apache, with its order of checks, automatic topic creation, retry topics and dead letters |
//! | pull: codes 11, 361; long polling | as Apache; filters by tags |
//! | offsets: 14, 15, 29, 30, 31, 32 | as Apache |
//! | heartbeats: 34, 35, 46; who is online: 38, 203, 204 | as Apache, but see 40 below |
//! | topics: 17, 215, 351; message queries: 12, 33; statistics: 28, 202, 208, 300 | as Apache; rates are 0 |
//! | name server: 105, 106, 206, 216, 224, 304, keys 100, 101, 102, 219 | as Apache |
//! | half messages (`TRAN_MSG`) | refused as by a broker with `rejectTransactionMessage`: 16 |
//! | timer messages | refused as by a broker with `timerWheelEnable` off: 1 |
//! | delay levels | refused: 1, `delay levels are not emulated yet` |
//! | SQL92 filters | refused as by a broker with `enablePropertyFilter` off, which is the default: 1 |
//! | everything else that the version knows: send-back, locks, POP, replies, recall, groups, .. | 3, ` request type N not supported: .. is not emulated yet` |
//! | what nobody knows | 3, ` request type N not supported`; the name server of 4.9.7 is silent |
//! | access control, TLS, replicas, static topics | not there |
//!
//! # What is different from Apache
//!
//! | here | with Apache | why |
//! |---|---|---|
//! | messages live in memory; above [`store_limit`](ClusterBuilder::store_limit) sends get code 14, the oldest message never goes | old files are deleted | a test that loses messages silently is no test |
//! | a message is in its queue when its send is answered | a moment later | nothing to wait for in a test |
//! | with 4.9.7, a new topic's route is there when its send is answered | a moment later: the broker registers one way | as above |
//! | a name server that starts again knows all running brokers at once | within 30 s, when they announce themselves again | as above |
//! | a read-only broker refuses every send | only those to ordered topics | shows who does not look at the route |
//! | a held pull ends when its time is up | at the next look, every five seconds | as above |
//! | a held pull looks for messages that its filter skips every five seconds of its own | all pulls together | each wait belongs to its connection |
//! | stored properties stand in the sender's order | in the order of a Java hash map | the order means nothing |
//! | a unique key that the broker makes has 32 digits | 56 on a host with IPv6 | one form suffices |
//! | `extFields` is always there, maybe empty | left out when an answer has no header class, also with exceptions | both mean the same |
//! | code 1 for a Java exception names its class; the text behind is ours | class, text, stack frame; nothing once the code is hot | nobody may rely on it |
//! | an offset where no record begins is not found (33) | whatever bytes are there | garbage helps nobody |
//! | the IPv6 bits of a request's sys flag are ignored | they corrupt the queue | as above |
//! | broken frames close a connection at once; PROXY headers are broken frames | 5.x waits for 12 bytes first, and reads PROXY headers | no proxy stands before a test |
//! | no NOTIFY_CONSUMER_IDS_CHANGED (40) | pushed when a group changes | not emulated yet; consumers rebalance every 20 s all the same |
//! | `RMQ_SYS_TRANS_HALF_TOPIC` is there from the start with 4.9.7, too | once the broker has looked after half messages, a minute later | nothing to wait for in a test |
//! | `RMQ_SYS_TRACE_TOPIC` exists | only with `traceTopicEnable` | a client that traces would log an error per message |
//! | at most 16,384 held pulls per connection | no limit | everything has one |
//! | the topic and consume statistics show a rate of 0 | what was measured | a test has no use for it |
//! | the runtime information (28) has every key that tools read, whatever the version | each version has its own | tools should work |
//! | a JSON header is JSON | single quotes pass, too | no client writes them |
//! | `putTps` and its like are three numbers from the start | one number at first, which makes `mqadmin clusterList` fail | tools should work |

mod broker;
mod builder;
mod client;
mod clock;
mod cluster;
pub mod fault;
mod gate;
mod handler;
mod java;
mod listener;
mod name_server;
mod network;
mod offset;
mod properties;
mod refusal;
mod requests;
mod serve;
mod store;
mod surroundings;
mod topic;
mod unique;
mod version;
mod view;

#[cfg(test)]
mod quiet;

pub use builder::{ClusterBuilder, StartError, StartErrorKind};
pub use clock::Clock;
pub use cluster::{BrokerHandle, Cluster, NameServerHandle};
pub use fault::{
    ArmedFault, Busy, Effect, Fault, FaultError, FaultHandle, FramePart, Goodbye, On, RequestView,
    RouteVariant, When,
};
pub use network::{VirtualNetwork, VirtualStream};
pub use requests::{RequestRecord, ServerName};
pub use version::{EmulatedVersion, UnknownVersion};
pub use view::{RegisteredClient, Stored};
