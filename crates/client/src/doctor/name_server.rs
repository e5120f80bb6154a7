//! The configured name servers: name, port, protocol, and whether they know brokers.

use std::sync::Arc;

use maxq_protocol::{
    ResponseCode,
    body::{ClusterInfo, from_json},
    header::{GetBrokerClusterInfo, GetRouteInfo},
    name::AUTO_CREATE_TOPIC,
};

use super::{Check, CheckKind, Patient, Report, counted, is_unknown_name};
use crate::{
    ErrorCode, RequestError,
    admin::{Broker, Cluster, all},
    discovery::in_order,
    error::first_line,
    name_servers::Found,
    remoting::CallError,
    resolver::name_of,
};

impl Patient {
    /// Looks at each configured name server; gives those that answer.
    pub(super) async fn name_servers(&self, report: &mut Report) -> Vec<Found> {
        let names = self.listed_or_found(report).await;
        let mut usable = Vec::new();
        for (checks, servers) in all(names.iter().map(|name| self.name_server(name))).await {
            report.add(checks);
            usable.extend(servers);
        }
        if !usable.is_empty() {
            // The client uses those that answer.
            report.soften(&[CheckKind::Dns, CheckKind::Tcp, CheckKind::Protocol]);
        }
        usable
    }

    /// The configured name servers. An address endpoint is none: those that it names are looked at.
    async fn listed_or_found(&self, report: &mut Report) -> Vec<Arc<str>> {
        let shared = self.shared();
        let configured = shared.name_servers.list();
        if !configured.contains("://") {
            return configured.split(", ").map(Arc::from).collect();
        }
        let servers = shared.name_servers.each(shared.deadline()).await;
        if servers.is_empty() {
            let (kind, code) = (CheckKind::Configuration, ErrorCode::NAME_SERVER_UNREACHABLE);
            report.add([Check::failed(
                kind,
                &*configured,
                code,
                "the address endpoint names no name server",
            )]);
        }
        servers
    }

    /// Name, port, protocol; in this order, as far as it gets. Gives the servers behind the name that answer.
    async fn name_server(&self, name: &Arc<str>) -> (Vec<Check>, Vec<Found>) {
        let (dns, servers) = self.look_up(name).await;
        if servers.is_empty() {
            return (vec![dns, skipped_tcp(name, NO_NAME), skipped_protocol(name, NO_NAME)], servers);
        }
        let mut checks = all(servers.iter().map(|server| self.port(server))).await;
        let is_usable = |checks: &Vec<Check>| checks.last().is_some_and(Check::is_ok);
        let usable = servers.into_iter().zip(&checks).filter(|(_, checks)| is_usable(checks));
        let usable = usable.map(|(server, _)| server).collect();
        // A connector that looks names up has said more of this one.
        if !checks.iter().flatten().any(|check| check.kind == CheckKind::Dns) {
            checks.insert(0, vec![dns]);
        }
        (checks.concat(), usable)
    }

    /// Port and protocol of one server.
    async fn port(&self, server: &Found) -> Vec<Check> {
        let name = &server.name;
        match self.dialer.dial(&self.shared().name_servers.target(&server.address)).await {
            Ok(()) => {
                let open = Check::ok(CheckKind::Tcp, &**name, "the port takes connections");
                vec![open, self.speak(server).await]
            }
            Err(error) if is_unknown_name(&error) => {
                let dns = unreachable(CheckKind::Dns, name, &error);
                vec![dns, skipped_tcp(name, NO_NAME), skipped_protocol(name, NO_NAME)]
            }
            Err(error) => {
                let closed = unreachable(CheckKind::Tcp, name, &error);
                vec![closed, skipped_protocol(name, "no connection")]
            }
        }
    }

    /// What a name stands for. What is no name, or is not looked up by the client, is dialled as it is.
    async fn look_up(&self, name: &Arc<str>) -> (Check, Vec<Found>) {
        let literal = |why: &str| (Check::skipped(CheckKind::Dns, &**name, why), vec![Found::literal(name)]);
        let name_servers = &self.shared().name_servers;
        if name_servers.is_mapped(name) {
            return literal(&format!("mapped to {}", name_servers.target(name)));
        }
        let Some((host, port)) = name_of(name) else { return literal("an address, not a name") };
        let Some(resolver) = &self.dialer.resolver else {
            return literal("the configured connector looks names up");
        };
        let looked = tokio::time::timeout(self.dialer.timeout, resolver.resolve(host, port)).await;
        let why = match looked {
            Ok(Ok(found)) if !found.is_empty() => {
                let found = in_order(found);
                let hosts: Vec<_> = found.iter().map(|found| found.ip().to_string()).collect();
                let told = format!("the name stands for {}", hosts.join(", "));
                return (Check::ok(CheckKind::Dns, &**name, told), Found::behind(name, &found));
            }
            Ok(Ok(_)) => "it has no address".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the name service gave no answer in time".to_owned(),
        };
        let told = format!("the name {host} is not known here: {why}");
        let check = Check::failed(CheckKind::Dns, &**name, ErrorCode::NAME_SERVER_UNREACHABLE, told).fix(
            "correct the name, or use the address; names of containers are known only inside of their network",
        );
        (check, Vec::new())
    }

