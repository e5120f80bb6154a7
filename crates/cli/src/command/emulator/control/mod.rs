//! The control interface of `maxq emulator run`: the cluster's faults and switches as HTTP with JSON, so that tests in
//! any language can use them.
//!
//! It listens on 127.0.0.1 only. A web page must not reach it through a browser: requests with an `Origin` are refused,
//! and so is every `Host` but this machine's own names, which a name that was rebound to it does not have.

mod api;
mod view;

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use maxq_emulator::Cluster;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::exit::{Exit, Failure};

/// The control interface of a running cluster.
pub(super) struct Control {
    address: SocketAddr,
    stop: CancellationToken,
    /// The task that accepts, and one for each connection; they end with `stop`.
    tasks: TaskTracker,
}

impl Control {
    /// Serves on this port of 127.0.0.1; 0 is any free one.
    ///
    /// # Errors
    /// The port cannot be listened on.
    pub(super) async fn start(port: u16, cluster: &Arc<Cluster>) -> anyhow::Result<Self> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let failed = |error| {
            Failure::error(Exit::CannotConnect, format!("cannot listen on {wanted} for --control: {error}"))
        };
        let listener = TcpListener::bind(wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let control = Self { address, stop: CancellationToken::new(), tasks: TaskTracker::new() };
        let accepting = accept(listener, Arc::clone(cluster), control.stop.clone(), control.tasks.clone());
        control.tasks.spawn(accepting);
        Ok(control)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends all tasks and waits for them.
    pub(super) async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn accept(listener: TcpListener, cluster: Arc<Cluster>, stop: CancellationToken, tasks: TaskTracker) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let next = async {
            // Above the limit, connections wait where the system queues them.
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        let Some((place, accepted)) = stop.run_until_cancelled(next).await else { return };
        let Ok((stream, _)) = accepted else {
            // Out of file handles, most likely: let some connections end first.
            stop.run_until_cancelled(tokio::time::sleep(ACCEPT_PAUSE)).await;
            continue;
        };
        let (cluster, stop) = (Arc::clone(&cluster), stop.clone());
        tasks.spawn(async move {
            stop.run_until_cancelled(timeout(MAX_DURATION, serve(stream, cluster))).await;
            drop(place);
        });
    }
}

/// Answers one request. Connections are not kept: whoever holds one open and says nothing holds up nobody for long.
async fn serve(stream: TcpStream, cluster: Arc<Cluster>) {
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let cluster = Arc::clone(&cluster);
        async move { Ok::<Response<Full<Bytes>>, Infallible>(api::answer(request, &cluster).await) }
    });
    // A peer that breaks off or does not speak HTTP is not told anything.
    drop(http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await);
}

const MAX_CONNECTIONS: usize = 64;
const MAX_DURATION: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
