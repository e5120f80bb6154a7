//! What was in the queues at the start, merged by the time of storing.

use std::{cmp::Reverse, collections::BinaryHeap};

use maxq::MessageView;
use tokio::sync::mpsc;

use super::{format::Printer, queue::Past, queue_label};
use crate::{exit::Exit, notes::Notes, output::printable};

/// One stream of messages for each queue.
pub(super) struct History {
    queues: Vec<mpsc::Receiver<Past>>,
    /// The first message of each queue that has one. By time; the order of the queues settles the rest.
    heads: BinaryHeap<Reverse<Head>>,
    notes: Notes,
    exit: Exit,
}

struct Head {
    store_timestamp: i64,
    queue: usize,
    message: MessageView,
}

impl History {
    pub(super) fn new(queues: Vec<mpsc::Receiver<Past>>, notes: Notes) -> Self {
        Self { queues, heads: BinaryHeap::new(), notes, exit: Exit::Done }
    }

    /// Prints everything, or as much as was wanted. A queue that cannot be read does not keep back the others; the
    /// exit code tells.
    ///
    /// # Errors
    /// The output cannot be written.
    pub(super) async fn print(mut self, printer: &mut Printer) -> anyhow::Result<Exit> {
        for queue in 0..self.queues.len() {
            self.refill(queue).await;
        }
        while let Some(Reverse(head)) = self.heads.pop() {
            printer.print(&head.message).await?;
            if printer.has_all() {
                break;
            }
            self.refill(head.queue).await;
        }
        printer.flush().await?;
        Ok(self.exit)
    }

    /// Waits for the next message of a queue.
    async fn refill(&mut self, queue: usize) {
        match self.queues[queue].recv().await {
            Some(Ok(message)) => {
                self.heads.push(Reverse(Head { store_timestamp: message.store_timestamp(), queue, message }));
            }
            Some(Err((name, error))) => {
                let name = queue_label(&name);
                self.notes.error(&printable(&format!("{name} cannot be read to its end: {error}")));
                if self.exit == Exit::Done {
                    self.exit = Exit::of_code(error.code());
                }
            }
            None => {}
        }
    }
}

impl Head {
    const fn rank(&self) -> (i64, usize) {
        (self.store_timestamp, self.queue)
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}
