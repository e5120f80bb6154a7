//! A broker of a cluster: running, frozen or killed, and what can be done to it.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use maxq_protocol::{NameError, Topic};
use tokio::runtime::Handle;

use crate::{
    broker::Broker,
    builder::{Place, StartError, topic_config},
    listener::Listener,
    serve::Server,
};

/// A broker, running or killed.
pub(crate) struct BrokerSlot {
    name: String,
    state: Mutex<State>,
}

struct State {
    broker: Arc<Broker>,
    place: Place,
    server: Option<Arc<Server>>,
    /// Something was changed while it was frozen: the name servers hear of it when it is thawed.
    owes_announcement: bool,
}

impl BrokerSlot {
    pub(crate) fn start(broker: Broker, listener: Listener, place: Place, runtime: &Handle) -> Self {
        let name = broker.identity.broker.clone();
        let state = State { broker: Arc::new(broker), place, server: None, owes_announcement: false };
        let slot = Self { name, state: Mutex::new(state) };
        slot.state().serve(listener, runtime);
        slot
    }

    pub(crate) fn broker(&self) -> Arc<Broker> {
        Arc::clone(&self.state().broker)
    }

    pub(super) async fn kill(&self) {
        let (broker, server) = {
            let mut state = self.state();
            let Some(server) = state.server.take() else { return };
            (Arc::clone(&state.broker), server)
        };
        server.cancel();
        broker.crash();
        server.stop().await;
    }

    pub(super) async fn restart(&self, runtime: &Handle) -> Result<(), StartError> {
        let place = {
            let state = self.state();
            if state.server.is_some() {
                return Ok(());
            }
            state.place.clone()
        };
        let (listener, _) = place.listen().await?;
        self.state().serve(listener, runtime);
        Ok(())
    }

    pub(super) async fn restart_elsewhere(&self, runtime: &Handle) -> Result<(), StartError> {
        self.kill().await;
        let elsewhere = self.state().place.elsewhere();
        let (listener, place) = elsewhere.listen().await?;
        let mut state = self.state();
        state.broker = Arc::new(state.broker.moved_to(place.advertised()));
        state.place = place;
        state.serve(listener, runtime);
        Ok(())
    }

    pub(super) fn freeze(&self) {
        if let Some(server) = &self.state().server {
            server.gate().freeze();
        }
    }

    pub(super) fn thaw(&self) {
        let mut state = self.state();
        if let Some(server) = &state.server {
            server.gate().thaw();
        }
        if std::mem::take(&mut state.owes_announcement) && state.is_awake() {
            state.broker.announce();
        }
    }

    /// Tells the name servers everything again: at once, or when it is thawed. One that starts tells everything anyway.
    pub(super) fn announce(&self) {
        let mut state = self.state();
        if state.is_awake() {
            state.broker.announce();
        } else {
            state.owes_announcement = state.server.is_some();
        }
    }

    pub(super) fn cancel(&self) {
        if let Some(server) = &self.state().server {
            server.cancel();
        }
    }

    pub(super) async fn end(&self) {
        let server = self.state().server.clone();
        if let Some(server) = server {
            server.stop().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn serve(&mut self, listener: Listener, runtime: &Handle) {
        self.broker.begin();
        self.owes_announcement = false;
        let server = Server::start(listener, Arc::clone(&self.broker), runtime);
        server.run_beside(Arc::clone(&self.broker).keep_house(), runtime);
        server.run_beside(Arc::clone(&self.broker).keep_announcing(), runtime);
        self.server = Some(Arc::new(server));
    }

    fn is_awake(&self) -> bool {
        self.server.as_ref().is_some_and(|server| !server.gate().is_frozen())
    }
}

/// One broker of a cluster.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use maxq_emulator::Cluster;
/// let cluster = Cluster::start(2).await?;
/// let broker = cluster.broker(1);
/// println!("{} listens on {}", broker.name(), broker.address());
/// broker.set_read_only(true);
/// cluster.freeze_broker(0);
/// assert!(cluster.broker(0).is_frozen() && broker.is_read_only());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct BrokerHandle<'a> {
    pub(super) slot: &'a BrokerSlot,
}

impl BrokerHandle<'_> {
    /// Its name: `broker-0`, `broker-1` and so on.
    pub fn name(&self) -> &str {
        &self.slot.name
    }

    /// The address that routes tell.
    pub fn address(&self) -> SocketAddr {
        self.slot.broker().identity.address
    }

    /// Whether it serves: it was not killed, or was started again. A frozen one counts as running.
    pub fn is_running(&self) -> bool {
        self.slot.state().server.is_some()
    }

    /// Whether it was frozen and not thawed since.
    pub fn is_frozen(&self) -> bool {
        let state = self.slot.state();
        state.server.is_some() && !state.is_awake()
    }

    /// Takes or gives back the permission to write (Apache's `brokerPermission`): routes tell permission 4 instead of 6,
    /// and every send is refused with code 16. It outlives restarts; routes tell that of a frozen broker when it is
    /// thawed. Default: writable.
    pub fn set_read_only(&self, is_read_only: bool) {
        self.slot.broker().set_read_only(is_read_only);
        self.slot.announce();
    }

    /// Whether sends are refused.
    pub fn is_read_only(&self) -> bool {
        self.slot.broker().is_read_only()
    }

    /// Forgets all clients, as one does that has lost their heartbeats; their connections stay, and the next heartbeat
    /// registers them again.
    pub fn forget_clients(&self) {
        self.slot.broker().forget_clients();
    }

    /// Makes a topic with this many queues on this broker, or changes it.
    ///
    /// # Errors
    /// RocketMQ does not accept the name.
    pub fn create_topic(&self, name: &str, queues: u32) -> Result<(), NameError> {
        let config = topic_config(Topic::new(name)?, queues);
        let broker = self.slot.broker();
        let mut state = broker.state();
        broker.announce_topic(&config);
        state.topics.put(config);
        Ok(())
    }

    /// Deletes a topic from this broker with its messages, and from its routes. Together with
    /// [`create_topic`](Self::create_topic) on another broker it moves a topic.
    pub fn delete_topic(&self, name: &str) {
        let broker = self.slot.broker();
        let mut state = broker.state();
        state.topics.remove(name);
        state.store.forget(name);
        broker.withdraw_topic(name);
    }
}

impl fmt::Debug for BrokerHandle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerHandle").field("name", &self.name()).field("address", &self.address()).finish()
    }
}
