//! Where a server listens, and what it accepts: sockets, or the virtual network.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

use crate::network::{Goodbye, VirtualListener, VirtualNetwork, VirtualStream};

/// Where the servers of a cluster listen.
#[derive(Clone, Debug)]
pub(crate) enum Net {
    Tcp,
    Virtual(VirtualNetwork),
}

/// Somebody who listens.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Virtual(VirtualListener),
}

/// A connection that was accepted.
pub(crate) enum ServerStream {
    Tcp(TcpStream),
    Virtual(VirtualStream),
}

impl Net {
    /// Listens, and says on which address: port 0 of TCP is any free one.
    ///
    /// # Errors
    /// The address is taken, or not one of this machine.
    pub(crate) async fn listen(&self, address: SocketAddr) -> io::Result<(Listener, SocketAddr)> {
        match self {
            Self::Tcp => {
                let listener = TcpListener::bind(address).await?;
                let bound = listener.local_addr()?;
                Ok((Listener::Tcp(listener), bound))
            }
            Self::Virtual(network) => Ok((Listener::Virtual(network.listen(address)?), address)),
        }
    }
}

impl Listener {
    /// Waits for the next connection, and says from where it comes.
    ///
    /// Cancel safety: dropped early, no connection is lost.
    ///
    /// # Errors
    /// As those of `accept`: most often too many open files.
    pub(crate) async fn accept(&self) -> io::Result<(ServerStream, SocketAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // An answer waits for nothing; a failure here means that the peer has gone already.
                let _ = stream.set_nodelay(true);
                Ok((ServerStream::Tcp(stream), address))
            }
            Self::Virtual(listener) => {
                let (stream, address) = listener.accept().await;
                Ok((ServerStream::Virtual(stream), address))
            }
        }
    }
}

impl ServerStream {
    /// Ends the connection by a reset: what is under way may be lost.
    pub(crate) fn reset(self) {
        match self {
            // Closing with no time to linger is how a socket is made to send RST. If that cannot be set, the peer has
            // gone already.
            Self::Tcp(stream) => drop(stream.set_zero_linger()),
            Self::Virtual(mut stream) => stream.leave(Goodbye::Reset),
        }
    }
}

impl AsyncRead for ServerStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, into),
            Self::Virtual(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for ServerStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Virtual(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Virtual(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Virtual(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
