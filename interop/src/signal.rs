//! Signals to processes of the suite: the real ones, because a pretended fault proves nothing.

use anyhow::Result;

/// What a process is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGKILL: ends at once, without a word to anybody.
    Kill,
    /// SIGSTOP: frozen, while the kernel keeps its connections open and takes bytes for it.
    Stop,
    /// SIGCONT: goes on as if nothing had been.
    Continue,
}

/// Sends it. The caller knows that `pid` is a child that still runs.
#[cfg(unix)]
pub(crate) fn send(pid: i32, signal: Signal) -> Result<()> {
    use nix::{
        sys::signal::{Signal as Unix, kill},
        unistd::Pid,
    };

    let signal = match signal {
        Signal::Kill => Unix::SIGKILL,
        Signal::Stop => Unix::SIGSTOP,
        Signal::Continue => Unix::SIGCONT,
    };
    Ok(kill(Pid::from_raw(pid), signal)?)
}

/// Whether this child of ours has ended. Whoever owns it then cannot wait for it any more.
#[cfg(unix)]
pub(crate) fn has_ended(pid: u32) -> bool {
    use nix::{
        sys::wait::{WaitPidFlag, WaitStatus, waitpid},
        unistd::Pid,
    };

    let pid = i32::try_from(pid).map(Pid::from_raw);
    // An error means that it was waited for before.
    !pid.is_ok_and(|pid| waitpid(pid, Some(WaitPidFlag::WNOHANG)) == Ok(WaitStatus::StillAlive))
}

/// Nobody is waited for.
#[cfg(not(unix))]
pub(crate) fn has_ended(_: u32) -> bool {
    true
}

/// Only Unix has them.
#[cfg(not(unix))]
pub(crate) fn send(pid: i32, signal: Signal) -> Result<()> {
    anyhow::bail!("no {signal:?} for process {pid}: signals need a Unix system")
}
