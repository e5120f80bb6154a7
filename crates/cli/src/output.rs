//! What goes to standard output: tables for people, JSON for machines.
//!
//! Nothing here panics when the output is closed or its disk is full; the error goes up and becomes the exit code.

use std::io::{self, IsTerminal as _, Write as _};

use anstyle::Style;
use anyhow::Context as _;
use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use tokio::io::AsyncWriteExt as _;

/// For whom output is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables and sentences, for people
    #[default]
    Human,
    /// JSON, for machines
    Json,
}

/// Prints one JSON value as one line.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    bytes(&line)
}

/// Prints bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).context(CANNOT_WRITE)
}

/// Prints text; its colours are left out where nobody wants them.
pub(crate) fn text(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context(CANNOT_WRITE)
}

/// A table without lines: a bold header, columns two blanks apart.
pub(crate) struct Rows {
    headers: &'static [&'static str],
    table: Table,
}

impl Rows {
    pub(crate) fn new(headers: &'static [&'static str]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(headers);
        Self { headers, table }
    }

    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = String>) {
        self.table.add_row(row.into_iter().map(|cell| printable(&cell)));
    }

    /// Numbers stand at the right of these columns, counted from 0.
    pub(crate) fn align_right(&mut self, columns: &[usize]) {
        for column in columns {
            if let Some(column) = self.table.column_mut(*column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }

    pub(crate) fn print(mut self) -> anyhow::Result<()> {
        let last = self.headers.len() - 1;
        for (n, column) in self.table.column_iter_mut().enumerate() {
            column.set_padding((0, if n == last { 0 } else { 2 }));
        }
        let mut lines = String::new();
        for (n, line) in self.table.lines().enumerate() {
            let style = if n == 0 { HEADER } else { Style::new() };
            lines.push_str(&format!("{style}{}{style:#}\n", line.trim_end()));
        }
        text(&lines)
    }
}

/// Output that comes piece by piece beside other work: written in large pieces, without blocking the rest.
pub(crate) struct Stream {
    out: tokio::io::Stdout,
    pending: Vec<u8>,
    /// How much of it is written already.
    written: usize,
}

impl Stream {
    pub(crate) fn new() -> Self {
        Self { out: tokio::io::stdout(), pending: Vec::new(), written: 0 }
    }

    /// Where to put bytes. They leave with [`relieve`](Self::relieve) or [`flush`](Self::flush).
    pub(crate) const fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.pending
    }

    /// Writes what is pending if it has become much.
    ///
    /// # Cancel safety
    /// As [`flush`](Self::flush).
    pub(crate) async fn relieve(&mut self) -> anyhow::Result<()> {
        if self.pending.len() < LARGE_PIECE { Ok(()) } else { self.flush().await }
    }

    /// Writes all that is pending.
    ///
    /// # Cancel safety
    /// Safe: the next call goes on where this one was left.
    pub(crate) async fn flush(&mut self) -> anyhow::Result<()> {
        let written = self.write().await;
        // After a failure too: whoever goes on all the same must not grow without end.
        self.pending.clear();
        self.written = 0;
        written.context(CANNOT_WRITE)
    }

    async fn write(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        while self.written < self.pending.len() {
            self.written += self.out.write(&self.pending[self.written..]).await?;
        }
        // Tokio writes in the background, and tells of a failure here.
        self.out.flush().await
    }
}

/// Whether standard input is a keyboard.
pub(crate) fn is_typed_by_hand() -> bool {
    io::stdin().is_terminal()
}

/// Whether standard output is a screen.
pub(crate) fn is_screen() -> bool {
    io::stdout().is_terminal()
}

/// Text from a server or a message that must not move the cursor or change colours: control characters are written
/// as `\u{1b}`.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && character != '\t' {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 message`, `2 messages`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// The style of table headers.
pub(crate) const HEADER: Style = Style::new().bold();
const CANNOT_WRITE: &str = "cannot write to standard output";
const LARGE_PIECE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_by_three() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!((counted(1, "message"), counted(0, "message")), ("1 message".into(), "0 messages".into()));
    }

    #[test]
    fn text_of_others_cannot_command_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mb\nc"), "a\\u{1b}[31mb\\nc");
        assert_eq!(printable("grün\tja"), "grün\tja");
    }
}
