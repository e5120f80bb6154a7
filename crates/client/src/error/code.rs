//! Stable error codes: `MQ1xxx` the caller, `MQ2xxx` the route, `MQ3xxx` the network, `MQ4xxx` the broker, `MQ5xxx`
//! access. A code is never used for anything else later.
//!
//! This is the one definition of each: `docs/errors.md` and `maxq explain` are made from it.

use std::fmt;

/// A stable code such as `MQ2003`.
///
/// ```
/// use maxq::ErrorCode;
///
/// let code = ErrorCode::from_text("MQ2002").unwrap();
/// assert_eq!(code, ErrorCode::TOPIC_NOT_FOUND);
/// println!("{code}: {}. What to do: {}.", code.title(), code.advice());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(u16);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $title:literal, $advice:literal, $explanation:literal;)+) => {
        impl ErrorCode {
            $($(#[$doc])* pub const $name: Self = Self($number);)+

            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// What happened, as a short phrase.
            pub const fn title(self) -> &'static str {
                match self.0 {
                    $($number => $title,)+
                    _ => "",
                }
            }

            /// What to do about it, as one sentence without a full stop.
            pub const fn advice(self) -> &'static str {
                match self.0 {
                    $($number => $advice,)+
                    _ => "",
                }
            }

            /// What happened, what it means for the message, the usual causes (the likeliest first), and which setting
            /// is concerned, in a few sentences.
            pub const fn explanation(self) -> &'static str {
                match self.0 {
                    $($number => $explanation,)+
                    _ => "",
                }
            }
        }
    };
}

