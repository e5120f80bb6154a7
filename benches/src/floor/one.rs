//! One message in flight: write, read, again.

use std::{
    io::{Read as _, Write as _},
    sync::Arc,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use super::Prebuilt;
use crate::{
    glance::Frame,
    load::Load,
    measure::{Meter, Steady},
};

/// On a thread of its own, with blocking calls.
pub(super) async fn run_std(load: &Load) -> anyhow::Result<Steady> {
    let mut stream = std::net::TcpStream::connect(load.name_server)?;
    stream.set_nodelay(true)?;
    let request = request(load);
    let meter = Arc::new(Meter::new(load));
    let measured = meter.clone();
    let mut senders = JoinSet::new();
    senders.spawn_blocking(move || {
        let mut answer = Answer::new();
        for nth in (0..).take_while(|nth| meter.wants(*nth)) {
            let started = meter.start(nth);
            stream.write_all(&request)?;
            loop {
                let count = stream.read(answer.room())?;
                if answer.is_whole_with(count)? {
                    break;
                }
            }
            meter.finish(started);
        }
        Ok(())
    });
    measured.steady(load, &mut senders).await
}

/// In one task.
pub(super) async fn run_tokio(load: &Load) -> anyhow::Result<Steady> {
    let mut stream = TcpStream::connect(load.name_server).await?;
    stream.set_nodelay(true)?;
    let request = request(load);
    let meter = Arc::new(Meter::new(load));
    let measured = meter.clone();
    let mut senders = JoinSet::new();
    senders.spawn(async move {
        let (mut reading, mut writing) = stream.split();
        let mut answer = Answer::new();
        for nth in (0..).take_while(|nth| meter.wants(*nth)) {
            let started = meter.start(nth);
            writing.write_all(&request).await?;
            loop {
                let count = reading.read(answer.room()).await?;
                if answer.is_whole_with(count)? {
                    break;
                }
            }
            meter.finish(started);
        }
        Ok(())
    });
    measured.steady(load, &mut senders).await
}

fn request(load: &Load) -> Vec<u8> {
    let mut request = Vec::new();
    Prebuilt::new(load).append(0, &mut request);
    request
}

/// The bytes of the one answer that is under way.
struct Answer {
    bytes: [u8; 4096],
    filled: usize,
}

impl Answer {
    const fn new() -> Self {
        Self { bytes: [0; 4096], filled: 0 }
    }

    fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    /// `count` more bytes were read; says whether the answer is whole, and then begins the next.
    fn is_whole_with(&mut self, count: usize) -> anyhow::Result<bool> {
        anyhow::ensure!(count > 0, "the broker closed the connection");
        self.filled += count;
        let whole = Frame::first(&self.bytes[..self.filled])?.is_some();
        if whole {
            self.filled = 0;
        }
        Ok(whole)
    }
}
