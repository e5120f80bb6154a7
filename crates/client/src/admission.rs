//! What a producer may have under way: so many messages, so many bytes of body.
//!
//! A permit lives inside the thing it pays for and comes back by being dropped, so it cannot leak.

use std::sync::Arc;

use tokio::sync::{Semaphore, TryAcquireError};

use crate::stats::{Ledger, Load};

/// The two limits of one producer. Waiting is fair.
#[derive(Debug)]
pub(crate) struct Admission {
    messages: Semaphore,
    bytes: Semaphore,
    most_messages: u32,
    most_bytes: u32,
    /// Where connections write down what they do with what was admitted.
    ledger: Ledger,
}

/// Pays for one message, or for those of a batch.
#[derive(Debug)]
pub(crate) struct Permit {
    admission: Arc<Admission>,
    messages: u32,
    bytes: u32,
}

impl Permit {
    /// How many messages it pays for.
    pub(crate) fn messages(&self) -> u64 {
        self.messages.into()
    }

    /// How many bytes it pays for.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.into()
    }

    /// The producer's ledger.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.admission.ledger
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.admission.messages.add_permits(self.messages as usize);
        self.admission.bytes.add_permits(self.bytes as usize);
    }
}

impl Admission {
    pub(crate) fn new(messages: usize, bytes: usize, ledger: Ledger) -> Self {
        let most_bytes = u32::try_from(bytes.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        let most_messages = u32::try_from(messages.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Self {
            messages: Semaphore::new(most_messages as usize),
            bytes: Semaphore::new(most_bytes as usize),
            most_messages,
            most_bytes,
            ledger,
        }
    }

    /// Admits so many messages of `bytes` in all at once, or not at all.
    ///
    /// What is larger than a limit is charged the limit: it goes alone instead of never.
    pub(crate) fn try_admit(self: &Arc<Self>, messages: usize, bytes: usize) -> Result<Permit, Full> {
        let (messages, bytes) = (self.count(messages), self.charge(bytes));
        let for_messages = self.messages.try_acquire_many(messages)?;
        self.bytes.try_acquire_many(bytes)?.forget();
        for_messages.forget();
        Ok(Permit { admission: self.clone(), messages, bytes })
    }

    /// Admits so many messages of `bytes` in all when there is room.
    ///
    /// # Cancel safety
    /// Dropped early, nothing is taken and the place in the line is lost.
    pub(crate) async fn admit(self: &Arc<Self>, messages: usize, bytes: usize) -> Result<Permit, Full> {
        let (messages, bytes) = (self.count(messages), self.charge(bytes));
        let for_messages = self.messages.acquire_many(messages).await.map_err(|_| Full::Closed)?;
        self.bytes.acquire_many(bytes).await.map_err(|_| Full::Closed)?.forget();
        for_messages.forget();
        Ok(Permit { admission: self.clone(), messages, bytes })
    }

    /// What is admitted now.
    pub(crate) fn admitted(&self) -> Load {
        let messages = (self.most_messages as usize).saturating_sub(self.messages.available_permits());
        let bytes = (self.most_bytes as usize).saturating_sub(self.bytes.available_permits());
        Load::new(messages as u64, bytes as u64)
    }

    pub(crate) const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Admits nothing from now on.
    pub(crate) fn close(&self) {
        self.messages.close();
        self.bytes.close();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.messages.is_closed()
    }

    fn count(&self, messages: usize) -> u32 {
        u32::try_from(messages).unwrap_or(u32::MAX).min(self.most_messages)
    }

    fn charge(&self, bytes: usize) -> u32 {
        u32::try_from(bytes).unwrap_or(u32::MAX).min(self.most_bytes)
    }
}

/// Why a message was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// No room now.
    NoRoom,
    /// The producer is closed.
    Closed,
}

impl From<TryAcquireError> for Full {
    fn from(error: TryAcquireError) -> Self {
        match error {
            TryAcquireError::NoPermits => Self::NoRoom,
            TryAcquireError::Closed => Self::Closed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(messages: usize, bytes: usize) -> Arc<Admission> {
        Arc::new(Admission::new(messages, bytes, Ledger::default()))
    }

    #[test]
    fn permits_come_back_by_being_dropped() {
        let admission = admission(2, 100);
        let first = admission.try_admit(1, 60).unwrap();
        assert_eq!(admission.try_admit(1, 60).unwrap_err(), Full::NoRoom);
        let second = admission.try_admit(1, 40).unwrap();
        assert_eq!(admission.try_admit(1, 0).unwrap_err(), Full::NoRoom);
        assert_eq!(admission.admitted(), Load::new(2, 100));
        drop((first, second));
        assert_eq!(admission.admitted(), Load::default());
        assert!(admission.try_admit(1, 100).is_ok());
    }

    #[test]
    fn a_message_larger_than_the_limit_goes_alone() {
        let admission = admission(2, 100);
        let giant = admission.try_admit(1, 1_000).unwrap();
        assert_eq!(admission.try_admit(1, 1).unwrap_err(), Full::NoRoom);
        drop(giant);
        assert!(admission.try_admit(1, 1).is_ok());
    }

    #[test]
    fn a_batch_pays_for_each_of_its_messages() {
        let admission = admission(4, 100);
        let batch = admission.try_admit(3, 30).unwrap();
        assert_eq!(admission.try_admit(2, 1).unwrap_err(), Full::NoRoom);
        drop(batch);
        assert!(admission.try_admit(9, 30).is_ok(), "a batch larger than the limit goes alone");
    }

    #[test]
    fn a_closed_producer_admits_nothing() {
        let admission = admission(2, 100);
        admission.close();
        assert_eq!(admission.try_admit(1, 1).unwrap_err(), Full::Closed);
    }
}
