//! The control interface, seen from outside: one request, one answer.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, StatusCode,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    args::Global,
    exit::{Exit, Failure},
};

/// Where a control interface is, and how long an answer may take.
#[derive(Debug)]
pub(super) struct Remote {
    address: String,
    patience: Duration,
}

impl Remote {
    pub(super) fn new(address: &str, global: &Global) -> Self {
        Self { address: address.to_owned(), patience: global.send_timeout() }
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::GET, path, Vec::new()).await
    }

    pub(super) async fn post(&self, path: &str, body: Vec<u8>) -> anyhow::Result<Value> {
        self.ask(Method::POST, path, body).await
    }

    pub(super) async fn delete(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::DELETE, path, Vec::new()).await
    }

    async fn ask(&self, method: Method, path: &str, body: Vec<u8>) -> anyhow::Result<Value> {
        match timeout(self.patience, self.exchange(method, path, body)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.unreachable(&format!("no answer within {:?}", self.patience))),
        }
    }

    async fn exchange(&self, method: Method, path: &str, body: Vec<u8>) -> anyhow::Result<Value> {
        let stream = TcpStream::connect(&self.address).await.map_err(|error| self.unreachable(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.unreachable(&error))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.address)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let answer = async {
            let answer = sender.send_request(request).await.map_err(|error| self.unreachable(&error))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
            let body = body.map_err(|error| self.unreachable(&error))?.to_bytes();
            read(status, &body)
        };
        tokio::pin!(answer, connection);
        tokio::select! {
            biased; // the answer first: the connection ends when it has come
            answer = &mut answer => answer,
            _ = &mut connection => answer.await,
        }
    }

    fn unreachable(&self, cause: &impl std::fmt::Display) -> anyhow::Error {
        let address = &self.address;
        Failure::error(
            Exit::CannotConnect,
            format!(
                "no control interface at {address}: {cause}; start one: maxq emulator run --control PORT"
            ),
        )
    }
}

/// The value of an answer, or what the other side says is wrong.
fn read(status: StatusCode, body: &[u8]) -> anyhow::Result<Value> {
    let value: Value =
        serde_json::from_slice(body).context("the answer is no JSON; is this the control interface?")?;
    if status.is_success() {
        return Ok(value);
    }
    let exit = if status == StatusCode::BAD_REQUEST { Exit::Usage } else { Exit::Refused };
    Err(Failure::error(exit, value["error"].as_str().unwrap_or(status.as_str())))
}

/// `PORT`, `HOST:PORT` or `http://HOST:PORT`.
pub(super) fn address(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is no control interface; write 9877 or 127.0.0.1:9877");
    let plain = text.strip_prefix("http://").unwrap_or(text).trim_end_matches('/');
    let address = if plain.contains(':') { plain.to_owned() } else { format!("127.0.0.1:{plain}") };
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    match port.parse::<u16>() {
        Ok(1..) if !host.is_empty() && !host.contains('/') => Ok(address),
        _ => Err(wrong()),
    }
}

/// Many requests, each a few hundred bytes.
const MAX_ANSWER: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_means_this_machine() {
        assert_eq!(address("9877").unwrap(), "127.0.0.1:9877");
        assert_eq!(address("http://localhost:9877/").unwrap(), "localhost:9877");
        for wrong in ["", "0", "x", "host:", ":1", "99999", "http://a/b:1"] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }
}
