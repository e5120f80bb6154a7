//! Who does not wait for each message: callers that enqueue, send batches and flush, and producers that close with
//! messages under way.

use std::time::Duration;

use maxq::{Client, CloseReport, Message, MessageBatch, Producer, ProducerConfig};
use tokio::time::{Instant, sleep};

use crate::{
    actors::{Ending, awaited, failed},
    ends::Ends,
    story::Teller,
    world::TOPICS,
};

/// One member of the crowd.
pub(crate) struct Member {
    pub(crate) number: usize,
    pub(crate) producer: Producer,
    /// What the producers are made of that it closes.
    pub(crate) config: ProducerConfig,
    pub(crate) story: Teller,
    pub(crate) allowed: Duration,
    pub(crate) chance: fastrand::Rng,
    pub(crate) ends: Ends,
}

impl Member {
    pub(crate) async fn act(mut self) {
        for n in 0..self.chance.usize(2..8) {
            sleep(Duration::from_millis(self.chance.u64(0..500))).await;
            match self.chance.u8(0..6) {
                0..2 => self.enqueue_some(n).await,
                2..4 => self.send_batch(n).await,
                4 => self.flush().await,
                _ => self.close_one(n).await,
            }
        }
        // What is still under way ends by its deadline.
        sleep(self.allowed + Duration::from_millis(2)).await;
    }

    async fn enqueue_some(&mut self, n: usize) {
        let producer = self.producer.clone();
        for m in 0..self.chance.usize(1..6) {
            self.enqueue(&producer, format!("{}-{n}.{m}", self.number)).await;
        }
    }

    /// The end is told to a callback.
    async fn enqueue(&mut self, producer: &Producer, key: String) {
        let topic = TOPICS[usize::from(self.chance.u8(..) < 80)];
        let place = self.ends.note_aside(self.number, &key, topic, self.allowed);
        let (began, sending) = (Instant::now(), producer.send(Message::new(topic, "aside").key(&key)));
        let enqueued = if self.chance.bool() { sending.try_enqueue() } else { sending.enqueue().await };
        let (ends, story) = (self.ends.clone(), self.story.clone());
        let end = move |ending: Ending| {
            story.tell(format_args!("{key} to {topic}, aside: {ending} after {:?}", began.elapsed()));
            ends.end(place, ending, began.elapsed());
        };
        match enqueued {
            Ok(delivery) => delivery.on_complete(move |result| end(awaited(result))),
            Err(error) => end(failed(&error, false)),
        }
    }

    async fn send_batch(&mut self, n: usize) {
        let topic = TOPICS[usize::from(self.chance.u8(..) < 80)];
        let keys: Vec<_> = (0..self.chance.usize(1..5)).map(|m| format!("{}-{n}.{m}", self.number)).collect();
        let places: Vec<_> =
            keys.iter().map(|key| self.ends.note_aside(self.number, key, topic, self.allowed)).collect();
        let messages = keys.iter().map(|key| Message::new(topic, "one of many").key(key));
        let batch = MessageBatch::new(messages).expect("they are for one topic");
        let (began, result) = (Instant::now(), self.producer.send_batch(batch).await);
        let took = began.elapsed();
        for (m, place) in places.into_iter().enumerate() {
            let ending = match &result {
                Ok(receipt) => Ending::Stored(Box::new(receipt.receipts()[m].clone())),
                Err(error) => failed(error, false),
            };
            self.story.tell(format_args!("{} to {topic}, in a batch: {ending} after {took:?}", keys[m]));
            self.ends.end(place, ending, took);
        }
    }

    async fn flush(&mut self) {
        let within = Duration::from_millis(self.chance.u64(0..1_000));
        let began = Instant::now();
        let report = self.producer.flush(within).await;
        self.story.tell(format_args!("flushed: {} are pending", report.pending));
        self.ends.in_time("a flush", began.elapsed(), within);
    }

    /// A producer that closes while messages are under way accounts for each of them, and hands back what is not stored:
    /// nobody else holds it.
    async fn close_one(&mut self, n: usize) {
        let client: &Client = self.producer.client();
        let producer = client.producer(self.config.clone()).expect("the configuration is sound");
        for m in 0..self.chance.usize(1..8) {
            let topic = TOPICS[usize::from(self.chance.u8(..) < 80)];
            let message = Message::new(topic, "given away").key(format!("{}-{n}.{m}", self.number));
            drop(producer.send(message).enqueue().await);
        }
        sleep(Duration::from_millis(self.chance.u64(0..100))).await;
        let within = Duration::from_millis(self.chance.u64(0..2_000));
        let (began, pending) = (Instant::now(), producer.stats().under_way);
        let report = producer.close(within).await;
        self.story.tell(format_args!("a producer closes: {} of {pending} are not sent", report.unsent.len()));
        // What is given up needs a moment.
        self.ends.in_time("closing", began.elapsed(), within + Duration::from_millis(50));
        self.ends.settle(pending, &report);
    }
}

impl Ends {
    fn settle(&self, pending: u64, report: &CloseReport) {
        let CloseReport { acknowledged, refused, not_sent, unknown, unsent, .. } = report;
        let given_back = unsent.len() as u64;
        if acknowledged + refused + not_sent + unknown != pending || given_back != refused + not_sent {
            self.complain(format!("{pending} were under way, but closing reports {report:?}"));
        }
        for message in unsent {
            let key = message.properties().find(|(name, _)| *name == "KEYS");
            self.unsent(key.map_or("without a key", |(_, key)| key));
        }
    }
}
