//! Apache's Java consumers: what was sent arrives, and how far they have read is kept.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Result, bail};

use super::admin;
use crate::{
    clock, expect,
    judge::{Consumer, SendMode},
    message::{Body, Sample},
    stage::Stage,
};

/// `DefaultMQPushConsumer`, subscribed to two of three tags; then `consumerProgress` counts at most the messages of the
/// third as left: a consumer moves over those only when a pull that waited for more has ended.
pub(super) fn push(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-push";
    const GROUP: &str = "interop-push-group";
    let sent = prepare(stage, TOPIC)?;
    let (other, wanted): (Vec<_>, Vec<_>) =
        sent.into_iter().partition(|sample| sample.tag.as_deref() == Some("c"));
    consumed(stage, Consumer::Push, (TOPIC, GROUP, "a || b"), &wanted)?;
    // What the consumer counts as read, the broker has heard when it leaves.
    let name_server = stage.name_server.clone();
    let judge = stage.judge()?;
    let mut latest = String::new();
    let done = clock::wait_for(Duration::from_secs(30), || {
        latest = judge.mqadmin(&name_server, &["consumerProgress", "-g", GROUP])?;
        Ok(left(&latest).is_some_and(|left| left <= other.len()).then_some(()))
    })?;
    if done.is_none() {
        bail!("consumerProgress\n  expected: a Diff Total of at most {}\n      came: {latest}", other.len());
    }
    // Of all groups, which it finds by their retry topics.
    let groups = stage.judge()?.mqadmin(&name_server, &["consumerProgress"])?;
    let line = groups.lines().find(|line| line.split_whitespace().next() == Some(GROUP));
    expect::holds(&format!("consumerProgress shows {GROUP} among all: {groups}"), line.is_some())
}

/// `DefaultLitePullConsumer` that subscribes, and one that is given its queues.
pub(super) fn lite_pull(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-lite-pull";
    let sent = prepare(stage, TOPIC)?;
    consumed(stage, Consumer::LiteSubscribed, (TOPIC, "interop-lite-group", "*"), &sent)?;
    consumed(stage, Consumer::LiteAssigned, (TOPIC, "interop-assigned-group", "*"), &sent)
}

/// A topic and twelve messages in it, with three tags in turn.
fn prepare(stage: &mut Stage<'_>, topic: &str) -> Result<Vec<Sample>> {
    admin::create_topic(stage, topic, 2)?;
    let tags = ["a", "b", "c"];
    let samples: Vec<_> =
        (0..12).map(|number| Sample::new(format!("message {number}")).tag(tags[number % 3])).collect();
    let name_server = stage.name_server.clone();
    stage.judge()?.send(&name_server, topic, &samples, SendMode::Sync, None)?;
    Ok(samples)
}

/// Each message at least once, and no other.
fn consumed(
    stage: &mut Stage<'_>,
    kind: Consumer,
    (topic, group, tags): (&str, &str, &str),
    wanted: &[Sample],
) -> Result<()> {
    let name_server = stage.name_server.clone();
    let bodies = stage.judge()?.consume(&name_server, kind, (topic, group, tags), wanted.len())?;
    let came: BTreeSet<Body> = bodies.into_iter().collect();
    let wanted: BTreeSet<Body> = wanted.iter().map(|sample| sample.body.clone()).collect();
    expect::that(&format!("bodies that the {kind:?} consumer got"), came).is(&wanted)
}

/// How many messages `consumerProgress` counts as left, in the line `Diff Total: 7`; newer tools write
/// `Consume Diff Total: 7`.
pub(super) fn left(printed: &str) -> Option<usize> {
    let of = |line: &str| line.split_once("Diff Total:")?.1.trim().parse().ok();
    printed.lines().find_map(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_read_from_old_and_new_tools() {
        assert_eq!(left("#Topic  #Diff\n\nConsume TPS: 0.0\nDiff Total: 7\n"), Some(7));
        assert_eq!(left("Consume TPS: 0.00\nConsume Diff Total: 0\n"), Some(0));
        assert_eq!(left("#Topic  #Diff\n"), None);
    }
}
