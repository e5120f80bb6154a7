//! A real name server and real brokers on loopback, for as long as the value lives.

use std::{
    collections::BTreeMap,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::{
    Apache, Oddity,
    layout::{Layout, Place},
    questions,
};
use crate::{
    clock, machine, ports,
    process::{self, Process},
    signal::Signal,
};

/// A running cluster. Dropping it kills its processes.
pub(crate) struct ApacheCluster {
    apache: Apache,
    layout: Layout,
    name_server: SocketAddr,
    brokers: Vec<Broker>,
    /// Where the replica of `broker-0` listens, if there is one.
    replica: Option<SocketAddr>,
    servers: BTreeMap<Part, Server>,
    folder: PathBuf,
}

/// One of a cluster's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    NameServer,
    /// A master by its number.
    Broker(usize),
    /// The replica of `broker-0`.
    Replica,
}

/// A process and the log that it writes beside its output: version 5 says there what goes wrong.
struct Server {
    process: Process,
    log: PathBuf,
    /// It was killed by us, and its end is no surprise.
    is_dead: bool,
}

/// A master and where it listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Broker {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
}

impl ApacheCluster {
    /// Starts a name server and `brokers` masters, and returns when clients can use them.
    ///
    /// Everything they write goes to `folder`. Ports are free when they are chosen; where somebody else was faster,
    /// the start is repeated with others.
    pub(crate) fn start(apache: &Apache, brokers: usize, folder: &Path) -> Result<Self> {
        Self::launch(apache, &Layout::masters(brokers), folder)
    }

