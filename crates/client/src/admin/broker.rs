//! The state of a broker, as it tells it itself.

use std::{collections::BTreeMap, sync::Arc};

use maxq_protocol::{body::KvTable, header::GetBrokerRuntimeInfo};

use super::Admin;
use crate::RequestError;

/// What a broker tells of itself: about eighty entries, which differ between versions.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = maxq_emulator::Cluster::builder().topic("orders", 4).start().await?;
/// # let client = maxq::Client::connect(maxq::ClientConfig::new(cluster.name_servers())).await?;
/// for cluster in client.admin().clusters().await? {
///     for broker in &cluster.brokers {
///         let Some(master) = broker.master() else { continue };
///         let runtime = client.admin().broker_runtime(master).await?;
///         println!("{}: {:?}, for {:?} s", broker.name, runtime.version(), runtime.uptime_seconds());
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BrokerRuntime {
    /// Name to value, as the broker wrote them.
    pub entries: BTreeMap<String, String>,
}

impl Admin {
    /// The state of the broker at `address`, one of [`clusters`](Self::clusters) (GET_BROKER_RUNTIME_INFO).
    ///
    /// # Errors
    /// The broker cannot be reached, or it refuses. One that has just started may answer with `NoSuchElementException`:
    /// it has no figures until its first sample, a second later (`StoreStatsService.getPutTps`).
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn broker_runtime(&self, address: &str) -> Result<BrokerRuntime, RequestError> {
        let table: KvTable = self.shared().ask_body(&Arc::from(address), &GetBrokerRuntimeInfo {}).await?;
        Ok(BrokerRuntime { entries: table.table })
    }
}

impl BrokerRuntime {
    /// One entry.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries.get(name).map(String::as_str)
    }

    /// The broker's version, such as `V5_5_0`.
    pub fn version(&self) -> Option<&str> {
        self.get("brokerVersionDesc")
    }

    /// When the broker was started, in milliseconds since 1970 by its clock.
    pub fn boot_timestamp(&self) -> Option<i64> {
        self.get("bootTimestamp")?.parse().ok()
    }

    /// For how many seconds the broker has run.
    pub fn uptime_seconds(&self) -> Option<i64> {
        // `[ 1 days, 2 hours, 3 minutes, 4 seconds ]`
        let mut numbers = self.get("runtime")?.split_whitespace().filter_map(|word| word.parse::<i64>().ok());
        let [days, hours, minutes, seconds] =
            [numbers.next()?, numbers.next()?, numbers.next()?, numbers.next()?];
        let hours = days.checked_mul(24)?.checked_add(hours)?;
        let minutes = hours.checked_mul(60)?.checked_add(minutes)?;
        minutes.checked_mul(60)?.checked_add(seconds)
    }

    /// Messages that were stored per second, over the last ten seconds.
    pub fn stored_per_second(&self) -> Option<f64> {
        self.first_rate("putTps")
    }

    /// Messages that were given out per second, over the last ten seconds.
    pub fn read_per_second(&self) -> Option<f64> {
        // Brokers before 5.0 misspell it.
        self.first_rate("getTransferredTps").or_else(|| self.first_rate("getTransferedTps"))
    }

    /// How full the disk of the commit log is, from 0 to 1.
    pub fn disk_used(&self) -> Option<f64> {
        self.get("commitLogDiskRatio")?.parse().ok()
    }

    /// Three averages: 10 s, 1 min, 10 min. A young broker has fewer.
    fn first_rate(&self, name: &str) -> Option<f64> {
        self.get(name)?.split(' ').next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_brokers_write_them() {
        let entries = [
            ("brokerVersionDesc", "V5_5_0"),
            ("bootTimestamp", "1700000000000"),
            ("runtime", "[ 1 days, 2 hours, 3 minutes, 4 seconds ]"),
            ("putTps", "0.5 0.25"),
            ("getTransferedTps", "1.5"),
            ("commitLogDiskRatio", "0.75"),
        ];
        let entries = entries.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let runtime = BrokerRuntime { entries };
        assert_eq!((runtime.version(), runtime.boot_timestamp()), (Some("V5_5_0"), Some(1_700_000_000_000)));
        assert_eq!(runtime.uptime_seconds(), Some(93_784));
        assert_eq!((runtime.stored_per_second(), runtime.read_per_second()), (Some(0.5), Some(1.5)));
        assert_eq!(runtime.disk_used(), Some(0.75));
        let entries = [(
            "runtime".to_owned(),
            "[ 9223372036854775807 days, 2 hours, 3 minutes, 4 seconds ]".to_owned(),
        )];
        assert_eq!(BrokerRuntime { entries: entries.into() }.uptime_seconds(), None);
        let nothing = BrokerRuntime { entries: BTreeMap::new() };
        assert_eq!((nothing.version(), nothing.uptime_seconds(), nothing.disk_used()), (None, None, None));
    }
}