    /// Whether it answers a question as a name server does.
    async fn speak(&self, server: &Found) -> Check {
        let (shared, Found { address, name }) = (self.shared(), server);
        let question =
            GetRouteInfo { topic: AUTO_CREATE_TOPIC.to_owned(), accept_standard_json_only: Some(true) };
        match shared.name_servers.call(address, &question, shared.deadline()).await {
            Ok(answer)
                if matches!(
                    answer.response_code(),
                    ResponseCode::SUCCESS | ResponseCode::TOPIC_NOT_EXIST
                ) =>
            {
                Check::ok(CheckKind::Protocol, &**name, "a name server answers")
            }
            Ok(answer) => {
                let code = answer.response_code();
                let remark = answer.remark.unwrap_or_default();
                let found = format!("it answers a question for a route with {code}: {}", first_line(&remark));
                let code = match code {
                    // Brokers and proxies do not know the question.
                    ResponseCode::REQUEST_CODE_NOT_SUPPORTED => ErrorCode::PROTOCOL,
                    _ => ErrorCode::ROUTE_REFUSED,
                };
                Check::failed(CheckKind::Protocol, &**name, code, found)
            }
            Err(error)
                if matches!(error.code(), ErrorCode::TIMEOUT | ErrorCode::LOST)
                    && self.dialer.speaks_http(&shared.name_servers.target(address)).await =>
            {
                let found = "the peer speaks HTTP: this is no remoting port";
                Check::failed(CheckKind::Protocol, &**name, ErrorCode::HTTP_PORT, found)
            }
            Err(error) => unreachable(CheckKind::Protocol, name, &error),
        }
    }

    /// Lets a name server answer the client itself, as before every send: brokers may be dialled on that one's host.
    pub(super) async fn settle(&self) {
        let shared = self.shared();
        drop(shared.name_servers.ask(&GetBrokerClusterInfo {}, shared.deadline()).await);
    }

    /// The brokers that the name servers know, and whether they agree.
    pub(super) async fn registered(&self, servers: &[Found], report: &mut Report) -> Vec<Broker> {
        let shared = self.shared();
        let question = GetBrokerClusterInfo {};
        let told =
            all(servers.iter().map(|server| shared.ask_one_name_server(&server.address, &question))).await;
        let mut known: Vec<(&str, Vec<Broker>)> = Vec::new();
        for (server, told) in servers.iter().zip(told) {
            let info = told.and_then(|answer| {
                from_json::<ClusterInfo>(&answer.body)
                    .map_err(|error| RequestError::answer(&server.address, &error))
            });
            match info {
                Ok(info) => {
                    let brokers = Cluster::all_of(info).into_iter().flat_map(|cluster| cluster.brokers);
                    known.push((&server.name, brokers.collect()));
                }
                Err(error) => {
                    let found = error.to_string();
                    report.add([Check::failed(CheckKind::NameServer, &*server.name, error.code(), found)]);
                }
            }
        }
        report.add(known.iter().map(|(server, brokers)| judge(server, brokers)));
        let Some((first, brokers)) = known.iter().max_by_key(|(_, brokers)| brokers.len()) else {
            return Vec::new();
        };
        let other = known.iter().find(|(_, others)| others != brokers);
        report.add(other.map(|(other, _)| {
            let found = format!("{first} and {other} know different brokers");
            Check::ok(CheckKind::NameServer, "cluster", found)
                .warned()
                .fix("give every broker all name servers in its namesrvAddr; after a restart allow 30 s")
        }));
        brokers.clone()
    }
}

/// What a name server says of brokers.
fn judge(server: &str, brokers: &[Broker]) -> Check {
    let masters = brokers.iter().filter(|broker| broker.master().is_some()).count();
    if brokers.is_empty() {
        let found = "it knows no broker";
        return Check::failed(CheckKind::NameServer, server, ErrorCode::NO_BROKER, found);
    }
    let found = format!("it knows {}, {}", counted(brokers.len(), "broker"), counted(masters, "master"));
    if masters == brokers.len() {
        return Check::ok(CheckKind::NameServer, server, found);
    }
    let without = brokers.iter().filter(|broker| broker.master().is_none());
    let names: Vec<_> = without.map(|broker| broker.name.as_str()).collect();
    let found = format!("{found}; no master: {}", names.join(", "));
    let check = Check::failed(CheckKind::NameServer, server, ErrorCode::NO_MASTER, found)
        .fix("start the master of each broker named here (brokerId=0)");
    if masters == 0 { check } else { check.warned() }
}

/// A name server that gave no answer.
fn unreachable(kind: CheckKind, address: &str, error: &CallError) -> Check {
    let code = match error.code() {
        code @ (ErrorCode::HTTP_PORT | ErrorCode::PROTOCOL) => code,
        _ => ErrorCode::NAME_SERVER_UNREACHABLE,
    };
    Check::failed(kind, address, code, error.cause.to_string())
}

fn skipped_tcp(server: &str, why: &str) -> Check {
    Check::skipped(CheckKind::Tcp, server, why)
}

fn skipped_protocol(server: &str, why: &str) -> Check {
    Check::skipped(CheckKind::Protocol, server, why)
}

const NO_NAME: &str = "the host's name is not known";
