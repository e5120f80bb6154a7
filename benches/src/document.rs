//! `BENCHMARKS.md`: its tables are written by the runs that measure them, between two markers each. Nobody types figures.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use anyhow::Context as _;

/// Writes `text` into `section`, with the command that gave it, the day and the machine.
///
/// # Errors
/// The document has no such section, or cannot be written.
pub fn write(section: &str, command: &str, text: &str) -> anyhow::Result<()> {
    let document = fs::read_to_string(DOCUMENT).with_context(|| format!("cannot read {DOCUMENT}"))?;
    let text = format!(
        "```sh\ncargo run --release -p maxq-bench -- {command} --write\n```\n\n{}\n\n{}.",
        text.trim(),
        described()
    );
    let document = replaced(&document, section, &text)
        .with_context(|| format!("{DOCUMENT} has no section between <!-- {section}: begin --> and end"))?;
    fs::write(DOCUMENT, document).with_context(|| format!("cannot write {DOCUMENT}"))
}

/// The folder of the plots.
pub fn plots() -> PathBuf {
    Path::new(PLOTS).to_owned()
}

fn replaced(document: &str, section: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {section}: begin -->\n"), format!("<!-- {section}: end -->\n"));
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))
}

/// `2026-07-30, 2 cores (AMD EPYC 7763), Linux 6.18, rustc 1.95.0, Maxq 0.1.0`, as far as it is known.
fn described() -> String {
    let mut parts = vec![today()];
    parts.extend(thread::available_parallelism().ok().map(|cores| {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        format!("{cores} cores{}", model.map(|(_, model)| format!(" ({model})")).unwrap_or_default())
    }));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    parts.extend(
        kernel.map(|kernel| {
            format!("Linux {}", kernel.trim().split('.').take(2).collect::<Vec<_>>().join("."))
        }),
    );
    parts.extend(crate::profile::instructions::compiler().ok());
    parts.push(format!("Maxq {}", env!("CARGO_PKG_VERSION")));
    parts.join(", ")
}

fn today() -> String {
    jiff::Timestamp::now().to_string().chars().take("2026-07-30".len()).collect()
}

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../BENCHMARKS.md");
const PLOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/plots");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{memory, peers, profile, suite::Part};

    #[test]
    fn a_section_is_replaced_and_the_rest_stays() {
        let two = "# A\n<!-- one: begin -->\nold\n<!-- one: end -->\n## B\n<!-- two: begin -->\n<!-- two: end -->\n";
        let once = replaced(two, "one", "new\n").unwrap();
        assert_eq!(once, two.replace("old\n", "\nnew\n\n"));
        assert_eq!(replaced(&once, "one", "new").unwrap(), once);
        assert_eq!(replaced(two, "three", "new"), None);
    }

    #[test]
    fn the_document_has_a_section_for_each_command_that_writes() {
        let document = fs::read_to_string(DOCUMENT).unwrap();
        let suite = Part::ALL.map(|part| format!("suite {part}"));
        let others = [profile::SECTION, memory::FLAT, memory::CLIENTS, peers::SECTION].map(str::to_owned);
        for section in suite.iter().chain(&others) {
            assert!(replaced(&document, section, "").is_some(), "{section}");
        }
    }
}
