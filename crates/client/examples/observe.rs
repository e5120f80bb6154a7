//! What a client tells of itself while a broker dies: events, figures, and what the doctor says:
//! `cargo run -p maxq --example observe`

use std::time::Duration;

use maxq::{Client, ClientConfig, Event, Events, Message, ProducerConfig, doctor};
use maxq_emulator::Cluster;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cluster = Cluster::builder().brokers(2).topic("orders", 4).start().await?;
    let client = Client::connect(ClientConfig::new(cluster.name_servers())).await?;
    // What happens from here on is told, until the client is closed.
    let events = client.events();
    let ((), sent) = tokio::join!(listen(events), send(&cluster, client));
    sent
}

async fn listen(mut events: Events) {
    while let Some(event) = events.next().await {
        match event {
            Event::BreakerOpened { address, rest } => println!("event: {address} rests for {rest:?}"),
            event => println!("event: {event}"),
        }
    }
}

async fn send(cluster: &Cluster, client: Client) -> Result<(), Box<dyn std::error::Error>> {
    let producer = client.producer(ProducerConfig::new("orders"))?;
    for n in 0..100 {
        producer.send(Message::new("orders", format!("message {n}"))).await?;
        if n == 50 {
            cluster.kill_broker(0).await;
        }
    }

    // Always counted. A program hands these to its metrics once a while.
    let stats = producer.stats();
    println!("{} acknowledged, tried again {} times", stats.acknowledged, stats.retries.total());
    let latency = &stats.latency;
    println!("p99 {:?}, longest {:?}", latency.total.quantile(0.99), latency.total.max());
    for broker in &stats.brokers {
        let connected = if broker.is_connected { "connected" } else { "not connected" };
        println!("{} at {}: {connected}, breaker {:?}", broker.name, broker.address, broker.breaker);
    }

    // Looks at everything on the way to a topic, as `maxq doctor orders` does.
    let examination = doctor::Examination::new().topic("orders").test_send(false);
    let report = doctor::examine(ClientConfig::new(cluster.name_servers()), examination).await;
    println!("the doctor says: {:?}", report.verdict());
    for check in report.with(doctor::State::Failed) {
        println!("{check}");
    }
    client.close(Duration::from_secs(1)).await;
    Ok(())
}
