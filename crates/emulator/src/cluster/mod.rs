//! A running cluster: its addresses, what can be done to it, and what can be asked of it.

mod broker;
mod faults;
mod name_server;

use std::net::SocketAddr;

use maxq_protocol::NameError;
use tokio::runtime::Handle;

pub use self::{broker::BrokerHandle, name_server::NameServerHandle};
pub(crate) use self::{broker::BrokerSlot, name_server::NameServerSlot};
use crate::{
    RegisteredClient, RequestRecord, Stored,
    builder::{ClusterBuilder, StartError},
    surroundings::Surroundings,
    version::EmulatedVersion,
    view,
};

/// A RocketMQ cluster in this process: name servers and brokers, on real sockets or on a
/// [`VirtualNetwork`](crate::VirtualNetwork).
///
/// Dropping it closes all sockets and ends all tasks as soon as the runtime gets to them; [`stop`](Self::stop) also
/// waits for that.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use maxq_emulator::{Cluster, Effect, Fault, On};
///
/// let cluster = Cluster::start(3).await?;
/// println!("name server: {}", cluster.name_servers());
/// cluster.create_topic("orders", 4)?;
/// cluster.kill_broker(1).await;
/// cluster.freeze_broker(2);
/// cluster.fault(Fault::on(On::Send).once().then(Effect::DropAnswer));
/// assert_eq!(cluster.stored_count("orders"), 0);
/// cluster.stop().await;
/// # Ok(())
/// # }
/// ```
pub struct Cluster {
    pub(crate) name_servers: Vec<NameServerSlot>,
    pub(crate) brokers: Vec<BrokerSlot>,
    pub(crate) surroundings: Surroundings,
    pub(crate) runtime: Handle,
    pub(crate) version: EmulatedVersion,
}

