//! Which stable code a missing or a bad answer gets: the one place that decides it.

use std::{net::IpAddr, sync::Arc};

use maxq_policy::{Action, judge};
use maxq_protocol::ResponseCode;

use super::ErrorCode;
use crate::{
    client::Shared,
    remoting::{CallError, Phase, cause::Cause},
};

impl Shared {
    /// The code of a call to `address`, as a route gives it, that got no answer.
    pub(crate) fn blame(&self, address: &Arc<str>, error: &CallError) -> ErrorCode {
        let code = error.code();
        // A broker that has answered before is down now; its address is right. A mapped one is the user's own.
        let is_known = || self.versions.get(address).is_some() || self.remoting.target(address) != *address;
        if code == ErrorCode::CONNECT
            && is_from_elsewhere(address, &error.cause, &self.name_servers.addresses())
            && !is_known()
        {
            return ErrorCode::ADVERTISED_ADDRESS;
        }
        code
    }
}

impl CallError {
    /// The code by what happened alone.
    pub(crate) fn code(&self) -> ErrorCode {
        match (&*self.cause, self.phase) {
            (cause, _) if cause.is_http() => ErrorCode::HTTP_PORT,
            (Cause::Protocol(_), _) => ErrorCode::PROTOCOL,
            (Cause::Closed, _) => ErrorCode::CLOSED,
            (Cause::Full, _) => ErrorCode::CONNECTION_FULL,
            (Cause::GoAway, _) => ErrorCode::LEAVING,
            (Cause::Io(_) | Cause::ConnectTimedOut | Cause::TimedOut, Phase::Connect) => ErrorCode::CONNECT,
            (Cause::TimedOut, Phase::Write) => ErrorCode::DEADLINE,
            (Cause::TimedOut, Phase::Answer) => ErrorCode::TIMEOUT,
            _ => ErrorCode::LOST,
        }
    }
}

/// The code of a server's answer that is no success.
pub(crate) fn of_answer(code: ResponseCode, remark: &str) -> ErrorCode {
    match code {
        ResponseCode::SYSTEM_BUSY | ResponseCode::FLOW_CONTROL => ErrorCode::BUSY,
        ResponseCode::SERVICE_NOT_AVAILABLE => ErrorCode::UNAVAILABLE,
        ResponseCode::TOPIC_NOT_EXIST => ErrorCode::TOPIC_NOT_FOUND,
        ResponseCode::GO_AWAY => ErrorCode::LEAVING,
        // One code of RocketMQ's for two things: who asks may not, or nobody may.
        ResponseCode::NO_PERMISSION if SWITCHED_OFF.iter().any(|begin| remark.starts_with(begin)) => {
            ErrorCode::FORBIDDEN
        }
        _ if judge(code, remark) == Action::Access => ErrorCode::ACCESS,
        _ => ErrorCode::REFUSED,
    }
}

/// How brokers begin when something is switched off (`SendMessageProcessor`, `PullMessageProcessor`,
/// `TopicValidator`, `RecallMessageProcessor`). Only the beginning counts: names of users and topics come later.
const SWITCHED_OFF: [&str; 6] = [
    "the broker[",
    "the topic[",
    "Sending message to topic[",
    "subscription group no permission",
    "the consumer group",
    "recall failed",
];

/// Whether a dial to `address` failed because it is an address for somewhere else: a container's, the broker's own
/// loopback, a private network, a name that is only known there. A name server at an address of the same sort shows
/// that this client is there too.
fn is_from_elsewhere(address: &str, cause: &Cause, name_servers: &str) -> bool {
    if matches!(cause, Cause::Io(error) if error.kind() == std::io::ErrorKind::NotFound) {
        return true;
    }
    let refused = matches!(cause, Cause::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused);
    let place = Place::of(address);
    let suspect = match place {
        Place::Loopback | Place::Container => true,
        // Whoever refuses is there.
        Place::Private => !refused,
        Place::Anywhere => false,
    };
    suspect && name_servers.split(", ").all(|server| Place::of(server) != place)
}

/// From where an address can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// From the same machine.
    Loopback,
    /// From containers of the same network: where Docker takes its networks from, but for 172.31, which is also where
    /// AWS puts its default networks.
    Container,
    /// From the same private network.
    Private,
    /// From anywhere, as far as the address shows.
    Anywhere,
}

