//! What a connection task is told from outside: to take nothing new, to listen no longer, to end.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

/// What a connection task is told from outside. One atomic to look at, one event to wait for.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    order: AtomicU8,
    pub(super) given: Notify,
}

const RETIRE: u8 = 1;
const HUSH: u8 = 2;
const STOP: u8 = 3;

impl Orders {
    /// Finish what is under way, take nothing new.
    pub(super) fn retire(&self) {
        self.give(RETIRE);
    }

    /// As [`retire`](Self::retire), and listen no longer whether a mute server wakes up.
    pub(super) fn hush(&self) {
        self.give(HUSH);
    }

    /// End now.
    pub(super) fn stop(&self) {
        self.give(STOP);
    }

    pub(super) fn is_given(&self) -> bool {
        self.order.load(Ordering::Acquire) != 0
    }

    pub(super) fn is_stop(&self) -> bool {
        self.order.load(Ordering::Acquire) == STOP
    }

    pub(super) fn is_hush(&self) -> bool {
        self.order.load(Ordering::Acquire) >= HUSH
    }

    /// Orders only become stricter. The permit of `notify_one` stays when the task is not waiting just then.
    fn give(&self, order: u8) {
        self.order.fetch_max(order, Ordering::AcqRel);
        self.given.notify_one();
    }
}
