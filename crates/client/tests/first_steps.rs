//! The tests that the pages in `docs/` show, word for word (`pages.rs` sees to that), and the story that is drawn there.

#![expect(clippy::disallowed_methods, reason = "the time of a test is made up")]

mod the_first_test {
    use maxq::{Message, Producer};
    use maxq_emulator::Cluster;

    #[tokio::test]
    async fn an_order_is_stored() -> Result<(), Box<dyn std::error::Error>> {
        let cluster = Cluster::start(1).await?;
        let url = format!("rocketmq://{}/?group=orders", cluster.name_servers());
        let producer = Producer::connect(&url).await?;
        producer.send(Message::new("orders", "paid").key("42")).await?;
        assert_eq!(cluster.stored_count("orders"), 1);
        Ok(())
    }
}

mod what_was_sent {
    use maxq::{Message, Producer};
    use maxq_emulator::Cluster;

    #[tokio::test]
    async fn a_paid_order_is_announced_under_its_number() -> Result<(), Box<dyn std::error::Error>> {
        let cluster = Cluster::builder().brokers(2).topic("orders", 4).start().await?;
        let url = format!("rocketmq://{}/?group=shop", cluster.name_servers());
        let producer = Producer::connect(&url).await?;

        // The code under test.
        producer.send(Message::new("orders", "paid").tag("state").key("42")).await?;

        let stored = cluster.stored("orders");
        assert_eq!(stored.len(), 1);
        assert_eq!(stored[0].body(), &b"paid"[..]);
        assert_eq!(stored[0].tag(), Some("state"));
        assert!(stored[0].keys().any(|key| key == "42"));
        Ok(())
    }
}

mod faults {
    use std::time::Duration;

    use maxq::{Message, Outcome, Producer};
    use maxq_emulator::{Cluster, Effect, Fault, On};

    #[tokio::test]
    async fn a_lost_answer_is_told() -> Result<(), Box<dyn std::error::Error>> {
        let cluster = Cluster::builder().brokers(2).topic("orders", 4).start().await?;
        let url = format!("rocketmq://{}/?group=shop", cluster.name_servers());
        let producer = Producer::connect(&url).await?;

        // The first answer is lost. The broker has stored the message; so will the one that is asked next.
        let lost = cluster.fault(Fault::on(On::Send).topic("orders").once().then(Effect::DropAnswer));
        let sending = producer.send(Message::new("orders", "paid")).timeout(Duration::from_millis(300));
        let receipt = sending.await?;
        assert!(receipt.maybe_duplicate());
        assert_eq!((lost.fired(), cluster.stored_count("orders")), (1, 2));

        // All answers are lost: nobody can know.
        cluster.fault(Fault::on(On::Send).then(Effect::DropAnswer));
        let sending = producer.send(Message::new("orders", "packed")).timeout(Duration::from_millis(100));
        assert_eq!(sending.await.unwrap_err().outcome(), Outcome::Unknown);
        Ok(())
    }
}

mod what_was_asked {
    use maxq::{Message, Producer};
    use maxq_emulator::{Cluster, Effect, Fault, On};

    #[tokio::test]
    async fn a_second_attempt_goes_to_another_broker() -> Result<(), Box<dyn std::error::Error>> {
        let cluster = Cluster::builder().brokers(2).topic("orders", 4).start().await?;
        let url = format!("rocketmq://{}/?group=shop", cluster.name_servers());
        let producer = Producer::connect(&url).await?;
        producer.prewarm(&["orders"]).await?;
        cluster.clear_requests();

        cluster.fault(Fault::on(On::Send).once().then(Effect::disk_full()));
        producer.send(Message::new("orders", "paid")).await?;

        let requests = cluster.requests();
        let asked: Vec<_> = requests.iter().filter(|request| request.queue_id.is_some()).collect();
        assert_eq!(asked.len(), 2);
        assert_ne!(asked[0].server, asked[1].server);
        Ok(())
    }
}

mod made_up_time {
    use std::time::Duration;

    use maxq::{Client, ClientConfig, Message, ProducerConfig, Stream};
    use maxq_emulator::{Cluster, VirtualNetwork};

    #[tokio::test(start_paused = true)]
    async fn a_cut_cable_is_soon_passed_by() -> Result<(), Box<dyn std::error::Error>> {
        let network = VirtualNetwork::seeded(7);
        network.latency(Duration::from_millis(1)..=Duration::from_millis(2));
        let cluster = Cluster::builder().brokers(2).topic("orders", 4).virtual_network(&network);
        let cluster = cluster.start().await?;
        let cables = network.clone();
        let config = ClientConfig::new(cluster.name_servers()).seed(7).connector(move |address: String| {
            let network = cables.clone();
            async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
        });
        let producer = Client::connect(config).await?.producer(ProducerConfig::new("shop"))?;
        producer.prewarm(&["orders"]).await?;

        network.black_hole(&cluster.broker(0).address().to_string());
        for _ in 0..8 {
            producer.send(Message::new("orders", "paid")).await?;
        }
        // Some have met the silence, each for a third of its three seconds. By now it is passed by.
        let began = tokio::time::Instant::now();
        producer.send(Message::new("orders", "paid")).await?;
        assert!(began.elapsed() < Duration::from_millis(20));
        Ok(())
    }
}

mod timeline {
    use std::time::Duration;

    use maxq::{Client, ClientConfig, Message, ProducerConfig, Stream};
    use maxq_emulator::{Cluster, VirtualNetwork};

    #[tokio::test(start_paused = true)]
    async fn a_send_to_a_frozen_broker_goes_as_it_is_drawn() -> Result<(), Box<dyn std::error::Error>> {
        let network = VirtualNetwork::seeded(7);
        network.latency(Duration::from_micros(2_500)..=Duration::from_micros(2_500));
        let cluster = Cluster::builder().brokers(2).topic("orders", 4).virtual_network(&network);
        let cluster = cluster.start().await?;
        let config = ClientConfig::new(cluster.name_servers()).seed(7).connector(move |address: String| {
            let network = network.clone();
            async move { Ok(Stream::Boxed(Box::new(network.dial(&address).await?))) }
        });
        let producer = Client::connect(config).await?.producer(ProducerConfig::new("shop"))?;
        producer.prewarm(&["orders"]).await?;
        cluster.freeze_broker(0);
        for _ in 0..8 {
            let receipt = producer.send(Message::new("orders", "paid")).await?;
            let [first, second] = receipt.attempts() else { continue };
            let late = Duration::from_millis(2);
            assert!(first.elapsed().abs_diff(Duration::from_secs(1)) <= late, "{:?}", first.elapsed());
            assert!(second.elapsed().abs_diff(Duration::from_millis(5)) <= late, "{:?}", second.elapsed());
            assert_eq!((first.broker(), second.broker()), ("broker-0", "broker-1"));
            assert!(receipt.maybe_duplicate());
            return Ok(());
        }
        panic!("no send has met the frozen broker");
    }
}
