//! What became of each message, told by those who sent it.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use crate::actors::Ending;

/// What became of one message.
pub(crate) struct End {
    pub(crate) sender: usize,
    /// Whether its sender waited for it before it sent the next one.
    pub(crate) in_line: bool,
    pub(crate) key: String,
    pub(crate) topic: &'static str,
    pub(crate) took: Duration,
    pub(crate) allowed: Duration,
    pub(crate) ending: Ending,
}

/// Where all of them are noted. A clone is the same.
#[derive(Clone, Default)]
pub(crate) struct Ends(Arc<Mutex<Told>>);

/// What was noted.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) ends: Vec<End>,
    /// Keys of messages that a closing producer gave back as not stored.
    pub(crate) unsent: Vec<String>,
    /// What is wrong whatever is stored.
    pub(crate) complaints: Vec<String>,
}

impl Ends {
    /// A message that its sender waits for; gives its place.
    pub(crate) fn note(&self, sender: usize, key: &str, topic: &'static str, allowed: Duration) -> usize {
        self.add(sender, true, key, topic, allowed)
    }

    /// A message that is sent beside others.
    pub(crate) fn note_aside(
        &self,
        sender: usize,
        key: &str,
        topic: &'static str,
        allowed: Duration,
    ) -> usize {
        self.add(sender, false, key, topic, allowed)
    }

    pub(crate) fn end(&self, place: usize, ending: Ending, took: Duration) {
        if let Some(end) = self.told().ends.get_mut(place) {
            (end.ending, end.took) = (ending, took);
        }
    }

    pub(crate) fn end_within(&self, place: usize, ending: Ending, took: Duration, allowed: Duration) {
        if let Some(end) = self.told().ends.get_mut(place) {
            (end.ending, end.took, end.allowed) = (ending, took, allowed);
        }
    }

    pub(crate) fn in_time(&self, what: &str, took: Duration, allowed: Duration) {
        if took.saturating_sub(allowed).as_millis() > 1 {
            self.complain(format!("{what} took {took:?} of {allowed:?}"));
        }
    }

    pub(crate) fn unsent(&self, key: &str) {
        self.told().unsent.push(key.to_owned());
    }

    pub(crate) fn complain(&self, why: String) {
        self.told().complaints.push(why);
    }

    /// All that was noted.
    pub(crate) fn take(&self) -> Told {
        std::mem::take(&mut self.told())
    }

    fn add(&self, sender: usize, in_line: bool, key: &str, topic: &'static str, allowed: Duration) -> usize {
        let (key, took, ending) = (key.to_owned(), Duration::ZERO, Ending::Pending);
        let ends = &mut self.told().ends;
        ends.push(End { sender, in_line, key, topic, took, allowed, ending });
        ends.len() - 1
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().expect("no holder panics")
    }
}
