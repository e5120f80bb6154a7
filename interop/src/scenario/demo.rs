//! `maxq demo` on a cluster that is not its own.

use anyhow::{Context as _, Result};

use crate::{expect, stage::Stage};

/// Every acknowledged message is stored, and the sums add up.
pub(super) fn demo(stage: &mut Stage<'_>) -> Result<()> {
    let maxq = stage.maxq.as_ref().context("this scenario needs maxq")?;
    let verdict = maxq.demo()?;
    let count =
        |key: &str| verdict[key].as_u64().with_context(|| format!("demo: no number `{key}` in {verdict}"));
    expect::that(&format!("lost messages in {verdict}"), count("lost")?).is(&0)?;
    expect::holds(&format!("some messages are acknowledged in {verdict}"), count("acknowledged")? > 0)?;
    let parts = count("acknowledged")? + count("failed")? + count("unknown")? + count("oneway")?;
    expect::that(&format!("sent = acknowledged + failed + unknown + oneway in {verdict}"), parts)
        .is(&count("sent")?)
}
