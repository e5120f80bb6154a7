//! Where a scenario plays: a cluster, real or pretended, and those who look at it.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};

use crate::{
    apache::{Apache, Broker, Jvm},
    judge::Judge,
    maxq::Maxq,
};

/// What a scenario is given.
pub(crate) struct Stage<'a> {
    /// Who serves, for the report: `Apache 5.5.0` or `emulator 5.5.0`.
    pub(crate) server: String,
    pub(crate) name_server: String,
    pub(crate) brokers: Vec<Broker>,
    /// The command line under test; absent when the judges are tested alone.
    pub(crate) maxq: Option<Maxq>,
    pub(crate) judges: &'a mut Judges,
}

/// The Java judge of one version, started when it is needed and again when it has ended.
pub(crate) struct Judges {
    apache: Apache,
    folder: PathBuf,
    judge: Option<Judge>,
}

impl Stage<'_> {
    /// Apache's client and tools.
    pub(crate) fn judge(&mut self) -> Result<&mut Judge> {
        self.judges.judge()
    }

    /// A folder for what a scenario writes, made; it goes with all that the run has written.
    pub(crate) fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.judges.folder.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

impl Judges {
    /// Judges of `apache`'s version; `folder` takes what they write.
    pub(crate) fn new(apache: &Apache, folder: PathBuf) -> Self {
        Self { apache: apache.clone(), folder, judge: None }
    }

    /// The release that they are of.
    pub(crate) const fn apache(&self) -> &Apache {
        &self.apache
    }

    /// The version of client and tools.
    pub(crate) fn version(&self) -> &str {
        self.apache.version()
    }

    /// Whether this client reads LZ4 and Zstandard; before 5.0 there was zlib alone.
    pub(crate) fn knows_every_compression(&self) -> bool {
        !self.apache.is_4()
    }

    /// Whether servers and client are of the line 4.
    pub(crate) fn is_4(&self) -> bool {
        self.apache.is_4()
    }

    /// Ends the judge; who needs one later gets another.
    pub(crate) fn dismiss(&mut self) {
        self.judge = None;
    }

    /// The running judge.
    pub(crate) fn judge(&mut self) -> Result<&mut Judge> {
        // A wrong option makes mqadmin end the judge: the next scenario gets another.
        let judge = match self.running() {
            Some(judge) => judge,
            None => {
                fs::create_dir_all(&self.folder)?;
                Judge::start(&self.apache, Jvm::StartsFast, &self.folder)?
            }
        };
        Ok(self.judge.insert(judge))
    }

    fn running(&mut self) -> Option<Judge> {
        let mut judge = self.judge.take()?;
        judge.is_running().then_some(judge)
    }
}
