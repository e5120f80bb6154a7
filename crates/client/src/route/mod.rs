//! Routes: one task keeps them, everybody reads snapshots.
//!
//! A send looks its topic up in the snapshot: one atomic load, no lock. On a miss it asks the keeper, which fetches
//! once for all who ask. Routes of used topics are fetched anew every 30 s, and at once when a send met an error.

mod fetch;
mod keeper;
mod masters;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use maxq_policy::{BrokerHealth, NoQueues, Origin, PublishInfo, Rotation, Time};
use maxq_protocol::{Topic, body::TopicRouteData};
use tokio::sync::{mpsc, oneshot};

use crate::{clock::Clock, error::RouteError, producer::Heads};
pub(crate) use fetch::Fetcher;
pub(crate) use keeper::{Keeper, Links, Setup};
pub(crate) use masters::Masters;

/// What is known of a topic.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    /// What a producer may write to; an error says why nothing.
    pub(crate) publish: Result<Arc<PublishInfo>, NoQueues>,
    /// The health of each broker that a producer may write to, in their order.
    pub(crate) health: Arc<[Arc<BrokerHealth>]>,
    /// What the heads of sends to each of them have in common.
    pub(crate) heads: Arc<Heads>,
    pub(crate) data: Arc<TopicRouteData>,
    pub(crate) name_server: Arc<str>,
    /// Who reports an error says which version he saw: late news about an old one changes nothing.
    pub(crate) version: u64,
    /// Goes on over all versions.
    pub(crate) rotation: Arc<Rotation>,
    used: Arc<AtomicU64>,
}

impl Route {
    pub(crate) fn publish_info(&self) -> Result<&Arc<PublishInfo>, RouteError> {
        self.publish
            .as_ref()
            .map_err(|why| RouteError::NoQueues { name_server: self.name_server.clone(), why: *why })
    }

    /// Whether the default topic's route stands in for a topic that does not exist yet.
    pub(crate) fn is_default(&self) -> bool {
        self.wish() != Wish::Own
    }

    /// How this route was found, and how it is to be found again.
    fn wish(&self) -> Wish {
        match self.publish.as_ref().map(|info| info.origin()) {
            Ok(Origin::DefaultTopic { max_queues }) => Wish::OrDefault { max_queues },
            _ => Wish::Own,
        }
    }
}

/// All known routes at one moment.
pub(crate) type Snapshot = BTreeMap<Topic, Arc<Route>>;

/// The handle of the keeper.
#[derive(Clone)]
pub(crate) struct Routes {
    snapshot: Arc<ArcSwap<Snapshot>>,
    masters: Arc<ArcSwap<Masters>>,
    keeper: mpsc::Sender<Ask>,
    clock: Clock,
    name_servers: Arc<str>,
}

/// What the keeper is asked.
pub(crate) enum Ask {
    /// The route, newer than this version if one is given.
    Need {
        topic: Topic,
        wish: Wish,
        newer_than: Option<u64>,
        tell: oneshot::Sender<Result<Arc<Route>, RouteError>>,
    },
    /// Somebody met an error with this version: fetch anew, nobody waits.
    Refresh { topic: Topic, seen: u64 },
}

/// Whether the default topic's route may stand in for a missing topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Only the topic itself.
    Own,
    /// The default topic's route will do, with so many queues per broker at most.
    OrDefault { max_queues: i32 },
}

impl Routes {
    /// The route of `topic` if it is known. The way of every send.
    pub(crate) fn known(&self, topic: &str, wish: Wish, now: Time) -> Option<Arc<Route>> {
        let snapshot = self.snapshot.load();
        let route = snapshot.get(topic)?;
        if wish == Wish::Own && route.is_default() {
            return None;
        }
        // One shared store per send would bounce between cores; a second's precision is enough.
        let seconds = now.since_start().as_secs();
        if route.used.load(Relaxed) != seconds {
            route.used.store(seconds, Relaxed);
        }
        Some(route.clone())
    }

    /// The route of `topic`, fetched if it is not known, or if it is not newer than `newer_than`.
    ///
    /// # Cancel safety
    /// Safe: a fetch goes on for the others.
    pub(crate) async fn need(
        &self,
        topic: &Topic,
        wish: Wish,
        newer_than: Option<u64>,
        deadline: Time,
    ) -> Result<Arc<Route>, RouteError> {
        if let Some(route) = self.known(topic, wish, self.clock.now())
            && newer_than.is_none_or(|version| route.version > version)
        {
            return Ok(route);
        }
        let (tell, told) = oneshot::channel();
        let ask = Ask::Need { topic: topic.clone(), wish, newer_than, tell };
        let asked = async {
            self.keeper.send(ask).await.map_err(|_| RouteError::Closed)?;
            told.await.map_err(|_| RouteError::Closed)?
        };
        tokio::time::timeout_at(self.clock.instant(deadline), asked)
            .await
            .unwrap_or_else(|_| Err(self.timed_out()))
    }

    /// Reports that a send met an error with version `seen`. When the keeper has too much to do, somebody has told it.
    pub(crate) fn report(&self, topic: &Topic, seen: u64) {
        drop(self.keeper.try_send(Ask::Refresh { topic: topic.clone(), seen }));
    }

    pub(crate) fn timed_out(&self) -> RouteError {
        RouteError::TimedOut { name_servers: self.name_servers.clone() }
    }

    /// Whether the keeper has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.keeper.is_closed()
    }

    /// The brokers that producers write to, by the address in the routes: their names, and their health.
    pub(crate) fn publish_brokers(&self) -> BTreeMap<Arc<str>, (Arc<str>, Arc<BrokerHealth>)> {
        let snapshot = self.snapshot.load();
        let mut brokers = BTreeMap::new();
        for route in snapshot.values() {
            let Ok(info) = &route.publish else { continue };
            for (broker, health) in info.brokers().iter().zip(&*route.health) {
                brokers.insert(broker.address.clone(), (broker.name.clone(), health.clone()));
            }
        }
        brokers
    }

    /// The masters of all known routes.
    pub(crate) fn masters(&self) -> Arc<Masters> {
        self.masters.load_full()
    }
}
