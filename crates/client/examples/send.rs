//! Sends messages one by one, awaited and one way: `cargo run -p maxq --example send`

mod stage;

use std::time::Duration;

use maxq::{Message, Producer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, _emulator) = stage::open("orders").await?;
    let producer = Producer::connect(&url).await?;

    // Awaited: the receipt says where the message is.
    for n in 0..3 {
        let message = Message::new("orders", format!("order {n}")).tag("created").key(n.to_string());
        let receipt = producer.send(message).await?;
        println!("{} is in {} at {}", receipt.message_id(), receipt.queue(), receipt.queue_offset());
    }

    // One way: the socket has taken it, and nobody says whether it was stored.
    producer.send(Message::new("orders", "seen")).oneway().await?;
    println!("one more went out one way");

    let report = producer.close(Duration::from_secs(5)).await;
    assert!(report.unsent.is_empty());
    Ok(())
}
