//! A name server and brokers in one process that answer at once and store nothing.
//!
//! What is measured against it is the client's own cost. It answers like Apache 5.5.0: sends with an offset message
//! id, a queue id and an offset, routes with every topic on every broker, everything else with an empty success. All
//! answers to what one read brought go out in one write.

mod answer;
mod counters;
mod serve;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::{net::TcpListener, task::JoinSet};

use answer::Answers;
pub use answer::STATISTICS;
pub use counters::Statistics;

/// The shape and the manners of a null broker.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Host to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,
    /// Port of the name server and the first broker; broker i listens on port + 10 i. 0 takes free ones
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Number of brokers in every route
    #[arg(long, default_value_t = 1)]
    pub brokers: u16,
    /// Queues of every topic on each broker
    #[arg(long, default_value_t = 8)]
    pub queues: i32,
    /// Answer in the header encoding of the request, as 4.9 does; without it always in JSON, as 5.x does
    #[arg(long)]
    pub mirror: bool,
    /// Answer so many microseconds late, while reading goes on (in steps of a millisecond)
    #[arg(long = "delay-us", value_name = "MICROSECONDS", default_value = "0", value_parser = microseconds)]
    pub delay: Duration,
}

fn microseconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_micros)
}

/// A bound null broker; [`run`](Self::run) makes it answer.
#[derive(Debug)]
pub struct NullBroker {
    listeners: Vec<TcpListener>,
    addresses: Addresses,
    answers: Arc<Answers>,
    delay: Duration,
}

/// Where a null broker listens, in the form that `maxq emulator run --ready-file` writes too.
#[derive(Clone, Debug, Serialize, serde::Deserialize)]
pub struct Addresses {
    /// The name server, which is the first broker too.
    pub name_server: SocketAddr,
    /// The brokers.
    pub brokers: Vec<SocketAddr>,
}

impl NullBroker {
    /// Binds all ports.
    ///
    /// # Errors
    /// No brokers are asked for, or a port cannot be bound.
    pub async fn bind(options: &Options) -> io::Result<Self> {
        let mut listeners = Vec::new();
        let mut brokers = Vec::new();
        for index in 0..options.brokers {
            let port =
                if options.port == 0 { 0 } else { options.port.saturating_add(index.saturating_mul(10)) };
            let listener = TcpListener::bind((options.host.as_str(), port)).await?;
            brokers.push(listener.local_addr()?);
            listeners.push(listener);
        }
        let Some(&name_server) = brokers.first() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a null broker needs at least one broker",
            ));
        };
        let answers = Arc::new(Answers::new(&brokers, options.queues, options.mirror));
        Ok(Self { listeners, addresses: Addresses { name_server, brokers }, answers, delay: options.delay })
    }

    /// Where it listens.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Answers until it is dropped; all its tasks end with it.
    ///
    /// # Errors
    /// Accepting failed.
    pub async fn run(self) -> io::Result<()> {
        let mut accepting = JoinSet::new();
        for listener in self.listeners {
            accepting.spawn(serve::accept(listener, self.answers.clone(), self.delay));
        }
        match accepting.join_next().await {
            Some(Ok(result)) => result,
            Some(Err(error)) => Err(io::Error::other(error)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use clap::Parser;
    use maxq_protocol::{
        FrameReader, RemotingCommand,
        header::{SendMessage, SendMessageV2},
    };
    use tokio::{
        io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    /// A running null broker; it ends with the set.
    async fn start(options: &[&str]) -> (Addresses, JoinSet<io::Result<()>>) {
        let line = Line::parse_from([&["bench"], options].concat());
        let broker = NullBroker::bind(&line.options).await.unwrap();
        let addresses = broker.addresses().clone();
        let mut running = JoinSet::new();
        running.spawn(broker.run());
        (addresses, running)
    }

    fn sends(opaques: std::ops::Range<i32>) -> Vec<u8> {
        let mut bytes = Vec::new();
        for opaque in opaques {
            let send = SendMessage { topic: "T".into(), queue_id: 1, ..SendMessage::default() };
            let mut request = RemotingCommand::request(&SendMessageV2(send)).with_body(vec![b'x'; 1000]);
            request.opaque = opaque;
            request.encode(&mut bytes);
        }
        bytes
    }

    async fn answers(stream: &mut (impl AsyncRead + Unpin), count: usize) -> Vec<i32> {
        let (mut input, mut opaques) = (BytesMut::new(), Vec::new());
        while opaques.len() < count {
            assert!(stream.read_buf(&mut input).await.unwrap() > 0);
            while let Some(answer) = FrameReader::new().next(&mut input).unwrap() {
                opaques.push(answer.opaque);
            }
        }
        opaques
    }

    #[tokio::test]
    async fn a_thousand_requests_in_odd_pieces_are_answered_in_order_and_few_writes() {
        let (addresses, _running) = start(&["--brokers=2"]).await;
        assert_eq!(addresses.brokers.len(), 2);
        let mut stream = TcpStream::connect(addresses.brokers[1]).await.unwrap();
        let bytes = sends(0..1000);
        let (mut reading, mut writing) = stream.split();
        let written = async {
            for piece in bytes.chunks(77_777) {
                writing.write_all(piece).await.unwrap();
            }
        };
        let ((), opaques) = tokio::join!(written, answers(&mut reading, 1000));
        assert_eq!(opaques, (0..1000).collect::<Vec<_>>());
        let seen = Statistics::ask(addresses.name_server).await.unwrap();
        assert_eq!((seen.sends, seen.messages, seen.connections), (1000, 1000, 2));
        // Each read of the sends gives at most one write, or two when the answers outgrow the largest write.
        assert!(seen.writes <= 2 * seen.reads && seen.writes < 500, "{seen:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn late_answers_are_late_by_the_delay() {
        let (addresses, _running) = start(&["--delay-us=3600000000"]).await;
        let mut stream = TcpStream::connect(addresses.name_server).await.unwrap();
        stream.write_all(&sends(0..2)).await.unwrap();
        tokio::select! {
            biased;
            early = answers(&mut stream, 1) => panic!("{early:?} came before the hour was over"),
            () = tokio::time::sleep(Duration::from_secs(3500)) => {}
        }
        assert_eq!(answers(&mut stream, 2).await, [0, 1]);
    }

    #[tokio::test]
    async fn bytes_that_are_no_frame_close_the_connection() {
        let (addresses, _running) = start(&[]).await;
        let mut stream = TcpStream::connect(addresses.name_server).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert_eq!(stream.read_to_end(&mut Vec::new()).await.unwrap_or(0), 0);
    }
}
