//! The emulator as a library, in this process: for what has to look into it, or to break it.

use anyhow::{Context as _, Result};
use maxq_emulator::Cluster;
use tokio::runtime::Runtime;

/// An emulated cluster, for as long as the value lives.
pub(crate) struct Emulated {
    cluster: Cluster,
    /// The cluster's tasks live here; it ends after them.
    runtime: Runtime,
}

impl Emulated {
    /// Brokers on free ports of loopback that answer as `version`.
    pub(crate) fn start(version: &str, brokers: usize) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let builder = Cluster::builder().emulate(version).brokers(brokers);
        let cluster = runtime.block_on(builder.start()).context("the emulator did not start")?;
        Ok(Self { cluster, runtime })
    }

    /// The cluster.
    pub(crate) const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Ends a broker, as SIGKILL does.
    pub(crate) fn kill_broker(&self, number: usize) {
        self.runtime.block_on(self.cluster.kill_broker(number));
    }

    /// Starts it again at its address.
    pub(crate) fn restart_broker(&self, number: usize) -> Result<()> {
        self.runtime.block_on(self.cluster.restart_broker(number)).context("the broker did not start again")
    }
}
