//! One request in, its answer out.
//!
//! Sends are answered by hand: cut out of the bytes and written as text. Everything else is rare and goes through the
//! protocol crate.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::atomic::Ordering::Relaxed,
};

use bytes::{Buf as _, Bytes, BytesMut};
use maxq_protocol::{
    DecodeError, FrameReader, HeaderEncoding, RemotingCommand, RequestCode, ResponseCode,
    body::{BrokerData, ClusterInfo, JsonDialect, QueueData, TopicRouteData, perm, to_json},
};

use super::counters::Counters;
use crate::glance::{Frame, Glance};

/// The private request that a null broker answers with its counters as JSON.
pub const STATISTICS: i32 = 9999;

/// Everything that an answer is made of.
#[derive(Debug)]
pub(super) struct Answers {
    route: Bytes,
    cluster: Bytes,
    mirror: bool,
    pub(super) counters: Counters,
}

impl Answers {
    pub(super) fn new(brokers: &[SocketAddr], queues: i32, mirror: bool) -> Self {
        let (route, cluster) = bodies(brokers, queues);
        Self { route, cluster, mirror, counters: Counters::default() }
    }

    /// Appends the answer to `frame`, if it wants one, to `out`.
    ///
    /// # Errors
    /// The frame is whole, but its header is not one.
    pub(super) fn answer(&self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let glance = frame.glance();
        if glance.is_response() {
            return Ok(());
        }
        match RequestCode(glance.code) {
            RequestCode::SEND_MESSAGE
            | RequestCode::SEND_MESSAGE_V2
            | RequestCode::SEND_BATCH_MESSAGE
            | RequestCode::SEND_REPLY_MESSAGE
            | RequestCode::SEND_REPLY_MESSAGE_V2 => {
                self.answer_send(frame, glance, out);
                Ok(())
            }
            _ => self.answer_other(frame, out),
        }
    }

    fn answer_send(&self, frame: &Frame<'_>, glance: Glance, out: &mut Vec<u8>) {
        let messages = match RequestCode(glance.code) {
            RequestCode::SEND_BATCH_MESSAGE => batch_length(frame.body),
            _ => 1,
        };
        Counters::one(&self.counters.sends);
        let offset = self.counters.messages.fetch_add(messages, Relaxed);
        if glance.is_oneway() {
            Counters::one(&self.counters.oneway);
            return;
        }
        match self.encoding(frame) {
            HeaderEncoding::Json => json_reply(glance, offset, out),
            HeaderEncoding::Binary => binary_reply(glance, offset, out),
        }
    }

    fn answer_other(&self, frame: &Frame<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let Some(request) = FrameReader::new().next(&mut BytesMut::from(frame.bytes))? else { return Ok(()) };
        let counters = &self.counters;
        let (counter, body) = match request.request_code() {
            RequestCode::GET_ROUTEINFO_BY_TOPIC => (&counters.routes, self.route.clone()),
            RequestCode::GET_BROKER_CLUSTER_INFO => (&counters.others, self.cluster.clone()),
            RequestCode::HEART_BEAT => (&counters.heartbeats, Bytes::new()),
            RequestCode(STATISTICS) => (&counters.others, statistics_body(counters)),
            _ => (&counters.others, Bytes::new()),
        };
        Counters::one(counter);
        if !request.is_oneway() {
            let mut answer = RemotingCommand::response(ResponseCode::SUCCESS, request.opaque).with_body(body);
            answer.encoding = self.encoding(frame);
            answer.encode(out);
        }
        Ok(())
    }

    /// Apache 5.5.0 always answers JSON, 4.9.7 in the encoding of the request.
    const fn encoding(&self, request: &Frame<'_>) -> HeaderEncoding {
        if self.mirror { request.encoding } else { HeaderEncoding::Json }
    }
}

fn statistics_body(counters: &Counters) -> Bytes {
    serde_json::to_vec(&counters.statistics()).unwrap_or_default().into()
}

/// Number of messages in a batch body: each begins with its own size.
fn batch_length(mut body: &[u8]) -> u64 {
    let mut messages = 0;
    while let Ok(size @ 4..) = body.try_get_u32() {
        messages += 1;
        body.advance((size as usize - 4).min(body.len()));
    }
    messages
}

