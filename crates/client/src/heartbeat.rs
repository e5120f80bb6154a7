//! The task that tells all masters who we are: 1 s after the start, every 30 s, and whenever a broker could not know
//! it yet (a connection opened, a role registered, a route named a new broker).
//!
//! Every broker gets its own call, so a frozen one delays none; a broker whose call is under way gets no second one.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use maxq_policy::Time;
use maxq_protocol::{ResponseCode, Version, header};
use tokio::{sync::mpsc, task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    error::RequestError,
    health::Healths,
    remoting::{Call, CallError, Remoting, pool::Pool},
    roles::Roles,
    route::Routes,
};

/// Asks the heartbeat task for an early beat. When the channel is full, beats are due anyway.
#[derive(Clone)]
pub(crate) struct Pulse(mpsc::Sender<Beat>);

#[derive(Clone, Debug)]
pub(crate) enum Beat {
    /// To every master.
    All,
    /// To the broker that is dialled at this address, if it is a master. A call that is under way will do: it is what
    /// opened the connection, or it came just before.
    Opened(Arc<str>),
    /// To the master whose address this is in the routes.
    Again(Arc<str>),
}

impl Pulse {
    pub(crate) fn new() -> (Self, mpsc::Receiver<Beat>) {
        let (sender, receiver) = mpsc::channel(64);
        (Self(sender), receiver)
    }

    pub(crate) fn ask(&self, beat: Beat) {
        drop(self.0.try_send(beat));
    }
}

/// What brokers said of themselves in their last answer to a heartbeat.
#[derive(Debug, Default)]
pub(crate) struct BrokerVersions(Mutex<BTreeMap<Arc<str>, Version>>);

impl BrokerVersions {
    pub(crate) fn get(&self, address: &str) -> Option<Version> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(address).copied()
    }

    fn set(&self, address: &Arc<str>, version: Version) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(address.clone(), version);
    }

    fn forget(&self, address: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(address);
    }
}

pub(crate) struct Heartbeat {
    pub(crate) beats: mpsc::Receiver<Beat>,
    pub(crate) announcer: Arc<Announcer>,
    pub(crate) routes: Routes,
    pub(crate) interval: Duration,
}

impl Heartbeat {
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let announcer = self.announcer.clone();
        let first = announcer.clock.instant(announcer.clock.now() + FIRST.min(self.interval));
        let mut regular = tokio::time::interval_at(first, self.interval);
        regular.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut calls = JoinSet::new();
        let mut under_way = BTreeSet::new();
        // Brokers that became due while their call was under way: what it carries may be out of date.
        let mut due_again = BTreeSet::new();
        // A broker that closes every connection at once must not be dialled in a loop by its own heartbeats.
        let mut last = BTreeMap::<Arc<str>, Time>::new();
        loop {
            // Finished calls first, so that their brokers count as free.
            let beat = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(done) = calls.join_next() => {
                    let Ok(address) = done else { continue };
                    under_way.remove(&address);
                    if !due_again.remove(&address) {
                        continue;
                    }
                    Beat::Again(address)
                }
                Some(beat) = self.beats.recv() => beat,
                _ = regular.tick() => Beat::All,
            };
            let (now, masters) = (announcer.clock.now(), self.routes.masters());
            last.retain(|address, _| {
                let is_master = masters.contains_key(address);
                if !is_master {
                    announcer.forget(address, masters.keys());
                }
                is_master
            });
            let Some(body) = announcer.body() else { continue };
            for (address, broker) in &*masters {
                let meant = match &beat {
                    Beat::All => true,
                    Beat::Opened(opened) => {
                        *opened == announcer.remoting.target(address)
                            && last.get(address).is_none_or(|last| now.since(*last) >= REST)
                    }
                    Beat::Again(again) => again == address,
                };
                if meant && under_way.insert(address.clone()) {
                    last.insert(address.clone(), now);
                    let (announcer, body) = (announcer.clone(), body.clone());
                    let (address, broker) = (address.clone(), broker.clone());
                    let until = announcer.clock.now() + announcer.timeout;
                    calls.spawn(async move {
                        // What went wrong is in the log: nobody waits for this call.
                        drop(announcer.announce(&address, &broker, body, until).await);
                        address
                    });
                } else if meant && !matches!(beat, Beat::Opened(_)) {
                    due_again.insert(address.clone());
                }
            }
        }
    }
}

/// Tells one broker who we are.
pub(crate) struct Announcer {
    pub(crate) client_id: Arc<str>,
    pub(crate) remoting: Arc<Remoting>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) roles: Arc<Roles>,
    pub(crate) versions: Arc<BrokerVersions>,
    pub(crate) healths: Arc<Healths>,
    pub(crate) clock: Clock,
    pub(crate) timeout: Duration,
}

impl Announcer {
    /// What a heartbeat says now; nothing when there is nobody to announce.
    pub(crate) fn body(&self) -> Option<Bytes> {
        self.roles.heartbeat(&self.client_id).map(Bytes::from)
    }

    /// Sends one heartbeat, over a new connection if there is none. An error says that no answer came; a refusal is
    /// logged.
    ///
    /// # Cancel safety
    /// Safe: the broker may have heard it, which changes nothing.
    pub(crate) async fn announce(
        &self,
        address: &Arc<str>,
        broker: &str,
        body: Bytes,
        deadline: Time,
    ) -> Result<(), CallError> {
        let target = self.remoting.target(address);
        let health = self.healths.of(&target);
        let began = self.clock.now();
        let call = Call::new(&header::Heartbeat {}, deadline).prompt().body(body);
        let answered = self.remoting.call(address, call).await;
        if answered.is_ok() {
            health.observe_answer(began);
        }
        // Whatever it says, it answers. That matters while the broker rests and is asked whether it is back.
        self.healths.tell(&target, health.observe_probe(self.clock.now(), answered.is_ok()));
        match answered {
            Ok(answer) if answer.response_code() == ResponseCode::SUCCESS => {
                self.versions.set(address, answer.version);
            }
            Ok(answer) => {
                let error = RequestError::refused(address, &answer);
                tracing::error!(broker, %error, "heartbeat refused");
            }
            Err(error) => {
                tracing::debug!(broker, %address, cause = %error.cause, "heartbeat not answered");
                return Err(error);
            }
        }
        Ok(())
    }

    /// No route names the broker any more: nothing is known of it, and its connection ends when what is under way has.
    fn forget<'a>(&self, address: &Arc<str>, mut masters: impl Iterator<Item = &'a Arc<str>>) {
        tracing::debug!(%address, "no route names this broker any more");
        self.versions.forget(address);
        let target = self.remoting.target(address);
        // Another broker may have moved in.
        let is_shared = masters.any(|master| self.remoting.target(master) == target);
        if let Some(connection) = self.pool.open(&target).filter(|_| !is_shared) {
            connection.retire();
        }
    }
}

/// A connection that opens so soon after the last beat gets none of its own.
const REST: Duration = Duration::from_secs(1);
/// Apache's client sends its first scheduled heartbeat after 1 s.
const FIRST: Duration = Duration::from_secs(1);
