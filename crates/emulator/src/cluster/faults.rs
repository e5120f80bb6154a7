//! The faults of a cluster: arming, counting, removing.

use super::Cluster;
use crate::fault::{ArmedFault, Effect, Fault, FaultError, FaultHandle, RequestView};

impl Cluster {
    /// Arms a fault. It fires for what comes after this call.
    ///
    /// # Panics
    /// The fault contradicts itself; [`try_fault`](Self::try_fault) says so instead.
    pub fn fault(&self, fault: Fault) -> FaultHandle {
        self.try_fault(fault).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Arms a fault that somebody else has written.
    ///
    /// # Errors
    /// The fault contradicts itself.
    pub fn try_fault(&self, fault: Fault) -> Result<FaultHandle, FaultError> {
        fault.check()?;
        Ok(self.surroundings.faults.arm(fault))
    }

    /// Arms a closure, which is shown every request and every connection that opens, and says what becomes of it;
    /// `None` is nothing. It must not wait. An effect that needs a request does nothing to a connection that opens, and
    /// one that contradicts itself, as [`Fault::check`] says it, ends the connection.
    pub fn intercept(
        &self,
        closure: impl Fn(&RequestView<'_>) -> Option<Effect> + Send + Sync + 'static,
    ) -> FaultHandle {
        self.surroundings.faults.arm_closure(closure)
    }

    /// All armed faults, in the order in which they are asked.
    pub fn faults(&self) -> Vec<ArmedFault> {
        self.surroundings.faults.all()
    }

    /// Disarms the fault with this id. Says whether there was one.
    pub fn remove_fault(&self, id: u64) -> bool {
        self.surroundings.faults.remove(id)
    }

    /// Disarms all faults.
    pub fn clear_faults(&self) {
        self.surroundings.faults.clear();
    }
}
