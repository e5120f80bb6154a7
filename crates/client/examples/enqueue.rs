//! Sends while the program goes on, as fast as there is room: `cargo run -p maxq --example enqueue`

mod stage;

use std::time::Duration;

use maxq::{Client, ClientConfig, Message, ProducerConfig, SendErrorKind};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, _emulator) = stage::open("orders").await?;
    let client = Client::connect(ClientConfig::from_url(&url)?).await?;
    // At most 100 messages under way: whoever enqueues more waits for room. The default is 4,096 and 64 MiB.
    let producer = client.producer(ProducerConfig::new("orders").limits(100, 1 << 20))?;

    // `enqueue` waits for room, and for nothing else.
    let mut deliveries = Vec::new();
    for n in 0..1_000 {
        let sending = producer.send(Message::new("orders", format!("order {n}")));
        deliveries.push(sending.enqueue().await?);
    }
    // The end of each is awaited later, or told to a callback, or left to `flush` and `close`.
    let first = deliveries.swap_remove(0).await?;
    println!("the first one is in {} at {}", first.queue(), first.queue_offset());

    // `try_enqueue` does not wait at all: without room, the message comes back.
    let mut refused = 0;
    for n in 0..1_000 {
        match producer.send(Message::new("orders", format!("tick {n}"))).try_enqueue() {
            Ok(delivery) => delivery.on_complete(|end| {
                if let Err(error) = end {
                    eprintln!("{error}");
                }
            }),
            Err(error) if error.kind() == SendErrorKind::Overloaded => refused += error.messages().len(),
            Err(error) => return Err(error.into()),
        }
    }
    println!("{refused} of 1,000 found no room");

    // Waits for what was enqueued until now.
    let report = producer.flush(Duration::from_secs(5)).await;
    println!("{} acknowledged during the flush, {} still under way", report.acknowledged, report.pending);
    client.close(Duration::from_secs(5)).await;
    Ok(())
}
