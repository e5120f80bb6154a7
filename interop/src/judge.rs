//! Apache's Java client and tools, in one process per version that lives as long as the value (`java/judge`).

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    apache::{Apache, Jvm},
    message::{Body, JavaMessage, Sample, from_base64, to_base64},
    process,
};

/// A running judge. Dropping it kills the process.
pub(crate) struct Judge {
    version: String,
    child: Child,
    requests: ChildStdin,
    answers: Receiver<String>,
    errors: PathBuf,
    /// What the admin tool has said about its commands.
    helps: BTreeMap<String, String>,
}

/// How Apache's producer is to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendMode {
    Sync,
    Async,
    Oneway,
    /// To the queue that the first key's hash chooses.
    Selector,
    /// All messages in one.
    Batch,
}

/// Which of Apache's consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consumer {
    /// `DefaultMQPushConsumer`.
    Push,
    /// `DefaultLitePullConsumer` that subscribes.
    LiteSubscribed,
    /// `DefaultLitePullConsumer` that is given all queues.
    LiteAssigned,
}

/// What Apache's producer reports of a send.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SendResult {
    /// The id that the client gave; for a batch that of its first message.
    pub(crate) sent_message_id: String,
    /// The rest is absent for a one-way send.
    #[serde(flatten)]
    pub(crate) acknowledged: Option<Acknowledged>,
}

/// The broker's part of a [`SendResult`].
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Acknowledged {
    pub(crate) status: String,
    /// For a batch the ids of all messages, joined by commas.
    pub(crate) message_id: String,
    /// As `message_id`.
    pub(crate) offset_message_id: String,
    pub(crate) broker: String,
    pub(crate) queue: i32,
    pub(crate) offset: i64,
}

/// What senders of Apache's producer are to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JavaLoad<'a> {
    pub(crate) topic: &'a str,
    pub(crate) senders: u32,
    /// `sendMsgTimeout`.
    pub(crate) deadline: Duration,
    /// Bytes of each message.
    pub(crate) body: usize,
    /// `sendLatencyFaultEnable`, which is off by default.
    pub(crate) latency_fault: bool,
}

impl Judge {
    /// Starts the judge of `apache`; `folder` takes all that it writes.
    pub(crate) fn start(apache: &Apache, jvm: Jvm, folder: &Path) -> Result<Self> {
        let errors = folder.join("judge.err");
        let command = apache.judge(folder, jvm)?;
        // No leash: the judge itself ends with its input. Its output is read here, not from a file: it talks.
        let mut child = Command::new(&command[0])
            .args(&command[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors).with_context(|| format!("cannot write {}", errors.display()))?)
            .spawn()
            .context("cannot start java")?;
        let requests = child.stdin.take().context("the judge has no input")?;
        let answers = listen(child.stdout.take().context("the judge has no output")?);
        let mut judge = Self {
            version: apache.version().to_owned(),
            child,
            requests,
            answers,
            errors,
            helps: BTreeMap::new(),
        };
        judge.answer(ANSWER_LIMIT).context("the judge did not start")?;
        Ok(judge)
    }

    /// Sends `samples`; one result a message, one in all for a batch. With a queue, to that queue.
    pub(crate) fn send(
        &mut self,
        name_server: &str,
        topic: &str,
        samples: &[Sample],
        mode: SendMode,
        queue: Option<(&str, i32)>,
    ) -> Result<Vec<SendResult>> {
        for sample in samples {
            self.ask("message", &message_pairs(topic, sample))?;
        }
        let mode = match mode {
            SendMode::Sync => "sync",
            SendMode::Async => "async",
            SendMode::Oneway => "oneway",
            SendMode::Selector => "selector",
            SendMode::Batch => "batch",
        };
        let mut pairs =
            vec![("name_server".to_owned(), name_server.to_owned()), ("mode".into(), mode.into())];
        if let Some((broker, queue)) = queue {
            pairs.extend([("broker".into(), broker.into()), ("queue".into(), queue.to_string())]);
        }
        parse(self.ask("send", &pairs)?)
    }

    /// Sends one message to the queue that Apache's `SelectMessageQueueByHash` chooses for `key`.
    pub(crate) fn send_by_key(
        &mut self,
        name_server: &str,
        topic: &str,
        sample: &Sample,
        key: &str,
    ) -> Result<SendResult> {
        self.ask("message", &message_pairs(topic, sample))?;
        let pairs =
            [("name_server", name_server.to_owned()), ("mode", "by_key".to_owned()), ("key", key.to_owned())];
        let results: Vec<SendResult> = parse(self.ask("send", &owned(pairs))?)?;
        results.into_iter().next().context("no result")
    }

