//! Sends many messages in few requests: `cargo run -p maxq --example batch`

mod stage;

use std::time::Duration;

use maxq::{Message, MessageBatch, Producer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, _emulator) = stage::open("orders").await?;
    let producer = Producer::connect(&url).await?;

    // One request, one answer, one receipt for each message. All of them go into one queue.
    let batch = MessageBatch::new((0..10).map(|n| Message::new("orders", format!("line {n}"))))?;
    println!("{} messages take {} bytes", batch.len(), batch.encoded_len());
    let receipt = producer.send_batch(batch).await?;
    for receipt in receipt.receipts() {
        println!("{} at {}", receipt.queue(), receipt.queue_offset());
    }

    // More than one request carries (4 MiB): cut into batches that fit, in their order.
    let many = (0..100).map(|n| Message::new("orders", vec![b'x'; 100_000]).key(n.to_string()));
    for batch in producer.split_batches(many)? {
        let messages = batch.len();
        let receipt = producer.send_batch(batch).await?;
        println!("{messages} messages are in {}", receipt.receipts()[0].queue());
    }

    producer.close(Duration::from_secs(5)).await;
    Ok(())
}
