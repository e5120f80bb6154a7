//! What the library said of its messages, to be compared with what is stored.

use std::collections::BTreeSet;

use anyhow::Result;
use maxq::{Outcome, SendError, SendReceipt};

use crate::{
    expect,
    message::{Body, Sample, Seen},
};

/// Messages by their bodies, in sets of what was said of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    stored: BTreeSet<String>,
    denied: BTreeSet<String>,
    open: BTreeSet<String>,
}

impl Told {
    /// How a send of `sample` ended.
    pub(crate) fn note(&mut self, sample: &Sample, result: &Result<SendReceipt, SendError>) {
        match result {
            Ok(_) => self.note_stored(sample),
            Err(error) if error.outcome() == Outcome::Unknown => self.note_open(sample),
            Err(_) => self.note_denied(sample),
        }
    }

    /// It was acknowledged.
    pub(crate) fn note_stored(&mut self, sample: &Sample) {
        self.stored.insert(text(&sample.body));
    }

    /// It was said that no broker has it.
    pub(crate) fn note_denied(&mut self, sample: &Sample) {
        self.denied.insert(text(&sample.body));
    }

    /// It was left open whether one has it.
    pub(crate) fn note_open(&mut self, sample: &Sample) {
        self.open.insert(text(&sample.body));
    }

    /// A message that no other of the story equals.
    pub(crate) fn next(&self, what: &str) -> Sample {
        Sample::new(format!("{} {what}", self.count()))
    }

    /// How many messages were noted.
    pub(crate) fn count(&self) -> usize {
        self.stored.len() + self.denied.len() + self.open.len()
    }

    /// How many were acknowledged.
    pub(crate) fn stored(&self) -> usize {
        self.stored.len()
    }

    /// What was acknowledged is there, and what was denied is not.
    pub(crate) fn agree(&self, seen: &[Seen]) -> Result<()> {
        let bodies: BTreeSet<_> = seen.iter().map(|seen| text(&seen.body)).collect();
        let missing: Vec<_> = self.stored.difference(&bodies).collect();
        expect::that("acknowledged messages that are not stored", missing).are(&[])?;
        let denied: Vec<_> = self.denied.intersection(&bodies).collect();
        expect::that("messages that were called not stored, and are", denied).are(&[])?;
        let nobodys = bodies.iter().filter(|body| !self.stored.contains(*body) && !self.open.contains(*body));
        expect::that("messages that nobody sent", nobodys.collect::<Vec<_>>()).are(&[])
    }
}

fn text(body: &Body) -> String {
    String::from_utf8_lossy(&body.0).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(body: &str) -> Seen {
        Seen {
            topic: "t".into(),
            broker: "b".into(),
            queue: 0,
            offset: 0,
            message_id: String::new(),
            offset_message_id: String::new(),
            keys: Vec::new(),
            tag: None,
            properties: Default::default(),
            flag: 0,
            born_timestamp: 0,
            store_timestamp: 0,
            body: body.into(),
        }
    }

    #[test]
    fn the_store_agrees_unless_it_contradicts() {
        let mut told = Told::default();
        told.note_stored(&Sample::new("stored"));
        told.note_denied(&Sample::new("denied"));
        told.note_open(&Sample::new("open"));
        assert_eq!((told.count(), told.stored()), (3, 1));
        let agree = |bodies: &[&str]| told.agree(&bodies.iter().map(|body| seen(body)).collect::<Vec<_>>());
        assert!(agree(&["stored"]).is_ok() && agree(&["open", "stored"]).is_ok());
        for wrong in [&["open"][..], &["stored", "denied"], &["stored", "nobody's"]] {
            assert!(agree(wrong).is_err(), "{wrong:?}");
        }
    }
}
