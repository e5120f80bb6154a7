//! What is written is read back as it was, whatever it was.

use std::{collections::BTreeMap, net::SocketAddr};

use bytes::{Bytes, BytesMut};
use maxq_protocol::{
    ExtFields, Flags, FrameReader, Group, Header, HeaderEncoding, LanguageCode, RemotingCommand, RequestCode,
    Topic, Version,
    body::{JsonDialect, from_json, normalise, to_json},
    compression::{Compression, compress, decompress},
    header::{
        CreateTopic, DeleteTopicInNameServer, PullMessage, QueryMessage, QueryMessageReply, SendMessage,
        SendMessageV1, SendMessageV2, SendReply,
    },
    message::{
        OffsetMessageId, Properties, SentProperties, StoredMessage, SysFlag, UniqueId, UniqueIdText, batch,
    },
    serialize::{Envelope, SendFill, SendHead, write_request_head},
};
use proptest::{collection::vec, option, prelude::*};
use serde_json::Value;

proptest! {
    #[test]
    fn commands(command in command()) {
        let mut out = b"before".to_vec();
        command.encode(&mut out);
        let mut buffer = BytesMut::from(&out[6..]);
        buffer.extend_from_slice(b"after");
        let read = FrameReader::new().next(&mut buffer).unwrap().unwrap();
        prop_assert_eq!(&buffer[..], b"after");
        let fits = RequestCode(command.code).fits_binary_header();
        let encoding = if fits { command.encoding } else { HeaderEncoding::Json };
        prop_assert_eq!(read, RemotingCommand { encoding, ..command });
    }

    #[test]
    fn the_short_way_of_a_send_writes_the_same_frame(send in send(), command in command(), extra in ext_fields()) {
        let request = SendMessageV2(send);
        let envelope = Envelope { opaque: command.opaque, flags: command.flags, encoding: command.encoding };
        let mut short = Vec::new();
        write_request_head(&request, &extra, envelope, command.body.len(), &mut short);
        short.extend_from_slice(&command.body);
        let mut long = RemotingCommand { remark: None, ..command }.with_ext(&request, &extra);
        long.language = LanguageCode::RUST;
        long.version = Version::OURS;
        let read = FrameReader::new().next(&mut BytesMut::from(&short[..])).unwrap().unwrap();
        prop_assert_eq!(read, long);
    }

    #[test]
    fn a_filled_head_is_the_head_that_is_written_with_care(
        send in send(),
        user in vec((any::<String>(), any::<String>()), 0..3),
        waits_for_store in any::<bool>(),
        numbers in (number(), number(), any::<i64>(), number(), number(), number()),
        same_queue in any::<bool>(),
        id in any::<([u8; 10], u32, u16)>(),
    ) {
        let Some(head) = SendHead::new(&send) else { return Ok(()) };
        let (user, unique_id) = (Properties::from_iter(user), UniqueId::new(id.0, id.1, id.2));
        let properties = SentProperties { user: &user, waits_for_store, unique_id };
        let (queue_id, sys_flag, born_timestamp, flag, opaque, flags) = numbers;
        let queue_id = if same_queue { send.queue_id } else { queue_id };
        let mut filled = b"before".to_vec();
        let fill = SendFill { queue_id, sys_flag, born_timestamp, flag, properties };
        head.write(&fill, opaque, Flags(flags), 1_000, &mut filled);
        let mut text = String::new();
        properties.encode_into(&mut text);
        let send = SendMessage { queue_id, sys_flag, born_timestamp, flag, properties: text.into(), ..send };
        let envelope = Envelope { opaque, flags: Flags(flags), encoding: HeaderEncoding::Json };
        let mut written = b"before".to_vec();
        write_request_head(&SendMessageV2(send), &ExtFields::new(), envelope, 1_000, &mut written);
        prop_assert_eq!(String::from_utf8_lossy(&filled[14..]), String::from_utf8_lossy(&written[14..]));
        prop_assert_eq!(filled, written);
    }

    #[test]
    fn a_usual_name_has_a_head(group in "[%|a-zA-Z0-9_-]{1,20}", topic in "[%|a-zA-Z0-9_-]{1,20}") {
        let send = SendMessage { producer_group: group.into(), topic: topic.into(), ..SendMessage::default() };
        prop_assert!(SendHead::new(&send).is_some());
    }

    #[test]
    fn typed_headers(send in send(), pull in pull(), topic in create_topic(), reply in send_reply()) {
        prop_assert_eq!(through_ext(&SendMessageV1(send.clone())), SendMessageV1(send.clone()));
        prop_assert_eq!(through_ext(&SendMessageV2(send.clone())), SendMessageV2(send));
        prop_assert_eq!(through_ext(&pull), pull);
        prop_assert_eq!(through_ext(&topic), topic);
        prop_assert_eq!(through_ext(&reply), reply);
    }

    #[test]
    fn typed_headers_of_questions(query in query(), reply in any::<(Option<i64>, Option<i64>)>(), topic in text(), cluster in option::of(text())) {
        let reply = QueryMessageReply { index_last_update_timestamp: reply.0, index_last_update_offset: reply.1 };
        let delete = DeleteTopicInNameServer { topic, cluster };
        prop_assert_eq!(through_ext(&query), query);
        prop_assert_eq!(through_ext(&reply), reply);
        prop_assert_eq!(through_ext(&delete), delete);
    }

    #[test]
    fn properties(pairs in vec((property_text(), property_text()), 0..8)) {
        let properties: Properties = pairs.into_iter().collect();
        prop_assert_eq!(properties.check(), Ok(()));
        let text = properties.encode();
        prop_assert_eq!(text.len(), properties.encoded_len());
        for (name, value) in properties.iter() {
            prop_assert_eq!(Properties::find(&text, name), Some(value));
        }
        prop_assert_eq!(Properties::decode(&text), properties.clone());
        prop_assert_eq!(Properties::decode(text.trim_end_matches('\u{2}')), properties);
    }

    #[test]
    fn what_is_read_of_any_text_is_stable(text in "[ab\u{1}\u{2}]{0,40}") {
        let read = Properties::decode(&text);
        for (name, value) in read.iter() {
            prop_assert_eq!(Properties::find(&text, name), Some(value));
        }
        prop_assert_eq!(Properties::decode(&read.encode()), read);
    }

    #[test]
    fn unique_ids(client in any::<[u8; 10]>(), millis in any::<u32>(), counter in any::<u16>()) {
        let id = UniqueId::new(client, millis, counter);
        prop_assert_eq!(id.millis_into_month(), millis);
        let text = id.to_string();
        prop_assert_eq!(text.parse(), Ok(id));
        prop_assert_eq!(text.to_lowercase().parse(), Ok(id));
        prop_assert_eq!(text.parse::<UniqueIdText>().unwrap(), id.to_text());
    }

    #[test]
    fn offset_ids(store_host in host(), commit_log_offset in any::<i64>()) {
        let id = OffsetMessageId { store_host, commit_log_offset };
        let text = id.to_string();
        prop_assert_eq!(text.len(), if store_host.is_ipv4() { 32 } else { 56 });
        prop_assert_eq!(text.parse(), Ok(id));
        prop_assert_eq!(text.to_lowercase().parse(), Ok(id));
    }

    #[test]
    fn batches(entries in vec((any::<i32>(), bytes(100), "\\PC{0,40}"), 0..10)) {
        let mut out = Vec::new();
        for (flag, body, properties) in &entries {
            let before = out.len();
            batch::encode_entry(*flag, body, properties, &mut out);
            prop_assert_eq!(out.len() - before, batch::encoded_len(body.len(), properties.len()));
        }
        let read = batch::decode(out.into()).unwrap();
        let read: Vec<_> = read.into_iter().map(|entry| (entry.flag, entry.body, entry.properties)).collect();
        prop_assert_eq!(read, entries);
    }

    #[test]
    fn a_sent_entry_is_the_entry_of_its_parts(
        user in vec((property_text(), property_text()), 0..3),
        waits_for_store in any::<bool>(),
        id in any::<([u8; 10], u32, u16)>(),
        flag in any::<i32>(),
        body in bytes(100),
    ) {
        let (user, unique_id) = (Properties::from_iter(user), UniqueId::new(id.0, id.1, id.2));
        let properties = SentProperties { user: &user, waits_for_store, unique_id };
        let (mut text, mut parts, mut sent) = (String::new(), Vec::new(), Vec::new());
        properties.encode_into(&mut text);
        batch::encode_entry(flag, &body, &text, &mut parts);
        batch::encode_sent_entry(flag, &body, &properties, &mut sent);
        prop_assert_eq!(sent, parts);
    }

    #[test]
    fn stored_messages(messages in vec(stored(), 0..4)) {
        let mut out = Vec::new();
        for message in &messages {
            let before = out.len();
            message.encode(&mut out);
            prop_assert_eq!(out.len() - before, message.encoded_len());
        }
        prop_assert_eq!(StoredMessage::decode_all(out.into()).unwrap(), messages);
    }

    #[test]
    fn compressed_bodies(body in compressible(), level in 0u32..7) {
        for kind in [Compression::Lz4, Compression::Zstd, Compression::Zlib] {
            if kind.is_available() {
                let packed = compress(kind, level, &body).unwrap();
                prop_assert_eq!(&decompress(kind, &packed, body.len()).unwrap(), &body);
                if !body.is_empty() {
                    prop_assert!(decompress(kind, &packed, body.len() - 1).is_err());
                }
            }
        }
    }

    #[test]
    fn json_is_left_as_it_is(value in json()) {
        for text in [serde_json::to_vec(&value).unwrap(), serde_json::to_vec_pretty(&value).unwrap()] {
            prop_assert_eq!(&normalise(&text).unwrap(), &text);
            prop_assert_eq!(from_json::<Value>(&text), Ok(value.clone()));
        }
    }

    #[test]
    fn both_dialects(maps in integer_keys()) {
        for dialect in [JsonDialect::Standard, JsonDialect::Fastjson] {
            prop_assert_eq!(from_json(&to_json(&maps, dialect)), Ok(maps.clone()));
        }
    }

    #[test]
    fn objects_as_keys(key in json(), value in json()) {
        let key = serde_json::to_string(&serde_json::json!({ "k": key })).unwrap();
        let read: BTreeMap<String, Value> = from_json(format!("{{{key}:{value},1:2}}").as_bytes()).unwrap();
        let expected = BTreeMap::from([(key, value), ("1".to_owned(), 2.into())]);
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn names_follow_the_one_rule(name in prop_oneof!["[%|a-zA-Z0-9_-]{0,260}", any::<String>()]) {
        let is_plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"%|-_".contains(&b));
        prop_assert_eq!(Topic::new(name.as_str()).is_ok(), is_plain && name.len() <= 127);
        prop_assert_eq!(Group::new(name.as_str()).is_ok(), is_plain && name.len() <= 120);
        prop_assert_eq!(Topic::internal(format!("%DLQ%{name}")).is_ok(), (is_plain || name.is_empty()) && name.len() <= 250);
        if let Ok(topic) = Topic::new(name.as_str()) {
            prop_assert_eq!(topic.as_str(), name);
        }
    }
}

