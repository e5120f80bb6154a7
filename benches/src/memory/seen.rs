//! What a process holds: memory, descriptors, tasks.

use std::{fs, io};

use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

/// What this process holds at one moment. Linux only: it is read from `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Resident memory in KiB.
    pub resident_kib: u64,
    /// Open file descriptors.
    pub descriptors: usize,
    /// Tasks of the runtime that have not ended.
    pub tasks: usize,
}

impl Seen {
    /// Looks now. Called on a runtime.
    ///
    /// # Errors
    /// The system has no `/proc` as Linux has it.
    pub fn now() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = resident.and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok());
        Ok(Self {
            resident_kib: number.ok_or_else(|| io::Error::other("no VmRSS in /proc/self/status"))?,
            descriptors: fs::read_dir("/proc/self/fd")?.count(),
            tasks: Handle::current().metrics().num_alive_tasks(),
        })
    }
}
