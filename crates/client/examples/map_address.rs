//! Reaches brokers that advertise an address which is not for here, as containers do:
//! `cargo run -p maxq --example map_address`

use std::{net::Ipv4Addr, time::Duration};

use maxq::{Client, ClientConfig, Message, ProducerConfig};
use maxq_emulator::Cluster;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Its routes name 172.17.0.3, as those of a broker in a container would; nobody is there.
    let cluster =
        Cluster::builder().advertise(Ipv4Addr::new(172, 17, 0, 3)).topic("orders", 4).start().await?;
    let advertised = cluster.broker(0).address();
    let name_server = format!("127.0.0.1:{}", cluster.name_server().port());
    let broker = format!("127.0.0.1:{}", advertised.port());

    // Without a mapping the error says what is wrong, and what mends it.
    let config = ClientConfig::new(&name_server).connect_timeout(Duration::from_millis(200));
    let client = Client::connect(config).await?;
    let producer = client.producer(ProducerConfig::new("orders").timeout(Duration::from_millis(500)))?;
    if let Err(error) = producer.send(Message::new("orders", "lost")).await {
        println!("{error}\n");
    }
    client.close(Duration::from_secs(1)).await;

    // With one, the same address leads to where the broker can be reached.
    let config = ClientConfig::new(&name_server).map_address(advertised.to_string(), broker);
    let client = Client::connect(config).await?;
    let producer = client.producer(ProducerConfig::new("orders"))?;
    let receipt = producer.send(Message::new("orders", "paid")).await?;
    println!("{} is in {}", receipt.message_id(), receipt.queue());
    client.close(Duration::from_secs(1)).await;
    Ok(())
}
