//! The task that owns the route table: fetches once for all who ask, polls what is used, forgets what is not.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use maxq_policy::{BrokerHealth, NoQueues, Rotation, RouteChanges, Time};
use maxq_protocol::Topic;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use super::{Ask, Fetcher, Route, Routes, Snapshot, Wish, fetch::Fetched};
use crate::{
    clock::Clock,
    error::{RouteError, route::DefaultTopic},
};

/// Owns the table. Ends when the client stops.
pub(crate) struct Keeper {
    snapshot: Arc<ArcSwap<Snapshot>>,
    asks: mpsc::Receiver<Ask>,
    fetcher: Fetcher,
    clock: Clock,
    interval: Duration,
    seed: u64,
    links: Links,
    pending: BTreeMap<Topic, Pending>,
    /// Topics that wait for one of the places.
    waiting: VecDeque<Topic>,
    fetches: JoinSet<(Topic, Wish, Result<Fetched, RouteError>)>,
    /// When errors last made us fetch.
    last_refreshed: BTreeMap<Topic, Time>,
    version: u64,
}

/// What the keeper needs of the rest of the client.
pub(crate) struct Links {
    /// Called when a route names other brokers than before.
    pub(crate) on_brokers: Box<dyn Fn() + Send + Sync>,
    /// The health of the broker at an address of a route.
    pub(crate) health_of: Box<HealthOf>,
}

type HealthOf = dyn Fn(&Arc<str>) -> Arc<BrokerHealth> + Send + Sync;

/// Who asked is told through this.
type Teller = oneshot::Sender<Result<Arc<Route>, RouteError>>;

struct Pending {
    wish: Wish,
    waiters: Vec<(Wish, Teller)>,
}

