//! `docs/errors.md` is made from the definitions of the codes. To write it anew after one has changed:
//! `MAXQ_WRITE_DOCS=1 cargo test -p maxq --test errors_page`

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use maxq::ErrorCode;

#[test]
fn the_page_of_errors_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors.md");
    let page = page();
    if std::env::var_os("MAXQ_WRITE_DOCS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
    let first = written.lines().zip(page.lines()).find(|(written, wanted)| written != wanted);
    assert!(
        written == page,
        "docs/errors.md is out of date; first difference (written, wanted): {first:#?}\nrun: \
         MAXQ_WRITE_DOCS=1 cargo test -p maxq --test errors_page"
    );
}

#[test]
fn every_code_has_its_anchor_and_every_link_its_code() {
    let page = page();
    let links: BTreeSet<_> = page.match_indices("](#").map(|(at, _)| &page[at + 3..at + 9]).collect();
    for code in ErrorCode::ALL {
        let anchor = code.to_string().to_lowercase();
        assert!(page.contains(&format!("<a id=\"{anchor}\"></a>\n\n## {code}: ")), "{code}");
        assert!(links.contains(&*anchor), "{code} is not in the table");
    }
    assert_eq!(links.len(), ErrorCode::ALL.len());
}

#[test]
fn explanations_name_only_codes_that_exist() {
    for code in ErrorCode::ALL {
        let words = code.explanation().split(|end: char| !end.is_alphanumeric());
        for named in words.filter(|word| word.starts_with("MQ")) {
            assert!(ErrorCode::from_text(named).is_some(), "{code} names {named}");
        }
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for code in ErrorCode::ALL {
        let anchor = code.to_string().to_lowercase();
        writeln!(page, "| [{code}](#{anchor}) | {} | {} |", code.title(), in_a_cell(code.advice())).unwrap();
    }
    for code in ErrorCode::ALL {
        let anchor = code.to_string().to_lowercase();
        write!(
            page,
            "\n<a id=\"{anchor}\"></a>\n\n## {code}: {}\n\n{}\n\n**What to do:** {}.\n",
            code.title(),
            wrapped(code.explanation()),
            code.advice(),
        )
        .unwrap();
    }
    page
}

fn in_a_cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Lines of at most 120 characters.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().unwrap();
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > 120 {
            lines.push(word.to_owned());
        } else {
            line.push_str(if line.is_empty() { "" } else { " " });
            line.push_str(word);
        }
    }
    lines.join("\n")
}

const HEAD: &str = "\
<!-- Made from crates/client/src/error/code.rs by `MAXQ_WRITE_DOCS=1 cargo test -p maxq --test errors_page`. -->

# Errors

Every error of Maxq says what happened, what was tried on which server, and what to do next; it ends with a stable code
in brackets. In a program, `error.code()` gives it; on a command line, `maxq explain MQ2003` prints what stands here. A
code is never used for anything else later.

## What a failed send means for the message

`error.outcome()` of a send says what is known of the message. It is judged by what really left this machine, and the
worst attempt decides.

| Outcome | What happened | May it be stored? | Sending it again |
|---|---|---|---|
| not sent (`NotSent`) | no broker got the whole message | no | is safe |
| refused (`Refused`) | every broker that got it answered that it does not store it | no | is safe, but needs another cause first |
| unknown (`Unknown`) | a broker may have got it, and no usable answer came | perhaps | may store it twice |

A message that is stored gives no error but a receipt. Its `maybe_duplicate()` is true when an earlier attempt of the
same send ended without an answer; its `status()` says whether the flush to disk and the copy on a replica were
confirmed too. Error and receipt both have `attempts()`: for each the broker, its address, the queue, how far it came,
how long it took, and the broker's code and words. `error.into_messages()` gives the message back; it keeps its unique
id, so that a consumer can recognise a copy.

## All codes

The thousands say who is to be asked: 1 the caller, 2 the route, 3 the network, 4 the broker, 5 access control. With
several attempts, the code is that of the last one.

| Code | What happened | What to do |
|---|---|---|
";
