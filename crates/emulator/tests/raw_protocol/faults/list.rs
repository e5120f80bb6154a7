//! The list of faults in the documentation of `Fault`: complete, and every test that it names is there.

use std::{fs, path::Path};

/// The faults that the list has.
const FAULTS: usize = 48;

#[test]
fn every_fault_of_the_list_is_shown_by_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = String::new();
    gather(&root.join("tests"), &mut tests);
    let source = fs::read_to_string(root.join("src/fault/mod.rs")).unwrap();
    let rows = source.lines().filter_map(|line| line.strip_prefix("//! | ")?.strip_suffix('|'));
    let rows: Vec<Vec<_>> = rows.map(|row| row.split(" | ").map(str::trim).collect()).collect();
    let rows = &rows[1..];
    assert_eq!(rows.len(), FAULTS);
    for (n, row) in rows.iter().enumerate() {
        let [number, fault, made_by, shown_by] = row[..] else { panic!("{row:?}") };
        assert_eq!(number, (n + 1).to_string());
        let named: Vec<_> = shown_by.split('`').filter(|part| part.contains('_')).collect();
        let is_to_come = made_by.contains("with transactions") || made_by.starts_with("comes with");
        assert!(!named.is_empty() || is_to_come, "{number}, {fault}: no test");
        for test in named {
            assert!(tests.contains(&format!("fn {test}(")), "{number}, {fault}: there is no test {test}");
        }
    }
}

fn gather(folder: &Path, tests: &mut String) {
    for entry in fs::read_dir(folder).expect("the folder of the tests is there") {
        let path = entry.expect("a folder can be listed").path();
        if path.is_dir() {
            gather(&path, tests);
        } else {
            tests.push_str(&fs::read_to_string(&path).expect("a source is text"));
        }
    }
}
