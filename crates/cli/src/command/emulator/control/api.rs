//! The requests of the control interface, one line each in [`carry_out`].

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, ORIGIN},
};
use maxq_emulator::{Cluster, Fault};
use serde::Serialize;

use super::view::{BrokerView, ClusterView, Faults, NameServerView, Problem, Removed, Requests};

/// Carries a request out.
pub(super) async fn answer(request: Request<Incoming>, cluster: &Cluster) -> Response<Full<Bytes>> {
    match carry_out(request, cluster).await {
        Ok((status, body)) => response(status, body),
        Err(refusal) => {
            let mut response = response(refusal.status, json(&Problem { error: refusal.sentence }));
            if let Some(allowed) = refusal.allowed {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            }
            response
        }
    }
}

async fn carry_out(request: Request<Incoming>, cluster: &Cluster) -> Result<(StatusCode, Vec<u8>), Refusal> {
    check_caller(request.headers())?;
    let (parts, body) = request.into_parts();
    let path: Vec<_> = parts.uri.path().trim_matches('/').split('/').collect();
    let done = |body| Ok((StatusCode::OK, body));
    match (&parts.method, &*path) {
        (&Method::GET, ["v1", "cluster"]) => done(json(&ClusterView::of(cluster))),
        (&Method::GET, ["v1", "faults"]) => done(json(&Faults { faults: cluster.faults() })),
        (&Method::POST, ["v1", "faults"]) => Ok((StatusCode::CREATED, arm(body, cluster).await?)),
        (&Method::DELETE, ["v1", "faults"]) => {
            let removed = cluster.faults().len();
            cluster.clear_faults();
            done(json(&Removed { removed }))
        }
        (&Method::GET, ["v1", "faults", id]) => {
            let id = number(id)?;
            let fault = cluster.faults().into_iter().find(|fault| fault.id == id);
            done(json(&fault.ok_or_else(|| no_fault(id))?))
        }
        (&Method::DELETE, ["v1", "faults", id]) => {
            let id = number(id)?;
            if cluster.remove_fault(id) { done(json(&Removed { removed: 1 })) } else { Err(no_fault(id)) }
        }
        (&Method::GET, ["v1", "requests"]) => done(json(&Requests::of(cluster))),
        (&Method::DELETE, ["v1", "requests"]) => {
            let removed = cluster.requests().len();
            cluster.clear_requests();
            done(json(&Removed { removed }))
        }
        (&Method::POST, ["v1", "brokers", index, deed]) => done(to_broker(cluster, index, deed).await?),
        (&Method::POST, ["v1", "name-servers", index, deed]) => {
            done(to_name_server(cluster, index, deed).await?)
        }
        (_, path) => Err(match allowed(path) {
            Some(allowed) => Refusal {
                allowed: Some(allowed),
                ..Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("this takes {allowed} only"))
            },
            None => Refusal::new(StatusCode::NOT_FOUND, "there is no such thing; begin at GET /v1/cluster"),
        }),
    }
}

/// What a known path takes.
fn allowed(path: &[&str]) -> Option<&'static str> {
    match path {
        ["v1", "cluster"] => Some("GET"),
        ["v1", "faults"] => Some("GET, POST, DELETE"),
        ["v1", "faults", _] | ["v1", "requests"] => Some("GET, DELETE"),
        ["v1", "brokers" | "name-servers", _, _] => Some("POST"),
        _ => None,
    }
}

/// Programs of this machine may call, web pages may not.
fn check_caller(headers: &HeaderMap) -> Result<(), Refusal> {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name =
        host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(name, _)| name);
    if !OWN_NAMES.iter().any(|own| name.eq_ignore_ascii_case(own)) {
        let sentence = format!("the Host is {host:?}; say 127.0.0.1 or localhost");
        return Err(Refusal::new(StatusCode::FORBIDDEN, sentence));
    }
    if headers.contains_key(ORIGIN) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "web pages may not control the emulator"));
    }
    Ok(())
}

