//! Keeps the messages of one key in their order: `cargo run -p maxq --example ordered`

mod stage;

use std::time::Duration;

use maxq::{ByKey, From, Message, Producer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, _emulator) = stage::open("orders").await?;
    let producer = Producer::connect(&url).await?;

    // All messages of one order go to one queue, the same that Apache's SelectMessageQueueByHash takes for this text.
    // Each is awaited before the next is sent: that, and the one queue, is what keeps them in order.
    let mut queue = None;
    for step in ["created", "paid", "packed", "sent"] {
        let message = Message::new("orders", step).key("order-42");
        let receipt = producer.send(message).select_by(ByKey::new("order-42")).await?;
        println!("{step} is in {} at {}", receipt.queue(), receipt.queue_offset());
        queue = Some(receipt.queue().clone());
    }

    // Read that queue back.
    let Some(queue) = queue else { return Ok(()) };
    let mut reader = producer.client().reader(&queue, From::Start);
    while let Some(message) = reader.next_within(Duration::from_millis(200)).await? {
        println!("{}: {}", message.queue_offset(), String::from_utf8_lossy(message.body()));
    }
    producer.close(Duration::from_secs(5)).await;
    Ok(())
}
