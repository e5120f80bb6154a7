//! The sockets of a null broker: one task per connection, all answers to one read in one write.

use std::{io, sync::Arc, time::Duration};

use bytes::{Buf as _, BytesMut};
use maxq_protocol::DecodeError;
use tokio::{
    io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::Instant,
};

use super::{answer::Answers, counters::Counters};
use crate::{glance::Frame, measure};

/// Accepts until the listener fails; its connections end with it.
pub(super) async fn accept(listener: TcpListener, answers: Arc<Answers>, delay: Duration) -> io::Result<()> {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased; // those who left are few, and must not pile up behind those who come
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                connections.spawn(serve(stream, answers.clone(), delay));
            }
        }
    }
}

/// Serves one connection until the client leaves, which may be in the middle of an answer. Bytes that are no frames
/// are told to the terminal: in a bench they are a mistake.
async fn serve(stream: TcpStream, answers: Arc<Answers>, delay: Duration) {
    Counters::one(&answers.counters.connections);
    let result = match stream.set_nodelay(true) {
        Ok(()) if delay.is_zero() => at_once(stream, &answers).await,
        Ok(()) => late(stream, &answers, delay).await,
        Err(error) => Err(error),
    };
    if let Err(error) = result.or_else(|error| error.downcast::<DecodeError>().map_or(Ok(()), Err)) {
        eprintln!("null broker: a connection was closed: {error}");
    }
}

async fn at_once(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    let (mut reading, mut writing) = stream.split();
    let mut input = BytesMut::new();
    let mut out = Vec::with_capacity(LARGEST_WRITE);
    loop {
        input.reserve(READ);
        if reading.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        Counters::one(&answers.counters.reads);
        while answer_next(answers, &mut input, &mut out)? {
            if out.len() >= LARGEST_WRITE {
                write(answers, &mut writing, &mut out).await?;
            }
        }
        if !out.is_empty() {
            write(answers, &mut writing, &mut out).await?;
        }
    }
}

async fn write(answers: &Answers, to: &mut (impl AsyncWrite + Unpin), out: &mut Vec<u8>) -> io::Result<()> {
    Counters::one(&answers.counters.writes);
    to.write_all(out).await?;
    out.clear();
    Ok(())
}

/// Answers wait in a queue for their time, so that reading goes on meanwhile.
async fn late(stream: TcpStream, answers: &Answers, delay: Duration) -> io::Result<()> {
    let (mut reading, mut writing) = stream.into_split();
    // When it is full, reading waits: a client that outruns it has more in flight than any bench.
    let (queue, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(65_536);
    let read = async move {
        let mut input = BytesMut::new();
        loop {
            input.reserve(READ);
            if reading.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
            Counters::one(&answers.counters.reads);
            let mut out = Vec::new();
            while answer_next(answers, &mut input, &mut out)? {}
            if !out.is_empty() {
                let when = Instant::from_std(measure::now()) + delay;
                queue.send((when, out)).await.map_err(io::Error::other)?;
            }
        }
    };
    let write_late = async {
        while let Some((when, mut out)) = due.recv().await {
            tokio::time::sleep_until(when).await;
            write(answers, &mut writing, &mut out).await?;
        }
        Ok(())
    };
    tokio::try_join!(read, write_late).map(drop)
}

/// Takes one whole frame off `input` and answers it; false when there is none.
fn answer_next(answers: &Answers, input: &mut BytesMut, out: &mut Vec<u8>) -> io::Result<bool> {
    let Some(frame) = Frame::first(input).map_err(io::Error::other)? else { return Ok(false) };
    answers.answer(&frame, out).map_err(io::Error::other)?;
    let length = frame.bytes.len();
    input.advance(length);
    Ok(true)
}

/// Room for one read: more than one write of a client that joins many frames.
const READ: usize = 256 << 10;

/// Answers that have come to this size go out before the rest of the read is looked at.
const LARGEST_WRITE: usize = 128 << 10;
