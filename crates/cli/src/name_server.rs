//! Which cluster is meant, and the client for it.

use std::{env, fmt, time::Duration};

use anyhow::Context as _;
use maxq::{Client, ClientConfig, ConfigError};

use crate::exit::Failure;

/// The name servers, or the connection string, of a cluster, and who said so.
#[derive(Debug)]
pub(crate) struct NameServer {
    text: String,
    said_by: SaidBy,
}

/// Who named the name server. A flag wins over the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SaidBy {
    Flag,
    MaxqUrl,
    NamesrvAddr,
}

impl NameServer {
    /// What `--name-server` says, else `MAXQ_URL`, else `NAMESRV_ADDR`.
    ///
    /// # Errors
    /// None of them says anything.
    pub(crate) fn find(flag: Option<&str>) -> anyhow::Result<Self> {
        let set = |name| env::var(name).ok().filter(|text| !text.trim().is_empty());
        Self::first_of([
            (flag.map(str::to_owned), SaidBy::Flag),
            (set("MAXQ_URL"), SaidBy::MaxqUrl),
            (set("NAMESRV_ADDR"), SaidBy::NamesrvAddr),
        ])
    }

    /// A client that a name server has answered. `timeout` overrides what a connection string says.
    pub(crate) async fn connect(&self, timeout: Option<Duration>) -> anyhow::Result<Client> {
        let config = self.client_config(timeout)?;
        Client::connect(config).await.with_context(|| self.said_by.to_string())
    }

    /// What such a client is made of.
    pub(crate) fn client_config(&self, timeout: Option<Duration>) -> anyhow::Result<ClientConfig> {
        let config = self.config().with_context(|| self.said_by.to_string())?;
        Ok(match timeout {
            Some(timeout) => config.request_timeout(timeout).connect_timeout(timeout),
            None => config,
        })
    }

    /// The producer group that a connection string names.
    pub(crate) fn group(&self) -> Option<String> {
        self.config().ok()?.group().map(str::to_owned)
    }

    fn config(&self) -> Result<ClientConfig, ConfigError> {
        match self.said_by {
            SaidBy::MaxqUrl => ClientConfig::from_url(&self.text),
            SaidBy::Flag if self.text.contains("://") => ClientConfig::from_url(&self.text),
            SaidBy::Flag => Ok(ClientConfig::new(self.text.as_str())),
            SaidBy::NamesrvAddr => Ok(ClientConfig::new(behind_http(&self.text))),
        }
    }

    fn first_of(sources: [(Option<String>, SaidBy); 3]) -> anyhow::Result<Self> {
        let mut named = sources.into_iter().filter_map(|(text, said_by)| Some(Self { text: text?, said_by }));
        named.next().ok_or_else(|| Failure::usage(NOBODY))
    }
}

/// Of an `http://` URL only what stands behind its last slash, as Apache's tools read it and `ClientConfig::from_env` does.
fn behind_http(text: &str) -> &str {
    match text.rsplit_once('/') {
        Some((_, servers)) if text.starts_with("http://") => servers,
        _ => text,
    }
}

/// Only the source is named, never the text: a connection string may hold a secret.
impl fmt::Display for SaidBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "--name-server",
            Self::MaxqUrl => "MAXQ_URL",
            Self::NamesrvAddr => "NAMESRV_ADDR",
        })
    }
}

const NOBODY: &str = "no name server is named: give --name-server HOST:9876, or set MAXQ_URL=rocketmq://HOST:9876 or \
                      NAMESRV_ADDR=HOST:9876 (a cluster to play with: maxq emulator run)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_wins_and_then_maxq_url() {
        let text = |text: &str| Some(text.to_owned());
        let said = |sources| NameServer::first_of(sources).unwrap().said_by;
        let (flag, url, address) = (SaidBy::Flag, SaidBy::MaxqUrl, SaidBy::NamesrvAddr);
        assert_eq!(said([(text("a:1"), flag), (text("rocketmq://b:1"), url), (text("c:1"), address)]), flag);
        assert_eq!(said([(None, flag), (text("rocketmq://b:1"), url), (text("c:1"), address)]), url);
        assert_eq!(said([(None, flag), (None, url), (text("c:1"), address)]), address);
        let nobody = NameServer::first_of([(None, flag), (None, url), (None, address)]).unwrap_err();
        assert!(nobody.to_string().contains("NAMESRV_ADDR"));
    }

    #[test]
    fn maxq_url_must_be_a_connection_string_and_the_flag_may() {
        let config = |text: &str, said_by| NameServer { text: text.to_owned(), said_by }.config();
        assert!(config("a:9876", SaidBy::MaxqUrl).is_err());
        assert!(config("rocketmq://a:9876", SaidBy::MaxqUrl).is_ok());
        assert!(config("rocketmq://a:9876", SaidBy::Flag).is_ok());
        assert!(config("a:9876,b:9876", SaidBy::NamesrvAddr).is_ok());
        assert_eq!(behind_http("http://ns:9876"), "ns:9876");
        assert_eq!(behind_http("http://proxy/ns/a:9876;b:9876"), "a:9876;b:9876");
        assert_eq!(behind_http("a:9876;b:9876"), "a:9876;b:9876");
        assert_eq!(behind_http("rocketmq://a:9876"), "rocketmq://a:9876", "which is no host:port");
        let text = "rocketmq://a:9876/?group=orders".to_owned();
        assert_eq!(NameServer { text, said_by: SaidBy::MaxqUrl }.group().as_deref(), Some("orders"));
    }
}
