//! The client against the emulator, over real TCP: what is acknowledged is stored, whatever dies on the way.

use std::{collections::BTreeMap, time::Duration};

use maxq::{
    Client, ClientConfig, CompressionChoice, From, HeaderEncoding, Message, MessageQueue, Outcome,
    ProducerConfig, RetryPolicy, SendErrorKind, admin::TopicSettings,
};
use maxq_emulator::Cluster;

async fn client_of(cluster: &Cluster) -> Client {
    Client::connect(ClientConfig::new(cluster.name_servers())).await.expect("the emulator answers")
}

#[tokio::test]
async fn what_is_sent_is_read_back_field_by_field() {
    for (version, encoding) in [
        ("5.5.0", HeaderEncoding::Json),
        ("5.5.0", HeaderEncoding::Binary),
        ("4.9.7", HeaderEncoding::Json),
        ("4.9.7", HeaderEncoding::Binary),
    ] {
        let cluster = Cluster::builder().brokers(2).emulate(version).start().await.unwrap();
        let config = ClientConfig::new(cluster.name_servers()).header_encoding(encoding);
        let client = Client::connect(config).await.unwrap();
        let producer = client.producer(ProducerConfig::new("orders")).unwrap();
        let text = "größer 🚀 ".repeat(2_000);
        let message = Message::new("T", text.clone())
            .tag("created")
            .keys(["a", "b"])
            .property("colour", "red=blue:green")
            .property("ключ", "значение")
            .flag(7);
        let receipt = producer.send(message).await.unwrap();
        assert!(receipt.created_from_default_topic());
        let read = client.reader(receipt.queue(), From::Start).next().await.unwrap().unwrap();
        assert_eq!(read.body(), text.as_bytes());
        assert_eq!(read.message_id(), receipt.message_id().as_str());
        assert_eq!(read.offset_id(), receipt.offset_id());
        assert_eq!((read.queue(), read.queue_offset()), (receipt.queue(), receipt.queue_offset()));
        assert_eq!((read.tag(), read.flag()), (Some("created"), 7));
        assert_eq!(read.keys().collect::<Vec<_>>(), ["a", "b"]);
        let properties: BTreeMap<_, _> = read.user_properties().collect();
        assert_eq!(properties, BTreeMap::from([("colour", "red=blue:green"), ("ключ", "значение")]));
        assert_eq!(read.sys_flag() & 0x301, 0x301, "compressed with zlib");
        let viewed = client.admin().view_message(receipt.offset_id()).await.unwrap();
        assert_eq!(viewed.body(), text.as_bytes());
        client.close(Duration::from_secs(5)).await;
        cluster.stop().await;
    }
}

#[tokio::test]
async fn every_compression_is_read_back() {
    let cluster = Cluster::start(1).await.unwrap();
    let client = client_of(&cluster).await;
    for choice in [
        CompressionChoice::Off,
        CompressionChoice::Zlib { from: 10, level: 9 },
        CompressionChoice::Lz4 { from: 10 },
    ] {
        let producer = client.producer(ProducerConfig::new("orders").compression(choice)).unwrap();
        let body = "compress me ".repeat(10_000);
        let receipt = producer.send(Message::new("T", body.clone())).await.unwrap();
        let from = From::Offset(receipt.queue_offset());
        let read = client.reader(receipt.queue(), from).next().await.unwrap().unwrap();
        assert_eq!(read.body(), body.as_bytes(), "{choice:?}");
    }
}

#[tokio::test]
async fn a_killed_broker_loses_no_acknowledged_message_and_fails_no_send() {
    let cluster = Cluster::start(3).await.unwrap();
    let client = client_of(&cluster).await;
    client.admin().create_topic("T", TopicSettings::default().queues(4)).await.unwrap();
    let producer = client.producer(ProducerConfig::new("orders")).unwrap();
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..16 {
        let producer = producer.clone();
        senders.spawn(async move {
            let mut acknowledged = Vec::new();
            for n in 0..200 {
                let receipt = producer.send(Message::new("T", format!("{sender}/{n}"))).await.unwrap();
                acknowledged.push((receipt.message_id().to_string(), receipt.maybe_duplicate()));
            }
            acknowledged
        });
    }
    // The kill comes while all of them are under way: the event is that a third is stored.
    while cluster.stored_count("T") < 1_000 {
        tokio::task::yield_now().await;
    }
    cluster.kill_broker(1).await;
    let mut stored = BTreeMap::<String, usize>::new();
    let mut acknowledged = BTreeMap::new();
    while let Some(done) = senders.join_next().await {
        acknowledged.extend(done.unwrap());
    }
    for message in cluster.stored("T") {
        *stored.entry(message.unique_id().unwrap().to_owned()).or_default() += 1;
    }
    assert_eq!(acknowledged.len(), 3_200);
    for (id, maybe_duplicate) in &acknowledged {
        let copies = stored.get(id).copied().unwrap_or(0);
        assert!(copies >= 1, "{id} is lost");
        assert!(
            copies == 1 || *maybe_duplicate,
            "{id} is there {copies} times, and its receipt does not say so"
        );
    }
}