    /// Reads all that `topic` holds, in the order of broker, queue and offset. Waits some seconds while there are
    /// fewer than `count`; gives what is there after that.
    pub(crate) fn read(&mut self, name_server: &str, topic: &str, count: usize) -> Result<Vec<JavaMessage>> {
        let answers = self.ask(
            "read",
            &[
                ("name_server".to_owned(), name_server.to_owned()),
                ("topic".into(), topic.into()),
                ("count".into(), count.to_string()),
                ("timeout".into(), READ_LIMIT.as_millis().to_string()),
            ],
        )?;
        let mut messages: Vec<JavaMessage> = parse(answers)?;
        messages.sort_by(|one, other| one.place().cmp(&other.place()));
        Ok(messages)
    }

    /// Lets a consumer of a group take the messages of a topic with some tags, from the oldest on, until there are
    /// `count` or some time is over; gives the bodies.
    pub(crate) fn consume(
        &mut self,
        name_server: &str,
        kind: Consumer,
        (topic, group, tags): (&str, &str, &str),
        count: usize,
    ) -> Result<Vec<Body>> {
        let kind = match kind {
            Consumer::Push => "push",
            Consumer::LiteSubscribed => "subscribed",
            Consumer::LiteAssigned => "assigned",
        };
        let pairs = [
            ("name_server", name_server.to_owned()),
            ("kind", kind.to_owned()),
            ("topic", topic.to_owned()),
            ("group", group.to_owned()),
            ("tags", tags.to_owned()),
            ("count", count.to_string()),
            ("timeout", CONSUME_LIMIT.as_millis().to_string()),
        ];
        let bodies = self.ask("consume", &owned(pairs))?;
        let body = |answer: Value| from_base64(answer["body_base64"].as_str().unwrap_or_default()).map(Body);
        bodies.into_iter().map(body).collect()
    }

    /// Starts a load: senders of Apache's producer, each sending one message after the other.
    pub(crate) fn load(&mut self, name_server: &str, load: &JavaLoad<'_>) -> Result<()> {
        let pairs = [
            ("name_server", name_server.to_owned()),
            ("topic", load.topic.to_owned()),
            ("senders", load.senders.to_string()),
            ("deadline", load.deadline.as_millis().to_string()),
            ("size", load.body.to_string()),
            ("latency_fault", load.latency_fault.to_string()),
        ];
        self.ask("load", &owned(pairs)).map(drop)
    }

    /// Ends the load and writes a line for each of its sends to `file`.
    pub(crate) fn unload(&mut self, file: &Path) -> Result<()> {
        self.ask("unload", &owned([("file", file.display().to_string())])).map(drop)
    }

    /// What `topic` holds of a load that has ended, when it holds so many `messages` and no more come, at the latest
    /// after `limit`. One answer a sender.
    pub(crate) fn tally<T: serde::de::DeserializeOwned>(
        &mut self,
        name_server: &str,
        topic: &str,
        messages: usize,
        limit: Duration,
    ) -> Result<Vec<T>> {
        let pairs = [
            ("name_server", name_server.to_owned()),
            ("topic", topic.to_owned()),
            ("messages", messages.to_string()),
            ("quiet", QUIET.as_millis().to_string()),
            ("timeout", limit.as_millis().to_string()),
        ];
        parse(self.ask_within("tally", &owned(pairs), limit + ANSWER_LIMIT)?)
    }

    /// Runs a command of Apache's admin tool and gives what it printed. A stack trace is an error: the tool itself
    /// ends with status 0 even then.
    pub(crate) fn mqadmin(&mut self, name_server: &str, arguments: &[&str]) -> Result<String> {
        let arguments = [arguments, &["-n", name_server]].concat();
        let output = self.run_mqadmin(&arguments)?;
        if output.lines().any(|line| line.starts_with("\tat ")) {
            bail!("mqadmin {}\n  expected: no stack trace\n      came: {output}", arguments.join(" "));
        }
        Ok(output)
    }

    /// What the admin tool says about one of its commands. It is asked once.
    pub(crate) fn mqadmin_help(&mut self, command: &str) -> Result<&str> {
        if !self.helps.contains_key(command) {
            let help = self.run_mqadmin(&["help", command])?;
            self.helps.insert(command.to_owned(), help);
        }
        Ok(&self.helps[command])
    }

    fn run_mqadmin(&mut self, arguments: &[&str]) -> Result<String> {
        let pairs: Vec<_> =
            arguments.iter().map(|argument| ("arg".to_owned(), (*argument).to_owned())).collect();
        let answers = self.ask("mqadmin", &pairs)?;
        let output = answers.first().and_then(|answer| answer["output"].as_str());
        Ok(output.context("no output")?.to_owned())
    }

