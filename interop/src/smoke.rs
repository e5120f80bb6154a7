//! One run: for each version a real cluster and an emulated one, the scenarios on them in order, and then what goes
//! wrong.

use std::{
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
    mishap::{self, Mishap, When},
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
    /// Which stories of failures are told.
    pub(crate) mishaps: When,
    /// Only scenarios whose name has this in it.
    pub(crate) only: Option<String>,
    /// Takes all that is written, and is removed by the caller.
    pub(crate) scratch: PathBuf,
}

impl Plan {
    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| name.contains(only))
    }
}

/// Plays everything. An error means that nothing could be played at all.
pub(crate) fn run(plan: &Plan) -> Result<Report> {
    let build = maxq::target_folder()?.join("interop");
    // All are fetched before the first is started: what is missing is known at once.
    let releases: Vec<Apache> =
        plan.versions.iter().map(|version| Apache::prepare(version, &build)).collect::<Result<_>>()?;
    let mut report = Report::default();
    // One after the other: four processes of Java at once are enough for memory and for the times that are judged.
    releases.iter().for_each(|apache| report.extend(version(plan, apache)));
    Ok(report)
}

fn version(plan: &Plan, apache: &Apache) -> Vec<Outcome> {
    let folder = plan.scratch.join(apache.version());
    let mut judges = Judges::new(apache, folder.join("judge"));
    let mut outcomes = on_apache(plan, apache, &mut judges, &folder.join("apache"));
    if plan.maxq.is_some() {
        for emulated in ["4.9.7", "5.5.0"] {
            let folder = folder.join(format!("emulator-{emulated}"));
            outcomes.extend(on_emulator(plan, emulated, &mut judges, &folder));
        }
        judges.dismiss();
        outcomes.extend(mishaps(plan, apache, &judges, &folder));
    }
    outcomes
}

/// What goes wrong on Apache's servers.
fn mishaps(plan: &Plan, apache: &Apache, judges: &Judges, folder: &Path) -> Vec<Outcome> {
    let played =
        mishap::MISHAPS.iter().filter(|mishap| mishap.when <= plan.mishaps && plan.wants(mishap.name));
    let play = |(number, mishap): (usize, &Mishap)| {
        let play = Play::new(format!("Apache {}", apache.version()), judges);
        if let Some(obstacle) = (mishap.obstacle)(apache) {
            eprintln!("-      {} - {}: {obstacle}", play.server, mishap.name);
            return Outcome { obstacle: Some(obstacle), ..play.ended(mishap.name, play.began, None) };
        }
        let ground = mishap::on_ground(apache, &folder.join(format!("mishap-{number}")));
        let failure = (mishap.play)(&ground).err().map(|error| format!("{error:#}"));
        play.outcome(mishap.name, play.began, failure)
    };
    played.enumerate().map(play).collect()
}

/// Apache's servers: the judges among themselves, the command line and the library.
fn on_apache(plan: &Plan, apache: &Apache, judges: &mut Judges, folder: &Path) -> Vec<Outcome> {
    let play = Play::new(format!("Apache {}", apache.version()), judges);
    let mut scenarios = scenario::on_apache(plan.maxq.is_none());
    scenarios.retain(|scenario| plan.wants(scenario.name));
    if scenarios.is_empty() {
        return Vec::new();
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

/// Our emulator: Apache's client and tools, the command line and the library.
fn on_emulator(plan: &Plan, version: &str, judges: &mut Judges, folder: &Path) -> Vec<Outcome> {
    let play = Play::new(format!("emulator {version}"), judges);
    let mut scenarios = scenario::on_emulator(version, judges.version());
    scenarios.retain(|scenario| plan.wants(scenario.name));
    let Some(binary) = plan.maxq.as_ref().filter(|_| !scenarios.is_empty()) else { return Vec::new() };
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
        let seconds = began.elapsed().as_secs_f64();
        eprintln!("{result} {server} - {scenario} (client {client}, {seconds:.1} s)");
        // A run takes minutes: what is known is shown at once.
        if let Some(failure) = &failure {
            eprintln!("{failure}");
        }
        self.ended(scenario, began, failure)
    }

    fn ended(&self, scenario: &str, began: Instant, failure: Option<String>) -> Outcome {
        let Self { server, client, .. } = self;
        Outcome {
            scenario: scenario.to_owned(),
            server: server.clone(),
            client: client.clone(),
            took: began.elapsed(),
            failure,
            obstacle: None,
        }
    }
}

const START: &str = "the servers start";
/// One broker can stop while the other serves; the fewest with which a route is more than an address.
const BROKERS: usize = 2;
