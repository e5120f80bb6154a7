//! A network of scripted peers over in-memory streams. With tokio's clock paused, time passes only when all wait.

#![allow(dead_code, reason = "every test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "this is a test")]

pub(crate) mod log;

use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use maxq::{Client, ClientConfig, Producer, ProducerConfig, Stream};
use maxq_protocol::{
    FrameReader, RemotingCommand, RequestCode, ResponseCode,
    body::{BrokerData, JsonDialect, QueueData, TopicRouteData, to_json},
    header::SendReply,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    task::JoinSet,
};

/// What a peer does about one request.
pub(crate) enum Act {
    /// Answers.
    Answer(RemotingCommand),
    /// Says these bytes.
    Bytes(Vec<u8>),
    /// Ends the stream.
    Close,
}

type Script = Arc<dyn Fn(&RemotingCommand) -> Vec<Act> + Send + Sync>;

/// The network: scripts by address.
#[derive(Clone, Default)]
pub(crate) struct Network {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    peers: Mutex<BTreeMap<String, Script>>,
    /// Addresses whose peers accept and then read nothing.
    deaf: Mutex<Vec<String>>,
    slow: Mutex<BTreeMap<String, Duration>>,
    heard: Mutex<Vec<(String, RemotingCommand)>>,
    dials: AtomicUsize,
    tasks: Mutex<JoinSet<()>>,
}

pub(crate) const NAME_SERVER: &str = "ns:9876";

impl Network {
    /// A name server that knows `topic` on these brokers, two queues each, and brokers that store everything.
    pub(crate) fn cluster(topic: &'static str, brokers: &[&'static str]) -> Self {
        let network = Self::default();
        let route = route_body(brokers);
        network.peer(NAME_SERVER, move |request| {
            let asked = request.ext.get("topic").unwrap_or_default();
            let known = request.request_code() == RequestCode::GET_ROUTEINFO_BY_TOPIC && asked == topic;
            let answer = if known {
                reply(request, ResponseCode::SUCCESS).with_body(route.clone())
            } else {
                reply(request, ResponseCode::TOPIC_NOT_EXIST).with_remark("No topic route info")
            };
            vec![Act::Answer(answer)]
        });
        for broker in brokers {
            network.peer(&address(broker), |request| vec![Act::Answer(serve(request))]);
        }
        network
    }

    /// Sets the script of the peer at `address`.
    pub(crate) fn peer(
        &self,
        address: &str,
        script: impl Fn(&RemotingCommand) -> Vec<Act> + Send + Sync + 'static,
    ) {
        self.inner.peers.lock().unwrap().insert(address.to_owned(), Arc::new(script));
    }

    /// A name server that answers every route question by `answer(topic, how often it was asked before)`.
    pub(crate) fn name_server(
        &self,
        answer: impl Fn(&str, usize) -> Result<Vec<u8>, i32> + Send + Sync + 'static,
    ) {
        let asked = AtomicUsize::new(0);
        self.peer(NAME_SERVER, move |request| {
            let topic = request.ext.get("topic").unwrap_or_default();
            let answer = match answer(topic, asked.fetch_add(1, Ordering::Relaxed)) {
                Ok(body) => reply(request, ResponseCode::SUCCESS).with_body(body),
                Err(code) => reply(request, ResponseCode(code)).with_remark("no"),
            };
            vec![Act::Answer(answer)]
        });
    }

    /// The peer answers every request so much later.
    pub(crate) fn slow_down(&self, address: &str, by: Duration) {
        self.inner.slow.lock().unwrap().insert(address.to_owned(), by);
    }

    /// The peer accepts connections and never reads.
    pub(crate) fn deafen(&self, address: &str) {
        self.inner.deaf.lock().unwrap().push(address.to_owned());
    }

    /// Nobody listens there any more.
    pub(crate) fn remove(&self, address: &str) {
        self.inner.peers.lock().unwrap().remove(address);
    }

    /// What the peer at `address` was asked with this code.
    pub(crate) fn heard(&self, address: &str, code: RequestCode) -> Vec<RemotingCommand> {
        let heard = self.inner.heard.lock().unwrap();
        heard
            .iter()
            .filter(|(at, command)| at == address && command.request_code() == code)
            .map(|(_, c)| c.clone())
            .collect()
    }

    pub(crate) fn dials(&self) -> usize {
        self.inner.dials.load(Ordering::Relaxed)
    }

    pub(crate) fn config(&self) -> ClientConfig {
        self.config_of(NAME_SERVER)
    }

    /// A client of these name servers.
    pub(crate) fn config_of(&self, name_servers: &str) -> ClientConfig {
        let inner = self.inner.clone();
        ClientConfig::new(name_servers).seed(7).connector(move |address: String| {
            let inner = inner.clone();
            async move { inner.accept(&address).map(|stream| Stream::Boxed(Box::new(stream))) }
        })
    }

    pub(crate) fn client(&self) -> Client {
        Client::lazy(self.config()).unwrap()
    }

    pub(crate) fn producer(&self) -> Producer {
        self.client().producer(ProducerConfig::new("tests")).unwrap()
    }
}

