//! The load of a drill: sixteen senders, each sending one message after the other, of any client under test.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use super::{
    Client,
    maxq_load::MaxqLoad,
    sends::{self, Send},
};
use crate::{
    apache::{Apache, Jvm},
    clock,
    judge::{JavaLoad, Judge},
};

/// A running load. Dropping it ends it without a report.
pub(crate) struct Load {
    zero: Instant,
    client: Running,
}

enum Running {
    Maxq(MaxqLoad),
    Java { judge: Judge, report: PathBuf },
}

impl Load {
    /// Starts to send to `topic`. `folder` takes all that is written.
    pub(crate) fn start(
        client: Client,
        apache: &Apache,
        name_server: &str,
        topic: &str,
        folder: &Path,
    ) -> Result<Self> {
        let latency_fault = match client {
            Client::Maxq => {
                let (load, zero) = MaxqLoad::start(name_server, topic)?;
                return Ok(Self { zero, client: Running::Maxq(load) });
            }
            Client::Java => false,
            Client::JavaLatencyFault => true,
        };
        let mut judge = Judge::start(apache, Jvm::RunsFast, folder)?;
        let load = JavaLoad { topic, senders: SENDERS, deadline: DEADLINE, body: sends::BODY, latency_fault };
        judge.load(name_server, &load)?;
        let zero = clock::now();
        Ok(Self { zero, client: Running::Java { judge, report: folder.join("sends") } })
    }

    /// The time since it was started.
    pub(crate) fn elapsed(&self) -> Duration {
        clock::now() - self.zero
    }

    /// Lets each sender finish its send, and gives all sends.
    pub(crate) fn stop(self) -> Result<Vec<Send>> {
        match self.client {
            Running::Maxq(load) => load.stop(),
            Running::Java { mut judge, report } => {
                judge.unload(&report)?;
                let lines = fs::read_to_string(&report).context("the Java load left no report")?;
                sends::of_java(&lines)
            }
        }
    }
}

/// How many send at once.
pub(super) const SENDERS: u32 = 16;
/// What a send may take in all, the default of both clients.
pub(super) const DEADLINE: Duration = Duration::from_secs(3);
