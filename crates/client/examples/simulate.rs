//! Plays many seeds of the simulation, or one of them aloud.
//!
//! ```text
//! cargo run --release -p maxq --example simulate -- --seeds 100000
//! cargo run --release -p maxq --example simulate -- --seeds 5000..6000
//! cargo run -p maxq --example simulate -- --seed 42
//! ```

#![expect(
    clippy::disallowed_methods,
    reason = "stories are told in made-up time, and a tool says how long it took"
)]

#[path = "../tests/simulation/actors.rs"]
mod actors;
#[path = "../tests/simulation/crowd.rs"]
mod crowd;
#[path = "../tests/simulation/ends.rs"]
mod ends;
#[path = "../tests/simulation/story.rs"]
mod story;
#[path = "../tests/simulation/trouble.rs"]
mod trouble;
#[path = "../tests/simulation/verdict.rs"]
mod verdict;
#[path = "../tests/simulation/world.rs"]
mod world;

use std::{
    ops::Range,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::Instant,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--seed", seed] if seed.parse::<u64>().is_ok() => aloud(seed.parse().unwrap_or_default()),
        ["--seeds", seeds] => match range(seeds) {
            Some(seeds) => all(seeds),
            None => usage(),
        },
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: simulate --seeds COUNT | --seeds FIRST..LAST | --seed SEED");
    ExitCode::from(2)
}

fn range(text: &str) -> Option<Range<u64>> {
    match text.split_once("..") {
        Some((first, last)) => Some(first.parse().ok()?..last.parse().ok()?),
        None => Some(0..text.parse().ok()?),
    }
}

fn aloud(seed: u64) -> ExitCode {
    let story = world::play(seed);
    println!("{story}\n{} lines", story.lines().len());
    if story.faults().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One thread per core takes the next seed until there is none. The first failing story is printed.
fn all(seeds: Range<u64>) -> ExitCode {
    let (next, failed, began) = (AtomicU64::new(seeds.start), AtomicU64::new(0), Instant::now());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let story = world::play(seed);
                    if !story.faults().is_empty() && failed.fetch_add(1, Relaxed) < 3 {
                        println!("{story}\n");
                    }
                    if (seed + 1) % 10_000 == 0 {
                        eprintln!("{} seeds", seed + 1 - seeds.start);
                    }
                }
            });
        }
    });
    let (count, failed) = (seeds.end.saturating_sub(seeds.start), failed.into_inner());
    println!("{count} seeds, {failed} failed, {:.1?}", began.elapsed());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
