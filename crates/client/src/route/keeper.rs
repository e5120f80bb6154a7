//! The task that owns the route table: fetches once for all who ask, polls what is used, forgets what is not.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use maxq_policy::{BrokerHealth, NoQueues, Rotation, RouteChanges, Time};
use maxq_protocol::{DecodeError, DecodeErrorKind, Topic};
use tokio::{
    sync::{mpsc, oneshot},
    task::{Id, JoinError, JoinSet},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use super::{
    Ask, Route, Routes, Snapshot, Wish,
    fetch::Fetched,
    masters::{Census, Masters},
};
use crate::{
    clock::Clock,
    error::{RouteError, route::DefaultTopic},
    producer::Heads,
    roles::Roles,
};

/// Owns the table. Ends when the client stops.
pub(crate) struct Keeper {
    snapshot: Arc<ArcSwap<Snapshot>>,
    masters: Arc<ArcSwap<Masters>>,
    census: Census,
    asks: mpsc::Receiver<Ask>,
    setup: Setup,
    links: Links,
    pending: BTreeMap<Topic, Pending>,
    /// Topics that wait for one of the places, because somebody waits for them or has met an error.
    waiting: VecDeque<Topic>,
    /// Topics that are only looked after: they wait until nobody asks.
    polled: VecDeque<Topic>,
    fetches: JoinSet<(Topic, Wish, Result<Fetched, RouteError>)>,
    /// When errors last made us fetch.
    last_refreshed: BTreeMap<Topic, Time>,
    version: u64,
}

/// What is set once.
pub(crate) struct Setup {
    pub(crate) clock: Clock,
    pub(crate) interval: Duration,
    /// A topic that is not used for so long is no longer polled.
    pub(crate) max_idle: Duration,
    pub(crate) seed: u64,
    /// The name servers, to be named in an error.
    pub(crate) name_servers: Arc<str>,
}

/// What the keeper needs of the rest of the client.
pub(crate) struct Links {
    /// Fetches one route.
    pub(crate) fetch: Box<Fetch>,
    /// Whose topics are kept fresh, and who hears of routes.
    pub(crate) roles: Arc<Roles>,
    /// Called when the routes name other masters than before.
    pub(crate) on_brokers: Box<dyn Fn() + Send + Sync>,
    /// Called when a producer has other queues to write to than before.
    pub(crate) on_change: Box<dyn Fn(&Topic) + Send + Sync>,
    /// The health of the broker at an address of a route.
    pub(crate) health_of: Box<HealthOf>,
}

/// A fetch that begins when it is polled.
pub(crate) type Fetching = Pin<Box<dyn Future<Output = Result<Fetched, RouteError>> + Send>>;
type Fetch = dyn Fn(Topic, Wish) -> Fetching + Send + Sync;
type HealthOf = dyn Fn(&Arc<str>) -> Arc<BrokerHealth> + Send + Sync;

/// Who asked is told through this.
type Teller = oneshot::Sender<Result<Arc<Route>, RouteError>>;

struct Pending {
    wish: Wish,
    waiters: Vec<(Wish, Teller)>,
    /// It is to be fetched even if nobody waits any more.
    is_due: bool,
    /// It stands with those that somebody waits for.
    is_asked: bool,
    /// Who fetches it, once somebody does.
    task: Option<Id>,
}

impl Pending {
    const fn new(wish: Wish) -> Self {
        Self { wish, waiters: Vec::new(), is_due: false, is_asked: false, task: None }
    }

    /// Whether nobody would look at what comes.
    fn is_in_vain(&self) -> bool {
        !self.is_due && self.waiters.iter().all(|(_, waiter)| waiter.is_closed())
    }
}

impl Keeper {
    /// A keeper and its handle.
    pub(crate) fn new(setup: Setup, links: Links) -> (Self, Routes) {
        let (snapshot, masters) = (Arc::<ArcSwap<Snapshot>>::default(), Arc::<ArcSwap<Masters>>::default());
        let (sender, asks) = mpsc::channel(ASKS);
        let (clock, name_servers) = (setup.clock, setup.name_servers.clone());
        let routes = Routes {
            snapshot: snapshot.clone(),
            masters: masters.clone(),
            keeper: sender,
            clock,
            name_servers,
        };
        let keeper = Self {
            snapshot,
            masters,
            census: Census::default(),
            asks,
            setup,
            links,
            pending: BTreeMap::new(),
            waiting: VecDeque::new(),
            polled: VecDeque::new(),
            fetches: JoinSet::new(),
            last_refreshed: BTreeMap::new(),
            version: 0,
        };
        (keeper, routes)
    }

    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let (clock, interval) = (self.setup.clock, self.setup.interval);
        let mut poll = tokio::time::interval_at(clock.instant(clock.now() + interval), interval);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Results first, so that a question which they answer is not fetched again.
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(done) = self.fetches.join_next() => {
                    match done {
                        Ok((topic, wish, result)) => self.observe(topic, wish, result),
                        Err(error) => self.observe_panic(&error),
                    }
                    self.start_waiting();
                }
                Some(ask) = self.asks.recv() => self.hear(ask),
                _ = poll.tick() => self.poll(),
            }
        }
    }

    fn hear(&mut self, ask: Ask) {
        let now = self.setup.clock.now();
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

    /// Begins a fetch, or joins the one that is under way. It goes before those that are only looked after.
    fn want(&mut self, topic: Topic, wish: Wish, waiter: Option<Teller>) {
        let pending = self.pending.entry(topic.clone()).or_insert_with(|| Pending::new(wish));
        let was_polled = pending.is_due;
        pending.is_due |= waiter.is_none();
        pending.waiters.extend(waiter.map(|waiter| (wish, waiter)));
        if pending.is_asked || pending.task.is_some() {
            return;
        }
        pending.is_asked = true;
        if was_polled {
            self.polled.retain(|polled| *polled != topic);
        }
        self.waiting.push_back(topic);
        self.start_waiting();
    }

    /// Fetches it when nobody asks for another one.
    fn look_after(&mut self, topic: Topic, wish: Wish) {
        if !self.pending.contains_key(&topic) {
            self.polled.push_back(topic.clone());
        }
        self.pending.entry(topic).or_insert_with(|| Pending::new(wish)).is_due = true;
    }

    fn start_waiting(&mut self) {
        while self.fetches.len() < PLACES {
            let next = self.waiting.pop_front().or_else(|| self.polled.pop_front());
            let Some(topic) = next else { return };
            let Some(pending) = self.pending.get_mut(&topic) else { continue };
            if pending.is_in_vain() {
                self.pending.remove(&topic);
                continue;
            }
            let wish = pending.wish;
            let fetching = (self.links.fetch)(topic.clone(), wish);
            let task = self.fetches.spawn(async move { (topic, wish, fetching.await) });
            pending.task = Some(task.id());
        }
    }

    /// A fetch was dropped by its own panic: those who wait hear of it, and the next question fetches anew.
    fn observe_panic(&mut self, error: &JoinError) {
        let topic = self.pending.iter().find(|(_, pending)| pending.task == Some(error.id()));
        let Some(topic) = topic.map(|(topic, _)| topic.clone()) else { return };
        tracing::error!(%topic, %error, "a route fetch panicked: this is a bug");
        let why = DecodeError::new(DecodeErrorKind::Malformed("reading it panicked".to_owned()), "route");
        let error = RouteError::Malformed { name_server: self.setup.name_servers.clone(), why };
        for (_, waiter) in self.pending.remove(&topic).into_iter().flat_map(|pending| pending.waiters) {
            drop(waiter.send(Err(error.clone())));
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
        let was_default = known.as_ref().is_some_and(|route| route.is_default());
        let data = known.as_ref().map(|route| route.data.clone());
        let before = known.as_ref().and_then(|route| route.publish.as_deref().ok());
        let changes = RouteChanges::between(before, fetched.publish.as_deref().ok());
        let (rotation, used) = match known {
            Some(route) => (route.rotation.clone(), route.used.clone()),
            None => self.new_topic(),
        };
        let other_masters = self.census.replace(data.as_deref(), Some(&fetched.data));
        let Fetched { publish, data, name_server } = fetched;
        let health: Arc<[_]> = match &publish {
            Ok(info) => info.brokers().iter().map(|broker| (self.links.health_of)(&broker.address)).collect(),
            Err(_) => Arc::default(),
        };
        let heads = Arc::new(Heads::new(health.len()));
        let version = self.version;
        let route = Arc::new(Route { publish, health, heads, data, name_server, version, rotation, used });
        let mut snapshot = Snapshot::clone(&self.snapshot.load());
        snapshot.insert(topic.clone(), route.clone());
        self.snapshot.store(Arc::new(snapshot));
        if route.is_default() && !was_default {
            tracing::warn!(%topic, "the topic does not exist; brokers create it at its first message");
        }
        if !changes.is_empty() {
            tracing::info!(%topic, %changes, "route changed");
            (self.links.on_change)(topic);
        }
        if other_masters {
            self.publish_masters();
        }
        self.links.roles.on_route(topic, &route);
        route
    }

    fn publish_masters(&self) {
        self.masters.store(Arc::new(self.census.masters()));
        (self.links.on_brokers)();
    }

    /// Clients begin their rotation at different queues.
    fn new_topic(&mut self) -> (Arc<Rotation>, Arc<AtomicU64>) {
        let mut chance = fastrand::Rng::with_seed(self.setup.seed);
        self.setup.seed = chance.u64(..);
        let now = self.setup.clock.now().since_start().as_secs();
        (Arc::new(Rotation::new(chance.usize(..))), Arc::new(AtomicU64::new(now)))
    }

    /// Fetches what is used, and what roles need, anew and forgets the rest.
    fn poll(&mut self) {
        let now = self.setup.clock.now().since_start().as_secs();
        let mut topics = self.links.roles.topics();
        let mut snapshot = Snapshot::clone(&self.snapshot.load());
        let before = snapshot.len();
        let mut other_masters = false;
        snapshot.retain(|topic, route| {
            let idle = Duration::from_secs(now.saturating_sub(route.used.load(Relaxed)));
            let is_used = idle < self.setup.max_idle;
            let is_kept = is_used || topics.contains_key(topic);
            other_masters |= !is_kept && self.census.replace(Some(&route.data), None);
            is_kept
        });
        topics.extend(snapshot.iter().map(|(topic, route)| (topic.clone(), route.wish())));
        if snapshot.len() < before {
            self.last_refreshed.retain(|topic, _| snapshot.contains_key(topic));
            self.snapshot.store(Arc::new(snapshot));
        }
        if other_masters {
            self.publish_masters();
        }
        for (topic, wish) in topics {
            self.look_after(topic, wish);
        }
        self.start_waiting();
    }
}

/// Questions that wait for the keeper. When they are more, senders wait until their deadline.
const ASKS: usize = 64;
/// Fetches at one time.
const PLACES: usize = 8;
/// Between two refreshes of one topic because of errors.
const REFRESH_REST: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, atomic::AtomicUsize};

    use maxq_policy::{Origin, PublishInfo};
    use maxq_protocol::body::{BrokerData, QueueData, TopicRouteData, perm};
    use tokio_util::task::TaskTracker;

    use super::*;

    const FORGET: Duration = Duration::from_secs(600);

    /// A keeper whose fetches are `fetch`, on a task of `tasks`.
    fn keeper(
        tasks: &TaskTracker,
        stop: &CancellationToken,
        fetch: impl Fn(Topic, Wish) -> Fetching + Send + Sync + 'static,
    ) -> Routes {
        keeper_for(Arc::default(), tasks, stop, fetch)
    }

    fn keeper_for(
        roles: Arc<Roles>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
        fetch: impl Fn(Topic, Wish) -> Fetching + Send + Sync + 'static,
    ) -> Routes {
        keeper_with(roles, Box::new(|| ()), tasks, stop, fetch)
    }

    fn keeper_with(
        roles: Arc<Roles>,
        on_brokers: Box<dyn Fn() + Send + Sync>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
        fetch: impl Fn(Topic, Wish) -> Fetching + Send + Sync + 'static,
    ) -> Routes {
        let setup = Setup {
            clock: Clock::start(),
            interval: Duration::from_secs(30),
            max_idle: FORGET,
            seed: 1,
            name_servers: "ns:9876".into(),
        };
        let links = Links {
            fetch: Box::new(fetch),
            roles,
            on_brokers,
            on_change: Box::new(|_| ()),
            health_of: Box::new(|_| Arc::new(BrokerHealth::new(1))),
        };
        let (keeper, routes) = Keeper::new(setup, links);
        tasks.spawn(keeper.run(stop.clone()));
        routes
    }

    fn topic(name: &str) -> Topic {
        Topic::new(name).unwrap()
    }

    fn gone() -> Result<Fetched, RouteError> {
        Err(RouteError::TopicNotFound { name_server: "ns".into(), default_topic: DefaultTopic::NotWanted })
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_that_panics_is_told_and_fetched_anew_when_somebody_asks_again() {
        let (tasks, stop, calls) = (TaskTracker::new(), CancellationToken::new(), AtomicUsize::new(0));
        let routes = keeper(&tasks, &stop, move |_, _| {
            let call = calls.fetch_add(1, Relaxed);
            Box::pin(async move {
                assert!(call > 0, "a bug of ours");
                gone()
            })
        });
        let ask = || async { routes.need(&topic("T"), Wish::Own, None, Time::from_start(FORGET)).await };
        assert!(matches!(ask().await, Err(RouteError::Malformed { .. })));
        assert!(matches!(ask().await, Err(RouteError::TopicNotFound { .. })));
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }

    /// A thousand topics on one broker were a thousand heartbeats, and each looked at all routes.
    #[tokio::test(start_paused = true)]
    async fn a_new_topic_on_known_brokers_asks_for_no_heartbeat() {
        let (tasks, stop, calls) =
            (TaskTracker::new(), CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let heard = calls.clone();
        let on_brokers = Box::new(move || {
            heard.fetch_add(1, Relaxed);
        });
        let fetch =
            |topic: Topic, _| -> Fetching { Box::pin(async move { Ok(fetched_on_one_broker(topic)) }) };
        let routes = keeper_with(Arc::default(), on_brokers, &tasks, &stop, fetch);
        for n in 0..100 {
            let topic = topic(&format!("T{n}"));
            routes.need(&topic, Wish::Own, None, Time::from_start(FORGET)).await.unwrap();
        }
        assert_eq!(calls.load(Relaxed), 1);
        assert_eq!(routes.masters().len(), 1);
        // Nobody uses them for ten minutes: the broker is no longer ours, and the heartbeat hears of it.
        tokio::time::sleep(FORGET + Duration::from_secs(60)).await;
        assert_eq!(calls.load(Relaxed), 2);
        assert!(routes.masters().is_empty());
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }

    fn fetched_on_one_broker(topic: Topic) -> Fetched {
        let broker = BrokerData {
            broker_name: "a".to_owned(),
            broker_addrs: BTreeMap::from([(0, "a:1".to_owned())]),
            ..BrokerData::default()
        };
        let queues = QueueData {
            broker_name: "a".to_owned(),
            read_queue_nums: 4,
            write_queue_nums: 4,
            perm: perm::READ | perm::WRITE,
            ..QueueData::default()
        };
        let (queue_datas, broker_datas) = (vec![queues], vec![broker]);
        let data = TopicRouteData { queue_datas, broker_datas, ..TopicRouteData::default() };
        let publish = PublishInfo::new(topic, &data, Origin::Topic).map(Arc::new);
        Fetched { publish, data: Arc::new(data), name_server: "ns".into() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fetch_that_nobody_waits_for_does_not_begin() {
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let fetched = Arc::<Mutex<Vec<Topic>>>::default();
        let (list, slow) = (fetched.clone(), Duration::from_secs(1));
        let routes = keeper(&tasks, &stop, move |topic, _| {
            list.lock().unwrap().push(topic);
            Box::pin(async move {
                tokio::time::sleep(slow).await;
                gone()
            })
        });
        // As many as there are places, and one that waits for a place until its asker leaves.
        let asks: Vec<_> = (0..=PLACES)
            .map(|n| {
                let (routes, topic) = (routes.clone(), topic(&format!("T{n}")));
                let deadline = Time::from_start(if n == PLACES { slow / 2 } else { slow * 9 });
                tasks.spawn(async move { routes.need(&topic, Wish::Own, None, deadline).await.err() })
            })
            .collect();
        for ask in asks {
            assert!(ask.await.unwrap().is_some());
        }
        tokio::time::sleep(slow * 3).await;
        assert_eq!(fetched.lock().unwrap().len(), PLACES);
        let late = topic(&format!("T{PLACES}"));
        let asked = routes.need(&late, Wish::Own, None, Time::from_start(slow * 9)).await;
        assert!(matches!(asked, Err(RouteError::TopicNotFound { .. })));
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }
    /// A client with many topics and a slow name server: the poll of all topics stood before the question of a send,
    /// which was over by then.
    #[tokio::test(start_paused = true)]
    async fn a_question_goes_before_topics_that_are_only_looked_after() {
        let (tasks, stop, roles) = (TaskTracker::new(), CancellationToken::new(), Arc::<Roles>::default());
        let group = maxq_protocol::Group::new("tests").unwrap();
        roles.add_producer(&group);
        let topics: Vec<_> = (0..20 * PLACES).map(|n| topic(&format!("T{n}"))).collect();
        roles.add_topics(&group, &topics, Wish::Own);
        let slow = Duration::from_secs(1);
        let routes = keeper_for(roles, &tasks, &stop, move |_, _| {
            Box::pin(async move {
                tokio::time::sleep(slow).await;
                gone()
            })
        });
        tokio::time::sleep(Duration::from_millis(30_500)).await;
        let deadline = Time::from_start(Duration::from_millis(35_500));
        for late in ["new", "T150"] {
            let asked = routes.need(&topic(late), Wish::Own, None, deadline).await;
            assert!(matches!(asked, Err(RouteError::TopicNotFound { .. })), "{late}: {:?}", asked.err());
        }
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }
}
