//! Defects of connections that were found in review, each as the story that showed it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test looks at the clock, and its tasks end with its runtime"
)]

mod support;

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::BytesMut;
use maxq::{
    Client, ClientConfig, CompressionChoice, Message, Outcome, ProducerConfig, RetryPolicy, SendErrorKind,
    Stream,
};
use maxq_protocol::{FrameReader, RemotingCommand, RequestCode, ResponseCode};
use support::{Act, NAME_SERVER, Network, address, encoded, reply, route_body, serve};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::Instant,
};

const SENDS: RequestCode = RequestCode::SEND_MESSAGE_V2;
const SECOND: Duration = Duration::from_secs(1);

fn message() -> Message {
    Message::new("T", "hello")
}

fn uncompressed() -> ProducerConfig {
    ProducerConfig::new("tests").compression(CompressionChoice::Off)
}

fn now() -> Instant {
    Instant::now()
}

/// A name server that is no part of a [`Network`], for tests with streams of their own.
fn name_server_stream(brokers: &'static [&'static str]) -> Stream {
    let (ours, mut theirs) = tokio::io::duplex(4_096);
    tokio::spawn(async move {
        let (frames, mut input) = (FrameReader::new(), BytesMut::new());
        while matches!(theirs.read_buf(&mut input).await, Ok(1..)) {
            while let Some(request) = frames.next(&mut input).unwrap() {
                let answer = reply(&request, ResponseCode::SUCCESS).with_body(route_body(brokers));
                theirs.write_all(&encoded(&answer)).await.unwrap();
            }
        }
    });
    Stream::Boxed(Box::new(ours))
}

// ---- connection and outbox

/// A peer that takes `room` bytes and then neither reads nor writes, as a stopped process does.
struct Frozen {
    room: usize,
    polls: Arc<AtomicUsize>,
}

