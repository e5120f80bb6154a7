//! A network in memory with made-up time: minutes of trouble in milliseconds, the same in every run.
//! `cargo run -p maxq --example virtual_network`

use std::time::Duration;

use maxq::{Client, ClientConfig, Message, ProducerConfig, Stream};
use maxq_emulator::{Cluster, VirtualNetwork};

// With a paused clock, time jumps to the next timer whenever nothing is left to do. Needs tokio's feature `test-util`.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let network = VirtualNetwork::seeded(7);
    network.latency(Duration::from_millis(20)..=Duration::from_millis(40));
    let cluster = Cluster::builder().brokers(2).topic("orders", 4).virtual_network(&network).start().await?;

    let dialled = network.clone();
    let config = ClientConfig::new(cluster.name_servers()).seed(7).connector(move |address: String| {
        let network = dialled.clone();
        async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
    });
    let client = Client::connect(config).await?;
    let producer = client.producer(ProducerConfig::new("orders").timeout(Duration::from_secs(3)))?;

    // The cable to one broker is cut, and nobody is told. A send may meet the silence, for a third of its three seconds
    // (on the open connection, and once more on a new one); then the broker rests, and is passed by.
    let broker = cluster.broker(0).address().to_string();
    producer.prewarm(&["orders"]).await?;
    network.black_hole(&broker);
    for n in 0..8 {
        let receipt = producer.send(Message::new("orders", format!("order {n}"))).await?;
        let took: Duration = receipt.attempts().iter().map(maxq::Attempt::elapsed).sum();
        println!(
            "order {n} is in {} after {took:?}, attempts: {}",
            receipt.queue(),
            receipt.attempts().len()
        );
    }
    // Ten minutes go by in no time.
    tokio::time::sleep(Duration::from_secs(600)).await;
    network.heal(&broker);
    let receipt = producer.send(Message::new("orders", "after the healing")).await?;
    println!("stored in {}", receipt.queue());
    client.close(Duration::from_secs(5)).await;
    Ok(())
}