impl Inner {
    fn accept(self: &Arc<Self>, address: &str) -> io::Result<DuplexStream> {
        self.dials.fetch_add(1, Ordering::Relaxed);
        let (ours, theirs) = tokio::io::duplex(4 * 1024);
        let mut tasks = self.tasks.lock().unwrap();
        if self.deaf.lock().unwrap().iter().any(|deaf| deaf == address) {
            tasks.spawn(async move {
                let _held = theirs;
                std::future::pending::<()>().await;
            });
            return Ok(ours);
        }
        let Some(script) = self.peers.lock().unwrap().get(address).cloned() else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        tasks.spawn(serve_stream(theirs, address.to_owned(), script, Arc::downgrade(self)));
        Ok(ours)
    }
}

async fn serve_stream(
    mut stream: DuplexStream,
    address: String,
    script: Script,
    inner: std::sync::Weak<Inner>,
) {
    let (frames, mut input) = (FrameReader::new(), BytesMut::new());
    loop {
        while let Some(command) = frames.next(&mut input).expect("the client writes frames") {
            let Some(inner) = inner.upgrade() else { return };
            inner.heard.lock().unwrap().push((address.clone(), command.clone()));
            let slow = inner.slow.lock().unwrap().get(&address).copied();
            drop(inner);
            if let Some(by) = slow {
                tokio::time::sleep(by).await;
            }
            for act in script(&command) {
                let bytes = match act {
                    Act::Answer(answer) => encoded(&answer),
                    Act::Bytes(bytes) => bytes,
                    Act::Close => return,
                };
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        }
        if !matches!(stream.read_buf(&mut input).await, Ok(1..)) {
            return;
        }
    }
}

pub(crate) fn encoded(command: &RemotingCommand) -> Vec<u8> {
    let mut bytes = Vec::new();
    command.encode(&mut bytes);
    bytes
}

pub(crate) fn address(broker: &str) -> String {
    format!("{broker}:10911")
}

pub(crate) fn reply(request: &RemotingCommand, code: ResponseCode) -> RemotingCommand {
    RemotingCommand::response(code, request.opaque)
}

/// What a broker that stores everything answers.
pub(crate) fn serve(request: &RemotingCommand) -> RemotingCommand {
    let answer = reply(request, ResponseCode::SUCCESS);
    if request.request_code() != RequestCode::SEND_MESSAGE_V2 {
        return answer;
    }
    answer.with_header(&SendReply {
        message_id: "7F00000100002A9F0000000000003039".to_owned(),
        queue_id: request.ext.get("e").unwrap().parse().unwrap(),
        queue_offset: 5,
        transaction_id: None,
        batch_unique_id: None,
        recall_handle: None,
        region: Some("DefaultRegion".to_owned()),
        trace_on: Some(true),
    })
}

pub(crate) fn route_body(brokers: &[&str]) -> Vec<u8> {
    route_with_perm(brokers, 6)
}

pub(crate) fn route_with_perm(brokers: &[&str], perm: i32) -> Vec<u8> {
    let mut route = TopicRouteData::default();
    for broker in brokers {
        route.broker_datas.push(BrokerData {
            broker_name: (*broker).to_owned(),
            cluster: "C".to_owned(),
            broker_addrs: BTreeMap::from([(0, address(broker))]),
            ..BrokerData::default()
        });
        route.queue_datas.push(QueueData {
            broker_name: (*broker).to_owned(),
            read_queue_nums: 2,
            write_queue_nums: 2,
            perm,
            ..QueueData::default()
        });
    }
    to_json(&route, JsonDialect::Fastjson)
}
