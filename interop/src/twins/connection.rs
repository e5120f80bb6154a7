//! The least client: frames out, frames in, and what else can happen to a connection.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use bytes::BytesMut;
use maxq_protocol::{FrameReader, RemotingCommand};

use crate::clock;

/// One connection to one server.
pub(super) struct Connection {
    stream: TcpStream,
    input: BytesMut,
    next_opaque: i32,
}

/// What came within a time.
pub(super) enum Came {
    Frame(RemotingCommand),
    /// The server has closed the connection, or sent what is no frame.
    End,
    Nothing,
}

impl Connection {
    pub(super) fn open(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&server, PATIENCE)
            .with_context(|| format!("cannot connect to {server}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, input: BytesMut::new(), next_opaque: 1 })
    }

    /// Our own end, as the server sees it.
    pub(super) fn local(&self) -> Result<SocketAddr> {
        Ok(self.stream.local_addr()?)
    }

    /// Sends a request under a new opaque, and gives that.
    pub(super) fn post(&mut self, request: RemotingCommand) -> i32 {
        let opaque = self.next_opaque;
        self.next_opaque += 1;
        let mut frame = Vec::new();
        RemotingCommand { opaque, ..request }.encode(&mut frame);
        self.write(&frame);
        opaque
    }

    /// Sends bytes. A server that has closed the connection meanwhile is met when its answer is awaited.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next frame, whatever it answers.
    pub(super) fn next(&mut self, limit: Duration) -> Result<Came> {
        let end = clock::now() + limit;
        loop {
            match FrameReader::new().next(&mut self.input) {
                Ok(Some(frame)) => return Ok(Came::Frame(frame)),
                Ok(None) => {}
                Err(_) => return Ok(Came::End),
            }
            let Some(left) = left_until(end) else { return Ok(Came::Nothing) };
            self.stream.set_read_timeout(Some(left))?;
            let mut chunk = [0; 16_384];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(Came::End),
                Ok(length) => self.input.extend_from_slice(&chunk[..length]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A reset is an end too.
                Err(_) => return Ok(Came::End),
            }
        }
    }

    /// The answer to `opaque`. What else comes meanwhile (the server's own requests) is passed over.
    pub(super) fn answer(&mut self, opaque: i32, limit: Duration) -> Result<Came> {
        let end = clock::now() + limit;
        loop {
            let Some(left) = left_until(end) else { return Ok(Came::Nothing) };
            match self.next(left)? {
                Came::Frame(frame) if !frame.is_response() || frame.opaque != opaque => {}
                came => return Ok(came),
            }
        }
    }
}

fn left_until(end: Instant) -> Option<Duration> {
    let left = end.saturating_duration_since(clock::now());
    // A socket takes no shorter time-out.
    (left > Duration::from_micros(100)).then_some(left)
}

/// For a connection on loopback.
const PATIENCE: Duration = Duration::from_secs(10);
