//! The address endpoint: a web server that says where the name servers are (Apache's `DefaultTopAddressing`).

use std::{io, pin::pin, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;

use crate::{
    ConfigError, Connect, Stream,
    config::check_address,
    remoting::{cause::Cause, connect::ReadWrite},
};

/// One endpoint, and how it is reached.
pub(crate) struct Endpoint {
    url: String,
    /// `host:port`.
    address: String,
    /// Where the path begins in the URL.
    path: usize,
    connector: Arc<dyn Connect>,
}

impl Endpoint {
    /// The endpoint at a URL, or Apache's at a domain: port 8080 unless it names one, path `/rocketmq/nsaddr`.
    pub(crate) fn new(
        place: &str,
        unit: Option<&str>,
        connector: Arc<dyn Connect>,
    ) -> Result<Self, ConfigError> {
        let wrong = |why: &str| ConfigError::new(format!("{place:?} is no address endpoint: {why}"));
        let (authority, path) = match place.split_once("://") {
            Some(("http", rest)) => match rest.split_once('/') {
                Some((authority, path)) => (authority, format!("/{path}")),
                None => (rest, DEFAULT_PATH.to_owned()),
            },
            Some(_) => return Err(wrong("only http:// is supported")),
            None if place.contains('/') => return Err(wrong("give a domain, or a URL with http://")),
            None => (place, DEFAULT_PATH.to_owned()),
        };
        if path.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'#') {
            return Err(wrong("the path has a character that no path has"));
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
        // A whole URL means what it means in a browser.
        let port = if place.contains("://") { 80 } else { 8080 };
        let address = if has_port { authority.to_owned() } else { format!("{authority}:{port}") };
        check_address(&address, port)?;
        let unit = match unit {
            Some(_) if path.contains('?') => {
                return Err(wrong("leave the query out: the unit name brings one of its own"));
            }
            Some(unit) => format!("-{unit}?nofix=1"),
            None => String::new(),
        };
        let begin =
            format!("http://{authority}{}", if has_port { String::new() } else { format!(":{port}") });
        Ok(Self { path: begin.len(), url: format!("{begin}{path}{unit}"), address, connector })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The name servers that the endpoint names now; at least one.
    ///
    /// # Cancel safety
    /// Safe: the connection is closed.
    pub(crate) async fn fetch(&self, within: Duration) -> Result<Vec<Arc<str>>, Cause> {
        match tokio::time::timeout(within, self.get()).await {
            Ok(Ok(text)) => servers(&text).map_err(Cause::Io),
            Ok(Err(error)) => Err(Cause::Io(error)),
            Err(_) => Err(Cause::TimedOut),
        }
    }

    async fn get(&self) -> io::Result<String> {
        let stream: Box<dyn ReadWrite> = match self.connector.connect(&self.address).await? {
            Stream::Tcp(stream) => Box::new(stream),
            Stream::Boxed(stream) => stream,
        };
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let request = Request::get(&self.url[self.path..])
            .header(header::HOST, &self.address)
            .header(header::USER_AGENT, concat!("maxq/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(io::Error::other)?;
        let exchange = async {
            let answer = sender.send_request(request).await.map_err(io::Error::other)?;
            if answer.status() != StatusCode::OK {
                return Err(io::Error::other(format!("it answered HTTP {}", answer.status())));
            }
            let body = Limited::new(answer.into_body(), LONGEST).collect().await.map_err(io::Error::other)?;
            String::from_utf8(body.to_bytes().into()).map_err(io::Error::other)
        };
        let (mut exchange, mut connection) = (pin!(exchange), pin!(connection));
        // The connection moves the bytes. It may end first, with the answer already handed over.
        tokio::select! {
            biased;
            text = &mut exchange => text,
            _ended = &mut connection => exchange.await,
        }
    }
}

/// The first line is the list; entries that are no addresses are left out.
fn servers(text: &str) -> io::Result<Vec<Arc<str>>> {
    let line = text.trim().lines().next().unwrap_or_default();
    let mut servers: Vec<Arc<str>> = Vec::new();
    for server in line.split([';', ',']).map(str::trim).filter(|server| !server.is_empty()) {
        match check_address(server, 9876) {
            Ok(()) => servers.push(server.into()),
            Err(error) => tracing::warn!(%error, "the address endpoint names something else"),
        }
    }
    servers.truncate(MOST);
    if servers.is_empty() {
        return Err(io::Error::other("it answered no name servers"));
    }
    Ok(servers)
}

/// As in Apache's `MixAll.getWSAddr`.
const DEFAULT_PATH: &str = "/rocketmq/nsaddr";
/// The longest answer in bytes.
const LONGEST: usize = 64 << 10;
/// So many of the servers are used.
const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remoting::connect::tcp;

    fn endpoint(place: &str, unit: Option<&str>) -> Result<Endpoint, ConfigError> {
        Endpoint::new(place, unit, tcp())
    }

    #[test]
    fn a_domain_is_asked_where_apaches_client_asks() {
        let rows = [
            ("ns.example.com", None, "http://ns.example.com:8080/rocketmq/nsaddr", "ns.example.com:8080"),
            ("ns.example.com:80", None, "http://ns.example.com:80/rocketmq/nsaddr", "ns.example.com:80"),
            ("a:1", Some("u"), "http://a:1/rocketmq/nsaddr-u?nofix=1", "a:1"),
            ("http://a/list", None, "http://a:80/list", "a:80"),
            ("http://a:81/list?x=1", None, "http://a:81/list?x=1", "a:81"),
            ("http://[::1]/list", Some("u"), "http://[::1]:80/list-u?nofix=1", "[::1]:80"),
            ("http://a", None, "http://a:80/rocketmq/nsaddr", "a:80"),
        ];
        for (place, unit, url, address) in rows {
            let endpoint = endpoint(place, unit).unwrap();
            assert_eq!((endpoint.url(), endpoint.address.as_str()), (url, address));
            assert!(endpoint.url[endpoint.path..].starts_with('/'), "{url}");
        }
    }

    #[test]
    fn what_is_no_endpoint_says_why() {
        let rows = [
            ("https://a/b", None, "only http"),
            ("a/b", None, "http://"),
            ("", None, "host is missing"),
            ("http://a/b c", None, "character"),
            ("http://a/b?c", Some("u"), "query"),
            ("a b", None, "character"),
        ];
        for (place, unit, why) in rows {
            let error = endpoint(place, unit).err().unwrap().to_string();
            assert!(error.contains(why), "{place}: {error}");
        }
    }

    #[test]
    fn the_first_line_of_the_answer_is_the_list() {
        let list =
            |text| servers(text).map(|servers| servers.join(" ")).unwrap_or_else(|error| error.to_string());
        assert_eq!(list("\n 10.0.0.1:9876; b:9877 ;\r\nsomething else"), "10.0.0.1:9876 b:9877");
        assert_eq!(list("a:9876;<html>;b"), "a:9876");
        assert_eq!(list(""), "it answered no name servers");
        assert_eq!(list("<html>no</html>"), "it answered no name servers");
    }
}
