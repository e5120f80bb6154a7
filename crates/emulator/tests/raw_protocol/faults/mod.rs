//! Every fault, seen by a client that speaks plain frames over the virtual network.

mod answers;
mod connections;
mod frames;
mod list;
mod matching;
mod routes;

use std::time::Duration;

use maxq_emulator::{Cluster, Effect, Fault, FaultHandle, On, VirtualNetwork};
use maxq_protocol::{Flags, RemotingCommand};
use tokio::time::{Instant, timeout};

use crate::{
    support::{RawClient, Send},
    virtual_network::{now, one_virtual_broker},
};

/// A broker with the topic `T`, and a client of it.
struct Scene {
    network: VirtualNetwork,
    cluster: Cluster,
    client: RawClient,
    begin: Instant,
}

impl Scene {
    async fn new() -> Self {
        let (network, cluster) = one_virtual_broker().await;
        let client = RawClient::dial(&network, cluster.broker(0).address()).await;
        settle().await;
        Self { network, cluster, client, begin: now() }
    }

    /// A scene in which every send suffers this.
    async fn of_sends(effect: Effect) -> (Self, FaultHandle) {
        let scene = Self::new().await;
        let fault = scene.cluster.fault(Fault::on(On::Send).then(effect));
        (scene, fault)
    }

    async fn another(&self) -> RawClient {
        let client = RawClient::dial(&self.network, self.cluster.broker(0).address()).await;
        settle().await;
        client
    }

    async fn send(&mut self) -> RemotingCommand {
        self.client.call(send()).await
    }

    async fn post(&mut self) -> i32 {
        self.client.post(send()).await
    }

    /// Whether nothing comes for two minutes.
    async fn is_silent(&mut self) -> bool {
        timeout(Duration::from_secs(119), self.client.next()).await.is_err()
    }

    fn stored(&self) -> u64 {
        self.cluster.stored_count("T")
    }

    fn elapsed(&self) -> u128 {
        self.begin.elapsed().as_millis()
    }
}

/// Lets the servers do what they can do now: a dial returns before the server has seen the connection.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

fn send() -> RemotingCommand {
    Send::to("T").request()
}

fn oneway() -> RemotingCommand {
    RemotingCommand { flags: Flags::ONEWAY, ..send() }
}

const SECOND: Duration = Duration::from_secs(1);
