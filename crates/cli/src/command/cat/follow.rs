//! What comes into the queues later, printed as it comes.

use std::time::Duration;

use maxq::{MessageQueue, MessageView};
use tokio::sync::mpsc;

use super::{format::Printer, queue::QueueReaders};

/// Waits for messages of queues, and for queues that the topic gets.
pub(super) struct Follow {
    readers: QueueReaders,
    live: mpsc::Receiver<MessageView>,
    known: Vec<MessageQueue>,
}

impl Follow {
    pub(super) fn new(
        readers: QueueReaders,
        live: mpsc::Receiver<MessageView>,
        known: Vec<MessageQueue>,
    ) -> Self {
        Self { readers, live, known }
    }

    /// Prints until as much as was wanted is printed. If the topic `grows`, its new queues are read too.
    ///
    /// # Errors
    /// The output cannot be written.
    ///
    /// # Cancel safety
    /// Dropped early, messages that were not printed yet are not printed.
    pub(super) async fn print(mut self, printer: &mut Printer, grows: Option<&str>) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(LOOK_AGAIN);
        let mut came = Vec::new();
        while !printer.has_all() {
            tokio::select! {
                biased; // the tick is rare, and behind messages that always come it would never be seen
                _ = tick.tick(), if grows.is_some() => self.look_for_queues(grows.unwrap_or_default()).await,
                _ = self.live.recv_many(&mut came, AT_ONCE) => {
                    // Several queues at once: the little that came together can be put in order cheaply.
                    came.sort_by_key(MessageView::store_timestamp);
                    for message in came.drain(..) {
                        if !printer.has_all() {
                            printer.print(&message).await?;
                        }
                    }
                    printer.flush().await?;
                }
            }
        }
        self.readers.stop().await;
        Ok(())
    }

    /// A topic that cannot be looked up now is looked up again at the next tick.
    async fn look_for_queues(&mut self, topic: &str) {
        let Ok(queues) = self.readers.client().admin().queues(topic).await else { return };
        for queue in queues {
            if !self.known.contains(&queue) {
                self.readers.start_behind(&queue);
                self.known.push(queue);
            }
        }
    }
}

const AT_ONCE: usize = 16;
/// As often as clients ask for routes.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
