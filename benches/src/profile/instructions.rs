//! Instructions per message, recorded: a change that makes a send more expensive has to say so.

use std::{collections::BTreeMap, env::consts::ARCH, fmt, fs, num::NonZeroUsize, process::Command};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use super::{arguments, valgrind};
use crate::{
    child::NullBrokerProcess,
    load::{Encoding, Way},
};

/// What was recorded, or is now. The text form is a file of its own, so that a change of it is seen in a diff.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// The processor that they hold for.
    arch: String,
    /// The compiler that they were recorded with; another one makes other code.
    compiler: String,
    /// Instructions per message by way, encoding and number in flight.
    instructions: BTreeMap<String, u64>,
}

/// Counts what is recorded. In one row nothing is joined, in the others as much as a busy producer joins.
///
/// # Errors
/// There is no valgrind, or a run failed.
pub fn count() -> anyhow::Result<Counts> {
    let broker = NullBrokerProcess::start()?;
    let mut instructions = BTreeMap::new();
    for (way, encoding, inflight) in ROWS {
        let inflight = NonZeroUsize::new(inflight).context("a row with nothing in flight")?;
        let arguments = arguments(way, inflight, encoding, 1024);
        let (few, many) = (super::FEW * super::batch(way), super::MANY * super::batch(way));
        let total = |messages| {
            let costs = valgrind::callgrind(&valgrind::client(broker.name_server(), messages, &arguments))?;
            anyhow::Ok(costs.total())
        };
        let each = (total(many)? - total(few)?) / (many - few);
        instructions.insert(format!("{way} {encoding} {inflight}"), each);
    }
    Ok(Counts { arch: ARCH.to_owned(), compiler: compiler()?, instructions })
}

impl Counts {
    /// What the repository holds.
    ///
    /// # Errors
    /// The file is missing or is none.
    pub fn recorded() -> anyhow::Result<Self> {
        let text = fs::read_to_string(RECORD).with_context(|| format!("cannot read {RECORD}"))?;
        serde_json::from_str(&text).with_context(|| format!("{RECORD} is not a record of instructions"))
    }

    /// Puts them into the repository.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn record(&self) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(RECORD, text).with_context(|| format!("cannot write {RECORD}"))
    }

    /// Where `now` differs from these too much, in sentences; none if it does not.
    ///
    /// # Errors
    /// They hold for another processor, so there is nothing to compare.
    pub fn differences(&self, now: &Self) -> anyhow::Result<Vec<String>> {
        anyhow::ensure!(
            self.arch == now.arch,
            "the recorded instructions hold for {}, this is {}: compare there",
            self.arch,
            now.arch
        );
        let mut sentences = Vec::new();
        for (row, now) in &now.instructions {
            let Some(recorded) = self.instructions.get(row) else {
                sentences.push(format!("{row}: {now} instructions per message, and none are recorded"));
                continue;
            };
            let change = 100.0 * (*now as f64 / *recorded as f64 - 1.0);
            if change.abs() > TOLERANCE {
                sentences.push(format!(
                    "{row}: {now} instructions per message instead of {recorded} ({change:+.1} %, {TOLERANCE} % are \
                     allowed)"
                ));
            }
        }
        if !sentences.is_empty() && self.compiler != now.compiler {
            sentences.push(format!("recorded with {}, counted with {}", self.compiler, now.compiler));
        }
        Ok(sentences)
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| way, encoding, in flight | instructions per message |\n|---|--:|")?;
        for (row, count) in &self.instructions {
            writeln!(f, "| {row} | {count} |")?;
        }
        Ok(())
    }
}

/// `rustc 1.95.0`.
pub(crate) fn compiler() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("--version").output().context("rustc does not start")?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split(" (").next().unwrap_or_default().trim().to_owned())
}

const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json");

/// Percent, up and down: what has become cheaper is recorded too, or the next change could take it back unseen. The same
/// program differs from run to run by less than one, because answers come in other portions.
const TOLERANCE: f64 = 5.0;

const ROWS: [(Way, Encoding, usize); 6] = [
    (Way::Awaited, Encoding::Json, 1),
    (Way::Awaited, Encoding::Json, 64),
    (Way::Awaited, Encoding::Binary, 64),
    (Way::Oneway, Encoding::Json, 16),
    (Way::Batch, Encoding::Json, 8),
    (Way::Enqueue, Encoding::Json, 64),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(figure: u64) -> Counts {
        let instructions = BTreeMap::from([("awaited json 1".to_owned(), figure)]);
        Counts { arch: "x".to_owned(), compiler: "rustc 1.0.0".to_owned(), instructions }
    }

    #[test]
    fn more_and_less_are_told_beyond_the_tolerance() {
        let recorded = counts(1_000);
        assert_eq!(recorded.differences(&counts(1_049)).unwrap(), Vec::<String>::new());
        let told = recorded.differences(&counts(1_100)).unwrap();
        assert!(told[0].contains("1100 instructions per message instead of 1000 (+10.0 %"), "{told:?}");
        assert_eq!(recorded.differences(&counts(900)).unwrap().len(), 1);
    }

    #[test]
    fn another_processor_is_not_compared_with() {
        let now = Counts { arch: "y".to_owned(), ..counts(1) };
        assert!(counts(1).differences(&now).is_err());
    }

    #[test]
    fn the_record_of_the_repository_has_every_row() {
        let recorded = Counts::recorded().unwrap();
        for (way, encoding, inflight) in ROWS {
            assert!(recorded.instructions.contains_key(&format!("{way} {encoding} {inflight}")));
        }
    }
}
