//! What happened, line by line, with the time since the start.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use tokio::time::Instant;

/// Writes a story while it happens. A clone writes the same one.
#[derive(Clone)]
pub(crate) struct Teller {
    start: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Teller {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), lines: Arc::default() }
    }

    pub(crate) fn tell(&self, line: impl fmt::Display) {
        let line = format!("{:>10.3?} {line}", self.start.elapsed());
        self.lines.lock().expect("no holder panics").push(line);
    }

    pub(crate) fn end(self, seed: u64, faults: Vec<String>) -> Story {
        Story { seed, lines: std::mem::take(&mut self.lines.lock().expect("no holder panics")), faults }
    }
}

/// A story that is over, and the rules that it broke.
pub(crate) struct Story {
    seed: u64,
    lines: Vec<String>,
    faults: Vec<String>,
}

impl Story {
    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    pub(crate) fn faults(&self) -> &[String] {
        &self.faults
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}", self.seed)?;
        for line in &self.lines {
            writeln!(f, "  {line}")?;
        }
        for fault in &self.faults {
            writeln!(f, "broken: {fault}")?;
        }
        write!(f, "again: cargo run -p maxq --example simulate -- --seed {}", self.seed)
    }
}
