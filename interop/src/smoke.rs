//! One run: for each version a real cluster and an emulated one, and the scenarios on them in order.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context as _, Result};

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
    let server = format!("Apache {}", apache.version());
    let mut scenarios = scenario::APACHE_CLIENT.to_vec();
    if plan.maxq.is_some() {
        scenarios.extend(scenario::MAXQ);
    }
    let began = clock::now();
    // The judge takes as long as the name server: let them start together.
    let (cluster, judge) = thread::scope(|scope| {
        let judge = scope.spawn(|| judges.judge().map(drop));
        let cluster = fs::create_dir_all(folder)
            .context("scratch folder")
            .and_then(|()| ApacheCluster::start(apache, BROKERS, folder));
        (cluster, judge.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let started = cluster.and_then(|cluster| judge.map(|()| cluster));
    let client = judges.version().to_owned();
    let start = |failure| Outcome {
        scenario: format!("start with {BROKERS} brokers"),
        server: server.clone(),
        client: client.clone(),
        took: began.elapsed(),
        failure,
    };
    let cluster = match started {
        Ok(cluster) => cluster,
        Err(error) => return not_played(start(Some(format!("{error:#}"))), &scenarios),
    };
    let mut outcomes = vec![start(None)];
    progress(&outcomes[0]);
    let maxq = plan.maxq.as_ref().map(|binary| Maxq::new(binary, &cluster.name_server(), folder));
    let stage = Stage {
        server,
        name_server: cluster.name_server(),
        brokers: cluster.brokers().to_vec(),
        maxq,
        judges,
    };
    outcomes.extend(play(stage, &scenarios, || cluster.tails()));
    outcomes
}

/// Our emulator: Apache's client and tools, and `maxq cat` as one more reader.
fn on_emulator(binary: &Path, judges: &mut Judges, folder: &Path) -> Vec<Outcome> {
    let began = clock::now();
    let client = judges.version().to_owned();
    let server = format!("emulator {}", maxq::emulated(&client));
    let start = |failure| Outcome {
        scenario: format!("start with {BROKERS} brokers"),
        server: server.clone(),
        client: client.clone(),
        took: began.elapsed(),
        failure,
    };
    let emulator = match Emulator::start(binary, &client, BROKERS, folder) {
        Ok(emulator) => emulator,
        Err(error) => return not_played(start(Some(format!("{error:#}"))), scenario::APACHE_CLIENT),
    };
    let mut outcomes = vec![start(None)];
    progress(&outcomes[0]);
    let brokers = emulator.ready().brokers.iter().enumerate();
    let brokers = brokers
        .map(|(number, address)| Broker { name: format!("broker-{number}"), address: *address })
        .collect();
    let name_server = emulator.ready().name_server.clone();
    let maxq = Some(Maxq::new(binary, &name_server, folder));
    let stage = Stage { server, name_server, brokers, maxq, judges };
    outcomes.extend(play(stage, scenario::APACHE_CLIENT, || emulator.tail()));
    outcomes
}

fn play(mut stage: Stage<'_>, scenarios: &[Scenario], tails: impl Fn() -> String) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for scenario in scenarios {
        let began = clock::now();
        let result = (scenario.play)(&mut stage);
        let outcome = Outcome {
            scenario: scenario.name.to_owned(),
            server: stage.server.clone(),
            client: stage.judges.version().to_owned(),
            took: began.elapsed(),
            failure: result.err().map(|error| format!("{error:#}\n{}", tails())),
        };
        progress(&outcome);
        outcomes.push(outcome);
    }
    outcomes
}

/// The failed start, and each scenario that it made impossible: what was not proved has failed.
fn not_played(start: Outcome, scenarios: &[Scenario]) -> Vec<Outcome> {
    progress(&start);
    let rest = scenarios.iter().map(|scenario| Outcome {
        scenario: scenario.name.to_owned(),
        took: std::time::Duration::ZERO,
        failure: Some("not played: the servers did not start".to_owned()),
        ..start.clone()
    });
    [start.clone()].into_iter().chain(rest).collect()
}

/// One line on standard error as soon as a scenario has ended.
fn progress(outcome: &Outcome) {
    let result = if outcome.failure.is_none() { "ok    " } else { "FAILED" };
    eprintln!("{result} {} - {} (client {})", outcome.server, outcome.scenario, outcome.client);
}

/// Whether the clusters of all versions fit into memory at once. Where nobody says how much is free: no.
fn memory_for_all(versions: usize) -> bool {
    let text = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let available = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kilobytes = available.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kilobytes.is_some_and(|kilobytes| kilobytes / versions.max(1) > KILOBYTES_PER_VERSION)
}

/// One broker can stop while the other serves; the fewest with which a route is more than an address.
const BROKERS: usize = 2;
/// A name server (0.2 GB), two brokers (0.5 GB each) and a judge (0.2 GB), with room to breathe.
const KILOBYTES_PER_VERSION: usize = 2_000_000;
