//! Bytes that Apache's own classes write, beside those that are committed and that `protocol` is tested against.
//! And the other way round: Apache's classes read what `protocol` writes.
//!
//! `java/GoldenBytes*.java` write them, one program for each version. A difference means that a fixture was edited by
//! hand, or that Apache's classes write otherwise than they did.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    apache::Apache,
    clock, expect, maxq,
    process::Process,
    report::{Outcome, Report},
};

/// Compares the fixtures of every version, or writes them anew; and lets Apache's classes read the bytes of `protocol`.
pub(crate) fn run(scratch: &Path, write: bool) -> Result<Report> {
    let build = maxq::target_folder()?.join("interop");
    let mut report = Report::default();
    for (version, program) in PROGRAMS {
        let apache = Apache::prepare(version, &build)?;
        let folder = scratch.join(version);
        report.extend(vec![outcome(version, "bytes of Apache's classes are the fixtures", || {
            let fresh = bytes_of(&apache, program, &folder)?;
            let committed = PathBuf::from(FIXTURES).join(format!("java-{version}"));
            if write { replace(&committed, &fresh) } else { compare(&fresh, &read(&committed)?) }
        })]);
        if *program == READER {
            report.extend(vec![outcome(version, "Apache's classes read the bytes of `protocol`", || {
                let bytes = folder.join("ours");
                maxq::golden_bytes(&bytes)?;
                java(&apache, program, &["--read", &bytes.display().to_string()], &folder)
            })]);
        }
    }
    Ok(report)
}

fn outcome(version: &str, scenario: &str, play: impl FnOnce() -> Result<()>) -> Outcome {
    let began = clock::now();
    let result = play();
    Outcome {
        scenario: scenario.to_owned(),
        server: "none".to_owned(),
        client: version.to_owned(),
        took: began.elapsed(),
        failure: result.err().map(|error| format!("{error:#}")),
        obstacle: None,
    }
}

/// What the program writes: file name to bytes.
fn bytes_of(apache: &Apache, program: &str, folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let out = folder.join("bytes");
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    java(apache, program, &[&out.display().to_string()], folder)?;
    read(&out)
}

/// Runs the program, which must end well. It writes to `folder`.
fn java(apache: &Apache, program: &str, arguments: &[&str], folder: &Path) -> Result<()> {
    let command = apache.program(&folder.join("home"), &Path::new(JAVA).join(program), arguments)?;
    let ended = Process::start("golden", &command, None, folder)?.wait(LIMIT)?;
    if ended.status.success() {
        return Ok(());
    }
    bail!(
        "{program}\n  expected: status 0\n      came: {}\n{}\n{}",
        ended.status,
        expect::short(&String::from_utf8_lossy(&ended.stdout)),
        expect::short(&ended.stderr)
    );
}

fn read(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = BTreeMap::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.insert(name, fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
    }
    Ok(files)
}

fn compare(fresh: &BTreeMap<String, Vec<u8>>, committed: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    expect::that("files of Apache's classes", names(fresh)).are(&names(committed))?;
    let different: Vec<_> = fresh.iter().filter(|(name, bytes)| committed[*name] != **bytes).collect();
    expect::that(
        "files that Apache's classes write otherwise",
        different.iter().map(|(name, _)| name).collect::<Vec<_>>(),
    )
    .are(&[])
}

/// Old files that are not written any more go.
fn replace(committed: &Path, fresh: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    if committed.exists() {
        fs::remove_dir_all(committed).with_context(|| format!("cannot empty {}", committed.display()))?;
    }
    fs::create_dir_all(committed)?;
    for (name, bytes) in fresh {
        fs::write(committed.join(name), bytes).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

/// Versions and the programs that write their bytes.
const PROGRAMS: &[(&str, &str)] = &[("5.5.0", READER), ("4.9.7", "GoldenBytes497.java")];
/// The program that reads as well.
const READER: &str = "GoldenBytes.java";
const JAVA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/java");
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/protocol/tests/fixtures");
/// Compiling and running takes seconds on an idle machine.
const LIMIT: Duration = Duration::from_secs(240);
