//! One broker of Apache RocketMQ, started by the interop suite.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;

use super::programs::VERSION;

/// A name server and a broker for as long as the value lives.
#[derive(Debug)]
pub(super) struct Cluster {
    suite: Child,
    name_server: SocketAddr,
}

impl Cluster {
    /// Starts it.
    ///
    /// # Errors
    /// Java or Maven are missing, or it does not start.
    pub(super) fn start() -> anyhow::Result<Self> {
        // Built before, so that what is started is the suite and not cargo, which would not pass a signal on.
        let suite = std::env::current_exe()?.with_file_name("maxq-interop");
        let mut build = Command::new("cargo");
        build
            .args(["build", "--release", "-q", "-p", "maxq-interop"])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        anyhow::ensure!(build.status()?.success(), "maxq-interop does not build");
        let mut suite = Command::new(suite)
            .args(["up", "--version", VERSION, "--until-stdin-closes"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("maxq-interop does not start")?;
        let mut line = String::new();
        if let Some(out) = suite.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let address = line.trim().strip_prefix("name server ").and_then(|address| address.parse().ok());
        // From here on dropping it stops the servers.
        let mut cluster = Self { suite, name_server: SocketAddr::from(([127, 0, 0, 1], 0)) };
        cluster.name_server = address.context("Apache RocketMQ did not start")?;
        Ok(cluster)
    }

    pub(super) const fn name_server(&self) -> SocketAddr {
        self.name_server
    }
}

impl Drop for Cluster {
    /// The suite stops its servers and removes what they wrote; so it does when we are killed.
    fn drop(&mut self) {
        drop(self.suite.stdin.take());
        let _ended = self.suite.wait();
    }
}
