//! The least client that can speak the protocol, and the requests that most tests need.

use std::{borrow::Cow, net::SocketAddr, time::Duration};

use bytes::BytesMut;
use maxq_emulator::{Cluster, EmulatedVersion, VirtualNetwork};
use maxq_protocol::{
    Flags, FrameReader, RemotingCommand, ResponseCode,
    body::{TopicRouteData, from_json},
    header::{GetRouteInfo, PullMessage, SendMessage, SendMessageV2, SendReply},
    message::{Properties, PullSysFlag, StoredMessage},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// A socket or a virtual stream.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// One connection.
pub(crate) struct RawClient {
    pub(crate) stream: Box<dyn Stream>,
    input: BytesMut,
    next_opaque: i32,
}

impl RawClient {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        // Parts of frames must not wait for each other.
        stream.set_nodelay(true).expect("a connected socket takes options");
        Self::over(stream)
    }

    /// Connects over a virtual network.
    pub(crate) async fn dial(network: &VirtualNetwork, address: impl ToString) -> Self {
        Self::over(network.dial(&address.to_string()).await.expect("the server listens"))
    }

    fn over(stream: impl Stream + 'static) -> Self {
        Self { stream: Box::new(stream), input: BytesMut::new(), next_opaque: 1 }
    }

    /// Connects to the first broker.
    pub(crate) async fn to_broker(cluster: &Cluster) -> Self {
        Self::connect(cluster.broker(0).address()).await
    }

    /// Connects to the name server.
    pub(crate) async fn to_name_server(cluster: &Cluster) -> Self {
        Self::connect(cluster.name_server()).await
    }

    /// Sends a request; gives its opaque.
    pub(crate) async fn post(&mut self, mut request: RemotingCommand) -> i32 {
        request.opaque = self.next_opaque;
        self.next_opaque += 1;
        let mut frame = Vec::new();
        request.encode(&mut frame);
        self.write(&frame).await;
        request.opaque
    }

    /// Sends bytes. A server that has closed the connection already is no error here.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes).await;
    }

    /// The next frame that comes, or none when the server has closed the connection.
    pub(crate) async fn next(&mut self) -> Option<RemotingCommand> {
        let reader = FrameReader::new();
        loop {
            if let Some(command) = reader.next(&mut self.input).expect("servers write frames") {
                return Some(command);
            }
            let read = timeout(GIVE_UP, self.stream.read_buf(&mut self.input))
                .await
                .expect("the server does something");
            // A reset is an end too.
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// The answer to a request.
    pub(crate) async fn call(&mut self, request: RemotingCommand) -> RemotingCommand {
        let opaque = self.post(request).await;
        let answer = self.next().await.expect("the connection stays open");
        assert_eq!((answer.opaque, answer.flags), (opaque, Flags::RESPONSE));
        answer
    }

    /// Sends a message that must be stored.
    pub(crate) async fn store(&mut self, send: Send<'_>) -> SendReply {
        let answer = self.call(send.request()).await;
        assert_eq!(answer.response_code(), ResponseCode::SUCCESS, "{:?}", answer.remark);
        answer.header().expect("a success says where")
    }
}

/// A cluster with one broker.
pub(crate) async fn one_broker(version: EmulatedVersion) -> Cluster {
    Cluster::builder().emulate(version.name()).start().await.expect("loopback can be listened on")
}

/// A send with everything that a test does not care about.
#[derive(Clone)]
pub(crate) struct Send<'a> {
    pub(crate) header: SendMessage<'a>,
    pub(crate) body: Vec<u8>,
}

impl<'a> Send<'a> {
    pub(crate) fn to(topic: &'a str) -> Self {
        Self {
            header: SendMessage {
                producer_group: "pg".into(),
                topic: topic.into(),
                default_topic: "TBW102".into(),
                default_topic_queue_nums: 4,
                born_timestamp: 1_700_000_000_000,
                properties: properties(&[("UNIQ_KEY", "U0")]).into(),
                ..SendMessage::default()
            },
            body: b"hello".to_vec(),
        }
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut SendMessage<'a>)) -> Self {
        change(&mut self.header);
        self
    }

    pub(crate) fn properties(mut self, pairs: &[(&str, &str)]) -> Self {
        self.header.properties = Cow::Owned(properties(pairs));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) fn request(&self) -> RemotingCommand {
        RemotingCommand::request(&SendMessageV2(self.header.clone())).with_body(self.body.clone())
    }
}

/// The text form of properties.
pub(crate) fn properties(pairs: &[(&str, &str)]) -> String {
    pairs.iter().copied().collect::<Properties>().encode()
}

/// A pull of everything, with its filter in the request.
pub(crate) fn pull(topic: &str, queue_id: i32, offset: i64) -> PullMessage {
    PullMessage {
        consumer_group: "cg".into(),
        topic: topic.into(),
        queue_id,
        queue_offset: offset,
        max_messages: 32,
        sys_flag: PullSysFlag::SUBSCRIPTION.0,
        commit_offset: Some(0),
        suspend_timeout_millis: Some(0),
        subscription: Some("*".into()),
        subscription_version: Some(0),
        expression_type: Some("TAG".into()),
        broker_name: None,
    }
}

/// The messages of an answer to a pull.
pub(crate) fn messages(answer: &RemotingCommand) -> Vec<StoredMessage> {
    StoredMessage::decode_all(answer.body.clone()).expect("brokers give whole records")
}

/// The route of a topic, if the name server has one.
pub(crate) async fn route(cluster: &Cluster, topic: &str) -> Option<TopicRouteData> {
    route_by(&mut RawClient::to_name_server(cluster).await, topic).await
}

/// The route of a topic, from a name server that a client is connected to.
pub(crate) async fn route_by(client: &mut RawClient, topic: &str) -> Option<TopicRouteData> {
    let request = GetRouteInfo { topic: topic.into(), accept_standard_json_only: Some(true) };
    let answer = client.call(RemotingCommand::request(&request)).await;
    let is_there = answer.response_code() == ResponseCode::SUCCESS;
    is_there.then(|| from_json(&answer.body).expect("a route is JSON"))
}

/// Code and remark of an answer.
pub(crate) fn verdict(answer: &RemotingCommand) -> (i32, &str) {
    (answer.code, answer.remark.as_deref().unwrap_or("<none>"))
}

/// A test that waits for longer has failed; nothing ever takes that long, on a paused clock either.
const GIVE_UP: Duration = Duration::from_secs(600);
