//! One connection per address, and one dial at a time for it.
//!
//! ```text
//!   absent --get--> Dialing --+--> Open --stream ends--> absent
//!                             `--> Failed(cause), told to everybody who waited --> absent
//! ```
//!
//! Each entry carries a generation. Only the task of the current one may take it out: late news about an old
//! connection changes nothing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use maxq_policy::{Failure, Time};
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    cause::Cause,
    connect::Connect,
    connection::{self, Orders, Post, Wiring},
};
use crate::{
    clock::Clock,
    health::{Healths, log},
};

/// A handle of an open connection, shared by all who use it.
#[derive(Debug)]
pub(crate) struct Connection {
    posts: mpsc::Sender<Post>,
    orders: Arc<Orders>,
}

impl Connection {
    /// Hands a request over, or gives it back: the connection is closed, or takes no more.
    pub(crate) fn post(&self, post: Post) -> Result<(), Cause> {
        self.posts.try_send(post).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Cause::Full,
            mpsc::error::TrySendError::Closed(_) => Cause::PeerClosed,
        })
    }

    fn is_usable(&self) -> bool {
        !self.posts.is_closed() && !self.orders.is_given()
    }

    /// Takes the connection out of use: the next request dials anew, and what is under way may still be answered.
    pub(crate) fn retire(&self) {
        self.orders.retire();
    }
}

/// Tells who is interested that a connection to an address was opened.
pub(crate) type OnOpen = Arc<dyn Fn(&Arc<str>) + Send + Sync>;

/// The connections of one client.
pub(crate) struct Pool {
    entries: ArcSwap<BTreeMap<Arc<str>, Entry>>,
    /// Serialises the changes of `entries`, which are rare. Never held across a wait.
    writing: std::sync::Mutex<Writer>,
    setup: Setup,
}

/// What never changes.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) connector: Arc<dyn Connect>,
    pub(crate) connect_timeout: Duration,
    pub(crate) clock: Clock,
    pub(crate) tasks: TaskTracker,
    pub(crate) runtime: tokio::runtime::Handle,
    pub(crate) stop: CancellationToken,
    pub(crate) on_open: OnOpen,
    pub(crate) healths: Arc<Healths>,
}

#[derive(Default)]
struct Writer {
    generation: u64,
    /// Every connection that lives, retired ones too, by generation.
    living: BTreeMap<u64, Arc<Orders>>,
}

#[derive(Clone)]
struct Entry {
    generation: u64,
    state: watch::Receiver<State>,
}

#[derive(Clone)]
enum State {
    Dialing,
    Open(Arc<Connection>),
    Failed(Arc<Cause>),
}

impl Pool {
    pub(crate) fn new(setup: Setup) -> Self {
        Self { entries: ArcSwap::default(), writing: std::sync::Mutex::default(), setup }
    }

    /// The connection to `address`, if one is open. This is the way of every send.
    pub(crate) fn open(&self, address: &str) -> Option<Arc<Connection>> {
        let entries = self.entries.load();
        match &*entries.get(address)?.state.borrow() {
            State::Open(connection) if connection.is_usable() => Some(connection.clone()),
            _ => None,
        }
    }

    /// The connection to `address`; dials when there is none, waiting until `deadline`.
    ///
    /// # Cancel safety
    /// A dropped wait leaves the dial going on for the others.
    pub(crate) async fn get(
        self: &Arc<Self>,
        address: &Arc<str>,
        deadline: Time,
    ) -> Result<Arc<Connection>, Arc<Cause>> {
        if let Some(connection) = self.open(address) {
            return Ok(connection);
        }
        let mut state = self.dial(address)?;
        let dialed = state.wait_for(|state| !matches!(state, State::Dialing));
        match tokio::time::timeout_at(self.setup.clock.instant(deadline), dialed).await {
            Ok(Ok(state)) => match &*state {
                State::Open(connection) => Ok(connection.clone()),
                State::Failed(cause) => Err(cause.clone()),
                State::Dialing => Err(Arc::new(Cause::Closed)),
            },
            Ok(Err(_)) => Err(Arc::new(Cause::Closed)),
            Err(_) => Err(Arc::new(Cause::ConnectTimedOut)),
        }
    }