async fn arm(body: Incoming, cluster: &Cluster) -> Result<Vec<u8>, Refusal> {
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|error| {
        if error.is::<http_body_util::LengthLimitError>() {
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a fault has at most {MAX_BODY} bytes"))
        } else {
            Refusal::bad(format!("the body does not come whole: {error}"))
        }
    })?;
    let fault: Fault = serde_json::from_slice(&body.to_bytes())
        .map_err(|error| Refusal::bad(format!("this is no fault: {error}")))?;
    let handle = cluster.try_fault(fault).map_err(|error| Refusal::bad(error.to_string()))?;
    let armed = cluster.faults().into_iter().find(|armed| armed.id == handle.id());
    // It may have been removed meanwhile by somebody else.
    Ok(json(&armed))
}

async fn to_broker(cluster: &Cluster, index: &str, deed: &str) -> Result<Vec<u8>, Refusal> {
    let index = index_below(cluster.broker_count(), index, "broker")?;
    let broker = cluster.broker(index);
    match deed {
        "kill" => cluster.kill_broker(index).await,
        "restart" => cluster.restart_broker(index).await.map_err(|error| Refusal::conflict(&error))?,
        "restart-elsewhere" => {
            cluster.restart_broker_elsewhere(index).await.map_err(|error| Refusal::conflict(&error))?;
        }
        "freeze" => cluster.freeze_broker(index),
        "thaw" => cluster.thaw_broker(index),
        "read-only" => broker.set_read_only(true),
        "writable" => broker.set_read_only(false),
        "forget-clients" => broker.forget_clients(),
        _ => return Err(Refusal::new(StatusCode::NOT_FOUND, format!("nobody can {deed:?} a broker"))),
    }
    Ok(json(&BrokerView::of(cluster, index)))
}

async fn to_name_server(cluster: &Cluster, index: &str, deed: &str) -> Result<Vec<u8>, Refusal> {
    let index = index_below(cluster.name_server_count(), index, "name server")?;
    match deed {
        "stop" => cluster.stop_name_server(index).await,
        "start" => cluster.start_name_server(index).await.map_err(|error| Refusal::conflict(&error))?,
        "keep-dead-brokers" => cluster.name_server_at(index).keep_dead_brokers(true),
        "drop-dead-brokers" => cluster.name_server_at(index).keep_dead_brokers(false),
        _ => return Err(Refusal::new(StatusCode::NOT_FOUND, format!("nobody can {deed:?} a name server"))),
    }
    Ok(json(&NameServerView::of(cluster, index)))
}

fn index_below(count: usize, text: &str, what: &str) -> Result<usize, Refusal> {
    let index = usize::try_from(number(text)?).unwrap_or(usize::MAX);
    if index < count {
        return Ok(index);
    }
    let sentence = format!("there is no {what} {index}; they are counted from 0, and there are {count}");
    Err(Refusal::new(StatusCode::NOT_FOUND, sentence))
}

fn number(text: &str) -> Result<u64, Refusal> {
    text.parse().map_err(|_| Refusal::bad(format!("{text:?} is no number")))
}

fn no_fault(id: u64) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, format!("there is no fault {id}"))
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Texts and numbers always become JSON.
    let mut body = serde_json::to_vec(value).unwrap_or_default();
    body.push(b'\n');
    body
}

fn response(status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A request that is not carried out.
struct Refusal {
    status: StatusCode,
    sentence: String,
    allowed: Option<&'static str>,
}

impl Refusal {
    fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { status, sentence: sentence.into(), allowed: None }
    }

    fn bad(sentence: String) -> Self {
        Self::new(StatusCode::BAD_REQUEST, sentence)
    }

    fn conflict(error: &maxq_emulator::StartError) -> Self {
        Self::new(StatusCode::CONFLICT, error.to_string())
    }
}

const OWN_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];
const MAX_BODY: usize = 256 * 1024;
