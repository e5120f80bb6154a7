//! Where the two servers of a pair listen.

use anyhow::{Context as _, Result};

use super::play::Addresses;
use crate::{apache::ApacheCluster, emulated::Emulated};

/// Apache's.
pub(super) fn apache(cluster: &ApacheCluster) -> Result<Addresses> {
    let broker = cluster.brokers().first().context("a cluster has a broker")?.address;
    Ok(Addresses { name_server: cluster.name_server().parse()?, broker })
}

/// The emulator's.
pub(super) fn emulator(emulated: &Emulated) -> Addresses {
    let cluster = emulated.cluster();
    Addresses { name_server: cluster.name_server(), broker: cluster.broker(0).address() }
}
