//! One drill: a fresh cluster, one client under load, one fault, and a look into the store.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, anyhow};

use super::{
    Client, Fault, Measured,
    load::Load,
    maxq_load,
    phases::{self, Figures, Moments},
    sends::Send,
    storage::{Storage, Tally},
};
use crate::{
    apache::{Apache, ApacheCluster, Jvm, Part},
    clock,
    judge::Judge,
    signal::Signal,
};

/// What is drilled.
pub(crate) struct Drill<'a> {
    pub(crate) apache: &'a Apache,
    pub(crate) fault: Fault,
    pub(crate) client: Client,
    pub(crate) pace: Pace,
    /// How long the fault lasts.
    pub(crate) lasting: Duration,
    /// Takes all that is written.
    pub(crate) folder: PathBuf,
}

/// How long a drill looks at what is well.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    warm_up: Duration,
    /// Before the fault, and again after the healing.
    measured: Duration,
}

impl Pace {
    /// The warm-up lasts until the compilers of client and brokers are done: after 5 s Java has been seen at half its
    /// speed.
    pub(crate) const MEASURED: Self =
        Self { warm_up: Duration::from_secs(15), measured: Duration::from_secs(5) };
    /// For what holds at any speed.
    pub(crate) const SHORT: Self = Self { warm_up: Duration::from_secs(1), measured: Duration::from_secs(1) };
}

impl Drill<'_> {
    /// Runs it. An error means that it could not be carried out; whatever the client did is in the figures.
    pub(crate) fn run(&self) -> Result<Measured> {
        let mut cluster = ApacheCluster::start(self.apache, BROKERS, &self.folder.join("apache"))?;
        self.on(&mut cluster)
    }

    fn on(&self, cluster: &mut ApacheCluster) -> Result<Measured> {
        let name_server = cluster.name_server();
        maxq_load::create_topic(&name_server, TOPIC)?;
        let everywhere = || Ok((cluster.serving(TOPIC).unwrap_or(0) == BROKERS).then_some(()));
        clock::wait_for(TOPIC_LIMIT, everywhere)?.context("the topic did not come to all brokers")?;
        let load = Load::start(self.client, self.apache, &name_server, TOPIC, &self.folder)?;
        let moments = self.strike(cluster, &load)?;
        let sends = load.stop()?;
        eprintln!("msg/s second by second: {}", phases::course(&sends, &moments));
        let figures = Figures::of(&sends, &moments);
        // Its own process, and only now: nothing but the load shall run beside the brokers while we measure.
        let storage = self.look_into_store(&name_server, &sends);
        let storage = storage.map_err(|error| anyhow!("{error:#}\n{}", cluster.tails()))?;
        Ok(Measured { figures, storage })
    }

    /// The fault, with its before and after. If anything fails here, the end of the cluster ends the frozen broker.
    fn strike(&self, cluster: &mut ApacheCluster, load: &Load) -> Result<Moments> {
        clock::pass(self.pace.warm_up);
        let before = load.elapsed();
        clock::pass(self.pace.measured);
        let fault = load.elapsed();
        cluster.signal(STRUCK, self.fault.signal())?;
        clock::pass(self.lasting);
        let heal = load.elapsed();
        match self.fault {
            Fault::Kill => cluster.restart(STRUCK)?,
            Fault::Freeze => cluster.signal(STRUCK, Signal::Continue)?,
        }
        let healed = load.elapsed();
        clock::pass(self.pace.measured);
        Ok(Moments { before, fault, heal, healed, end: load.elapsed() })
    }

    /// Apache's consumer pulls everything from both brokers.
    fn look_into_store(&self, name_server: &str, sends: &[Send]) -> Result<Storage> {
        let acknowledged = sends.iter().filter(|send| send.is_acknowledged()).count();
        let folder = self.folder.join("reader");
        let mut judge = Judge::start(self.apache, Jvm::StartsFast, &folder)?;
        let tallies: Vec<Tally> = judge.tally(name_server, TOPIC, acknowledged, READ_LIMIT)?;
        Storage::compare(sends, &tallies)
    }
}

const TOPIC: &str = "faults";
/// The fewest with which a client can go somewhere else.
const BROKERS: usize = 2;
/// The first: nothing tells the two apart.
const STRUCK: Part = Part::Broker(0);
const TOPIC_LIMIT: Duration = Duration::from_secs(30);
/// Hundreds of thousands of messages, 32 a pull.
const READ_LIMIT: Duration = Duration::from_secs(120);
