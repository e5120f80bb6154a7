//! Frames that are broken, odd, or many at once.

use maxq_protocol::{Flags, LanguageCode, RemotingCommand, RequestCode, ResponseCode};

use super::{
    super::{play::OPAQUE, request::coded, step::Server},
    Table,
    topic::TOPIC,
    unknown::encoded,
};

/// To both servers.
pub(super) fn frames(table: &mut Table) {
    for (server, who, question) in [
        (Server::Broker, "broker", coded(RequestCode::GET_MAX_OFFSET, &[("topic", TOPIC), ("queueId", "0")])),
        (Server::NameServer, "name server", coded(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", TOPIC)])),
    ] {
        for (what, bytes) in broken() {
            // Enough to be whole: 4.9 waits for the whole frame before it judges it, 5.x at least for twelve bytes.
            let bytes = [bytes, vec![0; 24]].concat();
            table.write(format!("{who}: {what}"), server, bytes);
        }
        for (what, header) in headers(question.code) {
            table.write(format!("{who}: a header with {what}"), server, json_frame(&header)).keys();
        }
        table
            .write(
                format!("{who}: a response that nobody waits for"),
                server,
                [encoded(RemotingCommand::response(ResponseCode::SUCCESS, 5)), encoded(question.clone())]
                    .concat(),
            )
            .keys();
        let unknown_bits = RemotingCommand { flags: Flags(4), ..question.clone() };
        table.write(format!("{who}: unknown bits in the flags"), server, encoded(unknown_bits)).keys();
        let unknown_language = RemotingCommand { language: LanguageCode(12), ..question };
        table.write(format!("{who}: language RUST"), server, encoded(unknown_language)).keys();
    }
}

fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let word = |length: u32| length.to_be_bytes().to_vec();
    vec![
        ("length 0", word(0)),
        ("length 3", word(3)),
        ("length 4 and no header", [word(4), word(0)].concat()),
        ("the longest length and a byte", word(16_777_213)),
        ("length 0x7fffffff", word(0x7fff_ffff)),
        ("a negative length", word(0xffff_ffff)),
        ("a header longer than its frame", [word(20), word(17)].concat()),
        ("a header of 16 MiB", [word(20), word(0x00ff_ffff)].concat()),
        ("serialize type 2", [word(20), word(0x0200_0010)].concat()),
        ("serialize type 255", [word(20), word(0xff00_0010)].concat()),
        ("an empty binary header", [word(16), word(0x0100_0000)].concat()),
        ("a binary header that lies about a text", [word(36), word(0x0100_0020), vec![0x7f; 32]].concat()),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
    ]
}

fn headers(code: i32) -> Vec<(&'static str, String)> {
    let fields = r#""extFields":{"topic":"twins","queueId":"0"}"#;
    let whole = |more: &str| {
        format!(
            r#"{{"code":{code},{fields},"flag":0,"language":"JAVA","opaque":{OPAQUE},"serializeTypeCurrentRPC":"JSON","version":479{more}}}"#
        )
    };
    vec![
        ("everything", whole("")),
        ("an unknown member", whole(r#","new":{"a":[1]}"#)),
        ("nothing", format!("{{}}{BLANKS}")),
        ("blanks alone", BLANKS.to_owned()),
        ("a list", format!("[1]{BLANKS}")),
        ("a number", format!("7{BLANKS}")),
        ("null", format!("null{BLANKS}")),
        ("an end in the middle", r#"{"code":30,"#.to_owned()),
        ("no language", format!(r#"{{"code":{code},{fields},"flag":0,"opaque":7,"version":479}}"#)),
        ("an unknown language", whole("").replace("JAVA", "KLINGON")),
        ("blanks", whole("").replace(',', " ,\n ")),
        ("fields as null", whole("").replace(fields, r#""extFields":null"#)),
        ("a number as text", whole("").replace("\"flag\":0", "\"flag\":\"0\"")),
        ("an opaque beyond 32 bits", whole("").replace("\"opaque\":7", "\"opaque\":4294967303")),
        ("single quotes", whole("").replace('"', "'")),
        ("a member twice", whole(r#","flag":0"#)),
    ]
}

/// Makes the shortest header long enough for 5.x, which waits for twelve bytes before it judges any.
const BLANKS: &str = "            ";

fn json_frame(header: &str) -> Vec<u8> {
    let length = u32::try_from(header.len()).unwrap_or(u32::MAX);
    [&(length + 4).to_be_bytes(), &length.to_be_bytes(), header.as_bytes()].concat()
}