codes! {
    /// The message, or an argument, breaks a rule of RocketMQ.
    INVALID = 1001, "a rule of RocketMQ is broken",
        "correct the message or the argument named here",
        "The message or an argument breaks a rule of RocketMQ, and nothing was sent. Usual causes are an empty body, a \
         topic with a character outside of letters, digits, `%`, `|`, `-` and `_` or with more than 127 characters, one of \
         RocketMQ's own topics, or a property with an empty name or value. Sending it again unchanged gives the same error.";
    /// The body, or the properties, are larger than allowed.
    TOO_LARGE = 1002, "the message is too large",
        "send less at once, or raise max_message_size here and maxMessageSize on the brokers",
        "The body before compression is larger than the producer's `max_message_size` (default 4 MiB), or the encoded \
         properties take more than the 32,767 bytes that a broker can store. Nothing was sent. Split the data, or store it \
         elsewhere and send where it is. A larger limit needs `max_message_size` here and `maxMessageSize` (default 4 MiB) on \
         every broker; the limit of the properties is fixed.";
    /// The producer's limits of messages or bytes under way were reached until the deadline.
    OVERLOADED = 1003, "the producer has no room",
        "send slower, allow more time, or raise the producer's limits",
        "As many messages or bytes as the producer may have (`limits`, default 4,096 messages and 64 MiB) were under way \
         until the deadline of this send, so it never began. Nothing was sent. Usually the program makes messages faster than \
         the brokers store them, or a broker is slow or gone and its sends hold their room until they end. Raising the limits \
         costs memory and only helps against short bursts.";
    /// The client or producer is closed.
    CLOSED = 1004, "the client is closed",
        "use it before it is closed, or create a new one",
        "The client or the producer was closed, the last handle of it was dropped, or the tokio runtime on which it was made \
         has ended. A message whose send had not begun was not sent; a send that was under way says with its outcome whether \
         the message may be stored. A closed client does not open again: make a new one on a runtime that lives long enough.";
    /// The configuration contradicts itself or does not parse.
    CONFIG = 1005, "the configuration cannot work",
        "correct the setting named here",
        "A setting does not parse, contradicts another one, or needs what this build does not have. Nothing was done and no \
         server was asked. Usual causes are a name server without its port (`host:9876`), no name server at all, an unknown \
         key in a connection string, a producer without a group, or no tokio runtime where the client is made.";
    /// More requests wait for one connection than it takes.
    CONNECTION_FULL = 1006, "too many requests wait for one connection",
        "send slower, or lower the producers' limits so that they wait instead",
        "The connection to this server has as many requests waiting as it takes (8,192), so this one was not handed over. It \
         was not sent. The server, or the network to it, takes bytes more slowly than this client makes them, and the limits \
         of all its producers together allow more messages than one connection queues. Lower `limits` (default 4,096 messages \
         for each producer), or find out why the server reads so slowly.";
    /// No name server answered.
    NAME_SERVER_UNREACHABLE = 2001, "no name server answered",
        "check the name server's host and port (the default port is 9876), and that it runs",
        "Every configured name server was tried and none gave an answer; the error names each with what happened there. \
         Without a route no broker is known, so the message was not sent (unless the error says that an earlier attempt \
         was). `connection refused`: nothing listens there, so the port is wrong or the server is not running. `connecting \
         took too long` or `no answer in time`: a firewall, a wrong address, or a server that hangs. A host name that is not \
         known: a typing error, or a name that only exists inside of a container network. `this is a broker`: its port was \
         given for the name server's. A URL in place of a server is an address endpoint (`from_http`) that named none. Each \
         request waits for `request_timeout` (default 3 s).";
    /// No name server knows the topic, and it cannot be created automatically.
    TOPIC_NOT_FOUND = 2002, "the topic does not exist",
        "create the topic, or turn autoCreateTopicEnable on at the brokers and auto_create on here",
        "The name server answered, but knows no such topic, or the broker says that it has none. The message is not stored. \
         Usual causes are a typing error (names are case-sensitive), a topic that was never created while \
         `autoCreateTopicEnable` (broker, default on) or `auto_create` (producer, default on) is off, or the name server of \
         another cluster. A name server that was just started knows topics only after its brokers have registered, which \
         they do every 30 s, and a broker that registers at no name server has no topics there. `maxq topic list` shows what \
         there is, and `maxq topic create TOPIC` creates one.";
    /// The topic is known, but no broker that holds it has a master.
    NO_MASTER = 2003, "no master",
        "start the master of the topic's broker",
        "The topic is known, but of its brokers only replicas are registered, and only a master (broker id 0) stores \
         messages and answers for offsets. The message was not sent. Usually the master is down: the name server forgets it \
         when its connection ends, at the latest after 120 s. It may also have been started with another `brokerId` than 0. \
         `maxq route TOPIC` shows the role of each broker.";
    /// The topic is known, but not writable.
    NOT_WRITABLE = 2004, "the topic is not writable",
        "give the topic write permission (perm 6), or send to another one",
        "The route exists, but none of its queues has the write permission, so the message was not sent. The topic was made \
         read-only (perm 4), or the write permission of its brokers was taken away, as is done before a broker is shut down \
         (`mqadmin wipeWritePerm`; `brokerPermission` on the broker, default 6). `maxq route TOPIC` shows the permission of \
         each broker. A change may take until the next fetch of the route (`route_interval`, default 30 s) to be seen.";
    /// The route is of a kind that Maxq does not support, or it is damaged.
    ROUTE_UNUSABLE = 2005, "the route cannot be used",
        "look at the topic's route with `maxq route TOPIC`",
        "The name server gave a route that leads nowhere: it lists no queues, it maps the topic to logical queues (a static \
         topic, which is not supported), or it does not parse. The message was not sent. A topic with 0 queues can be mended \
         by setting its number of queues again. If the route does not parse, something between here and the name server \
         changes its answers, or it is of an unknown version: please report it.";
    /// The queue's broker is not in the topic's route.
    QUEUE_GONE = 2006, "the queue's broker is not in the route",
        "ask for the topic's queues again",
        "The message, or the request, was for one queue, and the route of the topic, fetched anew, does not name the broker of \
         that queue. Nothing was sent to another one. Usually the list of queues is old: the broker was shut down, or the \
         topic was moved. It may also be a typing error in the broker's name, which is not its address.";
    /// A name server refused to give the route, or to answer another question.
    ROUTE_REFUSED = 2007, "the name server refused",
        "see what the name server said",
        "A name server answered the question for a route, or another one, with a code other than success or no such topic; \
         the error shows it with the server's own words. The message was not sent. `name server not ready` is said in the \
         first 45 s after its start when `needWaitForService` is on; `disable` means that the list of all topics is switched \
         off (`enableAllTopicList`, default on). Otherwise look at the log of that name server.";
    /// No broker with a master is registered at the name server.
    NO_BROKER = 2008, "no broker is registered",
        "start a broker, with this name server in its namesrvAddr",
        "The name server answered, but no broker with a master is registered there, so there is nobody to ask. Usually the \
         broker was not started or has ended (see its log), has no `namesrvAddr` or another one, or cannot reach the name \
         server. A broker registers at its start and every 30 s. `maxq cluster` shows the brokers that are registered.";
    /// No connection could be opened to a broker.
    CONNECT = 3001, "a broker cannot be reached",
        "check that the broker runs and that its advertised address (brokerIP1) can be reached from here, or map it with map_address",
        "The name server gave a route, but no connection could be opened to a broker of it at the address that it advertises. \
         The message was not sent (unless an earlier attempt was: the outcome says so). Usually the broker is down, or a \
         firewall allows the name server's port and not the broker's (10911 by default). It may also advertise an address that \
         is not meant for here (`brokerIP1`, by default the first address of its machine): see MQ3007. Opening a connection \
         waits for `connect_timeout` (default 3 s).";
    /// No answer came before the deadline.
    TIMEOUT = 3002, "no answer in time",
        "look at the server's load, or allow more time",
        "The request left, and no answer came before its deadline. A message may be stored or not: the outcome is unknown, and \
         sending it again may store it twice (it keeps its unique id, so that a consumer can tell). Usually the broker is busy \
         or hangs, waits for its disk or its replica (`flushDiskType=SYNC_FLUSH`, `brokerRole=SYNC_MASTER`), or the network \
         loses packets. A send takes at most the producer's `timeout` (default 3 s), other requests `request_timeout` \
         (default 3 s). `RetryPolicy::never_after_unknown()` ends a send here instead of asking another broker.";
    /// The connection was lost before the answer came.
    LOST = 3003, "the connection was lost",
        "look at the server: it, or the network, ended the connection",
        "The connection ended before the answer came. If the request had left, a message may be stored or not (unknown); if \
         the socket had not taken all of it, it was not sent: the outcome says which. Usually the server was stopped or \
         crashed, a proxy or load balancer between closed the connection, or the server demands TLS and closes what does not \
         speak it. The next request opens a new connection.";
    /// The peer speaks another protocol.
    PROTOCOL = 3004, "the peer does not speak the remoting protocol",
        "check the port: a name server listens on 9876 and a broker on 10911 by default",
        "What came back are no frames of RocketMQ's remoting protocol, so the connection was closed. Usually the address \
         belongs to something else: a wrong port, another service, or a port that speaks TLS while this client does not. If \
         the address is right, something between changes the bytes. A message that had left by then has the outcome unknown.";
    /// The peer speaks HTTP: a gRPC port of a proxy, or a web server.
    HTTP_PORT = 3005, "this is a gRPC or web port",
        "use the remoting port (proxy: 8080, broker: 10911, name server: 9876), not the gRPC port",
        "The peer speaks HTTP. Usually this is the gRPC port of a RocketMQ 5 proxy (8081 by default), which is for gRPC \
         clients; Maxq speaks the remoting protocol, which the proxy serves on port 8080 (`remotingListenPort`). A dashboard \
         or another web server gives the same error. Nothing is stored by such a port.";
    /// The deadline was over before anything left.
    DEADLINE = 3006, "the deadline was over before anything left",
        "nothing was sent: allow more time, or look at why the connection takes no bytes",
        "The time for the send or the request was over before the socket had taken it, so it was not sent. Usually the server \
         reads too slowly, or a large message ahead of this one fills the connection; a very short `timeout` (default 3 s) can \
         also be used up by looking for the route and opening the connection. It is safe to send again.";
    /// A broker advertises an address that cannot be reached from here.
    ADVERTISED_ADDRESS = 3007, "the broker advertises an address that is not for here",
        "tell the client an address that works with map_address(\"ADVERTISED\", \"REACHABLE\"), or set brokerIP1 on the broker",
        "The name server gave a route, but the address that a broker advertises in it cannot be reached from here, and looks as \
         if it were meant for elsewhere: an address inside of a container network (such as 172.17.0.3), a loopback address, a \
         private address that gives no sign of life, or a host name that is not known here. No byte was exchanged, so the \
         message was not sent (unless an earlier attempt was). Usually the broker runs in a container: publish its port, and \
         either set `brokerIP1` in its configuration to an address that clients can reach (and restart it), or map the \
         address in the client with `map_address` (in a connection string: `?map=ADVERTISED>REACHABLE`). When all ports of \
         the cluster are published on the name server's host, `map_to_name_server_host` does it for every broker. If it has \
         worked before, the broker may simply be down.";
    /// A broker refused the message or the request.
    REFUSED = 4001, "the broker refused",
        "see what the broker said",
        "A broker looked at the message or the request and refused it; the error shows its code and its words. The message is \
         not stored by it. Code 13 means a message over a limit of the broker (`maxMessageSize`, default 4 MiB), code 29 a \
         wrong argument such as a queue id that does not exist, code 1 a failure inside of the broker (see its log), code 26 a \
         missing consumer group, code 3 a request that this version of the broker does not know. `maxq explain broker CODE` \
         says what a code means. Unless the cause is removed, sending again gives the same answer.";
    /// Every broker that was asked is busy.
    BUSY = 4002, "the brokers are busy",
        "send slower, or give the brokers more capacity",
        "Every broker that was asked refused because it is overloaded (SYSTEM_BUSY or FLOW_CONTROL); the message is not \
         stored. Brokers do this when requests wait in their queue for more than 200 ms (`waitTimeMillsInSendQueue`) or a write \
         holds the commit log for more than 1 s (`osPageCacheBusyTimeOutMills`), usually because the disk is slow or memory \
         is short. Maxq has waited a little and tried other brokers already, so send slower rather than try again at once.";
    /// A broker cannot store at the moment: its disk is full, or it is a replica.
    UNAVAILABLE = 4003, "the broker does not store at the moment",
        "free the broker's disk, or start its master",
        "The broker answered SERVICE_NOT_AVAILABLE: it takes no writes now, and the message is not stored. Usually its disk is \
         nearly full (90 % by default, `diskSpaceWarningLevelRatio`); it may also be a replica, or be shutting down. Its \
         words in the error show how full its disks are.";
    /// The answer of a broker could not be understood.
    ANSWER = 4004, "the answer could not be understood",
        "a sent message may be stored all the same; report this, with the server's version",
        "A server answered, but what it says cannot be read: a field is missing, or a body does not parse. For a send the \
         outcome is unknown, because the answer may have meant success. The server may be of an unknown version or not be \
         Apache RocketMQ, or something between changes its answers. Please report it with the server's version.";
    /// The broker is shutting down and asks its clients to leave (GO_AWAY).
    LEAVING = 4005, "the broker is shutting down",
        "send again: the next attempt uses a new connection or another broker",
        "The server is about to stop and asks its clients to use another connection (GO_AWAY, code 1500; brokers and proxies \
         from 5.3 on). A message that was refused so is not stored; one whose answer did not come any more may be: the outcome \
         says so. Maxq opens a new connection and tries other brokers by itself, so this error shows only when all attempts \
         met servers that leave. During a rolling restart, allow more attempts or more time.";
    /// A permission bit or a switch of the broker forbids it.
    FORBIDDEN = 4006, "the broker's configuration forbids it",
        "look at the switch that the broker names: brokerPermission, the topic's perm, or the group's settings",
        "The broker answered NO_PERMISSION, not because of who asks, but because something is switched off: the write or read \
         bit of the broker (`brokerPermission`, default 6) or of the topic (`perm`), consumption by a group, one of RocketMQ's \
         own topics, or a feature such as recall. The message is not stored. Credentials do not help; change the setting that \
         the broker's words name, or use another topic.";
    /// Access control refuses.
    ACCESS = 5001, "access denied",
        "check the access key, the secret, and the permissions of the user",
        "Access control refused: the request has no valid credentials, or the user may not do this with this topic or group. \
         The message is not stored, and Maxq does not try again, because every broker would answer the same. `check signature \
         failed` or `User:NAME is not found` mean a wrong access key or secret; `has no permission to access` means a missing \
         permission (sending needs PUB on the topic). Brokers of 4.x say it with an AclException, brokers of 5.x with code 16.";
}

