//! Where it is measured: on an emulated cluster in this process, or on a real one.

use std::time::Duration;

use maxq::{
    Client, ClientConfig, ErrorCode,
    admin::{TopicRoute, TopicSettings},
};
use maxq_emulator::{Cluster, Effect, Fault, On};

use super::super::GOODBYE;
use crate::output::counted;

/// A cluster with the topic.
pub(super) struct Stage {
    config: ClientConfig,
    client: Client,
    route: TopicRoute,
    emulated: Option<Cluster>,
}

impl Stage {
    /// Starts a cluster whose brokers answer every send and store none, so that it needs no memory.
    pub(super) async fn emulated(
        brokers: usize,
        topic: &str,
        queues: i32,
        timeout: Option<Duration>,
    ) -> anyhow::Result<Self> {
        let cluster = Cluster::builder().brokers(brokers).topic(topic, queues.unsigned_abs());
        let cluster = cluster.remembered_requests(0).start().await?;
        cluster.fault(Fault::on(On::Send).then(Effect::LiedSuccess));
        let mut config = ClientConfig::new(cluster.name_servers());
        if let Some(timeout) = timeout {
            config = config.request_timeout(timeout).connect_timeout(timeout);
        }
        let client = Client::connect(config.clone()).await?;
        let route = client.admin().route(topic).await?;
        Ok(Self { config, client, route, emulated: Some(cluster) })
    }

    /// Takes the topic of a real cluster as it is, or makes it on every broker.
    pub(super) async fn real(
        config: ClientConfig,
        client: Client,
        topic: &str,
        queues: i32,
    ) -> anyhow::Result<Self> {
        let admin = client.admin();
        let route = match admin.route(topic).await {
            Err(error) if error.code() == ErrorCode::TOPIC_NOT_FOUND => {
                admin.ensure_topic(topic, TopicSettings::default().queues(queues), VISIBLE_WITHIN).await?
            }
            asked => asked?,
        };
        Ok(Self { config, client, route, emulated: None })
    }

    /// For a client of one's own.
    pub(super) const fn config(&self) -> &ClientConfig {
        &self.config
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// One sentence for people.
    pub(super) fn describe(&self) -> String {
        let brokers = counted(self.route.brokers.len() as u64, "broker");
        let queues = counted(self.route.writable_queues().len() as u64, "queue");
        match &self.emulated {
            Some(cluster) => format!(
                "emulated cluster: name server {}, {brokers} that answer and store nothing, {queues}",
                cluster.name_server()
            ),
            None => format!("topic {} of the cluster: {brokers}, {queues}", self.route.topic),
        }
    }

    /// Ends the cluster, or leaves it.
    pub(super) async fn take_down(self) {
        self.client.close(GOODBYE).await;
        if let Some(cluster) = self.emulated {
            cluster.stop().await;
        }
    }
}

const VISIBLE_WITHIN: Duration = Duration::from_secs(5);
