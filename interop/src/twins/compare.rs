//! Two servers' facets beside each other.

use super::{
    facets::Facets,
    known::{self, Known},
    step::Step,
};

/// One facet that the two servers do not share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) step: String,
    pub(super) facet: String,
    pub(super) apache: String,
    pub(super) emulator: String,
}

/// What a comparison came to.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    pub(super) steps: usize,
    /// Differences that nobody has given a reason for.
    pub(super) unexplained: Vec<Difference>,
    pub(super) explained: usize,
    /// Reasons for differences that were not there.
    pub(super) idle: Vec<&'static Known>,
}

/// Compares what came of each step, and takes out what `version` is known for.
pub(super) fn compare(version: &str, steps: &[Step], apache: &[Facets], emulator: &[Facets]) -> Comparison {
    let mut comparison = Comparison { steps: steps.len(), ..Comparison::default() };
    let known = known::of(version);
    let mut seen = vec![false; known.len()];
    for ((step, apache), emulator) in steps.iter().zip(apache).zip(emulator) {
        for difference in differences(&step.name, apache, emulator) {
            match known.iter().position(|known| known.covers(&difference)) {
                Some(at) => {
                    seen[at] = true;
                    comparison.explained += 1;
                }
                None => comparison.unexplained.push(difference),
            }
        }
    }
    let idle = known.into_iter().zip(seen).filter(|(known, seen)| !seen && !known.may_be_missing);
    comparison.idle = idle.map(|(known, _)| known).collect();
    comparison
}

fn differences(step: &str, apache: &Facets, emulator: &Facets) -> Vec<Difference> {
    let mut names: Vec<_> = apache.keys().chain(emulator.keys()).collect();
    names.sort();
    names.dedup();
    let value = |facets: &Facets, name: &String| facets.get(name).cloned().unwrap_or_else(|| "-".to_owned());
    let of = |name: &String| Difference {
        step: step.to_owned(),
        facet: name.clone(),
        apache: value(apache, name),
        emulator: value(emulator, name),
    };
    names.into_iter().map(of).filter(|found| found.apache != found.emulator).collect()
}

impl Comparison {
    pub(super) fn passed(&self) -> bool {
        self.unexplained.is_empty() && self.idle.is_empty()
    }

    /// What failed, for people; nothing if all is well.
    pub(super) fn failure(&self) -> Option<String> {
        let mut text = String::new();
        let mut last = "";
        for Difference { step, facet, apache, emulator } in &self.unexplained {
            if step != last {
                text.push_str(&format!("{step}\n"));
                last = step;
            }
            text.push_str(&format!("    {facet}\n        Apache: {apache}\n      emulator: {emulator}\n"));
        }
        for Known { steps, facets, documented, .. } in &self.idle {
            text.push_str(&format!(
                "no difference any more in `{facets}` of `{steps}`: take it out of known.rs, and of the emulator's \
                 documentation: {documented}\n"
            ));
        }
        (!self.passed()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_facet_that_one_lacks_is_a_difference() {
        let facets = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Facets>()
        };
        let (one, other) = (facets(&[("code", "0"), ("remark", "a")]), facets(&[("code", "0")]));
        let found = differences("step", &one, &other);
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].facet, &*found[0].apache, &*found[0].emulator), ("remark", "a", "-"));
        assert!(differences("step", &one, &one).is_empty());
    }

    #[test]
    fn a_reason_without_a_difference_fails_the_run() {
        let comparison = compare("5.5.0", &[], &[], &[]);
        assert!(!comparison.passed() || known::of("5.5.0").is_empty());
    }
}
