//! Commands of Apache's admin tool in other forms than the usual ones: for a cluster, for one broker, for one queue.

use anyhow::{Context as _, Result};

use super::admin;
use crate::{
    apache::CLUSTER,
    expect,
    judge::SendMode,
    message::{Body, Sample},
    mqadmin,
    stage::Stage,
};

/// `topicList -c`, `clusterList -m` and `brokerStatus -c`; `updateTopic -b` and `updateTopicPerm -b`.
pub(super) fn brokers(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-forms-broker";
    let brokers = stage.brokers.clone();
    let last = brokers.last().context("a stage has brokers")?;
    let address = last.address.to_string();
    let made = run(stage, &["updateTopic", "-b", &address, "-t", TOPIC, "-r", "2", "-w", "3"])?;
    expect::contains("updateTopic -b", &made, &[&format!("create topic to {address} success")])?;
    expect::that("queues of updateTopic -b", queues(stage, TOPIC)?).are(&[(last.name.clone(), 2, 3, 6)])?;
    let changed = run(stage, &["updateTopicPerm", "-b", &address, "-t", TOPIC, "-p", "4"])?;
    expect::contains("updateTopicPerm -b", &changed, &["from 6 to 4", &address, "success"])?;
    expect::that("queues of updateTopicPerm -b", queues(stage, TOPIC)?).are(&[(
        last.name.clone(),
        2,
        3,
        4,
    )])?;

    let topics = run(stage, &["topicList", "-c"])?;
    let mut rows = topics.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    expect::holds(
        &format!("topicList -c shows {TOPIC} with its cluster: {topics}"),
        rows.any(|row| row.starts_with(&[CLUSTER, TOPIC])),
    )?;
    let totals = run(stage, &["clusterList", "-m"])?;
    let rows = totals.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let counted: Vec<_> = rows.filter(|row| row.first() == Some(&CLUSTER)).collect();
    expect::that(&format!("brokers of clusterList -m in {totals}"), counted.len()).is(&brokers.len())?;
    for (row, broker) in counted.iter().zip(&brokers) {
        expect::that("cluster and broker of clusterList -m", row[..2].to_vec())
            .are(&[CLUSTER, &broker.name])?;
        let numbers = row[2..].iter().filter(|number| number.parse::<u64>().is_ok()).count();
        expect::that(&format!("numbers of clusterList -m in {row:?}"), numbers).is(&4)?;
    }
    let states = run(stage, &["brokerStatus", "-c", CLUSTER])?;
    for broker in &brokers {
        let address = broker.address.to_string();
        let of_broker = states.lines().filter(|line| line.starts_with(&address));
        let state: String = of_broker.map(|line| format!("{line}\n")).collect();
        let keys = ["brokerVersionDesc", "bootTimestamp", "msgPutTotalTodayNow"];
        expect::contains(&format!("brokerStatus -c of {address}"), &state, &keys)?;
    }
    Ok(())
}

/// `sendMessage -b -i`, `printMsg -s`, `printMsgByQueue` and `checkMsgSendRT`; `updateOrderConf` puts, gets and deletes a
/// key of the name server.
pub(super) fn queue(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-forms-queue";
    admin::create_topic(stage, TOPIC, 2)?;
    let name_server = stage.name_server.clone();
    let broker = stage.brokers.last().context("a stage has brokers")?.name.clone();
    let send = ["sendMessage", "-t", TOPIC, "-p", "by the tool", "-c", "a", "-b", &broker, "-i", "1"];
    let (at, queue, status, _) = mqadmin::send_message(&run(stage, &send)?)?;
    expect::that("place and status of sendMessage -b -i", (at.as_str(), queue, status.as_str()))
        .is(&(&broker, 1, "SEND_OK"))?;
    let other = Sample::new("by the client").tag("b");
    stage.judge()?.send(
        &name_server,
        TOPIC,
        std::slice::from_ref(&other),
        SendMode::Sync,
        Some((&broker, 1)),
    )?;
    let stored = stage.judge()?.read(&name_server, TOPIC, 2)?;
    expect::that("messages that are stored", stored.len()).is(&2)?;
    let tagged = run(stage, &["printMsg", "-t", TOPIC, "-s", "b", "-d", "true"])?;
    expect::that("bodies of printMsg -s", bodies(&tagged)?).are(std::slice::from_ref(&other.body))?;
    let of_queue = ["printMsgByQueue", "-t", TOPIC, "-a", &broker, "-i", "1", "-p", "true", "-f", "true"];
    let printed = run(stage, &of_queue)?;
    expect::that("bodies of printMsgByQueue", bodies(&printed)?).are(&["by the tool".into(), other.body])?;
    expect::contains("tags of printMsgByQueue", &printed, &["Tag: a", "Tag: b", "Count: 1"])?;

    let timed = run(stage, &["checkMsgSendRT", "-t", TOPIC, "-a", "3", "-s", "64"])?;
    let rows = timed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let good = rows.filter(|row| matches!(row.as_slice(), [_, _, "true", _])).count();
    expect::that(&format!("good sends of checkMsgSendRT in {timed}"), good).is(&3)?;

    let order = format!("{broker}:2");
    for (method, expected) in [("put", &order), ("get", &order), ("delete", &TOPIC.to_owned())] {
        let mut command = vec!["updateOrderConf", "-t", TOPIC, "-m", method];
        if method == "put" {
            command.extend(["-v", &order]);
        }
        let said = run(stage, &command)?;
        expect::contains(&format!("updateOrderConf {method}"), &said, &["success", expected])?;
    }
    Ok(())
}

/// Broker, read and write queues and permission, as `topicRoute` shows them.
fn queues(stage: &mut Stage<'_>, topic: &str) -> Result<Vec<(String, i32, i32, i32)>> {
    let route = admin::route(stage, topic)?;
    let of = route.queue_datas.into_iter();
    Ok(of.map(|on| (on.broker_name, on.read_queue_nums, on.write_queue_nums, on.perm)).collect())
}

/// The bodies that `printMsg` and `printMsgByQueue` show.
fn bodies(printed: &str) -> Result<Vec<Body>> {
    Ok(mqadmin::print_msg(printed)?.into_iter().map(|message| message.body).collect())
}

fn run(stage: &mut Stage<'_>, arguments: &[&str]) -> Result<String> {
    let name_server = stage.name_server.clone();
    stage.judge()?.mqadmin(&name_server, arguments)
}
