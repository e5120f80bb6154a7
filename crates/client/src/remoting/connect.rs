//! How a byte stream to a server is opened.

use std::{fmt, future::Future, io, pin::Pin, sync::Arc, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
};

/// A byte stream to a name server or a broker.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use maxq::{Client, ClientConfig, Stream};
/// use maxq_emulator::{Cluster, VirtualNetwork};
///
/// let network = VirtualNetwork::seeded(7);
/// let cluster = Cluster::builder().virtual_network(&network).start().await?;
/// let config = ClientConfig::new(cluster.name_servers()).connector(move |address: String| {
///     let network = network.clone();
///     async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
/// });
/// let client = Client::connect(config).await?;
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
pub enum Stream {
    /// TCP, split without a lock.
    Tcp(TcpStream),
    /// Anything else that reads and writes.
    Boxed(Box<dyn ReadWrite>),
}

/// What a [`Stream::Boxed`] has to be.
///
/// ```
/// use maxq::{ReadWrite, Stream};
///
/// fn boxed(stream: impl ReadWrite + 'static) -> Stream {
///     Stream::Boxed(Box::new(stream))
/// }
/// let (ours, _theirs) = tokio::io::duplex(64);
/// let stream = boxed(ours);
/// ```
pub trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for T {}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(stream) => f.debug_tuple("Tcp").field(stream).finish(),
            Self::Boxed(_) => f.write_str("Boxed"),
        }
    }
}

/// The future of [`Connect::connect`].
///
/// ```
/// use maxq::{Connect, Connecting, Stream};
///
/// /// Counts what it dials.
/// struct Counting(std::sync::atomic::AtomicUsize);
///
/// impl Connect for Counting {
///     fn connect(&self, address: &str) -> Connecting {
///         self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///         let address = address.to_owned();
///         Box::pin(async move { Ok(Stream::Tcp(tokio::net::TcpStream::connect(address).await?)) })
///     }
/// }
/// ```
pub type Connecting = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

/// Opens streams. Any `Fn(String) -> impl Future<Output = io::Result<Stream>>` is one.
///
/// The address is `host:port` as configured or as a name server gave it, after
/// [`map_address`](crate::ClientConfig::map_address). The client bounds the time. An error of the kind
/// [`NotFound`](io::ErrorKind::NotFound) says that the host's name is not known.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// use maxq::{Client, ClientConfig, Stream};
/// use tokio::net::TcpStream;
///
/// let config = ClientConfig::new(cluster.name_servers()).connector(|address: String| async move {
///     println!("dialling {address}");
///     Ok(Stream::Tcp(TcpStream::connect(address).await?))
/// });
/// let client = Client::connect(config).await?;
/// # Ok(())
/// # }
/// ```
pub trait Connect: Send + Sync + 'static {
    /// Opens a stream to `address`.
    fn connect(&self, address: &str) -> Connecting;
}

impl<F, R> Connect for F
where
    F: Fn(String) -> R + Send + Sync + 'static,
    R: Future<Output = io::Result<Stream>> + Send + 'static,
{
    fn connect(&self, address: &str) -> Connecting {
        Box::pin(self(address.to_owned()))
    }
}

/// Plain TCP: no delay, keep-alive probes after 60 s of silence; a link that takes no bytes for 30 s is given up, where
/// the system can do that.
pub(crate) fn tcp() -> Arc<dyn Connect> {
    Arc::new(|address: String| async move {
        let unknown = |error| io::Error::new(io::ErrorKind::NotFound, error);
        let found: Vec<_> = lookup_host(bracketed(&address)).await.map_err(unknown)?.collect();
        let stream = TcpStream::connect(&*found).await?;
        stream.set_nodelay(true)?;
        let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(60));
        let socket = SockRef::from(&stream);
        socket.set_tcp_keepalive(&keepalive)?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(Duration::from_secs(30)))?;
        Ok(Stream::Tcp(stream))
    })
}

/// Java servers may report IPv6 addresses without brackets (`::1:10911`): the port stands after the last colon.
pub(crate) fn bracketed(address: &str) -> String {
    match address.rsplit_once(':') {
        Some((host, port)) if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_ipv6_address_gets_its_brackets() {
        assert_eq!(bracketed("::1:10911"), "[::1]:10911");
        assert_eq!(bracketed("[::1]:10911"), "[::1]:10911");
        assert_eq!(bracketed("10.0.0.1:10911"), "10.0.0.1:10911");
        assert_eq!(bracketed("broker.local:10911"), "broker.local:10911");
    }
}
