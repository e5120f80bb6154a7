//! The floor: the least that somebody must pay who sends messages one by one over one connection.
//!
//! The frames are ready before measuring begins; nothing is checked, chosen, retried, timed out or allocated. What is
//! left is the kernel, the runtime, and the way from a task to the socket and back.

mod frame;
mod one;
mod tasks;

use clap::ValueEnum;

pub use frame::Prebuilt;

use crate::{
    load::{Load, Way},
    measure::Steady,
    null_broker::Statistics,
    report::Report,
};

/// How the floor sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Variant {
    /// One blocking thread, one message in flight: the kernel alone
    Std,
    /// One task, one message in flight: the kernel and tokio
    Tokio,
    /// Any number in flight: each task puts its frame into a shared buffer, wakes the writer, awaits its answer
    Tasks,
}

/// Sends `load` to a null broker and reports.
///
/// # Errors
/// The broker cannot be reached or breaks off, or a variant for one message in flight is asked for more.
pub async fn run(variant: Variant, load: &Load) -> anyhow::Result<Report> {
    anyhow::ensure!(
        variant == Variant::Tasks || (load.inflight.get() == 1 && load.way != Way::Oneway),
        "this variant has one message in flight and awaits its answer; use `tasks` for more"
    );
    let before = Statistics::ask(load.name_server).await?;
    let steady: Steady = match variant {
        Variant::Std => one::run_std(load).await?,
        Variant::Tokio => one::run_tokio(load).await?,
        Variant::Tasks => tasks::run(load).await?,
    };
    let after = Statistics::ask(load.name_server).await?;
    let name = variant.to_possible_value().map(|value| format!("floor {}", value.get_name()));
    Ok(Report::new(&name.unwrap_or_default(), load, steady, before, after))
}
