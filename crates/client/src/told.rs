//! A value that one task tells, and that others read and wait for.
//!
//! As tokio's `watch`, but for two things: those who wait are woken in the order in which they came, where `watch` goes
//! by chance, so that a run repeats exactly; and reading takes no lock.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::Notify;

/// Tells; its drop is told too.
pub(crate) struct Teller<T>(Arc<Shared<T>>);

/// Reads.
pub(crate) struct Told<T>(Arc<Shared<T>>);

struct Shared<T> {
    value: ArcSwap<T>,
    is_over: AtomicBool,
    changed: Notify,
}

/// A value, and who may change it.
pub(crate) fn told<T>(value: T) -> (Teller<T>, Told<T>) {
    let shared = Shared {
        value: ArcSwap::from_pointee(value),
        is_over: AtomicBool::new(false),
        changed: Notify::new(),
    };
    let shared = Arc::new(shared);
    (Teller(shared.clone()), Told(shared))
}

impl<T> Teller<T> {
    pub(crate) fn tell(&self, value: T) {
        self.0.value.store(Arc::new(value));
        self.0.changed.notify_waiters();
    }
}

impl<T> Drop for Teller<T> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Release);
        self.0.changed.notify_waiters();
    }
}

impl<T> Told<T> {
    /// The value now.
    pub(crate) fn load(&self) -> Guard<Arc<T>> {
        self.0.value.load()
    }

    /// Whether the teller is gone: the value stays as it is.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Acquire)
    }

    /// The first value that is `wanted`, from now on; `None` if it will not come any more.
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn wait_for(&self, wanted: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        loop {
            let changed = self.0.changed.notified();
            let mut changed = std::pin::pin!(changed);
            // First listen, then look: a change between the two is not missed.
            changed.as_mut().enable();
            // Looked at in this order, since the last value is told before the end.
            let is_over = self.is_over();
            let value = self.0.value.load_full();
            if wanted(&value) {
                return Some(value);
            }
            if is_over {
                return None;
            }
            changed.await;
        }
    }
}

impl<T> Clone for Told<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn those_who_wait_are_woken_in_the_order_in_which_they_came() {
        let (teller, told) = told(0);
        let order = Arc::<Mutex<Vec<usize>>>::default();
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..32 {
            let (told, order) = (told.clone(), order.clone());
            tasks.spawn(async move {
                assert_eq!(told.wait_for(|value| *value > 0).await.as_deref(), Some(&7));
                order.lock().unwrap().push(n);
            });
        }
        tokio::task::yield_now().await;
        teller.tell(7);
        tasks.join_all().await;
        assert!(order.lock().unwrap().is_sorted());
    }

    #[tokio::test]
    async fn the_end_is_told_and_the_last_value_stays() {
        let (teller, told) = told(0);
        let waiting = told.wait_for(|value| *value == 2);
        let ((), waited) = tokio::join!(
            async {
                teller.tell(1);
                assert!(!told.is_over());
                drop(teller);
            },
            waiting
        );
        assert!(waited.is_none() && told.is_over());
        assert_eq!((**told.load(), told.wait_for(|value| *value == 1).await.as_deref()), (1, Some(&1)));
    }
}
