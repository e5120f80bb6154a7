//! Administration, against emulated clusters on a network in memory and against scripted servers.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::{ops::Deref, time::Duration};

use maxq::{
    Client, ClientConfig, ErrorCode, Message, MessageBatch, MessageQueue, Producer, ProducerConfig,
    RequestErrorKind, Stream,
    admin::{Admin, KeyQuery, TopicSettings},
};
use maxq_emulator::{Cluster, ClusterBuilder, Effect, Fault, On, VirtualNetwork};
use maxq_protocol::{RequestCode, ResponseCode};
use support::{Act, Network, address, reply};

const TOPIC: &str = "orders";

/// An emulated cluster and a client of it.
struct World {
    cluster: Cluster,
    client: Client,
}

impl World {
    async fn new() -> Self {
        Self::of(Cluster::builder().brokers(2).topic(TOPIC, 2)).await
    }

    async fn of(builder: ClusterBuilder) -> Self {
        let network = VirtualNetwork::seeded(1);
        let cluster = builder.virtual_network(&network).start().await.unwrap();
        let config = ClientConfig::new(cluster.name_servers()).seed(1).connector(move |address: String| {
            let network = network.clone();
            async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
        });
        let client = Client::lazy(config).unwrap();
        Self { cluster, client }
    }

    fn admin(&self) -> Admin {
        self.client.admin()
    }

    fn producer(&self) -> Producer {
        self.client.producer(ProducerConfig::new("admin")).unwrap()
    }

    fn queue(&self, broker: usize, queue_id: i32) -> MessageQueue {
        MessageQueue::new(TOPIC, self.cluster.broker(broker).name().to_owned(), queue_id)
    }
}

