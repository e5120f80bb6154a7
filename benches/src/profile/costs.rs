//! What callgrind writes: for each function its own instructions by source line, and what its calls cost.
//!
//! The format is described in valgrind's manual, "Callgrind Format Specification". We ask valgrind to leave out its
//! compression of names and positions, so a line is read by itself.

use std::collections::BTreeMap;

use anyhow::Context as _;

/// Where an instruction comes from: the line tables name the source even of what was inlined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Source {
    /// The file as the compiler was given it; empty where it is not known.
    pub(super) file: String,
    /// Counted from 1; 0 where it is not known.
    pub(super) line: usize,
}

/// The instructions of a program.
#[derive(Clone, Debug, Default)]
pub(super) struct Costs {
    /// All functions that ran.
    pub(super) functions: Vec<Function>,
}

/// One function with everything that was inlined into it.
#[derive(Clone, Debug, Default)]
pub(super) struct Function {
    /// The linker's name, demangled.
    pub(super) name: String,
    /// What it spent, in the order of its code.
    pub(super) lines: Vec<Line>,
}

/// What one place in a function spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Instructions of its own.
    Own(Source, u64),
    /// Calls to a function of [`Costs::functions`]: how many, and what they cost with everything below them.
    Calls(Source, usize, u64, u64),
}

impl Costs {
    /// Reads the text of a callgrind file.
    ///
    /// # Errors
    /// It is none, or it is compressed.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut reading = Reading::default();
        for line in text.lines() {
            reading.take(line).with_context(|| format!("not a line of callgrind: {line}"))?;
        }
        anyhow::ensure!(!reading.costs.functions.is_empty(), "no functions in what callgrind wrote");
        Ok(reading.costs)
    }

    /// All instructions.
    pub(super) fn total(&self) -> u64 {
        let own = |line: &Line| if let Line::Own(_, cost) = line { *cost } else { 0 };
        self.functions.iter().flat_map(|function| &function.lines).map(own).sum()
    }

    /// How often functions of these names were called.
    pub(super) fn calls_of(&self, names: &[&str]) -> u64 {
        let calls = |line: &Line| match line {
            Line::Calls(_, callee, calls, _) if names.contains(&&*self.functions[*callee].name) => *calls,
            _ => 0,
        };
        self.functions.iter().flat_map(|function| &function.lines).map(calls).sum()
    }
}

#[derive(Default)]
struct Reading {
    costs: Costs,
    known: BTreeMap<(String, String), usize>,
    object: String,
    file: String,
    function: usize,
    /// The library of a called function, when it is another one; and the function.
    called_object: Option<String>,
    called: usize,
    /// The next cost is that of so many calls.
    calls: Option<u64>,
}

impl Reading {
    fn take(&mut self, line: &str) -> anyhow::Result<()> {
        if let Some((key, value)) = line.split_once('=') {
            match key {
                "ob" => self.object = value.to_owned(),
                "fl" | "fi" | "fe" => self.file = known(value).to_owned(),
                "fn" => {
                    self.function = self.function_named(self.object.clone(), value);
                }
                "cob" => self.called_object = Some(value.to_owned()),
                "cfn" => {
                    let object = self.called_object.take().unwrap_or_else(|| self.object.clone());
                    self.called = self.function_named(object, value);
                }
                "calls" => {
                    let count = value.split(' ').next().unwrap_or_default();
                    self.calls = Some(count.parse()?);
                }
                _ => {}
            }
        } else if line.starts_with(|c: char| c.is_ascii_digit()) {
            let (line, cost) = line.split_once(' ').context("a line without a cost")?;
            let source = Source { file: self.file.clone(), line: line.parse()? };
            let cost = cost.parse()?;
            let line = match self.calls.take() {
                Some(calls) => Line::Calls(source, self.called, calls, cost),
                None => Line::Own(source, cost),
            };
            let function = self.costs.functions.get_mut(self.function).context("a cost of no function")?;
            function.lines.push(line);
        }
        Ok(())
    }

    /// A function may be cut into several pieces of the file; its object and its name hold them together.
    fn function_named(&mut self, object: String, name: &str) -> usize {
        let functions = &mut self.costs.functions;
        *self.known.entry((object, name.to_owned())).or_insert_with_key(|(_, name)| {
            functions.push(Function { name: name.clone(), lines: Vec::new() });
            functions.len() - 1
        })
    }
}

fn known(file: &str) -> &str {
    if file == "???" { "" } else { file }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "version: 1\nevents: Ir\n\nob=/bin/a\nfl=a.rs\nfn=outer\n10 5\ncob=/lib/c\ncfn=malloc\ncalls=2 0\n\
                        11 40\nfi=b.rs\n3 7\n\nfl=b.rs\nfn=inner\n4 1\n\nob=/lib/c\nfl=???\nfn=malloc\n0 40\ntotals: 53\n";

    #[test]
    fn own_costs_and_calls_are_told_apart() {
        let costs = Costs::parse(FILE).unwrap();
        let at = |file: &str, line| Source { file: file.to_owned(), line };
        let names: Vec<_> = costs.functions.iter().map(|function| &*function.name).collect();
        assert_eq!(names, ["outer", "malloc", "inner"]);
        assert_eq!(costs.functions[1].lines, [Line::Own(at("", 0), 40)]);
        let outer = &costs.functions[0].lines;
        let expected = [
            Line::Own(at("a.rs", 10), 5),
            Line::Calls(at("a.rs", 11), 1, 2, 40),
            Line::Own(at("b.rs", 3), 7),
        ];
        assert_eq!(outer[..], expected);
        assert_eq!((costs.total(), costs.calls_of(&["malloc"])), (53, 2));
    }

    #[test]
    fn what_is_no_callgrind_file_is_refused() {
        assert!(Costs::parse("").is_err() && Costs::parse("1 2").is_err());
    }
}
