//! Every public async function, dropped at each point where it waits: polled once and dropped, polled twice and
//! dropped, and so on until it ends. Nothing may be left behind but what its "Cancel safety" line says.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]
#![expect(clippy::disallowed_methods, reason = "the task is joined a few lines below")]

use std::{
    collections::BTreeSet,
    future::Future,
    path::Path,
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use maxq::{
    Client, ClientConfig, Event, From, Message, MessageBatch, MessageQueue, Producer, ProducerConfig, Stream,
    admin::{KeyQuery, TopicSettings},
    doctor,
};
use maxq_emulator::{Cluster, VirtualNetwork};
use tokio::{runtime::Handle, time::sleep};

const TOPIC: &str = "T";
/// Bytes of body that the producer may have under way.
const BYTES: usize = 10_000;

/// A cluster, a client that has not spoken to it yet, and a producer.
struct World {
    cluster: Cluster,
    client: Client,
    producer: Producer,
    config: ClientConfig,
    tasks: usize,
}

impl World {
    async fn new() -> Self {
        let network = VirtualNetwork::seeded(1);
        network.latency(Duration::from_millis(1)..=Duration::from_millis(1));
        let cluster =
            Cluster::builder().virtual_network(&network).brokers(2).topic(TOPIC, 1).start().await.unwrap();
        let config = ClientConfig::new(cluster.name_servers()).seed(1).connector(move |address: String| {
            let network = network.clone();
            async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
        });
        let tasks = alive();
        let client = Client::lazy(config.clone()).unwrap();
        let producer = client.producer(ProducerConfig::new("cancel").limits(4, BYTES)).unwrap();
        Self { cluster, client, producer, config, tasks }
    }

    /// Its producer has sent, so that routes are known and connections open.
    async fn warm() -> Self {
        let world = Self::new().await;
        for _ in 0..4 {
            world.producer.send(Message::new(TOPIC, "warm").key("warm")).await.unwrap();
        }
        world
    }

    fn queue(&self) -> MessageQueue {
        MessageQueue::new(TOPIC, self.cluster.broker(0).name().to_owned(), 0)
    }

    fn stored(&self, key: &str) -> usize {
        self.cluster.stored(TOPIC).iter().filter(|stored| stored.property("KEYS") == Some(key)).count()
    }

    /// All permits are back, and closing leaves no task.
    async fn leaves_nothing(self, what: &str, polls: usize) {
        sleep(Duration::from_secs(5)).await;
        let giant = Message::new(TOPIC, vec![b'x'; BYTES]);
        let sent = self.producer.send(giant).await;
        assert!(sent.is_ok(), "{what}, dropped after {polls} polls, keeps permits: {sent:?}");
        let report = self.client.close(Duration::from_secs(5)).await;
        let late = report.acknowledged + report.refused + report.not_sent + report.unknown;
        assert_eq!(late, 0, "{what}, dropped after {polls} polls, counts as under way: {report:?}");
        drop((self.producer, self.client));
        // The servers notice that their peers have gone.
        sleep(Duration::from_secs(1)).await;
        assert_eq!(alive(), self.tasks, "{what}, dropped after {polls} polls, leaves tasks");
        self.cluster.stop().await;
    }
}

fn alive() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

/// A future that is polled at most so many times, and says then that it was not done.
struct Cut<F> {
    inner: Pin<Box<F>>,
    left: usize,
}

impl<F: Future> Future for Cut<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.left -= 1;
        match self.inner.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Polls `future` up to `polls` times, each time when it was woken, and drops it.
async fn cut<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    Cut { inner: Box::pin(future), left: polls }.await
}

/// Cuts what `start` begins in a new world after 1, 2, .. polls, until it comes to its end; `check` looks at the world
/// after each. Says how many polls it took.
macro_rules! cut_everywhere {
    ($what:literal, $new:expr, |$world:ident| $start:expr, |$checked:ident, $polls:ident| $check:expr) => {{
        let mut $polls = 1;
        loop {
            let $world = $new.await;
            let done = cut($polls, async {
                let _ended = $start;
            })
            .await
            .is_some();
            sleep(Duration::from_secs(5)).await;
            let $checked = $world;
            $check;
            $checked.leaves_nothing($what, $polls).await;
            if done {
                break $polls;
            }
            $polls += 1;
            assert!($polls < 1_000, "{} never ends", $what);
        }
    }};
    ($what:literal, $new:expr, |$world:ident| $start:expr) => {
        cut_everywhere!($what, $new, |$world| $start, |_checked, _polls| ())
    };
}

