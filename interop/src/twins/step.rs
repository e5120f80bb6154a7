//! One request of the table, and how it is to be played.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use maxq_protocol::{
    RemotingCommand,
    message::{OffsetMessageId, StoredMessage},
};

/// A request, made from what the same server has answered before.
type Make = Box<dyn Fn(&Memory) -> Result<RemotingCommand> + Send + Sync>;

/// One line of the table.
pub(super) struct Step {
    /// What it is about, unique in the table.
    pub(super) name: String,
    pub(super) server: Server,
    /// Whose connection: each name has one of its own to each server.
    pub(super) client: &'static str,
    pub(super) action: Action,
    pub(super) patience: Patience,
    pub(super) body: Reading,
    /// Played on a connection of its own beside its neighbours that are apart too: it takes long.
    pub(super) apart: bool,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Server {
    NameServer,
    Broker,
}

/// What is done.
pub(super) enum Action {
    Ask(Make),
    /// A request that must not be answered; a second one shows that it was not.
    Oneway(Make),
    /// Bytes that need not be a frame, on a connection of their own.
    Write(Vec<u8>),
}

/// When an answer counts.
pub(super) enum Patience {
    First,
    /// Asked again for some seconds until the answer is as wished: servers do some things a moment later.
    Until(fn(&RemotingCommand, usize) -> bool, usize),
    /// The server may hold the request for so many milliseconds. When it answers is compared.
    Held(u64),
}

/// How a body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// JSON in any dialect, or text.
    Value,
    /// As [`Value`](Self::Value), but only which keys there are: the values are measurements.
    Keys,
    /// Stored messages.
    Records,
}

impl Step {
    pub(super) fn new(name: String, server: Server, action: Action) -> Self {
        let (patience, body) = (Patience::First, Reading::Value);
        Self { name, server, client: "main", action, patience, body, apart: false }
    }

    /// On the connection of this client.
    pub(super) fn client(&mut self, client: &'static str) -> &mut Self {
        self.client = client;
        self
    }

    /// Repeated until this code is answered.
    pub(super) fn until_code(&mut self, code: i32) -> &mut Self {
        self.patience =
            Patience::Until(|answer, code| usize::try_from(answer.code) == Ok(code), code as usize);
        self
    }

    /// The body is records; repeated until there are so many.
    pub(super) fn until_records(&mut self, count: usize) -> &mut Self {
        self.body = Reading::Records;
        self.patience = Patience::Until(|answer, count| records(answer).len() >= count, count);
        self
    }

    /// The body is records.
    pub(super) fn records(&mut self) -> &mut Self {
        self.body = Reading::Records;
        self
    }

    /// Only the keys of the body are compared.
    pub(super) fn keys(&mut self) -> &mut Self {
        self.body = Reading::Keys;
        self
    }

    /// The server may hold it.
    pub(super) fn held(&mut self, millis: u64) -> &mut Self {
        self.patience = Patience::Held(millis);
        self.body = Reading::Records;
        self.apart = true;
        self
    }
}

/// The stored messages of an answer; none if there are no whole ones.
pub(super) fn records(answer: &RemotingCommand) -> Vec<StoredMessage> {
    StoredMessage::decode_all(answer.body.clone()).unwrap_or_default()
}

/// What one server has answered so far, by the name of the step.
#[derive(Default)]
pub(super) struct Memory(BTreeMap<String, RemotingCommand>);

impl Memory {
    pub(super) fn keep(&mut self, step: &str, answer: RemotingCommand) {
        self.0.insert(step.to_owned(), answer);
    }

    fn answer(&self, step: &str) -> Result<&RemotingCommand> {
        self.0.get(step).with_context(|| format!("`{step}` was not answered before"))
    }

    /// The record with this number of an earlier answer.
    pub(super) fn record(&self, step: &str, number: usize) -> Result<StoredMessage> {
        let found = records(self.answer(step)?).into_iter().nth(number);
        found.with_context(|| format!("`{step}` gave no record number {number}"))
    }

    /// The offset message id that a send was answered with.
    pub(super) fn offset_id(&self, step: &str) -> Result<OffsetMessageId> {
        let id = self.answer(step)?.ext.get("msgId").context("no msgId")?;
        id.parse().with_context(|| format!("msgId {id}"))
    }
}
