//! Stable error codes: `MQ1xxx` the caller, `MQ2xxx` the route, `MQ3xxx` the network, `MQ4xxx` the broker, `MQ5xxx`
//! access. A code is never used for anything else later.

use std::fmt;

/// A stable code such as `MQ2003`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(u16);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal: $advice:literal;)+) => {
        impl ErrorCode {
            $($(#[$doc])* pub const $name: Self = Self($number);)+

            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// What to do about it, as one sentence without a full stop.
            pub const fn advice(self) -> &'static str {
                match self.0 {
                    $($number => $advice,)+
                    _ => "",
                }
            }
        }
    };
}

codes! {
    /// The message, or an argument, breaks a rule of RocketMQ.
    INVALID = 1001: "mend the message or the argument named here";
    /// The body, or the properties, are larger than allowed.
    TOO_LARGE = 1002: "send less at once, or raise max_message_size here and maxMessageSize on the brokers";
    /// The producer's limits of messages or bytes under way were reached until the deadline.
    OVERLOADED = 1003: "send slower, allow more time, or raise the producer's limits";
    /// The client or producer is closed.
    CLOSED = 1004: "create a new client";
    /// The configuration contradicts itself or does not parse.
    CONFIG = 1005: "mend the setting named here";
    /// No name server answered.
    NAME_SERVER_UNREACHABLE = 2001: "check the name server's host and port (the default port is 9876), and that it runs";
    /// No name server knows the topic, and it cannot be created automatically.
    TOPIC_NOT_FOUND = 2002: "create the topic, or turn autoCreateTopicEnable on at the brokers and auto_create on here";
    /// The topic is known, but no broker that holds it has a master.
    NO_MASTER = 2003: "start the master of the topic's broker";
    /// The topic is known, but not writable.
    NOT_WRITABLE = 2004: "give the topic write permission (perm 6), or send to another one";
    /// The route is of a kind that Maxq does not support, or it is damaged.
    ROUTE_UNUSABLE = 2005: "look at the topic's route with `maxq route`";
    /// The queue's broker is not in the topic's route.
    QUEUE_GONE = 2006: "ask for the topic's queues again";
    /// The name server refused to give the route.
    ROUTE_REFUSED = 2007: "see what the name server said";
    /// No connection could be opened to a broker.
    CONNECT = 3001: "check that the broker's advertised address (brokerIP1) can be reached from here, or map it with map_address";
    /// No answer came before the deadline.
    TIMEOUT = 3002: "look at the server's load, or allow more time";
    /// The connection was lost before the answer came.
    LOST = 3003: "look at the server: it, or the network, ended the connection";
    /// The peer speaks another protocol.
    PROTOCOL = 3004: "check the port: a name server listens on 9876 and a broker on 10911 by default, and TLS is not supported yet";
    /// The peer speaks HTTP: a gRPC port of a proxy, or a web server.
    HTTP_PORT = 3005: "use the remoting port (proxy: 8080, broker: 10911, name server: 9876), not the gRPC port";
    /// The deadline was over before anything left.
    DEADLINE = 3006: "nothing was sent: allow more time, or look at why the connection takes no bytes";
    /// A broker refused the message or the request.
    REFUSED = 4001: "see what the broker said";
    /// Every broker that was asked is busy.
    BUSY = 4002: "send slower, or give the brokers more capacity";
    /// A broker cannot store at the moment: its disk is full, or it is a replica.
    UNAVAILABLE = 4003: "free the broker's disk, or start its master";
    /// The answer of a broker could not be understood.
    ANSWER = 4004: "the message may be stored all the same; report this, with the broker's version";
    /// Access control refuses.
    ACCESS = 5001: "check the access key, the secret, and the permissions of the user";
}

impl ErrorCode {
    /// The code with this text, such as `MQ2003`.
    pub fn from_text(text: &str) -> Option<Self> {
        let number: u16 = text.strip_prefix("MQ")?.parse().ok()?;
        Self::ALL.iter().copied().find(|code| code.0 == number)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MQ{:04}", self.0)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_and_has_advice() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_text(&code.to_string()), Some(*code));
            assert!(!code.advice().is_empty(), "{code}");
        }
        assert_eq!(ErrorCode::from_text("MQ9999"), None);
    }
}