impl Keeper {
    /// A keeper and its handle.
    pub(crate) fn new(fetcher: Fetcher, interval: Duration, seed: u64, links: Links) -> (Self, Routes) {
        let snapshot = Arc::<ArcSwap<Snapshot>>::default();
        let (sender, asks) = mpsc::channel(ASKS);
        let clock = fetcher.clock;
        let name_servers = fetcher.name_servers.list();
        let routes = Routes { snapshot: snapshot.clone(), keeper: sender, clock, name_servers };
        let keeper = Self {
            snapshot,
            asks,
            fetcher,
            clock,
            interval,
            seed,
            links,
            pending: BTreeMap::new(),
            waiting: VecDeque::new(),
            fetches: JoinSet::new(),
            last_refreshed: BTreeMap::new(),
            version: 0,
        };
        (keeper, routes)
    }

    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut poll =
            tokio::time::interval_at(self.clock.instant(self.clock.now() + self.interval), self.interval);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Results first, so that a question which they answer is not fetched again.
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(done) = self.fetches.join_next() => {
                    if let Ok((topic, wish, result)) = done {
                        self.observe(topic, wish, result);
                    }
                    self.start_waiting();
                }
                Some(ask) = self.asks.recv() => self.hear(ask),
                _ = poll.tick() => self.poll(),
            }
        }
    }

    fn hear(&mut self, ask: Ask) {
        let now = self.clock.now();
        match ask {
            Ask::Need { topic, wish, newer_than, tell } => {
                let known = self.known(&topic).filter(|route| wish != Wish::Own || !route.is_default());
                match known.filter(|route| newer_than.is_none_or(|version| route.version > version)) {
                    Some(route) => drop(tell.send(Ok(route))),
                    None => self.want(topic, wish, Some(tell)),
                }
            }
            Ask::Refresh { topic, seen } => {
                let Some(route) = self.known(&topic).filter(|route| route.version == seen) else { return };
                let rested =
                    self.last_refreshed.get(&topic).is_none_or(|last| now.since(*last) >= REFRESH_REST);
                if rested {
                    self.last_refreshed.insert(topic.clone(), now);
                    self.want(topic, route.wish(), None);
                }
            }
        }
    }

    fn known(&self, topic: &Topic) -> Option<Arc<Route>> {
        self.snapshot.load().get(topic).cloned()
    }

    /// Begins a fetch, or joins the one that is under way.
    fn want(&mut self, topic: Topic, wish: Wish, waiter: Option<Teller>) {
        let begin = !self.pending.contains_key(&topic);
        let pending =
            self.pending.entry(topic.clone()).or_insert_with(|| Pending { wish, waiters: Vec::new() });
        pending.waiters.extend(waiter.map(|waiter| (wish, waiter)));
        if begin {
            self.waiting.push_back(topic);
            self.start_waiting();
        }
    }

    fn start_waiting(&mut self) {
        while self.fetches.len() < PLACES {
            let Some(topic) = self.waiting.pop_front() else { return };
            let Some(pending) = self.pending.get(&topic) else { continue };
            let (fetcher, wish) = (self.fetcher.clone(), pending.wish);
            self.fetches.spawn(async move {
                let result = fetcher.fetch(&topic, wish).await;
                (topic, wish, result)
            });
        }
    }

    fn observe(&mut self, topic: Topic, wish: Wish, result: Result<Fetched, RouteError>) {
        let Some(pending) = self.pending.remove(&topic) else { return };
        let missing = matches!(result, Err(RouteError::TopicNotFound { .. }));
        let answer = match result {
            Ok(fetched) => Ok(self.store(&topic, fetched)),
            Err(error) => {
                tracing::debug!(%topic, %error, "no route");
                // A working route outlives a name server that is gone or has forgotten: brokers are the judges. But
                // it is no answer for whom the topic itself must be there.
                match self.known(&topic).filter(|route| !(missing && wish == Wish::Own && route.is_default()))
                {
                    Some(route) => Ok(route),
                    None => Err(error),
                }
            }
        };
        for (wanted, waiter) in pending.waiters {
            if let (Wish::Own, Ok(route)) = (wanted, &answer)
                && route.is_default()
            {
                // It joined a fetch that ended with the default topic's route: for it, there is none.
                let name_server = route.name_server.clone();
                let error = RouteError::TopicNotFound { name_server, default_topic: DefaultTopic::NotWanted };
                drop(waiter.send(Err(error)));
                continue;
            }
            let unserved = missing && wish == Wish::Own && wanted != Wish::Own && answer.is_err();
            if unserved {
                // It joined a fetch that did not try the default topic: fetch again, for those who want that.
                self.want(topic.clone(), wanted, Some(waiter));
            } else {
                drop(waiter.send(answer.clone()));
            }
        }
    }

    fn store(&mut self, topic: &Topic, fetched: Fetched) -> Arc<Route> {
        let known = self.known(topic);
        // An empty answer never erases a working route.
        if let Some(route) = known.as_ref().filter(|route| route.publish.is_ok())
            && matches!(fetched.publish, Err(NoQueues::Empty))
        {
            return route.clone();
        }
        self.version += 1;
        let moved = known.as_ref().is_none_or(|route| route.data.broker_datas != fetched.data.broker_datas);
        let before = known.as_ref().and_then(|route| route.publish.as_deref().ok());
        let changes = RouteChanges::between(before, fetched.publish.as_deref().ok());
        let (rotation, used) = match known {
            Some(route) => (route.rotation.clone(), route.used.clone()),
            None => self.new_topic(),
        };
        let Fetched { publish, data, name_server } = fetched;
        let health = match &publish {
            Ok(info) => info.brokers().iter().map(|broker| (self.links.health_of)(&broker.address)).collect(),
            Err(_) => Arc::default(),
        };
        let version = self.version;
        let route = Arc::new(Route { publish, health, data, name_server, version, rotation, used });
        let mut snapshot = Snapshot::clone(&self.snapshot.load());
        snapshot.insert(topic.clone(), route.clone());
        self.snapshot.store(Arc::new(snapshot));
        if moved && route.is_default() {
            tracing::warn!(%topic, "the topic does not exist; brokers create it at its first message");
        }
        if !changes.is_empty() {
            tracing::info!(%topic, %changes, "route changed");
        }
        if moved {
            (self.links.on_brokers)();
        }
        route
    }

    /// Clients begin their rotation at different queues.
    fn new_topic(&mut self) -> (Arc<Rotation>, Arc<AtomicU64>) {
        let mut chance = fastrand::Rng::with_seed(self.seed);
        self.seed = chance.u64(..);
        let now = self.clock.now().since_start().as_secs();
        (Arc::new(Rotation::new(chance.usize(..))), Arc::new(AtomicU64::new(now)))
    }

    /// Fetches what is used anew and forgets what is not.
    fn poll(&mut self) {
        let now = self.clock.now().since_start().as_secs();
        let mut snapshot = Snapshot::clone(&self.snapshot.load());
        let before = snapshot.len();
        snapshot.retain(|_, route| now.saturating_sub(route.used.load(Relaxed)) < FORGET.as_secs());
        let topics: Vec<_> = snapshot.iter().map(|(topic, route)| (topic.clone(), route.wish())).collect();
        if snapshot.len() < before {
            self.last_refreshed.retain(|topic, _| snapshot.contains_key(topic));
            self.snapshot.store(Arc::new(snapshot));
        }
        for (topic, wish) in topics {
            self.want(topic, wish, None);
        }
    }
}

/// Questions that wait for the keeper. When they are more, senders wait until their deadline.
const ASKS: usize = 64;
/// Fetches at one time.
const PLACES: usize = 8;
/// Between two refreshes of one topic because of errors.
const REFRESH_REST: Duration = Duration::from_millis(100);
/// A topic that is not used for so long is no longer polled.
const FORGET: Duration = Duration::from_secs(600);
