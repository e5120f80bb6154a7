//! Trouble that is no misfortune of a machine: name servers that disagree or keep the dead, brokers that may not be
//! written to, topics that grow, clients that are forgotten.

use std::time::Duration;

use tokio::time::sleep;

use crate::world::{TOPICS, World};

/// Makes trouble, now and then, for some seconds.
pub(crate) async fn trouble(world: &World, chance: &mut fastrand::Rng) {
    for _ in 0..chance.usize(1..8) {
        sleep(Duration::from_millis(chance.u64(0..900))).await;
        world.story.tell(make(world, chance));
    }
}

fn make(world: &World, chance: &mut fastrand::Rng) -> String {
    let cluster = &world.cluster;
    let server = chance.usize(0..cluster.name_server_count());
    let broker = cluster.broker(chance.usize(0..cluster.broker_count()));
    let (name, topic) = (broker.name().to_owned(), TOPICS[usize::from(chance.bool())]);
    match chance.u8(0..12) {
        0 => {
            cluster.name_server_at(server).route_override(topic, None);
            format!("name server {server} knows {topic} no more")
        }
        1 | 2 => {
            // As the other brokers were never there, or the master has gone.
            let known = cluster.name_server_at(server);
            let Some(mut route) = known.route(topic) else { return format!("{topic} is nowhere") };
            let most = chance.usize(0..=route.queue_datas.len());
            route.queue_datas.truncate(most);
            known.route_override(topic, Some(route));
            format!("name server {server} knows {topic} at {most} brokers")
        }
        3 | 4 => {
            cluster.name_server_at(server).remove_route_override(topic);
            format!("name server {server} follows the brokers about {topic}")
        }
        5 => {
            cluster.name_server_at(server).keep_dead_brokers(true);
            format!("name server {server} keeps the dead")
        }
        6 | 7 => {
            broker.set_read_only(true);
            format!("{name} may not be written to")
        }
        8 | 9 => {
            broker.set_read_only(false);
            format!("{name} may be written to")
        }
        10 => {
            let queues = chance.u32(4..9);
            broker.create_topic(topic, queues).expect("the name is good");
            format!("{topic} has {queues} queues at {name}")
        }
        _ => {
            broker.forget_clients();
            format!("{name} forgets its clients")
        }
    }
}

/// All agree again.
pub(crate) fn settle(world: &World) {
    let cluster = &world.cluster;
    for server in 0..cluster.name_server_count() {
        let server = cluster.name_server_at(server);
        server.keep_dead_brokers(false);
        for topic in TOPICS {
            server.remove_route_override(topic);
        }
    }
    for broker in 0..cluster.broker_count() {
        cluster.broker(broker).set_read_only(false);
    }
}