impl AsyncRead for Frozen {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // A way out for a connection that spins.
        if self.polls.fetch_add(1, Ordering::Relaxed) > 100_000 {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Frozen {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        if taken == 0 { Poll::Pending } else { Poll::Ready(Ok(taken)) }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_frozen_broker_does_not_make_its_connection_spin() {
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = polls.clone();
    let dials = AtomicUsize::new(0);
    let config = ClientConfig::new(NAME_SERVER).seed(7).connector(move |address: String| {
        let stream = if address == NAME_SERVER {
            Some(name_server_stream(&["a"]))
        } else {
            let first = dials.fetch_add(1, Ordering::Relaxed) == 0;
            first.then(|| Stream::Boxed(Box::new(Frozen { room: 100, polls: counted.clone() })))
        };
        async move {
            match stream {
                Some(stream) => Ok(stream),
                None => std::future::pending().await,
            }
        }
    });
    let producer = Client::lazy(config).unwrap().producer(uncompressed()).unwrap();
    drop(producer.send(message()).await.unwrap_err());
    // The send is over; its frame is still in the outbox. Now time goes by.
    tokio::time::sleep(Duration::from_secs(200)).await;
    let polls = polls.load(Ordering::Relaxed);
    assert!(polls < 10_000, "{polls} turns of the connection task");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_closes_at_once_is_not_dialled_in_a_loop() {
    let dials = Arc::new(AtomicUsize::new(0));
    let counted = dials.clone();
    let config = ClientConfig::new(NAME_SERVER).seed(7).connector(move |address: String| {
        let stream = if address == NAME_SERVER {
            Some(name_server_stream(&["a"]))
        } else {
            // As Docker's proxy and many load balancers do: accepted, then closed. (A way out, should it never end.)
            let endless = counted.fetch_add(1, Ordering::Relaxed) > 10_000;
            (!endless).then(|| Stream::Boxed(Box::new(tokio::io::empty())))
        };
        async move {
            match stream {
                Some(stream) => Ok(stream),
                None => std::future::pending().await,
            }
        }
    });
    let producer = Client::lazy(config).unwrap().producer(ProducerConfig::new("tests")).unwrap();
    drop(producer.send(message()).await);
    tokio::time::sleep(10 * SECOND).await;
    let dials = dials.load(Ordering::Relaxed);
    assert!(dials < 100, "{dials} dials in 10 s, for one send of three attempts and two heartbeats");
}

#[tokio::test(start_paused = true)]
async fn a_one_way_send_ends_at_its_own_deadline() {
    let network = Network::cluster("T", &["a"]);
    network.deafen(&address("a"));
    let producer = network.client().producer(uncompressed()).unwrap();
    let late = producer.send(Message::new("T", vec![7; 15_000])).timeout(60 * SECOND).oneway().into_future();
    let soon = producer.send(message()).timeout(Duration::from_millis(100)).oneway().into_future();
    let began = now();
    let late = tokio::spawn(late);
    tokio::task::yield_now().await;
    soon.await.unwrap_err();
    assert!(began.elapsed() < Duration::from_millis(200), "it took {:?}", began.elapsed());
    late.abort();
}

#[tokio::test(start_paused = true)]
async fn a_send_behind_a_full_queue_ends_at_its_own_deadline() {
    let network = Network::cluster("T", &["a"]);
    network.deafen(&address("a"));
    let producer = network.client().producer(uncompressed().limits(20_000, 64 << 20)).unwrap();
    let mut sends = tokio::task::JoinSet::new();
    for _ in 0..9_000 {
        sends.spawn(producer.send(message()).timeout(60 * SECOND).into_future());
    }
    // All of them are posted when nothing else has anything to do.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let began = now();
    let error = producer.send(message()).timeout(SECOND).await.unwrap_err();
    assert!(began.elapsed() < 2 * SECOND, "{:?}: {error}", began.elapsed());
}

/// A peer that says stray answers as fast as they are read, for two seconds.
struct Flood {
    frame: Vec<u8>,
    until: Instant,
}

impl AsyncRead for Flood {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if now() > self.until {
            return Poll::Pending;
        }
        buffer.put_slice(&self.frame);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_broker_that_never_stops_talking_delays_no_deadline() {
    let config = ClientConfig::new(NAME_SERVER).seed(7).connector(move |address: String| {
        let stream = if address == NAME_SERVER {
            name_server_stream(&["a"])
        } else {
            let frame = encoded(&RemotingCommand::response(ResponseCode::SUCCESS, -1));
            Stream::Boxed(Box::new(Flood { frame, until: now() + 3 * SECOND }))
        };
        async move { Ok(stream) }
    });
    let producer = Client::lazy(config).unwrap().producer(ProducerConfig::new("tests")).unwrap();
    let began = now();
    let error = producer.send(message()).timeout(SECOND / 4).await.unwrap_err();
    assert!(began.elapsed() < 2 * SECOND, "{:?}: {error}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn stopping_reaches_a_connection_that_was_retired() {
    let network = Network::cluster("T", &["a"]);
    let sends = AtomicUsize::new(0);
    network.peer(&address("a"), move |request| match request.request_code() {
        // The first send is never answered, the second one is told to go away.
        SENDS => match sends.fetch_add(1, Ordering::Relaxed) {
            0 => vec![],
            1 => vec![Act::Answer(reply(request, ResponseCode::GO_AWAY))],
            _ => vec![Act::Answer(serve(request))],
        },
        _ => vec![Act::Answer(serve(request))],
    });
    let producer = network.producer();
    let stuck = tokio::spawn(producer.send(message()).timeout(600 * SECOND).into_future());
    tokio::time::sleep(Duration::from_millis(10)).await;
    producer.send(message()).await.unwrap();
    let began = now();
    producer.client().close(2 * SECOND).await;
    let error = stuck.await.unwrap().unwrap_err();
    assert!(began.elapsed() < 10 * SECOND, "it ended after {:?}", began.elapsed());
    assert_eq!((error.kind(), error.outcome()), (SendErrorKind::Closed, Outcome::Unknown));
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_panics_once_does_not_lose_the_address() {
    let network = Network::cluster("T", &["a"]);
    let dials = AtomicUsize::new(0);
    let config = ClientConfig::new(NAME_SERVER).seed(7).connector(move |address: String| {
        let stream = (address == NAME_SERVER).then(|| name_server_stream(&["a"]));
        assert!(stream.is_some() || dials.fetch_add(1, Ordering::Relaxed) > 0, "the first dial panics");
        async move {
            Ok(stream.unwrap_or_else(|| {
                let (ours, mut theirs) = tokio::io::duplex(4_096);
                tokio::spawn(async move {
                    let (frames, mut input) = (FrameReader::new(), BytesMut::new());
                    while matches!(theirs.read_buf(&mut input).await, Ok(1..)) {
                        while let Some(request) = frames.next(&mut input).unwrap() {
                            theirs.write_all(&encoded(&serve(&request))).await.unwrap();
                        }
                    }
                });
                Stream::Boxed(Box::new(ours))
            }))
        }
    });
    drop(network);
    let producer = Client::lazy(config).unwrap().producer(ProducerConfig::new("tests")).unwrap();
    drop(producer.send(message()).retry(RetryPolicy::none()).await);
    producer.send(message()).await.unwrap();
}