trait WithExt {
    fn with_ext(self, header: &impl Header, extra: &ExtFields) -> Self;
}

impl WithExt for RemotingCommand {
    /// A send with the fields of a header and those that hooks added.
    fn with_ext(mut self, header: &impl Header, extra: &ExtFields) -> Self {
        self.code = RequestCode::SEND_MESSAGE_V2.0;
        self.ext = ExtFields::new();
        self = self.with_header(header);
        for (key, value) in extra.iter() {
            self.ext.set(key, value);
        }
        self
    }
}

fn through_ext<H: Header>(header: &H) -> H {
    let mut ext = ExtFields::new();
    header.write(&mut ext);
    H::read(&ext).expect("what was just written")
}

fn command() -> impl Strategy<Value = RemotingCommand> {
    let numbers = (any::<i32>(), 0u8..14, 0i32..1000, any::<i32>(), 0i32..4);
    let code = prop_oneof![any::<i32>(), 0i32..1000];
    let remark = option::of(text());
    (code, numbers, remark, ext_fields(), bytes(200), any::<bool>()).prop_map(
        |(code, (opaque, language, version, _, flags), remark, ext, body, is_json)| {
            let encoding = if is_json { HeaderEncoding::Json } else { HeaderEncoding::Binary };
            RemotingCommand {
                code,
                language: LanguageCode(language),
                version: Version(version),
                opaque,
                flags: Flags(flags),
                remark,
                ext,
                body,
                encoding,
            }
        },
    )
}

