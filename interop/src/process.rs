//! Child processes that never outlive the suite.
//!
//! Every child hangs on a leash: a pipe that the suite holds open and never writes to. A small shell beside the child
//! waits for the end of that pipe and then kills the child with SIGKILL. The pipe ends when the [`Process`] is dropped,
//! when the suite is interrupted ([`end_all`]), and also when the suite itself is killed, because the kernel then
//! closes its files. SIGKILL ends a stopped child too, so none stays frozen behind us. Shell and child ignore the SIGINT
//! of a Ctrl-C: the suite decides in which order things end. The shell ignores what else a terminal or a service sends to
//! the whole process group too, else nobody would be left to kill a frozen child; the child itself does not.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    clock, interrupt,
    signal::{self, Signal},
};

/// A running child. Dropping it kills it and waits for its end.
pub(crate) struct Process {
    name: String,
    child: Child,
    pid: PathBuf,
    stdout: PathBuf,
    stderr: PathBuf,
}

/// What a child that ended by itself left behind.
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Process {
    /// Starts `command` (program first) with `input` as its standard input. Its output goes to files in `folder`,
    /// named after `name`.
    pub(crate) fn start(
        name: &str,
        command: &[OsString],
        input: Option<&Path>,
        folder: &Path,
    ) -> Result<Self> {
        interrupt::hold_if_interrupted();
        let file = |kind: &str| folder.join(format!("{name}.{kind}"));
        let (pid, stdout, stderr) = (file("pid"), file("out"), file("err"));
        // What an earlier child of this name left there is no longer true.
        let _ = fs::remove_file(&pid);
        let mut child = Command::new("sh")
            .args(["-c", LEASH, "leash"])
            .arg(&pid)
            .arg(input.unwrap_or(Path::new("/dev/null")))
            .args(command)
            .stdin(Stdio::piped())
            .stdout(File::create(&stdout).with_context(|| format!("cannot write {}", stdout.display()))?)
            .stderr(File::create(&stderr).with_context(|| format!("cannot write {}", stderr.display()))?)
            .spawn()
            .with_context(|| format!("cannot start sh for {name}"))?;
        if let Some(leash) = child.stdin.take() {
            leashes(|all| all.insert(child.id(), leash));
        }
        Ok(Self { name: name.to_owned(), child, pid, stdout, stderr })
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it a signal, as a person with `kill` would.
    pub(crate) fn signal(&mut self, signal: Signal) -> Result<()> {
        let pid = self.pid()?;
        // The number of a child that has ended may belong to somebody else by now.
        if !self.is_running() {
            bail!("{} has ended already\n{}", self.name, self.tail());
        }
        signal::send(pid, signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Its process id. The shell writes it down as soon as the child runs.
    fn pid(&self) -> Result<i32> {
        let written = || Ok(fs::read_to_string(&self.pid).ok().filter(|text| text.ends_with('\n')));
        let text = clock::wait_for(PID_LIMIT, written)?;
        let text = text.with_context(|| format!("the process id of {} is not known", self.name))?;
        text.trim().parse().with_context(|| format!("not a process id: {text}"))
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self, limit: Duration) -> Result<Ended> {
        let status = clock::wait_for(limit, || Ok(self.child.try_wait()?))?;
        let Some(status) = status else {
            bail!("{} did not end within {} s\n{}", self.name, limit.as_secs(), self.tail());
        };
        let stdout = fs::read(&self.stdout)?;
        let stderr = String::from_utf8_lossy(&fs::read(&self.stderr)?).into_owned();
        Ok(Ended { status, stdout, stderr })
    }

    /// The last lines that it printed, under a heading.
    pub(crate) fn tail(&self) -> String {
        tail(&self.name, &[&self.stdout, &self.stderr])
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        leashes(|all| all.remove(&self.child.id()));
        // The shell ends right after the child it has killed. An error means that it was waited for before.
        let _ = self.child.wait();
    }
}

/// The last lines of `files`, under a heading; nothing if there are none.
pub(crate) fn tail(name: &str, files: &[&Path]) -> String {
    let mut text = String::new();
    for file in files {
        let content = fs::read(file).unwrap_or_default();
        let content = String::from_utf8_lossy(&content);
        // Apache's logging library prints hundreds of status messages at each start, marked so.
        let says = |line: &&str| !line.is_empty() && !line.contains(" |-");
        let lines: Vec<_> = content.lines().filter(says).collect();
        for line in &lines[lines.len().saturating_sub(TAIL_LINES)..] {
            text.push_str(line);
            text.push('\n');
        }
    }
    if text.is_empty() { text } else { format!("--- last lines of {name}\n{text}") }
}

/// Ends every child, as if all were dropped, and waits at most for `limit`: for an interrupt, whose handler owns none of
/// them.
pub(crate) fn end_all(limit: Duration) {
    let shells: Vec<u32> = leashes(std::mem::take).into_keys().collect();
    let ended = || Ok(shells.iter().all(|shell| signal::has_ended(*shell)).then_some(()));
    // Whoever has not ended by then has been killed all the same.
    let _ = clock::wait_for(limit, ended);
}

/// The leashes by process id of the shell.
fn leashes<T>(change: impl FnOnce(&mut BTreeMap<u32, ChildStdin>) -> T) -> T {
    static LEASHES: Mutex<BTreeMap<u32, ChildStdin>> = Mutex::new(BTreeMap::new());
    change(&mut LEASHES.lock().unwrap_or_else(PoisonError::into_inner))
}

/// `sh -c LEASH leash PID-FILE INPUT PROGRAM ARGUMENT..`
///
/// Standard input is the leash. A background command of a shell that is not interactive loses its standard input
/// unless told otherwise, hence descriptor 3. The child must not hold the leash itself, hence `3<&-`.
///
/// What is ignored before a command starts is ignored by it as well: INT by the child, the other signals only by the
/// watcher, which therefore has to be killed with SIGKILL.
const LEASH: &str = r#"
trap '' INT
exec 3<&0
pid_file=$1
input=$2
shift 2
"$@" <"$input" 3<&- &
child=$!
trap '' HUP QUIT TERM
echo "$child" >"$pid_file"
{ read -r _; kill -9 "$child"; } <&3 3<&- >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$child"
status=$?
kill -9 "$watcher" 2>/dev/null
exit "$status"
"#;

const TAIL_LINES: usize = 40;
/// Longer than a busy machine takes from one line of a shell to the next.
const PID_LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_child_gets_its_input_and_gives_back_its_output_and_status() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("input");
        fs::write(&input, "from the file").unwrap();
        let script = command(&["sh", "-c", "cat; echo to stderr >&2; exit 3"]);
        let child = Process::start("child", &script, Some(&input), folder.path()).unwrap();
        let ended = child.wait(Duration::from_secs(10)).unwrap();
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!(ended.stdout, b"from the file");
        assert_eq!(ended.stderr, "to stderr\n");
    }

    #[test]
    fn a_dropped_child_is_dead_even_when_it_ignores_the_polite_signals() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("trap '' INT TERM HUP; echo $$ >{}; while :; do sleep 1; done", pid.display());
        let child =
            Process::start("stubborn", &command(&["sh", "-c", &script]), None, folder.path()).unwrap();
        let written = || Ok(fs::read_to_string(&pid).ok().filter(|text| text.ends_with('\n')));
        let pid = clock::wait_for(Duration::from_secs(10), written).unwrap().unwrap();
        let process = PathBuf::from(format!("/proc/{}", pid.trim()));
        assert!(!Path::new("/proc/self").exists() || process.exists());
        drop(child);
        assert!(!process.exists());
    }

    /// The state letter of a process as Linux has it (`T`: stopped); nothing where there is no such process.
    #[cfg(target_os = "linux")]
    fn state(pid: i32) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(") ").next()?.chars().next()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_stopped_child_runs_on_when_told_and_is_dead_once_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Process::start("child", &command(&["sleep", "60"]), None, folder.path()).unwrap();
        let pid = child.pid().unwrap();
        let wait_for = |stopped: bool| {
            let look = || Ok((state(pid).unwrap() == 'T').eq(&stopped).then_some(()));
            clock::wait_for(Duration::from_secs(10), look).unwrap().unwrap();
        };
        child.signal(Signal::Stop).unwrap();
        wait_for(true);
        child.signal(Signal::Continue).unwrap();
        wait_for(false);
        child.signal(Signal::Stop).unwrap();
        wait_for(true);
        drop(child);
        assert_eq!(state(pid), None);
    }

    /// The processes that `pid` has started and that still run.
    #[cfg(target_os = "linux")]
    fn children(pid: u32) -> Vec<i32> {
        let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        listed.split_whitespace().map(|child| child.parse().unwrap()).collect()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_stopped_child_is_dead_once_dropped_whatever_its_shell_was_told() {
        use nix::{
            sys::signal::{Signal as Unix, kill},
            unistd::Pid,
        };

        let folder = tempfile::tempdir().unwrap();
        let mut child = Process::start("child", &command(&["sleep", "60"]), None, folder.path()).unwrap();
        let (shell, pid) = (child.child.id(), child.pid().unwrap());
        child.signal(Signal::Stop).unwrap();
        let both = || Ok(Some(children(shell)).filter(|children| children.len() == 2));
        let mut told = clock::wait_for(Duration::from_secs(10), both).unwrap().unwrap();
        // As if the whole process group were told, of which the test itself is one.
        told.retain(|child| *child != pid);
        told.push(i32::try_from(shell).unwrap());
        for signal in [Unix::SIGINT, Unix::SIGHUP, Unix::SIGQUIT, Unix::SIGTERM] {
            told.iter().for_each(|process| kill(Pid::from_raw(*process), signal).unwrap());
        }
        drop(child);
        assert_eq!(state(pid), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_killed_child_is_not_signalled_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Process::start("child", &command(&["sleep", "60"]), None, folder.path()).unwrap();
        child.signal(Signal::Kill).unwrap();
        let ended = || Ok((!child.is_running()).then_some(()));
        clock::wait_for(Duration::from_secs(10), ended).unwrap().unwrap();
        assert!(child.signal(Signal::Stop).unwrap_err().to_string().contains("has ended already"));
    }

    #[test]
    fn the_tail_of_a_long_output_is_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let lines: String = (0..100).map(|line| format!("line {line}\n05:00 |-INFO in logback\n")).collect();
        fs::write(&log, lines).unwrap();
        let text = tail("log", &[&log]);
        assert!(text.starts_with("--- last lines of log\nline 60\n"), "{text}");
        assert!(text.ends_with("line 99\n"), "{text}");
    }
}
