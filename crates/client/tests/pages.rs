//! The README and the pages in `docs/`: their Rust is compiled, their tests are run, their links lead somewhere, and every
//! example is on the index.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

#[test]
fn every_page_with_rust_is_a_documentation_test() {
    let doctests = fs::read_to_string(root().join("crates/client/src/pages.rs")).unwrap();
    for page in pages().iter().filter(|page| !blocks(page, "rust").is_empty()) {
        let name = page.path.strip_prefix(root()).unwrap().display().to_string();
        assert!(doctests.contains(&format!("/{name}\")]")), "{name} is not in crates/client/src/pages.rs");
    }
}

/// A block that is called `rs` is shown in the same colours, and compiled by nobody.
#[test]
fn rust_on_a_page_is_called_rust() {
    for page in pages() {
        for (language, block) in all_blocks(&page) {
            let is_rust = language == "rs" || block.lines().any(|line| line.starts_with("use maxq"));
            assert!(
                !is_rust || language == "rust",
                "{}: this is {language:?}:\n{block}",
                page.path.display()
            );
        }
    }
}

#[test]
fn every_test_on_a_page_is_run_word_for_word() {
    let run = without_blanks(&fs::read_to_string(root().join("crates/client/tests/first_steps.rs")).unwrap());
    let mut tests = 0;
    for page in pages() {
        for block in blocks(&page, "rust").iter().filter(|block| block.contains("#[tokio::test")) {
            tests += 1;
            assert!(
                run.contains(&without_blanks(block)),
                "a test in {} is not in crates/client/tests/first_steps.rs:\n{block}",
                page.path.display()
            );
        }
    }
    assert!(tests >= 5, "{tests}");
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut links = 0;
    for page in pages() {
        let folder = page.path.parent().unwrap();
        for (link, _) in
            page.text.match_indices("](").map(|(at, _)| page.text[at + 2..].split_once(')').unwrap())
        {
            if link.contains("://") {
                continue;
            }
            links += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { page.path.clone() } else { folder.join(file) };
            let target = fs::read_to_string(&file)
                .or_else(|error| if file.is_dir() { Ok(String::new()) } else { Err(error) });
            let target = target.unwrap_or_else(|error| panic!("{}: {link}: {error}", page.path.display()));
            let is_there = anchor.is_empty()
                || target.contains(&format!("<a id=\"{anchor}\">"))
                || target.lines().filter(|line| line.starts_with('#')).any(|line| anchor_of(line) == anchor);
            assert!(is_there, "{}: {link} has no such anchor", page.path.display());
        }
    }
    assert!(links > 20, "{links}");
}

#[test]
fn every_example_is_on_the_index() {
    let index = fs::read_to_string(root().join("docs/README.md")).unwrap();
    let listed: BTreeSet<_> = index
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("cargo"))
        .collect();
    let files = fs::read_dir(root().join("crates/client/examples")).unwrap();
    let names: BTreeSet<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter_map(|file| file.strip_suffix(".rs").map(str::to_owned))
        // A tool of ours, and no example of how the client is used.
        .filter(|name| name != "simulate")
        .collect();
    assert_eq!(names.iter().map(String::as_str).collect::<BTreeSet<_>>(), listed);
}

#[test]
fn every_public_type_has_an_example() {
    let mut without = Vec::new();
    let mut types = 0;
    for source in ["crates/client/src", "crates/emulator/src"] {
        for file in sources(&root().join(source)) {
            let text = fs::read_to_string(&file).unwrap();
            let mut has_example = false;
            for line in text.lines() {
                // What is not for users is `pub(crate)`: the compiler warns of a `pub` that cannot be reached.
                let is_type = ["pub struct ", "pub enum ", "pub trait ", "pub type "]
                    .iter()
                    .any(|kind| line.starts_with(kind));
                if is_type {
                    types += 1;
                    if !has_example {
                        without.push(format!("{}: {line}", file.display()));
                    }
                }
                let goes_on =
                    line.starts_with("///") || line.starts_with('#') || line.starts_with([' ', ')']);
                has_example = line.starts_with("/// ```") || (goes_on && has_example);
            }
        }
    }
    assert!(types > 80, "{types}");
    assert!(without.is_empty(), "give these an example of a few lines: {without:#?}");
}

/// All Rust files below this folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => sources(&path),
            false => vec![path],
        })
        .collect()
}

struct Page {
    path: PathBuf,
    text: String,
}

/// The README, and all that is in `docs/`.
fn pages() -> Vec<Page> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|file| file.unwrap().path());
    let pages = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut pages: Vec<_> = pages
        .chain([root().join("README.md")])
        .map(|path| Page { text: fs::read_to_string(&path).unwrap().replace("\r\n", "\n"), path })
        .collect();
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    pages
}

/// The blocks of a page in this language, whatever else stands behind its name.
fn blocks(page: &Page, language: &str) -> Vec<String> {
    let blocks = all_blocks(page).into_iter().filter(|(called, _)| called == language);
    blocks.map(|(_, block)| block).collect()
}

/// All blocks of a page, each with its language before it.
fn all_blocks(page: &Page) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.text.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        let language = info.split(',').next().unwrap_or_default();
        blocks.push((language.to_owned(), block.join("\n")));
    }
    blocks
}

/// A heading's anchor, as it is shown on the web.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Formatting does not count.
fn without_blanks(text: &str) -> String {
    text.split_whitespace().collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
