//! Names with several addresses, the address endpoint, and the scheduled work around a cluster. Time is tokio's paused
//! clock; the cluster is on a virtual network.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use maxq::{
    Client, ClientConfig, ErrorCode, Message, Producer, ProducerConfig, RequestErrorKind, Stream, doctor,
};
use maxq_emulator::{Cluster, VirtualNetwork};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
    time::sleep,
};

const NAME: &str = "ns.test:9876";
const WEB: &str = "web.test:8080";

/// A cluster, a name service, and a web server.
#[derive(Clone)]
struct World {
    cluster: Arc<Cluster>,
    network: VirtualNetwork,
    names: Arc<Mutex<BTreeMap<String, Vec<SocketAddr>>>>,
    lookups: Arc<Mutex<usize>>,
    web: Arc<Mutex<Web>>,
}

#[derive(Default)]
struct Web {
    /// What it answers; nothing while it is down.
    answer: Option<String>,
    /// The request lines.
    asked: Vec<String>,
    tasks: JoinSet<()>,
}

impl World {
    async fn new(brokers: usize, name_servers: usize) -> Self {
        let network = VirtualNetwork::seeded(1);
        let builder =
            Cluster::builder().virtual_network(&network).brokers(brokers).name_servers(name_servers);
        let cluster = Arc::new(builder.topic("T", 2).start().await.unwrap());
        let (names, lookups, web) = Default::default();
        Self { cluster, network, names, lookups, web }
    }

    fn name_server(&self, index: usize) -> SocketAddr {
        self.cluster.name_server_at(index).address()
    }

    /// The name means these name servers from now on.
    fn name(&self, indexes: &[usize]) {
        let addresses = indexes.iter().map(|index| self.name_server(*index)).collect();
        self.names.lock().unwrap().insert("ns.test".to_owned(), addresses);
    }

    fn lookups(&self) -> usize {
        *self.lookups.lock().unwrap()
    }

    fn set_up(&self, config: ClientConfig) -> ClientConfig {
        let (network, web) = (self.network.clone(), self.web.clone());
        let (names, lookups) = (self.names.clone(), self.lookups.clone());
        config
            .seed(3)
            .connector(move |address: String| {
                let (network, web) = (network.clone(), web.clone());
                async move {
                    if address == WEB {
                        return accept(&web);
                    }
                    Ok(Stream::Boxed(Box::new(network.dial(&address).await?)))
                }
            })
            .resolver(move |host: String, _port| {
                *lookups.lock().unwrap() += 1;
                let found = names.lock().unwrap().get(&host).cloned();
                async move { found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no such name")) }
            })
    }

    fn by_name(&self) -> ClientConfig {
        self.set_up(ClientConfig::new(NAME))
    }

    /// Connections to a name server.
    fn connections(&self, index: usize) -> usize {
        self.network.connections(&self.name_server(index).to_string())
    }
}

fn accept(web: &Arc<Mutex<Web>>) -> io::Result<Stream> {
    let (ours, mut theirs) = tokio::io::duplex(1024);
    let shared = web.clone();
    let Web { answer, tasks, .. } = &mut *web.lock().unwrap();
    let Some(answer) = answer.clone() else { return Err(io::ErrorKind::ConnectionRefused.into()) };
    tasks.spawn(async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            if theirs.read_buf(&mut request).await.unwrap() == 0 {
                return;
            }
        }
        let line = String::from_utf8(request).unwrap().lines().next().unwrap().to_owned();
        shared.lock().unwrap().asked.push(line);
        theirs.write_all(answer.as_bytes()).await.unwrap();
    });
    Ok(Stream::Boxed(Box::new(ours)))
}

fn producer(config: ClientConfig) -> Producer {
    Client::lazy(config).unwrap().producer(ProducerConfig::new("tests")).unwrap()
}

