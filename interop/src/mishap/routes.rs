//! The route of a topic changes under a client that uses it.

use std::collections::BTreeSet;

use anyhow::Result;
use maxq::Producer;

use super::ground::{Ground, Told, until};
use crate::{
    apache::{ApacheCluster, Layout, Part},
    expect,
    library::{Library, message},
    signal::Signal,
};

/// The topic gets more queues, a broker joins, leaves and comes back: the client follows, and no send fails.
pub(super) fn change(ground: &Ground<'_>) -> Result<()> {
    const TOPIC: &str = "interop-routes";
    ground.on(&Layout::masters(1), |cluster| {
        let operator = Library::connect(&cluster.name_server())?;
        operator.ensure_topic(TOPIC, 2)?;
        let library = ground.library(cluster)?;
        let mut user =
            User { producer: library.producer()?, library: &library, topic: TOPIC, told: Told::default() };
        user.has(2, &["broker-0"])?;
        operator.ensure_topic(TOPIC, 4)?;
        user.has(4, &["broker-0"])?;
        cluster.join()?;
        operator.ensure_topic(TOPIC, 4)?;
        user.has(8, &["broker-0", "broker-1"])?;
        cluster.signal(Part::Broker(1), Signal::Kill)?;
        user.has(4, &["broker-0"])?;
        cluster.restart(Part::Broker(1))?;
        user.has(8, &["broker-0", "broker-1"])?;
        told(ground, cluster, TOPIC, &user.told)
    })
}

fn told(ground: &Ground<'_>, cluster: &ApacheCluster, topic: &str, told: &Told) -> Result<()> {
    ground.reads(cluster, topic, told).map(drop)
}

/// Who uses the topic.
struct User<'a> {
    library: &'a Library,
    producer: Producer,
    topic: &'a str,
    told: Told,
}

impl User<'_> {
    /// Sends until the client has so many queues, then one message for each: on all of these brokers and no other.
    fn has(&mut self, queues: usize, brokers: &[&str]) -> Result<()> {
        until(&format!("the client uses {queues} queues"), || {
            self.send()?;
            Ok(self.library.run(self.producer.queues(self.topic))?.len() == queues)
        })?;
        let mut used = BTreeSet::new();
        for _ in 0..queues {
            used.insert(self.send()?);
        }
        let used: Vec<_> = used.iter().map(String::as_str).collect();
        expect::that("brokers that got a message each", used).are(brokers)
    }

    /// The broker that has stored it.
    fn send(&mut self) -> Result<String> {
        let sample = self.told.next("on its way");
        let result = self.library.run(async { self.producer.send(message(self.topic, &sample)).await });
        self.told.note(&sample, &result);
        Ok(result?.queue().broker_name().to_owned())
    }
}