    /// As [`start`](Self::start), with a layout of its own.
    pub(crate) fn launch(apache: &Apache, layout: &Layout, folder: &Path) -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::try_start(apache, layout, &folder.join(format!("start-{attempt}"))) {
                Err(error) if attempt < START_ATTEMPTS && is_port_taken(&error) => attempt += 1,
                result => {
                    return result.with_context(|| {
                        let (version, brokers) = (apache.version(), layout.masters);
                        format!("Apache RocketMQ {version} with {brokers} brokers did not start")
                    });
                }
            }
        }
    }

    /// `host:port` of the name server.
    pub(crate) fn name_server(&self) -> String {
        self.name_server.to_string()
    }

    /// Its masters.
    pub(crate) fn brokers(&self) -> &[Broker] {
        &self.brokers
    }

    /// Where the replica of `broker-0` listens.
    pub(crate) fn replica(&self) -> Result<SocketAddr> {
        self.replica.context("this cluster has no replica")
    }

    /// How many brokers the name server gives out for `topic`.
    pub(crate) fn serving(&self, topic: &str) -> Result<usize> {
        questions::serving(self.name_server, topic)
    }

    /// How many brokers the name server knows by their master.
    pub(crate) fn masters(&self) -> Result<usize> {
        questions::masters(self.name_server)
    }

    /// Sends a signal to one of the processes.
    pub(crate) fn signal(&mut self, part: Part, signal: Signal) -> Result<()> {
        let server = self.servers.get_mut(&part);
        let server = server.with_context(|| format!("there is no {part:?}"))?;
        server.process.signal(signal)?;
        server.is_dead |= signal == Signal::Kill;
        Ok(())
    }

    /// Starts a process that was killed, on its port and its store, and returns when clients can use it.
    pub(crate) fn restart(&mut self, part: Part) -> Result<()> {
        if let Part::Broker(number) = part
            && let Some(broker) = self.brokers.get(number)
        {
            remove_empty_queue_files(&self.folder.join(&broker.name).join("consumequeue"))?;
        }
        self.start_part(part)?;
        match part {
            Part::NameServer => self.wait_for_name_server()?,
            Part::Broker(_) | Part::Replica => {}
        }
        self.wait_for_brokers()
    }

    /// From now on one broker is set apart no more: for its next start.
    pub(crate) fn mend(&mut self, number: usize) {
        self.layout.odd.retain(|(odd, _)| *odd != number);
    }

    /// From now on one broker is set apart: for its next start.
    pub(crate) fn spoil(&mut self, number: usize, oddity: Oddity) {
        self.layout.odd.push((number, oddity));
    }

    /// Starts one more master, and returns when clients can use it.
    pub(crate) fn join(&mut self) -> Result<()> {
        self.layout.masters += 1;
        self.add_broker()?;
        self.wait_for_brokers()
    }

    /// The last lines that its processes printed.
    pub(crate) fn tails(&self) -> String {
        let tail = |server: &Server| server.process.tail() + &process::tail("its log", &[&server.log]);
        self.servers.values().map(tail).collect()
    }

    fn try_start(apache: &Apache, layout: &Layout, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        has_room(apache.is_4(), machine::disk_used(folder))
            .with_context(|| format!("no room in {}", folder.display()))?;
        let mut cluster = Self {
            apache: apache.clone(),
            layout: layout.clone(),
            name_server: loopback(ports::name_server()?),
            brokers: Vec::new(),
            replica: None,
            servers: BTreeMap::new(),
            folder: folder.to_owned(),
        };
        cluster.start_part(Part::NameServer)?;
        cluster.wait_for_name_server()?;
        for _ in 0..layout.masters {
            cluster.add_broker()?;
        }
        if layout.replication.is_some() {
            cluster.replica = Some(loopback(ports::broker()?));
            cluster.start_part(Part::Replica)?;
        }
        cluster.wait_for_brokers()?;
        Ok(cluster)
    }

    fn add_broker(&mut self) -> Result<()> {
        let number = self.brokers.len();
        let broker = Broker { name: format!("broker-{number}"), address: loopback(ports::broker()?) };
        self.brokers.push(broker);
        self.start_part(Part::Broker(number))
    }

    /// Starts one process, with settings as the layout has them now.
    fn start_part(&mut self, part: Part) -> Result<()> {
        let server = match part {
            Part::NameServer => {
                let text = format!("listenPort={}\nbindAddress=127.0.0.1\n", self.name_server.port());
                self.start_server("namesrv", "namesrv.NamesrvStartup", &text, NAME_SERVER_OPTIONS)?
            }
            Part::Broker(number) => {
                let broker = self.brokers.get(number).with_context(|| format!("there is no {part:?}"))?;
                let store = self.folder.join(&broker.name);
                let place = self.place(&broker.name, broker.address, &store);
                let text = self.layout.master(&self.apache, number, &place);
                let options = [BROKER_OPTIONS, &self.layout.options(number)].concat();
                self.start_server(&broker.name, "broker.BrokerStartup", &text, &options)?
            }
            Part::Replica => {
                let store = self.folder.join("replica");
                let text =
                    self.layout.replica_of(&self.apache, &self.place("broker-0", self.replica()?, &store));
                let options = [BROKER_OPTIONS, &self.layout.options(usize::MAX)].concat();
                self.start_server("broker-replica", "broker.BrokerStartup", &text, &options)?
            }
        };
        self.servers.insert(part, server);
        Ok(())
    }

    fn place<'a>(&self, name: &'a str, address: SocketAddr, store: &'a Path) -> Place<'a> {
        Place { name, address, name_server: self.name_server, store }
    }

    fn start_server(&self, name: &str, main: &str, settings: &str, options: &[&str]) -> Result<Server> {
        let file = self.folder.join(format!("{name}.conf"));
        fs::write(&file, settings).with_context(|| format!("cannot write {}", file.display()))?;
        // A home each: two brokers that share one write into the same log files.
        let home = self.folder.join(format!("{name}-home"));
        let main = format!("org.apache.rocketmq.{main}");
        let command = self.apache.server(&home, options, &[&main, "-c", &file.display().to_string()])?;
        let process = Process::start(name, &command, None, &self.folder)?;
        let log = home.join(format!("logs/rocketmqlogs/{}.log", name.split('-').next().unwrap_or(name)));
        Ok(Server { process, log, is_dead: false })
    }

    /// A broker that cannot register at once tries again only after ten seconds.
    fn wait_for_name_server(&mut self) -> Result<()> {
        self.wait("the name server", |cluster| Ok(TcpStream::connect(cluster.name_server).is_ok()))
    }

    /// Until the name server gives out all that run, and each of them can be asked how it does.
    fn wait_for_brokers(&mut self) -> Result<()> {
        self.wait("the brokers", |cluster| {
            let mut expected = 0;
            for (part, server) in &cluster.servers {
                let address = match part {
                    Part::NameServer => continue,
                    Part::Broker(number) => cluster.brokers[*number].address,
                    Part::Replica => cluster.replica()?,
                };
                if server.is_dead {
                    continue;
                }
                expected += usize::from(matches!(part, Part::Broker(_)));
                // A name server may go on giving out a broker that has died.
                if TcpStream::connect(address).is_err() || !questions::has_figures(address) {
                    return Ok(false);
                }
            }
            let replicas =
                usize::from(cluster.servers.get(&Part::Replica).is_some_and(|server| !server.is_dead));
            Ok(cluster.masters()? >= expected
                && cluster.serving(cluster.layout.sign())? >= expected
                && questions::replicas(cluster.name_server)? >= replicas)
        })
    }

    /// Waits until `ready` says so. A process that ends meanwhile ends the wait; an error of `ready` means "not yet".
    fn wait(&mut self, what: &str, ready: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let mut trouble = None;
        let found = clock::wait_for(START_LIMIT, || {
            if self.servers.values_mut().any(|server| !server.is_dead && !server.process.is_running()) {
                bail!("a process ended while we waited for {what}\n{}", self.tails());
            }
            match ready(self) {
                Ok(true) => return Ok(Some(())),
                Ok(false) => trouble = None,
                Err(error) => trouble = Some(error),
            }
            Ok(None)
        })?;
        if found.is_none() {
            let trouble = trouble.map(|error| format!(" ({error:#})")).unwrap_or_default();
            bail!("{what} took longer than {} s{trouble}\n{}", START_LIMIT.as_secs(), self.tails());
        }
        Ok(())
    }
}

