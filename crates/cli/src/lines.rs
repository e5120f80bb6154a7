//! Lines of standard input and of files, one after the other, read no faster than they are taken.

use std::{
    collections::VecDeque,
    fmt, io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
};

use anyhow::Context as _;
use tokio::{
    fs::File,
    io::{AsyncBufRead, AsyncBufReadExt, BufReader},
};

use crate::exit::Failure;

/// All lines of all sources.
pub(crate) struct Lines {
    waiting: VecDeque<Source>,
    open: Option<Open>,
    /// The bytes of the line that is being read. They stay here when a caller stops waiting.
    partial: Vec<u8>,
    bytes_read: u64,
}

/// A line without its line break.
pub(crate) struct Line {
    pub(crate) place: Place,
    pub(crate) bytes: Vec<u8>,
}

/// Where a line is, counted from 1; prints as `line 7` or `events.log:7`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: Option<Arc<str>>,
    pub(crate) line: u64,
}

/// Why there is no next line. The place is that of the line that cannot be read.
#[derive(Debug)]
pub(crate) enum Unreadable {
    TooLong(Place),
    Failed(anyhow::Error),
}

#[derive(Clone)]
enum Source {
    StandardInput,
    File(PathBuf),
}

struct Open {
    reader: Pin<Box<dyn AsyncBufRead + Send>>,
    place: Place,
    /// Everything up to the next line break belongs to a line that was too long.
    skipping: bool,
}

impl Lines {
    /// The lines of these files, `-` and no file at all being standard input.
    ///
    /// # Errors
    /// A file is not there, or is a folder. Nothing is opened yet.
    pub(crate) fn of(files: &[PathBuf]) -> anyhow::Result<Self> {
        let mut waiting = VecDeque::new();
        for file in files {
            waiting.push_back(if file == Path::new("-") { Source::StandardInput } else { checked(file)? });
        }
        if files.is_empty() {
            waiting.push_back(Source::StandardInput);
        }
        Ok(Self { waiting, open: None, partial: Vec::new(), bytes_read: 0 })
    }

    /// Whether anything comes from standard input.
    pub(crate) fn uses_standard_input(&self) -> bool {
        self.waiting.iter().any(|source| matches!(source, Source::StandardInput))
    }

    /// The size of everything, where it is known.
    pub(crate) fn total_bytes(&self) -> Option<u64> {
        self.waiting.iter().map(Source::size).sum()
    }

    /// How much was read so far.
    pub(crate) const fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// The next line, or `None` at the end of everything.
    ///
    /// # Errors
    /// A line is too long (asking again goes on behind it), or a source cannot be read.
    ///
    /// # Cancel safety
    /// Safe: what was read of a line is kept.
    pub(crate) async fn next(&mut self) -> Result<Option<Line>, Unreadable> {
        loop {
            let Some(open) = &mut self.open else {
                let Some(source) = self.waiting.front() else { return Ok(None) };
                self.open = Some(source.open().await.map_err(Unreadable::Failed)?);
                self.waiting.pop_front();
                continue;
            };
            let place = Place { line: open.place.line + 1, ..open.place.clone() };
            let chunk = open.reader.fill_buf().await;
            let chunk = chunk.with_context(|| format!("cannot read {place}")).map_err(Unreadable::Failed)?;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let (taken, at_end) = (end.map_or(chunk.len(), |end| end + 1), chunk.is_empty());
            if !open.skipping {
                self.partial.extend_from_slice(&chunk[..end.unwrap_or(taken)]);
            }
            open.reader.as_mut().consume(taken);
            self.bytes_read += taken as u64;
            let skipped = open.skipping;
            if end.is_some() || at_end {
                let unfinished = at_end && self.partial.is_empty() && !skipped;
                open.skipping = false;
                if !unfinished {
                    open.place.line += 1;
                }
                if at_end {
                    self.open = None;
                }
                if !skipped && !unfinished {
                    return Ok(Some(Line { place, bytes: std::mem::take(&mut self.partial) }));
                }
            } else if self.partial.len() > LONGEST {
                self.partial = Vec::new();
                open.skipping = true;
                return Err(Unreadable::TooLong(place));
            }
        }
    }
}

