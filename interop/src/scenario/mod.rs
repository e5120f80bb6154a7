//! What is proved. Each scenario is a story with one subject; it fails with what was expected and what came.

mod admin;
mod demo;
mod java;
mod produce;
mod readers;

use anyhow::Result;

use crate::stage::Stage;

/// A story to be played on a [`Stage`].
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// One line for the table.
    pub(crate) name: &'static str,
    pub(crate) play: fn(&mut Stage<'_>) -> Result<()>,
}

/// Apache's client and tools against whatever serves. Against Apache's own servers they judge the judges; against the
/// emulator they judge the emulator.
pub(crate) const APACHE_CLIENT: &[Scenario] = &[
    Scenario { name: "mqadmin: clusters, topics, routes", play: admin::names },
    Scenario { name: "mqadmin: send and look up a message", play: admin::message },
    Scenario { name: "Java client: every way to send", play: java::every_way_to_send },
    Scenario { name: "Java client: topic made by the first send", play: java::auto_created_topic },
];

/// The command line under test against Apache's servers.
pub(crate) const MAXQ: &[Scenario] = &[
    Scenario { name: "maxq: clusters, topics, routes", play: produce::names },
    Scenario { name: "maxq produce: lines", play: produce::lines },
    Scenario { name: "maxq produce: NDJSON, bodies of all kinds", play: produce::ndjson },
    Scenario { name: "maxq produce: one way, to a queue, new topic", play: produce::ways },
    Scenario { name: "maxq cat | maxq produce loses nothing", play: produce::round_trip },
    Scenario { name: "maxq demo loses nothing", play: demo::demo },
];
