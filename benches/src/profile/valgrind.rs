//! Our own program under valgrind's callgrind.

use std::{
    env, fs,
    net::SocketAddr,
    path::PathBuf,
    process::{self, Command, Stdio},
};

use anyhow::Context as _;

use super::costs::Costs;

/// Runs this program with `arguments` under callgrind and reads what it wrote.
///
/// # Errors
/// There is no valgrind, or the run failed.
pub(super) fn callgrind(arguments: &[String]) -> anyhow::Result<Costs> {
    let file = Temporary::new();
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "-q", "--compress-strings=no", "--compress-pos=no"])
        .arg(format!("--callgrind-out-file={}", file.0.display()))
        .arg(env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("valgrind does not start; install it (Debian, Ubuntu: apt-get install valgrind)")?;
    anyhow::ensure!(
        output.status.success(),
        "{} failed under valgrind: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim_end()
    );
    Costs::parse(&fs::read_to_string(&file.0).context("callgrind wrote no file")?)
}

/// The arguments of a client run with a fixed number of messages.
pub(super) fn client(name_server: SocketAddr, messages: u64, rest: &[String]) -> Vec<String> {
    let mut arguments =
        vec!["client".to_owned(), format!("--name-server={name_server}"), format!("--messages={messages}")];
    arguments.extend_from_slice(rest);
    arguments
}

/// A file that goes away with the value.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        Self(env::temp_dir().join(format!("maxq-bench-{}.callgrind", process::id())))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}