impl Source {
    async fn open(&self) -> anyhow::Result<Open> {
        let (reader, file): (Pin<Box<dyn AsyncBufRead + Send>>, _) = match self {
            Self::StandardInput => (Box::pin(BufReader::with_capacity(CHUNK, tokio::io::stdin())), None),
            Self::File(path) => {
                let file =
                    File::open(path).await.with_context(|| format!("cannot read {}", path.display()))?;
                (Box::pin(BufReader::with_capacity(CHUNK, file)), Some(path.display().to_string().into()))
            }
        };
        Ok(Open { reader, place: Place { file, line: 0 }, skipping: false })
    }

    fn size(&self) -> Option<u64> {
        match self {
            Self::StandardInput => None,
            Self::File(path) => {
                path.metadata().ok().filter(std::fs::Metadata::is_file).map(|file| file.len())
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{file}:{}", self.line),
            None => write!(f, "line {}", self.line),
        }
    }
}

/// A file that is there. It is not opened: opening and closing a pipe would end its writer.
fn checked(file: &Path) -> anyhow::Result<Source> {
    match file.metadata() {
        Ok(found) if found.is_dir() => Err(Failure::usage(format!("{} is a folder", file.display()))),
        Ok(_) => Ok(Source::File(file.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Failure::usage(format!("there is no file {}", file.display())))
        }
        Err(error) => Err(Failure::usage(format!("cannot read {}: {error}", file.display()))),
    }
}

/// How much is read at once.
const CHUNK: usize = 64 << 10;
/// No record of the largest message is longer: a body of 4 MiB, each byte of it escaped as `\u0000`, is 24 MiB.
const LONGEST: usize = 32 << 20;

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn file(content: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        file
    }

    async fn all(files: &[&tempfile::NamedTempFile]) -> Vec<(u64, Vec<u8>)> {
        let paths: Vec<_> = files.iter().map(|file| file.path().to_owned()).collect();
        let mut lines = Lines::of(&paths).unwrap();
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            found.push((line.place.line, line.bytes));
        }
        found
    }

    #[tokio::test]
    async fn the_last_line_needs_no_line_break() {
        let (one, two) = (file(b"a\n\nb"), file(b"c\r\n\xff"));
        let expected: [(u64, &[u8]); 5] = [(1, b"a"), (2, b""), (3, b"b"), (1, b"c\r"), (2, b"\xff")];
        assert_eq!(all(&[&one, &two]).await, expected.map(|(line, bytes)| (line, bytes.to_vec())));
        assert!(all(&[&file(b"")]).await.is_empty());
    }

    #[tokio::test]
    async fn lines_longer_than_a_chunk_are_put_together() {
        let long = vec![b'x'; 3 * CHUNK + 5];
        let file = file(&[&long, b"\n".as_slice(), &long].concat());
        assert_eq!(all(&[&file]).await, [(1, long.clone()), (2, long)]);
    }

    #[tokio::test]
    async fn a_line_without_end_is_refused_and_the_next_is_read() {
        let file = file(&[&vec![b'x'; LONGEST + CHUNK], b"\nnext\n".as_slice()].concat());
        let mut lines = Lines::of(&[file.path().to_owned()]).unwrap();
        let Err(Unreadable::TooLong(place)) = lines.next().await else { panic!("the line is too long") };
        assert_eq!(place.line, 1);
        let next = lines.next().await.unwrap().unwrap();
        assert_eq!((next.place.line, next.bytes.as_slice()), (2, b"next".as_slice()));
        assert!(lines.next().await.unwrap().is_none());
    }

    #[test]
    fn a_missing_file_is_told_before_anything_is_sent() {
        assert!(Lines::of(&[PathBuf::from("no-such-file")]).is_err());
        assert!(Lines::of(&[std::env::temp_dir()]).is_err());
    }
}