impl Place {
    fn of(address: &str) -> Self {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host == "localhost" {
            return Self::Loopback;
        }
        match host.parse().map(|ip: IpAddr| ip.to_canonical()) {
            Ok(ip) if ip.is_loopback() || ip.is_unspecified() => Self::Loopback,
            Ok(IpAddr::V4(ip)) if matches!(ip.octets(), [172, 17..=30, ..]) => Self::Container,
            Ok(IpAddr::V4(ip)) if ip.is_private() || ip.is_link_local() => Self::Private,
            Ok(IpAddr::V6(ip)) if ip.is_unique_local() || ip.is_unicast_link_local() => Self::Private,
            _ => Self::Anywhere,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use maxq_protocol::{DecodeError, DecodeErrorKind};

    use super::*;
    use crate::remoting::connect::tcp;

    #[test]
    fn every_cause_has_its_code_in_every_phase() {
        use Phase::{Answer, Connect, Write};
        let refused = || Cause::Io(io::ErrorKind::ConnectionRefused.into());
        let reset = || Cause::Io(io::ErrorKind::ConnectionReset.into());
        let garbage = || Cause::Protocol(DecodeError::new(DecodeErrorKind::Truncated, "frame"));
        let rows = [
            (refused(), Connect, ErrorCode::CONNECT),
            (Cause::Io(io::ErrorKind::NotFound.into()), Connect, ErrorCode::CONNECT),
            (Cause::ConnectTimedOut, Connect, ErrorCode::CONNECT),
            (Cause::PeerClosed, Connect, ErrorCode::LOST),
            (Cause::PeerClosed, Write, ErrorCode::LOST),
            (reset(), Answer, ErrorCode::LOST),
            (Cause::Idle, Answer, ErrorCode::LOST),
            (Cause::TimedOut, Write, ErrorCode::DEADLINE),
            (Cause::TimedOut, Answer, ErrorCode::TIMEOUT),
            (Cause::Full, Write, ErrorCode::CONNECTION_FULL),
            (Cause::GoAway, Write, ErrorCode::LEAVING),
            (Cause::Closed, Answer, ErrorCode::CLOSED),
            (Cause::Http2, Answer, ErrorCode::HTTP_PORT),
            (garbage(), Answer, ErrorCode::PROTOCOL),
            (garbage(), Connect, ErrorCode::PROTOCOL),
        ];
        for (cause, phase, code) in rows {
            let error = CallError { phase, cause: Arc::new(cause) };
            assert_eq!(error.code(), code, "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_name_that_is_not_known_is_told_from_a_host_that_is_silent() {
        // No name has a part of more than 63 characters, so nobody is asked.
        let error = tcp().connect(&format!("{}:10911", "x".repeat(64))).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
    }

    #[test]
    fn an_answer_tells_access_from_what_is_switched_off() {
        let rows = [
            (2, "[REJECTREQUEST]system busy", ErrorCode::BUSY),
            (215, "", ErrorCode::BUSY),
            (14, "service not available now", ErrorCode::UNAVAILABLE),
            (17, "topic[T] not exist", ErrorCode::TOPIC_NOT_FOUND),
            (1500, "please go away", ErrorCode::LEAVING),
            (16, "the broker[10.0.0.1] sending message is forbidden", ErrorCode::FORBIDDEN),
            (16, "the topic[T] pulling message is forbidden", ErrorCode::FORBIDDEN),
            (16, "Sending message to topic[SELF_TEST_TOPIC] is forbidden.", ErrorCode::FORBIDDEN),
            (16, "User:a has no permission to access Topic:the topic[", ErrorCode::ACCESS),
            (16, "check signature failed.", ErrorCode::ACCESS),
            (1, "org.apache.rocketmq.acl.common.AclException: No accessKey", ErrorCode::ACCESS),
            (1, "java.lang.NullPointerException", ErrorCode::REFUSED),
            (13, "the message is illegal", ErrorCode::REFUSED),
            (29, "request queueId[99] is illegal", ErrorCode::REFUSED),
            (4_711, "", ErrorCode::REFUSED),
        ];
        for (code, remark, stable) in rows {
            assert_eq!(of_answer(ResponseCode(code), remark), stable, "{code} {remark}");
        }
    }

    #[test]
    fn an_address_for_somewhere_else_is_recognised() {
        let silent = || Cause::ConnectTimedOut;
        let refused = || Cause::Io(io::ErrorKind::ConnectionRefused.into());
        let unknown = || Cause::Io(io::ErrorKind::NotFound.into());
        let rows = [
            ("172.17.0.3:10911", refused(), "127.0.0.1:9876", true),
            ("172.20.0.3:10911", silent(), "ns:9876", true),
            ("172.17.0.3:10911", refused(), "172.17.0.2:9876", false),
            ("172.15.0.3:10911", silent(), "ns:9876", false),
            ("172.31.0.3:10911", refused(), "ns:9876", false),
            ("172.31.0.3:10911", silent(), "ns:9876", true),
            ("127.0.0.1:10911", refused(), "10.0.0.2:9876", true),
            ("0.0.0.0:10911", refused(), "10.0.0.2:9876", true),
            ("127.0.0.1:10911", refused(), "ns:9876, localhost:9876", false),
            ("[::1]:10911", refused(), "[::1]:9876", false),
            ("10.0.0.3:10911", silent(), "203.0.113.7:9876", true),
            ("10.0.0.3:10911", refused(), "203.0.113.7:9876", false),
            ("192.168.1.3:10911", silent(), "10.0.0.2:9876", false),
            ("[fd00::3]:10911", silent(), "[2001:db8::1]:9876", true),
            ("203.0.113.8:10911", silent(), "203.0.113.7:9876", false),
            ("broker-0:10911", unknown(), "127.0.0.1:9876", true),
            ("broker-0:10911", refused(), "127.0.0.1:9876", false),
        ];
        for (address, cause, name_servers, expected) in rows {
            assert_eq!(
                is_from_elsewhere(address, &cause, name_servers),
                expected,
                "{address} {cause} {name_servers}"
            );
        }
    }
}
