//! How messages are written: the body as text, the whole as NDJSON, or a dump in hexadecimal digits.

use std::fmt::Write as _;

use maxq::MessageView;

use super::{MessageFormat, queue_label};
use crate::{
    output::{self, Stream, counted, printable},
    record, value,
};

/// Writes messages to standard output, and counts them.
pub(super) struct Printer {
    out: Stream,
    format: MessageFormat,
    to_screen: bool,
    printed: u64,
    limit: u64,
}

impl Printer {
    /// A printer of `limit` messages, or of all.
    pub(super) fn new(format: MessageFormat, limit: Option<u64>) -> Self {
        let limit = limit.unwrap_or(u64::MAX);
        Self { out: Stream::new(), format, to_screen: output::is_screen(), printed: 0, limit }
    }

    /// Prints one message. It may stay in a buffer until [`flush`](Self::flush).
    pub(super) async fn print(&mut self, message: &MessageView) -> anyhow::Result<()> {
        self.printed += 1;
        let buffer = self.out.buffer();
        match self.format {
            MessageFormat::Text if self.to_screen => {
                buffer.extend_from_slice(for_screen(message.body()).as_bytes())
            }
            MessageFormat::Text => buffer.extend_from_slice(message.body()),
            MessageFormat::Ndjson => record::write(buffer, message),
            MessageFormat::Hex => {
                buffer.extend_from_slice(header(message).as_bytes());
                dump(buffer, message.body());
            }
        }
        if self.format == MessageFormat::Text {
            buffer.push(b'\n');
        }
        self.out.relieve().await
    }

    pub(super) async fn flush(&mut self) -> anyhow::Result<()> {
        self.out.flush().await
    }

    /// How many messages were printed.
    pub(super) const fn printed(&self) -> u64 {
        self.printed
    }

    /// Whether no more are wanted.
    pub(super) const fn has_all(&self) -> bool {
        self.printed >= self.limit
    }
}

/// A body that must not command the terminal: control characters as `\u{1b}`, bytes that are no text as `\xff`.
fn for_screen(body: &[u8]) -> String {
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        for line in chunk.valid().split_inclusive('\n') {
            let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
            text.push_str(&printable(line));
            text.push_str(end);
        }
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text
}

/// Everything but the body, in one line.
fn header(message: &MessageView) -> String {
    let mut header = format!(
        "{} {} offset {}, stored {}, id {}",
        message.topic(),
        queue_label(message.queue()),
        message.queue_offset(),
        value::time(message.store_timestamp()),
        message.message_id()
    );
    if let Some(tag) = message.tag() {
        header.push_str(&format!(", tag {tag}"));
    }
    for key in message.keys() {
        header.push_str(&format!(", key {key}"));
    }
    for (name, value) in message.user_properties() {
        header.push_str(&format!(", {name}={value}"));
    }
    if message.flag() != 0 {
        header.push_str(&format!(", flag {}", message.flag()));
    }
    format!("{}, {}\n", printable(&header), counted(message.body().len() as u64, "byte"))
}

/// Sixteen bytes a line, as `hexdump -C` writes them, and an empty line.
fn dump(out: &mut Vec<u8>, body: &[u8]) {
    let mut text = String::new();
    for (n, line) in body.chunks(16).enumerate() {
        text.push_str(&format!("{:08x} ", n * 16));
        for place in 0..16 {
            let gap = if place == 8 { "  " } else { " " };
            match line.get(place) {
                Some(byte) => drop(write!(text, "{gap}{byte:02x}")),
                None => drop(write!(text, "{gap}  ")),
            }
        }
        let shown =
            |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
        text.push_str(&format!("  |{}|\n", line.iter().map(shown).collect::<String>()));
    }
    text.push('\n');
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_shows_bytes_and_text() {
        let mut out = Vec::new();
        dump(&mut out, b"hello world, gr\xc3\xbcn\n");
        let expected = "\
00000000  68 65 6c 6c 6f 20 77 6f  72 6c 64 2c 20 67 72 c3  |hello world, gr.|
00000010  bc 6e 0a                                          |.n.|

";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_body_on_a_screen_stays_text() {
        assert_eq!(for_screen("grün\n\tja".as_bytes()), "grün\n\tja");
        assert_eq!(for_screen(b"\x1b[31m\xff\0"), "\\u{1b}[31m\\xff\\u{0}");
    }
}
