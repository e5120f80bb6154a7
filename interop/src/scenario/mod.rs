//! What is proved. Each scenario is a story with one subject; it fails with what was expected and what came.

mod admin;
mod benchmark;
mod consumers;
mod demo;
mod failing;
mod forms;
mod inspect;
mod java;
mod library;
mod produce;
mod readers;
mod tools;

use anyhow::Result;

use crate::{maxq, stage::Stage};

/// A story to be played on a [`Stage`].
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// One line for the table.
    pub(crate) name: &'static str,
    pub(crate) play: fn(&mut Stage<'_>) -> Result<()>,
}

/// Apache's client and tools against whatever serves. Against Apache's own servers they judge the judges; against the
/// emulator they judge the emulator.
const APACHE_CLIENT: &[Scenario] = &[
    Scenario { name: "mqadmin: clusters, topics, routes", play: admin::names },
    Scenario { name: "mqadmin: send and look up a message", play: admin::message },
    Scenario { name: "Java client: every way to send", play: java::every_way_to_send },
    Scenario { name: "Java client: topic made by the first send", play: java::auto_created_topic },
    Scenario { name: "Java client: a selector keeps what belongs together", play: java::selector },
    Scenario { name: PUSH, play: consumers::push },
    Scenario { name: LITE_PULL, play: consumers::lite_pull },
    Scenario { name: TOPICS_LOOKED_AT, play: inspect::topics },
    Scenario { name: "mqadmin: messages looked up", play: inspect::messages },
    Scenario { name: "mqadmin: who is online", play: inspect::clients },
];

/// More of the admin tool. With servers of its own line alone: across lines it would say what the others say.
const FORMS: &[Scenario] = &[
    Scenario { name: "mqadmin: for a cluster, for one broker", play: forms::brokers },
    Scenario { name: "mqadmin: for one queue, order", play: forms::queue },
];

/// Apache's client against an emulator that fails.
const FAILING_EMULATOR: &[Scenario] = &[
    Scenario { name: "Java client: an emulated broker is killed", play: failing::killed },
    Scenario { name: "Java client: an emulated broker is slow", play: failing::slow },
];

/// Apache's benchmark against the emulator.
const BENCHMARK: &[Scenario] = &[
    Scenario { name: "Apache's benchmark: Producer", play: benchmark::producer },
    Scenario { name: "Apache's benchmark: BatchProducer", play: benchmark::batch_producer },
    Scenario { name: "Apache's benchmark: Consumer", play: benchmark::consumer },
];

/// The command line under test, against whatever serves.
const MAXQ: &[Scenario] = &[
    Scenario { name: "maxq: clusters, topics, routes", play: produce::names },
    Scenario { name: "maxq produce: lines", play: produce::lines },
    Scenario { name: "maxq produce: NDJSON, bodies of all kinds", play: produce::ndjson },
    Scenario { name: "maxq produce: one way, to a queue, new topic", play: produce::ways },
    Scenario { name: "maxq cat | maxq produce loses nothing", play: produce::round_trip },
    Scenario { name: "maxq demo loses nothing", play: demo::demo },
    Scenario { name: "maxq msg, topic describe, topic delete", play: tools::lookups },
    Scenario { name: "maxq produce --rate, bench, doctor", play: tools::measures },
];

/// The library under test, against whatever serves.
const LIBRARY: &[Scenario] = &[
    Scenario { name: "library: every ending of a send", play: library::endings },
    Scenario { name: "library: binary headers", play: library::binary_headers },
    Scenario { name: "library: queues chosen, by key as in Java", play: library::choosing },
    Scenario { name: "library: batches, whole and cut", play: library::batches },
    Scenario { name: "library: zlib, LZ4, Zstandard", play: library::compression },
    Scenario { name: "library: rules for trying again", play: library::rules },
    Scenario { name: "library: reader", play: library::reading },
    Scenario { name: "library: topics and brokers", play: library::topics },
    Scenario { name: "library: offsets", play: library::offsets },
    Scenario { name: "library: messages by id and by key", play: library::lookups },
    Scenario { name: "library: lists of name servers, mapped addresses", play: library::name_servers },
    Scenario { name: "library: address endpoint", play: library::address_endpoint },
    Scenario { name: "library: figures of a producer", play: library::stats },
    Scenario { name: "library: events of a client", play: library::events },
    Scenario { name: "library: a prewarmed first send", play: library::prewarm },
    Scenario { name: "library: brokers know a client while it lives", play: library::presence },
    Scenario { name: "library: closing with messages under way", play: library::closing },
    Scenario { name: "library: wrong ports are explained", play: library::wrong_ports },
    Scenario { name: "library: a missing topic is explained", play: library::missing_topic },
];

/// What is played on Apache's servers: first the judges among themselves, then what is under test, unless the judges are
/// tested alone.
pub(crate) fn on_apache(judges_alone: bool) -> Vec<Scenario> {
    let tested = if judges_alone { Vec::new() } else { [MAXQ, LIBRARY].concat() };
    [APACHE_CLIENT, FORMS, tested.as_slice()].concat()
}

/// What is played on an emulator of one version with a client of another: what they can do with each other, and where
/// they are of one line all there is.
pub(crate) fn on_emulator(emulated: &str, client: &str) -> Vec<Scenario> {
    if emulated == maxq::emulated(client) {
        let benchmark = if client == benchmark::VERSION { BENCHMARK } else { &[] };
        return [APACHE_CLIENT, FORMS, MAXQ, LIBRARY, FAILING_EMULATOR, benchmark].concat();
    }
    let is_old = emulated.starts_with("4.");
    let fits = |scenario: &&Scenario| !(is_old && TOO_NEW_FOR_4_9.contains(&scenario.name));
    APACHE_CLIENT.iter().filter(fits).copied().collect()
}

/// What a newer client or tool cannot do with a server of 4.9, Apache's as little as ours: the lite pull consumer asks
/// with code 361, `topicStatus` and `consumerProgress` with 351.
const TOO_NEW_FOR_4_9: [&str; 3] = [PUSH, LITE_PULL, TOPICS_LOOKED_AT];
const PUSH: &str = "Java client: push consumer";
const LITE_PULL: &str = "Java client: lite pull consumers";
const TOPICS_LOOKED_AT: &str = "mqadmin: topics and brokers looked at";
