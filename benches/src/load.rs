//! What is sent, how long, and to whom: the options that the floor and the client share.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    num::{NonZeroU64, NonZeroUsize},
    time::Duration,
};

use bytes::Bytes;
use clap::ValueEnum;
use maxq_protocol::HeaderEncoding;
use serde::{Deserialize, Serialize};

/// One run's load.
#[derive(Clone, Debug, clap::Args)]
pub struct Load {
    /// Name server and broker to send to
    #[arg(long, default_value = "127.0.0.1:19876")]
    pub name_server: SocketAddr,
    /// How to send
    #[arg(long, value_enum, default_value_t = Way::Awaited)]
    pub way: Way,
    /// Messages in flight: so many tasks send, each waits for its own before it sends again (batches: so many batches)
    #[arg(long, default_value = "1")]
    pub inflight: NonZeroUsize,
    /// Brokers that the floor deals its senders out to; the client finds its own
    #[arg(long = "broker", value_name = "HOST:PORT,..", value_delimiter = ',')]
    pub brokers: Vec<SocketAddr>,
    /// Messages in a batch
    #[arg(long, default_value = "64")]
    pub batch: NonZeroUsize,
    /// Topics that messages go to in turn
    #[arg(long, default_value = "1")]
    pub topics: NonZeroUsize,
    /// End after about so many messages and not after a time: each task sends its share, and nothing is warmed up
    #[arg(long)]
    pub messages: Option<NonZeroU64>,
    /// Count the write system calls; costs some time
    #[arg(long)]
    pub count_writes: bool,
    /// The broker is a real one: it has no counters to be asked for, and may refuse
    #[arg(long)]
    pub real_broker: bool,
    /// The rest.
    #[command(flatten)]
    pub shape: Shape,
}

/// How messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// `send(message).await`
    Awaited,
    /// `send(message).oneway().await`
    Oneway,
    /// `send_batch(batch).await`
    Batch,
    /// `send(message).enqueue().await`, by one task that goes on until there is no room; callbacks count
    Enqueue,
    /// `blocking::Producer::send(message).wait()`, by threads
    Blocking,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

impl Default for Load {
    fn default() -> Self {
        Self {
            name_server: (Ipv4Addr::LOCALHOST, 19_876).into(),
            way: Way::Awaited,
            inflight: NonZeroUsize::MIN,
            brokers: Vec::new(),
            batch: NonZeroUsize::MIN.saturating_add(63),
            topics: NonZeroUsize::MIN,
            messages: None,
            count_writes: false,
            real_broker: false,
            shape: Shape::default(),
        }
    }
}

impl Load {
    /// In flight where it shall be many, and nothing depends on how many.
    pub const INFLIGHT_OF_MANY: NonZeroUsize = NonZeroUsize::MIN.saturating_add(255);

    /// The options that make another process send the same.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![
            format!("--name-server={}", self.name_server),
            format!("--way={}", self.way),
            format!("--inflight={}", self.inflight),
            format!("--batch={}", self.batch),
            format!("--topics={}", self.topics),
        ];
        arguments.extend(self.brokers.iter().map(|broker| format!("--broker={broker}")));
        arguments.extend(self.messages.map(|messages| format!("--messages={messages}")));
        arguments.extend(self.count_writes.then(|| "--count-writes".to_owned()));
        arguments.extend(self.real_broker.then(|| "--real-broker".to_owned()));
        arguments.extend(self.shape.arguments());
        arguments
    }

    /// Where the floor sends to.
    pub fn brokers(&self) -> Vec<SocketAddr> {
        if self.brokers.is_empty() { vec![self.name_server] } else { self.brokers.clone() }
    }

    /// The body of every message.
    pub fn body(&self) -> Bytes {
        vec![b'x'; self.shape.body].into()
    }

    /// The topics, all of a length.
    pub fn topics(&self) -> Vec<String> {
        match self.topics.get() {
            1 => vec!["BenchTopic".to_owned()],
            topics => (0..topics).map(|topic| format!("BenchTopic{topic:05}")).collect(),
        }
    }

    /// How many tasks or threads send.
    pub const fn tasks(&self) -> usize {
        if matches!(self.way, Way::Enqueue) { 1 } else { self.inflight.get() }
    }

    /// Of how many sends of one task one is timed.
    ///
    /// Reading the clock twice costs about as much as a tenth of the cheapest message, so with many in flight most are
    /// not. A real broker is so slow that it does not matter, and that many would send too few in a run.
    pub const fn timed_every(&self) -> u64 {
        if self.inflight.get() == 1 || self.real_broker { 1 } else { 64 }
    }

    /// Messages that one send is.
    pub const fn messages_in_one(&self) -> u64 {
        if matches!(self.way, Way::Batch) { self.batch.get() as u64 } else { 1 }
    }

    /// How often each task sends, where that is fixed.
    pub fn share(&self) -> Option<u64> {
        let together = self.tasks() as u64 * self.messages_in_one();
        self.messages.map(|messages| messages.get().div_ceil(together))
    }
}

/// What does not change within a series of runs.
#[derive(Clone, Debug, clap::Args)]
pub struct Shape {
    /// Threads of the runtime; 1 is a current-thread runtime
    #[arg(long, default_value = "1")]
    pub threads: NonZeroUsize,
    /// Bytes in a body
    #[arg(long, default_value_t = 1024)]
    pub body: usize,
    /// How headers are encoded
    #[arg(long, value_enum, default_value_t = Encoding::Json)]
    pub encoding: Encoding,
    /// Seconds before measuring begins
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds)]
    pub warm: Duration,
    /// Seconds that are measured
    #[arg(long = "secs", value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    pub steady: Duration,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            threads: NonZeroUsize::MIN,
            body: 1024,
            encoding: Encoding::Json,
            warm: Duration::from_millis(500),
            steady: Duration::from_secs(3),
        }
    }
}

impl Shape {
    /// The options that make another process send the same.
    pub fn arguments(&self) -> [String; 5] {
        [
            format!("--threads={}", self.threads),
            format!("--body={}", self.body),
            format!("--encoding={}", self.encoding),
            format!("--warm={}", self.warm.as_secs_f64()),
            format!("--secs={}", self.steady.as_secs_f64()),
        ]
    }
}

/// The two header encodings, as options name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// What clients send unless told otherwise.
    Json,
    /// RocketMQ's binary header.
    Binary,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Json => "json",
            Self::Binary => "binary",
        })
    }
}

impl From<Encoding> for HeaderEncoding {
    fn from(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Json => Self::Json,
            Encoding::Binary => Self::Binary,
        }
    }
}

/// Seconds with a fraction, as an option.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|error| format!("{error}"))?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        load: Load,
    }

    #[test]
    fn arguments_say_the_same_again() {
        let given = "bench --name-server=127.0.0.1:7 --way=oneway --inflight=3 --batch=4 --topics=5 --broker=127.0.0.1:8 \
                     --messages=6 --count-writes --real-broker --threads=2 --body=7 --encoding=binary --warm=0.25 --secs=1.5";
        let given: Vec<_> = given.split_whitespace().collect();
        assert_eq!(Line::parse_from(&given).load.arguments(), given[1..]);
    }

    #[test]
    fn without_options_it_is_the_default() {
        assert_eq!(Line::parse_from(["bench"]).load.arguments(), Load::default().arguments());
    }

    #[test]
    fn a_negative_time_is_refused() {
        assert!(Line::try_parse_from(["bench", "--secs=-1"]).is_err());
    }
}
