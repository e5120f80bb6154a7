//! Starts a cluster and waits for Ctrl-C.
//!
//! `cargo run -p maxq-emulator --example serve -- 9876 2 5.5.0 256`: port of the name server, brokers, version, MiB of
//! messages that each broker stores.

use std::error::Error;

use maxq_emulator::Cluster;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().unwrap_or_else(|| "9876".to_owned()).parse()?;
    let brokers = arguments.next().unwrap_or_else(|| "1".to_owned()).parse()?;
    let version = arguments.next().unwrap_or_else(|| "5.5.0".to_owned());
    let mebibytes: u64 = arguments.next().unwrap_or_else(|| "256".to_owned()).parse()?;
    let cluster = Cluster::builder()
        .port(port)
        .brokers(brokers)
        .emulate(version)
        .store_limit(mebibytes << 20, u64::MAX)
        .start()
        .await?;
    println!("name server {}", cluster.name_servers());
    for index in 0..cluster.broker_count() {
        println!("{} {}", cluster.broker(index).name(), cluster.broker(index).address());
    }
    tokio::signal::ctrl_c().await?;
    cluster.stop().await;
    Ok(())
}
