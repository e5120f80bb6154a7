//! `maxq doctor`: why a cluster cannot be used, or that it can.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use maxq::doctor::{Check, Examination, Report, State, Verdict, examine};
use serde::Serialize;

use crate::{
    args::Global,
    exit::{Exit, Failure},
    interrupt::Interrupt,
    output::{self, Format, printable},
    value,
};

/// Find out why a cluster or a topic cannot be used
///
/// Looks, in this order, at: the name servers' names (DNS), ports (TCP) and protocol; the brokers that they know; the
/// topic's route and permission; every address that brokers advertise, from here; a test message to each broker of the
/// topic; and the brokers' clocks. What is wrong is said with its fix.
///
/// With a topic, consumers of it get the test messages: one for each broker, with the tag maxq-doctor.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, after_long_help = LONG_HELP)]
pub(crate) struct DoctorArgs {
    /// The topic that cannot be used
    #[arg(value_parser = value::topic)]
    topic: Option<String>,

    /// Send no test messages
    #[arg(long)]
    no_send: bool,

    /// How far a broker's clock may be from the one here before that is a warning
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = value::duration)]
    most_skew: Duration,
}

/// What `-o json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    verdict: &'static str,
    checks: Vec<ShownCheck<'a>>,
}

#[derive(Serialize)]
struct ShownCheck<'a> {
    check: &'static str,
    target: &'a str,
    state: &'static str,
    found: &'a str,
    fix: Option<&'a str>,
    code: Option<String>,
}

pub(crate) async fn run(args: DoctorArgs, global: &Global) -> anyhow::Result<Exit> {
    let mut interrupt = Interrupt::listen()?;
    let config = global.client_config()?;
    let examination = Examination::new().test_send(!args.no_send).most_skew(args.most_skew);
    let examination = match args.topic {
        Some(topic) => examination.topic(topic),
        None => examination,
    };
    let Some(report) = interrupt.unless(examine(config, examination)).await else {
        return Err(Failure::error(Exit::Interrupted, "interrupted before the verdict"));
    };
    match global.output {
        Format::Human => output::text(&described(&report))?,
        Format::Json => output::json(&shown(&report))?,
    }
    Ok(match report.verdict() {
        Verdict::Well => Exit::Done,
        Verdict::Failed => Exit::Failed,
        Verdict::Unreachable => Exit::CannotConnect,
    })
}

fn described(report: &Report) -> String {
    let width = report.checks.iter().map(|check| check.target.chars().count().min(WIDEST)).max().unwrap_or(0);
    let mut text: String = report.checks.iter().map(|check| line(check, width)).collect();
    let (warnings, failures) = (report.with(State::Warning).count(), report.with(State::Failed).count());
    let (style, sentence) = match report.verdict() {
        Verdict::Well if warnings == 0 => (GOOD, "all well".to_owned()),
        Verdict::Well => (GOOD, format!("it works, with {warnings} to look at (marked warning)")),
        Verdict::Failed => (BAD, format!("{failures} failed; what to do stands below each")),
        Verdict::Unreachable => (BAD, "no name server can be reached from here".to_owned()),
    };
    text.push_str(&format!("{style}verdict: {sentence}{style:#}\n"));
    text
}

fn line(check: &Check, width: usize) -> String {
    let style = match check.state {
        State::Ok => GOOD,
        State::Skipped => DIM,
        State::Warning => WARNING,
        State::Failed => BAD,
    };
    let (state, kind) = (check.state.name(), check.kind.name());
    let (target, found) = (printable(&check.target), printable(&check.found));
    let mut text = format!("{style}{state:<7}{style:#}  {kind:<13}  {target:<width$}  {found}\n");
    if let Some(fix) = &check.fix {
        let code = check.code.map(|code| format!(" [{code}]")).unwrap_or_default();
        text.push_str(&format!("         fix: {}{code}\n", printable(fix)));
    }
    text
}

fn shown(report: &Report) -> Shown<'_> {
    fn one(check: &Check) -> ShownCheck<'_> {
        ShownCheck {
            check: check.kind.name(),
            target: &check.target,
            state: check.state.name(),
            found: &check.found,
            fix: check.fix.as_deref(),
            code: check.code.map(|code| code.to_string()),
        }
    }
    Shown { verdict: report.verdict().name(), checks: report.checks.iter().map(one).collect() }
}

/// Longer targets push what follows to the right.
const WIDEST: usize = 44;
const GOOD: Style = AnsiColor::Green.on_default();
const DIM: Style = Style::new().dimmed();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Once for both lengths of help.
macro_rules! examples {
    () => {
        "\
Examples:
  maxq doctor --name-server 127.0.0.1:9876
  maxq doctor orders
  maxq doctor orders --no-send -o json | jq -r '.checks[] | select(.state == \"failed\") | .fix'"
    };
}

const EXAMPLES: &str = examples!();

const LONG_HELP: &str = concat!(
    examples!(),
    "

Output:
  With -o json one object: verdict (well, failed, unreachable) and checks,
  each with check, target, state (ok, skipped, warning, failed), found, fix
  and code. maxq explain CODE says more about a code.

Clocks:
  A broker's clock is compared by the store time of the test message, to
  half the time that the send took; without one by the broker's start and
  uptime, to half a second. Differences below the precision are none.

Exit codes:
  0  all well; there may be warnings
  1  something failed
  2  what was typed is wrong
  3  no name server can be reached
  6  interrupted"
);