impl Deref for World {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

fn queues(number: i32) -> TopicSettings {
    TopicSettings::default().queues(number)
}

const SOON: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn an_ensured_topic_is_told_by_every_name_server_and_used_by_this_client() {
    let world = World::of(Cluster::builder().brokers(2).name_servers(2)).await;
    let route = world.admin().ensure_topic("new", queues(3), SOON).await.unwrap();
    assert_eq!((route.readable_queues().len(), route.writable_queues().len()), (6, 6));
    for server in 0..2 {
        assert!(world.name_server_at(server).route("new").is_some());
    }
    let producer = world.producer();
    assert_eq!(producer.queues("new").await.unwrap().len(), 6);
    world.admin().ensure_topic("new", queues(5), SOON).await.unwrap();
    assert_eq!(producer.queues("new").await.unwrap().len(), 10, "the old route is not used any more");
    world.admin().ensure_topic("new", queues(5), SOON).await.unwrap();
    assert_eq!(world.admin().publish_queues("new").await.unwrap().len(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_does_not_agree_is_named() {
    let world = World::of(Cluster::builder().brokers(2).name_servers(2)).await;
    world.name_server_at(1).route_override("new", None);
    let error = world.admin().ensure_topic("new", queues(3), SOON).await.unwrap_err();
    let server = world.name_server_at(1).address().to_string();
    assert_eq!(error.kind(), RequestErrorKind::Timeout);
    assert!(error.to_string().contains(&format!("2s name server {server} does not know it")), "{error}");
    // It learns it a moment later.
    let ensured = async {
        tokio::time::sleep(SOON / 2).await;
        world.name_server_at(1).remove_route_override("new");
    };
    let admin = world.admin();
    let (route, ()) = tokio::join!(admin.ensure_topic("new", queues(3), SOON), ensured);
    assert_eq!(route.unwrap().queues.len(), 2);
    // One that is down has nothing to agree on.
    world.stop_name_server(1).await;
    assert!(world.admin().ensure_topic("newer", queues(3), SOON).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_changed_permission_is_waited_for_and_a_broker_that_takes_no_writes_is_no_error() {
    let world = World::new().await;
    let read_only = queues(2).perm(4);
    let route = world.admin().ensure_topic(TOPIC, read_only, SOON).await.unwrap();
    assert!(route.queues.iter().all(|queues| queues.perm == 4) && route.writable_queues().is_empty());
    world.broker(1).set_read_only(true);
    let route = world.admin().ensure_topic(TOPIC, queues(2), SOON).await.unwrap();
    assert_eq!(route.queues.iter().map(|queues| queues.perm).collect::<Vec<_>>(), [6, 4]);
    assert_eq!(route.writable_queues(), [world.queue(0, 0), world.queue(0, 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_refuses_a_topic_is_an_error_with_its_words() {
    let world = World::new().await;
    let refusal = Effect::refuse(1, "no room for topics");
    let create = On::Code(RequestCode::UPDATE_AND_CREATE_TOPIC.0);
    world.fault(Fault::on(create).broker("broker-1").then(refusal).once());
    let error = world.admin().create_topic("new", queues(1)).await.unwrap_err();
    assert_eq!((error.response_code(), error.remark()), (Some(1), Some("no room for topics")));
    for (topic, settings) in [("a/b", queues(1)), ("TBW102", queues(1)), ("new", queues(0))] {
        let error = world.admin().create_topic(topic, settings).await.unwrap_err();
        assert_eq!(error.kind(), RequestErrorKind::Invalid, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_topic_is_gone_from_brokers_and_name_servers() {
    let world = World::of(Cluster::builder().brokers(2).name_servers(2).topic(TOPIC, 2)).await;
    world.producer().send(Message::new(TOPIC, "old")).await.unwrap();
    assert_eq!(world.admin().delete_topic(TOPIC).await.unwrap(), ["broker-0", "broker-1"]);
    assert_eq!(world.stored_count(TOPIC), 0);
    for server in 0..2 {
        assert!(world.name_server_at(server).route(TOPIC).is_none());
    }
    let error = world.admin().delete_topic(TOPIC).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TOPIC_NOT_FOUND, "{error}");
    assert_eq!(world.admin().delete_topic("TBW102").await.unwrap_err().kind(), RequestErrorKind::Invalid);
}

/// A name server that was down when a topic was deleted keeps its route for ever, so it is no success.
#[tokio::test(start_paused = true)]
async fn a_deletion_goes_on_where_it_was_left() {
    let world = World::of(Cluster::builder().brokers(1).name_servers(2).topic(TOPIC, 2)).await;
    let forget = On::Code(RequestCode::DELETE_TOPIC_IN_NAMESRV.0);
    world.fault(Fault::on(forget).name_server(1).then(Effect::refuse(1, "not now")).once());
    let error = world.admin().delete_topic(TOPIC).await.unwrap_err();
    assert_eq!(error.remark(), Some("not now"));
    assert!(world.name_server_at(0).route(TOPIC).is_none());
    assert!(world.admin().delete_topic(TOPIC).await.is_ok());
    assert!(world.name_server_at(1).route(TOPIC).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_description_shows_every_queue_with_its_offsets() {
    for version in ["5.5.0", "4.9.7"] {
        let world = World::of(Cluster::builder().emulate(version).brokers(2).topic(TOPIC, 2)).await;
        let producer = world.producer();
        for _ in 0..3 {
            producer.send(Message::new(TOPIC, "x")).to(world.queue(1, 1)).await.unwrap();
        }
        let described = world.admin().describe_topic(TOPIC).await.unwrap();
        assert_eq!((described.messages(), described.brokers.len()), (3, 2), "{version}");
        let at = &described.brokers[1];
        assert_eq!(
            (at.broker.name.as_str(), at.read_queues, at.write_queues, at.perm),
            ("broker-1", 2, 2, 6)
        );
        assert_eq!(at.order, (version == "5.5.0").then_some(false), "4.9 does not tell");
        let queue = &at.queues[1];
        assert_eq!((&queue.queue, queue.min_offset, queue.max_offset), (&world.queue(1, 1), 0, 3));
        let last = world.stored(TOPIC)[2].record.store_timestamp;
        assert_eq!((queue.last_stored, at.queues[0].last_stored), (Some(last), None));
        let error = world.admin().describe_topic("missing").await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::TOPIC_NOT_FOUND);
    }
}

/// A broker of 4.9 stores the properties of a batch behind those of each message in it. While the batch had an id of its
/// own, that is what its messages were found by, and not the ids of their receipts.
#[tokio::test(start_paused = true)]
async fn the_messages_of_a_batch_are_found_by_the_ids_of_their_receipts() {
    for version in ["5.5.0", "4.9.7"] {
        let world = World::of(Cluster::builder().emulate(version).brokers(1).topic(TOPIC, 1)).await;
        let batch = MessageBatch::new((0..3).map(|n| Message::new(TOPIC, n.to_string()))).unwrap();
        let sent = world.producer().send_batch(batch).await.unwrap();
        for (n, receipt) in sent.receipts().iter().enumerate() {
            let found =
                world.admin().query_by_unique_key(TOPIC, receipt.message_id().as_str()).await.unwrap();
            let [found] = &found.messages[..] else { panic!("{version}: message {n}: {found:?}") };
            assert_eq!((&found.body()[..], found.queue_offset()), (n.to_string().as_bytes(), n as u64));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn offsets_are_those_of_the_queue() {
    let world = World::new().await;
    let (admin, producer, queue) = (world.admin(), world.producer(), world.queue(0, 1));
    assert_eq!(admin.earliest_store_time(&queue).await.unwrap(), None);
    for _ in 0..3 {
        producer.send(Message::new(TOPIC, "x")).to(queue.clone()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let times: Vec<_> = world.stored(TOPIC).iter().map(|stored| stored.record.store_timestamp).collect();
    assert_eq!(admin.earliest_store_time(&queue).await.unwrap(), Some(times[0]));
    assert_eq!((admin.min_offset(&queue).await.unwrap(), admin.max_offset(&queue).await.unwrap()), (0, 3));
    for (time, offset) in [(times[0] - 1, 0), (times[1], 1), (times[1] + 1, 2), (times[2] + 1, 3)] {
        assert_eq!(admin.search_offset(&queue, time).await.unwrap(), offset);
    }
    let gone = MessageQueue::new(TOPIC, "broker-9", 0);
    assert_eq!(admin.max_offset(&gone).await.unwrap_err().code(), ErrorCode::QUEUE_GONE);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_found_by_its_ids_and_keys() {
    let world = World::new().await;
    let (admin, producer) = (world.admin(), world.producer());
    let message = || Message::new(TOPIC, "paid").keys(["42", "43"]);
    let first = producer.send(message()).to(world.queue(0, 0)).await.unwrap();
    let second = producer.send(message()).to(world.queue(1, 1)).await.unwrap();
    producer.send(Message::new(TOPIC, "other").key("44")).await.unwrap();

    let seen = admin.view_message(first.offset_id()).await.unwrap();
    assert_eq!((&**seen.body(), seen.message_id()), (&b"paid"[..], first.message_id().to_string()));
    assert_eq!(seen.queue(), first.queue());

    let found = admin.query_by_unique_key(TOPIC, second.message_id().as_str()).await.unwrap();
    assert_eq!(found.messages.len(), 1);
    assert_eq!(found.messages[0].queue(), second.queue());
    assert!(found.unanswered.is_empty());

    let found = admin.query_by_key(TOPIC, "43", KeyQuery::default()).await.unwrap();
    let ids: Vec<_> = found.messages.iter().map(|message| message.message_id()).collect();
    assert_eq!(ids, [first.message_id().to_string(), second.message_id().to_string()]);
    let later = KeyQuery::default().begin(found.messages[1].store_timestamp() + 3_600_000);
    assert!(admin.query_by_key(TOPIC, "43", later).await.unwrap().messages.is_empty());
    for nothing in ["4", "nothing"] {
        assert!(admin.query_by_key(TOPIC, nothing, KeyQuery::default()).await.unwrap().messages.is_empty());
    }
    let error = admin.query_by_key("missing", "42", KeyQuery::default()).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::TOPIC_NOT_FOUND);
    let error = admin.query_by_key(TOPIC, "", KeyQuery::default()).await.unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::Invalid);
    let error = admin.view_message("no id").await.unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::Invalid);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_cannot_be_asked_is_named_beside_what_the_others_have() {
    let world = World::new().await;
    let (admin, producer) = (world.admin(), world.producer());
    let sent = producer.send(Message::new(TOPIC, "paid").key("42")).to(world.queue(0, 0)).await.unwrap();
    world.name_server_at(0).keep_dead_brokers(true);
    world.kill_broker(1).await;
    let found = admin.query_by_key(TOPIC, "42", KeyQuery::default()).await.unwrap();
    assert_eq!(found.messages[0].message_id(), sent.message_id().to_string());
    assert_eq!(found.unanswered.len(), 1);
    assert_eq!(found.unanswered[0].0, "broker-1");
    world.kill_broker(0).await;
    let error = admin.query_by_key(TOPIC, "42", KeyQuery::default()).await.unwrap_err();
    assert_eq!(error.kind(), RequestErrorKind::Connect, "{error}");
}

/// A broker's index cuts times down to whole seconds, so 5.5.0 did not find a message by a time just before its storing.
#[tokio::test(start_paused = true)]
async fn messages_since_a_time_are_asked_for_a_second_earlier_and_older_ones_left_out() {
    let network = Network::cluster(TOPIC, &["a"]);
    let world = World::new().await;
    world.producer().send(Message::new(TOPIC, "paid").key("42")).await.unwrap();
    let mut record = Vec::new();
    world.stored(TOPIC)[0].record.encode(&mut record);
    let stored = world.stored(TOPIC)[0].record.store_timestamp;
    network.peer(&address("a"), move |request| {
        vec![Act::Answer(reply(request, ResponseCode::SUCCESS).with_body(record.clone()))]
    });
    let admin = network.client().admin();
    let count = async |query| admin.query_by_key(TOPIC, "42", query).await.unwrap().messages.len();
    assert_eq!(count(KeyQuery::default().begin(stored).end(stored)).await, 1);
    assert_eq!(count(KeyQuery::default().begin(stored + 1)).await, 0);
    assert_eq!(count(KeyQuery::default().end(stored - 1)).await, 0);
    assert_eq!(count(KeyQuery::default()).await, 1);
    let asked = network.heard(&address("a"), RequestCode::QUERY_MESSAGE);
    let begin = |question: usize| asked[question].ext.get("beginTimestamp").unwrap().to_owned();
    assert_eq!((begin(0), begin(3)), ((stored - 1_000).to_string(), "0".to_owned()));
}

/// The broker's index knows hashes only: what it gives may have another key.
#[tokio::test(start_paused = true)]
async fn a_message_with_another_key_of_the_same_hash_is_left_out() {
    let network = Network::cluster(TOPIC, &["a"]);
    let world = World::new().await;
    world.producer().send(Message::new(TOPIC, "other").key("other")).await.unwrap();
    let mut record = Vec::new();
    world.stored(TOPIC)[0].record.encode(&mut record);
    network.peer(&address("a"), move |request| {
        vec![Act::Answer(reply(request, ResponseCode::SUCCESS).with_body(record.clone()))]
    });
    let admin = network.client().admin();
    assert!(admin.query_by_key(TOPIC, "key", KeyQuery::default()).await.unwrap().messages.is_empty());
    assert!(admin.query_by_unique_key(TOPIC, "key").await.unwrap().messages.is_empty());
    assert_eq!(admin.query_by_key(TOPIC, "other", KeyQuery::default()).await.unwrap().messages.len(), 1);
    let asked = network.heard(&address("a"), RequestCode::QUERY_MESSAGE);
    assert_eq!(asked[1].ext.get("_UNIQUE_KEY_QUERY"), Some("true"));
    assert_eq!(asked[0].ext.get("_UNIQUE_KEY_QUERY"), None);
}

#[tokio::test(start_paused = true)]
async fn a_broker_tells_of_itself() {
    for (version, text) in [("5.5.0", "V5_5_0"), ("4.9.7", "V4_9_7")] {
        let world = World::of(Cluster::builder().emulate(version).brokers(1)).await;
        tokio::time::sleep(Duration::from_secs(65)).await;
        let clusters = world.admin().clusters().await.unwrap();
        let runtime = world.admin().broker_runtime(clusters[0].brokers[0].master().unwrap()).await.unwrap();
        assert_eq!((runtime.version(), runtime.uptime_seconds()), (Some(text), Some(65)));
        assert!(runtime.boot_timestamp().is_some() && runtime.stored_per_second() == Some(0.0));
    }
}
