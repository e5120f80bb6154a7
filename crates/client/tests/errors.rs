//! Errors as a user reads them: the whole sentence of those that newcomers meet, and every code at least once.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use maxq::{
    Client, ClientConfig, ErrorCode, From, Message, MessageQueue, Outcome, ProducerConfig, RequestError,
    RequestErrorKind, RetryPolicy, SendError, SendErrorKind, admin::TopicSettings,
};
use maxq_protocol::{RemotingCommand, RequestCode, ResponseCode};
use support::{Act, NAME_SERVER, Network, address, reply, route_body, route_with_perm, serve};

const SENDS: RequestCode = RequestCode::SEND_MESSAGE_V2;

/// How grpc-netty 1.53 began its answer to a frame of ours (SETTINGS), before it closed.
const GRPC: &[u8] = b"\0\0\x12\x04\0\0\0\0\0\0\x03\x7f\xff\xff\xff\0\x04\0\x10\0\0\0\x06\0\0\x20\0";

/// The body of a route, or a code.
type RouteAnswer = fn() -> Result<Vec<u8>, i32>;
/// What a peer does about every request.
type Script = fn() -> Vec<Act>;

async fn failed_send(network: &Network) -> SendError {
    let message = Message::new("orders", "a secret body");
    network.producer().send(message).retry(RetryPolicy::none()).await.unwrap_err()
}

/// A cluster whose brokers answer every send so.
fn refusing(code: i32, remark: &'static str) -> Network {
    let network = Network::cluster("orders", &["a"]);
    network.peer(&address("a"), move |request| {
        let answer = reply(request, ResponseCode(code)).with_remark(remark);
        vec![Act::Answer(if request.request_code() == SENDS { answer } else { serve(request) })]
    });
    network
}

fn of_route(route: RouteAnswer) -> Network {
    let network = Network::default();
    network.name_server(move |_, _| route());
    network
}

