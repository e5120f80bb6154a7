//! The blocking producer under load: threads instead of tasks.

use std::{
    sync::{Arc, mpsc},
    thread,
};

use maxq::{Message, blocking::Producer};

use super::{client_config, counters, producer_config};
use crate::{load::Load, measure::Meter, report::Report};

/// Sends `load` with the blocking producer, one thread for each message in flight.
///
/// # Errors
/// The broker cannot be reached, or a send failed.
pub fn run_blocking(load: &Load) -> anyhow::Result<Report> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let before = runtime.block_on(counters(load))?;
    let producer = Producer::with(client_config(load), producer_config(load))?;
    let meter = Arc::new(Meter::new(load));
    let steady = thread::scope(|scope| {
        let (ended, ends) = mpsc::channel();
        for _ in 0..load.tasks() {
            let (ended, producer, meter) = (ended.clone(), &producer, &meter);
            scope.spawn(move || drop(ended.send(send(load, producer, meter))));
        }
        drop(ended);
        meter.steady_of_threads(load, &ends)
    })?;
    producer.close(super::LEAVING);
    if !load.real_broker {
        meter.all_well()?;
    }
    let after = runtime.block_on(counters(load))?;
    Ok(Report::new("client", load, steady, before, after))
}

fn send(load: &Load, producer: &Producer, meter: &Meter) -> anyhow::Result<()> {
    let (topics, body) = (load.topics(), load.body());
    for nth in (0..).take_while(|nth| meter.wants(*nth)) {
        let started = meter.start(nth);
        let message = Message::new(&*topics[nth as usize % topics.len()], body.clone());
        match producer.send(message).wait() {
            Ok(_) => meter.finish(started),
            Err(error) => meter.fail(&error),
        }
    }
    Ok(())
}
