//! How names become addresses.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
};

use tokio::net::lookup_host;

use crate::{Connect, remoting::connect::tcp};

/// The future of [`Resolver::resolve`].
///
/// ```
/// use std::net::SocketAddr;
/// use maxq::{Resolver, Resolving};
///
/// /// Knows one host.
/// struct Hosts;
///
/// impl Resolver for Hosts {
///     fn resolve(&self, host: &str, port: u16) -> Resolving {
///         let known = host == "ns.example";
///         Box::pin(async move { Ok(known.then(|| SocketAddr::from(([10, 0, 0, 1], port))).into_iter().collect()) })
///     }
/// }
/// ```
pub type Resolving = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Looks names up. Any `Fn(String, u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>>` is one.
///
/// Each address of a name server's name is a name server of its own. No addresses are as good as an error. The client
/// bounds the time, and a dropped look-up is one that nobody waits for any more.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// use std::net::SocketAddr;
/// use maxq::{Client, ClientConfig};
///
/// let name_server = format!("ns.example:{}", cluster.name_server().port());
/// let config = ClientConfig::new(name_server)
///     .resolver(|_host: String, port: u16| async move { Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]) });
/// let client = Client::connect(config).await?;
/// # Ok(())
/// # }
/// ```
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of `host`, with this port. `host` is never an IP address.
    fn resolve(&self, host: &str, port: u16) -> Resolving;
}

impl<F, R> Resolver for F
where
    F: Fn(String, u16) -> R + Send + Sync + 'static,
    R: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
{
    fn resolve(&self, host: &str, port: u16) -> Resolving {
        Box::pin(self(host.to_owned(), port))
    }
}

/// The operating system's resolver, asked on the runtime's blocking pool.
pub(crate) fn system() -> Arc<dyn Resolver> {
    Arc::new(|host: String, port: u16| async move { Ok(lookup_host((host, port)).await?.collect()) })
}

/// Plain TCP that looks names up by `resolver`. The addresses are tried one after the other.
pub(crate) fn tcp_by(resolver: Arc<dyn Resolver>) -> Arc<dyn Connect> {
    let tcp = tcp();
    Arc::new(move |address: String| {
        let (resolver, tcp) = (resolver.clone(), tcp.clone());
        async move {
            let Some((host, port)) = name_of(&address) else { return tcp.connect(&address).await };
            let unknown = |error| io::Error::new(io::ErrorKind::NotFound, error);
            let found = resolver.resolve(host, port).await.map_err(unknown)?;
            let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            for address in found {
                match tcp.connect(&address.to_string()).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    })
}

/// Host and port of `host:port`, when the host is a name and not an IP address.
pub(crate) fn name_of(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let is_literal = host.contains(':') || host.parse::<IpAddr>().is_ok();
    if is_literal { None } else { Some((host, port.parse().ok()?)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_looked_up() {
        assert_eq!(name_of("ns.example:9876"), Some(("ns.example", 9876)));
        assert_eq!(name_of("localhost:1"), Some(("localhost", 1)));
        for literal in ["10.0.0.1:9876", "[::1]:9876", "::1:9876", "[fe80::1%eth0]:9876"] {
            assert_eq!(name_of(literal), None);
        }
    }

    #[tokio::test]
    async fn all_addresses_of_a_name_are_tried() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connect = tcp_by(Arc::new(move |host: String, asked: u16| async move {
            assert_eq!((host.as_str(), asked), ("broker.test", port));
            // Nobody listens at the first one.
            Ok(vec![SocketAddr::from(([127, 0, 0, 1], 1)), SocketAddr::from(([127, 0, 0, 1], port))])
        }));
        assert!(connect.connect(&format!("broker.test:{port}")).await.is_ok());
        let nobody = tcp_by(Arc::new(|_, _| async { Ok(Vec::new()) }));
        let error = nobody.connect("broker.test:1").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
    }
}
