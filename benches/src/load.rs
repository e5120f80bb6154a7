//! What is sent, how long, and to whom: the options that the floor and the client share.

use std::{fmt, net::SocketAddr, num::NonZeroUsize, time::Duration};

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
    /// Messages in flight: so many tasks send, each awaits its answer before it sends again
    #[arg(long, default_value = "1")]
    pub inflight: NonZeroUsize,
    /// The rest.
    #[command(flatten)]
    pub shape: Shape,
}

impl Load {
    /// The body of every message. It does not compress, because nothing would be learnt about sending.
    pub fn body(&self) -> Bytes {
        vec![b'x'; self.shape.body].into()
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
fn seconds(text: &str) -> Result<Duration, String> {
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
        shape: Shape,
    }

    #[test]
    fn arguments_say_the_same_again() {
        let given = ["bench", "--threads=2", "--body=7", "--encoding=binary", "--warm=0.25", "--secs=1.5"];
        let shape = Line::parse_from(given).shape;
        assert_eq!(shape.arguments(), given[1..]);
    }

    #[test]
    fn a_negative_time_is_refused() {
        assert!(Line::try_parse_from(["bench", "--secs=-1"]).is_err());
    }
}
