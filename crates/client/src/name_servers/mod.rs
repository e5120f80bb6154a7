//! The name servers: the one that answered last is asked first, the others follow within the deadline.
//!
//! While nobody has answered yet, two are asked at once and the first answer counts, so that a dead one costs a cold
//! start nothing; the connection to the slower one stays, and ends when it has been idle for long.

mod round;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use maxq_policy::{Time, name_server::NameServerChoice};
use maxq_protocol::{RemotingCommand, Request, RequestCode, ResponseCode};

use crate::{
    clock::Clock,
    config::Mapping,
    discovery::Finder,
    events::{Event, Herald},
    remoting::{Call, CallError, Phase, Remoting, cause::Cause, end_call, pool::Pool},
};
use round::Round;

pub(crate) struct NameServers {
    known: Mutex<Known>,
    /// The servers as the user wrote them.
    configured: Arc<str>,
    /// Looks them up, unless all of them are addresses.
    finder: Option<Finder>,
    pool: Arc<Pool>,
    remoting: Arc<Remoting>,
    mapping: Arc<Mapping>,
    clock: Clock,
    herald: Herald,
}

struct Known {
    choice: NameServerChoice,
    /// The name behind an address, for those who read an error.
    names: BTreeMap<Arc<str>, Arc<str>>,
    /// Why nobody is known.
    missing: Option<(Arc<str>, CallError)>,
    /// Counts the changes of the list.
    version: u64,
}

/// What each name server said instead of an answer.
pub(crate) type NoneAnswered = Vec<(Arc<str>, CallError)>;

/// What the name servers need of the client.
pub(crate) struct Links {
    pub(crate) pool: Arc<Pool>,
    pub(crate) remoting: Arc<Remoting>,
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) clock: Clock,
    pub(crate) herald: Herald,
}

/// A name server as it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// What is dialled.
    pub(crate) address: Arc<str>,
    /// What an error calls it.
    pub(crate) name: Arc<str>,
}

impl Found {
    /// A server that is dialled by the name that the user wrote.
    pub(crate) fn literal(address: &Arc<str>) -> Self {
        Self { address: address.clone(), name: address.clone() }
    }

    /// The servers behind a name: each of its addresses is one of its own.
    pub(crate) fn behind(name: &Arc<str>, addresses: &[SocketAddr]) -> Vec<Self> {
        let shown = |address: &SocketAddr| match addresses.len() {
            1 => name.clone(),
            _ => format!("{name} at {}", address.ip()).into(),
        };
        addresses.iter().map(|at| Self { address: at.to_string().into(), name: shown(at) }).collect()
    }
}

impl NameServers {
    /// Those that are `configured`; the first question begins at `start`. With a `finder`, they are looked up before
    /// the first question.
    pub(crate) fn new(
        configured: Arc<str>,
        servers: Vec<Arc<str>>,
        start: usize,
        finder: Option<Finder>,
        links: Links,
    ) -> Self {
        // What is said of an address endpoint that has not answered yet.
        let late = CallError { phase: Phase::Connect, cause: Arc::new(Cause::TimedOut) };
        let missing = servers.is_empty().then(|| (configured.clone(), late));
        let mut choice = NameServerChoice::new(start);
        choice.update(servers);
        let known = Known { choice, names: BTreeMap::new(), missing, version: 0 };
        let Links { pool, remoting, mapping, clock, herald } = links;
        Self { known: Mutex::new(known), configured, finder, pool, remoting, mapping, clock, herald }
    }

    /// The servers as they were configured, to be named in an error.
    pub(crate) fn list(&self) -> Arc<str> {
        self.configured.clone()
    }

    /// The addresses that are dialled, separated by commas.
    pub(crate) fn addresses(&self) -> String {
        let known = self.known();
        let targets = known.choice.addresses().map(|address| self.target(address));
        targets.collect::<Vec<_>>().join(", ")
    }

    /// Asks until one answers, whatever it says. Each gets its share of the time that is left, so that a silent one
    /// leaves some for the next. When none answers they are looked up anew, and new ones are asked too.
    ///
    /// # Cancel safety
    /// Safe: requests to name servers change nothing.
    pub(crate) async fn ask<R: Request>(
        &self,
        request: &R,
        deadline: Time,
    ) -> Result<(Arc<str>, RemotingCommand), NoneAnswered> {
        let Some(finder) = &self.finder else { return self.ask_known(request, deadline).await };
        self.find_first(deadline).await;
        let version = self.known().version;
        match self.ask_known(request, deadline).await {
            Err(mut tried) => {
                finder.find(self.clock.instant(deadline)).await;
                if self.known().version == version {
                    return Err(tried);
                }
                self.ask_known(request, deadline).await.map_err(|others| {
                    tried.extend(others);
                    tried
                })
            }
            answered => answered,
        }
    }

    /// The addresses of all servers, each to be asked on its own.
    ///
    /// # Cancel safety
    /// Safe: it changes nothing.
    pub(crate) async fn each(&self, deadline: Time) -> Vec<Arc<str>> {
        self.find_first(deadline).await;
        self.known().choice.addresses().cloned().collect()
    }

    /// Where the server at `address` is really dialled: the pairs of the mapping hold for it. The rest of the mapping is
    /// for brokers.
    pub(crate) fn target(&self, address: &Arc<str>) -> Arc<str> {
        self.mapping.name_server(address)
    }

    /// Whether a pair says where this server is dialled. Then its name is not looked up: the pair is for the name.
    pub(crate) fn is_mapped(&self, server: &Arc<str>) -> bool {
        self.target(server) != *server
    }