/// What a reader would ask first of the queue's broker.
async fn failed_question(network: &Network, broker: &str) -> RequestError {
    network.client().admin().min_offset(&MessageQueue::new("orders", broker, 0)).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_main_that_returns_an_error_prints_its_sentence() {
    let network = of_route(|| Err(17));
    let send = failed_send(&network).await;
    assert_eq!(format!("{send:?}"), send.to_string());
    assert!(format!("{send:#?}").contains("attempts"), "{send:#?}");
    let request = failed_question(&network, "a").await;
    assert_eq!(format!("{request:?}"), request.to_string());
    let config = ClientConfig::from_url("kafka://a").unwrap_err();
    assert_eq!(format!("{config:?}"), config.to_string());
    let connect = maxq::Producer::connect("kafka://a").await.unwrap_err();
    assert_eq!(format!("{connect:?}"), connect.to_string());
}

#[tokio::test(start_paused = true)]
async fn the_sentence_of_a_name_server_that_is_not_there() {
    assert_eq!(
        failed_send(&Network::default()).await.to_string(),
        "message to orders: not sent: no name server answered (ns:9876: connection refused); check the name server's \
         host and port (the default port is 9876), and that it runs [MQ2001]"
    );
    let error = Client::connect(Network::default().config_of("ns-1:9876,ns-2:9876")).await.unwrap_err();
    assert_eq!(
        error
            .to_string()
            .replace("ns-2:9876: connection refused, ns-1:9876", "ns-1:9876: connection refused, ns-2:9876"),
        "no name server answered (ns-1:9876: connection refused, ns-2:9876: connection refused); check the name \
         server's host and port (the default port is 9876), and that it runs [MQ2001]"
    );
}

#[tokio::test(start_paused = true)]
async fn the_sentence_of_a_missing_topic() {
    let network = of_route(|| Err(17));
    assert_eq!(
        failed_send(&network).await.to_string(),
        "message to orders: not sent: name server ns:9876 does not know the topic, and no broker creates topics (there \
         is no TBW102); create the topic, or turn autoCreateTopicEnable on at the brokers and auto_create on here \
         [MQ2002]"
    );
    assert_eq!(
        network.client().admin().route("orders").await.unwrap_err().to_string(),
        "ns:9876: it answered TOPIC_NOT_EXIST (17): no; create the topic, or turn autoCreateTopicEnable on at the \
         brokers and auto_create on here [MQ2002]"
    );
}

#[tokio::test(start_paused = true)]
async fn the_sentence_of_a_topic_without_a_master() {
    let network =
        of_route(|| Ok(String::from_utf8(route_body(&["a"])).unwrap().replace("{0:", "{1:").into_bytes()));
    assert_eq!(
        failed_send(&network).await.to_string(),
        "message to orders: not sent: the route that name server ns:9876 gives: no broker of the topic has a master; \
         start the master of the topic's broker [MQ2003]"
    );
    assert_eq!(
        failed_question(&network, "a").await.to_string(),
        "broker a of topic orders has no master; start the master of the topic's broker [MQ2003]"
    );
}

#[tokio::test(start_paused = true)]
async fn the_sentence_of_a_read_only_topic() {
    assert_eq!(
        failed_send(&of_route(|| Ok(route_with_perm(&["a"], 4)))).await.to_string(),
        "message to orders: not sent: the route that name server ns:9876 gives: no queue is writable (perm 4); give \
         the topic write permission (perm 6), or send to another one [MQ2004]"
    );
}

#[tokio::test(start_paused = true)]
async fn the_sentence_of_a_broker_that_is_down() {
    assert_eq!(
        failed_send(&of_route(|| Ok(route_body(&["a"])))).await.to_string().replace("queue 1", "queue 0"),
        "message to orders: not sent: 1 attempt failed; tried a (a:10911, queue 0) no connection: connection refused \
         after 0.0ns; check that the broker runs and that its advertised address (brokerIP1) can be reached from here, \
         or map it with map_address [MQ3001]"
    );
}

/// A broker in a container: its address in the route is for other containers.
#[tokio::test(start_paused = true)]
async fn the_sentence_of_an_address_that_is_not_for_here() {
    let network = of_route(|| Ok(route_body(&["172.17.0.3"])));
    let error = failed_question(&network, "172.17.0.3").await;
    assert_eq!(error.kind(), RequestErrorKind::Connect);
    assert_eq!(
        error.to_string(),
        "172.17.0.3:10911: the address that the name server gave cannot be reached from here: connection refused; \
         tell the client an address that works with map_address(\"ADVERTISED\", \"REACHABLE\"), or set brokerIP1 on \
         the broker [MQ3007]"
    );
    let error = failed_send(&network).await;
    assert_eq!((error.kind(), error.outcome()), (SendErrorKind::Connect, Outcome::NotSent));
    assert_eq!(
        error.to_string().replace("queue 1", "queue 0"),
        "message to orders: not sent: 1 attempt failed; tried 172.17.0.3 (172.17.0.3:10911, queue 0) no connection: \
         connection refused after 0.0ns; tell the client an address that works with map_address(\"ADVERTISED\", \
         \"REACHABLE\"), or set brokerIP1 on the broker [MQ3007]"
    );
    // The same broker, mapped to an address where nobody listens either.
    let mapped = network.config().map_address("172.17.0.3:10911", "published:10911");
    let admin = Client::lazy(mapped).unwrap().admin();
    let error = admin.min_offset(&MessageQueue::new("orders", "172.17.0.3", 0)).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::CONNECT);
    assert!(
        error
            .to_string()
            .starts_with("172.17.0.3:10911: no connection could be opened (mapped to published:10911)"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_has_answered_is_down_and_not_elsewhere() {
    let network = of_route(|| Ok(route_body(&["172.17.0.3"])));
    let broker = address("172.17.0.3");
    let down = Arc::new(AtomicBool::new(false));
    let is_down = down.clone();
    network.peer(&broker, move |request| match is_down.load(Ordering::Relaxed) {
        true => vec![Act::Close],
        false => vec![Act::Answer(serve(request))],
    });
    let producer = network.producer();
    producer.send(Message::new("orders", "x")).await.unwrap();
    // Until its heartbeat was answered too.
    while producer.client().broker_version(&broker).is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    down.store(true, Ordering::Relaxed);
    network.remove(&broker);
    let (admin, queue) = (producer.client().admin(), MessageQueue::new("orders", "172.17.0.3", 0));
    for code in [ErrorCode::LOST, ErrorCode::CONNECT] {
        let error = admin.min_offset(&queue).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_sentence_of_a_grpc_port() {
    let network = Network::default();
    network.peer(NAME_SERVER, |_| vec![Act::Bytes(GRPC.to_vec()), Act::Close]);
    assert_eq!(
        Client::connect(network.config()).await.unwrap_err().to_string(),
        "no name server answered (ns:9876: the peer speaks HTTP/2: this is a gRPC port, not a remoting port); use the \
         remoting port (proxy: 8080, broker: 10911, name server: 9876), not the gRPC port [MQ3005]"
    );
}

#[tokio::test(start_paused = true)]
async fn the_sentence_of_a_missing_name_server() {
    assert_eq!(
        Client::lazy(ClientConfig::new("")).unwrap_err().to_string(),
        "no name server is configured: give at least one host:port, such as 127.0.0.1:9876; correct the setting named \
         here [MQ1005]"
    );
}

#[tokio::test(start_paused = true)]
async fn the_sentence_of_a_message_that_is_too_large() {
    let error = Network::cluster("orders", &["a"])
        .producer()
        .send(Message::new("orders", vec![0; 5 << 20]))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "message to orders: not sent: its body has 5242880 bytes, and at most 4194304 are allowed; send less at once, \
         or raise max_message_size here and maxMessageSize on the brokers [MQ1002]"
    );
}

#[tokio::test(start_paused = true)]
async fn the_sentences_of_refusals() {
    let rows = [
        (
            16,
            "User:a has no permission to access Topic:orders from 10.0.0.9, no matched policies.",
            "message to orders: refused: the broker refused it; tried a (a:10911, queue 0) answered NO_PERMISSION (16) \
             after 0.0ns: User:a has no permission to access Topic:orders from 10.0.0.9, no matched policies.; check \
             the access key, the secret, and the permissions of the user [MQ5001]",
        ),
        (
            14,
            "service not available now. It may be caused by one of the following reasons: the broker's disk is full",
            "message to orders: refused: 1 attempt failed; tried a (a:10911, queue 0) answered SERVICE_NOT_AVAILABLE \
             (14) after 0.0ns: service not available now. It may be caused by one of the following reasons: the \
             broker's disk is full; free the broker's disk, or start its master [MQ4003]",
        ),
        (
            13,
            "the message is illegal\nand more lines that nobody wants",
            "message to orders: refused: the broker refused it; tried a (a:10911, queue 0) answered MESSAGE_ILLEGAL \
             (13) after 0.0ns: the message is illegal; see what the broker said [MQ4001]",
        ),
    ];
    for (code, remark, expected) in rows {
        let error = failed_send(&refusing(code, remark)).await;
        assert_eq!(error.to_string().replace("queue 1", "queue 0"), expected);
        assert_eq!(error.outcome(), Outcome::Refused);
    }
}

#[tokio::test(start_paused = true)]
async fn the_sentence_of_no_answer() {
    let network = Network::cluster("orders", &["a"]);
    network.peer(&address("a"), |_| vec![]);
    assert_eq!(
        failed_send(&network).await.to_string().replace("queue 1", "queue 0"),
        "message to orders: may or may not be stored: no usable answer came, and this send must not go out twice; tried \
         a (a:10911, queue 0) no answer in time after 3.0s; look at the server's load, or allow more time [MQ3002]"
    );
}

#[tokio::test(start_paused = true)]
async fn errors_show_no_bodies() {
    let error = failed_send(&refusing(13, "no")).await;
    let texts = [
        error.to_string(),
        format!("{error:?}"),
        format!("{error:#?}"),
        format!("{:?}", error.into_messages()),
    ];
    for text in texts {
        assert!(!text.contains("secret"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_closed_client_is_asked_is_closed() {
    let network = Network::cluster("orders", &["a"]);
    let client = network.client();
    client.close(Duration::from_secs(1)).await;
    let error = client.admin().topics().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::CLOSED, "{error}");
    let error = client.admin().min_offset(&MessageQueue::new("orders", "a", 0)).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (RequestErrorKind::Closed, ErrorCode::CLOSED), "{error}");
}

/// Who asks for too much at once is told which questions never left.
#[tokio::test(start_paused = true)]
async fn a_full_connection_and_a_late_request_are_not_sent() {
    let codes = codes_of_a_flood().await;
    let count = |code| codes.get(&code).copied().unwrap_or_default();
    assert!(count(ErrorCode::CONNECTION_FULL) > 0, "{codes:?}");
    assert!(count(ErrorCode::DEADLINE) > 7_000, "{codes:?}");
    assert_eq!(codes.len(), 3, "what the outbox took is unknown: {codes:?}");
}

/// 9,000 questions at once to a broker that reads nothing: how many ended with which code.
async fn codes_of_a_flood() -> BTreeMap<ErrorCode, usize> {
    let network = Network::default();
    network.deafen("127.0.0.1:10911");
    let admin = network.client().admin();
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..9_000 {
        let admin = admin.clone();
        asking.spawn(async move { admin.view_message("7F00000100002A9F0000000000003039").await });
    }
    let mut codes = BTreeMap::new();
    while let Some(done) = asking.join_next().await {
        *codes.entry(done.unwrap().unwrap_err().code()).or_default() += 1;
    }
    codes
}

/// Every code comes out of the public interface, and its sentence ends with what to do and the code.
#[tokio::test(start_paused = true)]
async fn every_code_is_met() {
    let mut met = Met::default();
    met.of_the_caller().await;
    met.of_the_route().await;
    met.of_the_network().await;
    met.of_brokers().await;
    let unmet: Vec<_> = ErrorCode::ALL.iter().filter(|code| !met.0.contains_key(code)).collect();
    assert!(unmet.is_empty(), "nothing here gives {unmet:?}");
}

/// The codes that were met, each with one of its sentences.
#[derive(Default)]
struct Met(BTreeMap<ErrorCode, String>);

impl Met {
    async fn of_the_caller(&mut self) {
        let network = Network::cluster("orders", &["a"]);
        network.peer(&address("a"), |_| vec![]);
        let producer = network.client().producer(ProducerConfig::new("tests").limits(1, 100)).unwrap();
        self.send(ErrorCode::INVALID, producer.send(Message::new("orders", "")).await.unwrap_err());
        let large = Message::new("orders", vec![0; 5 << 20]);
        self.send(ErrorCode::TOO_LARGE, producer.send(large).await.unwrap_err());
        let send = |within| producer.send(Message::new("orders", "x")).timeout(Duration::from_secs(within));
        let (first, second) = tokio::join!(send(2).into_future(), send(1).into_future());
        self.send(ErrorCode::TIMEOUT, first.unwrap_err());
        self.send(ErrorCode::OVERLOADED, second.unwrap_err());
        producer.close(Duration::from_secs(1)).await;
        self.send(ErrorCode::CLOSED, send(1).await.unwrap_err());
        let error = Client::lazy(ClientConfig::new("localhost")).unwrap_err();
        self.note(ErrorCode::CONFIG, error.code(), error.to_string());
        for code in codes_of_a_flood().await.into_keys() {
            self.0.entry(code).or_default();
        }
    }

    async fn of_the_route(&mut self) {
        self.send(ErrorCode::NAME_SERVER_UNREACHABLE, failed_send(&Network::default()).await);
        let rows: [(ErrorCode, RouteAnswer); 6] = [
            (ErrorCode::TOPIC_NOT_FOUND, || Err(17)),
            (ErrorCode::ROUTE_REFUSED, || Err(1)),
            (ErrorCode::ACCESS, || Err(16)),
            (ErrorCode::NOT_WRITABLE, || Ok(route_with_perm(&["a"], 4))),
            (ErrorCode::NO_MASTER, || {
                Ok(String::from_utf8(route_body(&["a"])).unwrap().replace("{0:", "{1:").into_bytes())
            }),
            (ErrorCode::ROUTE_UNUSABLE, || Ok(b"{\"queueDatas\":[{".to_vec())),
        ];
        for (code, route) in rows {
            let network = of_route(route);
            self.send(code, failed_send(&network).await);
            if route().is_err() {
                self.request(code, network.client().admin().route("orders").await.unwrap_err());
            }
        }
        let network = Network::default();
        network.deafen(NAME_SERVER);
        self.send(ErrorCode::NAME_SERVER_UNREACHABLE, failed_send(&network).await);
        let network = Network::cluster("orders", &["a"]);
        let nowhere = MessageQueue::new("orders", "z", 0);
        let error =
            network.producer().send(Message::new("orders", "x")).to(nowhere.clone()).await.unwrap_err();
        self.send(ErrorCode::QUEUE_GONE, error);
        self.request(ErrorCode::QUEUE_GONE, failed_question(&network, "z").await);
        let error = network.client().reader(&nowhere, From::Start).next().await.unwrap_err();
        assert_eq!(error.kind(), RequestErrorKind::NoRoute);
        self.request(ErrorCode::QUEUE_GONE, error);
        let network = of_route(|| Ok(b"{\"brokerAddrTable\":{},\"clusterAddrTable\":{}}".to_vec()));
        let error =
            network.client().admin().create_topic("orders", TopicSettings::default()).await.unwrap_err();
        assert_eq!(error.kind(), RequestErrorKind::NoRoute);
        self.request(ErrorCode::NO_BROKER, error);
    }

    async fn of_the_network(&mut self) {
        let network = of_route(|| Ok(route_body(&["a"])));
        self.send(ErrorCode::CONNECT, failed_send(&network).await);
        self.request(ErrorCode::CONNECT, failed_question(&network, "a").await);
        let network = of_route(|| Ok(route_body(&["172.17.0.3"])));
        self.send(ErrorCode::ADVERTISED_ADDRESS, failed_send(&network).await);
        self.request(ErrorCode::ADVERTISED_ADDRESS, failed_question(&network, "172.17.0.3").await);
        let rows: [(ErrorCode, Script); 4] = [
            (ErrorCode::TIMEOUT, Vec::new),
            (ErrorCode::LOST, || vec![Act::Close]),
            (ErrorCode::HTTP_PORT, || vec![Act::Bytes(GRPC.to_vec()), Act::Close]),
            (ErrorCode::PROTOCOL, || vec![Act::Bytes(vec![0x7f; 8])]),
        ];
        for (code, acts) in rows {
            let network = Network::cluster("orders", &["a"]);
            network.peer(&address("a"), move |_| acts());
            self.send(code, failed_send(&network).await);
            self.request(code, failed_question(&network, "a").await);
        }
    }

    async fn of_brokers(&mut self) {
        let rows = [
            (13, "the message is illegal", ErrorCode::REFUSED),
            (2, "[REJECTREQUEST]system busy", ErrorCode::BUSY),
            (14, "service not available now", ErrorCode::UNAVAILABLE),
            (17, "topic[orders] not exist", ErrorCode::TOPIC_NOT_FOUND),
            (16, "check signature failed.", ErrorCode::ACCESS),
            (16, "the broker[10.0.0.1] sending message is forbidden", ErrorCode::FORBIDDEN),
            (1500, "please go away", ErrorCode::LEAVING),
        ];
        for (code, remark, stable) in rows {
            self.send(stable, failed_send(&refusing(code, remark)).await);
        }
        let rows = [
            (1500, "please go away", ErrorCode::LEAVING),
            (16, "the topic[orders] pulling message is forbidden", ErrorCode::FORBIDDEN),
            (0, "", ErrorCode::ANSWER),
        ];
        for (code, remark, stable) in rows {
            let network = Network::cluster("orders", &["a"]);
            network.peer(&address("a"), move |request: &RemotingCommand| {
                vec![Act::Answer(reply(request, ResponseCode(code)).with_remark(remark))]
            });
            self.request(stable, failed_question(&network, "a").await);
        }
        let network = Network::cluster("orders", &["a"]);
        network.peer(&address("a"), |request| vec![Act::Answer(reply(request, ResponseCode::SUCCESS))]);
        self.send(ErrorCode::ANSWER, failed_send(&network).await);
    }

    fn send(&mut self, code: ErrorCode, error: SendError) {
        let text = error.to_string();
        let outcome = match error.outcome() {
            Outcome::NotSent => "not sent",
            Outcome::Refused => "refused",
            Outcome::Unknown => "may or may not be stored",
        };
        assert!(text.starts_with(&format!("message to orders: {outcome}: ")), "{text}");
        // What was never sent has no attempt that could be named; everything else names its broker.
        let tried = error.attempts().iter().all(|attempt| text.contains(&attempt.to_string()));
        assert!(tried && (error.outcome() == Outcome::NotSent || !error.attempts().is_empty()), "{text}");
        assert!(error.kind() != SendErrorKind::Closed || code == ErrorCode::CLOSED, "{text}");
        self.note(code, error.code(), text);
        assert_eq!(error.into_messages().len(), 1, "the message comes back");
    }

    fn request(&mut self, code: ErrorCode, error: RequestError) {
        self.note(code, error.code(), error.to_string());
    }

    fn note(&mut self, expected: ErrorCode, code: ErrorCode, text: String) {
        assert_eq!(code, expected, "{text}");
        assert!(text.ends_with(&format!("; {} [{code}]", code.advice())), "{text}");
        assert!(!text.contains('\n') && !text.contains("  "), "{text}");
        self.0.insert(code, text);
    }
}
