//! What goes to standard error: notes, warnings, errors, and a progress bar that they do not disturb.

use std::io::{self, IsTerminal as _, Write as _};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Where notes go. All clones share one progress bar.
#[derive(Clone)]
pub(crate) struct Notes {
    bar: ProgressBar,
    is_silent: bool,
}

impl Notes {
    /// Notes without a progress bar.
    pub(crate) fn new() -> Self {
        Self { bar: ProgressBar::hidden(), is_silent: false }
    }

    /// Notes that nobody reads.
    #[cfg(test)]
    pub(crate) fn silent() -> Self {
        Self { bar: ProgressBar::hidden(), is_silent: true }
    }

    /// Notes above a bar of `length` steps, or above a line with a spinner where the length is unknown. Where standard
    /// error is no terminal there is no bar.
    pub(crate) fn with_bar(length: Option<u64>) -> Self {
        if !io::stderr().is_terminal() {
            return Self::new();
        }
        let template = match length {
            Some(_) => "{bar:28} {percent:>3} %  {msg}",
            None => "{spinner} {msg}",
        };
        let bar = match length {
            Some(length) => ProgressBar::new(length),
            None => ProgressBar::new_spinner(),
        };
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("━╸ "));
        }
        Self { bar, is_silent: false }
    }

    /// Whether there is a bar that somebody sees.
    pub(crate) fn has_bar(&self) -> bool {
        !self.bar.is_hidden()
    }

    /// Moves the bar.
    pub(crate) fn progress(&self, position: u64, message: String) {
        self.bar.set_position(position);
        self.bar.set_message(message);
        self.bar.tick();
    }

    /// Takes the bar away.
    pub(crate) fn end_bar(&self) {
        self.bar.finish_and_clear();
    }

    /// Something worth knowing.
    pub(crate) fn note(&self, what: &str) {
        self.line(what);
    }

    /// Something that a human should look at.
    pub(crate) fn warning(&self, what: &str) {
        self.line(&format!("{WARNING}warning:{WARNING:#} {what}"));
    }

    /// Something that failed.
    pub(crate) fn error(&self, what: &str) {
        self.line(&format!("{ERROR}error:{ERROR:#} {what}"));
    }

    fn line(&self, what: &str) {
        if !self.is_silent {
            self.bar.suspend(|| line(what));
        }
    }
}

/// Says why the run ends.
pub(crate) fn error(what: &str) {
    line(&format!("{ERROR}error:{ERROR:#} {what}"));
}

/// When standard error is closed, there is nobody left to tell.
fn line(what: &str) {
    drop(writeln!(anstream::stderr().lock(), "{what}"));
}

const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();
