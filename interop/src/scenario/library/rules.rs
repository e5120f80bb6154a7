//! When a send tries again: the library's own rules, and Apache's.

use std::time::Duration;

use anyhow::Result;
use maxq::{Outcome, Parity, RetryPolicy, SendErrorKind};

use super::stored_where;
use crate::{
    expect,
    library::{self, Library, message},
    message::Sample,
    scenario::readers::{Lookup, all_see},
    stage::Stage,
};

/// Each set of rules stores a message once where all is well, and gives up at once where the caller is wrong.
pub(in crate::scenario) fn rules(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-rules";
    let library = Library::connect(&stage.name_server)?;
    library.ensure_topic(TOPIC, 4)?;
    let producer = library.producer()?;
    let policies = [
        RetryPolicy::default(),
        RetryPolicy::none(),
        RetryPolicy::never_after_unknown(),
        RetryPolicy::java_sync(Parity::V4_9),
        RetryPolicy::java_sync(Parity::V5),
        RetryPolicy::java_async(Parity::V4_9),
        RetryPolicy::java_async(Parity::V5),
        RetryPolicy::java_sync(Parity::V5).latency_fault(true),
        RetryPolicy::default()
            .attempts(5)
            .attempt_timeout(Duration::from_secs(20))
            .retry_when_not_stored_ok(true),
    ];
    let (mut sent, mut receipts) = (Vec::new(), Vec::new());
    for policy in policies {
        let sample = Sample::new(format!("{policy:?}"));
        let sending = producer.send(message(TOPIC, &sample)).retry(policy);
        receipts.push(library.run(async { sending.await })?);
        sent.push(sample);
        refused_once(&library, policy, stage)?;
    }
    let seen = all_see(stage, TOPIC, &sent, Lookup::First)?;
    receipts.iter().try_for_each(|receipt| stored_where(receipt, &seen))
}

/// A queue that the broker does not have: refused with the broker's own words, and not stored.
fn refused_once(library: &Library, policy: RetryPolicy, stage: &Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-rules";
    let producer = library.producer_with(library::producing())?;
    let queue = maxq::MessageQueue::new(TOPIC, stage.brokers[0].name.as_str(), 99);
    let sending = producer.send(message(TOPIC, &Sample::new("to nowhere"))).to(queue).retry(policy);
    let Err(error) = library.run(async { sending.await }) else {
        anyhow::bail!("queue 99 of 4 was not refused ({policy:?})");
    };
    let what = format!("kind and outcome of {error} ({policy:?})");
    expect::that(&what, (error.kind(), error.outcome())).is(&(SendErrorKind::Refused, Outcome::Refused))?;
    let last = error.attempts().last();
    // 5.x names the argument, 4.9 calls it a failure of its own.
    let code = last.and_then(maxq::Attempt::code);
    expect::holds(&format!("code 29 or 1 in {error}"), matches!(code, Some(29 | 1)))?;
    expect::contains("the broker's words", last.and_then(maxq::Attempt::remark).unwrap_or_default(), &["99"])
}
