//! A topic: its route, its permission, and a message to each of its brokers.

use std::collections::BTreeMap;

use maxq_protocol::{ResponseCode, Topic, body::perm, name::AUTO_CREATE_TOPIC};

use super::{Check, CheckKind, NO_TOPIC, Patient, Report, broker::Reached, clock::Moment, counted};
use crate::{
    ErrorCode, Message, MessageQueue, ProducerConfig, SendError, SendReceipt, StoreStatus,
    admin::{TopicRoute, all},
    name_servers::Found,
};

impl Patient {
    /// The route of the topic as the name servers tell it, and whether it can be written.
    pub(super) async fn route(&self, servers: &[Found], report: &mut Report) -> Option<TopicRoute> {
        let Some(name) = self.topic() else {
            report.add(
                [CheckKind::Route, CheckKind::Permission].map(|kind| Check::skipped(kind, "-", NO_TOPIC)),
            );
            return None;
        };
        let no_permission = |why: &str| Check::skipped(CheckKind::Permission, name, why);
        let topic = match Topic::new(name) {
            Ok(topic) => topic,
            Err(error) => {
                let check = Check::failed(CheckKind::Route, name, ErrorCode::INVALID, error.to_string());
                report.add([check, no_permission("there is no such topic")]);
                return None;
            }
        };
        let (mut routes, mut missing) = (Vec::new(), Vec::new());
        let admin = self.client.admin();
        let told = all(servers.iter().map(|server| admin.route_at(&server.address, &topic))).await;
        for (server, told) in servers.iter().zip(told) {
            match told {
                Ok(Some(route)) => routes.push(route),
                Ok(None) => missing.push(&*server.name),
                Err(error) => {
                    let found = error.to_string();
                    report.add([Check::failed(CheckKind::Route, name, error.code(), found)]);
                }
            }
        }
        let Some(route) = routes.into_iter().next() else {
            report.add([self.missing_topic(servers, name).await, no_permission("there is no route")]);
            return None;
        };
        report.add([judge_route(&route, &missing), judge_permission(&route)]);
        Some(route)
    }

    /// A topic that nobody knows is no failure where brokers create topics.
    async fn missing_topic(&self, servers: &[Found], name: &str) -> Check {
        let check = |found: &str| {
            Check::failed(CheckKind::Route, name, ErrorCode::TOPIC_NOT_FOUND, found).fix(format!(
                "create it: maxq topic create {name}; or correct the name, which is case-sensitive (maxq topic list)"
            ))
        };
        let Ok(default) = Topic::internal(AUTO_CREATE_TOPIC) else {
            return check("the topic does not exist");
        };
        for server in servers {
            if let Ok(Some(route)) = self.client.admin().route_at(&server.address, &default).await
                && route.queues.iter().any(|queues| perm::is_inherited(queues.perm))
            {
                return check("the topic does not exist; brokers create it at its first message").warned();
            }
        }
        check("the topic does not exist, and no broker creates topics")
    }

    /// A message to each broker of the topic, and the clock of each broker that was reached.
    pub(super) async fn messages(
        &self,
        route: Option<&TopicRoute>,
        reached: &[Reached],
        report: &mut Report,
    ) {
        let mut clocks: BTreeMap<&str, Moment> = reached
            .iter()
            .filter(|broker| broker.is_master)
            .filter_map(|broker| Some((broker.name.as_str(), broker.clock?)))
            .collect();
        let mut sends = Vec::new();
        match self.why_not_to_send() {
            Some(why) => {
                report.add([Check::skipped(CheckKind::TestSend, self.topic().unwrap_or("-"), why)]);
            }
            None => sends = self.sends(route, reached, report).await,
        }
        for (broker, check, moment) in &sends {
            report.add([check.clone()]);
            if let (Some(broker), Some(moment)) =
                (reached.iter().find(|reached| reached.name == *broker), moment)
            {
                clocks.insert(broker.name.as_str(), *moment);
            }
        }
        if clocks.is_empty() {
            report.add([Check::skipped(CheckKind::ClockSkew, "cluster", "no broker told its time")]);
        }
        let most = self.examination.most_skew;
        report.add(clocks.into_iter().map(|(broker, moment)| moment.check(broker, most)));
    }

