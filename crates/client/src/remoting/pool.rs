//! One connection per address, and one dial at a time for it.
//!
//! ```text
//!   absent --get--> dialling --+--> open --stream ends--> absent
//!                              `--> failed, told to everybody who waits or comes within 25 ms --> absent
//! ```
//!
//! Each entry carries a generation. Only the task of the current one may take it out: late news about an old
//! connection changes nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use arc_swap::ArcSwap;
use maxq_policy::{Failure, Time};
use tokio::sync::{Notify, mpsc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    cause::Cause,
    connect::Connect,
    connection::{self, Post, Wiring},
    orders::Orders,
};
use crate::{clock::Clock, health::Healths};

/// A handle of an open connection, shared by all who use it.
#[derive(Debug)]
pub(crate) struct Connection {
    posts: mpsc::Sender<Post>,
    orders: Arc<Orders>,
    /// Why it ended, once it has.
    ended: Arc<OnceLock<Arc<Cause>>>,
}

impl Connection {
    /// Hands a request over, or gives it back: the connection is closed, or takes no more.
    pub(crate) fn post(&self, post: Post) -> Result<(), Arc<Cause>> {
        self.posts.try_send(post).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Arc::new(Cause::Full),
            mpsc::error::TrySendError::Closed(_) => {
                self.ended.get().cloned().unwrap_or_else(|| Arc::new(Cause::PeerClosed))
            }
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
    /// After so long without a word and without anybody who waits, a connection ends.
    pub(crate) max_idle: Duration,
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
    /// Who listens to a mute server, by address: the youngest, one for each.
    listening: BTreeMap<Arc<str>, u64>,
}

#[derive(Clone)]
struct Entry {
    generation: u64,
    dial: Arc<Dial>,
}

/// A dial: under way, or what came of it. Reading it is one atomic load.
///
/// Its waiters are woken in the order in which they came. A watch channel wakes them in an order of chance, and then no
/// simulation could be repeated.
#[derive(Default)]
struct Dial {
    outcome: OnceLock<Result<Arc<Connection>, Arc<Cause>>>,
    /// When it failed.
    failed_at: OnceLock<Time>,
    ended: Notify,
}

impl Dial {
    /// Waits for the end of the dial.
    async fn wait(&self) -> Result<Arc<Connection>, Arc<Cause>> {
        let mut ended = std::pin::pin!(self.ended.notified());
        // First listen, then look: an end between the two is not missed.
        ended.as_mut().enable();
        if self.outcome.get().is_none() {
            ended.await;
        }
        self.outcome.get().cloned().unwrap_or_else(|| Err(Arc::new(Cause::Closed)))
    }

    /// Only the first outcome counts.
    fn end(&self, outcome: Result<Arc<Connection>, Arc<Cause>>) {
        if self.outcome.set(outcome).is_ok() {
            self.ended.notify_waiters();
        }
    }

    fn fail(&self, now: Time, cause: Arc<Cause>) {
        if self.failed_at.set(now).is_ok() {
            self.end(Err(cause));
        }
    }

    fn connection(&self) -> Option<&Arc<Connection>> {
        self.outcome.get()?.as_ref().ok()
    }
}

/// The task's side of a dial. A task that is gone (its runtime ended, a connector panicked) has failed.
struct Dialling(Arc<Dial>);

impl Drop for Dialling {
    fn drop(&mut self) {
        self.0.end(Err(Arc::new(Cause::Closed)));
    }
}

impl Pool {
    pub(crate) fn new(setup: Setup) -> Self {
        Self { entries: ArcSwap::default(), writing: std::sync::Mutex::default(), setup }
    }

    /// The connection to `address`, if one is open. This is the way of every send.
    pub(crate) fn open(&self, address: &str) -> Option<Arc<Connection>> {
        let entries = self.entries.load();
        entries.get(address)?.dial.connection().filter(|connection| connection.is_usable()).cloned()
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
        let dial = self.dial(address)?;
        match tokio::time::timeout_at(self.setup.clock.instant(deadline), dial.wait()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Arc::new(Cause::ConnectTimedOut)),
        }
    }