#[tokio::test(start_paused = true)]
async fn a_send_is_stored_once_or_not_at_all() {
    let cold = cut_everywhere!(
        "Sending",
        World::new(),
        |world| world.producer.send(Message::new(TOPIC, "x").key("x")).await.unwrap(),
        |world, polls| assert!(world.stored("x") <= 1, "after {polls} polls")
    );
    assert!(cold >= 3, "route, connection, answer: only {cold} polls");
    let warm = cut_everywhere!(
        "Sending",
        World::warm(),
        |world| world.producer.send(Message::new(TOPIC, "x").key("x")).await.unwrap(),
        |world, polls| assert!(world.stored("x") <= 1, "after {polls} polls")
    );
    assert_eq!(warm, 2, "a send on an open connection waits once");
}

#[tokio::test(start_paused = true)]
async fn a_send_that_was_never_polled_is_not_stored() {
    let world = World::warm().await;
    drop(world.producer.send(Message::new(TOPIC, "x").key("x")));
    drop(world.producer.send(Message::new(TOPIC, "x").key("x")).into_future());
    sleep(Duration::from_secs(5)).await;
    assert_eq!(world.stored("x"), 0);
    world.leaves_nothing("Sending", 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_for_room_gives_up_its_place() {
    cut_everywhere!(
        "Sending without room",
        World::warm(),
        |world| {
            world.cluster.freeze_broker(0);
            world.cluster.freeze_broker(1);
            let full = world.producer.send(Message::new(TOPIC, vec![b'x'; BYTES]).key("full"));
            let mut full = pin!(full.into_future());
            assert!(cut(1, full.as_mut()).await.is_none());
            let waiting = world.producer.send(Message::new(TOPIC, "y").key("y"));
            drop(cut(2, waiting.into_future()).await);
            world.cluster.thaw_broker(0);
            world.cluster.thaw_broker(1);
            full.await
        },
        |world, polls| {
            world.cluster.thaw_broker(0);
            world.cluster.thaw_broker(1);
            assert_eq!(world.stored("y"), 0, "after {polls} polls");
        }
    );
}

#[tokio::test(start_paused = true)]
async fn a_one_way_send_is_stored_once_or_not_at_all() {
    cut_everywhere!(
        "SendingOneway",
        World::new(),
        |world| world.producer.send(Message::new(TOPIC, "x").key("x")).oneway().await.unwrap(),
        |world, polls| assert!(world.stored("x") <= 1, "after {polls} polls")
    );
}

#[tokio::test(start_paused = true)]
async fn a_send_to_a_queue_is_stored_once_or_not_at_all() {
    cut_everywhere!(
        "Sending::to",
        World::new(),
        |world| world.producer.send(Message::new(TOPIC, "x").key("x")).to(world.queue()).await.unwrap(),
        |world, polls| assert!(world.stored("x") <= 1, "after {polls} polls")
    );
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_stored_whole_or_not_at_all() {
    cut_everywhere!(
        "SendingBatch",
        World::new(),
        |world| {
            let batch = MessageBatch::new((0..3).map(|_| Message::new(TOPIC, "x").key("x"))).unwrap();
            world.producer.send_batch(batch).await.unwrap()
        },
        |world, polls| assert!([0, 3].contains(&world.stored("x")), "after {polls} polls")
    );
}

/// Waiting for room leaves nothing; from then on the message goes its way, whoever has dropped the delivery.
#[tokio::test(start_paused = true)]
async fn enqueueing_sends_nothing_before_there_is_room() {
    cut_everywhere!(
        "Sending::enqueue",
        World::warm(),
        |world| {
            world.cluster.freeze_broker(0);
            world.cluster.freeze_broker(1);
            let full = world.producer.send(Message::new(TOPIC, vec![b'x'; BYTES]).key("full"));
            let full = full.try_enqueue().unwrap();
            let cut_here = cut(1, world.producer.send(Message::new(TOPIC, "y").key("y")).enqueue()).await;
            assert!(cut_here.is_none());
            world.cluster.thaw_broker(0);
            world.cluster.thaw_broker(1);
            full.await.unwrap();
            drop(world.producer.send(Message::new(TOPIC, "z").key("z")).enqueue().await.unwrap());
        },
        |world, polls| {
            world.cluster.thaw_broker(0);
            world.cluster.thaw_broker(1);
            assert_eq!(world.stored("y"), 0, "after {polls} polls");
            assert!(world.stored("z") <= 1, "after {polls} polls");
        }
    );
}

#[tokio::test(start_paused = true)]
async fn flushing_changes_nothing() {
    cut_everywhere!(
        "Producer::flush",
        World::warm(),
        |world| {
            drop(world.producer.send(Message::new(TOPIC, "x").key("x")).try_enqueue().unwrap());
            world.producer.flush(Duration::from_secs(1)).await
        },
        |world, polls| assert_eq!(world.stored("x"), 1, "after {polls} polls")
    );
}

#[tokio::test(start_paused = true)]
async fn connecting_leaves_nothing() {
    cut_everywhere!(
        "Client::connect",
        World::new(),
        |world| Client::connect(world.config.clone()).await.unwrap(),
        |world, polls| assert_eq!(alive(), World::at_rest(&world), "after {polls} polls")
    );
}

impl World {
    /// The tasks of a client that has not spoken to anybody: the route keeper and the heartbeat.
    fn at_rest(&self) -> usize {
        self.tasks + 2
    }
}

/// Over real sockets, and so without a paused clock: a connection string names no connector.
#[tokio::test]
async fn connecting_a_producer_leaves_nothing() {
    let cluster = Cluster::builder().topic(TOPIC, 1).start().await.unwrap();
    let url = format!("rocketmq://{}/?group=cancel", cluster.name_servers());
    let before = alive();
    for polls in 1.. {
        let done = cut(polls, Producer::connect(&url)).await;
        let is_done = done.is_some();
        drop(done);
        let gone = async {
            while alive() > before {
                tokio::task::yield_now().await;
            }
        };
        let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
        assert!(gone.is_ok(), "{} tasks are left after {polls} polls", alive() - before);
        if is_done {
            break;
        }
    }
    cluster.stop().await;
}

#[tokio::test(start_paused = true)]
async fn closing_goes_on_in_the_background() {
    let mut polls = 1;
    loop {
        let world = World::warm().await;
        let send = tokio::spawn(world.producer.send(Message::new(TOPIC, "x").key("x")).into_future());
        tokio::task::yield_now().await;
        let done = cut(polls, world.client.close(Duration::from_secs(5))).await.is_some();
        assert!(send.await.unwrap().is_ok(), "what was under way is sent, after {polls} polls");
        sleep(Duration::from_secs(6)).await;
        let again = world.client.close(Duration::from_secs(1)).await;
        assert_eq!(again.unknown, 0);
        assert_eq!(world.stored("x"), 1);
        drop((world.producer, world.client));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(alive(), world.tasks, "after {polls} polls");
        world.cluster.stop().await;
        if done {
            return;
        }
        polls += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn closing_a_producer_keeps_the_others() {
    cut_everywhere!("Producer::close", World::warm(), |world| {
        let other = world.client.producer(ProducerConfig::new("other")).unwrap();
        other.send(Message::new(TOPIC, "x")).await.unwrap();
        other.close(Duration::from_secs(1)).await
    });
}

#[tokio::test(start_paused = true)]
async fn asking_for_queues_leaves_nothing() {
    cut_everywhere!("Producer::queues", World::new(), |world| world.producer.queues(TOPIC).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn prewarming_leaves_nothing() {
    cut_everywhere!("Producer::prewarm", World::new(), |world| {
        world.producer.prewarm(&[TOPIC, "new"]).await.unwrap()
    });
}

/// No message is lost: what a cut call had fetched, the next one gives.
#[tokio::test(start_paused = true)]
async fn a_reader_loses_no_message() {
    let mut polls = 1;
    loop {
        let world = World::new().await;
        for n in 0..6 {
            world.producer.send(Message::new(TOPIC, n.to_string())).to(world.queue()).await.unwrap();
        }
        let mut reader = world.client.reader(&world.queue(), From::Start);
        let (mut read, mut is_cut) = (Vec::new(), false);
        while read.len() < 6 {
            match cut(polls, reader.next()).await {
                Some(message) => {
                    read.push(String::from_utf8(message.unwrap().unwrap().body().to_vec()).unwrap())
                }
                None => {
                    is_cut = true;
                    // The next call is given the time that it needs.
                    let message = reader.next().await.unwrap().unwrap();
                    read.push(String::from_utf8(message.body().to_vec()).unwrap());
                }
            }
        }
        assert_eq!(read, ["0", "1", "2", "3", "4", "5"], "cut after {polls} polls");
        drop(reader);
        world.leaves_nothing("Reader::next", polls).await;
        if !is_cut {
            return;
        }
        polls += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_reader_loses_no_message() {
    for polls in 1..12 {
        let world = World::warm().await;
        let mut reader = world.client.reader(&world.queue(), From::End);
        // It learns where the end is.
        assert!(reader.next().await.unwrap().is_none());
        drop(cut(polls, reader.next_within(Duration::from_secs(3))).await);
        world.producer.send(Message::new(TOPIC, "new")).to(world.queue()).await.unwrap();
        let message = reader.next_within(Duration::from_secs(3)).await.unwrap().unwrap();
        assert_eq!(&**message.body(), b"new", "after {polls} polls");
        drop(reader);
        world.leaves_nothing("Reader::next_within", polls).await;
    }
}

#[tokio::test(start_paused = true)]
async fn administration_leaves_nothing() {
    cut_everywhere!("Admin::topics", World::new(), |world| world.client.admin().topics().await.unwrap());
    cut_everywhere!("Admin::clusters", World::new(), |world| world.client.admin().clusters().await.unwrap());
    cut_everywhere!("Admin::route", World::new(), |world| world.client.admin().route(TOPIC).await.unwrap());
    cut_everywhere!("Admin::queues", World::new(), |world| world.client.admin().queues(TOPIC).await.unwrap());
    cut_everywhere!("Admin::min_offset", World::new(), |world| {
        world.client.admin().min_offset(&world.queue()).await.unwrap()
    });
    cut_everywhere!("Admin::max_offset", World::new(), |world| {
        world.client.admin().max_offset(&world.queue()).await.unwrap()
    });
    cut_everywhere!("Admin::search_offset", World::new(), |world| {
        world.client.admin().search_offset(&world.queue(), 0).await.unwrap()
    });
    cut_everywhere!("Admin::view_message", World::warm(), |world| {
        let receipt = world.producer.send(Message::new(TOPIC, "seen")).await.unwrap();
        world.client.admin().view_message(receipt.offset_id()).await.unwrap()
    });
    cut_everywhere!("Admin::publish_queues", World::new(), |world| {
        world.client.admin().publish_queues(TOPIC).await.unwrap()
    });
    cut_everywhere!("Admin::earliest_store_time", World::new(), |world| {
        world.client.admin().earliest_store_time(&world.queue()).await.unwrap()
    });
    cut_everywhere!("Admin::broker_runtime", World::new(), |world| {
        let address = world.cluster.broker(0).address().to_string();
        world.client.admin().broker_runtime(&address).await.unwrap()
    });
    cut_everywhere!("Admin::query_by_unique_key", World::warm(), |world| {
        let receipt = world.producer.send(Message::new(TOPIC, "seen")).await.unwrap();
        world.client.admin().query_by_unique_key(TOPIC, receipt.message_id().as_str()).await.unwrap()
    });
    cut_everywhere!("Admin::query_by_key", World::warm(), |world| {
        world.client.admin().query_by_key(TOPIC, "warm", KeyQuery::default()).await.unwrap()
    });
}

#[tokio::test(start_paused = true)]
async fn administration_of_topics_leaves_nothing() {
    cut_everywhere!("Admin::create_topic", World::new(), |world| {
        world.client.admin().create_topic("new", TopicSettings::default()).await.unwrap()
    });
    cut_everywhere!("Admin::ensure_topic", World::new(), |world| {
        let within = Duration::from_secs(1);
        world.client.admin().ensure_topic("new", TopicSettings::default(), within).await.unwrap()
    });
    cut_everywhere!("Admin::describe_topic", World::new(), |world| {
        world.client.admin().describe_topic(TOPIC).await.unwrap()
    });
    cut_everywhere!("Admin::delete_topic", World::new(), |world| {
        world.cluster.create_topic("old", 1).unwrap();
        world.client.admin().delete_topic("old").await.unwrap()
    });
}

#[tokio::test(start_paused = true)]
async fn an_examination_leaves_nothing() {
    cut_everywhere!("doctor::examine", World::new(), |world| {
        doctor::examine(world.config.clone(), doctor::Examination::new().topic(TOPIC)).await
    });
}

/// No event is lost: what a cut call was about to give, the next one gives.
#[tokio::test(start_paused = true)]
async fn a_listener_loses_no_event() {
    let mut polls = 1;
    loop {
        let world = World::new().await;
        let mut events = world.client.events();
        let (mut told, mut is_cut) = (Vec::new(), false);
        let sent = world.producer.send(Message::new(TOPIC, "x")).into_future();
        let listened = async {
            while told.len() < 3 {
                match cut(polls, events.next()).await {
                    Some(event) => told.push(event.unwrap()),
                    None => {
                        is_cut = true;
                        sleep(Duration::from_micros(100)).await;
                    }
                }
            }
        };
        let (sent, ()) = tokio::join!(sent, listened);
        sent.unwrap();
        let is_expected = matches!(
            told[..],
            [Event::Connected { .. }, Event::RouteChanged { .. }, Event::Connected { .. }]
        );
        assert!(is_expected, "cut after {polls} polls: {told:?}");
        world.leaves_nothing("Events::next", polls).await;
        if !is_cut {
            return;
        }
        polls += 1;
    }
}

/// Whoever adds a public async function says what cutting it leaves behind, and adds it here and above.
#[test]
fn every_public_async_function_says_what_cutting_it_leaves_behind() {
    let tested = BTreeSet::from([
        "admin: clusters",
        "admin: route",
        "admin: topics",
        "broker: broker_runtime",
        "client: close",
        "client: connect",
        "doctor: examine",
        "events: next",
        "message: query_by_key",
        "message: query_by_unique_key",
        "message: view_message",
        "offset: earliest_store_time",
        "offset: max_offset",
        "offset: min_offset",
        "offset: publish_queues",
        "offset: queues",
        "offset: search_offset",
        "producer: close",
        "producer: connect",
        "producer: flush",
        "producer: prewarm",
        "producer: queues",
        "reader: next",
        "reader: next_within",
        "sending: enqueue",
        "topic: create_topic",
        "topic: delete_topic",
        "topic: describe_topic",
        "topic: ensure_topic",
    ]);
    let mut found = BTreeSet::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let found: BTreeSet<_> = found.iter().map(String::as_str).collect();
    assert_eq!(found, tested);
}

fn visit(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(&path, found);
            continue;
        }
        let module = if path.file_stem().unwrap() == "mod" { path.parent().unwrap() } else { &path };
        let module = module.file_stem().unwrap().to_str().unwrap().to_owned();
        let (mut doc, text) = (String::new(), std::fs::read_to_string(&path).unwrap());
        for line in text.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("pub async fn ") {
                let name = format!("{module}: {}", rest.split(['(', '<']).next().unwrap());
                assert!(doc.contains("# Cancel safety"), "{name} does not say what cutting it leaves behind");
                found.insert(name);
            }
            if line.starts_with("///") {
                doc.push_str(line);
            } else if !line.starts_with("#[") {
                doc.clear();
            }
        }
    }
}
