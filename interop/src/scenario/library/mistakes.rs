//! What newcomers get wrong: the error of a send, and the doctor, say what it is and what to do.

use std::time::Duration;

use anyhow::{Context as _, Result};
use maxq::{
    ClientConfig, ErrorCode, Outcome, SendError, SendErrorKind,
    doctor::{CheckKind, Examination, State, Verdict},
};

use crate::{
    doctor::{examined, finds_nothing, says},
    expect,
    library::{self, Library, message},
    message::Sample,
    ports,
    scenario::readers::{Lookup, all_see},
    stage::Stage,
};

/// Another port than that of a name server: one of a broker, and one of nobody.
pub(in crate::scenario) fn wrong_ports(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-wrong-port";
    let broker = stage.brokers.first().context("a stage has brokers")?.address.to_string();
    let report = examined(ClientConfig::new(&broker), Examination::new().topic(TOPIC))?;
    expect::that("verdict on a broker's port", report.verdict()).is(&Verdict::Failed)?;
    let wrong = (CheckKind::Protocol, ErrorCode::PROTOCOL);
    says(&report, State::Failed, wrong, ("REQUEST_CODE_NOT_SUPPORTED", &["9876", "10911"]))?;
    let library = Library::lazy(&broker)?;
    let error = failed(&library, TOPIC, true)?;
    expect::that(&format!("outcome of {error}"), error.outcome()).is(&Outcome::NotSent)?;
    expect::contains("the error of a send", &error.to_string(), &[&broker, "this is a broker", "9876"])?;

    let nobody = format!("127.0.0.1:{}", ports::name_server()?);
    let report = examined(ClientConfig::new(&nobody), Examination::new().topic(TOPIC))?;
    expect::that("verdict on a port of nobody", report.verdict()).is(&Verdict::Unreachable)?;
    let closed = (CheckKind::Tcp, ErrorCode::NAME_SERVER_UNREACHABLE);
    says(&report, State::Failed, closed, ("connection refused", &["9876"]))?;
    let error = Library::connect(&nobody).err().context("a port of nobody has answered")?;
    let words = ["no name server answered", &nobody, "connection refused", "host and port", "[MQ2001]"];
    expect::contains("the error of connecting", &error.to_string(), &words)
}

/// A topic that is not there, sent to by a producer that makes none. The doctor's advice mends it.
pub(in crate::scenario) fn missing_topic(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-missing";
    let plain = || ClientConfig::new(&stage.name_server);
    let library = Library::with(plain())?;
    let error = failed(&library, TOPIC, false)?;
    let said = (error.kind(), error.outcome(), error.code());
    expect::that(&format!("kind, outcome and code of {error}"), said).is(&(
        SendErrorKind::NoRoute,
        Outcome::NotSent,
        ErrorCode::TOPIC_NOT_FOUND,
    ))?;
    expect::contains("the error of a send", &error.to_string(), &["auto_create is off", "create the topic"])?;
    // The brokers would make it, so it is a warning; and without a test message it stays so.
    let report = examined(plain(), Examination::new().topic(TOPIC).test_send(false))?;
    expect::that("verdict on a missing topic", report.verdict()).is(&Verdict::Well)?;
    let missing = (CheckKind::Route, ErrorCode::TOPIC_NOT_FOUND);
    let advice = format!("maxq topic create {TOPIC}");
    says(&report, State::Warning, missing, ("at its first message", &[&advice]))?;

    library.ensure_topic(TOPIC, 2)?;
    let producer = library.producer_with(library::producing().auto_create(false))?;
    let sample = Sample::new("to a topic that is there now");
    library.run(async { producer.send(message(TOPIC, &sample)).await })?;
    finds_nothing(&examined(plain(), Examination::new().topic(TOPIC).test_send(false))?)?;
    all_see(stage, TOPIC, &[sample], Lookup::First).map(drop)
}

/// The error of a send that cannot work.
fn failed(library: &Library, topic: &str, creates: bool) -> Result<SendError> {
    let producer = library.producer_with(library::producing().auto_create(creates))?;
    let sending = producer.send(message(topic, &Sample::new("to nowhere"))).timeout(Duration::from_secs(3));
    library.run(async { sending.await }).err().context("a message to nowhere was stored")
}
