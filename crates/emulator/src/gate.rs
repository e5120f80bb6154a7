//! Freezing: the tasks of a server stop between two steps, as SIGSTOP stops a process, and go on later.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
};

use tokio::sync::Notify;

/// What all tasks of a server pass through. Open at first.
#[derive(Default)]
pub(crate) struct Gate {
    is_frozen: AtomicBool,
    changed: Notify,
}

impl Gate {
    /// Stops every task in the gate before its next step.
    pub(crate) fn freeze(&self) {
        self.set(true);
    }

    /// Lets all tasks go on.
    pub(crate) fn thaw(&self) {
        self.set(false);
    }

    /// Whether tasks stand still.
    pub(crate) fn is_frozen(&self) -> bool {
        self.is_frozen.load(Ordering::Acquire)
    }

    /// Carries out `task`, but not while the gate is frozen: then it is not polled, whatever it waits for. Its timers
    /// run on, and those that are due go off when it is thawed, as those of a stopped process do.
    pub(crate) async fn pass<F: Future>(&self, task: F) -> F::Output {
        tokio::pin!(task);
        loop {
            self.until(false).await;
            tokio::select! {
                biased;
                // Freezing comes first: what becomes ready at that moment must wait.
                () = self.until(true) => {}
                output = &mut task => return output,
            }
        }
    }

    fn set(&self, is_frozen: bool) {
        self.is_frozen.store(is_frozen, Ordering::Release);
        self.changed.notify_waiters();
    }

    async fn until(&self, is_frozen: bool) {
        loop {
            // Made before the look, so that a change in between is not missed.
            let changed = self.changed.notified();
            if self.is_frozen() == is_frozen {
                return;
            }
            changed.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{sleep, timeout};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_frozen_task_goes_on_where_it_stood() {
        let gate = Gate::default();
        let task = gate.pass(async {
            sleep(Duration::from_secs(1)).await;
            "done"
        });
        tokio::pin!(task);
        gate.freeze();
        assert!(timeout(Duration::from_secs(100), &mut task).await.is_err());
        gate.thaw();
        assert!(timeout(Duration::from_millis(10), &mut task).await.is_err(), "its second begins now");
        gate.freeze();
        assert!(timeout(Duration::from_secs(100), &mut task).await.is_err());
        gate.thaw();
        assert_eq!(timeout(Duration::from_millis(10), &mut task).await, Ok("done"));
    }
}
