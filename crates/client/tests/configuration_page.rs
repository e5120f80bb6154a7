//! `docs/configuration.md` has every option exactly once. What there is, is read from the sources.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{collections::BTreeSet, fs, path::Path};

#[test]
fn every_option_of_a_client_is_on_the_page_once() {
    let mut options = setters(&source("crates/client/src/config/mod.rs"), "impl ClientConfig {");
    options.extend(setters(&source("crates/client/src/config/discovery.rs"), "impl ClientConfig {"));
    assert!(options.len() >= 16, "{options:?}");
    assert_once("## ClientConfig", &options);
}

#[test]
fn every_option_of_a_producer_is_on_the_page_once() {
    let options = setters(&source("crates/client/src/config/mod.rs"), "impl ProducerConfig {");
    assert!(options.len() >= 7, "{options:?}");
    assert_once("## ProducerConfig", &options);
}

#[test]
fn every_option_of_a_retry_policy_is_on_the_page_once() {
    let source = source("crates/policy/src/retry.rs");
    let mut options = setters(&source, "impl RetryPolicy {");
    let fields = after(&source, "pub struct RetryPolicy {");
    options.extend(
        fields
            .lines()
            .filter_map(|line| Some(line.trim().strip_prefix("pub ")?.split_once(':')?.0.to_owned()))
            .filter(|name| !name.contains('(')),
    );
    assert!(options.contains("rules") && options.contains("attempt_timeout"), "{options:?}");
    assert_once("## RetryPolicy", &options);
}

#[test]
fn every_option_of_a_send_is_on_the_page_once() {
    let options = setters(&source("crates/client/src/producer/sending.rs"), "impl Sending {");
    assert!(options.len() >= 5, "{options:?}");
    assert_once("## One send", &options);
    let of_batches = setters(&source("crates/client/src/producer/batch.rs"), "impl SendingBatch {");
    assert_eq!(of_batches, options, "the page says that batches have the same options");
}

#[test]
fn every_key_of_a_connection_string_is_on_the_page_once() {
    let source = source("crates/client/src/config/url.rs");
    let keys = after(&source, "fn set(");
    let keys: BTreeSet<_> = keys.lines().filter_map(quoted_arm).collect();
    assert!(keys.len() >= 13, "{keys:?}");
    assert_once("## The connection string", &keys);
}

#[test]
fn every_variable_of_the_environment_is_on_the_page_once() {
    let client = source("crates/client/src/config/mod.rs");
    let mut variables: BTreeSet<_> =
        client.match_indices("set(\"").map(|(at, call)| word(&client[at + call.len()..])).collect();
    for file in ["crates/cli/src/log.rs", "crates/cli/src/name_server.rs"] {
        let tool = source(file);
        variables.extend(tool.match_indices("env::var(\"").map(|(at, call)| word(&tool[at + call.len()..])));
    }
    assert!(variables.len() >= 3, "{variables:?}");
    assert_once("## The environment", &variables);
}

#[test]
fn every_feature_is_on_the_page_once() {
    let manifest = source("crates/client/Cargo.toml");
    let features = after(&manifest, "[features]");
    let features: BTreeSet<_> = features
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| Some(line.split_once(" = ")?.0.to_owned()))
        .filter(|feature| feature != "default")
        .collect();
    assert_once("## Features of the crate", &features);
}

/// Each option is the first cell of one row in this section, and no other one is.
fn assert_once(section: &str, options: &BTreeSet<String>) {
    let page = source("docs/configuration.md");
    let text = after(&page, &format!("\n{section}\n"));
    let text = text.split("\n## ").next().unwrap();
    // The first table of the section.
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with("|--"))
        .skip(1)
        .take_while(|line| line.starts_with('|'));
    let named: Vec<_> = rows.map(|row| word(row.trim_start_matches("| `"))).collect();
    for option in options {
        let times = named.iter().filter(|name| *name == option).count();
        assert_eq!(
            times, 1,
            "{option} is {times} times in the table of {section:?} in docs/configuration.md"
        );
    }
    for name in &named {
        assert!(options.contains(name), "{section:?} has {name:?}, which is no option");
    }
}

/// The public methods of all blocks that begin so, which take a value and give it back changed.
fn setters(source: &str, block: &str) -> BTreeSet<String> {
    let blocks = source.match_indices(block).map(|(at, _)| source[at..].split("\n}\n").next().unwrap());
    let methods = blocks.flat_map(|block| block.split("pub ").skip(1)).filter_map(|method| {
        let signature = method.split('{').next()?;
        let is_setter = signature.contains("mut self") && signature.contains("-> Self");
        is_setter.then(|| word(signature.trim_start_matches("const ").trim_start_matches("fn ")))
    });
    methods.collect()
}

/// The text of a match arm for a string: `"group" => ..`.
fn quoted_arm(line: &str) -> Option<String> {
    let (text, rest) = line.trim().strip_prefix('"')?.split_once('"')?;
    rest.trim_start().starts_with("=>").then(|| text.to_owned())
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).collect()
}

/// What follows this text, up to the end of its item where it is one.
fn after<'a>(text: &'a str, begin: &str) -> &'a str {
    let at = text.find(begin).unwrap_or_else(|| panic!("{begin:?} is not there any more: mend this test"));
    let rest = &text[at + begin.len()..];
    if begin.starts_with('\n') || begin.starts_with('[') { rest } else { rest.split("\n}\n").next().unwrap() }
}

fn source(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}")).replace("\r\n", "\n")
}