fn json_reply(glance: Glance, offset: u64, out: &mut Vec<u8>) {
    let start = begin(out);
    out.extend_from_slice(
        br#"{"code":0,"extFields":{"MSG_REGION":"DefaultRegion","TRACE_ON":"true","msgId":""#,
    );
    out.extend_from_slice(&offset_id(offset));
    out.extend_from_slice(br#"","queueId":""#);
    out.extend_from_slice(itoa::Buffer::new().format(glance.queue_id).as_bytes());
    out.extend_from_slice(br#"","queueOffset":""#);
    out.extend_from_slice(itoa::Buffer::new().format(offset).as_bytes());
    out.extend_from_slice(br#""},"flag":1,"language":"JAVA","opaque":"#);
    out.extend_from_slice(itoa::Buffer::new().format(glance.opaque).as_bytes());
    out.extend_from_slice(br#","serializeTypeCurrentRPC":"JSON","version":479}"#);
    end(start, 0, out);
}

fn binary_reply(glance: Glance, offset: u64, out: &mut Vec<u8>) {
    let start = begin(out);
    out.extend_from_slice(&[0, 0, 0]); // success; Java
    out.extend_from_slice(&479u16.to_be_bytes());
    out.extend_from_slice(&glance.opaque.to_be_bytes());
    out.extend_from_slice(&1u32.to_be_bytes()); // a response
    out.extend_from_slice(&0u32.to_be_bytes()); // no remark
    let fields = out.len();
    out.extend_from_slice(&[0; 4]);
    let mut field = |key: &[u8], value: &[u8]| {
        out.extend_from_slice(&(key.len() as u16).to_be_bytes());
        out.extend_from_slice(key);
        out.extend_from_slice(&(value.len() as u32).to_be_bytes());
        out.extend_from_slice(value);
    };
    field(b"MSG_REGION", b"DefaultRegion");
    field(b"TRACE_ON", b"true");
    field(b"msgId", &offset_id(offset));
    field(b"queueId", itoa::Buffer::new().format(glance.queue_id).as_bytes());
    field(b"queueOffset", itoa::Buffer::new().format(offset).as_bytes());
    let length = (out.len() - fields - 4) as u32;
    out[fields..fields + 4].copy_from_slice(&length.to_be_bytes());
    end(start, 1, out);
}

/// Leaves room for the two words in front of a header.
fn begin(out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(&[0; 8]);
    out.len() - 8
}

/// Fills the two words of a frame without body that began at `start`.
fn end(start: usize, type_byte: u8, out: &mut [u8]) {
    let header = (out.len() - start - 8) as u32;
    out[start..start + 4].copy_from_slice(&(header + 4).to_be_bytes());
    out[start + 4..start + 8].copy_from_slice(&header.to_be_bytes());
    out[start + 4] = type_byte;
}

/// An offset message id of 127.0.0.1:10911 with the offset as its place in the commit log.
fn offset_id(offset: u64) -> [u8; 32] {
    let mut id = *b"7F00000100002A9F0000000000000000";
    for (place, digit) in id[16..].iter_mut().enumerate() {
        *digit = b"0123456789ABCDEF"[(offset >> (60 - 4 * place)) as usize & 15];
    }
    id
}

/// The route of every topic, and the cluster.
fn bodies(brokers: &[SocketAddr], queues: i32) -> (Bytes, Bytes) {
    let mut route = TopicRouteData::default();
    let mut cluster = ClusterInfo::default();
    for (index, address) in brokers.iter().enumerate() {
        let broker = BrokerData {
            broker_name: format!("null-broker-{index}"),
            cluster: CLUSTER.to_owned(),
            broker_addrs: BTreeMap::from([(0, address.to_string())]),
            ..BrokerData::default()
        };
        route.queue_datas.push(QueueData {
            broker_name: broker.broker_name.clone(),
            read_queue_nums: queues,
            write_queue_nums: queues,
            perm: perm::READ | perm::WRITE,
            ..QueueData::default()
        });
        cluster.broker_addr_table.insert(broker.broker_name.clone(), broker.clone());
        route.broker_datas.push(broker);
    }
    let names: BTreeSet<String> = cluster.broker_addr_table.keys().cloned().collect();
    cluster.cluster_addr_table.insert(CLUSTER.to_owned(), names);
    (to_json(&route, JsonDialect::Standard).into(), to_json(&cluster, JsonDialect::Standard).into())
}

const CLUSTER: &str = "DefaultCluster";

#[cfg(test)]
mod tests {
    use maxq_protocol::{
        Flags,
        body::from_json,
        header::{GetRouteInfo, SendBatchMessage, SendMessage, SendMessageV2, SendReply},
    };

    use super::*;

    fn answers(mirror: bool) -> Answers {
        Answers::new(&["127.0.0.1:1111".parse().unwrap(), "127.0.0.1:2222".parse().unwrap()], 4, mirror)
    }

    fn ask(answers: &Answers, mut request: RemotingCommand) -> Option<RemotingCommand> {
        request.opaque = 77;
        let (mut bytes, mut out) = (Vec::new(), Vec::new());
        request.encode(&mut bytes);
        answers.answer(&Frame::first(&bytes).unwrap().unwrap(), &mut out).unwrap();
        let mut out = BytesMut::from(&out[..]);
        let answer = FrameReader::new().next(&mut out).unwrap();
        assert!(out.is_empty());
        answer
    }

    fn send(queue_id: i32) -> SendMessage<'static> {
        SendMessage { topic: "T".into(), queue_id, ..SendMessage::default() }
    }

    #[test]
    fn a_send_is_answered_with_its_queue_and_the_next_offset() {
        for encoding in [HeaderEncoding::Json, HeaderEncoding::Binary] {
            let answers = answers(true);
            for offset in 0..20 {
                let mut request = RemotingCommand::request(&SendMessageV2(send(3)));
                request.encoding = encoding;
                let answer = ask(&answers, request).unwrap();
                assert_eq!((answer.code, answer.opaque, answer.encoding), (0, 77, encoding));
                assert!(answer.is_response());
                let reply: SendReply = answer.header().unwrap();
                assert_eq!((reply.queue_id, reply.queue_offset), (3, offset));
                assert_eq!(reply.message_id, format!("7F00000100002A9F{offset:016X}"));
                assert_eq!(reply.region.as_deref(), Some("DefaultRegion"));
            }
        }
    }

    #[test]
    fn binary_is_answered_with_json_unless_it_mirrors() {
        let mut request = RemotingCommand::request(&SendMessageV2(send(0)));
        request.encoding = HeaderEncoding::Binary;
        assert_eq!(ask(&answers(false), request.clone()).unwrap().encoding, HeaderEncoding::Json);
        assert_eq!(ask(&answers(true), request).unwrap().encoding, HeaderEncoding::Binary);
    }

    #[test]
    fn a_batch_takes_as_many_offsets_as_it_has_messages() {
        let answers = answers(false);
        let body = [&8u32.to_be_bytes()[..], b"abcd", &5u32.to_be_bytes()[..], b"e"].concat();
        let batch = RemotingCommand::request(&SendBatchMessage(send(1))).with_body(body);
        ask(&answers, batch).unwrap();
        let reply: SendReply =
            ask(&answers, RemotingCommand::request(&SendMessageV2(send(1)))).unwrap().header().unwrap();
        assert_eq!(reply.queue_offset, 2);
        assert_eq!(answers.counters.statistics().messages, 3);
    }

    #[test]
    fn what_is_oneway_or_an_answer_gets_no_answer() {
        let answers = answers(false);
        let mut oneway = RemotingCommand::request(&SendMessageV2(send(0)));
        oneway.flags = Flags::ONEWAY;
        assert!(ask(&answers, oneway).is_none());
        assert!(ask(&answers, RemotingCommand::response(ResponseCode::SUCCESS, 1)).is_none());
        let seen = answers.counters.statistics();
        assert_eq!((seen.sends, seen.oneway), (1, 1));
    }

    #[test]
    fn every_topic_is_on_every_broker() {
        let route = GetRouteInfo { topic: "any".into(), accept_standard_json_only: Some(true) };
        let answer = ask(&answers(false), RemotingCommand::request(&route)).unwrap();
        let route: TopicRouteData = from_json(&answer.body).unwrap();
        let addresses: Vec<&str> =
            route.broker_datas.iter().map(|broker| &*broker.broker_addrs[&0]).collect();
        assert_eq!(addresses, ["127.0.0.1:1111", "127.0.0.1:2222"]);
        assert!(route.queue_datas.iter().all(|queues| (queues.write_queue_nums, queues.perm) == (4, 6)));
    }
}
