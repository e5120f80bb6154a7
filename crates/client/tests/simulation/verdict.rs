//! The rules that no story may break.

use std::collections::BTreeMap;

use maxq::{Load, Outcome, SendReceipt, Stats};

use crate::{
    actors::Ending,
    ends::{End, Told},
    world::{TOPICS, World},
};

/// A stored copy of a message.
struct Copy {
    broker: String,
    queue_id: i32,
    offset: i64,
}

/// What is wrong with what is stored, and with how the sends ended.
pub(crate) fn judge(world: &World, told: &Told) -> Vec<String> {
    let mut stored = BTreeMap::<String, Vec<Copy>>::new();
    for topic in TOPICS {
        world.cluster.visit_stored(topic, |message| {
            let (queue_id, offset) = (message.queue_id(), message.queue_offset());
            let copy = Copy { broker: message.broker.to_string(), queue_id, offset };
            stored.entry(message.property("KEYS").unwrap_or_default().to_owned()).or_default().push(copy);
        });
    }
    let mut faults = told.complaints.clone();
    let given_back = told.unsent.iter().filter(|key| stored.contains_key(*key));
    faults.extend(given_back.map(|key| format!("{key}: given back as not sent, but stored")));
    for end in &told.ends {
        let copies = stored.get(&end.key).map_or(&[][..], Vec::as_slice);
        faults.extend(in_time(end));
        faults.extend(as_it_says(end, copies, world.is_strict).map(|why| format!("{}: {why}", end.key)));
    }
    faults.extend(in_order(&told.ends));
    faults
}

/// At rest, every message has ended in one way, and nothing is under way.
pub(crate) fn adds_up(stats: &Stats) -> Option<String> {
    let ended = stats.acknowledged + stats.refused + stats.not_sent + stats.unknown + stats.handed_over;
    let latency = &stats.latency;
    let answered = [latency.queue.count(), latency.network.count(), latency.broker.count()];
    let is_right = stats.under_way == 0
        && stats.begun == ended
        && (stats.buffered, stats.in_flight) == (Load::default(), Load::default())
        && answered == [answered[0]; 3]
        && answered[0] >= latency.total.count()
        && latency.total.count() <= stats.acknowledged;
    (!is_right).then(|| format!("the figures do not add up: {stats:?}"))
}

/// Every send ends by its deadline; a timer may fire a millisecond late.
fn in_time(end: &End) -> Option<String> {
    let late = end.took.saturating_sub(end.allowed);
    (late.as_millis() > 1).then(|| format!("{} took {:?} of {:?}", end.key, end.took, end.allowed))
}

/// What is stored is what the end said.
fn as_it_says(end: &End, copies: &[Copy], is_strict: bool) -> Option<String> {
    let count = copies.len();
    match &end.ending {
        Ending::Stored(receipt) => {
            if !copies.iter().any(|copy| is_at(copy, receipt)) {
                return Some(format!("acknowledged, but not stored at {}", receipt.queue()));
            }
            if count > 1 && !receipt.maybe_duplicate() {
                return Some(format!("stored {count} times without a word"));
            }
            if count > receipt.attempts().len() {
                return Some(format!("stored {count} times in {} attempts", receipt.attempts().len()));
            }
            (is_strict && count > 1).then(|| "a strict send is stored twice".to_owned())
        }
        Ending::Failed { outcome: Outcome::NotSent, .. } if count > 0 => {
            Some("not sent, but stored".to_owned())
        }
        Ending::Failed { outcome: Outcome::Refused, .. } if count > 0 => {
            Some("refused, but stored".to_owned())
        }
        Ending::Failed { attempts, .. } if count > *attempts => {
            Some(format!("stored {count} times in {attempts} attempts"))
        }
        Ending::Failed { is_oneway: true, .. } | Ending::Handed if count > 1 => {
            Some(format!("one way, but stored {count} times"))
        }
        _ => None,
    }
}

fn is_at(copy: &Copy, receipt: &SendReceipt) -> bool {
    let queue = receipt.queue();
    copy.broker == queue.broker_name()
        && copy.queue_id == queue.queue_id()
        && u64::try_from(copy.offset) == Ok(receipt.queue_offset())
}

/// A sender that waits for each message finds them in each queue in its order.
fn in_order(ends: &[End]) -> Option<String> {
    let mut last = BTreeMap::new();
    for end in ends.iter().filter(|end| end.in_line) {
        if let Ending::Stored(receipt) = &end.ending {
            let place = (end.sender, end.topic, receipt.queue().to_string());
            let before = last.insert(place, receipt.queue_offset());
            if before.is_some_and(|before| before >= receipt.queue_offset()) {
                return Some(format!("{} stands before an earlier message of its sender", end.key));
            }
        }
    }
    None
}
