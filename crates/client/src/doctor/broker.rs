//! Every address that brokers advertise: whether it can be reached from here, and a broker answers there.

use std::{collections::BTreeMap, sync::Arc};

use maxq_protocol::{
    ResponseCode,
    body::{KvTable, from_json},
    header::GetBrokerRuntimeInfo,
};

use super::{Check, CheckKind, Patient, Report, clock::Moment, host_of};
use crate::{
    ErrorCode, RequestError,
    admin::{Broker, BrokerRuntime, TopicRoute, all},
    error::blame,
    remoting::Call,
};

/// A broker's address that answered, and what it told of its clock.
pub(super) struct Reached {
    pub(super) name: String,
    pub(super) is_master: bool,
    pub(super) clock: Option<Moment>,
}

impl Patient {
    /// Asks every advertised address; gives those that answer.
    pub(super) async fn brokers(
        &self,
        registered: Vec<Broker>,
        route: Option<&TopicRoute>,
        report: &mut Report,
    ) -> Vec<Reached> {
        // A route may tell other addresses than the list of brokers does.
        let told = registered.iter().chain(route.map(|route| &route.brokers).into_iter().flatten());
        let mut addresses = BTreeMap::new();
        for broker in told {
            for (id, address) in &broker.addresses {
                addresses.entry((broker.name.as_str(), *id, address.as_str())).or_insert(());
            }
        }
        let asked = addresses.keys().map(|(name, id, address)| self.broker(name, *id, address));
        let mut reached = Vec::new();
        for (check, found) in all(asked).await {
            report.add([check]);
            reached.extend(found);
        }
        reached
    }

    async fn broker(&self, name: &str, id: i64, address: &str) -> (Check, Option<Reached>) {
        let role = if id == 0 { "master".to_owned() } else { format!("replica {id}") };
        let target = format!("{name} {role} {address}");
        let shared = self.shared();
        let address: Arc<str> = address.into();
        let began = shared.clock.wall_millis();
        let asked =
            shared.remoting.call(&address, Call::new(&GetBrokerRuntimeInfo {}, shared.deadline())).await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) => {
                let code = shared.blame(&address, &error);
                let mapped = shared.remoting.target(&address);
                let found = if mapped == address {
                    format!("{}", error.cause)
                } else {
                    format!("mapped to {mapped}: {}", error.cause)
                };
                let check = Check::failed(CheckKind::Broker, target, code, found);
                let check = match code {
                    ErrorCode::CONNECT | ErrorCode::ADVERTISED_ADDRESS => {
                        check.fix(self.address_fix(&address))
                    }
                    _ => check,
                };
                // Messages are sent to masters only.
                return (if id == 0 { check } else { check.warned() }, None);
            }
        };
        let code = answer.response_code();
        let runtime = match code {
            ResponseCode::SUCCESS => from_json::<KvTable>(&answer.body).ok(),
            _ => None,
        };
        let runtime = runtime.map(|table| BrokerRuntime { entries: table.table });
        let version = runtime.as_ref().and_then(|runtime| runtime.version());
        let found = match version {
            Some(version) => {
                format!("a broker answers, version {}", version.trim_start_matches('V').replace('_', "."))
            }
            None => format!("a broker answers ({code})"),
        };
        let check = Check::ok(CheckKind::Broker, target, found);
        // A proxy does not know the question, and that is an answer too. Access control is worth telling.
        let check = match blame::of_answer(code, answer.remark.as_deref().unwrap_or_default()) {
            ErrorCode::ACCESS if code != ResponseCode::SUCCESS => {
                let what = RequestError::refused(&address, &answer).to_string();
                Check {
                    found: format!("a broker answers, and access control refuses its state: {what}"),
                    ..check
                }
            }
            _ => check,
        };
        let clock = runtime.and_then(|runtime| Moment::of(&runtime, began, shared.clock.wall_millis()));
        (check, Some(Reached { name: name.to_owned(), is_master: id == 0, clock }))
    }

    /// What to do about an address that cannot be reached, with the line to write.
    fn address_fix(&self, address: &str) -> String {
        let servers = self.shared().name_servers.list();
        // Who publishes the port of a name server usually publishes those of its brokers at the same host.
        let host = servers.split(", ").next().map_or("HOST", host_of);
        let dialled = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let port = address.rsplit_once(':').map_or("10911", |(_, port)| port);
        format!(
            "check that the broker runs and that a firewall lets {address} pass; if that address is not for here, map it \
             in the client: ClientConfig::new(\"{servers}\").map_address(\"{address}\", \"{dialled}:{port}\") (with an \
             address that works from here), or set brokerIP1={host} in the broker's configuration and restart it"
        )
    }
}
