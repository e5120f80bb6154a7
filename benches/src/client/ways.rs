//! One sender in each way.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use bytes::Bytes;
use maxq::{Message, MessageBatch, Producer};

use crate::{
    load::{Load, Way},
    measure::Meter,
};

/// One task that sends again and again.
#[derive(Debug)]
pub struct Sender {
    producer: Producer,
    meter: Arc<Meter>,
    body: Bytes,
    topics: Vec<String>,
    /// Senders begin at different topics, or all would be at the same one.
    first: usize,
    batch: usize,
    is_bounded: bool,
}

impl Sender {
    /// The `task`th sender of `load`.
    pub fn new(load: &Load, task: usize, producer: &Producer, meter: &Arc<Meter>) -> Self {
        Self {
            producer: producer.clone(),
            meter: meter.clone(),
            body: load.body(),
            topics: load.topics(),
            first: task,
            batch: load.batch.get(),
            is_bounded: load.messages.is_some(),
        }
    }

    /// Sends until the meter wants no more.
    ///
    /// # Errors
    /// A send failed.
    pub async fn run(self, way: Way) -> anyhow::Result<()> {
        match way {
            Way::Awaited => self.awaited().await,
            Way::Oneway => self.oneway().await,
            Way::Batch => self.batches().await,
            Way::Enqueue => self.enqueue().await,
            Way::Blocking => anyhow::bail!("a blocking sender is a thread"),
        }
    }

    async fn awaited(self) -> anyhow::Result<()> {
        for nth in (0..).take_while(|nth| self.meter.wants(*nth)) {
            let started = self.meter.start(nth);
            self.producer.send(self.message(nth)).await.context("a send failed")?;
            self.meter.finish(started);
        }
        Ok(())
    }

    async fn oneway(self) -> anyhow::Result<()> {
        for nth in (0..).take_while(|nth| self.meter.wants(*nth)) {
            let started = self.meter.start(nth);
            self.producer.send(self.message(nth)).oneway().await.context("a send failed")?;
            self.meter.finish(started);
        }
        Ok(())
    }

    async fn batches(self) -> anyhow::Result<()> {
        for nth in (0..).take_while(|nth| self.meter.wants(*nth)) {
            let started = self.meter.start(nth);
            let batch = MessageBatch::new((0..self.batch).map(|_| self.message(nth)))?;
            self.producer.send_batch(batch).await.context("a batch failed")?;
            self.meter.finish(started);
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
                Err(_) => meter.fail(),
            });
        }
        if self.is_bounded {
            self.producer.flush(LAST).await;
        }
        Ok(())
    }

    fn message(&self, nth: u64) -> Message {
        let topic = (nth as usize).wrapping_add(self.first) % self.topics.len();
        Message::new(&*self.topics[topic], self.body.clone())
    }
}

const LAST: Duration = Duration::from_secs(10);
