//! `maxq cluster`: the clusters and brokers that a name server knows.

use std::collections::BTreeMap;

use maxq::admin::{Broker, Cluster};
use serde::Serialize;

use super::GOODBYE;
use crate::{
    args::Global,
    exit::Exit,
    notes::Notes,
    output::{self, Format, Rows},
};

/// Show the clusters and their brokers
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ClusterArgs {}

/// What `-o json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    clusters: Vec<ShownCluster<'a>>,
}

#[derive(Serialize)]
struct ShownCluster<'a> {
    name: &'a str,
    brokers: Vec<ShownBroker<'a>>,
}

#[derive(Serialize)]
struct ShownBroker<'a> {
    name: &'a str,
    /// By broker id; 0 is the master.
    addresses: &'a BTreeMap<i64, String>,
}

pub(crate) async fn run(_: ClusterArgs, global: &Global) -> anyhow::Result<Exit> {
    let client = global.connect().await?;
    let clusters = client.admin().clusters().await?;
    match global.output {
        Format::Human => print(&clusters)?,
        Format::Json => output::json(&shown(&clusters))?,
    }
    if clusters.iter().all(|cluster| cluster.brokers.is_empty()) {
        Notes::new().warning("the name server knows no broker: start one, or look at its namesrvAddr");
    }
    client.close(GOODBYE).await;
    Ok(Exit::Done)
}

fn print(clusters: &[Cluster]) -> anyhow::Result<()> {
    let mut rows = Rows::new(&["CLUSTER", "BROKER", "ROLE", "ADDRESS"]);
    for cluster in clusters {
        for broker in &cluster.brokers {
            for (id, address) in &broker.addresses {
                rows.push([cluster.name.clone(), broker.name.clone(), role(*id), address.clone()]);
            }
        }
    }
    rows.print()
}

fn shown(clusters: &[Cluster]) -> Shown<'_> {
    fn broker(broker: &Broker) -> ShownBroker<'_> {
        ShownBroker { name: &broker.name, addresses: &broker.addresses }
    }
    fn cluster(cluster: &Cluster) -> ShownCluster<'_> {
        ShownCluster { name: &cluster.name, brokers: cluster.brokers.iter().map(broker).collect() }
    }
    Shown { clusters: clusters.iter().map(cluster).collect() }
}

/// The role of a broker id.
pub(super) fn role(id: i64) -> String {
    if id == 0 { "master".to_owned() } else { format!("replica {id}") }
}

const EXAMPLES: &str = "\
Examples:
  maxq cluster --name-server 127.0.0.1:9876
  maxq cluster -o json | jq -r '.clusters[].brokers[].addresses.\"0\"'";
