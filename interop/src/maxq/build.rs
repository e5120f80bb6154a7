//! Where cargo puts things, and `maxq` built by it.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// Builds the command line with the cargo that runs us, and says where it is.
pub(crate) fn build() -> Result<PathBuf> {
    eprintln!("building maxq");
    let output = cargo()
        .args(["build", "--release", "-p", "maxq-cli", "--bin", "maxq"])
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("maxq does not build");
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut built = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let binary = built.find_map(|message| {
        (message["target"]["name"] == "maxq").then_some(message["executable"].as_str()?.into())
    });
    binary.context("cargo did not say where maxq is")
}

/// Lets `protocol` write the bytes that Apache's classes are to read, by the example that is made for it.
pub(crate) fn golden_bytes(folder: &Path) -> Result<()> {
    let status = cargo()
        .args(["run", "-q", "-p", "maxq-protocol", "--all-features", "--example", "golden_bytes", "--"])
        .arg(folder)
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        bail!("golden_bytes\n  expected: status 0\n      came: {status}");
    }
    Ok(())
}

/// The folder where cargo puts what it builds.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let output = cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    Ok(metadata["target_directory"].as_str().context("cargo metadata names no target folder")?.into())
}

fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}
