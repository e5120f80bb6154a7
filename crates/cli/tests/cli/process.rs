//! Runs `maxq` as a process, and an emulated cluster as another.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;

/// `maxq` with these arguments, in an environment that says nothing about clusters and colours.
pub(crate) fn maxq(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_maxq"));
    for name in ["MAXQ_URL", "NAMESRV_ADDR", "MAXQ_LOG", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A run that is over.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ended {
    /// Fails unless the exit code is this one.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.text(), self.stderr);
        self
    }

    /// Fails unless standard error has each of these.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in\n{}", self.stderr);
        }
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }

    /// Standard output as one JSON value a line.
    #[track_caller]
    pub(crate) fn json(&self) -> Vec<Value> {
        self.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code(), stdout: output.stdout, stderr }
    }
}

/// Runs a command to its end.
#[track_caller]
pub(crate) fn run(mut command: Command) -> Ended {
    wait(command.spawn().unwrap())
}

/// Runs a command to its end, with this on its standard input.
#[track_caller]
pub(crate) fn run_with(mut command: Command, input: &[u8]) -> Ended {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    // A command that does not read to the end closes the pipe.
    thread::spawn(move || drop(stdin.write_all(&input)));
    wait(child)
}

/// Waits for the end of a process, for a minute at most.
#[track_caller]
pub(crate) fn wait(child: Child) -> Ended {
    let (done, ended) = mpsc::channel();
    let id = child.id();
    thread::spawn(move || done.send(child.wait_with_output()));
    match ended.recv_timeout(Duration::from_secs(60)) {
        Ok(output) => output.unwrap().into(),
        Err(_) => {
            signal(id, "KILL");
            panic!("maxq did not end within a minute");
        }
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(id: u32, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), id.to_string()]).status().unwrap();
    assert!(sent.success(), "kill -{name}");
}

/// A running `maxq` whose ends of the pipes are held here.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    stdout: Option<BufReader<ChildStdout>>,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        Self {
            stdin: child.stdin.take(),
            stdout: child.stdout.take().map(BufReader::new),
            stderr: BufReader::new(child.stderr.take().unwrap()),
            child,
        }
    }

    pub(crate) fn write(&mut self, input: &[u8]) {
        self.stdin.as_mut().unwrap().write_all(input).unwrap();
    }

    /// Writes to a process that may have ended already.
    pub(crate) fn offer(&mut self, input: &[u8]) {
        drop(self.stdin.as_mut().unwrap().write_all(input));
    }

    /// The next line of standard output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// The next line of standard error.
    pub(crate) fn note(&mut self) -> String {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Nobody reads standard output any more.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = None;
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for the end with standard input still open. What was read before is not in the output.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let mut rest = self.stdout.take();
        let reading = thread::spawn(move || {
            let mut out = Vec::new();
            if let Some(rest) = &mut rest {
                rest.read_to_end(&mut out).unwrap();
            }
            out
        });
        let mut stderr = self.stderr;
        let noting = thread::spawn(move || {
            let mut out = String::new();
            stderr.read_to_string(&mut out).unwrap();
            out
        });
        let Ended { code, .. } = wait(self.child);
        drop(self.stdin);
        Ended { code, stdout: reading.join().unwrap(), stderr: noting.join().unwrap() }
    }
}

/// `maxq emulator run` on free ports. Killed when it is dropped.
pub(crate) struct Emulator {
    pub(crate) running: Running,
    pub(crate) ready: Value,
}

impl Emulator {
    pub(crate) fn start(brokers: usize) -> Self {
        Self::start_with(&["--brokers", &brokers.to_string()])
    }

    pub(crate) fn start_with(args: &[&str]) -> Self {
        let all = [&["emulator", "run", "--port", "0", "-o", "json"], args].concat();
        let mut running = Running::start(maxq(&all));
        // It prints this when it serves.
        let ready = serde_json::from_str(&running.line()).unwrap();
        Self { running, ready }
    }

    pub(crate) fn name_server(&self) -> &str {
        self.ready["name_server"].as_str().unwrap()
    }

    /// `maxq` with these arguments, pointed at this cluster.
    pub(crate) fn maxq(&self, args: &[&str]) -> Command {
        let mut command = maxq(args);
        command.env("NAMESRV_ADDR", self.name_server());
        command
    }

    /// Runs `maxq` against this cluster; anything but success fails.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        run(self.maxq(args)).expect(0)
    }

    /// As [`run`](Self::run), with this on standard input.
    #[track_caller]
    pub(crate) fn run_with(&self, args: &[&str], input: &[u8]) -> Ended {
        run_with(self.maxq(args), input).expect(0)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.running.child.kill());
        drop(self.running.child.wait());
    }
}
