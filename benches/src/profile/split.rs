//! The instructions of a program, shared out among the stages of a send.
//!
//! A line with a stage is easy. What serves any stage (the standard library, the allocator, copying) is charged to whom
//! it works for: inlined, to the stage of the code around it; called, to the stage of the caller, in proportion where
//! it has several.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    costs::{Costs, Function, Line, Source},
    stage::{Stage, Stages},
};

/// Instructions, and which of them allocate or copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Share {
    /// All.
    pub all: f64,
    /// Of them, allocating and freeing.
    pub allocating: f64,
    /// Of them, copying, filling and comparing memory.
    pub copying: f64,
}

impl Share {
    fn add(&mut self, other: Self, times: f64) {
        self.all += other.all * times;
        self.allocating += other.allocating * times;
        self.copying += other.copying * times;
    }
}

/// What each stage has spent.
#[derive(Clone, Debug, Default)]
pub struct Split {
    stages: BTreeMap<Stage, Share>,
    allocations: f64,
}

impl Split {
    /// Shares `costs` out.
    pub(super) fn of(costs: &Costs) -> Self {
        let placed = Placed::new(costs);
        let serving = placed.serving();
        let allocations = costs.calls_of(&["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"]);
        let mut split = Self { allocations: allocations as f64, ..Self::default() };
        let mut told = 0.0;
        for (function, stages) in costs.functions.iter().zip(&placed.stages) {
            for (line, stage) in function.lines.iter().zip(stages.iter().flatten()) {
                let share = match line {
                    Line::Own(_, cost) => Share { all: *cost as f64, allocating: 0.0, copying: 0.0 },
                    Line::Calls(_, callee, _, cost) => {
                        let mut share = Share::default();
                        share.add(serving[*callee], *cost as f64);
                        share
                    }
                };
                told += share.all;
                split.stages.entry(*stage).or_default().add(share, 1.0);
            }
        }
        let untold = (costs.total() as f64 - told).max(0.0);
        split.stages.entry(Stage::Other).or_default().all += untold;
        split
    }

    /// What `stage` has spent.
    pub fn share(&self, stage: Stage) -> Share {
        self.stages.get(&stage).copied().unwrap_or_default()
    }

    /// All stages together.
    pub fn sum(&self) -> Share {
        let mut sum = Share::default();
        self.stages.values().for_each(|share| sum.add(*share, 1.0));
        sum
    }

    /// How often memory was asked for.
    pub const fn allocations(&self) -> f64 {
        self.allocations
    }

    /// What `self` has spent more than `less`, divided by `messages`.
    pub fn per_message(&self, less: &Self, messages: u64) -> Self {
        let of = |stage: Stage| {
            let mut share = self.share(stage);
            share.add(less.share(stage), -1.0);
            let mut each = Share::default();
            each.add(share, 1.0 / messages as f64);
            (stage, each)
        };
        let allocations = (self.allocations - less.allocations) / messages as f64;
        Self { stages: Stage::ALL.into_iter().map(of).collect(), allocations }
    }
}

/// The stage of each line of each function; `None` for functions that serve any stage.
struct Placed<'a> {
    costs: &'a Costs,
    stages: Vec<Option<Vec<Stage>>>,
}

impl<'a> Placed<'a> {
    fn new(costs: &'a Costs) -> Self {
        let known = Stages::default();
        let stages = costs.functions.iter().map(|function| stages_of(function, &known)).collect();
        Self { costs, stages }
    }

    /// For each function, which part of what it and its callees spend is charged to its caller: nothing, if it has
    /// stages of its own. Functions call each other in circles, so this is found by repetition; it settles soon.
    fn serving(&self) -> Vec<Share> {
        let mut serving = vec![Share::default(); self.costs.functions.len()];
        for _ in 0..ROUNDS {
            for (at, function) in self.costs.functions.iter().enumerate() {
                if self.stages[at].is_none() {
                    serving[at] = serving_part(function, &serving);
                }
            }
        }
        serving
    }
}

