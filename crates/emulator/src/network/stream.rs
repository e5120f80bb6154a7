//! An end of a connection as a byte stream.

use std::{
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep_until},
};

use super::link::{Goodbye, Link, Read, Side};

/// One end of a connection on a [`VirtualNetwork`](super::VirtualNetwork). Dropping it says goodbye to the other end.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use maxq_emulator::Cluster;
/// use maxq_emulator::VirtualNetwork;
/// use tokio::io::AsyncReadExt as _;
///
/// let network = VirtualNetwork::seeded(7);
/// let cluster = Cluster::builder().virtual_network(&network).start().await?;
/// let mut stream = network.dial(&cluster.name_servers()).await?;
/// network.cut(&cluster.name_servers());
/// assert!(stream.read_u8().await.is_err());
/// # Ok(())
/// # }
/// ```
pub struct VirtualStream {
    link: Arc<Link>,
    side: Side,
    /// Until the next piece is due.
    arrival: Option<Pin<Box<Sleep>>>,
    goodbye: Goodbye,
}

impl VirtualStream {
    pub(super) fn new(link: Arc<Link>, side: Side) -> Self {
        Self { link, side, arrival: None, goodbye: Goodbye::Fin }
    }

    /// How dropping it will say goodbye.
    pub(crate) fn leave(&mut self, goodbye: Goodbye) {
        self.goodbye = goodbye;
    }
}

impl AsyncRead for VirtualStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.link.read(self.side, cx, into) {
                Read::Done(result) => return Poll::Ready(result),
                Read::Wait => return Poll::Pending,
                Read::NotBefore(due) => {
                    let arrival = self.arrival.get_or_insert_with(|| Box::pin(sleep_until(due)));
                    if arrival.deadline() != due {
                        arrival.as_mut().reset(due);
                    }
                    ready!(arrival.as_mut().poll(cx));
                }
            }
        }
    }
}

impl AsyncWrite for VirtualStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.link.write(self.side, cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.finish(self.side, Goodbye::Fin);
        Poll::Ready(Ok(()))
    }
}

impl Drop for VirtualStream {
    fn drop(&mut self) {
        self.link.finish(self.side, self.goodbye);
        self.link.stop_reading(self.side);
    }
}

impl fmt::Debug for VirtualStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VirtualStream")
    }
}