impl Cluster {
    /// Describes a cluster.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::new()
    }

    /// Starts a cluster with this many brokers and the defaults of [`ClusterBuilder`].
    ///
    /// # Errors
    /// As [`ClusterBuilder::start`].
    pub async fn start(brokers: usize) -> Result<Self, StartError> {
        Self::builder().brokers(brokers).start().await
    }

    /// Ends all tasks and waits until all sockets are closed.
    ///
    /// Cancel safety: dropped early, the tasks end all the same.
    pub async fn stop(self) {
        self.cancel();
        for slot in &self.name_servers {
            slot.end().await;
        }
        for slot in &self.brokers {
            slot.end().await;
        }
    }

    /// The address of the first name server.
    pub fn name_server(&self) -> SocketAddr {
        // The builder refuses a cluster without any.
        self.name_servers[0].address
    }

    /// The addresses of all name servers as clients want them: `host:port`, with `;` between them. Stopped ones are
    /// among them.
    pub fn name_servers(&self) -> String {
        let addresses: Vec<_> = self.name_servers.iter().map(|slot| slot.address.to_string()).collect();
        addresses.join(";")
    }

    /// Number of name servers, stopped ones included.
    pub fn name_server_count(&self) -> usize {
        self.name_servers.len()
    }

    /// The name server with this index.
    ///
    /// # Panics
    /// There is none.
    pub fn name_server_at(&self, index: usize) -> NameServerHandle<'_> {
        NameServerHandle { slot: &self.name_servers[index] }
    }

    /// Stops a name server: its listener and its connections are closed, and it forgets all routes. Does nothing when it
    /// is stopped.
    ///
    /// Cancel safety: dropped early, it stops all the same.
    ///
    /// # Panics
    /// There is no name server with this index.
    pub async fn stop_name_server(&self, index: usize) {
        self.name_servers[index].stop().await;
    }

    /// Starts a stopped name server again, on the same port. All brokers that run register at once. Does nothing when it
    /// runs.
    ///
    /// Cancel safety: dropped early, it stays stopped.
    ///
    /// # Errors
    /// Its port is taken by somebody else now.
    ///
    /// # Panics
    /// There is no name server with this index.
    pub async fn start_name_server(&self, index: usize) -> Result<(), StartError> {
        self.name_servers[index].start_again(&self.runtime).await?;
        for slot in &self.brokers {
            slot.announce();
        }
        Ok(())
    }

    /// The version that is emulated.
    pub fn version(&self) -> EmulatedVersion {
        self.version
    }

    /// Number of brokers, killed ones included.
    pub fn broker_count(&self) -> usize {
        self.brokers.len()
    }

    /// The broker with this index.
    ///
    /// # Panics
    /// There is none.
    pub fn broker(&self, index: usize) -> BrokerHandle<'_> {
        BrokerHandle { slot: &self.brokers[index] }
    }

    /// Kills a broker like SIGKILL: its listener and its connections are closed at once, no request is answered any
    /// more, and the name server forgets it. What it has stored can still be asked for with
    /// [`stored`](Self::stored). Does nothing when it is dead.
    ///
    /// Cancel safety: dropped early, the broker dies all the same.
    ///
    /// # Panics
    /// There is no broker with this index.
    pub async fn kill_broker(&self, index: usize) {
        self.brokers[index].kill().await;
    }

    /// Starts a killed broker again, on the same port and with everything that it had stored. Does nothing when it
    /// runs.
    ///
    /// Cancel safety: dropped early, the broker stays dead.
    ///
    /// # Errors
    /// Its port is taken by somebody else now.
    ///
    /// # Panics
    /// There is no broker with this index.
    pub async fn restart_broker(&self, index: usize) -> Result<(), StartError> {
        self.brokers[index].restart(&self.runtime).await
    }

    /// Kills a broker if it runs, and starts it on another port, with everything that it had stored. The name servers
    /// learn the new address at once; clients have the old one until they ask again.
    ///
    /// Cancel safety: dropped early, the broker may stay dead.
    ///
    /// # Errors
    /// There is no free port.
    ///
    /// # Panics
    /// There is no broker with this index.
    pub async fn restart_broker_elsewhere(&self, index: usize) -> Result<(), StartError> {
        self.brokers[index].restart_elsewhere(&self.runtime).await
    }

    /// Freezes a broker as SIGSTOP does: its connections stay, new ones and what they write are taken by the system as
    /// far as it has room, and nothing is read, answered, stored or announced. After two minutes the name servers drop
    /// it. Does nothing when it is dead.
    ///
    /// # Panics
    /// There is no broker with this index.
    pub fn freeze_broker(&self, index: usize) {
        self.brokers[index].freeze();
    }

    /// Lets a frozen broker go on, as SIGCONT does: it carries out everything that has come meanwhile, and its timers
    /// that are due go off. Killing and restarting a frozen broker ends its frost, too.
    ///
    /// # Panics
    /// There is no broker with this index.
    pub fn thaw_broker(&self, index: usize) {
        self.brokers[index].thaw();
    }

    /// Makes a topic with this many queues on every broker, or changes it.
    ///
    /// # Errors
    /// RocketMQ does not accept the name.
    pub fn create_topic(&self, name: &str, queues_per_broker: u32) -> Result<(), NameError> {
        (0..self.broker_count())
            .try_for_each(|index| self.broker(index).create_topic(name, queues_per_broker))
    }

    /// All stored messages of a topic, ordered by broker, queue and offset; those of killed brokers too.
    ///
    /// Copies every body: for a million messages use [`visit_stored`](Self::visit_stored).
    pub fn stored(&self, topic: &str) -> Vec<Stored> {
        let mut all = Vec::new();
        self.visit_stored(topic, |stored| all.push(stored));
        all
    }

    /// Shows all stored messages of a topic one by one, in the order of [`stored`](Self::stored).
    pub fn visit_stored(&self, topic: &str, mut visit: impl FnMut(Stored)) {
        for slot in &self.brokers {
            view::visit(&slot.broker(), topic, &mut visit);
        }
    }

    /// Number of stored messages of a topic.
    pub fn stored_count(&self, topic: &str) -> u64 {
        self.brokers.iter().map(|slot| slot.broker().state().store.count(topic)).sum()
    }

    /// The clients that brokers know by their heartbeats, one entry for each client and broker.
    pub fn clients(&self) -> Vec<RegisteredClient> {
        self.brokers.iter().flat_map(|slot| view::clients(&slot.broker())).collect()
    }

    /// The last requests of all servers, oldest first; see [`ClusterBuilder::remembered_requests`].
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.surroundings.requests.all()
    }

    /// Forgets the requests that [`requests`](Self::requests) tells.
    pub fn clear_requests(&self) {
        self.surroundings.requests.clear();
    }

    fn cancel(&self) {
        self.name_servers.iter().for_each(NameServerSlot::cancel);
        self.brokers.iter().for_each(BrokerSlot::cancel);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("name_servers", &self.name_servers())
            .field("brokers", &self.brokers.len())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
