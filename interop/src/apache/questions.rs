//! Questions to a server without any client, such as the launcher asks before it calls a cluster ready.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use bytes::{Bytes, BytesMut};
use maxq_protocol::{
    FrameReader, RemotingCommand, Request, ResponseCode,
    body::{ClusterInfo, TopicRouteData, from_json},
    header::{GetBrokerClusterInfo, GetBrokerRuntimeInfo, GetRouteInfo},
};

/// How many brokers the name server knows by the address of their master.
pub(super) fn masters(name_server: SocketAddr) -> Result<usize> {
    let info: ClusterInfo = from_json(&ask(name_server, &GetBrokerClusterInfo {})?)?;
    Ok(info.broker_addr_table.values().filter(|broker| broker.broker_addrs.contains_key(&MASTER_ID)).count())
}

/// How many replicas the name server knows.
pub(super) fn replicas(name_server: SocketAddr) -> Result<usize> {
    let info: ClusterInfo = from_json(&ask(name_server, &GetBrokerClusterInfo {})?)?;
    let addresses = info.broker_addr_table.values().flat_map(|broker| broker.broker_addrs.keys());
    Ok(addresses.filter(|id| **id != MASTER_ID).count())
}

/// How many brokers serve `topic`.
pub(super) fn serving(name_server: SocketAddr, topic: &str) -> Result<usize> {
    let request = GetRouteInfo { topic: topic.into(), accept_standard_json_only: None };
    let route: TopicRouteData = from_json(&ask(name_server, &request)?)?;
    Ok(route.queue_datas.len())
}

/// Whether a broker can be asked how it does.
///
/// Until it has taken its first sample, a second after its start, `StoreStatsService.getPutTps` looks for the last sample
/// of an empty list, and the broker answers with that exception. Every other answer is one: that it wants TLS or a key.
pub(super) fn has_figures(broker: SocketAddr) -> bool {
    !ask(broker, &GetBrokerRuntimeInfo {}).is_err_and(|error| error.to_string().contains(NO_SAMPLE_YET))
}

fn ask<R: Request>(server: SocketAddr, request: &R) -> Result<Bytes> {
    ask_for(server, &RemotingCommand::request(request))
}

/// One request on a connection of its own. The answer's body, unless its code tells of a failure.
pub(crate) fn ask_for(server: SocketAddr, question: &RemotingCommand) -> Result<Bytes> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE).context("cannot connect")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut frame = Vec::new();
    question.encode(&mut frame);
    stream.write_all(&frame)?;
    let mut buffer = BytesMut::new();
    loop {
        if let Some(answer) = FrameReader::new().next(&mut buffer)? {
            if answer.response_code() != ResponseCode::SUCCESS {
                bail!("answered code {} {}", answer.code, answer.remark.unwrap_or_default());
            }
            return Ok(answer.body);
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk)? {
            0 => bail!("closed the connection without an answer"),
            length => buffer.extend_from_slice(&chunk[..length]),
        }
    }
}

const NO_SAMPLE_YET: &str = "NoSuchElementException";
const PATIENCE: Duration = Duration::from_secs(2);
/// `MixAll.MASTER_ID`.
const MASTER_ID: i64 = 0;

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// A broker that answers one question so.
    fn broker(answer: RemotingCommand) -> Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        thread::spawn(move || -> Result<()> {
            let (mut stream, _) = listener.accept()?;
            let mut length = [0; 4];
            stream.read_exact(&mut length)?;
            stream.read_exact(&mut vec![0; u32::from_be_bytes(length) as usize])?;
            let mut frame = Vec::new();
            answer.encode(&mut frame);
            Ok(stream.write_all(&frame)?)
        });
        Ok(address)
    }

    #[test]
    fn a_broker_that_has_taken_no_sample_yet_is_not_ready() -> Result<()> {
        let failed =
            |remark: &str| RemotingCommand::response(ResponseCode::SYSTEM_ERROR, 0).with_remark(remark);
        let early = failed("java.util.NoSuchElementException, java.base/java.util.LinkedList.getLast");
        assert!(!has_figures(broker(early)?));
        let keyless = failed("org.apache.rocketmq.acl.common.AclException: No accessKey is configured");
        assert!(has_figures(broker(keyless)?));
        assert!(has_figures(broker(RemotingCommand::response(ResponseCode::SUCCESS, 0))?));
        Ok(())
    }
}