/// Not empty: the binary header cannot tell an empty text from none.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "\\PC{1,8}", 1 => any::<String>().prop_filter("not empty", |text| !text.is_empty())]
}

fn ext_fields() -> impl Strategy<Value = ExtFields> {
    vec((text(), text()), 0..8).prop_map(ExtFields::from_iter)
}

/// Often one that is met often.
fn number() -> impl Strategy<Value = i32> {
    prop_oneof![0..3, any::<i32>()]
}

fn bytes(most: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..most).prop_map(Bytes::from)
}

fn property_text() -> impl Strategy<Value = String> {
    text().prop_filter("no separator", |text| !text.contains(['\u{1}', '\u{2}']))
}

fn host() -> impl Strategy<Value = SocketAddr> {
    (any::<std::net::IpAddr>(), any::<u16>()).prop_map(SocketAddr::from)
}

fn send() -> impl Strategy<Value = SendMessage<'static>> {
    let texts = (text(), text(), text(), any::<String>());
    let numbers = (any::<i32>(), any::<i32>(), any::<i32>(), any::<i64>(), any::<i32>());
    let options = (option::of(any::<i32>()), option::of(any::<bool>()), option::of(any::<i32>()));
    (texts, numbers, options, option::of(any::<bool>()), option::of(text())).prop_map(
        |(texts, numbers, options, batch, broker_name)| SendMessage {
            producer_group: texts.0.into(),
            topic: texts.1.into(),
            default_topic: texts.2.into(),
            default_topic_queue_nums: numbers.0,
            queue_id: numbers.1,
            sys_flag: numbers.2,
            born_timestamp: numbers.3,
            flag: numbers.4,
            properties: texts.3.into(),
            reconsume_times: options.0,
            unit_mode: options.1,
            max_reconsume_times: options.2,
            batch,
            broker_name: broker_name.map(Into::into),
        },
    )
}

