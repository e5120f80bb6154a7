//! What a cluster is made of, and the settings that make it so.

use std::{net::SocketAddr, path::Path};

use super::{Apache, CLUSTER};
use crate::ports;

/// The servers of a cluster and how they differ from a plain one: a name server, and masters `broker-0`, `broker-1`, ..
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    pub(super) masters: usize,
    pub(super) replication: Option<Replication>,
    pub(super) is_guarded: bool,
    pub(super) is_tls_only: bool,
    pub(super) odd: Vec<(usize, Oddity)>,
}

/// How `broker-0` waits for its replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replication {
    /// Not at all (ASYNC_MASTER).
    Asynchronous,
    /// Before it answers (SYNC_MASTER).
    Synchronous,
}

/// What sets one broker apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// It tells clients to come to this address (`brokerIP1`).
    Advertises(&'static str),
    /// It takes a disk for full that is used by a hundredth.
    DiskIsFull,
    /// It makes no topic for the first message that is sent to it (`autoCreateTopicEnable`).
    MakesNoTopics,
}

impl Layout {
    /// So many masters, and nothing else.
    pub(crate) fn masters(masters: usize) -> Self {
        Self { masters, ..Self::default() }
    }

    /// The same with a replica of `broker-0` (broker id 1).
    pub(crate) const fn replica(mut self, replication: Replication) -> Self {
        self.replication = Some(replication);
        self
    }

    /// The same with access control: 1.0 where the version has it, else 2.0. [`USER`] may do everything.
    pub(crate) const fn access_control(mut self) -> Self {
        self.is_guarded = true;
        self
    }

    /// The same with brokers that refuse whoever does not speak TLS.
    pub(crate) const fn tls_only(mut self) -> Self {
        self.is_tls_only = true;
        self
    }

    /// The same with one broker set apart.
    pub(crate) fn odd(mut self, number: usize, oddity: Oddity) -> Self {
        self.odd.push((number, oddity));
        self
    }

    /// The settings file of a master.
    pub(super) fn master(&self, apache: &Apache, number: usize, place: &Place<'_>) -> String {
        let role = match self.replication {
            Some(Replication::Synchronous) if number == 0 => "SYNC_MASTER",
            _ => "ASYNC_MASTER",
        };
        let mut text = place.settings(0, role);
        if role == "SYNC_MASTER" {
            // How version 5 counts: the master, and its replica.
            text.push_str("inSyncReplicas=2\n");
        }
        for (_, oddity) in self.odd.iter().filter(|(odd, _)| *odd == number) {
            // What is set last holds.
            match oddity {
                Oddity::Advertises(host) => text.push_str(&format!("brokerIP1={host}\n")),
                Oddity::MakesNoTopics => text.push_str("autoCreateTopicEnable=false\n"),
                Oddity::DiskIsFull => {}
            }
        }
        text + &self.guarded(apache, place.store)
    }

    /// The settings file of the replica of `broker-0`.
    pub(super) fn replica_of(&self, apache: &Apache, place: &Place<'_>) -> String {
        place.settings(1, "SLAVE") + &self.guarded(apache, place.store)
    }

    /// What the JVM of a broker is told beside its memory.
    pub(super) fn options(&self, number: usize) -> Vec<&'static str> {
        let is_full = self.odd.contains(&(number, Oddity::DiskIsFull));
        let mut options = vec![match is_full {
            // Versions before 5 read this as a system property only; the later ones take nothing below 0.35.
            true => "-Drocketmq.broker.diskSpaceWarningLevelRatio=0.01",
            false => "-Drocketmq.broker.diskSpaceWarningLevelRatio=0.98",
        }];
        if self.is_tls_only {
            options.push("-Dtls.server.mode=enforcing");
        }
        options
    }

    /// A topic that every broker of this layout has when it serves.
    pub(super) fn sign(&self) -> &'static str {
        let makes_topics = |(_, oddity): &(usize, Oddity)| *oddity != Oddity::MakesNoTopics;
        if self.odd.iter().all(makes_topics) { AUTO_CREATE_TOPIC } else { SELF_TEST_TOPIC }
    }

    fn guarded(&self, apache: &Apache, store: &Path) -> String {
        let (user, secret) = USER;
        match self.is_guarded {
            false => String::new(),
            true if apache.has_access_control_1() => "aclEnable=true\n".to_owned(),
            true => format!(
                "authenticationEnabled=true\nauthenticationProvider={AUTH}.authentication.provider.\
                 DefaultAuthenticationProvider\nauthenticationMetadataProvider={AUTH}.authentication.provider.\
                 LocalAuthenticationMetadataProvider\nauthorizationEnabled=true\nauthorizationProvider={AUTH}.\
                 authorization.provider.DefaultAuthorizationProvider\nauthorizationMetadataProvider={AUTH}.\
                 authorization.provider.LocalAuthorizationMetadataProvider\nauthConfigPath={}\n\
                 initAuthenticationUser={{\"username\":\"{user}\",\"password\":\"{secret}\"}}\n\
                 innerClientAuthenticationCredentials={{\"accessKey\":\"{user}\",\"secretKey\":\"{secret}\"}}\n",
                store.join("auth").display()
            ),
        }
    }
}

