//! The armed faults of a cluster.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde::Serialize;

use super::{Act, Effect, Fault, Goodbye, RequestView, When};
use crate::clock::Clock;

/// The faults of one cluster, in the order in which they were armed.
pub(crate) struct FaultTable {
    clock: Clock,
    /// What a request pays for when there are none.
    has_any: AtomicBool,
    state: Mutex<State>,
}

struct State {
    last_id: u64,
    /// Asked without the lock, so that a closure may arm and remove faults.
    entries: Arc<Vec<Arc<Entry>>>,
    random: fastrand::Rng,
}

struct Entry {
    id: u64,
    source: Source,
    seen: AtomicU64,
    fired: AtomicU64,
    /// Since the cluster's clock began.
    until: Option<Duration>,
}

enum Source {
    Fault(Fault),
    Closure(Box<Closure>),
}

type Closure = dyn Fn(&RequestView<'_>) -> Option<Effect> + Send + Sync;

/// A fault of a cluster, and how often it has fired.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use maxq_emulator::Cluster;
/// use maxq_emulator::{Effect, Fault, On};
///
/// let cluster = Cluster::start(1).await?;
/// cluster.fault(Fault::on(On::Send).then(Effect::disk_full()));
/// for armed in cluster.faults() {
///     println!("{} has fired {} times: {:?}", armed.id, armed.fired, armed.fault);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ArmedFault {
    /// Its number in this cluster.
    pub id: u64,
    /// How often it has fired.
    pub fired: u64,
    /// The fault; none for a closure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
}

/// An armed fault. Dropping the handle leaves it armed.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use maxq_emulator::Cluster;
/// use maxq_emulator::{Effect, Fault, On};
///
/// let cluster = Cluster::start(1).await?;
/// let full = cluster.fault(Fault::on(On::Send).then(Effect::disk_full()));
/// // .. use the cluster ..
/// println!("{} sends were refused", full.fired());
/// full.remove();
/// assert!(cluster.faults().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FaultHandle {
    table: Arc<FaultTable>,
    entry: Arc<Entry>,
}

impl FaultTable {
    pub(crate) fn new(clock: Clock, seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed ^ OWN_CHANCE);
        let state = State { last_id: 0, entries: Arc::default(), random };
        Self { clock, has_any: AtomicBool::new(false), state: Mutex::new(state) }
    }

    /// Whether any fault is armed; one load when there is none.
    pub(crate) fn has_any(&self) -> bool {
        self.has_any.load(Ordering::Relaxed)
    }

    /// What becomes of a request, if any fault fires.
    pub(crate) fn decide(&self, view: &RequestView<'_>) -> Option<Act> {
        let entries = Arc::clone(&self.state().entries);
        entries.iter().find_map(|entry| {
            let effect = entry.fire(self, view)?;
            (effect != Effect::Observe).then(|| Act { fault: entry.id, effect, seed: self.random_number() })
        })
    }

    pub(crate) fn arm(self: &Arc<Self>, fault: Fault) -> FaultHandle {
        let until = fault.lasts.map(|lasts| self.clock.elapsed().saturating_add(lasts));
        self.add(Source::Fault(fault), until)
    }

    pub(crate) fn arm_closure(
        self: &Arc<Self>,
        closure: impl Fn(&RequestView<'_>) -> Option<Effect> + Send + Sync + 'static,
    ) -> FaultHandle {
        self.add(Source::Closure(Box::new(closure)), None)
    }

    pub(crate) fn all(&self) -> Vec<ArmedFault> {
        let entries = Arc::clone(&self.state().entries);
        entries.iter().map(|entry| entry.armed()).collect()
    }

    /// Says whether it was there.
    pub(crate) fn remove(&self, id: u64) -> bool {
        let mut state = self.state();
        let left: Vec<_> = state.entries.iter().filter(|entry| entry.id != id).cloned().collect();
        let was_there = left.len() < state.entries.len();
        self.has_any.store(!left.is_empty(), Ordering::Relaxed);
        state.entries = Arc::new(left);
        was_there
    }

    pub(crate) fn clear(&self) {
        self.has_any.store(false, Ordering::Relaxed);
        self.state().entries = Arc::default();
    }

    fn add(self: &Arc<Self>, source: Source, until: Option<Duration>) -> FaultHandle {
        let mut state = self.state();
        state.last_id += 1;
        let id = state.last_id;
        let entry = Entry { id, source, seen: AtomicU64::new(0), fired: AtomicU64::new(0), until };
        let entry = Arc::new(entry);
        Arc::make_mut(&mut state.entries).push(Arc::clone(&entry));
        self.has_any.store(true, Ordering::Relaxed);
        drop(state);
        FaultHandle { table: Arc::clone(self), entry }
    }

    fn random_number(&self) -> u64 {
        self.state().random.u64(..)
    }

    fn happens(&self, chance: f64) -> bool {
        chance >= 1.0 || self.state().random.f64() < chance
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Its effect, if it fires now.
    fn fire(&self, table: &FaultTable, view: &RequestView<'_>) -> Option<Effect> {
        let effect = match &self.source {
            // What a closure makes up was never checked.
            Source::Closure(closure) => match closure(view)? {
                effect if effect.check().is_ok() => effect,
                _ => Effect::Close { when: When::InsteadOfStoring, goodbye: Goodbye::Reset },
            },
            Source::Fault(fault) => {
                let is_armed = self.until.is_none_or(|until| table.clock.elapsed() < until);
                if !is_armed || !fault.is_for(view) || !table.happens(fault.chance) {
                    return None;
                }
                if self.seen.fetch_add(1, Ordering::Relaxed) < fault.skip {
                    return None;
                }
                let times = fault.times.unwrap_or(u64::MAX);
                let count = |fired| (fired < times).then_some(fired + 1);
                self.fired.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count).ok()?;
                return Some(fault.then.clone());
            }
        };
        self.fired.fetch_add(1, Ordering::Relaxed);
        Some(effect)
    }

    fn armed(&self) -> ArmedFault {
        let fault = match &self.source {
            Source::Fault(fault) => Some(fault.clone()),
            Source::Closure(_) => None,
        };
        ArmedFault { id: self.id, fired: self.fired.load(Ordering::Relaxed), fault }
    }
}

impl FaultHandle {
    /// Its number in its cluster.
    pub fn id(&self) -> u64 {
        self.entry.id
    }

    /// How often it has fired.
    pub fn fired(&self) -> u64 {
        self.entry.fired.load(Ordering::Relaxed)
    }

    /// Disarms it. What it has done to connections stays.
    pub fn remove(&self) {
        self.table.remove(self.entry.id);
    }
}

impl fmt::Debug for FaultHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entry.armed().fmt(f)
    }
}

/// Faults must not draw the same numbers as the broker of the same seed.
const OWN_CHANCE: u64 = 0x6661_756C_7473_2121;
