//! Tests about time: a broker on in-memory streams, with a paused clock that jumps when nothing is left to do.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::BytesMut;
use maxq_protocol::{
    FrameReader, RemotingCommand,
    body::{HeartbeatData, JsonDialect, ProducerData, to_json},
    header::{Heartbeat, PullMessage, SendMessage, SendMessageV2},
    message::PullSysFlag,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    broker::{Broker, BrokerSettings, Identity},
    clock::Clock,
    listener::{Listener, Net},
    name_server::NameServer,
    network::{VirtualNetwork, VirtualStream},
    serve::{Peer, converse},
    store::StoreLimit,
    surroundings::Surroundings,
    version::EmulatedVersion,
};

/// A broker without sockets.
struct Quiet {
    broker: Arc<Broker>,
    tasks: TaskTracker,
    network: VirtualNetwork,
    listener: Listener,
    address: SocketAddr,
    connections: u64,
}

impl Quiet {
    async fn new() -> Self {
        let version = EmulatedVersion::V5_5_0;
        let surroundings = Surroundings::new(Clock::system(), 0, 0);
        let name_server = Arc::new(NameServer::new(version, 0, surroundings.clone()));
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let identity = Identity::new(version, 0, "c".to_owned(), address);
        let limit = StoreLimit { bytes: 1 << 20, messages: 100 };
        let settings = BrokerSettings { auto_create_topics: true, store_limit: limit, seed: 0 };
        let broker = Arc::new(Broker::new(identity, &settings, Arc::from([name_server]), surroundings));
        let network = VirtualNetwork::seeded(0);
        let (listener, _) = Net::Virtual(network.clone()).listen(address).await.unwrap();
        Self { broker, tasks: TaskTracker::new(), network, listener, address, connections: 0 }
    }

    async fn connect(&mut self) -> Connection {
        self.connections += 1;
        let stream = self.network.dial(&self.address.to_string()).await.unwrap();
        let (theirs, address) = self.listener.accept().await.unwrap();
        let peer = Peer { connection: self.connections, address, closing: CancellationToken::new() };
        self.tasks.spawn(converse(theirs, peer, Arc::clone(&self.broker), Arc::default(), 0));
        Connection { stream, input: BytesMut::new() }
    }
}

struct Connection {
    stream: VirtualStream,
    input: BytesMut,
}

impl Connection {
    async fn post(&mut self, request: &RemotingCommand) {
        let mut frame = Vec::new();
        request.encode(&mut frame);
        self.stream.write_all(&frame).await.unwrap();
    }

    /// The next answer, or none when the broker has closed the connection.
    async fn next(&mut self) -> Option<RemotingCommand> {
        loop {
            if let Some(answer) = FrameReader::new().next(&mut self.input).unwrap() {
                return Some(answer);
            }
            if self.stream.read_buf(&mut self.input).await.unwrap() == 0 {
                return None;
            }
        }
    }
}

fn send(tag: &str) -> RemotingCommand {
    RemotingCommand::request(&SendMessageV2(SendMessage {
        topic: "T".into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 1,
        properties: format!("UNIQ_KEY\u{1}u\u{2}TAGS\u{1}{tag}\u{2}").into(),
        ..SendMessage::default()
    }))
    .with_body("x")
}

/// A pull of tag Z that may be held.
fn held(offset: i64, millis: i64) -> RemotingCommand {
    RemotingCommand::request(&PullMessage {
        consumer_group: "g".into(),
        topic: "T".into(),
        queue_id: 0,
        queue_offset: offset,
        max_messages: 32,
        sys_flag: PullSysFlag::SUSPEND.with(PullSysFlag::SUBSCRIPTION).0,
        commit_offset: None,
        suspend_timeout_millis: Some(millis),
        subscription: Some("Z".into()),
        subscription_version: None,
        expression_type: None,
        broker_name: None,
    })
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_after_two_minutes() {
    let mut quiet = Quiet::new().await;
    let mut connection = quiet.connect().await;
    let clock = quiet.broker.clock;
    tokio::time::sleep(Duration::from_secs(70)).await;
    connection.post(&send("A")).await;
    assert!(connection.next().await.is_some());
    let last_active = clock.elapsed();
    assert!(connection.next().await.is_none());
    assert_eq!((clock.elapsed() - last_active).as_secs(), 120);
}

#[tokio::test(start_paused = true)]
async fn a_client_without_heartbeats_is_forgotten_and_cut_off_although_it_sends() {
    let mut quiet = Quiet::new().await;
    let mut connection = quiet.connect().await;
    let clock = quiet.broker.clock;
    let housekeeping = quiet.tasks.spawn(Arc::clone(&quiet.broker).keep_house());
    let data = HeartbeatData {
        client_id: "c@1".into(),
        producer_data_set: vec![ProducerData { group_name: "p".into() }],
        ..HeartbeatData::default()
    };
    let body = to_json(&data, JsonDialect::Standard);
    connection.post(&RemotingCommand::request(&Heartbeat {}).with_body(body)).await;
    connection.next().await.unwrap();
    let heard = clock.elapsed();
    loop {
        tokio::time::sleep(Duration::from_secs(7)).await;
        let mut frame = Vec::new();
        send("A").encode(&mut frame);
        if connection.stream.write_all(&frame).await.is_err() || connection.next().await.is_none() {
            break;
        }
        assert_eq!(quiet.broker.state().clients.producers().count(), 1);
    }
    let silent = (clock.elapsed() - heard).as_secs();
    assert!((120..=140).contains(&silent), "{silent}");
    assert_eq!(quiet.broker.state().clients.producers().count(), 0);
    housekeeping.abort();
}

#[tokio::test(start_paused = true)]
async fn a_held_pull_that_falls_behind_is_told_where_to_go_on() {
    let mut quiet = Quiet::new().await;
    let (mut producer, mut consumer) = (quiet.connect().await, quiet.connect().await);
    let clock = quiet.broker.clock;
    producer.post(&send("A")).await;
    producer.next().await.unwrap();
    consumer.post(&held(1, 90_000)).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    producer.post(&send("Y")).await;
    producer.next().await.unwrap();
    // Apache looks every five seconds: at 5 and 10 there was nothing, at 15 there is an unwanted message.
    let answer = consumer.next().await.unwrap();
    assert_eq!((answer.code, answer.remark.as_deref()), (20, Some("NO_MATCHED_MESSAGE")));
    assert_eq!(answer.ext.get("nextBeginOffset"), Some("2"));
    assert_eq!(clock.elapsed().as_secs(), 15);
}

#[tokio::test(start_paused = true)]
async fn a_held_pull_ends_exactly_when_its_time_is_up() {
    let mut quiet = Quiet::new().await;
    let mut connection = quiet.connect().await;
    let clock = quiet.broker.clock;
    connection.post(&send("A")).await;
    connection.next().await.unwrap();
    connection.post(&held(1, 33_000)).await;
    let answer = connection.next().await.unwrap();
    assert_eq!((answer.code, answer.remark.as_deref()), (19, Some("OFFSET_OVERFLOW_ONE")));
    assert_eq!(clock.elapsed().as_secs(), 33);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_ends_takes_its_held_pulls_with_it() {
    let mut quiet = Quiet::new().await;
    let mut connection = quiet.connect().await;
    connection.post(&send("A")).await;
    connection.next().await.unwrap();
    connection.post(&held(1, 600_000)).await;
    drop(connection);
    quiet.tasks.close();
    quiet.tasks.wait().await;
    assert_eq!(quiet.broker.clock.elapsed().as_secs(), 0);
    assert_eq!(Arc::strong_count(&quiet.broker), 1, "nothing waits any more");
}