async fn send(producer: &Producer) {
    producer.send(Message::new("T", "x")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_address_of_a_name_is_a_name_server() {
    let world = World::new(1, 2).await;
    world.name(&[0, 1]);
    let producer = producer(world.by_name());
    send(&producer).await;
    for dead in [0, 1] {
        world.cluster.stop_name_server(dead).await;
        sleep(Duration::from_secs(31)).await;
        producer.client().admin().route("T").await.unwrap();
        world.cluster.start_name_server(dead).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_its_name_has_no_more_is_disconnected() {
    let world = World::new(1, 3).await;
    world.name(&[0, 1]);
    let producer = producer(world.by_name());
    send(&producer).await;
    assert_eq!((world.connections(0), world.connections(1), world.connections(2)), (1, 1, 0));
    world.name(&[1, 2]);
    sleep(Duration::from_secs(31)).await;
    producer.client().admin().route("T").await.unwrap();
    assert_eq!(world.connections(0), 0, "it is gone from the list");
    world.name(&[2]);
    sleep(Duration::from_secs(31)).await;
    producer.client().admin().route("T").await.unwrap();
    assert_eq!((world.connections(0), world.connections(1), world.connections(2)), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn the_server_that_answered_stays_when_others_join() {
    let world = World::new(1, 3).await;
    world.name(&[1]);
    let producer = producer(world.by_name());
    send(&producer).await;
    world.name(&[0, 1, 2]);
    sleep(Duration::from_secs(61)).await;
    producer.client().admin().route("T").await.unwrap();
    assert_eq!((world.connections(0), world.connections(1), world.connections(2)), (0, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_looked_up_anew_at_once_when_no_server_answers() {
    let world = World::new(1, 2).await;
    world.name(&[0]);
    let producer = producer(world.by_name());
    send(&producer).await;
    sleep(Duration::from_secs(5)).await;
    world.cluster.stop_name_server(0).await;
    world.name(&[1]);
    producer.client().admin().route("T").await.unwrap();
    assert_eq!(world.connections(1), 1);
}

#[tokio::test(start_paused = true)]
async fn names_are_looked_up_every_30_seconds_and_not_for_every_question() {
    let world = World::new(1, 1).await;
    world.name(&[0]);
    let client = Client::connect(world.by_name()).await.unwrap();
    for _ in 0..20 {
        client.admin().route("T").await.unwrap();
    }
    assert_eq!(world.lookups(), 1);
    sleep(Duration::from_secs(91)).await;
    assert_eq!(world.lookups(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_look_up_that_fails_changes_nothing() {
    let world = World::new(1, 1).await;
    world.name(&[0]);
    let client = Client::connect(world.by_name()).await.unwrap();
    world.names.lock().unwrap().clear();
    sleep(Duration::from_secs(100)).await;
    client.admin().route("T").await.unwrap();
    world.names.lock().unwrap().insert("ns.test".to_owned(), Vec::new());
    sleep(Duration::from_secs(100)).await;
    client.admin().route("T").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_name_that_nobody_knows_is_the_sentence_and_can_come_later() {
    let world = World::new(1, 1).await;
    let error = Client::connect(world.by_name()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NAME_SERVER_UNREACHABLE);
    assert!(error.to_string().contains("no name server answered (ns.test:9876: "), "{error}");
    let client = Client::lazy(world.by_name()).unwrap();
    assert!(client.admin().route("T").await.is_err());
    world.name(&[0]);
    sleep(Duration::from_secs(1)).await;
    client.admin().route("T").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_silent_resolver_leaves_time_for_nothing_but_blocks_nobody_for_ever() {
    let world = World::new(1, 1).await;
    let config = world.by_name().resolver(|_, _| std::future::pending());
    let error = Client::connect(config).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::NAME_SERVER_UNREACHABLE);
}

/// `localhost` has two addresses on most machines, and the name server listens at one of them.
#[tokio::test]
async fn a_name_works_over_real_sockets() {
    let cluster = Cluster::builder().topic("T", 1).start().await.unwrap();
    let port = cluster.name_server().port();
    let client = Client::connect(ClientConfig::new(format!("localhost:{port}"))).await.unwrap();
    let producer = client.producer(ProducerConfig::new("tests")).unwrap();
    send(&producer).await;
    let config = ClientConfig::new(format!("ns.test:{port}")).resolver(|host: String, port| async move {
        assert_eq!(host, "ns.test");
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
    });
    Client::connect(config).await.unwrap();
    client.close(Duration::from_secs(1)).await;
    cluster.stop().await;
}

/// The doctor asked the operating system for names that only the resolver of the configuration knows.
#[tokio::test(start_paused = true)]
async fn the_doctor_looks_names_up_as_the_client_does_and_asks_each_address() {
    let world = World::new(1, 2).await;
    let examine = || doctor::examine(world.by_name(), doctor::Examination::new());
    let targets = |report: &doctor::Report, state| -> Vec<String> {
        let ports = report.of(doctor::CheckKind::Tcp).filter(|check| check.state == state);
        ports.map(|check| check.target.clone()).collect()
    };
    let ips = [0, 1].map(|index| world.name_server(index).ip());
    let each = ips.map(|ip| format!("{NAME} at {ip}"));
    world.name(&[0, 1]);
    let report = examine().await;
    assert_eq!(report.verdict(), doctor::Verdict::Well, "{report:#?}");
    assert_eq!(targets(&report, doctor::State::Ok), each);
    let dns = report.of(doctor::CheckKind::Dns).next().unwrap();
    assert_eq!(dns.found, format!("the name stands for {}, {}", ips[0], ips[1]));
    // One that is down is a warning, as if it had a name of its own.
    world.cluster.stop_name_server(1).await;
    let report = examine().await;
    assert_eq!(report.verdict(), doctor::Verdict::Well, "{report:#?}");
    assert_eq!(targets(&report, doctor::State::Ok), each[..1]);
    assert_eq!(targets(&report, doctor::State::Warning), each[1..]);
    world.name(&[]);
    assert_eq!(examine().await.verdict(), doctor::Verdict::Unreachable);
    world.names.lock().unwrap().clear();
    let report = examine().await;
    assert_eq!(report.verdict(), doctor::Verdict::Unreachable);
    let failed = report.with(doctor::State::Failed).next().unwrap();
    assert!(failed.found.ends_with("no such name"), "{failed}");
}

/// The pair was looked up by the address that the name stands for, which its author cannot know.
#[tokio::test(start_paused = true)]
async fn a_pair_for_the_name_of_a_name_server_counts_instead_of_what_the_name_stands_for() {
    let world = World::new(1, 2).await;
    world.name(&[0]);
    let to = world.name_server(1).to_string();
    send(&producer(world.by_name().map_address(NAME, &*to))).await;
    assert_eq!((world.connections(0), world.connections(1), world.lookups()), (0, 1, 0));
    let config = world.by_name().map_address(NAME, &*to);
    let report = doctor::examine(config, doctor::Examination::new()).await;
    assert_eq!(report.verdict(), doctor::Verdict::Well, "{report:#?}");
    let dns = report.of(doctor::CheckKind::Dns).next().unwrap();
    assert_eq!((dns.found.clone(), world.lookups()), (format!("mapped to {to}"), 0));
    // Beside it, another name is looked up.
    let config = world.set_up(ClientConfig::new(format!("{NAME},mapped.test:9876")));
    let producer = producer(config.map_address("mapped.test:9876", to));
    send(&producer).await;
    world.cluster.stop_name_server(0).await;
    producer.client().admin().route("T").await.unwrap();
    world.cluster.start_name_server(0).await.unwrap();
    world.cluster.stop_name_server(1).await;
    producer.client().admin().route("T").await.unwrap();
}

#[cfg(feature = "http-discovery")]
mod http {
    use maxq::admin::TopicSettings;

    use super::*;

    impl World {
        fn web_answers(&self, answer: Option<&str>) {
            self.web.lock().unwrap().answer = answer.map(str::to_owned);
        }

        fn web_asked(&self) -> usize {
            self.web.lock().unwrap().asked.len()
        }

        fn by_http(&self) -> ClientConfig {
            self.set_up(ClientConfig::from_http("web.test"))
        }
    }

    fn page(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    #[tokio::test(start_paused = true)]
    async fn the_address_endpoint_is_asked_at_the_start_after_10_seconds_and_every_2_minutes() {
        let world = World::new(1, 1).await;
        world.web_answers(Some(&page("200 OK", &format!("{};\n", world.name_server(0)))));
        let client = Client::connect(world.by_http()).await.unwrap();
        for (more, asked, at) in
            [(9, 1, 9), (2, 2, 11), (118, 2, 129), (2, 3, 131), (118, 3, 249), (2, 4, 251)]
        {
            sleep(Duration::from_secs(more)).await;
            assert_eq!(world.web_asked(), asked, "after {at} s");
        }
        assert_eq!(world.web.lock().unwrap().asked[0], "GET /rocketmq/nsaddr HTTP/1.1");
        client.admin().route("T").await.unwrap();
        client.close(Duration::from_secs(1)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_list_is_followed_and_a_bad_answer_changes_nothing() {
        let world = World::new(1, 2).await;
        world.name(&[1]);
        world.web_answers(Some(&page("200 OK", &world.name_server(0).to_string())));
        let producer = producer(world.by_http());
        send(&producer).await;
        assert_eq!((world.connections(0), world.connections(1)), (1, 0));
        // The list may hold names.
        world.web_answers(Some(&page("200 OK", NAME)));
        sleep(Duration::from_secs(11)).await;
        producer.client().admin().route("T").await.unwrap();
        assert_eq!((world.connections(0), world.connections(1)), (0, 1));
        for bad in [
            Some(page("404 Not Found", "10.9.9.9:1")),
            Some(page("200 OK", "")),
            Some("SSH-2.0\r\n".to_owned()),
            None,
        ] {
            world.web_answers(bad.as_deref());
            sleep(Duration::from_secs(120)).await;
            producer.client().admin().route("T").await.unwrap();
        }
        assert_eq!(world.connections(1), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn names_from_the_endpoint_are_looked_up_every_30_seconds_once_they_are_used() {
        let world = World::new(1, 1).await;
        world.name(&[0]);
        world.web_answers(Some(&page("200 OK", NAME)));
        let client = Client::lazy(world.by_http()).unwrap();
        sleep(Duration::from_secs(65)).await;
        assert_eq!((world.web_asked(), world.lookups()), (1, 1), "only the look after 10 s");
        client.admin().route("T").await.unwrap();
        sleep(Duration::from_secs(60)).await;
        assert_eq!((world.web_asked(), world.lookups()), (1, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_that_is_down_is_the_sentence() {
        let world = World::new(1, 1).await;
        let rows = [
            (None, "connection refused"),
            (Some(page("503 Service Unavailable", "")), "it answered HTTP 503 Service Unavailable"),
            (Some(page("200 OK", "<html>")), "it answered no name servers"),
        ];
        for (answer, why) in rows {
            world.web_answers(answer.as_deref());
            let error = Client::connect(world.by_http()).await.unwrap_err().to_string();
            let expected = format!("no name server answered (http://web.test:8080/rocketmq/nsaddr: {why})");
            assert!(error.contains(&expected), "{error}");
        }
    }

    #[tokio::test]
    async fn the_endpoint_is_reached_over_real_sockets() {
        let cluster = Cluster::builder().topic("T", 1).start().await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/list", listener.local_addr().unwrap());
        let body = page("200 OK", &cluster.name_servers());
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            // It keeps the connection open: the length says where the answer ends.
            stream.write_all(body.as_bytes()).await.unwrap();
            stream
        };
        let (client, _stream) = tokio::join!(Client::connect(ClientConfig::from_http(url)), serve);
        let client = client.unwrap();
        send(&client.producer(ProducerConfig::new("tests")).unwrap()).await;
        client.close(Duration::from_secs(1)).await;
        cluster.stop().await;
    }

    /// Against Apache's servers `ensure_topic` waited for the endpoint itself to tell the route.
    #[tokio::test(start_paused = true)]
    async fn a_topic_is_ensured_and_deleted_at_every_name_server_that_the_endpoint_names() {
        let world = World::new(1, 2).await;
        let both = format!("{};{}", world.name_server(0), world.name_server(1));
        world.web_answers(Some(&page("200 OK", &both)));
        let ensured = Client::lazy(world.by_http()).unwrap();
        let settings = TopicSettings::default().queues(1);
        ensured.admin().ensure_topic("U", settings, Duration::from_secs(5)).await.unwrap();
        assert_eq!((world.connections(0), world.connections(1)), (1, 1));
        let deleted = Client::lazy(world.by_http()).unwrap();
        deleted.admin().delete_topic("U").await.unwrap();
        for index in [0, 1] {
            let config = world.set_up(ClientConfig::new(world.name_server(index).to_string()));
            let gone = Client::lazy(config).unwrap().admin().route("U").await.unwrap_err();
            assert_eq!(gone.code(), ErrorCode::TOPIC_NOT_FOUND);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_doctor_looks_at_the_name_servers_that_the_endpoint_names() {
        let world = World::new(1, 1).await;
        world.web_answers(Some(&page("200 OK", &world.name_server(0).to_string())));
        let report = doctor::examine(world.by_http(), doctor::Examination::new()).await;
        let ports: Vec<_> = report.of(doctor::CheckKind::Tcp).collect();
        assert_eq!(ports[0].target, world.name_server(0).to_string());
        assert_eq!((ports.len(), report.verdict()), (1, doctor::Verdict::Well), "{report:?}");
        world.web_answers(None);
        let report = doctor::examine(world.by_http(), doctor::Examination::new()).await;
        assert_eq!(report.verdict(), doctor::Verdict::Failed, "{report:?}");
        let failed = report.with(doctor::State::Failed).next().unwrap();
        assert_eq!(failed.target, "http://web.test:8080/rocketmq/nsaddr");
        assert_eq!(failed.code, Some(ErrorCode::NAME_SERVER_UNREACHABLE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_unit_has_a_list_of_its_own() {
        let world = World::new(1, 1).await;
        world.web_answers(Some(&page("200 OK", &world.name_server(0).to_string())));
        let client = Client::connect(world.by_http().unit_name("blue").instance_name("i")).await.unwrap();
        assert_eq!(world.web.lock().unwrap().asked[0], "GET /rocketmq/nsaddr-blue?nofix=1 HTTP/1.1");
        assert_eq!(client.id(), "maxq@i@blue");
    }
}

#[cfg(not(feature = "http-discovery"))]
#[tokio::test]
async fn an_endpoint_needs_its_feature_and_says_so() {
    let error = Client::lazy(ClientConfig::from_http("web.test")).unwrap_err();
    assert!(error.to_string().contains("feature \"http-discovery\""), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_prewarmed_producer_only_sends() {
    let world = World::new(2, 1).await;
    world.name(&[0]);
    let producer = producer(world.by_name());
    producer.prewarm(&["T"]).await.unwrap();
    assert_eq!(world.cluster.clients().len(), 2, "both brokers know the group");
    world.cluster.clear_requests();
    for _ in 0..4 {
        send(&producer).await;
    }
    assert_eq!(world.cluster.requests().len(), 4, "{:?}", world.cluster.requests());
    // Its routes stay fresh though nobody sends.
    sleep(Duration::from_secs(3_605)).await;
    world.cluster.clear_requests();
    send(&producer).await;
    assert_eq!(world.cluster.requests().len(), 1, "{:?}", world.cluster.requests());
}

#[tokio::test(start_paused = true)]
async fn prewarming_says_what_is_missing() {
    let world = World::new(2, 1).await;
    world.name(&[0]);
    let strict = Client::lazy(world.by_name()).unwrap();
    let strict = strict.producer(ProducerConfig::new("tests").auto_create(false)).unwrap();
    let error = strict.prewarm(&["T", "missing"]).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (RequestErrorKind::NoRoute, ErrorCode::TOPIC_NOT_FOUND));
    assert_eq!(strict.prewarm(&["a b"]).await.unwrap_err().kind(), RequestErrorKind::Invalid);
    strict.prewarm(&[]).await.unwrap();
    for broker in 0..2 {
        world.network.refuse(&world.cluster.broker(broker).address().to_string());
        let producer = producer(world.by_name());
        let warm = producer.prewarm(&["T"]).await;
        match broker {
            0 => warm.expect("one broker is enough"),
            _ => assert_eq!(warm.unwrap_err().kind(), RequestErrorKind::Connect),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_no_route_names_is_forgotten_and_disconnected() {
    let world = World::new(2, 1).await;
    world.name(&[0]);
    let producer = producer(world.by_name());
    producer.prewarm(&["T"]).await.unwrap();
    let gone = world.cluster.broker(1).address().to_string();
    assert!(producer.client().broker_version(&gone).is_some());
    world.cluster.kill_broker(1).await;
    sleep(Duration::from_secs(65)).await;
    assert!(producer.client().broker_version(&gone).is_none());
    assert_eq!(world.network.connections(&gone), 0);
    send(&producer).await;
}
