//! A first cluster, set up as newcomers do: what the doctor wants written mends each mistake.

use std::time::Duration;

use anyhow::{Context as _, Result};
use maxq::{
    ClientConfig, ErrorCode, Outcome,
    doctor::{CheckKind, Examination, State},
};

use super::{
    address::NOBODY_LISTENS,
    ground::{Ground, until},
};
use crate::{
    apache::{Layout, Oddity},
    doctor::{examined, finds_nothing, says},
    expect,
    library::{Library, message, patient},
    message::Sample,
};

/// The broker advertises an address that leads nowhere from here, and makes no topics.
pub(super) fn set_up_wrong(ground: &Ground<'_>) -> Result<()> {
    const TOPIC: &str = "interop-first";
    let layout = Layout::masters(1).odd(0, Oddity::Advertises(NOBODY_LISTENS)).odd(0, Oddity::MakesNoTopics);
    ground.on(&layout, |cluster| {
        let name_server = cluster.name_server();
        let here = cluster.brokers()[0].address.to_string();
        let advertised = format!("{NOBODY_LISTENS}:{}", cluster.brokers()[0].address.port());
        let plain = || patient(ClientConfig::new(&name_server));
        let line = format!("ClientConfig::new(\"{name_server}\").map_address(\"{advertised}\", \"{here}\")");
        let found = examined(plain(), Examination::new())?;
        let elsewhere = (CheckKind::Broker, ErrorCode::CONNECT);
        says(&found, State::Failed, elsewhere, ("", &[&line, "brokerIP1=127.0.0.1"]))?;

        // As the line says.
        let mapped = || plain().map_address(&advertised, &here);
        let examination = || Examination::new().topic(TOPIC);
        let missing = (CheckKind::Route, ErrorCode::TOPIC_NOT_FOUND);
        let found = examined(mapped(), examination())?;
        let create = format!("maxq topic create {TOPIC}");
        says(&found, State::Failed, missing, ("does not exist, and no broker creates topics", &[&create]))?;
        let library = Library::with(mapped())?;
        let producer = library.producer()?;
        let sample = Sample::new("to a topic that nobody makes");
        let sending = producer.send(message(TOPIC, &sample)).timeout(Duration::from_secs(3));
        let error = library.run(async { sending.await }).err().context("it was stored")?;
        let said = (error.code(), error.outcome());
        expect::that(&format!("code and outcome of {error}"), said)
            .is(&(ErrorCode::TOPIC_NOT_FOUND, Outcome::NotSent))?;
        let words = ["there is no TBW102", "create the topic", "autoCreateTopicEnable"];
        expect::contains("the error of a send", &error.to_string(), &words)?;

        library.ensure_topic(TOPIC, 2)?;
        library.run(async { producer.send(message(TOPIC, &sample)).await })?;
        finds_nothing(&examined(mapped(), examination())?)?;
        // Counted by the library: no client of Apache's finds this broker.
        until("the message and the doctor's are stored", || {
            Ok(library.run(library.admin().describe_topic(TOPIC))?.messages() == 2)
        })
    })
}
