//! What was asked: a short memory of requests, for tests to look at.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use maxq_protocol::{RemotingCommand, RequestCode};

use crate::{
    fault::{self, Site},
    serve::Peer,
};

/// One request that came to the cluster.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use maxq_emulator::Cluster;
/// let cluster = Cluster::start(2).await?;
/// // .. use the cluster ..
/// for request in cluster.requests() {
///     println!("{:?} was asked {:?} about {:?}", request.server, request.code.name(), request.topic);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestRecord {
    /// Who was asked.
    pub server: ServerName,
    /// Its index among the brokers, or among the name servers.
    pub server_index: usize,
    /// The connection that it came over; no other one of this server has this number.
    pub connection: u64,
    /// Where it came from.
    pub peer: SocketAddr,
    /// What was asked for.
    pub code: RequestCode,
    /// The number that connects it with its answer.
    pub opaque: i32,
    /// Whether it wanted no answer.
    pub is_oneway: bool,
    /// The topic that it is about.
    pub topic: Option<String>,
    /// The queue that it is about; a negative one is left to the broker.
    pub queue_id: Option<i32>,
    /// When it came, on the cluster's clock.
    pub at: SystemTime,
}

/// A server of the cluster.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use maxq_emulator::Cluster;
/// use maxq_emulator::ServerName;
///
/// let cluster = Cluster::start(2).await?;
/// // .. use the cluster ..
/// let requests = cluster.requests();
/// let at_the_second_broker = requests.iter().filter(|request| request.server == ServerName::Broker(1));
/// # assert_eq!(at_the_second_broker.count(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerName {
    /// A name server.
    NameServer,
    /// The broker with this index.
    Broker(usize),
}

/// The last requests of a cluster, oldest first.
pub(crate) struct RequestLog {
    limit: usize,
    records: Mutex<VecDeque<RequestRecord>>,
}

impl RequestLog {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, records: Mutex::new(VecDeque::new()) }
    }

    /// Notes a request; the oldest one is forgotten when there are too many.
    pub(crate) fn note(&self, site: &Site, peer: &Peer, request: &RemotingCommand, at: SystemTime) {
        if self.limit == 0 {
            return;
        }
        let record = RequestRecord {
            server: site.server,
            server_index: site.index,
            connection: peer.connection,
            peer: peer.address,
            code: request.request_code(),
            opaque: request.opaque,
            is_oneway: request.is_oneway(),
            topic: fault::topic(request).map(str::to_owned),
            queue_id: fault::queue_id(request),
            at,
        };
        let mut records = self.lock();
        if records.len() == self.limit {
            records.pop_front();
        }
        records.push_back(record);
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// All that is remembered.
    pub(crate) fn all(&self) -> Vec<RequestRecord> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<RequestRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
