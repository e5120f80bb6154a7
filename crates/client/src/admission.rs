//! What a producer may have under way: so many messages, so many bytes of body.
//!
//! A permit lives inside the thing it pays for and comes back by being dropped, so it cannot leak.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// The two limits of one producer. Waiting is fair.
#[derive(Debug)]
pub(crate) struct Admission {
    messages: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    most_messages: u32,
    most_bytes: u32,
}

/// Pays for one message.
#[derive(Debug)]
pub(crate) struct Permit {
    _message: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Admission {
    pub(crate) fn new(messages: usize, bytes: usize) -> Self {
        let most_bytes = u32::try_from(bytes.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        let most_messages = u32::try_from(messages.min(Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
        Self {
            messages: Arc::new(Semaphore::new(most_messages as usize)),
            bytes: Arc::new(Semaphore::new(most_bytes as usize)),
            most_messages,
            most_bytes,
        }
    }

    /// Admits so many messages of `bytes` in all at once, or not at all.
    ///
    /// What is larger than a limit is charged the limit: it goes alone instead of never.
    pub(crate) fn try_admit(&self, messages: usize, bytes: usize) -> Result<Permit, Full> {
        let message =
            self.messages.clone().try_acquire_many_owned(self.count(messages)).map_err(Full::from)?;
        let bytes = self.bytes.clone().try_acquire_many_owned(self.charge(bytes)).map_err(Full::from)?;
        Ok(Permit { _message: message, _bytes: bytes })
    }

    /// Admits so many messages of `bytes` in all when there is room.
    ///
    /// # Cancel safety
    /// Dropped early, nothing is taken and the place in the line is lost.
    pub(crate) async fn admit(&self, messages: usize, bytes: usize) -> Result<Permit, Full> {
        let message = self.messages.clone().acquire_many_owned(self.count(messages)).await;
        let message = message.map_err(|_| Full::Closed)?;
        let bytes =
            self.bytes.clone().acquire_many_owned(self.charge(bytes)).await.map_err(|_| Full::Closed)?;
        Ok(Permit { _message: message, _bytes: bytes })
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

    #[test]
    fn permits_come_back_by_being_dropped() {
        let admission = Admission::new(2, 100);
        let first = admission.try_admit(1, 60).unwrap();
        assert_eq!(admission.try_admit(1, 60).unwrap_err(), Full::NoRoom);
        let second = admission.try_admit(1, 40).unwrap();
        assert_eq!(admission.try_admit(1, 0).unwrap_err(), Full::NoRoom);
        drop((first, second));
        assert!(admission.try_admit(1, 100).is_ok());
    }

    #[test]
    fn a_message_larger_than_the_limit_goes_alone() {
        let admission = Admission::new(2, 100);
        let giant = admission.try_admit(1, 1_000).unwrap();
        assert_eq!(admission.try_admit(1, 1).unwrap_err(), Full::NoRoom);
        drop(giant);
        assert!(admission.try_admit(1, 1).is_ok());
    }

    #[test]
    fn a_batch_pays_for_each_of_its_messages() {
        let admission = Admission::new(4, 100);
        let batch = admission.try_admit(3, 30).unwrap();
        assert_eq!(admission.try_admit(2, 1).unwrap_err(), Full::NoRoom);
        drop(batch);
        assert!(admission.try_admit(9, 30).is_ok(), "a batch larger than the limit goes alone");
    }

    #[test]
    fn a_closed_producer_admits_nothing() {
        let admission = Admission::new(2, 100);
        admission.close();
        assert_eq!(admission.try_admit(1, 1).unwrap_err(), Full::Closed);
    }
}
