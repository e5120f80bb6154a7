//! Drills with real faults on real brokers: what a client does when a broker dies, and when it freezes.
//!
//! Read [`Drill`] for the course of one, [`phases`] for what is counted, [`storage`] for what is looked up in the
//! brokers afterwards, [`verdict`] for what Maxq must keep. Apache's Java client goes through the same, without a
//! verdict: a bound that nobody reaches, or everybody, would say little.

mod drill;
mod load;
mod maxq_load;
mod phases;
mod sends;
mod storage;
mod table;
mod verdict;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Result;

pub(crate) use self::sends::{Send, named, of_java};
use self::{
    drill::{Drill, Pace},
    phases::Figures,
    storage::Storage,
};
use crate::{apache::Apache, interrupt, machine, maxq, signal::Signal};

/// What happens to one of two brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL, and at the end a new start.
    Kill,
    /// SIGSTOP, and at the end SIGCONT: as a stalled disk or a long pause.
    Freeze,
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// The library under test, with its defaults.
    Maxq,
    /// Apache's Java client with its defaults.
    Java,
    /// Apache's Java client with `sendLatencyFaultEnable`, which is off by default.
    JavaLatencyFault,
}

/// What is to be drilled.
pub(crate) struct Plan {
    /// Versions of Apache RocketMQ, servers and Java client.
    pub(crate) versions: Vec<String>,
    pub(crate) clients: &'static [Client],
    /// How long each fault lasts.
    pub(crate) lasting: Duration,
    /// Takes all that is written, and is removed by the caller.
    pub(crate) scratch: PathBuf,
}

/// What a drill has shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) figures: Figures,
    pub(crate) storage: Storage,
}

/// A drill and how it went; an error means that it could not be carried out.
#[derive(Debug)]
pub(crate) struct Row {
    version: String,
    fault: Fault,
    client: Client,
    measured: Result<Measured>,
}

/// All drills of a run.
#[derive(Debug, Default)]
pub(crate) struct Drills {
    rows: Vec<Row>,
}

/// Drills everything, one after the other: nothing else shall use the machine. An error means that nothing could be
/// drilled at all.
pub(crate) fn run(plan: &Plan) -> Result<Drills> {
    let build = maxq::target_folder()?.join("interop");
    let releases = plan.versions.iter().map(|version| Apache::prepare(version, &build));
    let mut drills = Drills::default();
    for apache in &releases.collect::<Result<Vec<_>>>()? {
        for fault in [Fault::Kill, Fault::Freeze] {
            for client in plan.clients {
                let folder = plan.scratch.join(format!("{}-{}", apache.version(), drills.rows.len()));
                let drill = Drill {
                    apache,
                    fault,
                    client: *client,
                    pace: Pace::MEASURED,
                    lasting: plan.lasting,
                    folder,
                };
                eprintln!("Apache {}: {}, {}", apache.version(), fault.words(), client.words());
                let (version, measured) = (apache.version().to_owned(), drill.run());
                interrupt::hold_if_interrupted();
                let row = Row { version, fault, client: *client, measured };
                // A run takes minutes: what is known is shown at once.
                eprintln!("{}", table::line(&row));
                row.objections().iter().for_each(|objection| eprintln!("{objection}"));
                drills.rows.push(row);
            }
        }
    }
    Ok(drills)
}

/// A short drill of Maxq, as a test: what has been broken of what must always hold. Nothing is measured in it.
pub(crate) fn short(apache: &Apache, fault: Fault, folder: &Path) -> Result<Vec<String>> {
    let (client, lasting, folder) = (Client::Maxq, SHORT, folder.to_owned());
    let measured = Drill { apache, fault, client, pace: Pace::SHORT, lasting, folder }.run()?;
    Ok(verdict::broken_always(&measured))
}

impl Fault {
    const fn signal(self) -> Signal {
        match self {
            Self::Kill => Signal::Kill,
            Self::Freeze => Signal::Stop,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL of one of two brokers",
            Self::Freeze => "SIGSTOP of one of two brokers",
        }
    }
}

impl Client {
    /// In the order of the table.
    pub(crate) const ALL: &'static [Self] = &[Self::Maxq, Self::Java, Self::JavaLatencyFault];
    /// For a quick look.
    pub(crate) const MAXQ: &'static [Self] = &[Self::Maxq];

    const fn words(self) -> &'static str {
        match self {
            Self::Maxq => "Maxq",
            Self::Java => "Apache Java",
            Self::JavaLatencyFault => "Apache Java, `sendLatencyFaultEnable`",
        }
    }
}

/// How long the fault of a short drill lasts.
const SHORT: Duration = Duration::from_secs(5);

impl Row {
    /// What speaks against this row: a drill that failed, and for Maxq each bound that is broken.
    fn objections(&self) -> Vec<String> {
        match &self.measured {
            Err(error) => vec![format!("the drill could not be carried out: {error:#}")],
            Ok(measured) if self.client == Client::Maxq => verdict::broken(self.fault, measured),
            Ok(_) => Vec::new(),
        }
    }
}

impl Drills {
    /// Whether every drill was carried out, Maxq among them, and Maxq kept every bound.
    pub(crate) fn passed(&self) -> bool {
        self.rows.iter().any(|row| row.client == Client::Maxq)
            && self.rows.iter().all(|row| row.objections().is_empty())
    }

    /// The table as Markdown.
    pub(crate) fn table(&self) -> String {
        table::markdown(&self.rows)
    }

    /// The section of `COMPATIBILITY.md`.
    pub(crate) fn section(&self, lasting: Duration) -> String {
        format!(
            "Measured {}. {} senders, each sending one message of {} bytes after the other, with {} s for each send; the \
             fault lasts {} s.\n\n{}",
            machine::described(),
            load::SENDERS,
            sends::BODY,
            load::DEADLINE.as_secs(),
            lasting.as_secs(),
            self.table()
        )
    }

    /// The table, what speaks against Maxq, and one line that counts.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("\n{}\n", self.table());
        for row in &self.rows {
            for objection in row.objections() {
                text += &format!(
                    "FAILED: {}, {}, Apache {}: {objection}\n",
                    row.fault.words(),
                    row.client.words(),
                    row.version
                );
            }
        }
        let failed = self.rows.iter().filter(|row| !row.objections().is_empty()).count();
        text + &format!("\nfaults: {} drills, {failed} failed\n", self.rows.len())
    }
}
