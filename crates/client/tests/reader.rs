//! Reading a queue, against emulated clusters on a network in memory and against scripted servers.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::time::Duration;

use maxq::{
    Client, ClientConfig, CompressionChoice, ErrorCode, From, Message, MessageQueue, Producer,
    ProducerConfig, Reader, RequestErrorKind, Stream,
};
use maxq_emulator::{Cluster, VirtualNetwork};
use maxq_protocol::{
    RequestCode, ResponseCode,
    header::PullReply,
    message::{StoredMessage, SysFlag},
};
use support::{Act, Network, address, reply, serve};
use tokio::time::sleep;

const TOPIC: &str = "T";
const SECOND: Duration = Duration::from_secs(1);

struct World {
    cluster: Cluster,
    client: Client,
    producer: Producer,
}

impl World {
    async fn new(version: &str) -> Self {
        let network = VirtualNetwork::seeded(1);
        let cluster = Cluster::builder().emulate(version).virtual_network(&network).topic(TOPIC, 1);
        let cluster = cluster.start().await.unwrap();
        let config = ClientConfig::new(cluster.name_servers()).seed(1).connector(move |address: String| {
            let network = network.clone();
            async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
        });
        let client = Client::lazy(config).unwrap();
        let compression = CompressionChoice::Lz4 { from: 1_000 };
        let producer = client.producer(ProducerConfig::new("reader").compression(compression)).unwrap();
        Self { cluster, client, producer }
    }

    /// Stores these bodies, a second apart; gives their store times.
    async fn store(&self, bodies: &[&str]) -> Vec<i64> {
        for body in bodies {
            self.producer.send(Message::new(TOPIC, (*body).to_owned())).await.unwrap();
            sleep(SECOND).await;
        }
        self.cluster.stored(TOPIC).iter().map(|stored| stored.record.store_timestamp).collect()
    }

    fn reader(&self, from: From) -> Reader {
        self.client.reader(&MessageQueue::new(TOPIC, "broker-0", 0), from)
    }
}

async fn rest(reader: &mut Reader) -> Vec<String> {
    let mut bodies = Vec::new();
    while let Some(message) = reader.next().await.unwrap() {
        bodies.push(String::from_utf8(message.body().to_vec()).unwrap());
    }
    bodies
}

/// A broker of 4.9.7 begins at the message that is nearest to a time, also when that is the one before.
#[tokio::test(start_paused = true)]
async fn a_time_begins_at_the_first_message_that_is_not_older() {
    for version in ["5.5.0", "4.9.7"] {
        let world = World::new(version).await;
        let times = world.store(&["a", "b", "c"]).await;
        let rows: [(i64, &[&str]); 6] = [
            (0, &["a", "b", "c"]),
            (times[1], &["b", "c"]),
            (times[1] + 1, &["c"]),
            (times[1] + 999, &["c"]),
            (times[2], &["c"]),
            (times[2] + 1, &[]),
        ];
        for (time, expected) in rows {
            assert_eq!(rest(&mut world.reader(From::Time(time))).await, expected, "{version} {time}");
        }
    }
}

/// The time is only where it begins: a clock that goes back later hides nothing.
#[tokio::test(start_paused = true)]
async fn a_time_that_was_reached_leaves_nothing_out_later() {
    let world = World::new("5.5.0").await;
    let times = world.store(&["a", "b"]).await;
    let back = maxq_emulator::Effect::ClockSkew { by_ms: -3_600_000 };
    world.cluster.fault(maxq_emulator::Fault::on(maxq_emulator::On::Send).then(back));
    let mut reader = world.reader(From::Time(times[1]));
    assert_eq!(rest(&mut reader).await, ["b"]);
    world.store(&["c"]).await;
    assert_eq!(rest(&mut reader).await, ["c"]);
}

