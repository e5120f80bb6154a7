//! `maxq emulator run` as a child process.

use std::{ffi::OsString, fs, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Result, bail};
use serde::Deserialize;

use crate::{clock, process::Process};

/// `maxq emulator run`, for as long as the value lives.
pub(crate) struct Emulator {
    process: Process,
    ready: Ready,
}

/// The object that `--ready-file` holds.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Ready {
    pub(crate) name_server: String,
    pub(crate) brokers: Vec<SocketAddr>,
}

impl Emulator {
    /// Starts it on free ports, answering as `version` does, and waits until it serves.
    pub(crate) fn start(binary: &Path, version: &str, brokers: usize, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let file = folder.join("ready.json");
        let brokers = brokers.to_string();
        let mut command: Vec<OsString> = vec![binary.into()];
        command.extend(["emulator", "run", "--brokers", &brokers, "--port", "0"].map(OsString::from));
        command.extend(["--version", version].map(OsString::from));
        command.extend(["--ready-file".into(), file.clone().into()]);
        let mut process = Process::start("emulator", &command, None, folder)?;
        let ready = clock::wait_for(READY_LIMIT, || {
            if !process.is_running() {
                bail!("maxq emulator run ended\n{}", process.tail());
            }
            // A file that is not there yet, or not whole yet, is looked at again.
            Ok(fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()))
        })?;
        let Some(ready) = ready else {
            bail!("maxq emulator run: no ready file within {} s\n{}", READY_LIMIT.as_secs(), process.tail());
        };
        Ok(Self { process, ready })
    }

    /// Where it serves.
    pub(crate) const fn ready(&self) -> &Ready {
        &self.ready
    }

    /// The last lines that it printed.
    pub(crate) fn tail(&self) -> String {
        self.process.tail()
    }
}

/// The version that the emulator answers as where Apache's is `version`: it knows one of each line.
pub(crate) fn emulated(version: &str) -> &'static str {
    if version.starts_with("4.") { "4.9.7" } else { "5.5.0" }
}

const READY_LIMIT: Duration = Duration::from_secs(10);
