//! A name server of a cluster: running or stopped, and what it can be made to say.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use maxq_protocol::body::TopicRouteData;
use tokio::runtime::Handle;

use crate::{
    builder::{Place, StartError},
    listener::Listener,
    name_server::NameServer,
    serve::Server,
};

/// A name server, running or stopped.
pub(crate) struct NameServerSlot {
    pub(super) address: SocketAddr,
    service: Arc<NameServer>,
    place: Place,
    server: Mutex<Option<Arc<Server>>>,
}

impl NameServerSlot {
    pub(crate) fn start(
        service: Arc<NameServer>,
        listener: Listener,
        place: Place,
        runtime: &Handle,
    ) -> Self {
        let address = place.advertised();
        let slot = Self { address, service, place, server: Mutex::new(None) };
        slot.serve(listener, runtime);
        slot
    }

    pub(super) async fn stop(&self) {
        let Some(server) = self.server().take() else { return };
        server.cancel();
        self.service.leave();
        server.stop().await;
    }

    pub(super) async fn start_again(&self, runtime: &Handle) -> Result<(), StartError> {
        if self.server().is_none() {
            let (listener, _) = self.place.listen().await?;
            self.serve(listener, runtime);
        }
        Ok(())
    }

    pub(super) fn cancel(&self) {
        if let Some(server) = &*self.server() {
            server.cancel();
        }
    }

    pub(super) async fn end(&self) {
        let server = self.server().clone();
        if let Some(server) = server {
            server.stop().await;
        }
    }

    fn serve(&self, listener: Listener, runtime: &Handle) {
        self.service.begin();
        let server = Server::start(listener, Arc::clone(&self.service), runtime);
        server.run_beside(Arc::clone(&self.service).keep_house(), runtime);
        *self.server() = Some(Arc::new(server));
    }

    fn server(&self) -> MutexGuard<'_, Option<Arc<Server>>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One name server of a cluster.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use maxq_emulator::Cluster;
/// let cluster = Cluster::builder().name_servers(2).topic("orders", 4).start().await?;
/// // They disagree: the second one does not know the topic.
/// cluster.name_server_at(1).route_override("orders", None);
/// assert!(cluster.name_server_at(0).route("orders").is_some());
/// assert!(cluster.name_server_at(1).route("orders").is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct NameServerHandle<'a> {
    pub(super) slot: &'a NameServerSlot,
}

impl NameServerHandle<'_> {
    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.slot.address
    }

    /// Whether it serves: it was not stopped, or was started again.
    pub fn is_running(&self) -> bool {
        self.slot.server().is_some()
    }

    /// What it answers to a question for this topic's route, if it knows one.
    pub fn route(&self, topic: &str) -> Option<TopicRouteData> {
        self.slot.service.route_of(topic)
    }

    /// Makes it answer this instead of what the brokers have told it, so that name servers disagree or a route is stale;
    /// `None` is no route at all (code 17). It outlives restarts.
    pub fn route_override(&self, topic: &str, route: Option<TopicRouteData>) {
        self.slot.service.override_route(topic, route);
    }

    /// Ends [`route_override`](Self::route_override) for this topic.
    pub fn remove_route_override(&self, topic: &str) {
        self.slot.service.follow_brokers(topic);
    }

    /// Whether it keeps the routes of brokers that are dead, killed or silent, as one does that has not noticed yet.
    /// Turned off again, it drops the silent ones within five seconds. Default false.
    pub fn keep_dead_brokers(&self, keeps: bool) {
        self.slot.service.keep_dead_brokers(keeps);
    }
}

impl fmt::Debug for NameServerHandle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameServerHandle").field("address", &self.address()).finish_non_exhaustive()
    }
}