    /// Asks the server at `address` alone and gives its answer, whatever its code: the one way to a name server.
    ///
    /// # Cancel safety
    /// As [`Remoting::call`].
    pub(crate) async fn call<R: Request>(
        &self,
        address: &Arc<str>,
        request: &R,
        until: Time,
    ) -> Result<RemotingCommand, CallError> {
        let dialled = self.pool.get(&self.target(address), until).await;
        let connection = dialled.map_err(|cause| CallError { phase: Phase::Connect, cause })?;
        let answer = self.remoting.begin_call(&connection, Call::new(request, until))?;
        end_call(connection, answer).await
    }

    /// Looks for the servers before the first question.
    async fn find_first(&self, deadline: Time) {
        if let Some(finder) = &self.finder
            && !finder.begin_use()
        {
            // Half of the time is left for the question. The names themselves are asked when no look-up ends by then.
            let now = self.clock.now();
            finder.find(self.clock.instant(now + deadline.since(now) / 2)).await;
        }
    }

    /// The servers from now on. The connections to those that are gone finish what is under way, and end.
    pub(crate) fn update(&self, servers: Vec<Found>) {
        let mut known = self.known();
        let before: Vec<_> = known.choice.addresses().cloned().collect();
        let gone = known.choice.update(servers.iter().map(|server| server.address.clone()));
        known.names = servers.into_iter().map(|server| (server.address, server.name)).collect();
        known.missing = None;
        let is_changed = !known.choice.addresses().eq(&before);
        known.version += u64::from(is_changed);
        drop(known);
        if is_changed {
            tracing::info!(name_servers = %self.addresses(), "name servers found");
            self.herald.tell(|| {
                let addresses = self.known().choice.addresses().cloned().collect();
                Event::NameServersChanged { addresses }
            });
        }
        for address in gone {
            if let Some(connection) = self.pool.open(&self.target(&address)) {
                connection.retire();
            }
        }
    }

    /// Nobody could be found, and why; what was known before stays.
    pub(crate) fn observe_missing(&self, whence: Arc<str>, cause: Cause) {
        let error = CallError { phase: Phase::Connect, cause: Arc::new(cause) };
        self.known().missing = Some((whence, error));
    }

    async fn ask_known<R: Request>(
        &self,
        request: &R,
        deadline: Time,
    ) -> Result<(Arc<str>, RemotingCommand), NoneAnswered> {
        let round = self.begin(deadline);
        // Boxed, because questions are rare and the futures of those who wait for them are not.
        let mut one = Box::pin(self.walk(request, &round));
        let answered = if round.width == 1 {
            one.await
        } else {
            let mut other = Box::pin(self.walk(request, &round));
            // The one that was begun first counts when both have an answer. A walk without one leaves it to the other.
            tokio::select! {
                biased;
                answered = &mut one => match answered {
                    None => other.await,
                    answered => answered,
                },
                answered = &mut other => match answered {
                    None => one.await,
                    answered => answered,
                },
            }
        };
        match answered {
            Some(answered) => Ok(answered),
            None => round.end(),
        }
    }

    /// Whom to ask now, and how many at once.
    fn begin(&self, deadline: Time) -> Round {
        let known = self.known();
        let order = known.choice.order(self.clock.now());
        let servers = order.into_iter().map(|address| {
            let name = known.names.get(&address).unwrap_or(&address).clone();
            Found { address, name }
        });
        let missing = known.missing.clone();
        let width = if known.choice.is_settled() { 1 } else { 2 };
        Round::new(servers.collect(), missing.into_iter().collect(), width, deadline)
    }

    /// Asks one server of the round after the other.
    async fn walk<R: Request>(&self, request: &R, round: &Round) -> Option<(Arc<str>, RemotingCommand)> {
        while let Some((server, until)) = round.next(self.clock.now()) {
            match self.ask_one(&server.address, request, until).await {
                Ok(answer) if is_sick(&answer) => {
                    self.known().choice.observe_failure(self.clock.now(), &server.address);
                    round.keep(server, answer);
                }
                Ok(answer) => {
                    self.known().choice.observe_answer(&server.address);
                    self.mapping.observe_name_server(&self.target(&server.address));
                    return Some((server.name, answer));
                }
                Err(error) => {
                    tracing::debug!(name_server = %server.name, cause = %error.cause, "name server did not answer");
                    self.known().choice.observe_failure(self.clock.now(), &server.address);
                    round.fail(server, error);
                }
            }
        }
        None
    }

    /// Asks one server. One that leaves answers every request with GO_AWAY, which is no answer: another one may listen
    /// behind the same address, so it is asked once more on a new connection, as Apache's client does.
    async fn ask_one<R: Request>(
        &self,
        address: &Arc<str>,
        request: &R,
        until: Time,
    ) -> Result<RemotingCommand, CallError> {
        let mut answer = self.call(address, request, until).await?;
        if answer.response_code() == ResponseCode::GO_AWAY {
            answer = self.call(address, request, until).await?;
        }
        let cause = match answer.response_code() {
            ResponseCode::GO_AWAY => Cause::GoAway,
            // Everybody who gives routes, a proxy too, knows this question.
            ResponseCode::REQUEST_CODE_NOT_SUPPORTED if R::CODE == RequestCode::GET_ROUTEINFO_BY_TOPIC => {
                Cause::Io(io::Error::other("this is a broker, not a name server"))
            }
            _ => return Ok(answer),
        };
        Err(CallError { phase: Phase::Answer, cause: Arc::new(cause) })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name server that has too much to do answers SYSTEM_BUSY, one whose question made it throw SYSTEM_ERROR, and so does
/// one that knows no routes in its first 45 s (with `needWaitForService`). Another one may do better.
fn is_sick(answer: &RemotingCommand) -> bool {
    matches!(answer.response_code(), ResponseCode::SYSTEM_ERROR | ResponseCode::SYSTEM_BUSY)
}
