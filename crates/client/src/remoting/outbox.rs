//! What is encoded and not yet taken by the socket.
//!
//! Frames are joined in one buffer, so that many small ones leave in one write; a large body stays the untouched
//! chunk that its sender gave. The position of a frame's end in the stream tells, when the connection dies, whether
//! the socket had taken all of it.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// Bodies up to this size are copied into the joined buffer; above it the copy costs more than a second slice.
const COPY_LIMIT: usize = 16 * 1024;

/// Above this much unwritten, nothing more is encoded.
pub(super) const HIGH_WATER: usize = 64 * 1024;

/// So many pieces are offered at once.
const SLICES: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Finished chunks; each is followed by the next, the joined tail comes last.
    chunks: VecDeque<Bytes>,
    tail: Vec<u8>,
    /// How much of `tail` is gone, while there are no chunks before it.
    gone: usize,
    in_chunks: usize,
    taken: u64,
}

impl Outbox {
    /// Appends one frame; gives the position of its end in the stream.
    pub(super) fn push(&mut self, head: &[u8], body: Bytes) -> u64 {
        self.forget_gone();
        self.tail.extend_from_slice(head);
        if body.len() <= COPY_LIMIT {
            self.tail.extend_from_slice(&body);
        } else {
            self.finish_tail();
            self.in_chunks += body.len();
            self.chunks.push_back(body);
        }
        self.taken + self.remaining() as u64
    }

    /// The position up to which the socket has taken the stream.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// A socket that never takes quite everything must not make the tail grow for ever.
    fn forget_gone(&mut self) {
        if self.gone >= HIGH_WATER {
            self.tail.drain(..self.gone);
            self.gone = 0;
        }
    }

    /// Offers all of it to the writer; what it takes stays here until it is advanced over.
    fn poll_write<W: AsyncWrite>(
        &self,
        writer: Pin<&mut W>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        // One piece, and nearly always it is one, costs the kernel less as such than as a list of pieces.
        if self.chunks.is_empty() {
            return writer.poll_write(context, self.chunk());
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.chunks_vectored(&mut slices);
        writer.poll_write_vectored(context, &slices[..count])
    }

    fn finish_tail(&mut self) {
        let mut tail = Bytes::from(std::mem::take(&mut self.tail));
        tail.advance(std::mem::take(&mut self.gone));
        if !tail.is_empty() {
            self.in_chunks += tail.len();
            self.chunks.push_back(tail);
        }
    }
}

impl Buf for Outbox {
    fn remaining(&self) -> usize {
        self.in_chunks + self.tail.len() - self.gone
    }

    fn chunk(&self) -> &[u8] {
        self.chunks.front().map_or(&self.tail[self.gone..], |chunk| chunk)
    }

    fn advance(&mut self, mut count: usize) {
        self.taken += count as u64;
        while let Some(front) = self.chunks.front_mut().filter(|_| count > 0) {
            let part = count.min(front.len());
            front.advance(part);
            count -= part;
            self.in_chunks -= part;
            if front.is_empty() {
                self.chunks.pop_front();
            }
        }
        self.gone += count;
        if self.gone == self.tail.len() {
            self.tail.clear();
            self.gone = 0;
            // One burst must not keep its memory for ever.
            self.tail.shrink_to(2 * HIGH_WATER);
        }
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let tail = std::iter::once(&self.tail[self.gone..]).filter(|tail| !tail.is_empty());
        let parts = self.chunks.iter().map(|chunk| &chunk[..]).chain(tail);
        slices.iter_mut().zip(parts).map(|(slice, part)| *slice = IoSlice::new(part)).count()
    }
}

/// Whether a write went through at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    AtOnce,
    Waited,
}

/// Writes what the socket takes, and says whether it had to wait for that.
pub(super) async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
    outbox: &mut Outbox,
) -> (io::Result<usize>, Pace) {
    let mut pace = Pace::AtOnce;
    let written = poll_fn(|context| {
        let polled = outbox.poll_write(Pin::new(&mut *writer), context);
        if polled.is_pending() {
            pace = Pace::Waited;
        }
        polled
    });
    let written = written.await;
    if let Ok(count) = written {
        outbox.advance(count);
    }
    (written, pace)
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is pushed and however the socket takes it, the stream is the frames one after the other.
        #[test]
        fn the_stream_is_what_was_pushed(
            frames in prop::collection::vec((0usize..300, prop_oneof![0usize..2_000, 16_000usize..40_000]), 1..12),
            steps in prop::collection::vec(1usize..30_000, 1..40),
        ) {
            let (mut outbox, mut expected, mut written) = (Outbox::default(), Vec::new(), Vec::new());
            let mut steps = steps.into_iter().cycle();
            for (n, (head, body)) in frames.into_iter().enumerate() {
                let (head, body) = (vec![n as u8; head], Bytes::from(vec![0x80 | n as u8; body]));
                expected.extend_from_slice(&head);
                expected.extend_from_slice(&body);
                prop_assert_eq!(outbox.push(&head, body), expected.len() as u64);
                take(&mut outbox, steps.next().unwrap_or(1), &mut written);
            }
            while !outbox.is_empty() {
                take(&mut outbox, steps.next().unwrap_or(1), &mut written);
            }
            prop_assert_eq!(outbox.taken(), expected.len() as u64);
            prop_assert!(written == expected);
        }
    }

    #[test]
    fn an_outbox_that_is_never_quite_empty_does_not_grow() {
        let mut outbox = Outbox::default();
        for _ in 0..50 {
            outbox.push(&[0; 1_000], Bytes::new());
        }
        for _ in 0..2_000 {
            outbox.advance(1_000);
            outbox.push(&[0; 1_000], Bytes::new());
        }
        assert_eq!(outbox.remaining(), 50_000);
        assert!(outbox.tail.capacity() < 500_000, "{} bytes are held", outbox.tail.capacity());
    }

    fn take(outbox: &mut Outbox, most: usize, written: &mut Vec<u8>) {
        let mut socket = Socket { most, written };
        let polled = outbox.poll_write(Pin::new(&mut socket), &mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Ok(count)) = polled else { panic!("{polled:?}") };
        outbox.advance(count);
    }

    /// Takes so much at most of what it is offered.
    struct Socket<'a> {
        most: usize,
        written: &'a mut Vec<u8>,
    }

    impl AsyncWrite for Socket<'_> {
        fn poll_write(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
            piece: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(context, &[IoSlice::new(piece)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            pieces: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
            let part = self.most.min(joined.len());
            self.written.extend_from_slice(&joined[..part]);
            Poll::Ready(Ok(part))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }
}
