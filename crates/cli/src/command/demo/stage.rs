//! Where a demo is played: on an emulated cluster in this process, or on a real one.

use std::time::Duration;

use maxq::{Client, ClientConfig, From, MessageQueue, Reader, RequestError, admin::TopicSettings};
use maxq_emulator::Cluster;
use tokio::task::JoinSet;

use super::{
    super::{GOODBYE, topic},
    load::{Blow, RUN, parse_id},
};
use crate::{
    clock::Stopwatch,
    exit::{Exit, Failure},
    output::counted,
};

/// A cluster with the topic of the demo.
pub(super) struct Stage {
    client: Client,
    topic: &'static str,
    place: Place,
}

enum Place {
    /// Its stored messages can be looked at, those of killed brokers too.
    Emulated(Box<Cluster>),
    /// Its messages are read back, from where each queue ended before.
    Real(Vec<(MessageQueue, u64)>),
}

impl Stage {
    /// Starts a cluster whose brokers store so many bytes and messages each.
    pub(super) async fn emulated(
        brokers: usize,
        topic: &'static str,
        (bytes, messages): (u64, u64),
        timeout: Option<Duration>,
    ) -> anyhow::Result<Self> {
        let cluster = Cluster::builder()
            .brokers(brokers)
            .topic(topic, QUEUES.unsigned_abs())
            .store_limit(bytes, messages);
        let cluster = cluster.remembered_requests(0).start().await?;
        let mut config = ClientConfig::new(cluster.name_servers());
        if let Some(timeout) = timeout {
            config = config.request_timeout(timeout).connect_timeout(timeout);
        }
        let client = Client::connect(config).await?;
        Ok(Self { client, topic, place: Place::Emulated(Box::new(cluster)) })
    }

    /// Makes the topic on every broker of a real cluster.
    pub(super) async fn real(client: Client, topic: &'static str) -> anyhow::Result<Self> {
        let admin = client.admin();
        let brokers = admin.create_topic(topic, TopicSettings::default().queues(QUEUES)).await?;
        if !topic::is_known_everywhere(&client, topic, &brokers).await {
            let why =
                format!("the name server does not tell topic {topic} of all brokers, though they have it");
            return Err(Failure::error(Exit::CannotConnect, why));
        }
        let mut ends = Vec::new();
        for queue in admin.queues(topic).await? {
            let end = admin.max_offset(&queue).await?;
            ends.push((queue, end.cast_unsigned()));
        }
        Ok(Self { client, topic, place: Place::Real(ends) })
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// One sentence for people.
    pub(super) fn describe(&self) -> String {
        match &self.place {
            Place::Emulated(cluster) => format!(
                "emulated cluster: name server {}, {}",
                cluster.name_server(),
                counted(cluster.broker_count() as u64, "broker")
            ),
            Place::Real(ends) => {
                format!("topic {} of the cluster, {}", self.topic, counted(ends.len() as u64, "queue"))
            }
        }
    }

    /// What the cluster is to suffer: as much as leaves a broker to send to.
    pub(super) fn blows(&self) -> &'static [Blow] {
        match &self.place {
            Place::Emulated(cluster) => &Blow::ALL[..cluster.broker_count().saturating_sub(1).min(2)],
            Place::Real(_) => &[],
        }
    }

    /// Deals the blow; gives the name of the broker.
    pub(super) async fn suffer(&self, blow: Blow) -> String {
        let Place::Emulated(cluster) = &self.place else { return String::new() };
        let broker = FIRST_VICTIM + blow as usize;
        match blow {
            Blow::Kill => cluster.kill_broker(broker).await,
            Blow::Freeze => cluster.freeze_broker(broker),
        }
        cluster.broker(broker).name().to_owned()
    }

    /// Thaws who is frozen, so that it stores what it was given.
    pub(super) fn relieve(&self) {
        if let Place::Emulated(cluster) = &self.place {
            (0..cluster.broker_count()).for_each(|broker| cluster.thaw_broker(broker));
        }
    }

