//! Reads a topic without a consumer group: `cargo run -p maxq --example reader`
//!
//! A reader commits nothing and disturbs no consumer. It is what Maxq has for reading today: consumers are not there yet.

mod stage;

use std::time::Duration;

use maxq::{Client, ClientConfig, From, Message, ProducerConfig};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, _emulator) = stage::open("orders").await?;
    let client = Client::connect(ClientConfig::from_url(&url)?).await?;
    let producer = client.producer(ProducerConfig::new("orders"))?;
    for n in 0..8 {
        producer.send(Message::new("orders", format!("order {n}"))).await?;
    }

    // Every queue from its oldest message to its present end.
    for queue in client.admin().queues("orders").await? {
        let mut reader = client.reader(&queue, From::Start);
        while let Some(message) = reader.next().await? {
            println!("{queue} {}: {}", message.queue_offset(), String::from_utf8_lossy(message.body()));
        }
    }

    // Only what comes from now on. The broker holds the question until there is a message, so waiting costs nothing.
    let queue = client.admin().queues("orders").await?.remove(0);
    let mut reader = client.reader(&queue, From::End);
    assert!(reader.next().await?.is_none());
    producer.send(Message::new("orders", "news")).to(queue).await?;
    if let Some(message) = reader.next_within(Duration::from_secs(5)).await? {
        println!("then came {}", String::from_utf8_lossy(message.body()));
    }
    client.close(Duration::from_secs(5)).await;
    Ok(())
}
