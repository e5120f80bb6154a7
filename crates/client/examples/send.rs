//! Sends a few messages and reads them back: `cargo run --example send -- rocketmq://127.0.0.1:9876/?group=orders`

use std::time::Duration;

use maxq::{From, Message, Producer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "rocketmq://127.0.0.1:9876/?group=orders".to_owned());
    let producer = Producer::connect(&url).await?;

    let mut queue = None;
    for n in 0..10 {
        let receipt = producer.send(Message::new("orders", format!("order {n}")).key(n.to_string())).await?;
        println!("{} is in {} at {}", receipt.message_id(), receipt.queue(), receipt.queue_offset());
        queue = Some(receipt.queue().clone());
    }
    producer.send(Message::new("orders", "one way")).oneway().await?;

    if let Some(queue) = queue {
        let mut reader = producer.client().reader(&queue, From::Start);
        while let Some(message) = reader.next_within(Duration::from_secs(1)).await? {
            println!("{} at {}: {:?}", message.queue(), message.queue_offset(), message.body());
        }
    }
    let report = producer.close(Duration::from_secs(5)).await;
    println!("{report:?}");
    Ok(())
}
