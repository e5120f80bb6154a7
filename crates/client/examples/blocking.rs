//! Sends from a program without async: `cargo run -p maxq --example blocking`

mod stage;

use std::time::Duration;

use maxq::{Message, blocking::Producer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Only the emulator needs a runtime of ours; the producer brings its own thread, `maxq-blocking`.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (url, _emulator) = runtime.block_on(stage::open("orders"))?;

    let producer = Producer::connect(&url)?;
    let receipt = producer.send(Message::new("orders", "paid").key("42")).wait()?;
    println!("{} is in {} at {}", receipt.message_id(), receipt.queue(), receipt.queue_offset());

    producer.send(Message::new("orders", "seen")).oneway().wait()?;

    // Sent while this thread goes on; the end is told in the client's thread.
    producer.send(Message::new("orders", "packed")).enqueue(|end| match end {
        Ok(receipt) => println!("{} is stored", receipt.message_id()),
        Err(error) => eprintln!("{error}"),
    })?;

    let report = producer.close(Duration::from_secs(5));
    println!("{} were acknowledged while it closed", report.acknowledged);
    Ok(())
}
