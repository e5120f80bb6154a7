//! How many busy answers a producer may answer with another try: when all brokers are busy, more tries are what they
//! need least.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Tokens of one producer: a retry after a busy answer takes one, ten stored messages give one back.
///
/// Only busy answers (SYSTEM_BUSY, FLOW_CONTROL) are charged. Lost connections, failed dials and time-outs are free:
/// killing one of two brokers must fail no send.
#[derive(Debug)]
pub struct RetryBudget {
    tenths: AtomicU32,
}

impl RetryBudget {
    /// A full budget.
    pub const fn new() -> Self {
        Self { tenths: AtomicU32::new(FULL) }
    }

    /// Takes one token, if there is one.
    pub fn withdraw(&self) -> bool {
        self.tenths.fetch_update(Relaxed, Relaxed, |tenths| tenths.checked_sub(TOKEN)).is_ok()
    }

    /// A message was stored. While the budget is full, which is nearly always, this is one load.
    pub fn deposit(&self) {
        if self.tenths.load(Relaxed) < FULL {
            // Never above the mark by more than there are writers at this very moment.
            self.tenths.fetch_add(1, Relaxed);
        }
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new()
    }
}

/// What a stored message is worth: a tenth of a retry.
const TOKEN: u32 = 10;
/// Retries that a producer has in reserve.
const FULL: u32 = 100 * TOKEN;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_retries_are_in_reserve_and_ten_stored_messages_earn_one() {
        let budget = RetryBudget::new();
        for _ in 0..100 {
            assert!(budget.withdraw());
        }
        assert!(!budget.withdraw());
        for _ in 0..9 {
            budget.deposit();
            assert!(!budget.withdraw());
        }
        budget.deposit();
        assert!(budget.withdraw());
        assert!(!budget.withdraw());
    }

    #[test]
    fn a_full_budget_does_not_grow() {
        let budget = RetryBudget::new();
        for _ in 0..10_000 {
            budget.deposit();
        }
        assert_eq!((0..).take_while(|_| budget.withdraw()).count(), 100);
    }
}
