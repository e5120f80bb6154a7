//! Plays the table on one server.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::SocketAddr,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use maxq_protocol::{RemotingCommand, header::GetMaxOffset};

use super::{
    connection::{Came, Connection},
    facets::{Facets, Places},
    request::{plain, typed},
    step::{Action, Memory, Patience, Reading, Server, Step},
};
use crate::clock;

/// Where one server of the pair listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) name_server: SocketAddr,
    pub(super) broker: SocketAddr,
}

impl Addresses {
    const fn of(self, server: Server) -> SocketAddr {
        match server {
            Server::NameServer => self.name_server,
            Server::Broker => self.broker,
        }
    }

    fn places(self, connection: &Connection) -> Result<Places> {
        Ok(Places { name_server: self.name_server, broker: self.broker, client: connection.local()? })
    }
}

/// What came of each step, in order.
pub(super) fn play(addresses: Addresses, steps: &[Step]) -> Result<Vec<Facets>> {
    let mut player = Player { addresses, connections: BTreeMap::new(), memory: Memory::default() };
    let mut seen = Vec::new();
    for group in steps.chunk_by(|one, other| one.apart && other.apart) {
        match group {
            [step] if !step.apart => {
                seen.push(player.step(step).with_context(|| format!("`{}`", step.name))?);
            }
            _ => seen.extend(beside(addresses, group)?),
        }
    }
    Ok(seen)
}

/// All at once, each on a connection of its own.
fn beside(addresses: Addresses, steps: &[Step]) -> Result<Vec<Facets>> {
    let results: Mutex<BTreeMap<usize, Result<Facets>>> = Mutex::default();
    thread::scope(|scope| {
        for (number, step) in steps.iter().enumerate() {
            let results = &results;
            scope.spawn(move || {
                let facets = alone(addresses, step).with_context(|| format!("`{}`", step.name));
                results.lock().unwrap_or_else(PoisonError::into_inner).insert(number, facets);
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

fn alone(addresses: Addresses, step: &Step) -> Result<Facets> {
    let mut connection = Connection::open(addresses.of(step.server))?;
    match &step.action {
        Action::Write(bytes) => written(addresses, &mut connection, bytes, step.body),
        Action::Ask(make) | Action::Oneway(make) => {
            let request = make(&Memory::default())?;
            let (facets, _) = asked(addresses, &mut connection, &request, step)?;
            Ok(facets)
        }
    }
}

struct Player {
    addresses: Addresses,
    connections: BTreeMap<(Server, &'static str), Connection>,
    memory: Memory,
}

impl Player {
    fn step(&mut self, step: &Step) -> Result<Facets> {
        let addresses = self.addresses;
        let key = (step.server, step.client);
        let connection = match self.connections.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => free.insert(Connection::open(addresses.of(step.server))?),
        };
        let facets = match &step.action {
            Action::Write(bytes) => written(addresses, connection, bytes, step.body)?,
            Action::Oneway(make) => oneway(addresses, connection, make(&self.memory)?, step)?,
            Action::Ask(make) => {
                let request = make(&self.memory)?;
                let (facets, answer) = asked(addresses, connection, &request, step)?;
                if let Some(answer) = answer {
                    self.memory.keep(&step.name, answer);
                }
                facets
            }
        };
        if facets[OUTCOME] != ANSWERED {
            self.connections.remove(&key);
        }
        Ok(facets)
    }
}

/// Asks once, or until the answer is as wished.
fn asked(
    addresses: Addresses,
    connection: &mut Connection,
    request: &RemotingCommand,
    step: &Step,
) -> Result<(Facets, Option<RemotingCommand>)> {
    let began = clock::now();
    loop {
        let opaque = connection.post(request.clone());
        let came = match (connection.answer(opaque, ANSWER_LIMIT)?, &step.patience) {
            (Came::Frame(answer), Patience::Until(is_there, wanted))
                if !is_there(&answer, *wanted) && began.elapsed() < UNTIL_LIMIT =>
            {
                clock::pass(AGAIN);
                continue;
            }
            (came, _) => came,
        };
        let Came::Frame(answer) = came else { return Ok((nothing(&came), None)) };
        let mut facets = addresses.places(connection)?.facets(&answer, step.body);
        facets.insert(OUTCOME.to_owned(), ANSWERED.to_owned());
        if let Patience::Held(millis) = step.patience {
            let is_held = began.elapsed() >= Duration::from_millis(millis);
            facets.insert(
                "timing".to_owned(),
                if is_held { "when the time is up" } else { "before" }.to_owned(),
            );
        }
        return Ok((facets, Some(answer)));
    }
}

/// Two requests, of which only the second may be answered.
fn oneway(
    addresses: Addresses,
    connection: &mut Connection,
    request: RemotingCommand,
    step: &Step,
) -> Result<Facets> {
    connection.post(RemotingCommand { flags: maxq_protocol::Flags::ONEWAY, ..request });
    let second = connection.post(sure_to_be_answered(step.server));
    let mut facets = match connection.next(ANSWER_LIMIT)? {
        Came::Frame(answer) if answer.opaque == second => {
            Facets::from([("answer".to_owned(), "none".to_owned())])
        }
        Came::Frame(answer) => addresses.places(connection)?.facets(&answer, step.body),
        came => return Ok(nothing(&came)),
    };
    facets.insert(OUTCOME.to_owned(), ANSWERED.to_owned());
    Ok(facets)
}

/// A request that must get no answer at all, and one behind it that gets one.
fn written(addresses: Addresses, connection: &mut Connection, bytes: &[u8], body: Reading) -> Result<Facets> {
    connection.write(bytes);
    match connection.next(SILENCE)? {
        Came::Frame(answer) => {
            let mut facets = addresses.places(connection)?.facets(&answer, body);
            facets.insert(OUTCOME.to_owned(), ANSWERED.to_owned());
            // A header without one gets a number of the server's own.
            let opaque = if answer.opaque == OPAQUE { "ours" } else { "another" };
            facets.insert("opaque".to_owned(), opaque.to_owned());
            Ok(facets)
        }
        came => Ok(nothing(&came)),
    }
}

fn nothing(came: &Came) -> Facets {
    let outcome = if matches!(came, Came::End) { "closed" } else { "silent" };
    Facets::from([(OUTCOME.to_owned(), outcome.to_owned())])
}

fn sure_to_be_answered(server: Server) -> RemotingCommand {
    match server {
        Server::NameServer => plain(206, &[]),
        Server::Broker => typed(&GetMaxOffset {
            topic: "TBW102".to_owned(),
            queue_id: 0,
            committed: None,
            broker_name: None,
        }),
    }
}

/// The facet that every step has: answered, closed or silent.
pub(super) const OUTCOME: &str = "outcome";
const ANSWERED: &str = "answered";
/// Longer than a server holds a pull of the table, on a busy machine.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// The opaque of everything that is written as bytes.
pub(super) const OPAQUE: i32 = 7;
/// How long a server that does not answer is listened to.
const SILENCE: Duration = Duration::from_secs(2);
const UNTIL_LIMIT: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(30);
