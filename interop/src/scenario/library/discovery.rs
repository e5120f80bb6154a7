//! How the library finds a cluster.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use maxq::{ClientConfig, Producer};

use super::stored_where;
use crate::{
    expect,
    library::{Library, message},
    message::Sample,
    ports,
    scenario::readers::{Lookup, all_see},
    stage::Stage,
};

/// A list of name servers of which one is dead, a connection string, names that are looked up, and one that is mapped to
/// an address.
pub(in crate::scenario) fn name_servers(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-name-servers";
    let live = stage.name_server.clone();
    let dead = format!("127.0.0.1:{}", ports::name_server()?);
    let addresses: Vec<SocketAddr> = vec![dead.parse()?, live.parse()?];
    let mut sent = Vec::new();
    let mut receipts = Vec::new();
    let configs = [
        ClientConfig::new(format!("{dead},{live}")),
        ClientConfig::new(format!("{live};{dead}")),
        ClientConfig::from_url(&format!("rocketmq://{dead},{live}/?encoding=binary&instance=interop"))?,
        // Names: as the operating system knows them, and one with two addresses, of which the first is dead.
        ClientConfig::new(live.replace("127.0.0.1", "localhost")),
        ClientConfig::new("name-server.test:9876").resolver(move |_: String, _: u16| {
            let addresses = addresses.clone();
            async move { Ok(addresses) }
        }),
        ClientConfig::new("name-server.invalid:9876").map_address("name-server.invalid:9876", &live),
        ClientConfig::new(&live).map_to_name_server_host(),
        ClientConfig::new(&live)
            .map_addresses_with(|address| Some(address.replace("127.0.0.1", "localhost"))),
    ];
    for (number, config) in configs.into_iter().enumerate() {
        let library = Library::with(config).with_context(|| format!("configuration {number}"))?;
        // Every name server that answers must agree; the dead one has nothing to say.
        library.ensure_topic(TOPIC, 2).with_context(|| format!("configuration {number}"))?;
        let producer = library.producer()?;
        let sample = Sample::new(format!("by configuration {number}"));
        receipts.push(library.run(async { producer.send(message(TOPIC, &sample)).await })?);
        sent.push(sample);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sample = Sample::new("by a connection string alone");
    receipts.push(runtime.block_on(async {
        let producer =
            Producer::connect(&format!("rocketmq://{live}/?group=interop&request_timeout=30s")).await?;
        let receipt = producer.send(message(TOPIC, &sample)).timeout(Duration::from_secs(30)).await?;
        producer.close(Duration::from_secs(5)).await;
        anyhow::Ok(receipt)
    })?);
    sent.push(sample);
    let seen = all_see(stage, TOPIC, &sent, Lookup::First)?;
    receipts.iter().try_for_each(|receipt| stored_where(receipt, &seen))
}

/// A web server that tells the name servers, asked by Apache's rule.
pub(in crate::scenario) fn address_endpoint(stage: &mut Stage<'_>) -> Result<()> {
    const TOPIC: &str = "interop-endpoint";
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let domain = listener.local_addr()?.to_string();
    let (told, asked) = mpsc::channel();
    let list = stage.name_server.clone();
    // It ends with the process: nobody waits for it, and it holds nothing.
    thread::spawn(move || serve(&listener, &list, &told));
    let library = Library::with(ClientConfig::from_http(&domain).unit_name("north"))?;
    library.ensure_topic(TOPIC, 2)?;
    let producer = library.producer()?;
    let sample = Sample::new("found by HTTP");
    let receipt = library.run(async { producer.send(message(TOPIC, &sample)).await })?;
    let line = asked.recv_timeout(Duration::from_secs(10)).context("the endpoint was not asked")?;
    expect::that("first line of the question", line.trim())
        .is(&"GET /rocketmq/nsaddr-north?nofix=1 HTTP/1.1")?;
    stored_where(&receipt, &all_see(stage, TOPIC, &[sample], Lookup::First)?)
}

/// Answers every question with `list`, and tells the first line of each.
fn serve(listener: &TcpListener, list: &str, told: &mpsc::Sender<String>) {
    for stream in listener.incoming().map_while(Result::ok) {
        let mut lines =
            BufReader::new(&stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let Some(first) = lines.next() else { continue };
        lines.for_each(drop);
        let (body, length) = (format!("{list}\n"), list.len() + 1);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        if (&stream).write_all((head + &body).as_bytes()).is_err() || told.send(first).is_err() {
            return;
        }
    }
}
