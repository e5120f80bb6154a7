//! What a measured table needs beside its figures: when and where.

use std::{fs, path::Path, process::Command, thread};

use crate::{apache, clock};

/// `2026-07-30, 2 cores (AMD EPYC 7763), Linux 6.18, Java 17.0.15, Maxq 0.1.0 (1a2b3c4d5e6f)`, as far as it is known.
pub(crate) fn described() -> String {
    let mut parts = vec![date(clock::wall_millis())];
    parts.extend(thread::available_parallelism().ok().map(|cores| {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = processor(&cpuinfo);
        format!("{cores} cores{}", model.map(|model| format!(" ({model})")).unwrap_or_default())
    }));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    parts.extend(kernel.map(|kernel| format!("Linux {}", major_minor(&kernel))));
    parts.extend(apache::java_version().map(|version| format!("Java {version}")));
    let commit = commit().map(|commit| format!(" ({commit})")).unwrap_or_default();
    parts.push(format!("Maxq {}{commit}", env!("CARGO_PKG_VERSION")));
    parts.join(", ")
}

/// `1a2b3c4d5e6f`, or `1a2b3c4d5e6f with changes`; nothing without git or outside a repository.
///
/// Documents do not count as changes: the run writes its own tables into them.
fn commit() -> Option<String> {
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changes =
        git(&["status", "--porcelain", "--untracked-files=no", "--", ":(top)", ":(top,exclude)*.md"])?;
    Some(if changes.is_empty() { commit } else { format!("{commit} with changes") })
}

/// What git prints, without the space around it.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// How many percent of the disk of `folder` are used, as Apache's brokers count it
/// (`UtilAll.getDiskPartitionSpaceUsedPercent`): of what is used and what a user may still use.
#[cfg(unix)]
#[allow(clippy::useless_conversion, reason = "macOS counts blocks in 32 bits")]
pub(crate) fn disk_used(folder: &Path) -> Option<u64> {
    let disk = nix::sys::statvfs::statvfs(folder).ok()?;
    let used = u64::from(disk.blocks()) - u64::from(disk.blocks_free());
    (used * 100).checked_div(used + u64::from(disk.blocks_available()))
}

/// Not known here.
#[cfg(not(unix))]
pub(crate) fn disk_used(_: &Path) -> Option<u64> {
    None
}

/// Year, month and day in UTC.
fn date(millis: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    time.to_string().chars().take("2026-07-30".len()).collect()
}

fn processor(cpuinfo: &str) -> Option<&str> {
    let (_, model) = cpuinfo.lines().find(|line| line.starts_with("model name"))?.split_once(':')?;
    Some(model.trim())
}

/// `6.18` of `6.18.44-distribution`.
fn major_minor(version: &str) -> String {
    version.trim().split('.').take(2).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_the_day_in_utc() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(1_767_225_599_999), "2025-12-31");
    }

    #[test]
    fn of_a_kernel_the_line_is_named() {
        assert_eq!(major_minor("6.18.44-distribution\n"), "6.18");
    }

    #[test]
    fn the_processor_is_named_where_the_system_names_it() {
        assert_eq!(processor("processor : 0\nmodel name\t: AMD EPYC\nflags : a\n"), Some("AMD EPYC"));
        assert_eq!(processor("processor : 0\n"), None);
    }
}
