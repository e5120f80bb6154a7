//! The configured name servers: name, port, protocol, and whether they know brokers.

use std::{net::IpAddr, sync::Arc};

use maxq_protocol::{
    ResponseCode,
    body::{ClusterInfo, from_json},
    header::{GetBrokerClusterInfo, GetRouteInfo},
    name::AUTO_CREATE_TOPIC,
};
use tokio::net::lookup_host;

use super::{Check, CheckKind, Patient, Report, counted, host_of, is_unknown_name};
use crate::{
    ErrorCode,
    admin::{Broker, Cluster, all},
    remoting::{CallError, connect::bracketed},
};

impl Patient {
    /// Looks at each configured name server; gives those that answer.
    pub(super) async fn name_servers(&self, report: &mut Report) -> Vec<Arc<str>> {
        let servers = self.listed_or_found(report).await;
        let mut usable = Vec::new();
        for (server, checks) in servers.iter().zip(all(servers.iter().map(|one| self.name_server(one))).await)
        {
            if checks.last().is_some_and(Check::is_ok) {
                usable.push(server.clone());
            }
            report.add(checks);
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

    /// Name, port, protocol; in this order, as far as it gets.
    async fn name_server(&self, address: &Arc<str>) -> Vec<Check> {
        let skip = |kind, why: &str| Check::skipped(kind, &**address, why);
        let dns = self.look_up(address).await;
        if dns.code.is_some() {
            let why = "the host's name is not known";
            return vec![dns, skip(CheckKind::Tcp, why), skip(CheckKind::Protocol, why)];
        }
        match self.dialer.dial(&self.shared().name_servers.target(address)).await {
            Ok(()) => {
                let open = Check::ok(CheckKind::Tcp, &**address, "the port takes connections");
                vec![dns, open, self.speak(address).await]
            }
            Err(error) if is_unknown_name(&error) => {
                let why = "the host's name is not known";
                let dns = unreachable(CheckKind::Dns, address, &error);
                vec![dns, skip(CheckKind::Tcp, why), skip(CheckKind::Protocol, why)]
            }
            Err(error) => {
                let closed = unreachable(CheckKind::Tcp, address, &error);
                vec![dns, closed, skip(CheckKind::Protocol, "no connection")]
            }
        }
    }

    async fn look_up(&self, address: &str) -> Check {
        if host_of(address).parse::<IpAddr>().is_ok() {
            return Check::skipped(CheckKind::Dns, address, "an address, not a name");
        }
        if self.dialer.is_custom {
            return Check::skipped(CheckKind::Dns, address, "the configured connector looks names up");
        }
        let looked = tokio::time::timeout(self.dialer.timeout, lookup_host(bracketed(address))).await;
        let why = match looked {
            Ok(Ok(found)) => {
                let mut found: Vec<_> = found.map(|found| found.ip().to_string()).collect();
                found.dedup();
                return Check::ok(
                    CheckKind::Dns,
                    address,
                    format!("the name stands for {}", found.join(", ")),
                );
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the name service gave no answer in time".to_owned(),
        };
        let found = format!("the name {} is not known here: {why}", host_of(address));
        Check::failed(CheckKind::Dns, address, ErrorCode::NAME_SERVER_UNREACHABLE, found).fix(
            "correct the name, or use the address; names of containers are known only inside of their network",
        )
    }

    /// Whether it answers a question as a name server does.
    async fn speak(&self, address: &Arc<str>) -> Check {
        let shared = self.shared();
        let question =
            GetRouteInfo { topic: AUTO_CREATE_TOPIC.to_owned(), accept_standard_json_only: Some(true) };
        match shared.name_servers.call(address, &question, shared.deadline()).await {
            Ok(answer)
                if matches!(
                    answer.response_code(),
                    ResponseCode::SUCCESS | ResponseCode::TOPIC_NOT_EXIST
                ) =>
            {
                Check::ok(CheckKind::Protocol, &**address, "a name server answers")
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
                Check::failed(CheckKind::Protocol, &**address, code, found)
            }
            Err(error)
                if matches!(error.code(), ErrorCode::TIMEOUT | ErrorCode::LOST)
                    && self.dialer.speaks_http(&shared.name_servers.target(address)).await =>
            {
                let found = "the peer speaks HTTP: this is no remoting port";
                Check::failed(CheckKind::Protocol, &**address, ErrorCode::HTTP_PORT, found)
            }
            Err(error) => unreachable(CheckKind::Protocol, address, &error),
        }
    }

    /// Lets a name server answer the client itself, as before every send: brokers may be dialled on that one's host.
    pub(super) async fn settle(&self) {
        let shared = self.shared();
        drop(shared.name_servers.ask(&GetBrokerClusterInfo {}, shared.deadline()).await);
    }

    /// The brokers that the name servers know, and whether they agree.
    pub(super) async fn registered(&self, servers: &[Arc<str>], report: &mut Report) -> Vec<Broker> {
        let shared = self.shared();
        let question = GetBrokerClusterInfo {};
        let told = all(servers.iter().map(|server| shared.ask_one_name_server(server, &question))).await;
        let mut known: Vec<(&str, Vec<Broker>)> = Vec::new();
        for (server, told) in servers.iter().zip(told) {
            let info = told.and_then(|answer| {
                from_json::<ClusterInfo>(&answer.body)
                    .map_err(|error| crate::RequestError::answer(server, &error))
            });
            match info {
                Ok(info) => {
                    let brokers = Cluster::all_of(info).into_iter().flat_map(|cluster| cluster.brokers);
                    known.push((server, brokers.collect()));
                }
                Err(error) => {
                    let found = error.to_string();
                    report.add([Check::failed(CheckKind::NameServer, &**server, error.code(), found)]);
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

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
