//! What a broker's answer to a send means: the one table of it.
//!
//! Apache's client spreads this over `DefaultMQProducer.retryResponseCodes` (sync only) and the transport. Here an
//! authentication failure is not retried, flow control backs off, and a stale route is refreshed.

use maxq_protocol::ResponseCode;

/// What a send does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The message is stored. The three codes beside SUCCESS say how well.
    Stored,
    /// The broker is busy: wait a little, then ask another one.
    BackOff,
    /// Ask another broker.
    OtherBroker,
    /// The route is stale: refresh it, then choose again.
    RefreshRoute,
    /// The broker is leaving: use a new connection, and another broker if that is of no use.
    Reconnect,
    /// The broker does not know the short form of a send (SEND_MESSAGE_V2): use the long one (SEND_MESSAGE).
    LongForm,
    /// The broker refuses this message, and so would every other.
    Refused,
    /// Access control refuses: trying again changes nothing.
    Access,
}

/// What `code` with `remark` means for a send.
pub fn judge(code: ResponseCode, remark: &str) -> Action {
    match code {
        ResponseCode::SUCCESS
        | ResponseCode::FLUSH_DISK_TIMEOUT
        | ResponseCode::SLAVE_NOT_AVAILABLE
        | ResponseCode::FLUSH_SLAVE_TIMEOUT => Action::Stored,
        ResponseCode::SYSTEM_BUSY | ResponseCode::FLOW_CONTROL => Action::BackOff,
        ResponseCode::SYSTEM_ERROR if is_access_remark(remark) => Action::Access,
        ResponseCode::SYSTEM_ERROR
        | ResponseCode::SERVICE_NOT_AVAILABLE
        | ResponseCode::NO_BUYER_ID
        | ResponseCode::NOT_IN_CURRENT_UNIT => Action::OtherBroker,
        ResponseCode::TOPIC_NOT_EXIST | ResponseCode::NOT_LEADER_FOR_QUEUE => Action::RefreshRoute,
        // 4.9 answers code 1 instead of 29 here; that goes to another broker, which serves as well.
        ResponseCode::INVALID_PARAMETER if remark.contains("request queueId[") => Action::RefreshRoute,
        // One broker's write bit is off: its remark is "the broker[IP] sending message is forbidden".
        ResponseCode::NO_PERMISSION if remark.starts_with("the broker[") => Action::OtherBroker,
        ResponseCode::NO_PERMISSION => Action::Access,
        ResponseCode::GO_AWAY => Action::Reconnect,
        ResponseCode::REQUEST_CODE_NOT_SUPPORTED => Action::LongForm,
        _ => Action::Refused,
    }
}

/// Whether an answer says that the broker as a whole cannot serve, whatever the message: its health suffers. A refusal
/// of one message, or a busy moment, is no illness.
pub fn is_outage(code: ResponseCode, remark: &str) -> bool {
    match code {
        ResponseCode::SERVICE_NOT_AVAILABLE | ResponseCode::GO_AWAY => true,
        ResponseCode::NO_PERMISSION => judge(code, remark) == Action::OtherBroker,
        _ => false,
    }
}

/// Access control of 4.x answers code 1 with its exception's name in the remark.
fn is_access_remark(remark: &str) -> bool {
    remark.contains("AclException") || remark.contains("AuthenticationException")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_answers() {
        let rows = [
            (0, "", Action::Stored),
            (10, "", Action::Stored),
            (11, "", Action::Stored),
            (12, "", Action::Stored),
            (2, "[REJECTREQUEST]system busy", Action::BackOff),
            (215, "", Action::BackOff),
            (14, "service not available now", Action::OtherBroker),
            (1, "java.lang.NullPointerException", Action::OtherBroker),
            (1, "org.apache.rocketmq.acl.common.AclException: Check signature failed", Action::Access),
            (17, "topic[T] not exist", Action::RefreshRoute),
            (501, "", Action::RefreshRoute),
            (29, "request queueId[99] is illegal", Action::RefreshRoute),
            (29, "The specified topic is blank.", Action::Refused),
            (16, "the broker[10.0.0.1] sending message is forbidden", Action::OtherBroker),
            (16, "User:a has no permission to access Topic:T", Action::Access),
            (204, "", Action::OtherBroker),
            (205, "", Action::OtherBroker),
            (1500, "please go away", Action::Reconnect),
            (3, " request type 310 not supported", Action::LongForm),
            (13, "the message is illegal", Action::Refused),
            (15, "", Action::Refused),
            (26, "", Action::Refused),
            (604, "", Action::Refused),
            (9999, "", Action::Refused),
        ];
        for (code, remark, action) in rows {
            assert_eq!(judge(ResponseCode(code), remark), action, "{code} {remark}");
        }
    }

    #[test]
    fn only_what_concerns_the_whole_broker_is_an_outage() {
        let rows = [
            (14, "service not available now", true),
            (16, "the broker[10.0.0.1] sending message is forbidden", true),
            (16, "User:a has no permission to access Topic:T", false),
            (1500, "", true),
            (2, "[REJECTREQUEST]system busy", false),
            (1, "java.lang.NullPointerException", false),
            (13, "the message is illegal", false),
            (0, "", false),
        ];
        for (code, remark, outage) in rows {
            assert_eq!(is_outage(ResponseCode(code), remark), outage, "{code} {remark}");
        }
    }
}
