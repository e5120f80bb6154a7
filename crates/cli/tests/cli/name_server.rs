//! A name server that says what a test wants.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    thread,
};

use bytes::BytesMut;
use maxq_protocol::{
    FrameReader, RemotingCommand, ResponseCode,
    body::{BrokerData, JsonDialect, QueueData, TopicRouteData, to_json},
};

/// It answers until the test process ends.
pub(crate) struct NameServer {
    pub(crate) address: String,
}

/// What it answers to every request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// A route with these brokers.
    Route(Vec<Broker>),
    /// Success with this body.
    Body(Vec<u8>),
    /// The first half of an answer, and the end.
    Half,
}

/// A broker in a route.
#[derive(Clone)]
pub(crate) struct Broker {
    name: String,
    address: String,
    queues: i32,
}

impl From<(&str, &str, i32)> for Broker {
    fn from((name, address, queues): (&str, &str, i32)) -> Self {
        Self { name: name.to_owned(), address: address.to_owned(), queues }
    }
}

impl NameServer {
    pub(crate) fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, answer) = (stream.unwrap(), answer.clone());
                thread::spawn(move || converse(stream, &answer));
            }
        });
        Self { address }
    }
}

/// Ends when the peer leaves.
fn converse(mut stream: TcpStream, answer: &Answer) {
    let (mut buffer, mut chunk) = (BytesMut::new(), [0; 4096]);
    loop {
        let Ok(length @ 1..) = stream.read(&mut chunk) else { return };
        buffer.extend_from_slice(&chunk[..length]);
        while let Some(request) = FrameReader::new().next(&mut buffer).unwrap() {
            let mut frame = Vec::new();
            let response = RemotingCommand::response(ResponseCode::SUCCESS, request.opaque);
            response.with_body(body(answer)).encode(&mut frame);
            if matches!(answer, Answer::Half) {
                drop(stream.write_all(&frame[..frame.len() / 2]));
                return;
            }
            drop(stream.write_all(&frame));
        }
    }
}

fn body(answer: &Answer) -> Vec<u8> {
    match answer {
        Answer::Route(brokers) => to_json(&route(brokers), JsonDialect::Standard),
        Answer::Body(body) => body.clone(),
        Answer::Half => b"{}".to_vec(),
    }
}

fn route(brokers: &[Broker]) -> TopicRouteData {
    let broker = |broker: &Broker| BrokerData {
        broker_addrs: BTreeMap::from([(0, broker.address.clone())]),
        broker_name: broker.name.clone(),
        cluster: "DefaultCluster".to_owned(),
        ..BrokerData::default()
    };
    let queues = |broker: &Broker| QueueData {
        broker_name: broker.name.clone(),
        perm: 6,
        read_queue_nums: broker.queues,
        write_queue_nums: broker.queues,
        ..QueueData::default()
    };
    TopicRouteData {
        broker_datas: brokers.iter().map(broker).collect(),
        queue_datas: brokers.iter().map(queues).collect(),
        ..TopicRouteData::default()
    }
}
