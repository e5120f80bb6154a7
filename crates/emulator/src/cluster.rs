//! A running cluster: its addresses, what can be done to it, and what can be asked of it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use maxq_protocol::{NameError, Topic};
use tokio::{net::TcpListener, runtime::Handle};

use crate::{
    RegisteredClient, RequestRecord, Stored,
    broker::Broker,
    builder::{ClusterBuilder, StartError, listen, topic_config},
    requests::RequestLog,
    serve::Server,
    version::EmulatedVersion,
    view,
};

/// A RocketMQ cluster in this process: one name server and some brokers on real sockets.
///
/// Dropping it closes all sockets and ends all tasks as soon as the runtime gets to them; [`stop`](Self::stop) also
/// waits for that.
pub struct Cluster {
    pub(crate) address: SocketAddr,
    pub(crate) name_server: Server,
    pub(crate) brokers: Vec<BrokerSlot>,
    pub(crate) requests: Arc<RequestLog>,
    pub(crate) runtime: Handle,
    pub(crate) version: EmulatedVersion,
}

/// A broker, running or killed.
pub(crate) struct BrokerSlot {
    broker: Arc<Broker>,
    bound: SocketAddr,
    server: Mutex<Option<Arc<Server>>>,
}

impl Cluster {
    /// Describes a cluster.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::new()
    }

    /// Starts a cluster with this many brokers and the defaults of [`ClusterBuilder`].
    ///
    /// # Errors
    /// As [`ClusterBuilder::start`].
    pub async fn start(brokers: usize) -> Result<Self, StartError> {
        Self::builder().brokers(brokers).start().await
    }

    /// Ends all tasks and waits until all sockets are closed.
    ///
    /// Cancel safety: dropped early, the tasks end all the same.
    pub async fn stop(self) {
        self.cancel();
        self.name_server.stop().await;
        for slot in &self.brokers {
            let server = slot.server().clone();
            if let Some(server) = server {
                server.stop().await;
            }
        }
    }

    /// The address of the name server.
    pub fn name_server(&self) -> SocketAddr {
        self.address
    }

    /// The address of the name server as clients want it: `host:port`.
    pub fn name_servers(&self) -> String {
        self.address.to_string()
    }

    /// The version that is emulated.
    pub fn version(&self) -> EmulatedVersion {
        self.version
    }

    /// Number of brokers, killed ones included.
    pub fn broker_count(&self) -> usize {
        self.brokers.len()
    }

    /// The broker with this index.
    ///
    /// # Panics
    /// There is none.
    pub fn broker(&self, index: usize) -> BrokerHandle<'_> {
        BrokerHandle { slot: &self.brokers[index] }
    }

    /// Kills a broker like SIGKILL: its listener and its connections are closed at once, no request is answered any
    /// more, and the name server forgets it. What it has stored can still be asked for with
    /// [`stored`](Self::stored). Does nothing when it is dead.
    ///
    /// Cancel safety: dropped early, the broker dies all the same.
    ///
    /// # Panics
    /// There is no broker with this index.
    pub async fn kill_broker(&self, index: usize) {
        self.brokers[index].kill().await;
    }

    /// Starts a killed broker again, on the same port and with everything that it had stored. Does nothing when it
    /// runs.
    ///
    /// Cancel safety: dropped early, the broker stays dead.
    ///
    /// # Errors
    /// Its port is taken by somebody else now.
    ///
    /// # Panics
    /// There is no broker with this index.
    pub async fn restart_broker(&self, index: usize) -> Result<(), StartError> {
        self.brokers[index].restart(&self.runtime).await
    }

    /// Makes a topic with this many queues on every broker, or changes it.
    ///
    /// # Errors
    /// RocketMQ does not accept the name.
    pub fn create_topic(&self, name: &str, queues_per_broker: u32) -> Result<(), NameError> {
        let topic = Topic::new(name)?;
        for slot in &self.brokers {
            let config = topic_config(topic.clone(), queues_per_broker);
            let mut state = slot.broker.state();
            slot.broker.announce_topic(&config);
            state.topics.put(config);
        }
        Ok(())
    }

    /// All stored messages of a topic, ordered by broker, queue and offset; those of killed brokers too.
    ///
    /// Copies every body: for a million messages use [`visit_stored`](Self::visit_stored).
    pub fn stored(&self, topic: &str) -> Vec<Stored> {
        let mut all = Vec::new();
        self.visit_stored(topic, |stored| all.push(stored));
        all
    }

    /// Shows all stored messages of a topic one by one, in the order of [`stored`](Self::stored).
    pub fn visit_stored(&self, topic: &str, mut visit: impl FnMut(Stored)) {
        for slot in &self.brokers {
            view::visit(&slot.broker, topic, &mut visit);
        }
    }

    /// Number of stored messages of a topic.
    pub fn stored_count(&self, topic: &str) -> u64 {
        self.brokers.iter().map(|slot| slot.broker.state().store.count(topic)).sum()
    }

    /// The clients that brokers know by their heartbeats, one entry for each client and broker.
    pub fn clients(&self) -> Vec<RegisteredClient> {
        self.brokers.iter().flat_map(|slot| view::clients(&slot.broker)).collect()
    }

    /// The last requests of all servers, oldest first; see [`ClusterBuilder::remembered_requests`].
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.requests.all()
    }

    fn cancel(&self) {
        self.name_server.cancel();
        for slot in &self.brokers {
            if let Some(server) = &*slot.server() {
                server.cancel();
            }
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("name_server", &self.address)
            .field("brokers", &self.brokers.len())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl BrokerSlot {
    pub(crate) fn start(
        broker: Arc<Broker>,
        listener: TcpListener,
        bound: SocketAddr,
        runtime: &Handle,
    ) -> Self {
        let slot = Self { broker, bound, server: Mutex::new(None) };
        slot.serve(listener, runtime);
        slot
    }

    fn serve(&self, listener: TcpListener, runtime: &Handle) {
        self.broker.announce();
        let server = Server::start(listener, Arc::clone(&self.broker), self.broker.clock, runtime);
        server.run_beside(Arc::clone(&self.broker).keep_house(), runtime);
        *self.server() = Some(Arc::new(server));
    }

    async fn kill(&self) {
        let Some(server) = self.server().take() else { return };
        server.cancel();
        self.broker.crash();
        server.stop().await;
    }

    async fn restart(&self, runtime: &Handle) -> Result<(), StartError> {
        if self.server().is_none() {
            let (listener, _) = listen(self.bound).await?;
            self.serve(listener, runtime);
        }
        Ok(())
    }

    fn server(&self) -> MutexGuard<'_, Option<Arc<Server>>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One broker of a cluster.
#[derive(Clone, Copy)]
pub struct BrokerHandle<'a> {
    slot: &'a BrokerSlot,
}

impl BrokerHandle<'_> {
    /// Its name: `broker-0`, `broker-1` and so on.
    pub fn name(&self) -> &str {
        &self.slot.broker.identity.broker
    }

    /// The address that routes tell.
    pub fn address(&self) -> SocketAddr {
        self.slot.broker.identity.address
    }

    /// Whether it serves: it was not killed, or was started again.
    pub fn is_running(&self) -> bool {
        self.slot.server().is_some()
    }
}

impl std::fmt::Debug for BrokerHandle<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BrokerHandle").field("name", &self.name()).field("address", &self.address()).finish()
    }
}
