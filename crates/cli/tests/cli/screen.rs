//! Help, version, completions, colours.

use crate::process::{maxq, run};

const ESCAPE: char = '\u{1b}';

#[test]
fn version_and_help_go_to_standard_output() {
    let ended = run(maxq(&["--version"])).expect(0);
    assert_eq!(ended.text(), format!("maxq {}\n", env!("CARGO_PKG_VERSION")));
    for args in [&["--help"][..], &["demo", "--help"], &["produce", "-h"], &["emulator", "run", "--help"]] {
        let ended = run(maxq(args)).expect(0);
        assert!(ended.text().contains("Examples:") && ended.stderr.is_empty(), "{args:?}");
    }
    run(maxq(&[])).expect(2).says(&["Usage: maxq"]);
}

#[test]
fn every_shell_gets_completions() {
    for (shell, part) in
        [("bash", "complete -F _maxq"), ("zsh", "#compdef maxq"), ("fish", "complete -c maxq")]
    {
        let ended = run(maxq(&["completions", shell])).expect(0);
        assert!(ended.text().contains(part) && ended.text().contains("produce"), "{shell}");
    }
    run(maxq(&["completions", "dos"])).expect(2);
}

#[test]
fn colours_are_for_terminals_and_for_those_who_insist() {
    let stderr = |args: &[&str], no_color: bool| {
        let mut command = maxq(args);
        if no_color {
            command.env("NO_COLOR", "1");
        }
        run(command).expect(2).stderr
    };
    // The pipe of this test is no terminal.
    for args in [&["cluster"][..], &["produc"]] {
        assert!(!stderr(args, false).contains(ESCAPE));
        assert!(!stderr(args, true).contains(ESCAPE));
        let insisting = [&["--color", "always"], args].concat();
        assert!(stderr(&insisting, false).contains(ESCAPE));
    }
    assert!(run(maxq(&["--color=always", "--help"])).expect(0).text().contains(ESCAPE));
}

#[cfg(target_os = "linux")]
#[test]
fn no_color_holds_on_a_terminal_too() {
    let on_terminal = |no_color: bool| {
        let mut command = std::process::Command::new("script");
        command.args(["-qec", concat!(env!("CARGO_BIN_EXE_maxq"), " cluster"), "/dev/null"]);
        command.env_remove("NAMESRV_ADDR").env_remove("MAXQ_URL").env_remove("NO_COLOR").env("TERM", "xterm");
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let output = match command.output() {
            Ok(output) => output,
            Err(error) => {
                eprintln!("SKIPPED: script (of util-linux) is not here: {error}");
                return None;
            }
        };
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    if let (Some(coloured), Some(plain)) = (on_terminal(false), on_terminal(true)) {
        assert!(coloured.contains(ESCAPE) && coloured.contains("no name server is named"), "{coloured:?}");
        assert!(!plain.contains(ESCAPE) && plain.contains("no name server is named"), "{plain:?}");
    }
}