#[tokio::test(start_paused = true)]
async fn it_seeks_and_follows() {
    let world = World::new("5.5.0").await;
    let times = world.store(&["a", "b", "c"]).await;
    let mut reader = world.reader(From::End);
    assert_eq!(rest(&mut reader).await, [""; 0]);
    reader.seek(From::Offset(1));
    assert_eq!(rest(&mut reader).await, ["b", "c"]);
    reader.seek(From::Time(times[2]));
    assert_eq!(rest(&mut reader).await, ["c"]);
    reader.seek(From::Start);
    assert_eq!(&**reader.next().await.unwrap().unwrap().body(), b"a");
    reader.seek(From::End);
    let later = async {
        sleep(SECOND * 5).await;
        world.producer.send(Message::new(TOPIC, "d")).await.unwrap();
    };
    let (message, ()) = tokio::join!(reader.next_within(SECOND * 60), later);
    assert_eq!(&**message.unwrap().unwrap().body(), b"d");
    let waiting = reader.next_within(SECOND * 40);
    assert!(tokio::time::timeout(SECOND * 39, waiting).await.is_err(), "it waits for as long as it may");
    assert!(reader.next_within(SECOND * 40).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn compressed_bodies_come_as_they_were_sent() {
    let world = World::new("5.5.0").await;
    let body = "compress me ".repeat(1_000);
    world.store(&[&body]).await;
    assert!(world.cluster.stored(TOPIC)[0].body().len() < body.len());
    assert_eq!(rest(&mut world.reader(From::Start)).await, [body]);
}

/// A broker that moves is found again by the next try.
#[tokio::test(start_paused = true)]
async fn a_reader_finds_a_broker_that_has_moved() {
    let world = World::new("5.5.0").await;
    world.store(&["a"]).await;
    let mut reader = world.reader(From::Start);
    assert_eq!(rest(&mut reader).await, ["a"]);
    world.cluster.restart_broker_elsewhere(0).await.unwrap();
    let error = reader.next().await.unwrap_err();
    assert!(matches!(error.kind(), RequestErrorKind::Connect | RequestErrorKind::Lost), "{error}");
    sleep(SECOND).await;
    world.store(&["b"]).await;
    assert_eq!(rest(&mut reader).await, ["b"]);
}

fn record(offset: i64, body: &'static [u8]) -> StoredMessage {
    StoredMessage {
        queue_id: 0,
        flag: 0,
        queue_offset: offset,
        commit_log_offset: offset * 100,
        sys_flag: SysFlag(0),
        born_timestamp: 1,
        born_host: "10.0.0.1:5000".parse().unwrap(),
        store_timestamp: 2,
        store_host: "10.0.0.2:10911".parse().unwrap(),
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        body: body.into(),
        topic: TOPIC.to_owned(),
        properties: String::new(),
    }
}

fn bytes(record: &StoredMessage) -> Vec<u8> {
    let mut out = Vec::new();
    record.encode(&mut out);
    out
}

/// A reader of a broker whose queue is `records`, of which one pull gives as many as there are from its offset on.
fn reader_of(network: &Network, records: Vec<Vec<u8>>) -> Reader {
    network.peer(&address("a"), move |request| {
        if request.request_code() != RequestCode::PULL_MESSAGE {
            return vec![Act::Answer(serve(request))];
        }
        let offset: usize = request.ext.get("queueOffset").unwrap().parse().unwrap();
        let body = records.get(offset..).unwrap_or_default().concat();
        let code = if body.is_empty() { ResponseCode::PULL_NOT_FOUND } else { ResponseCode::SUCCESS };
        let header = PullReply {
            suggest_which_broker_id: 0,
            next_begin_offset: records.len() as i64,
            min_offset: 0,
            max_offset: records.len() as i64,
            forbidden_type: None,
        };
        vec![Act::Answer(reply(request, code).with_header(&header).with_body(body))]
    });
    network.client().reader(&MessageQueue::new(TOPIC, "a", 0), From::Offset(0))
}

/// Reads to the end: bodies, and errors as their texts.
async fn everything(reader: &mut Reader) -> Vec<String> {
    let mut read = Vec::new();
    loop {
        match reader.next().await {
            Ok(Some(message)) => read.push(String::from_utf8(message.body().to_vec()).unwrap()),
            Ok(None) => return read,
            Err(error) => {
                assert_eq!((error.kind(), error.code()), (RequestErrorKind::Answer, ErrorCode::ANSWER));
                read.push(error.to_string());
            }
        }
        assert!(read.len() < 10, "it does not end: {read:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_checksum_is_wrong_is_told_once_and_left_behind() {
    let network = Network::cluster(TOPIC, &["a"]);
    let mut damaged = bytes(&record(1, b"bbb"));
    let body = damaged.windows(3).position(|window| window == b"bbb").unwrap();
    damaged[body] ^= 1;
    for place in 0..3 {
        let mut records: Vec<_> = (0..3).map(|n| bytes(&record(n, b"fine"))).collect();
        damaged[20..28].copy_from_slice(&(place as i64).to_be_bytes());
        records[place] = damaged.clone();
        let read = everything(&mut reader_of(&network, records)).await;
        assert_eq!(read.len(), 3, "{read:?}");
        assert!(
            read[place].contains(&format!("the message at offset {place} of T/a/0 cannot be read"))
                && read[place].contains("checksum"),
            "{read:?}"
        );
        assert_eq!(read.iter().filter(|text| *text == "fine").count(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_decompress_is_told_once_and_left_behind() {
    let network = Network::cluster(TOPIC, &["a"]);
    for sys_flag in [0x101, 0x301, 0x501] {
        let damaged = StoredMessage { sys_flag: SysFlag(sys_flag), ..record(0, b"no such thing") };
        let records = vec![bytes(&damaged), bytes(&record(1, b"fine"))];
        let read = everything(&mut reader_of(&network, records)).await;
        assert!(read[0].contains("the message at offset 0 of T/a/0 cannot be read"), "{read:?}");
        assert_eq!(read[1..], ["fine"], "{read:?}");
    }
}

/// Behind a record that does not even say how long it is, nothing of that answer can be read. The next pull brings the
/// rest again.
#[tokio::test(start_paused = true)]
async fn a_record_without_an_end_hides_only_itself() {
    let network = Network::cluster(TOPIC, &["a"]);
    let mut endless = bytes(&record(0, b"x"));
    endless[..4].copy_from_slice(&u32::MAX.to_be_bytes());
    let records = vec![endless, bytes(&record(1, b"fine")), bytes(&record(2, b"fine"))];
    let read = everything(&mut reader_of(&network, records)).await;
    assert!(read[0].contains("offset 0"), "{read:?}");
    assert_eq!(read[1..], ["fine", "fine"]);
    // Garbage names no place that was not asked for.
    let garbage = vec![0xFF; 100];
    let records = vec![garbage, bytes(&record(1, b"fine"))];
    let read = everything(&mut reader_of(&network, records)).await;
    assert!(read[0].contains("offset 0"), "{read:?}");
    assert_eq!(read[1..], ["fine"]);
}
