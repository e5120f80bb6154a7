//! Makes a topic on every master, and looks at it: `cargo run -p maxq --example topics`

mod stage;

use std::time::Duration;

use maxq::{Client, ClientConfig, Message, ProducerConfig, admin::TopicSettings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, _emulator) = stage::open("orders").await?;
    let client = Client::connect(ClientConfig::from_url(&url)?).await?;
    let admin = client.admin();

    // On every master, and agreed on by every name server when this returns. Doing it again changes nothing.
    let settings = TopicSettings::default().queues(4);
    let route = admin.ensure_topic("orders", settings, Duration::from_secs(5)).await?;
    for queues in &route.queues {
        println!("{}: {} queues to write to", queues.broker, queues.write_queues);
    }

    let producer = client.producer(ProducerConfig::new("orders"))?;
    let receipt = producer.send(Message::new("orders", "paid").key("42")).await?;
    let description = admin.describe_topic("orders").await?;
    println!("messages in {}: {}", description.topic, description.messages());

    // By the id that the receipt names, and by the sender's own key.
    let found = admin.query_by_unique_key("orders", receipt.message_id().as_str()).await?;
    println!("found by its id: {}", found.messages.len());
    client.close(Duration::from_secs(5)).await;
    Ok(())
}