    /// The ids of all stored messages of a run, one for each copy. Looks until all `wanted` are there, or no more come.
    pub(super) async fn stored_ids(&self, run: &str, mut wanted: Vec<u128>) -> anyhow::Result<Ids> {
        wanted.sort_unstable();
        let mut stored = match &self.place {
            Place::Emulated(cluster) => emulated_ids(cluster, self.topic, run).await,
            Place::Real(ends) => self.read_ids(ends, run, &wanted).await?,
        };
        stored.sort_unstable();
        Ok(Ids { acknowledged: wanted, stored })
    }

    /// Ends the cluster, or leaves it.
    pub(super) async fn take_down(self) {
        self.client.close(GOODBYE).await;
        if let Place::Emulated(cluster) = self.place {
            cluster.stop().await;
        }
    }

    /// Reads everything back. A broker makes a message readable a moment after it has acknowledged it, so a read that
    /// misses some is tried again from where it stopped.
    async fn read_ids(
        &self,
        ends: &[(MessageQueue, u64)],
        run: &str,
        wanted: &[u128],
    ) -> anyhow::Result<Vec<u128>> {
        let mut readers: Vec<_> =
            ends.iter().map(|(queue, end)| self.client.reader(queue, From::Offset(*end))).collect();
        let (mut ids, mut waiting) = (Vec::new(), Stopwatch::start());
        loop {
            let mut reads = JoinSet::new();
            for reader in readers.drain(..) {
                reads.spawn(read_to_end(reader, run.to_owned()));
            }
            let before = ids.len();
            while let Some(read) = reads.join_next().await {
                let (reader, found) = read??;
                readers.push(reader);
                ids.extend(found);
            }
            if ids.len() > before {
                waiting = Stopwatch::start();
            }
            // One more look after all are there, for the one-way ones.
            if waiting.elapsed() > PATIENCE || (ids.len() == before && has_all(&mut ids, wanted)) {
                return Ok(ids);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// Ids of messages, both in ascending order.
pub(super) struct Ids {
    pub(super) acknowledged: Vec<u128>,
    /// One for each copy.
    pub(super) stored: Vec<u128>,
}

impl Ids {
    /// How many different messages are stored.
    pub(super) fn different(&self) -> u64 {
        self.stored.chunk_by(|one, other| one == other).count() as u64
    }

    /// How many acknowledged messages are not stored.
    pub(super) fn lost(&self) -> u64 {
        missing(&self.acknowledged, &self.stored)
    }
}

/// One-way messages may still be on their way: looks once more when the number has stopped to grow.
async fn emulated_ids(cluster: &Cluster, topic: &str, run: &str) -> Vec<u128> {
    let mut count = u64::MAX;
    while count != cluster.stored_count(topic) {
        count = cluster.stored_count(topic);
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    let mut ids = Vec::new();
    cluster.visit_stored(topic, |stored| {
        if stored.property(RUN) == Some(run) {
            ids.extend(stored.unique_id().and_then(parse_id));
        }
    });
    ids
}

async fn read_to_end(mut reader: Reader, run: String) -> Result<(Reader, Vec<u128>), RequestError> {
    let mut ids = Vec::new();
    while let Some(message) = reader.next().await? {
        if message.property(RUN) == Some(run.as_str()) {
            ids.extend(parse_id(&message.message_id()));
        }
    }
    Ok((reader, ids))
}

fn has_all(found: &mut [u128], wanted: &[u128]) -> bool {
    found.sort_unstable();
    missing(wanted, found) == 0
}

/// How many of `wanted` are not in `found`. Both are in ascending order.
fn missing(wanted: &[u128], found: &[u128]) -> u64 {
    let mut found = found.iter().peekable();
    let is_missing = |id: &&u128| {
        while found.next_if(|other| other < id).is_some() {}
        found.peek() != Some(id)
    };
    wanted.iter().filter(is_missing).count() as u64
}

const QUEUES: i32 = 8;
/// Not the first, so that a single broker is spared.
const FIRST_VICTIM: usize = 1;
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How long a message may take to appear.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledged_message_that_is_not_stored_is_lost() {
        let ids = Ids { acknowledged: vec![1, 3, 5, 9], stored: vec![0, 1, 1, 3, 4, 4, 4, 5] };
        assert_eq!((ids.lost(), ids.different()), (1, 5));
        let ids = Ids { acknowledged: vec![], stored: vec![] };
        assert_eq!((ids.lost(), ids.different()), (0, 0));
    }
}
