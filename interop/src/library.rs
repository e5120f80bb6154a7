//! The library under test: a client with a runtime of its own, for stories that are told without async.

use std::{future::Future, time::Duration};

use anyhow::Result;
use maxq::{
    Client, ClientConfig, Message, MessageView, Producer, ProducerConfig,
    admin::{Admin, TopicRoute, TopicSettings},
};
use tokio::runtime::{Builder, Runtime};

use crate::message::{Sample, Seen};

/// A connected client. Dropping it says goodbye to its servers.
pub(crate) struct Library {
    client: Client,
    runtime: Runtime,
}

impl Library {
    /// A client with defaults.
    pub(crate) fn connect(name_server: &str) -> Result<Self> {
        Self::with(ClientConfig::new(name_server))
    }

    /// A client that a name server has answered.
    pub(crate) fn with(config: ClientConfig) -> Result<Self> {
        let runtime = runtime()?;
        let client = runtime.block_on(Client::connect(patient(config)))?;
        Ok(Self { client, runtime })
    }

    /// A client that has opened no connection yet.
    pub(crate) fn lazy(name_server: &str) -> Result<Self> {
        let runtime = runtime()?;
        let client = runtime.block_on(async { Client::lazy(patient(ClientConfig::new(name_server))) })?;
        Ok(Self { client, runtime })
    }

    /// Waits for `future`.
    pub(crate) fn run<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// The client.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Administration.
    pub(crate) fn admin(&self) -> Admin {
        self.client.admin()
    }

    /// A producer with patience: a second attempt after a time-out may store a second message.
    pub(crate) fn producer(&self) -> Result<Producer> {
        self.producer_with(producing())
    }

    /// A producer of its own kind.
    pub(crate) fn producer_with(&self, config: ProducerConfig) -> Result<Producer> {
        // A producer is made on the runtime that it will use.
        let _on = self.runtime.enter();
        Ok(self.client.producer(config)?)
    }

    /// Makes `topic` with so many queues on each broker, and waits until this client knows it.
    pub(crate) fn ensure_topic(&self, topic: &str, queues: i32) -> Result<TopicRoute> {
        let settings = TopicSettings::default().queues(queues);
        Ok(self.run(self.admin().ensure_topic(topic, settings, PATIENCE))?)
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        self.runtime.block_on(self.client.close(GOODBYE));
    }
}

fn runtime() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// A busy machine is no reason to fail.
pub(crate) const fn patient(config: ClientConfig) -> ClientConfig {
    config.request_timeout(PATIENCE)
}

/// The settings of a producer that waits as long as a busy machine needs.
pub(crate) fn producing() -> ProducerConfig {
    ProducerConfig::new("maxq_interop_library").timeout(PATIENCE)
}

/// A sample as the library sends it.
pub(crate) fn message(topic: &str, sample: &Sample) -> Message {
    let mut message = Message::new(topic, sample.body.0.clone()).keys(&sample.keys).flag(sample.flag);
    if let Some(tag) = &sample.tag {
        message = message.tag(tag);
    }
    sample.properties.iter().fold(message, |message, (name, value)| message.property(name, value))
}

/// A message as the library reads it.
pub(crate) fn seen(view: &MessageView) -> Seen {
    let own = view.user_properties().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Seen {
        topic: view.topic().to_owned(),
        broker: view.queue().broker_name().to_owned(),
        queue: view.queue().queue_id(),
        offset: view.queue_offset().cast_signed(),
        message_id: view.message_id(),
        offset_message_id: view.offset_id(),
        keys: view.keys().map(str::to_owned).collect(),
        tag: view.tag().map(str::to_owned),
        properties: own.collect(),
        flag: view.flag(),
        born_timestamp: view.born_timestamp(),
        store_timestamp: view.store_timestamp(),
        body: view.body().to_vec().into(),
    }
}

/// What a request may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const GOODBYE: Duration = Duration::from_secs(2);