fn pull() -> impl Strategy<Value = PullMessage> {
    let options = (option::of(any::<i64>()), option::of(any::<i64>()), option::of(any::<i64>()));
    let texts = (option::of(text()), option::of(text()), option::of(text()));
    (text(), text(), any::<(i32, i64, i32, i32)>(), options, texts).prop_map(
        |(consumer_group, topic, numbers, options, texts)| PullMessage {
            consumer_group,
            topic,
            queue_id: numbers.0,
            queue_offset: numbers.1,
            max_messages: numbers.2,
            sys_flag: numbers.3,
            commit_offset: options.0,
            suspend_timeout_millis: options.1,
            subscription: texts.0,
            subscription_version: options.2,
            expression_type: texts.1,
            broker_name: texts.2,
        },
    )
}

fn create_topic() -> impl Strategy<Value = CreateTopic> {
    let options =
        (option::of(any::<i32>()), option::of(any::<bool>()), option::of(text()), option::of(any::<bool>()));
    (text(), text(), any::<(i32, i32, i32)>(), text(), options).prop_map(
        |(topic, default_topic, numbers, topic_filter_type, options)| CreateTopic {
            topic,
            default_topic,
            read_queue_nums: numbers.0,
            write_queue_nums: numbers.1,
            perm: numbers.2,
            topic_filter_type,
            topic_sys_flag: options.0,
            order: options.1,
            attributes: options.2,
            force: options.3,
        },
    )
}