/// A line without a stage belongs with the one before it: the code around it has been inlined there.
fn stages_of(function: &Function, known: &Stages) -> Option<Vec<Stage>> {
    let source = |line: &Line| -> Source {
        match line {
            Line::Own(source, _) | Line::Calls(source, ..) => source.clone(),
        }
    };
    let found: Vec<Option<Stage>> = function.lines.iter().map(|line| known.of(&source(line))).collect();
    let mut last = found.iter().find_map(|stage| *stage)?;
    let follow = |stage: &Option<Stage>| {
        last = stage.unwrap_or(last);
        last
    };
    Some(found.iter().map(follow).collect())
}

fn serving_part(function: &Function, serving: &[Share]) -> Share {
    if let Some(share) = library(&function.name) {
        return share;
    }
    let (mut part, mut whole) = (Share::default(), 0.0);
    for line in &function.lines {
        match line {
            Line::Own(_, cost) => {
                part.all += *cost as f64;
                whole += *cost as f64;
            }
            Line::Calls(_, callee, _, cost) => {
                part.add(serving[*callee], *cost as f64);
                whole += *cost as f64;
            }
        }
    }
    let mut share = Share::default();
    if whole > 0.0 {
        share.add(part, 1.0 / whole);
    }
    share
}

/// The C library's functions whose whole cost has one purpose.
fn library(name: &str) -> Option<Share> {
    let is = |names: &[&str]| names.contains(&name.trim_start_matches('_'));
    if is(&["malloc", "free", "realloc", "calloc", "cfree", "posix_memalign", "aligned_alloc"]) {
        Some(Share { all: 1.0, allocating: 1.0, copying: 0.0 })
    } else if ["memcpy", "memmove", "memset", "memcmp", "bcmp"].iter().any(|part| name.contains(part)) {
        Some(Share { all: 1.0, allocating: 0.0, copying: 1.0 })
    } else {
        None
    }
}

const ROUNDS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(file: &str) -> Source {
        Source { file: file.to_owned(), line: 1 }
    }

    fn function(name: &str, lines: Vec<Line>) -> Function {
        Function { name: name.to_owned(), lines }
    }

    #[test]
    fn what_serves_everybody_is_charged_to_whom_it_works_for() {
        let vec = "/rustc/library/alloc/src/vec/mod.rs";
        let costs = Costs {
            functions: vec![
                function(
                    "poll",
                    vec![
                        Line::Own(at("crates/policy/src/plan.rs"), 10),
                        Line::Own(at(vec), 2),
                        Line::Own(at("crates/client/src/remoting/mod.rs"), 20),
                        Line::Calls(at(vec), 1, 1, 30),
                    ],
                ),
                function("grow", vec![Line::Own(at(vec), 5), Line::Calls(at(vec), 2, 1, 25)]),
                function("malloc", vec![Line::Own(at(""), 25)]),
                function("_start", vec![Line::Own(at(""), 3), Line::Calls(at(""), 0, 1, 62)]),
            ],
        };
        let split = Split::of(&costs);
        assert_eq!(split.share(Stage::Decide), Share { all: 12.0, ..Share::default() });
        assert_eq!(split.share(Stage::Hop), Share { all: 50.0, allocating: 25.0, copying: 0.0 });
        assert_eq!(split.share(Stage::Other).all, 3.0);
        assert_eq!(split.sum().all, costs.total() as f64);
    }

    #[test]
    fn two_runs_give_the_cost_of_what_one_sent_more() {
        let run = |cost| Costs {
            functions: vec![function("f", vec![Line::Own(at("crates/policy/src/plan.rs"), cost)])],
        };
        let each = Split::of(&run(1_500)).per_message(&Split::of(&run(500)), 10);
        assert_eq!(each.share(Stage::Decide).all, 100.0);
    }
}
