//! The commit log: the records of all topics of a broker in one row of bytes.
//!
//! Offsets count from the broker's first record and never repeat, as in Apache's `CommitLog`; there are no files and
//! nothing is ever thrown away, the store's limit ends it. A record lies whole in one segment.

/// All records of a broker, addressed by their offset.
#[derive(Default)]
pub(crate) struct CommitLog {
    segments: Vec<Segment>,
    end: u64,
}

struct Segment {
    begin: u64,
    bytes: Vec<u8>,
}

impl CommitLog {
    /// The offset behind the last record.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Appends the record of `length` bytes that `write` writes; gives its offset.
    pub(crate) fn append(&mut self, length: usize, write: impl FnOnce(&mut Vec<u8>)) -> u64 {
        let offset = self.end;
        let bytes = self.room(length);
        let before = bytes.len();
        write(bytes);
        debug_assert_eq!(bytes.len() - before, length, "the announced length is the written one");
        self.end += length as u64;
        offset
    }

    /// `length` bytes from `offset` on. Offset and length come from a queue or an index, so they are of one record.
    pub(crate) fn bytes(&self, offset: u64, length: u32) -> Option<&[u8]> {
        let segment = &self.segments[self.segment_of(offset)?];
        let from = (offset - segment.begin) as usize;
        segment.bytes.get(from..from + length as usize)
    }

    /// Everything from `offset` to the end of its segment.
    pub(crate) fn tail(&self, offset: u64) -> Option<&[u8]> {
        let segment = &self.segments[self.segment_of(offset)?];
        segment.bytes.get((offset - segment.begin) as usize..).filter(|tail| !tail.is_empty())
    }

    fn segment_of(&self, offset: u64) -> Option<usize> {
        self.segments.partition_point(|segment| segment.begin <= offset).checked_sub(1)
    }

    /// The last segment if `length` bytes fit, else a new one. The system gives pages only as they are written to, so
    /// an idle broker does not pay for the whole segment.
    fn room(&mut self, length: usize) -> &mut Vec<u8> {
        let fits =
            self.segments.last().is_some_and(|last| last.bytes.capacity() - last.bytes.len() >= length);
        if !fits {
            let bytes = Vec::with_capacity(length.max(SEGMENT_SIZE));
            self.segments.push(Segment { begin: self.end, bytes });
        }
        let last = self.segments.len() - 1;
        &mut self.segments[last].bytes
    }
}

const SEGMENT_SIZE: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_go_on_across_segments() {
        let mut log = CommitLog::default();
        let first = log.append(10, |out| out.extend_from_slice(&[1; 10]));
        let second = log.append(SEGMENT_SIZE, |out| out.resize(out.len() + SEGMENT_SIZE, 2));
        let third = log.append(3, |out| out.extend_from_slice(&[3; 3]));
        assert_eq!((first, second, third), (0, 10, 10 + SEGMENT_SIZE as u64));
        assert_eq!(log.bytes(first, 10), Some(&[1u8; 10][..]));
        assert_eq!(log.bytes(second, 4), Some(&[2u8; 4][..]));
        assert_eq!(log.bytes(third, 3), Some(&[3u8; 3][..]));
        assert_eq!(log.bytes(third, 4), None);
        assert_eq!(log.tail(log.end()), None);
    }
}
