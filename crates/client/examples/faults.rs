//! Makes brokers fail on cue, and shows what a sender sees of it: `cargo run -p maxq --example faults`

use std::time::Duration;

use maxq::{Message, Producer};
use maxq_emulator::{Busy, Cluster, Effect, Fault, On};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = Cluster::builder().brokers(2).topic("orders", 4).start().await?;
    let url = format!("rocketmq://{}/?group=orders", cluster.name_servers());
    let producer = Producer::connect(&url).await?;

    // The first two sends find a busy broker: the third attempt is stored.
    let busy = cluster.fault(Fault::on(On::Send).times(2).then(Effect::Busy { tag: Busy::Overload }));
    let receipt = producer.send(Message::new("orders", "created")).await?;
    println!("busy {} times, stored with attempt {}", busy.fired(), receipt.attempts().len());

    // The broker stores the message, and its answer is lost: the send goes on elsewhere, and says so.
    cluster.fault(Fault::on(On::Send).once().then(Effect::DropAnswer));
    let receipt = producer.send(Message::new("orders", "paid").key("42")).await?;
    let copies =
        cluster.stored("orders").iter().filter(|stored| stored.keys().any(|key| key == "42")).count();
    println!("maybe_duplicate() is {}, stored {copies} times", receipt.maybe_duplicate());

    // A whole broker dies.
    cluster.kill_broker(0).await;
    let receipt = producer.send(Message::new("orders", "packed")).await?;
    println!("with one broker dead, it is in {}", receipt.queue());

    // What was asked of the cluster, in order.
    let sends = cluster.requests().into_iter().filter(|request| request.topic.as_deref() == Some("orders"));
    println!("{} requests about the topic", sends.count());
    producer.close(Duration::from_secs(1)).await;
    Ok(())
}
