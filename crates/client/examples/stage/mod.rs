//! Where the examples play: on the cluster that `MAXQ_URL` names, else on one that is emulated in this process.

use maxq_emulator::{Cluster, StartError};

/// A connection string, and the cluster behind it if that is emulated: dropping it ends it.
pub(crate) async fn open(group: &str) -> Result<(String, Option<Cluster>), StartError> {
    if let Ok(url) = std::env::var("MAXQ_URL") {
        return Ok((url, None));
    }
    let cluster = Cluster::start(2).await?;
    let url = format!("rocketmq://{}/?group={group}", cluster.name_servers());
    Ok((url, Some(cluster)))
}
