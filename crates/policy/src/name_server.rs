//! Which name server is asked next: the one that answered last, as long as it answers.

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Sticky choice among `n` name servers, as in Apache's `NettyRemotingClient.getAndCreateNameserverChannel`.
///
/// Name servers do not talk to each other and may disagree for up to 30 s, so a client stays with one while it works.
#[derive(Debug)]
pub struct StickyChoice {
    current: AtomicUsize,
}

impl StickyChoice {
    /// Begins at `start`, taken modulo the number of servers; chance spreads clients over them.
    pub const fn new(start: usize) -> Self {
        Self { current: AtomicUsize::new(start) }
    }

    /// The order in which `count` servers are asked now.
    pub fn order(&self, count: usize) -> impl Iterator<Item = usize> + use<> {
        let start = self.current.load(Relaxed);
        (0..count).map(move |step| start.wrapping_add(step) % count)
    }

    /// The server at `index` answered: begin there next time.
    pub fn observe_answer(&self, index: usize) {
        self.current.store(index, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn the_server_that_answered_is_asked_first() {
        let choice = StickyChoice::new(7);
        assert_eq!(choice.order(3).collect::<Vec<_>>(), [1, 2, 0]);
        choice.observe_answer(2);
        assert_eq!(choice.order(3).collect::<Vec<_>>(), [2, 0, 1]);
        assert_eq!(choice.order(0).count(), 0);
    }
}
