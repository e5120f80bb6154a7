//! What a null broker has seen, and how others read it: the private request [`STATISTICS`].

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use anyhow::Context as _;
use bytes::BytesMut;
use cpu_time::ProcessTime;
use maxq_protocol::{Flags, FrameReader, RemotingCommand, ResponseCode};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::STATISTICS;

/// Counts of everything; only ever added to.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) sends: AtomicU64,
    pub(super) messages: AtomicU64,
    pub(super) oneway: AtomicU64,
    pub(super) routes: AtomicU64,
    pub(super) heartbeats: AtomicU64,
    pub(super) others: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) reads: AtomicU64,
    pub(super) writes: AtomicU64,
}

impl Counters {
    /// Adds one and says what the count was before.
    pub(super) fn one(counter: &AtomicU64) -> u64 {
        counter.fetch_add(1, Relaxed)
    }

    pub(super) fn statistics(&self) -> Statistics {
        let read = |counter: &AtomicU64| counter.load(Relaxed);
        Statistics {
            sends: read(&self.sends),
            messages: read(&self.messages),
            oneway: read(&self.oneway),
            routes: read(&self.routes),
            heartbeats: read(&self.heartbeats),
            others: read(&self.others),
            connections: read(&self.connections),
            reads: read(&self.reads),
            writes: read(&self.writes),
            cpu_us: ProcessTime::now().as_duration().as_micros() as u64,
        }
    }
}

/// What a null broker has seen since it started.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Statistics {
    /// Send frames, one-way ones too.
    pub sends: u64,
    /// Messages in them: a batch is one frame with several.
    pub messages: u64,
    /// Send frames that wanted no answer.
    pub oneway: u64,
    /// Route queries.
    pub routes: u64,
    /// Heartbeats.
    pub heartbeats: u64,
    /// All other requests.
    pub others: u64,
    /// Connections that were accepted.
    pub connections: u64,
    /// Reads from sockets.
    pub reads: u64,
    /// Writes to sockets.
    pub writes: u64,
    /// CPU time of the broker's process in microseconds.
    pub cpu_us: u64,
}

impl Statistics {
    /// Asks a null broker.
    ///
    /// # Errors
    /// It cannot be reached, or what is there is no null broker.
    pub async fn ask(address: SocketAddr) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).await.context("no null broker to connect to")?;
        let mut request = RemotingCommand::response(ResponseCode(STATISTICS), 1);
        request.flags = Flags::REQUEST;
        let mut out = Vec::new();
        request.encode(&mut out);
        stream.write_all(&out).await?;
        let mut input = BytesMut::new();
        let answer = loop {
            if let Some(answer) = FrameReader::new().next(&mut input)? {
                break answer;
            }
            anyhow::ensure!(stream.read_buf(&mut input).await? > 0, "the null broker closed the connection");
        };
        serde_json::from_slice(&answer.body).context("not the statistics of a null broker")
    }
}
