//! The stages of a send, and which source line belongs to which.
//!
//! The compiler inlines across all borders, so functions of the program say little. But its line tables know the source
//! of each instruction, and the source knows the function that the line was written in.

use std::{cell::RefCell, collections::BTreeMap, fs};

use serde::Serialize;

use super::costs::Source;

/// What an instruction of a send is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Checking, admitting, choosing a queue, health, retries, receipts: what a producer decides.
    Decide,
    /// Properties, header and frame become bytes.
    Encode,
    /// From the caller to the connection and back: channels, the connection's queue, its table of requests.
    Hop,
    /// Tasks: the runtime's queues, wakers, timers, and what polls them.
    Wake,
    /// Reading and writing sockets, outside the kernel.
    Socket,
    /// Answers become values.
    Decode,
    /// The loop that sends, which is not the client.
    Bench,
    /// Everything that could not be told.
    Other,
}

impl Stage {
    /// In the order of a message's way.
    pub const ALL: [Self; 8] = [
        Self::Decide,
        Self::Encode,
        Self::Hop,
        Self::Wake,
        Self::Socket,
        Self::Decode,
        Self::Bench,
        Self::Other,
    ];

    /// What a table says of it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Decide => "decide: check, admit, choose, judge, receipt",
            Self::Encode => "encode: properties, header, frame",
            Self::Hop => "hop: channels, connection task, table of requests",
            Self::Wake => "wake: runtime, tasks, timers",
            Self::Socket => "socket: polling, reading, writing, without the kernel",
            Self::Decode => "decode: frame, header, fields",
            Self::Bench => "bench: the loop that sends",
            Self::Other => "not told",
        }
    }
}

/// Finds the stage of source lines; reads each of our files once.
#[derive(Debug, Default)]
pub(super) struct Stages {
    /// For each of our files the lines where functions begin, with their names.
    functions: RefCell<BTreeMap<String, Vec<(usize, String)>>>,
}

impl Stages {
    /// The stage of `source`; `None` for what serves any stage, such as the standard library.
    pub(super) fn of(&self, source: &Source) -> Option<Stage> {
        let file = &*source.file;
        if let Some((_, path)) = file.rsplit_once("benches/src/") {
            return (!path.is_empty()).then_some(Stage::Bench);
        }
        if let Some((_, path)) = file.rsplit_once("crates/") {
            return ours(path, || self.function_at(source));
        }
        let (_, path) = file.rsplit_once("/tokio-1.")?;
        Some(tokio(path))
    }

    fn function_at(&self, source: &Source) -> String {
        let mut known = self.functions.borrow_mut();
        let functions = known.entry(source.file.clone()).or_insert_with(|| functions_in(&source.file));
        let before = functions.partition_point(|(line, _)| *line <= source.line);
        before.checked_sub(1).map(|at| functions[at].1.clone()).unwrap_or_default()
    }
}

fn ours(path: &str, function: impl Fn() -> String) -> Option<Stage> {
    let (package, file) = path.split_once("/src/")?;
    let stage = match (package, file) {
        ("policy", _) => Stage::Decide,
        ("protocol", "frame.rs" | "serialize/json/quick.rs" | "serialize/json/shape.rs") => Stage::Decode,
        // Writers search too, but the head of a send is written once: what it still searches is of a property.
        ("protocol", "serialize/json/scan.rs") => Stage::Decode,
        ("protocol", file) if file.starts_with("name") => Stage::Decide,
        ("protocol", _) if READS.iter().any(|read| function().starts_with(read)) => Stage::Decode,
        ("protocol", _) => Stage::Encode,
        ("client", "producer/prepare.rs" | "unique_id.rs") => Stage::Encode,
        ("client", file) if file.starts_with("remoting/") => Stage::Hop,
        ("client", _) => Stage::Decide,
        _ => return None,
    };
    Some(stage)
}

fn tokio(path: &str) -> Stage {
    let within = |folders: &[&str]| folders.iter().any(|folder| path.contains(folder));
    if within(&["/sync/"]) {
        Stage::Hop
    } else if within(&["/net/", "/io/"]) {
        Stage::Socket
    } else {
        Stage::Wake
    }
}

/// Where functions begin in a file, by the looks of its lines.
fn functions_in(file: &str) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let name = |line: &str| {
        let (before, after) = line.trim_start().split_once("fn ")?;
        let is_item =
            before.split_whitespace().all(|word| word.starts_with("pub") || MODIFIERS.contains(&word));
        let name: String = after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        (is_item && !name.is_empty()).then_some(name)
    };
    text.lines().enumerate().filter_map(|(at, line)| Some((at + 1, name(line)?))).collect()
}

const MODIFIERS: [&str; 5] = ["const", "async", "unsafe", "extern", "in"];

/// How functions of the protocol that read begin; the others write.
const READS: [&str; 9] = ["read", "decode", "parse", "get", "visit", "deserialize", "take", "iter", "header"];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(file: &str, line: usize) -> Source {
        Source { file: file.to_owned(), line }
    }

    #[test]
    fn a_line_belongs_to_the_function_it_was_written_in() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/protocol/src/serialize/binary.rs");
        let text = fs::read_to_string(file).unwrap();
        let line = |of: &str| 2 + text.lines().position(|line| line.contains(of)).unwrap();
        let stages = Stages::default();
        assert_eq!(stages.of(&at(file, line("fn write("))), Some(Stage::Encode));
        assert_eq!(stages.of(&at(file, line("fn read("))), Some(Stage::Decode));
    }

    #[test]
    fn the_standard_library_serves_any_stage_and_tokio_three() {
        let stages = Stages::default();
        assert_eq!(stages.of(&at("/rustc/abc/library/alloc/src/vec/mod.rs", 1)), None);
        assert_eq!(stages.of(&at("", 0)), None);
        assert_eq!(stages.of(&at("/r/tokio-1.50.0/src/sync/mpsc/chan.rs", 1)), Some(Stage::Hop));
        assert_eq!(stages.of(&at("/r/tokio-1.50.0/src/net/tcp/stream.rs", 1)), Some(Stage::Socket));
        assert_eq!(stages.of(&at("/r/tokio-1.50.0/src/runtime/task/core.rs", 1)), Some(Stage::Wake));
        assert_eq!(stages.of(&at("/x/crates/policy/src/plan.rs", 1)), Some(Stage::Decide));
        assert_eq!(stages.of(&at("/x/crates/client/src/remoting/pool.rs", 1)), Some(Stage::Hop));
    }
}