#[tokio::test]
async fn a_broker_that_comes_back_is_used_again() {
    let cluster = Cluster::start(1).await.unwrap();
    let client = client_of(&cluster).await;
    let producer = client.producer(ProducerConfig::new("orders")).unwrap();
    producer.send(Message::new("T", "before")).await.unwrap();
    cluster.kill_broker(0).await;
    let error = producer.send(Message::new("T", "while it is down")).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (SendErrorKind::Connect, Outcome::NotSent), "{error}");
    cluster.restart_broker(0).await.unwrap();
    producer.send(Message::new("T", "after")).await.unwrap();
    assert_eq!(cluster.stored_count("T"), 2);
}

#[tokio::test]
async fn one_way_messages_arrive() {
    let cluster = Cluster::start(2).await.unwrap();
    let producer = client_of(&cluster).await.producer(ProducerConfig::new("orders")).unwrap();
    for n in 0..500 {
        producer.send(Message::new("T", format!("{n}"))).oneway().await.unwrap();
    }
    // An awaited message behind them on each connection: when it is stored, they are.
    for queue in producer.queues("T").await.unwrap() {
        producer.send(Message::new("T", "last")).to(queue).await.unwrap();
    }
    let bodies = cluster.stored("T").into_iter().filter(|message| message.body() != "last").count();
    assert_eq!(bodies, 500);
}

#[tokio::test]
async fn a_reader_follows_waits_and_seeks() {
    let cluster = Cluster::builder().topic("T", 1).start().await.unwrap();
    let client = client_of(&cluster).await;
    let producer = client.producer(ProducerConfig::new("orders")).unwrap();
    let queue = MessageQueue::new("T", "broker-0", 0);
    let mut reader = client.reader(&queue, From::End);
    assert!(reader.next().await.unwrap().is_none());
    for n in 0..100 {
        producer.send(Message::new("T", format!("{n}"))).await.unwrap();
    }
    for n in 0..100 {
        let message = reader.next().await.unwrap().unwrap();
        assert_eq!(message.body(), n.to_string().as_bytes());
    }
    assert!(reader.next().await.unwrap().is_none());
    let (waited, sent) = tokio::join!(
        reader.next_within(Duration::from_secs(30)),
        producer.send(Message::new("T", "woken")).into_future(),
    );
    assert_eq!(waited.unwrap().unwrap().queue_offset(), sent.unwrap().queue_offset());
    reader.seek(From::Offset(42));
    assert_eq!(reader.next().await.unwrap().unwrap().body(), "42".as_bytes());
    reader.seek(From::Offset(1_000_000));
    assert!(
        reader.next_within(Duration::from_millis(1)).await.is_ok(),
        "an offset that is not there is corrected"
    );
}

#[tokio::test]
async fn administration_sees_what_is_there() {
    let cluster = Cluster::start(2).await.unwrap();
    let client = client_of(&cluster).await;
    let admin = client.admin();
    assert_eq!(admin.create_topic("orders", TopicSettings::default().queues(3)).await.unwrap().len(), 2);
    assert!(admin.topics().await.unwrap().contains(&"orders".to_owned()));
    let route = admin.route("orders").await.unwrap();
    assert_eq!(route.queues.iter().map(|group| group.write_queues).collect::<Vec<_>>(), [3, 3]);
    let clusters = admin.clusters().await.unwrap();
    assert_eq!(clusters[0].brokers.len(), 2);
    assert_eq!(clusters[0].brokers[0].master().unwrap(), cluster.broker(0).address().to_string());
    let queue = &admin.queues("orders").await.unwrap()[0];
    assert_eq!((admin.min_offset(queue).await.unwrap(), admin.max_offset(queue).await.unwrap()), (0, 0));
}

#[tokio::test]
async fn what_a_broker_refuses_is_said_in_its_words() {
    let cluster = Cluster::builder().topic("T", 1).auto_create_topics(false).start().await.unwrap();
    let client = client_of(&cluster).await;
    let producer = client.producer(ProducerConfig::new("orders")).unwrap();
    let error = producer.send(Message::new("missing", "x")).await.unwrap_err();
    assert_eq!(error.kind(), SendErrorKind::NoRoute);
    assert!(error.to_string().contains("no broker creates topics"), "{error}");
    let nowhere = MessageQueue::new("T", "broker-0", 99);
    let error =
        producer.send(Message::new("T", "x")).to(nowhere).retry(RetryPolicy::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()[0].code()), (SendErrorKind::Refused, Some(29)));
    assert!(error.to_string().contains("request queueId[99] is illegal"), "{error}");
}
