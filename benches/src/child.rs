//! Processes of this same program: each run in one of its own, so that neither pays for what another left behind.

use std::{
    env,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;
use serde::de::DeserializeOwned;

use crate::null_broker::Addresses;

/// This program with `arguments`, what it needs besides is the caller's to say.
///
/// # Errors
/// The system does not tell where this program is.
pub fn ourselves(arguments: &[String]) -> anyhow::Result<Command> {
    let mut command = Command::new(env::current_exe().context("where is this program?")?);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit());
    Ok(command)
}

/// Runs `command` to its end and reads the JSON that it prints; `what` names it in errors.
///
/// # Errors
/// It does not start, fails, or prints something else.
pub fn report_of<T: DeserializeOwned>(command: &mut Command, what: &str) -> anyhow::Result<T> {
    let output = command.output().with_context(|| format!("{what} does not start"))?;
    anyhow::ensure!(output.status.success(), "{what} failed: {}", output.status);
    serde_json::from_slice(&output.stdout).with_context(|| format!("{what} printed no report"))
}

/// A null broker on free ports that ends with us: by drop, or because its standard input closes when we are killed.
#[derive(Debug)]
pub struct NullBrokerProcess {
    child: Child,
    addresses: Addresses,
}

impl NullBrokerProcess {
    /// One broker.
    ///
    /// # Errors
    /// It does not start.
    pub fn start() -> anyhow::Result<Self> {
        Self::start_with(&[])
    }

    /// A null broker with these options besides; it answers each request in its own header encoding.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_with(options: &[String]) -> anyhow::Result<Self> {
        Self::start_by(ourselves(&[])?, options)
    }

    /// A null broker that `program`, a `maxq-bench`, is to be: for who is none himself.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_by(mut program: Command, options: &[String]) -> anyhow::Result<Self> {
        let mut child = program
            .args(["null-broker", "--until-stdin-closes", "--mirror"])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("the null broker does not start")?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let addresses = serde_json::from_str(&line).context("the null broker did not start")?;
        Ok(Self { child, addresses })
    }

    /// Where it listens.
    pub const fn name_server(&self) -> SocketAddr {
        self.addresses.name_server
    }

    /// Where its brokers listen.
    pub fn brokers(&self) -> &[SocketAddr] {
        &self.addresses.brokers
    }
}

impl Drop for NullBrokerProcess {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ended = self.child.wait();
    }
}
