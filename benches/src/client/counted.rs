//! Write system calls, counted where the client hands its bytes to the socket.
//!
//! The counting stream takes the client's road for streams of any kind, which costs a little more than its road for TCP.
//! So writes are counted in runs of their own, and those runs are not timed.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use maxq::{Connect, Stream};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::measure::Meter;

/// Opens TCP streams that count their writes.
pub(super) fn connector(writes: Arc<AtomicU64>) -> impl Connect {
    move |address: String| {
        let writes = writes.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Stream::Boxed(Box::new(Counted { stream, writes })))
        }
    }
}

/// Writes for each message of the whole run; a handful for routes and heartbeats are among them.
pub(super) fn per_message(writes: &AtomicU64, meter: &Meter) -> f64 {
    writes.load(Relaxed) as f64 / meter.messages().max(1) as f64
}

struct Counted {
    stream: TcpStream,
    writes: Arc<AtomicU64>,
}

impl Counted {
    /// Only what the kernel took was a call; the runtime says "pending" without one, or after one that took nothing.
    fn count(&self, written: io::Result<usize>) -> Poll<io::Result<usize>> {
        self.writes.fetch_add(1, Relaxed);
        Poll::Ready(written)
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, slices));
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
