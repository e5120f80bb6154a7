//! A real name server and real brokers on loopback, for as long as the value lives.

use std::{
    ffi::OsString,
    fs,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::{Apache, name_server};
use crate::{
    clock, ports,
    process::{self, Process},
    signal::Signal,
};

/// A running cluster. Dropping it kills its processes.
pub(crate) struct ApacheCluster {
    name_server: SocketAddr,
    brokers: Vec<Broker>,
    /// The name server, then the brokers in their order.
    servers: Vec<Server>,
    folder: PathBuf,
}

/// A process and the log that it writes beside its output: version 5 says there what goes wrong.
struct Server {
    process: Process,
    log: PathBuf,
}

/// A broker as clients see it.
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
        let mut attempt = 1;
        loop {
            match Self::try_start(apache, brokers, &folder.join(format!("start-{attempt}"))) {
                Err(error) if attempt < START_ATTEMPTS && is_port_taken(&error) => attempt += 1,
                result => {
                    return result.with_context(|| {
                        format!("Apache RocketMQ {} with {brokers} brokers did not start", apache.version())
                    });
                }
            }
        }
    }

    /// `host:port` of the name server.
    pub(crate) fn name_server(&self) -> String {
        self.name_server.to_string()
    }

    /// Its brokers.
    pub(crate) fn brokers(&self) -> &[Broker] {
        &self.brokers
    }

    /// How many brokers the name server gives out for `topic`.
    pub(crate) fn serving(&self, topic: &str) -> Result<usize> {
        name_server::serving(self.name_server, topic)
    }

    /// Sends a signal to the process of a broker.
    pub(crate) fn signal_broker(&mut self, number: usize, signal: Signal) -> Result<()> {
        let server = self.servers.get_mut(NAME_SERVERS + number);
        server.with_context(|| format!("there is no broker {number}"))?.process.signal(signal)
    }

    /// Starts a broker that was killed, on its port and its store, and returns when clients can use it.
    pub(crate) fn restart_broker(&mut self, apache: &Apache, number: usize) -> Result<()> {
        let broker = self.brokers.get(number).with_context(|| format!("there is no broker {number}"))?;
        let server = Self::broker_server(apache, &broker.name, &self.folder)?;
        self.servers[NAME_SERVERS + number] = server;
        self.wait_for_brokers()
    }

    /// The last lines that its processes printed.
    pub(crate) fn tails(&self) -> String {
        let tail = |server: &Server| server.process.tail() + &process::tail("its log", &[&server.log]);
        self.servers.iter().map(tail).collect()
    }

    fn try_start(apache: &Apache, brokers: usize, folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let name_server = loopback(ports::name_server()?);
        let mut cluster =
            Self { name_server, brokers: Vec::new(), servers: Vec::new(), folder: folder.to_owned() };
        cluster.start_name_server(apache, folder)?;
        for number in 0..brokers {
            cluster.start_broker(apache, number, folder)?;
        }
        cluster.wait_for_brokers()?;
        Ok(cluster)
    }

    /// Until the name server gives out all of them.
    fn wait_for_brokers(&mut self) -> Result<()> {
        self.wait("the brokers", |cluster| {
            let brokers = cluster.brokers.len();
            // A name server may go on giving out a broker that has died.
            let listens = |broker: &Broker| TcpStream::connect(broker.address).is_ok();
            Ok(cluster.brokers.iter().all(listens)
                && name_server::masters(cluster.name_server)? == brokers
                && cluster.serving(AUTO_CREATE_TOPIC)? == brokers)
        })
    }

    /// Returns once it listens: a broker that cannot register at once tries again only after ten seconds.
    fn start_name_server(&mut self, apache: &Apache, folder: &Path) -> Result<()> {
        let settings = folder.join("namesrv.conf");
        fs::write(&settings, format!("listenPort={}\nbindAddress=127.0.0.1\n", self.name_server.port()))?;
        let main = ["org.apache.rocketmq.namesrv.NamesrvStartup", "-c", &settings.display().to_string()];
        let server =
            Server::start("namesrv", folder, |home| apache.server(home, &["-Xms64m", "-Xmx256m"], &main))?;
        self.servers.push(server);
        self.wait("the name server", |cluster| Ok(TcpStream::connect(cluster.name_server).is_ok()))
    }

    fn start_broker(&mut self, apache: &Apache, number: usize, folder: &Path) -> Result<()> {
        let broker = Broker { name: format!("broker-{number}"), address: loopback(ports::broker()?) };
        let settings = broker_settings(&broker, self.name_server, &folder.join(&broker.name));
        fs::write(settings_file(folder, &broker.name), settings)?;
        self.servers.push(Self::broker_server(apache, &broker.name, folder)?);
        self.brokers.push(broker);
        Ok(())
    }

    /// The process of a broker whose settings are written.
    fn broker_server(apache: &Apache, name: &str, folder: &Path) -> Result<Server> {
        let settings = settings_file(folder, name).display().to_string();
        let main = ["org.apache.rocketmq.broker.BrokerStartup", "-c", &settings];
        Server::start(name, folder, |home| apache.server(home, BROKER_OPTIONS, &main))
    }

    /// Waits until `ready` says so. A process that ends meanwhile ends the wait; an error of `ready` means "not yet".
    fn wait(&mut self, what: &str, ready: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let mut trouble = None;
        let found = clock::wait_for(START_LIMIT, || {
            if !self.servers.iter_mut().all(|server| server.process.is_running()) {
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

impl Server {
    fn start(
        name: &str,
        folder: &Path,
        command: impl FnOnce(&Path) -> Result<Vec<OsString>>,
    ) -> Result<Self> {
        // A home each: two brokers that share one write into the same log files.
        let home = folder.join(format!("{name}-home"));
        let process = Process::start(name, &command(&home)?, None, folder)?;
        let log = home.join(format!("logs/rocketmqlogs/{}.log", name.split('-').next().unwrap_or(name)));
        Ok(Self { process, log })
    }
}

fn settings_file(folder: &Path, broker: &str) -> PathBuf {
    folder.join(format!("{broker}.conf"))
}

fn broker_settings(broker: &Broker, name_server: SocketAddr, store: &Path) -> String {
    let Broker { name, address } = broker;
    let (port, store) = (address.port(), store.display());
    let replication = port.wrapping_add_signed(ports::REPLICATION);
    format!(
        "brokerClusterName={CLUSTER}\nbrokerName={name}\nbrokerId=0\nnamesrvAddr={name_server}\n\
         brokerIP1=127.0.0.1\nbindAddress=127.0.0.1\nlistenPort={port}\nhaListenPort={replication}\n\
         storePathRootDir={store}\nstorePathCommitLog={store}/commitlog\n{SMALL_BROKER}"
    )
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
/// `TopicValidator.AUTO_CREATE_TOPIC_KEY_TOPIC`: new topics take their route from it.
const AUTO_CREATE_TOPIC: &str = "TBW102";
/// How many stand before the brokers among the servers.
const NAME_SERVERS: usize = 1;
const START_ATTEMPTS: usize = 3;
/// A start takes 3 to 5 s on an idle machine, and has been seen to take 90 s on one that compiled beside it.
const START_LIMIT: Duration = Duration::from_secs(180);
const BROKER_OPTIONS: &[&str] = &[
    "-Xms128m",
    "-Xmx512m",
    "-XX:MaxDirectMemorySize=512m",
    // Versions before 5 read this as a system property only.
    "-Drocketmq.broker.diskSpaceWarningLevelRatio=0.98",
    // After a kill, versions before 5 throw away index files by reflection (`MappedFile.clean`), and end if they may not.
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/jdk.internal.ref=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
];
/// Small files, no alarm on a disk that is nearly full, and patience with a slow one: the suite looks at what is
/// stored, not at how fast. Keys that a version does not know are ignored by it.
const SMALL_BROKER: &str = "\
mappedFileSizeCommitLog=67108864
mappedFileSizeConsumeQueue=60000
maxHashSlotNum=40000
maxIndexNum=100000
mappedFileSizeTimerLog=10485760
diskMaxUsedSpaceRatio=95
diskSpaceWarningLevelRatio=98
osPageCacheBusyTimeOutMills=5000
waitTimeMillsInSendQueue=3000
registerNameServerPeriod=10000
autoCreateTopicEnable=true
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_names_loopback_and_its_own_store() {
        let broker = Broker { name: "broker-1".into(), address: loopback(20_911) };
        let settings = broker_settings(&broker, loopback(9876), Path::new("store"));
        for line in
            ["listenPort=20911", "haListenPort=20912", "brokerIP1=127.0.0.1", "storePathRootDir=store"]
        {
            assert!(settings.lines().any(|found| found == line), "{line} in {settings}");
        }
    }

    #[test]
    fn only_a_taken_port_is_tried_again() {
        assert!(is_port_taken(&anyhow::anyhow!("java.net.BindException: Address already in use")));
        assert!(!is_port_taken(&anyhow::anyhow!("java.lang.OutOfMemoryError")));
    }
}
