//! The list of requests, scene by scene. Later scenes find what earlier ones have left.

mod batch;
mod client;
mod frame;
mod name_server;
mod offset;
mod pull;
mod query;
mod send;
mod topic;
mod unknown;

use anyhow::Result;
use maxq_protocol::RemotingCommand;

use super::step::{Action, Memory, Server, Step};

/// All steps for one version, in order.
pub(super) fn steps(version: &str) -> Vec<Step> {
    let mut table = Table { version: version.to_owned(), scene: "", steps: Vec::new() };
    for (scene, play) in SCENES {
        table.scene = scene;
        play(&mut table);
    }
    table.steps
}

/// Names and scenes, in the order in which they are played.
const SCENES: &[Scene] = &[
    ("topic", topic::topics),
    ("send", send::sends),
    ("retry", send::retries),
    ("batch", batch::batches),
    ("tag", pull::tagged),
    ("stored", send::stored),
    ("stored batch", batch::stored),
    ("pull", pull::pulls),
    ("filter", pull::filters),
    ("poll", pull::polls),
    ("offset", offset::offsets),
    ("group offset", offset::group_offsets),
    ("query", query::queries),
    ("client", client::clients),
    ("statistics", topic::statistics),
    ("name server", name_server::name_server),
    ("key", name_server::keys),
    ("delete", topic::deletions),
    ("unknown", unknown::codes),
    ("not yet", unknown::not_yet),
    ("frame", frame::frames),
    ("later", send::later),
];

/// Its name, and what adds its steps.
type Scene = (&'static str, fn(&mut Table));

/// The list under construction.
struct Table {
    version: String,
    scene: &'static str,
    steps: Vec<Step>,
}

impl Table {
    /// Whether the list is for a server of the 4.9 line.
    fn is_old(&self) -> bool {
        self.version.starts_with("4.")
    }

    /// Asks the broker.
    fn broker(&mut self, name: impl AsRef<str>, request: RemotingCommand) -> &mut Step {
        self.ask(name, Server::Broker, move |_| Ok(request.clone()))
    }

    /// Asks the broker something that depends on an earlier answer.
    fn broker_with(
        &mut self,
        name: impl AsRef<str>,
        make: impl Fn(&Memory) -> Result<RemotingCommand> + Send + Sync + 'static,
    ) -> &mut Step {
        self.ask(name, Server::Broker, make)
    }

    /// Asks the name server.
    fn name_server(&mut self, name: impl AsRef<str>, request: RemotingCommand) -> &mut Step {
        self.ask(name, Server::NameServer, move |_| Ok(request.clone()))
    }

    /// Sends the broker something that must not be answered.
    fn oneway(&mut self, name: impl AsRef<str>, request: RemotingCommand) -> &mut Step {
        let make = move |_: &Memory| Ok(request.clone());
        self.push(name, Server::Broker, Action::Oneway(Box::new(make)))
    }

    /// Writes bytes on a connection of its own, beside its neighbours that are written so too.
    fn write(&mut self, name: impl AsRef<str>, server: Server, bytes: Vec<u8>) -> &mut Step {
        let step = self.push(name, server, Action::Write(bytes));
        step.apart = true;
        step
    }

    fn ask(
        &mut self,
        name: impl AsRef<str>,
        server: Server,
        make: impl Fn(&Memory) -> Result<RemotingCommand> + Send + Sync + 'static,
    ) -> &mut Step {
        self.push(name, server, Action::Ask(Box::new(make)))
    }

    fn push(&mut self, name: impl AsRef<str>, server: Server, action: Action) -> &mut Step {
        let step = Step::new(format!("{}: {}", self.scene, name.as_ref()), server, action);
        self.steps.push(step);
        self.steps.last_mut().expect("it was just pushed")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_step_has_a_name_of_its_own() {
        for version in ["4.9.7", "5.5.0"] {
            let mut names = BTreeSet::new();
            for step in steps(version) {
                assert!(names.insert(step.name.clone()), "{}", step.name);
            }
        }
    }
}
