//! The task that finds the name servers: it asks the address endpoint and looks names up, again and again.
//!
//! Each address of a name is a name server of its own. There is no such task when all name servers are addresses or
//! names that a pair maps, or when a connector of the user's takes their names as they are.

#[cfg(feature = "http-discovery")]
mod endpoint;
#[cfg(not(feature = "http-discovery"))]
#[path = "no_endpoint.rs"]
mod endpoint;
mod sources;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use maxq_policy::Time;
use tokio::{
    sync::Notify,
    time::{Instant, Interval, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use crate::{
    Resolver,
    clock::Clock,
    name_servers::{Found, NameServers},
    resolver::name_of,
    together::together,
    told::{Teller, Told, told},
};
use endpoint::Endpoint;
pub(crate) use sources::{Sources, Timings, ways};

/// Asks the task to look at once, and waits for it.
pub(crate) struct Finder {
    wake: Arc<Notify>,
    rounds: Told<u64>,
    /// Somebody has asked: from then on, names are looked up regularly.
    is_used: Arc<AtomicBool>,
}

impl Finder {
    /// Somebody asks now. Says whether the task has looked before.
    pub(crate) fn begin_use(&self) -> bool {
        self.is_used.store(true, Relaxed);
        **self.rounds.load() > 0
    }

    /// Waits until the task has looked, for the next time from now on or the one that is under way.
    ///
    /// # Cancel safety
    /// Safe: the task goes on for the others.
    pub(crate) async fn find(&self, until: Instant) {
        let seen = **self.rounds.load();
        self.wake.notify_one();
        drop(tokio::time::timeout_at(until, self.rounds.wait_for(|round| *round > seen)).await);
    }
}

/// The other end of a [`Finder`].
struct Wishes {
    wake: Arc<Notify>,
    rounds: Teller<u64>,
    is_used: Arc<AtomicBool>,
}

fn finder() -> (Finder, Wishes) {
    let (wake, is_used) = (Arc::<Notify>::default(), Arc::<AtomicBool>::default());
    let (tell, rounds) = told(0);
    let finder = Finder { wake: wake.clone(), rounds, is_used: is_used.clone() };
    (finder, Wishes { wake, rounds: tell, is_used })
}

/// Owns the names and what they meant last. Ends when the client stops.
pub(crate) struct Discovery {
    wishes: Wishes,
    name_servers: Arc<NameServers>,
    /// The servers as configured, or as the address endpoint said last.
    names: Vec<Arc<str>>,
    endpoint: Option<Endpoint>,
    /// Without one, names are dialled as they are.
    resolver: Option<Arc<dyn Resolver>>,
    meanings: BTreeMap<Arc<str>, Vec<SocketAddr>>,
    timings: Timings,
    clock: Clock,
    last_look: Option<Time>,
    last_fetch: Option<Time>,
}

/// Why the task looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// Somebody waits: no server is known, or none answers.
    Wish,
    /// The address endpoint is due.
    Endpoint,
    /// The names are due.
    Names,
}

impl Discovery {
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut resolve = self.every(self.timings.resolve_interval, self.timings.resolve_interval);
        let every = self.timings.endpoint_interval;
        let mut rounds = 0;
        let mut fetch = self.endpoint.as_ref().map(|_| self.every(FIRST.min(every), every));
        loop {
            // Who waits comes first; what is due anyway follows.
            let reason = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.wishes.wake.notified() => Reason::Wish,
                () = tick(&mut fetch) => Reason::Endpoint,
                _ = resolve.tick() => Reason::Names,
            };
            if reason == Reason::Names && !self.wishes.is_used.load(Relaxed) {
                continue;
            }
            if reason != Reason::Wish || self.is_rested(self.last_look, REST) {
                // A look-up cannot hold up the end.
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = self.look(reason) => {}
                }
                self.last_look = Some(self.clock.now());
            }
            rounds += 1;
            self.wishes.rounds.tell(rounds);
        }
    }

    /// Servers that refuse are no reason to look them up all the time.
    fn is_rested(&self, last: Option<Time>, rest: Duration) -> bool {
        last.is_none_or(|last| self.clock.now().since(last) >= rest)
    }

    async fn look(&mut self, reason: Reason) {
        let is_fetched = match reason {
            Reason::Endpoint => true,
            Reason::Wish => self.names.is_empty() || self.is_rested(self.last_fetch, FIRST),
            Reason::Names => false,
        };
        if is_fetched && let Some(endpoint) = &self.endpoint {
            let fetched = endpoint.fetch(self.timings.timeout).await;
            self.last_fetch = Some(self.clock.now());
            match fetched {
                Ok(names) => self.names = names,
                Err(cause) => {
                    tracing::warn!(endpoint = endpoint.url(), %cause, "no name servers from there");
                    if self.names.is_empty() {
                        return self.name_servers.observe_missing(endpoint.url().into(), cause);
                    }
                }
            }
        }
        self.look_up().await;
        self.name_servers.update(self.names.iter().flat_map(|name| self.meaning(name)).collect());
    }

    /// Looks all names up at once.
    async fn look_up(&mut self) {
        let until = self.clock.instant(self.clock.now() + self.timings.timeout);
        let names = self.names.iter().filter(|name| !self.name_servers.is_mapped(name));
        let lookups = names.filter_map(|name| {
            let (host, port) = name_of(name)?;
            let looking = self.resolver.as_ref()?.resolve(host, port);
            let name = name.clone();
            Some(async move { (name, tokio::time::timeout_at(until, looking).await) })
        });
        for (name, found) in together(lookups.collect()).await {
            match found {
                Ok(Ok(addresses)) if !addresses.is_empty() => {
                    self.meanings.insert(name, in_order(addresses));
                }
                // What a name meant last is better than nothing.
                Ok(Ok(_)) => tracing::warn!(%name, "the name has no address"),
                Ok(Err(error)) => tracing::warn!(%name, %error, "the name could not be looked up"),
                Err(_) => tracing::warn!(%name, "looking the name up takes too long"),
            }
        }
        self.meanings.retain(|name, _| self.names.contains(name));
    }

    /// The servers behind a name. One that was never found is dialled by its name, and the error says what is wrong.
    fn meaning(&self, name: &Arc<str>) -> Vec<Found> {
        match self.meanings.get(name) {
            Some(addresses) => Found::behind(name, addresses),
            None => vec![Found::literal(name)],
        }
    }

    fn every(&self, first: Duration, interval: Duration) -> Interval {
        let mut interval = tokio::time::interval_at(self.clock.instant(self.clock.now() + first), interval);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        interval
    }
}

/// The addresses of a name as they are used: each once, and in an order of its own, so that a resolver that rotates its
/// answers changes nothing.
pub(crate) fn in_order(mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(MOST);
    addresses
}

/// The next tick, if there are any.
async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

/// Apache's client asks the address endpoint for the first time after 10 s, besides the question at its start.
/// That is also the least between two questions when no server answers.
const FIRST: Duration = Duration::from_secs(10);
/// Between two looks because of questions without an answer.
const REST: Duration = Duration::from_secs(1);
/// So many addresses of one name are used.
const MOST: usize = 32;