    fn why_not_to_send(&self) -> Option<&'static str> {
        match (self.topic(), self.examination.test_send) {
            (None, _) => Some(NO_TOPIC),
            (_, false) => Some("not wanted"),
            _ => None,
        }
    }

    /// Sends one message to each broker; without a route, one that creates the topic.
    async fn sends(
        &self,
        route: Option<&TopicRoute>,
        reached: &[Reached],
        report: &mut Report,
    ) -> Vec<(String, Check, Option<Moment>)> {
        let topic = self.topic().unwrap_or_default();
        let skip = |why: &str| Check::skipped(CheckKind::TestSend, topic, why);
        let Some(route) = route else {
            let is_creatable = report.of(CheckKind::Route).any(|check| check.state == super::State::Warning);
            if is_creatable {
                return vec![self.send(topic, None).await];
            }
            report.add([skip("there is no route")]);
            return Vec::new();
        };
        let mut queues = route.writable_queues();
        queues.dedup_by(|one, other| one.broker_name() == other.broker_name());
        if queues.is_empty() {
            report.add([skip("no queue can be written")]);
        }
        let is_reached = |queue: &MessageQueue| {
            reached.iter().any(|broker| broker.is_master && broker.name == queue.broker_name())
        };
        let (queues, silent): (Vec<_>, Vec<_>) = queues.into_iter().partition(is_reached);
        report.add(silent.iter().map(|queue| {
            let target = format!("{topic} at {}", queue.broker_name());
            Check::skipped(CheckKind::TestSend, target, "the broker cannot be reached")
        }));
        all(queues.into_iter().map(|queue| self.send(topic, Some(queue)))).await
    }

    async fn send(&self, topic: &str, queue: Option<MessageQueue>) -> (String, Check, Option<Moment>) {
        let broker = queue.as_ref().map_or("-", |queue| queue.broker_name()).to_owned();
        let target = if queue.is_some() { format!("{topic} at {broker}") } else { topic.to_owned() };
        let shared = self.shared();
        let config = ProducerConfig::new(GROUP).timeout(shared.request_timeout);
        let producer = match self.client.producer(config) {
            Ok(producer) => producer,
            Err(error) => {
                let check = Check::failed(CheckKind::TestSend, target, error.code(), error.to_string());
                return (broker, check, None);
            }
        };
        let sending = producer.send(Message::new(topic, BODY).tag(TAG));
        let sending = match queue {
            Some(queue) => sending.to(queue),
            None => sending,
        };
        let began = shared.clock.wall_millis();
        let sent = sending.await;
        let ended = shared.clock.wall_millis();
        match sent {
            Ok(receipt) => {
                let moment = self.store_time(&receipt).await;
                let moment = moment.map(|stored| Moment::of_store(stored, began, ended));
                let broker = receipt.queue().broker_name().to_owned();
                (broker, judge_receipt(target, &receipt, ended - began), moment)
            }
            Err(error) => (broker, judge_failure(target, &error), None),
        }
    }

    /// When the broker stored a message, by its clock.
    async fn store_time(&self, receipt: &SendReceipt) -> Option<i64> {
        let message = self.client.admin().view_message(receipt.offset_id()).await.ok()?;
        Some(message.store_timestamp())
    }
}

fn judge_route(route: &TopicRoute, missing: &[&str]) -> Check {
    let name = route.topic.as_str();
    let queues: i64 = route.queues.iter().map(|queues| i64::from(queues.write_queues)).sum();
    let masters = route.brokers.iter().filter(|broker| broker.master().is_some()).count();
    if route.brokers.is_empty() || route.queues.is_empty() {
        let found = "the name server gives a route without brokers or queues";
        return Check::failed(CheckKind::Route, name, ErrorCode::ROUTE_UNUSABLE, found);
    }
    if masters == 0 {
        let found = format!("{} of the topic, none has a master", counted(route.brokers.len(), "broker"));
        return Check::failed(CheckKind::Route, name, ErrorCode::NO_MASTER, found);
    }
    let queues = counted(usize::try_from(queues).unwrap_or(0), "write queue");
    let found = format!("{}, {queues}", counted(route.brokers.len(), "broker"));
    if !missing.is_empty() {
        return Check::ok(
            CheckKind::Route,
            name,
            format!("{found}; {} does not know the topic", missing.join(", ")),
        )
        .warned()
        .fix("give every broker all name servers in its namesrvAddr, or wait for 30 s after a restart");
    }
    if masters < route.brokers.len() {
        let without = route.brokers.iter().filter(|broker| broker.master().is_none());
        let names: Vec<_> = without.map(|broker| broker.name.as_str()).collect();
        let found = format!("{found}; no master: {}", names.join(", "));
        return Check::failed(CheckKind::Route, name, ErrorCode::NO_MASTER, found).warned();
    }
    Check::ok(CheckKind::Route, name, found)
}

fn judge_permission(route: &TopicRoute) -> Check {
    let name = route.topic.as_str();
    let (writable, barred): (Vec<_>, Vec<_>) =
        route.queues.iter().partition(|queues| perm::is_writable(queues.perm) && queues.write_queues > 0);
    if barred.is_empty() {
        let what = if writable.iter().all(|queues| perm::is_readable(queues.perm)) {
            "read and written"
        } else {
            "written"
        };
        return Check::ok(CheckKind::Permission, name, format!("it may be {what}"));
    }
    let names: Vec<_> =
        barred.iter().map(|queues| format!("{} (perm {})", queues.broker, queues.perm)).collect();
    let found = format!("it may not be written at {}", names.join(", "));
    let queues = route.queues.iter().map(|queues| queues.read_queues).max().unwrap_or(8);
    let check = Check::failed(CheckKind::Permission, name, ErrorCode::NOT_WRITABLE, found).fix(format!(
        "make it writable: maxq topic create {name} --queues {queues} --perm rw; if all topics of the broker are \
         read-only, see its brokerPermission (default 6) and mqadmin addWritePerm"
    ));
    if writable.is_empty() { check } else { check.warned() }
}

fn judge_receipt(target: String, receipt: &SendReceipt, took: i64) -> Check {
    let place = format!(
        "{}:{} offset {}",
        receipt.queue().broker_name(),
        receipt.queue().queue_id(),
        receipt.queue_offset()
    );
    let found = format!("stored in {place} after {took} ms");
    match receipt.status() {
        StoreStatus::Ok => Check::ok(CheckKind::TestSend, target, found),
        status => Check::ok(CheckKind::TestSend, target, format!("{found}, but {status:?}"))
            .warned()
            .fix("look at the broker's disk and its replica: flushDiskType, brokerRole"),
    }
}

fn judge_failure(target: String, error: &SendError) -> Check {
    let last = error.attempts().last();
    let found = match last.and_then(|attempt| Some((attempt.code()?, attempt.remark()))) {
        Some((code, remark)) => {
            format!("the broker answered {}: {}", ResponseCode(code), remark.unwrap_or_default())
        }
        None => error.to_string(),
    };
    Check::failed(CheckKind::TestSend, target, error.code(), found)
}

const GROUP: &str = "maxq-doctor";
const TAG: &str = "maxq-doctor";
const BODY: &str = "maxq doctor";