/// Where a broker is.
pub(super) struct Place<'a> {
    pub(super) name: &'a str,
    pub(super) address: SocketAddr,
    pub(super) name_server: SocketAddr,
    pub(super) store: &'a Path,
}

impl Place<'_> {
    fn settings(&self, id: i64, role: &str) -> String {
        let Self { name, address, name_server, store } = self;
        let (port, store) = (address.port(), store.display());
        let replication = port.wrapping_add_signed(ports::REPLICATION);
        format!(
            "brokerClusterName={CLUSTER}\nbrokerName={name}\nbrokerId={id}\nbrokerRole={role}\n\
             namesrvAddr={name_server}\nbrokerIP1=127.0.0.1\nbrokerIP2=127.0.0.1\nbindAddress=127.0.0.1\n\
             listenPort={port}\nhaListenPort={replication}\nstorePathRootDir={store}\n\
             storePathCommitLog={store}/commitlog\n{SMALL_BROKER}"
        )
    }
}

/// The accounts of access control 1.0 (`plain_acl.yml`).
pub(super) fn accounts() -> String {
    let (user, secret) = USER;
    format!(
        "globalWhiteRemoteAddresses: []\naccounts:\n- accessKey: {user}\n  secretKey: {secret}\n  \
         whiteRemoteAddress:\n  admin: true\n  defaultTopicPerm: PUB|SUB\n  defaultGroupPerm: PUB|SUB\n"
    )
}

/// Name and secret of who may do everything where access control is on.
pub(crate) const USER: (&str, &str) = ("interop", "interop-secret");
const AUTH: &str = "org.apache.rocketmq.auth";
/// `TopicValidator.AUTO_CREATE_TOPIC_KEY_TOPIC`: new topics take their route from it.
const AUTO_CREATE_TOPIC: &str = "TBW102";
/// `TopicValidator.RMQ_SYS_SELF_TEST_TOPIC`.
const SELF_TEST_TOPIC: &str = "SELF_TEST_TOPIC";
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
slaveTimeout=1000
syncFlushTimeout=1000
autoCreateTopicEnable=true
";

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn place(store: &Path) -> Place<'_> {
        Place {
            name: "broker-1",
            address: (Ipv4Addr::LOCALHOST, 20_911).into(),
            name_server: (Ipv4Addr::LOCALHOST, 9876).into(),
            store,
        }
    }

    fn has(settings: &str, lines: &[&str]) {
        for line in lines {
            assert!(settings.lines().any(|found| found == *line), "{line} in {settings}");
        }
    }

    #[test]
    fn a_broker_names_loopback_and_its_own_store() {
        let settings = Layout::masters(2).master(&Apache::of("5.5.0"), 1, &place(Path::new("store")));
        has(
            &settings,
            &["listenPort=20911", "haListenPort=20912", "brokerIP1=127.0.0.1", "storePathRootDir=store"],
        );
    }

    #[test]
    fn access_control_is_that_of_the_version() {
        let settings = |version| {
            Layout::masters(1).access_control().master(&Apache::of(version), 0, &place(Path::new("s")))
        };
        for version in ["4.9.7", "5.1.4", "5.3.2"] {
            has(&settings(version), &["aclEnable=true"]);
        }
        for version in ["5.3.3", "5.5.0", "6.0.0"] {
            has(&settings(version), &["authenticationEnabled=true", "authConfigPath=s/auth"]);
        }
    }

    #[test]
    fn only_the_first_master_has_a_replica_and_only_the_odd_one_is_odd() {
        let layout = Layout::masters(2)
            .replica(Replication::Synchronous)
            .odd(1, Oddity::Advertises("127.0.0.2"))
            .odd(1, Oddity::DiskIsFull)
            .odd(1, Oddity::MakesNoTopics);
        let settings = |number| layout.master(&Apache::of("5.5.0"), number, &place(Path::new("s")));
        has(&settings(0), &["brokerRole=SYNC_MASTER"]);
        assert!(!settings(0).contains("autoCreateTopicEnable=false"));
        has(&settings(1), &["brokerRole=ASYNC_MASTER", "brokerIP1=127.0.0.2", "autoCreateTopicEnable=false"]);
        has(
            &layout.replica_of(&Apache::of("5.5.0"), &place(Path::new("s"))),
            &["brokerId=1", "brokerRole=SLAVE"],
        );
        assert!(layout.options(1)[0].ends_with("=0.01") && layout.options(0)[0].ends_with("=0.98"));
    }
}
