//! What the launcher asks a name server before it calls a cluster ready.

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
    header::{GetBrokerClusterInfo, GetRouteInfo},
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

/// One request on a connection of its own. The answer's body, unless its code tells of a failure.
fn ask<R: Request>(name_server: SocketAddr, request: &R) -> Result<Bytes> {
    let mut stream = TcpStream::connect_timeout(&name_server, PATIENCE).context("cannot connect")?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut frame = Vec::new();
    RemotingCommand::request(request).encode(&mut frame);
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

const PATIENCE: Duration = Duration::from_secs(2);
/// `MixAll.MASTER_ID`.
const MASTER_ID: i64 = 0;
