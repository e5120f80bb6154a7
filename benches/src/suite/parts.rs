//! Which loads belong to which part.

use std::{fmt, num::NonZeroUsize, time::Duration};

use clap::ValueEnum;
use serde::Serialize;

use crate::{
    compare::Aim,
    load::{Encoding, Load, Shape, Way},
};

/// A table of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Awaited messages, 1 to 1,000 in flight
    Awaited,
    /// One way, in batches, enqueued, blocking
    Ways,
    /// Binary headers
    Binary,
    /// A multi-thread runtime with two workers
    Threads,
    /// Bodies from 100 B to 1 MiB
    Bodies,
    /// 1 to 64 brokers, 1 to 1,000 topics
    Spread,
}

/// One row that is to be measured.
pub(super) struct Plan {
    pub(super) label: String,
    pub(super) load: Load,
    pub(super) brokers: usize,
    pub(super) aim: Option<Aim>,
}

impl Part {
    /// In the order of the document.
    pub const ALL: [Self; 6] =
        [Self::Awaited, Self::Ways, Self::Binary, Self::Threads, Self::Bodies, Self::Spread];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Awaited => "Awaited messages",
            Self::Ways => "One way, in batches, enqueued, blocking",
            Self::Binary => "Binary headers, answered in kind",
            Self::Threads => "A multi-thread runtime with two workers",
            Self::Bodies => "Bodies",
            Self::Spread => "Brokers and topics",
        }
    }

    /// Its section in BENCHMARKS.md.
    pub(super) fn section(self) -> String {
        format!("suite {self}")
    }

    pub(super) fn rows(self) -> Vec<Plan> {
        match self {
            Self::Awaited => by_inflight(&Shape::default(), true),
            Self::Ways => ways(),
            Self::Binary => by_inflight(&Shape { encoding: Encoding::Binary, ..Shape::default() }, false),
            Self::Threads => by_inflight(&Shape { threads: count(2), ..Shape::default() }, false),
            Self::Bodies => bodies(),
            Self::Spread => spread(),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

fn by_inflight(shape: &Shape, with_aims: bool) -> Vec<Plan> {
    let plan = |(inflight, times)| Plan {
        aim: with_aims.then_some(Aim::Times(times)),
        ..Plan::new(format!("{inflight} in flight"), Load { shape: shape.clone(), ..load(inflight) })
    };
    [(1, 1.4), (64, 4.0), (256, 5.0), (1000, 4.0)].into_iter().map(plan).collect()
}

fn ways() -> Vec<Plan> {
    let plan = |label: &str, way, inflight, aim| Plan {
        aim,
        ..Plan::new(label.to_owned(), Load { way, ..load(inflight) })
    };
    vec![
        plan("one way, 16 tasks", Way::Oneway, 16, Some(Aim::Micros(1.5))),
        plan("batches of 64, 8 tasks", Way::Batch, 8, Some(Aim::Micros(0.6))),
        plan("enqueued, 256 in flight", Way::Enqueue, 256, None),
        plan("enqueued, 1000 in flight", Way::Enqueue, 1000, None),
        plan("blocking, 1 thread", Way::Blocking, 1, None),
        plan("blocking, 64 threads", Way::Blocking, 64, None),
    ]
}

fn bodies() -> Vec<Plan> {
    let plan = |(label, body, inflight): (&str, usize, usize)| {
        let shape = Shape { body, ..Shape::default() };
        Plan::new(format!("{label}, {inflight} in flight"), Load { shape, ..load(inflight) })
    };
    let sizes =
        [("100 B", 100, 64), ("1 KiB", 1 << 10, 64), ("64 KiB", 64 << 10, 64), ("1 MiB", 1 << 20, 16)];
    sizes.into_iter().map(plan).collect()
}

fn spread() -> Vec<Plan> {
    let brokers = [1, 4, 16, 64].map(|brokers| Plan {
        brokers,
        ..Plan::new(format!("{brokers} broker{}, 1 topic", if brokers == 1 { "" } else { "s" }), load(256))
    });
    // What is measured is the steady state: each topic asks for its route first.
    let shape = Shape { warm: Duration::from_secs(3), ..Shape::default() };
    let topics = [10, 100, 1000].map(|topics| {
        let load = Load { topics: count(topics), shape: shape.clone(), ..load(256) };
        Plan::new(format!("1 broker, {topics} topics"), load)
    });
    brokers.into_iter().chain(topics).collect()
}

impl Plan {
    fn new(label: String, load: Load) -> Self {
        Self { label, load, brokers: 1, aim: None }
    }
}

fn load(inflight: usize) -> Load {
    Load { inflight: count(inflight), ..Load::default() }
}

fn count(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN)
}
