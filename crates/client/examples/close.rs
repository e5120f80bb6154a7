//! Leaves in order, and says what became of everything: `cargo run -p maxq --example close`

mod stage;

use std::time::Duration;

use maxq::{Message, Producer};
use maxq_emulator::{Effect, Fault, On};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, emulator) = stage::open("orders").await?;
    let producer = Producer::connect(&url).await?;
    producer.prewarm(&["orders"]).await?;
    if let Some(cluster) = &emulator {
        // From here on the second broker hangs, and no name server says where "parcels" are.
        cluster.freeze_broker(1);
        cluster.fault(Fault::on(On::Route).topic("parcels").then(Effect::DropRequest));
    }

    // Nobody awaits these: closing waits for them, here not long enough.
    for n in 0..100 {
        drop(producer.send(Message::new("orders", format!("order {n}"))).enqueue().await?);
    }
    for n in 0..10 {
        drop(producer.send(Message::new("parcels", format!("parcel {n}"))).enqueue().await?);
    }

    let report = producer.close(Duration::from_millis(200)).await;
    println!("acknowledged {:>3}", report.acknowledged);
    println!("refused      {:>3}", report.refused);
    println!(
        "not sent     {:>3}  {} of them are handed back, to be sent again",
        report.not_sent,
        report.unsent.len()
    );
    println!("unknown      {:>3}  no answer yet: stored or not", report.unknown);
    let ended = report.acknowledged + report.refused + report.not_sent + report.unknown;
    println!("in all       {ended:>3}");
    Ok(())
}
