//! One run: for each version a real cluster and an emulated one, and the scenarios on them in order.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use anyhow::Result;

use crate::{
    apache::{Apache, ApacheCluster, Broker},
    clock,
    maxq::{self, Emulator, Maxq},
    report::{Outcome, Report},
    scenario::{self, Scenario},
    stage::{Judges, Stage},
};

/// What is to be played.
pub(crate) struct Plan {
    /// Versions of Apache RocketMQ, each with its own servers, client and tools.
    pub(crate) versions: Vec<String>,
    /// The command line under test, or nothing to let the judges judge each other.
    pub(crate) maxq: Option<PathBuf>,
    /// Takes all that is written, and is removed by the caller.
    pub(crate) scratch: PathBuf,
}

/// Plays everything. An error means that nothing could be played at all.
pub(crate) fn run(plan: &Plan) -> Result<Report> {
    let build = maxq::target_folder()?.join("interop");
    // One after the other: Maven must not fill its store twice at once.
    let releases: Vec<Apache> =
        plan.versions.iter().map(|version| Apache::prepare(version, &build)).collect::<Result<_>>()?;
    let mut report = Report::default();
    if memory_for_all(releases.len()) {
        let outcomes = thread::scope(|scope| {
            let runs: Vec<_> = releases.iter().map(|apache| scope.spawn(|| version(plan, apache))).collect();
            runs.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
        });
        for outcome in outcomes {
            report.extend(outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
    } else {
        releases.iter().for_each(|apache| report.extend(version(plan, apache)));
    }
    Ok(report)
}

fn version(plan: &Plan, apache: &Apache) -> Vec<Outcome> {
    let folder = plan.scratch.join(apache.version());
    let mut judges = Judges::new(apache, folder.join("judge"));
    let mut outcomes = on_apache(plan, apache, &mut judges, &folder.join("apache"));
    if let Some(binary) = &plan.maxq {
        outcomes.extend(on_emulator(binary, &mut judges, &folder.join("emulator")));
    }
    outcomes
}

/// Apache's servers: first the judges among themselves, then the command line.
fn on_apache(plan: &Plan, apache: &Apache, judges: &mut Judges, folder: &Path) -> Vec<Outcome> {
    let play = Play::new(format!("Apache {}", apache.version()), judges);
    let mut scenarios = scenario::APACHE_CLIENT.to_vec();
    if plan.maxq.is_some() {
        scenarios.extend(scenario::MAXQ);
    }
    let cluster = match start_apache(apache, judges, folder) {
        Ok(cluster) => cluster,
        Err(error) => return play.not_started(&error, &scenarios),
    };
    let name_server = cluster.name_server();
    let stage = Stage {
        server: play.server.clone(),
        maxq: plan.maxq.as_ref().map(|binary| Maxq::new(binary, &name_server, folder)),
        name_server,
        brokers: cluster.brokers().to_vec(),
        judges,
    };
    play.run(stage, &scenarios, || cluster.tails())
}

/// The judge takes as long to start as the name server: let them start together.
fn start_apache(apache: &Apache, judges: &mut Judges, folder: &Path) -> Result<ApacheCluster> {
    let (cluster, judge) = thread::scope(|scope| {
        let judge = scope.spawn(|| judges.judge().map(drop));
        let cluster = ApacheCluster::start(apache, BROKERS, folder);
        (cluster, judge.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let cluster = cluster?;
    judge.map(|()| cluster)
}

/// Our emulator: Apache's client and tools, and `maxq cat` as one more reader.
fn on_emulator(binary: &Path, judges: &mut Judges, folder: &Path) -> Vec<Outcome> {
    let version = maxq::emulated(judges.version());
    let play = Play::new(format!("emulator {version}"), judges);
    let scenarios = scenario::on_emulator(judges.version());
    let emulator = match Emulator::start(binary, version, BROKERS, folder) {
        Ok(emulator) => emulator,
        Err(error) => return play.not_started(&error, &scenarios),
    };
    let name_server = emulator.ready().name_server.clone();
    let addresses = emulator.ready().brokers.iter().enumerate();
    let broker = |(number, address): (usize, &SocketAddr)| Broker {
        name: format!("broker-{number}"),
        address: *address,
    };
    let stage = Stage {
        server: play.server.clone(),
        maxq: Some(Maxq::new(binary, &name_server, folder)),
        name_server,
        brokers: addresses.map(broker).collect(),
        judges,
    };
    play.run(stage, &scenarios, || emulator.tail())
}

/// The scenarios of one version on one server, from the start of the server on.
struct Play {
    server: String,
    client: String,
    began: Instant,
}

impl Play {
    fn new(server: String, judges: &Judges) -> Self {
        Self { server, client: judges.version().to_owned(), began: clock::now() }
    }

    /// The servers are up: plays all scenarios. `tails` gives the servers' last words when one fails.
    fn run(&self, mut stage: Stage<'_>, scenarios: &[Scenario], tails: impl Fn() -> String) -> Vec<Outcome> {
        let mut outcomes = vec![self.outcome(START, self.began, None)];
        for scenario in scenarios {
            let began = clock::now();
            let failure = (scenario.play)(&mut stage).err().map(|error| format!("{error:#}\n{}", tails()));
            outcomes.push(self.outcome(scenario.name, began, failure));
        }
        outcomes
    }

    /// The failed start, and each scenario that it made impossible: what was not proved has failed.
    fn not_started(&self, error: &anyhow::Error, scenarios: &[Scenario]) -> Vec<Outcome> {
        let mut outcomes = vec![self.outcome(START, self.began, Some(format!("{error:#}")))];
        for scenario in scenarios {
            let why = "not played: the servers did not start".to_owned();
            outcomes.push(self.outcome(scenario.name, clock::now(), Some(why)));
        }
        outcomes
    }

    /// One line on standard error as soon as something has ended, and its outcome for the report.
    fn outcome(&self, scenario: &str, began: Instant, failure: Option<String>) -> Outcome {
        let Self { server, client, .. } = self;
        let result = if failure.is_none() { "ok    " } else { "FAILED" };
        eprintln!("{result} {server} - {scenario} (client {client})");
        Outcome {
            scenario: scenario.to_owned(),
            server: server.clone(),
            client: client.clone(),
            took: began.elapsed(),
            failure,
        }
    }
}

/// Whether the clusters of all versions fit into memory at once. Where nobody says how much is free: no.
fn memory_for_all(versions: usize) -> bool {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = available.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kilobytes.is_some_and(|kilobytes| kilobytes / versions.max(1) > KILOBYTES_PER_VERSION)
}

const START: &str = "the servers start";
/// One broker can stop while the other serves; the fewest with which a route is more than an address.
const BROKERS: usize = 2;
/// A name server (0.2 GB), two brokers (0.5 GB each) and a judge (0.2 GB), with room to breathe.
const KILOBYTES_PER_VERSION: usize = 2_000_000;
