//! The library's doctor, and what it must say.

use anyhow::{Context as _, Result};
use maxq::{
    ClientConfig, ErrorCode,
    doctor::{Check, CheckKind, Examination, Report, State, Verdict, examine},
};

use crate::expect;

/// What the doctor finds.
pub(crate) fn examined(config: ClientConfig, examination: Examination) -> Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(examine(config, examination)))
}

/// Nothing has failed, and there is nothing to look at.
pub(crate) fn finds_nothing(report: &Report) -> Result<()> {
    expect::that(&format!("verdict of {report:#?}"), report.verdict()).is(&Verdict::Well)?;
    expect::that("warnings", report.with(State::Warning).count()).is(&0)
}

/// One check is in this state, of this kind and with this code; what was found and what is to be done have these words.
pub(crate) fn says(
    report: &Report,
    state: State,
    (kind, code): (CheckKind, ErrorCode),
    (found, fix): (&str, &[&str]),
) -> Result<()> {
    let checks: Vec<&Check> = report.with(state).collect();
    expect::that(&format!("checks that are {} in {report:#?}", state.name()), checks.len()).is(&1)?;
    let check = checks[0];
    expect::that(&format!("kind and code of: {check}"), (check.kind, check.code)).is(&(kind, Some(code)))?;
    expect::contains("what the doctor found", &check.found, &[found])?;
    let advice = check.fix.as_deref().with_context(|| format!("no fix in: {check}"))?;
    expect::contains("what the doctor wants done", advice, fix)
}