    /// The state of the current dial, begun here if nobody else has.
    fn dial(self: &Arc<Self>, address: &Arc<str>) -> Result<watch::Receiver<State>, Arc<Cause>> {
        let mut writer = self.write();
        let entries = self.entries.load();
        if let Some(entry) = entries.get(address).filter(|entry| entry.is_alive()) {
            return Ok(entry.state.clone());
        }
        if self.setup.stop.is_cancelled() {
            return Err(Arc::new(Cause::Closed));
        }
        writer.generation += 1;
        let generation = writer.generation;
        let (tell, state) = watch::channel(State::Dialing);
        let mut changed = BTreeMap::clone(&entries);
        changed.insert(address.clone(), Entry { generation, state: state.clone() });
        self.entries.store(Arc::new(changed));
        drop(writer);
        let (pool, address) = (self.clone(), address.clone());
        let life = async move { pool.live(address, generation, tell).await };
        self.setup.tasks.spawn_on(life, &self.setup.runtime);
        Ok(state)
    }

    /// The life of one connection, as one task.
    async fn live(self: Arc<Self>, address: Arc<str>, generation: u64, tell: watch::Sender<State>) {
        let (health, began) = (self.setup.healths.of(&address), self.setup.clock.now());
        // A dial is a request too: nobody new waits behind one that takes long.
        health.publish_oldest(Some(began));
        let connecting = self.setup.connector.connect(&address);
        let dialed = tokio::select! {
            biased;
            () = self.setup.stop.cancelled() => Err(Cause::Closed),
            dialed = tokio::time::timeout(self.setup.connect_timeout, connecting) => match dialed {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(error)) => Err(Cause::Io(error)),
                Err(_) => Err(Cause::ConnectTimedOut),
            },
        };
        health.publish_oldest(None);
        match dialed {
            Ok(stream) => {
                tracing::debug!(%address, "connected");
                let (posts, receiver) = mpsc::channel(CHANNEL);
                let orders = Arc::<Orders>::default();
                let wiring = Wiring {
                    posts: receiver,
                    clock: self.setup.clock,
                    orders: orders.clone(),
                    address: address.clone(),
                    health,
                };
                tell.send_replace(State::Open(Arc::new(Connection { posts, orders: orders.clone() })));
                // First entered, then looked: a stop between the two reaches the connection one way or the other.
                self.write().living.insert(generation, orders.clone());
                if self.setup.stop.is_cancelled() {
                    orders.stop();
                }
                (self.setup.on_open)(&address);
                let cause = connection::drive(stream, wiring).await;
                self.write().living.remove(&generation);
                self.evict(&address, generation);
                tell.send_replace(State::Failed(cause));
            }
            Err(cause) => {
                tracing::debug!(%address, %cause, "dial failed");
                let failure = if cause.is_refusal() { Failure::RefusedDial } else { Failure::Other };
                if !matches!(cause, Cause::Closed) {
                    log(&address, health.observe_failure(self.setup.clock.now(), began, failure));
                }
                self.evict(&address, generation);
                tell.send_replace(State::Failed(Arc::new(cause)));
            }
        }
    }

    /// Ends every connection. The client's stop token is cancelled before, so that no new one stays.
    pub(crate) fn stop(&self) {
        for orders in self.write().living.values() {
            orders.stop();
        }
    }

    fn write(&self) -> std::sync::MutexGuard<'_, Writer> {
        self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn evict(&self, address: &str, generation: u64) {
        let _writing = self.write();
        let entries = self.entries.load();
        if entries.get(address).is_some_and(|entry| entry.generation == generation) {
            let mut changed = BTreeMap::clone(&entries);
            changed.remove(address);
            self.entries.store(Arc::new(changed));
        }
    }
}

impl Entry {
    fn is_alive(&self) -> bool {
        match &*self.state.borrow() {
            // A task that is gone (its runtime ended, a connector panicked) dials no more.
            State::Dialing => self.state.has_changed().is_ok(),
            State::Open(connection) => connection.is_usable(),
            State::Failed(_) => false,
        }
    }
}

/// Capacity of a connection's channel. The task behind it drains it always, so it is full only when that task has
/// queued as much as it may; then a post is refused as "not sent".
const CHANNEL: usize = 8_192;