impl ErrorCode {
    /// The code with this text, such as `MQ2003`.
    pub fn from_text(text: &str) -> Option<Self> {
        let number: u16 = text.strip_prefix("MQ")?.parse().ok()?;
        Self::ALL.iter().copied().find(|code| code.0 == number)
    }

    /// The number, such as 2003.
    pub const fn number(self) -> u16 {
        self.0
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
    fn every_code_reads_back_and_stands_in_order() {
        for code in ErrorCode::ALL {
            assert_eq!(ErrorCode::from_text(&code.to_string()), Some(*code));
        }
        assert!(ErrorCode::ALL.is_sorted_by(|a, b| a < b), "no number is used twice");
        assert_eq!(ErrorCode::from_text("MQ9999"), None);
        assert_eq!(ErrorCode::NO_MASTER.number(), 2003);
    }

    /// What was released keeps its number; only new lines are added here.
    #[test]
    fn released_codes_keep_their_meaning() {
        let released = [
            (1001, ErrorCode::INVALID),
            (1002, ErrorCode::TOO_LARGE),
            (1003, ErrorCode::OVERLOADED),
            (1004, ErrorCode::CLOSED),
            (1005, ErrorCode::CONFIG),
            (1006, ErrorCode::CONNECTION_FULL),
            (2001, ErrorCode::NAME_SERVER_UNREACHABLE),
            (2002, ErrorCode::TOPIC_NOT_FOUND),
            (2003, ErrorCode::NO_MASTER),
            (2004, ErrorCode::NOT_WRITABLE),
            (2005, ErrorCode::ROUTE_UNUSABLE),
            (2006, ErrorCode::QUEUE_GONE),
            (2007, ErrorCode::ROUTE_REFUSED),
            (2008, ErrorCode::NO_BROKER),
            (3001, ErrorCode::CONNECT),
            (3002, ErrorCode::TIMEOUT),
            (3003, ErrorCode::LOST),
            (3004, ErrorCode::PROTOCOL),
            (3005, ErrorCode::HTTP_PORT),
            (3006, ErrorCode::DEADLINE),
            (3007, ErrorCode::ADVERTISED_ADDRESS),
            (4001, ErrorCode::REFUSED),
            (4002, ErrorCode::BUSY),
            (4003, ErrorCode::UNAVAILABLE),
            (4004, ErrorCode::ANSWER),
            (4005, ErrorCode::LEAVING),
            (4006, ErrorCode::FORBIDDEN),
            (5001, ErrorCode::ACCESS),
        ];
        for (number, code) in released {
            assert_eq!(code.number(), number);
        }
        assert_eq!(ErrorCode::ALL.len(), released.len(), "a new code needs a line here");
    }

    #[test]
    fn the_texts_of_every_code_fit_where_they_are_shown() {
        for code in ErrorCode::ALL {
            let (title, advice, text) = (code.title(), code.advice(), code.explanation());
            assert!(!title.is_empty() && title.len() <= 60 && !title.ends_with('.'), "{code}: {title}");
            assert!(!advice.is_empty() && !advice.ends_with('.'), "{code}: {advice}");
            assert!(advice.starts_with(|first: char| first.is_lowercase()), "{code}: {advice}");
            assert!(text.len() > 200 && text.ends_with('.'), "{code}: {text}");
            assert!(!text.contains("  ") && !text.contains('\n'), "{code}: one paragraph");
        }
    }
}