fn query() -> impl Strategy<Value = QueryMessage> {
    let options = (option::of(text()), option::of(any::<bool>()));
    (text(), text(), any::<(i32, i64, i64)>(), options).prop_map(|(topic, key, numbers, options)| {
        QueryMessage {
            topic,
            key,
            max_messages: numbers.0,
            begin_timestamp: numbers.1,
            end_timestamp: numbers.2,
            index_type: options.0,
            is_unique_key: options.1,
        }
    })
}

fn send_reply() -> impl Strategy<Value = SendReply> {
    let texts = (option::of(text()), option::of(text()), option::of(text()), option::of(text()));
    (text(), any::<(i32, i64)>(), texts, option::of(any::<bool>())).prop_map(
        |(message_id, numbers, texts, trace_on)| SendReply {
            message_id,
            queue_id: numbers.0,
            queue_offset: numbers.1,
            transaction_id: texts.0,
            batch_unique_id: texts.1,
            recall_handle: texts.2,
            region: texts.3,
            trace_on,
        },
    )
}

fn stored() -> impl Strategy<Value = StoredMessage> {
    let numbers = any::<(i32, i32, i64, i64, i32, i64, i64, i32, i64)>();
    (numbers, host(), host(), bytes(100), "\\PC{0,90}", any::<String>()).prop_map(
        |(numbers, born_host, store_host, body, topic, properties)| {
            let hosts = SysFlag::BORN_HOST_V6.with(SysFlag::STORE_HOST_V6);
            let mut sys_flag = SysFlag(numbers.4).without(hosts);
            if born_host.is_ipv6() {
                sys_flag = sys_flag.with(SysFlag::BORN_HOST_V6);
            }
            if store_host.is_ipv6() {
                sys_flag = sys_flag.with(SysFlag::STORE_HOST_V6);
            }
            StoredMessage {
                queue_id: numbers.0,
                flag: numbers.1,
                queue_offset: numbers.2,
                commit_log_offset: numbers.3,
                sys_flag,
                born_timestamp: numbers.5,
                born_host,
                store_timestamp: numbers.6,
                store_host,
                reconsume_times: numbers.7,
                prepared_transaction_offset: numbers.8,
                body,
                topic,
                properties,
            }
        },
    )
}

/// Bytes with repetitions near and far, over several blocks now and then.
fn compressible() -> impl Strategy<Value = Vec<u8>> {
    let part = (vec(any::<u8>(), 1..50), prop_oneof![4 => 1usize..20, 1 => 1usize..2000]);
    vec(part, 0..6).prop_map(|parts| {
        parts.iter().chain(&parts).flat_map(|(piece, times)| piece.repeat(*times)).collect()
    })
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[{}:,\"\\\\\\[\\]0-9 ]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec(("[{}:,\"\\\\0-9a]{0,6}", inner), 0..6).prop_map(|pairs| pairs.into_iter().collect()),
        ]
    })
}

fn integer_keys() -> impl Strategy<Value = BTreeMap<i64, BTreeMap<i32, BTreeMap<String, i64>>>> {
    let inner = proptest::collection::btree_map(any::<String>(), any::<i64>(), 0..3);
    let middle = proptest::collection::btree_map(any::<i32>(), inner, 0..3);
    proptest::collection::btree_map(any::<i64>(), middle, 0..4)
}
