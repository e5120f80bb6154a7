//! Where a story of a failure plays: a cluster that only it uses, and a judge at the end.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use maxq::ClientConfig;

pub(super) use crate::told::Told;
use crate::{
    apache::{Apache, ApacheCluster, Jvm, Layout},
    clock,
    judge::Judge,
    library::Library,
    message::Seen,
};

/// What a story is given.
pub(crate) struct Ground<'a> {
    pub(super) apache: &'a Apache,
    pub(super) folder: PathBuf,
}

/// The ground for one story of `apache`'s version; `folder` takes what is written.
pub(crate) fn on_ground<'a>(apache: &'a Apache, folder: &Path) -> Ground<'a> {
    Ground { apache, folder: folder.to_owned() }
}

impl Ground<'_> {
    /// Tells a story on a fresh cluster. What the servers said last is added to a failure.
    pub(super) fn on(
        &self,
        layout: &Layout,
        story: impl FnOnce(&mut ApacheCluster) -> Result<()>,
    ) -> Result<()> {
        let mut cluster = ApacheCluster::launch(self.apache, layout, &self.folder)?;
        story(&mut cluster).map_err(|error| anyhow!("{error:#}\n{}", cluster.tails()))
    }

    /// A client that sees a change of routes within half a second.
    pub(super) fn library(&self, cluster: &ApacheCluster) -> Result<Library> {
        Library::with(watchful(cluster))
    }

    /// Apache's client reads `topic`, and must find what `told` says.
    pub(super) fn reads(&self, cluster: &ApacheCluster, topic: &str, told: &Told) -> Result<Vec<Seen>> {
        let mut judge = Judge::start(self.apache, Jvm::StartsFast, &self.judge_folder()?)?;
        let stored = judge.read(&cluster.name_server(), topic, told.stored())?;
        let seen = stored.iter().map(|message| message.judged()).collect::<Result<Vec<_>>>()?;
        told.agree(&seen)?;
        Ok(seen)
    }

    /// The folder of a judge, made.
    pub(super) fn judge_folder(&self) -> Result<PathBuf> {
        let folder = self.folder.join("judge");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

/// A configuration that sees a change of routes within half a second.
pub(super) fn watchful(cluster: &ApacheCluster) -> ClientConfig {
    ClientConfig::new(cluster.name_server()).route_interval(std::time::Duration::from_millis(500))
}

/// Looks until `found` is true; `what` says what was waited for.
pub(super) fn until(what: &str, found: impl FnMut() -> Result<bool>) -> Result<()> {
    until_within(Duration::from_secs(30), what, found)
}

/// As [`until`], for what takes longer.
pub(super) fn until_within(
    limit: Duration,
    what: &str,
    mut found: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let seen = clock::wait_for(limit, || Ok(found()?.then_some(())))?;
    seen.with_context(|| format!("not within {} s: {what}", limit.as_secs()))
}
