//! What once went beyond its bounds: memory, a deadline, a number. Each test says what should hold, and what happened.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![allow(
    clippy::disallowed_methods,
    reason = "a test looks at the clock, and its tasks end with its runtime"
)]

mod support;

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    time::Duration,
};

use bytes::Bytes;
use maxq::{CompressionChoice, ErrorCode, Message, MessageBatch, Outcome, ProducerConfig, SendErrorKind};
use maxq_protocol::RequestCode;
use support::{Act, Network, address, serve};
use tokio::time::{advance, sleep};

const SECOND: Duration = Duration::from_secs(1);
const MIB: usize = 1 << 20;

/// A body that says when it is gone.
struct Counted(Vec<u8>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

fn counted(alive: &Arc<AtomicUsize>, length: usize) -> Bytes {
    alive.fetch_add(1, Ordering::Relaxed);
    Bytes::from_owner(Counted(vec![1; length], alive.clone()))
}

/// Polls a send until it waits for its answer, then loses patience.
async fn give_up_after(time: Duration, send: impl Future + Send + 'static) {
    let send = tokio::spawn(async move { drop(send.await) });
    sleep(time).await;
    send.abort();
}

/// Callers with a patience of their own, and the only broker is frozen: their permits came back when they left, but their
/// bodies stayed in the queue of the connection until the deadline of the send, which may be far away.
#[tokio::test(start_paused = true)]
async fn bodies_of_sends_that_were_given_up_do_not_pile_up_behind_a_frozen_broker() {
    let network = Network::cluster("T", &["a"]);
    network.deafen(&address("a"));
    let config = ProducerConfig::new("tests").compression(CompressionChoice::Off).timeout(600 * SECOND);
    let producer = network.client().producer(config).unwrap();
    let alive = Arc::<AtomicUsize>::default();
    let mut most = 0;
    for _ in 0..300 {
        let message = Message::new("T", counted(&alive, MIB));
        give_up_after(Duration::from_millis(20), producer.send(message).into_future()).await;
        most = most.max(alive.load(Ordering::Relaxed));
    }
    assert!(most < 100, "{most} MiB of messages that nobody waits for");
}

/// The place of the first message is the broker's to tell; the places of the others were counted from it without a look.
#[tokio::test(start_paused = true)]
async fn a_batch_that_is_stored_at_an_impossible_offset_panics_nobody() {
    let network = Network::cluster("T", &["a"]);
    network.peer(&address("a"), |request| {
        let mut answer = serve(request);
        if request.request_code() == RequestCode::SEND_BATCH_MESSAGE {
            for (name, value) in [("msgId", "A,B"), ("queueId", "0"), ("queueOffset", "18446744073709551615")]
            {
                answer.ext.set(name, value);
            }
        }
        vec![Act::Answer(answer)]
    });
    let batch = MessageBatch::new((0..2).map(|n| Message::new("T", n.to_string()))).unwrap();
    let receipt = network.producer().send_batch(batch).await.unwrap();
    assert_eq!(receipt.receipts()[1].queue_offset(), u64::MAX);
}

/// Large bodies are compressed on the runtime's blocking pool. When others hold all of its threads, the send waited for
/// them, however long: past its deadline, and past the time of `close`.
#[test]
fn a_send_whose_body_waits_to_be_compressed_ends_by_its_deadline() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    runtime.block_on(async {
        let network = Network::cluster("T", &["a"]);
        let producer = network.producer();
        let others = tokio::task::spawn_blocking(move || held.recv().is_err());
        let mut send = producer.send(Message::new("T", vec![b'x'; MIB])).timeout(SECOND).into_future();
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut send).poll(&mut context).is_pending());
        // Time does not pass by itself while a blocking thread works.
        advance(2 * SECOND).await;
        let ended = Pin::new(&mut send).poll(&mut context);
        let later = producer.send(Message::new("T", vec![b'x'; MIB])).timeout(600 * SECOND);
        let later = later.enqueue().await.unwrap();
        let close = producer.close(SECOND);
        let mut close = Box::pin(close);
        let mut closed = close.as_mut().poll(&mut context);
        for _ in 0..4 {
            advance(SECOND).await;
            if closed.is_pending() {
                closed = close.as_mut().poll(&mut context);
            }
        }
        drop(release);
        others.await.unwrap();
        let std::task::Poll::Ready(Err(error)) = ended else { panic!("it waits past its deadline") };
        let told = (error.kind(), error.code(), error.outcome());
        assert_eq!(told, (SendErrorKind::Timeout, ErrorCode::DEADLINE, Outcome::NotSent));
        assert_eq!(error.messages().len(), 1, "the message comes back");
        let std::task::Poll::Ready(report) = closed else { panic!("closing waits past its time") };
        assert_eq!((report.unknown, report.not_sent, report.unsent.len()), (0, 1, 0));
        let error = later.await.unwrap_err();
        assert_eq!((error.kind(), error.messages().len()), (SendErrorKind::Closed, 1));
    });
}

/// A close that nobody waits for goes on in the background. What it gave up at its end was in no report.
#[tokio::test(start_paused = true)]
async fn what_a_close_in_the_background_gives_up_is_in_the_next_report() {
    let network = Network::cluster("T", &["a"]);
    network.deafen(support::NAME_SERVER);
    let client = network.client();
    let producer = client.producer(ProducerConfig::new("tests").timeout(600 * SECOND)).unwrap();
    drop(producer.send(Message::new("T", "kept")).enqueue().await.unwrap());
    tokio::time::timeout(SECOND, client.close(2 * SECOND)).await.unwrap_err();
    sleep(10 * SECOND).await;
    let report = client.close(SECOND).await;
    let bodies: Vec<_> = report.unsent.iter().map(|message| message.body().clone()).collect();
    assert_eq!(bodies, ["kept"]);
}