    /// The last lines that the judge printed outside its answers.
    pub(crate) fn tail(&self) -> String {
        process::tail("judge", &[&self.errors])
    }

    /// Whether it still runs: a wrong option makes mqadmin end the whole process.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn ask(&mut self, verb: &str, pairs: &[(String, String)]) -> Result<Vec<Value>> {
        self.ask_within(verb, pairs, ANSWER_LIMIT)
    }

    /// `limit` is for each line of the answer.
    fn ask_within(&mut self, verb: &str, pairs: &[(String, String)], limit: Duration) -> Result<Vec<Value>> {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value))).collect();
        let line = format!("{verb} {}\n", pairs.join("&"));
        let sent = self.requests.write_all(line.as_bytes()).and_then(|()| self.requests.flush());
        sent.with_context(|| format!("the judge does not listen\n{}", self.tail()))?;
        self.answer(limit).with_context(|| format!("Apache's client {} on `{verb}`", self.version))
    }

    fn end(&mut self) {
        // Errors mean that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// All answers up to the one that ends them.
    fn answer(&mut self, limit: Duration) -> Result<Vec<Value>> {
        let mut answers = Vec::new();
        loop {
            let line = match self.answers.recv_timeout(limit) {
                Ok(line) => line,
                // What comes later would be taken for the answer to another request.
                Err(RecvTimeoutError::Timeout) => {
                    self.end();
                    bail!("no answer within {} s\n{}", limit.as_secs(), self.tail());
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.end();
                    bail!("the judge ended\n{}", self.tail());
                }
            };
            let answer: Value = serde_json::from_str(&line).with_context(|| format!("not JSON: {line}"))?;
            match answer["end"].as_str() {
                None => answers.push(answer),
                Some("ok") => return Ok(answers),
                Some(_) => {
                    bail!("{}", answer["error"].as_str().unwrap_or("an error without text").trim_end())
                }
            }
        }
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.end();
    }
}

/// Lines as they come. The thread ends with the judge's output, at the latest when the judge is killed.
fn listen(output: ChildStdout) -> Receiver<String> {
    // Unbounded: the judge speaks only when asked, and its answers are collected whole anyway.
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

fn message_pairs(topic: &str, sample: &Sample) -> Vec<(String, String)> {
    let mut pairs = vec![
        ("topic".to_owned(), topic.to_owned()),
        ("body".into(), to_base64(&sample.body.0)),
        ("flag".into(), sample.flag.to_string()),
    ];
    if let Some(tag) = &sample.tag {
        pairs.push(("tags".into(), tag.clone()));
    }
    if !sample.keys.is_empty() {
        pairs.push(("keys".into(), sample.keys.join(" ")));
    }
    let properties: &BTreeMap<_, _> = &sample.properties;
    pairs.extend(properties.iter().map(|(name, value)| (format!("property.{name}"), value.clone())));
    pairs
}

fn owned<const N: usize>(pairs: [(&str, String); N]) -> Vec<(String, String)> {
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

fn parse<T: serde::de::DeserializeOwned>(answers: Vec<Value>) -> Result<Vec<T>> {
    let parse = |answer: Value| {
        serde_json::from_value(answer.clone()).with_context(|| format!("not understood: {answer}"))
    };
    answers.into_iter().map(parse).collect()
}

/// Percent-encoding as `java.net.URLDecoder` reads it back.
fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// How long a reader waits for messages that a broker has acknowledged.
const READ_LIMIT: Duration = Duration::from_secs(10);
/// For how long a topic must not grow before it counts as complete.
const QUIET: Duration = Duration::from_secs(2);
/// A consumer looks for its queues every 20 s.
const CONSUME_LIMIT: Duration = Duration::from_secs(50);
/// Longer than any single command of a tool on a busy machine.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_and_letters_beyond_ascii_are_encoded() {
        assert_eq!(percent("a=b&c +ä%"), "a%3Db%26c%20%2B%C3%A4%25");
    }

    #[test]
    fn a_oneway_result_has_no_acknowledgement() {
        let oneway: SendResult = serde_json::from_str(r#"{"sent_message_id":"A"}"#).unwrap();
        assert!(oneway.acknowledged.is_none());
        let text = r#"{"sent_message_id":"A","status":"SEND_OK","message_id":"A","offset_message_id":"B",
                       "broker":"broker-0","queue":1,"offset":2}"#;
        let sync: SendResult = serde_json::from_str(text).unwrap();
        assert_eq!(sync.acknowledged.unwrap().queue, 1);
    }
}
