//! `COMPATIBILITY.md`: its tables are written by the runs that measure them, between two markers each.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

/// Writes what a run has shown between the markers of `section`; the rest of the document stays as it is.
pub(crate) fn write(section: &str, text: &str) -> Result<()> {
    let path = Path::new(DOCUMENT);
    let document = fs::read_to_string(path).with_context(|| format!("cannot read {DOCUMENT}"))?;
    let document = replaced(&document, section, text)
        .with_context(|| format!("{DOCUMENT} has no section between <!-- {section}: begin --> and end"))?;
    fs::write(path, document).with_context(|| format!("cannot write {DOCUMENT}"))
}

fn replaced(document: &str, section: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {section}: begin -->\n"), format!("<!-- {section}: end -->\n"));
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))
}

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../COMPATIBILITY.md");

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "# A\n<!-- one: begin -->\nold\n<!-- one: end -->\n## B\n<!-- two: begin -->\n<!-- two: end -->\nend\n";

    #[test]
    fn a_section_is_replaced_and_the_rest_stays() {
        let once = replaced(TWO, "one", "new\n").unwrap();
        assert_eq!(once, TWO.replace("old\n", "\nnew\n\n"));
        assert_eq!(replaced(&once, "one", "new").unwrap(), once);
    }

    #[test]
    fn a_document_without_the_markers_is_left_alone() {
        assert_eq!(replaced(TWO, "three", "new"), None);
        assert_eq!(replaced("<!-- one: end -->\n<!-- one: begin -->\n", "one", "new"), None);
    }

    #[test]
    fn the_document_has_a_section_for_each_command_that_writes() {
        let document = fs::read_to_string(DOCUMENT).unwrap();
        for section in [crate::FAULTS, crate::SMOKE] {
            assert!(replaced(&document, section, "").is_some(), "{section}");
        }
    }
}
