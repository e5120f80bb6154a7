//! What errors say, and what to do with each outcome: `cargo run -p maxq --example errors`

mod stage;

use std::time::Duration;

use maxq::{Client, ClientConfig, Message, Outcome, ProducerConfig, SendError};
use maxq_emulator::{Effect, Fault, On};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, emulator) = stage::open("orders").await?;
    let client = Client::connect(ClientConfig::from_url(&url)?).await?;
    let producer = client.producer(ProducerConfig::new("orders").auto_create(false))?;

    // A rule of RocketMQ is broken: found here, before anything is sent.
    if let Err(error) = producer.send(Message::new("orders", "")).await {
        tell(error);
    }
    // A topic that nobody has made, by a producer that does not let brokers make it.
    if let Err(error) = producer.send(Message::new("no-such-topic", "hello")).await {
        tell(error);
    }
    // Every answer is lost. The broker has the message, and nobody can know.
    if let Some(cluster) = emulator {
        cluster.create_topic("orders", 4)?;
        cluster.fault(Fault::on(On::Send).then(Effect::DropAnswer));
        let sending = producer.send(Message::new("orders", "paid")).timeout(Duration::from_millis(300));
        if let Err(error) = sending.await {
            tell(error);
        }
    }
    client.close(Duration::from_secs(1)).await;
    Ok(())
}

fn tell(error: SendError) {
    // The whole story in one line, for a log.
    println!("{error}\n");
    for attempt in error.attempts() {
        println!("  attempt at {} took {:?}: {:?}", attempt.broker(), attempt.elapsed(), attempt.remark());
    }
    match error.outcome() {
        Outcome::NotSent | Outcome::Refused => println!("  {}: not stored, may be sent again", error.code()),
        Outcome::Unknown => println!("  {}: may be stored, so a second send may make a copy", error.code()),
    }
    // The messages come back under the ids that they had, so that a copy can be recognised.
    let messages = error.into_messages();
    println!("  {} message is ours again\n", messages.len());
}
