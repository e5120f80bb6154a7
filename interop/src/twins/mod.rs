//! The same requests to Apache's servers and to the emulator, and every answer compared.
//!
//! [`table`] is the list of requests. [`mod@play`] plays it on one server, [`facets`] takes its answers apart and masks what
//! no two servers share, [`mod@compare`] finds the differences, and [`known`] holds those that are meant. A difference that
//! nobody has given a reason for fails the run, and so does a reason whose difference is gone.

mod compare;
mod connection;
mod facets;
mod known;
mod play;
mod request;
mod servers;
mod step;
mod table;

use std::{path::PathBuf, thread};

use anyhow::{Context as _, Result};

pub(crate) use self::request::coded;
use self::{
    compare::{Comparison, compare},
    play::play,
};
use crate::{
    apache::{Apache, ApacheCluster},
    clock,
    emulated::Emulated,
    maxq,
    report::{Outcome, Report},
};

/// What is to be played.
pub(crate) struct Plan {
    /// Versions that both Apache and the emulator have.
    pub(crate) versions: Vec<String>,
    /// Takes all that is written, and is removed by the caller.
    pub(crate) scratch: PathBuf,
}

/// Plays the table for each version, one after the other. An error means that nothing could be compared.
pub(crate) fn run(plan: &Plan) -> Result<Report> {
    let build = maxq::target_folder()?.join("interop");
    let mut report = Report::default();
    for version in &plan.versions {
        let began = clock::now();
        let apache = Apache::prepare(version, &build)?;
        let outcome = |scenario: String, failure| Outcome {
            scenario,
            server: format!("emulator {version}"),
            client: "raw".to_owned(),
            took: began.elapsed(),
            failure,
            obstacle: None,
        };
        report.extend(vec![match of_version(&apache, plan) {
            Ok(comparison) => {
                let Comparison { steps, explained, unexplained, .. } = &comparison;
                eprintln!(
                    "{version}: {steps} requests, {explained} facets differ as documented, {} otherwise",
                    unexplained.len()
                );
                outcome(format!("{steps} requests answered as Apache {version}"), comparison.failure())
            }
            Err(error) => {
                outcome(format!("requests answered as Apache {version}"), Some(format!("{error:#}")))
            }
        }]);
    }
    Ok(report)
}

fn of_version(apache: &Apache, plan: &Plan) -> Result<Comparison> {
    let version = apache.version();
    let folder = plan.scratch.join(format!("twins-{version}"));
    let cluster = ApacheCluster::start(apache, 1, &folder)?;
    let emulated = Emulated::start(version, 1)?;
    let steps = table::steps(version);
    let twins = [servers::apache(&cluster)?, servers::emulator(&emulated)];
    let [apache, emulator] = thread::scope(|scope| {
        twins
            .map(|addresses| {
                let steps = &steps;
                scope.spawn(move || play(addresses, steps))
            })
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let apache = apache.with_context(|| format!("Apache's servers\n{}", cluster.tails()))?;
    let emulator = emulator.context("the emulator")?;
    Ok(compare(version, &steps, &apache, &emulator))
}