    /// The current dial, begun here if nobody else has.
    fn dial(self: &Arc<Self>, address: &Arc<str>) -> Result<Arc<Dial>, Arc<Cause>> {
        let mut writer = self.write();
        let entries = self.entries.load();
        let now = self.setup.clock.now();
        if let Some(entry) = entries.get(address).filter(|entry| entry.is_alive(now)) {
            return Ok(entry.dial.clone());
        }
        if self.setup.stop.is_cancelled() {
            return Err(Arc::new(Cause::Closed));
        }
        writer.generation += 1;
        let generation = writer.generation;
        let dial = Arc::<Dial>::default();
        let mut changed = BTreeMap::clone(&entries);
        changed.retain(|_, entry| entry.is_alive(now));
        changed.insert(address.clone(), Entry { generation, dial: dial.clone() });
        self.entries.store(Arc::new(changed));
        drop(writer);
        let (pool, address) = (self.clone(), address.clone());
        let dialling = Dialling(dial.clone());
        let life = async move { pool.live(address, generation, dialling).await };
        self.setup.tasks.spawn_on(life, &self.setup.runtime);
        Ok(dial)
    }

    /// The life of one connection, as one task.
    async fn live(self: Arc<Self>, address: Arc<str>, generation: u64, dialling: Dialling) {
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
                    max_idle: self.setup.max_idle,
                    orders: orders.clone(),
                    address: address.clone(),
                    health,
                    healths: self.setup.healths.clone(),
                    ended: Arc::default(),
                    on_mute: {
                        let (pool, address) = (Arc::downgrade(&self), address.clone());
                        Box::new(move || {
                            if let Some(pool) = pool.upgrade() {
                                pool.listen(&address, generation);
                            }
                        })
                    },
                };
                let connection = Connection { posts, orders: orders.clone(), ended: wiring.ended.clone() };
                dialling.0.end(Ok(Arc::new(connection)));
                // First entered, then looked: a stop between the two reaches the connection one way or the other.
                self.write().living.insert(generation, orders.clone());
                if self.setup.stop.is_cancelled() {
                    orders.stop();
                }
                (self.setup.on_open)(&address);
                connection::drive(stream, wiring).await;
                let mut writer = self.write();
                writer.living.remove(&generation);
                if writer.listening.get(&address) == Some(&generation) {
                    writer.listening.remove(&address);
                }
                drop(writer);
                self.evict(&address, generation);
            }
            Err(cause) => {
                tracing::debug!(%address, %cause, "dial failed");
                let failure = if cause.is_refusal() { Failure::RefusedDial } else { Failure::Other };
                if !matches!(cause, Cause::Closed) {
                    let change = health.observe_failure(self.setup.clock.now(), began, failure);
                    self.setup.healths.tell(&address, change);
                }
                // Who comes next within a moment hears the same: a server that is down is not dialled in a crowd.
                dialling.0.fail(self.setup.clock.now(), Arc::new(cause));
            }
        }
    }

    /// Ends every connection. The client's stop token is cancelled before, so that no new one stays.
    pub(crate) fn stop(&self) {
        for orders in self.write().living.values() {
            orders.stop();
        }
    }

    /// One listener for each address is enough: the one before ends when nobody waits for it.
    fn listen(&self, address: &Arc<str>, generation: u64) {
        let mut writer = self.write();
        if let Some(before) = writer.listening.insert(address.clone(), generation)
            && let Some(orders) = writer.living.get(&before)
        {
            orders.hush();
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
    /// Whether it is dialling, or has a connection that can be used, or has failed just now.
    fn is_alive(&self, now: Time) -> bool {
        match self.dial.outcome.get() {
            None => true,
            Some(Ok(connection)) => connection.is_usable(),
            Some(Err(_)) => self.dial.failed_at.get().is_some_and(|failed_at| now < *failed_at + REDIAL),
        }
    }
}

/// Between a dial that failed and the next one to the same address.
const REDIAL: Duration = Duration::from_millis(25);
/// Capacity of a connection's channel. The task behind it drains it always, so it is full only when that task has
/// queued as much as it may; then a post is refused as "not sent".
const CHANNEL: usize = 8_192;
