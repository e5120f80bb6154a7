//! `maxq route TOPIC`: where the queues of a topic are.

use std::collections::BTreeMap;

use maxq::admin::{Broker, QueueGroup, TopicRoute};
use serde::Serialize;

use super::{GOODBYE, cluster::role, topic};
use crate::{
    args::Global,
    exit::Exit,
    output::{self, Format, Rows},
    value,
};

/// Show which brokers hold a topic, with how many queues
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RouteArgs {
    /// The topic
    #[arg(value_parser = value::readable_topic)]
    topic: String,
}

/// What `-o json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    topic: &'a str,
    brokers: Vec<ShownBroker<'a>>,
}

#[derive(Serialize)]
struct ShownBroker<'a> {
    name: &'a str,
    cluster: &'a str,
    /// By broker id; 0 is the master.
    addresses: &'a BTreeMap<i64, String>,
    read_queues: i32,
    write_queues: i32,
    perm: i32,
}

pub(crate) async fn run(args: RouteArgs, global: &Global) -> anyhow::Result<Exit> {
    let client = global.connect().await?;
    let route =
        client.admin().route(&args.topic).await.map_err(|error| topic::explain(error, &args.topic))?;
    match global.output {
        Format::Human => print(&route)?,
        Format::Json => output::json(&shown(&route))?,
    }
    client.close(GOODBYE).await;
    Ok(Exit::Done)
}

fn print(route: &TopicRoute) -> anyhow::Result<()> {
    let mut rows =
        Rows::new(&["BROKER", "CLUSTER", "ROLE", "ADDRESS", "READ QUEUES", "WRITE QUEUES", "PERMISSION"]);
    rows.align_right(&[4, 5]);
    for (broker, queues) in pairs(route) {
        for (id, address) in &broker.addresses {
            rows.push([
                broker.name.clone(),
                broker.cluster.clone(),
                role(*id),
                address.clone(),
                queues.read_queues.to_string(),
                queues.write_queues.to_string(),
                topic::perm_words(queues.perm),
            ]);
        }
    }
    rows.print()
}

fn shown(route: &TopicRoute) -> Shown<'_> {
    fn broker<'a>((broker, queues): (&'a Broker, &'a QueueGroup)) -> ShownBroker<'a> {
        ShownBroker {
            name: &broker.name,
            cluster: &broker.cluster,
            addresses: &broker.addresses,
            read_queues: queues.read_queues,
            write_queues: queues.write_queues,
            perm: queues.perm,
        }
    }
    Shown { topic: &route.topic, brokers: pairs(route).map(broker).collect() }
}

/// Brokers with their queues. A route names both by the broker.
fn pairs(route: &TopicRoute) -> impl Iterator<Item = (&Broker, &QueueGroup)> {
    route.brokers.iter().filter_map(|broker| {
        let queues = route.queues.iter().find(|queues| queues.broker == broker.name)?;
        Some((broker, queues))
    })
}

const EXAMPLES: &str = "\
Examples:
  maxq route orders
  maxq route orders -o json | jq '.brokers[].name'";
