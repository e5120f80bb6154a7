//! Clusters that want more of a client than this one can do so far: its errors say so.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use maxq::{ErrorCode, Outcome, RequestErrorKind, SendErrorKind, admin::TopicSettings};

use super::ground::Ground;
use crate::{
    apache::{ApacheCluster, CLUSTER, Jvm, Layout, USER},
    expect,
    judge::Judge,
    library::{Library, message},
    message::Sample,
};

/// Access control: an access error with the broker's code and words, and no second attempt. With a name and a secret,
/// Apache's own tool may.
pub(super) fn refused(ground: &Ground<'_>) -> Result<()> {
    ground.on(&Layout::masters(1).access_control(), |cluster| {
        let folder = ground.judge_folder()?;
        let (user, secret) = USER;
        fs::create_dir_all(folder.join("conf"))?;
        fs::write(folder.join("conf/tools.yml"), format!("accessKey: {user}\nsecretKey: {secret}\n"))?;
        control(ground, cluster, Jvm::StartsFast)?;

        let library = Library::connect(&cluster.name_server())?;
        let producer = library.producer()?;
        let sending = producer.send(message(TOPIC, &Sample::new("without credentials")));
        let error =
            library.run(async { sending.await }).err().context("a message without credentials was stored")?;
        let said = (error.kind(), error.outcome(), error.code());
        expect::that(&format!("kind, outcome and code of {error}"), said).is(&(
            SendErrorKind::Access,
            Outcome::Refused,
            ErrorCode::ACCESS,
        ))?;
        expect::that(&format!("attempts of {error}"), error.attempts().len()).is(&1)?;
        let last = error.attempts().last().context("no attempt")?;
        let (code, words) =
            if ground.apache.has_access_control_1() { (1, "AclException") } else { (16, "username") };
        expect::that("the broker's code", last.code()).is(&Some(code))?;
        expect::contains("the broker's words", last.remark().unwrap_or_default(), &[words])?;

        let settings = TopicSettings::default();
        let error = library.run(library.admin().create_topic("interop-forbidden", settings)).err();
        let error = error.context("a topic was made without credentials")?;
        let said = (error.kind(), error.code(), error.response_code());
        expect::that(&format!("kind and codes of {error}"), said).is(&(
            RequestErrorKind::Access,
            ErrorCode::ACCESS,
            Some(code),
        ))
    })
}

/// Brokers that speak TLS alone: the connection is lost, and the error says that this may be the reason.
pub(super) fn tls_only(ground: &Ground<'_>) -> Result<()> {
    ground.on(&Layout::masters(1).tls_only(), |cluster| {
        control(ground, cluster, Jvm::SpeaksTls)?;
        let library = Library::connect(&cluster.name_server())?;
        let producer = library.producer()?;
        let sending =
            producer.send(message(TOPIC, &Sample::new("in plain words"))).timeout(Duration::from_secs(3));
        let error =
            library.run(async { sending.await }).err().context("a message in plain words was stored")?;
        expect::that(&format!("code of {error}"), error.code()).is(&ErrorCode::LOST)?;
        expect::contains("what is said about the code", error.code().explanation(), &["TLS"])
    })
}

/// The cluster works for whoever does what it wants: Apache's tool makes the topic.
fn control(ground: &Ground<'_>, cluster: &ApacheCluster, jvm: Jvm) -> Result<()> {
    let mut judge = Judge::start(ground.apache, jvm, &ground.judge_folder()?)?;
    let update = ["updateTopic", "-c", CLUSTER, "-t", TOPIC, "-r", "2", "-w", "2"];
    let output = judge.mqadmin(&cluster.name_server(), &update)?;
    expect::contains("updateTopic", &output, &["success"])
}

const TOPIC: &str = "interop-guarded";