/// A SIGKILL between the making of a mapped file and its sizing leaves an empty one behind. Brokers of 4.9 then refuse to
/// start ("length not matched message store config value, please check it manually"), and whoever runs one removes it.
/// There is nothing in it.
fn remove_empty_queue_files(folder: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_empty_queue_files(&entry.path())?;
        } else if entry.metadata()?.len() == 0 {
            fs::remove_file(entry.path())
                .with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Brokers refuse every message on a disk that is nearly full, whatever they are told: those of 5.x from 90 % on
/// (`DefaultMessageStore.CleanCommitLogService.getDiskSpaceWarningLevelRatio`), those of 4.9 from the 98 % that our layout
/// sets. Said once here, and not by each scenario.
fn has_room(is_4: bool, percent_used: Option<u64>) -> Result<()> {
    let most = if is_4 { 98 } else { 90 };
    match percent_used {
        Some(used) if used >= most => bail!(
            "{used} % of the disk are used, and from {most} % on these brokers take no messages: make room, or let \
             TMPDIR name a folder on another disk"
        ),
        _ => Ok(()),
    }
}

fn is_port_taken(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}");
    text.contains("Address already in use") || text.contains("BindException")
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// The cluster's name: also the name of a topic, as Apache has it.
pub(crate) const CLUSTER: &str = "DefaultCluster";
const START_ATTEMPTS: usize = 3;
/// A start takes 3 to 5 s on an idle machine, and has been seen to take 90 s on one that compiled beside it.
const START_LIMIT: Duration = Duration::from_secs(180);
const NAME_SERVER_OPTIONS: &[&str] = &["-Xms64m", "-Xmx256m"];
const BROKER_OPTIONS: &[&str] = &[
    "-Xms128m",
    "-Xmx512m",
    "-XX:MaxDirectMemorySize=512m",
    // After a kill, versions before 5 throw away index files by reflection (`MappedFile.clean`), and end if they may not.
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_brokers_take_for_full_is_named_before_they_start() {
        assert!(has_room(false, Some(89)).is_ok() && has_room(true, Some(97)).is_ok());
        assert!(has_room(false, None).is_ok(), "nothing is known of it");
        assert!(has_room(true, Some(98)).is_err());
        let error = has_room(false, Some(91)).unwrap_err().to_string();
        assert!(error.contains("91 %") && error.contains("TMPDIR"), "{error}");
    }

    #[test]
    fn only_a_taken_port_is_tried_again() {
        assert!(is_port_taken(&anyhow::anyhow!("java.net.BindException: Address already in use")));
        assert!(!is_port_taken(&anyhow::anyhow!("java.lang.OutOfMemoryError")));
    }
}
