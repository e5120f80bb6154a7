//! Codes that nobody knows, and codes that the emulator does not know yet.

use maxq_protocol::{HeaderEncoding, RemotingCommand, RequestCode as Code};

use super::{
    super::{
        play::OPAQUE,
        request::{coded, plain},
        step::Server,
    },
    Table,
};

/// To both servers.
pub(super) fn codes(table: &mut Table) {
    let unknown = [0, 1, 9, 13, 99, 999, 9_999, 32_767, 100_000, 200_099, -1, i32::MAX];
    for code in unknown {
        table.broker(format!("{code} to the broker"), plain(code, &[]));
    }
    for code in unknown {
        // A name server of 4.9 answers nothing at all; so all are asked at once.
        table.write(format!("{code} to the name server"), Server::NameServer, encoded(plain(code, &[])));
    }
    // What a broker is asked, to a name server and the other way round.
    for code in [10, 11, 34, 310] {
        table.write(
            format!("broker's {code} to the name server"),
            Server::NameServer,
            encoded(plain(code, &[])),
        );
    }
    let binary = RemotingCommand { encoding: HeaderEncoding::Binary, ..plain(999, &[]) };
    table.broker("999 in binary", binary);
    table.oneway("999 one way", plain(999, &[]));
    for code in [105, 106, 206, 100] {
        table.broker(format!("name server's {code} to the broker"), plain(code, &[]));
    }
    // What a client is asked.
    for code in [39, 40, 220, 221, 326] {
        table.broker(format!("client's {code} to the broker"), plain(code, &[]));
    }
}

/// What the emulator does not know yet; those that only ask, so that they change nothing at Apache's.
pub(super) fn not_yet(table: &mut Table) {
    for code in [
        Code::GET_ALL_TOPIC_CONFIG,
        Code::GET_BROKER_CONFIG,
        Code::GET_ALL_CONSUMER_OFFSET,
        Code::GET_ALL_SUBSCRIPTIONGROUP_CONFIG,
        Code::GET_SYSTEM_TOPIC_LIST_FROM_BROKER,
    ] {
        // Only whether it is answered: the bodies are long, and the emulator has none.
        table.broker(code.to_string(), coded(code, &[])).keys();
    }
}

/// The bytes of a request.
pub(super) fn encoded(request: RemotingCommand) -> Vec<u8> {
    let mut bytes = Vec::new();
    RemotingCommand { opaque: OPAQUE, ..request }.encode(&mut bytes);
    bytes
}
