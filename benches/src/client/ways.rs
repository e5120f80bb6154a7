//! One sender in each way.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use maxq::{Message, MessageBatch, Producer, SendError};

use crate::{
    load::{Load, Way},
    measure::Meter,
};

/// One task that sends again and again.
#[derive(Clone, Debug)]
pub struct Sender {
    producer: Producer,
    meter: Arc<Meter>,
    body: Bytes,
    topics: Arc<[String]>,
    /// Senders begin at different topics, or all would be at the same one.
    first: usize,
    batch: usize,
    is_bounded: bool,
}

impl Sender {
    /// The first sender of `load`; the others are [`beginning_at`](Self::beginning_at).
    pub fn new(load: &Load, producer: &Producer, meter: &Arc<Meter>) -> Self {
        Self {
            producer: producer.clone(),
            meter: meter.clone(),
            body: load.body(),
            topics: load.topics().into(),
            first: 0,
            batch: load.batch.get(),
            is_bounded: load.messages.is_some(),
        }
    }

    /// A sender of the same that begins at another topic.
    #[must_use]
    pub fn beginning_at(&self, first: usize) -> Self {
        Self { first, ..self.clone() }
    }

    /// Sends until the meter wants no more.
    ///
    /// # Errors
    /// It cannot send at all; a send that fails is counted.
    pub async fn run(self, way: Way) -> anyhow::Result<()> {
        match way {
            Way::Awaited => self.awaited().await,
            Way::Oneway => self.oneway().await,
            Way::Batch => self.batches().await?,
            Way::Enqueue => self.enqueue().await?,
            Way::Blocking => anyhow::bail!("a blocking sender is a thread"),
        }
        Ok(())
    }

    async fn awaited(self) {
        for nth in (0..).take_while(|nth| self.meter.wants(*nth)) {
            let started = self.meter.start(nth);
            let sent = self.producer.send(self.message(nth)).await;
            self.ended(started, sent);
        }
    }

    async fn oneway(self) {
        for nth in (0..).take_while(|nth| self.meter.wants(*nth)) {
            let started = self.meter.start(nth);
            let sent = self.producer.send(self.message(nth)).oneway().await;
            self.ended(started, sent);
        }
    }

    async fn batches(self) -> anyhow::Result<()> {
        for nth in (0..).take_while(|nth| self.meter.wants(*nth)) {
            let started = self.meter.start(nth);
            let batch = MessageBatch::new((0..self.batch).map(|_| self.message(nth)))?;
            let sent = self.producer.send_batch(batch).await;
            self.ended(started, sent);
        }
        Ok(())
    }

    /// One task keeps the producer full, and callbacks count.
    async fn enqueue(self) -> anyhow::Result<()> {
        for nth in (0..).take_while(|nth| self.meter.wants(*nth)) {
            let started = self.meter.start(nth);
            let delivery = self.producer.send(self.message(nth)).enqueue().await.context("no room")?;
            let meter = self.meter.clone();
            delivery.on_complete(move |result| match result {
                Ok(_) => meter.finish(started),
                Err(error) => meter.fail(&error),
            });
        }
        if self.is_bounded {
            self.producer.flush(LAST).await;
        }
        Ok(())
    }

    fn ended<T>(&self, started: Option<Instant>, sent: Result<T, SendError>) {
        match sent {
            Ok(_) => self.meter.finish(started),
            Err(error) => self.meter.fail(&error),
        }
    }

    fn message(&self, nth: u64) -> Message {
        let topic = (nth as usize).wrapping_add(self.first) % self.topics.len();
        Message::new(&*self.topics[topic], self.body.clone())
    }
}

const LAST: Duration = Duration::from_secs(10);
