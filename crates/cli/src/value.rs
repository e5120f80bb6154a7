//! Values that are typed as one word, each checked where it is typed.

use std::{fmt, time::Duration};

use maxq::MessageQueue;
use maxq_protocol::Topic;

use crate::clock;

/// A topic that messages are sent to, or that is created.
pub(crate) fn topic(text: &str) -> Result<String, String> {
    Topic::new(text).map(|topic| topic.to_string()).map_err(|error| error.to_string())
}

/// A topic that is read: the retry and dead-letter topics of consumer groups too.
pub(crate) fn readable_topic(text: &str) -> Result<String, String> {
    Topic::internal(text).map(|topic| topic.to_string()).map_err(|error| error.to_string())
}

/// A span of time such as `500ms`, `3s`, `1m30s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; write 500ms, 3s or 1m30s");
    let span: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    match Duration::try_from(span) {
        Ok(span) if span >= SHORTEST && span <= LONGEST => Ok(span),
        Ok(_) => Err("a duration is between 1ms and 1000h".to_owned()),
        Err(_) => Err(wrong()),
    }
}

/// `BROKER:ID`, which names a queue of any topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueueName {
    pub(crate) broker: String,
    pub(crate) id: i32,
}

impl QueueName {
    /// The queue of this name in `topic`.
    pub(crate) fn of(&self, topic: &str) -> MessageQueue {
        MessageQueue::new(topic, self.broker.as_str(), self.id)
    }
}

/// A queue as `cat` and `route` show it.
pub(crate) fn queue_name(text: &str) -> Result<QueueName, String> {
    let wrong = || format!("{text:?} is no queue; write BROKER:ID, such as broker-0:3");
    let (broker, id) = text.rsplit_once(':').ok_or_else(wrong)?;
    match id.parse() {
        Ok(id @ 0..) if !broker.is_empty() => Ok(QueueName { broker: broker.to_owned(), id }),
        _ => Err(wrong()),
    }
}

/// A property of a message.
pub(crate) fn property(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err(format!("{text:?} is no property; write NAME=VALUE, neither of them empty")),
    }
}

/// A key of a message. Keys are stored in one text, with blanks between them.
pub(crate) fn key(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(' ') {
        return Err(format!("{text:?} is no key; a key is not empty and has no blanks"));
    }
    Ok(text.to_owned())
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    Start,
    End,
    Offset(u64),
    /// Milliseconds since 1970.
    Time(i64),
}

impl Begin {
    pub(crate) const fn into_from(self) -> maxq::From {
        match self {
            Self::Start => maxq::From::Start,
            Self::End => maxq::From::End,
            Self::Offset(offset) => maxq::From::Offset(offset),
            Self::Time(millis) => maxq::From::Time(millis),
        }
    }
}

impl fmt::Display for Begin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("the start"),
            Self::End => f.write_str("the end"),
            Self::Offset(offset) => write!(f, "offset {offset}"),
            Self::Time(millis) => f.write_str(&time(*millis)),
        }
    }
}

/// A time in milliseconds since 1970, as people write it.
pub(crate) fn time(millis: i64) -> String {
    jiff::Timestamp::from_millisecond(millis)
        .map_or_else(|_| format!("{millis} ms"), |time| format!("{time:.3}"))
}

/// `start`, `end`, an offset, a time of RFC 3339, or how long ago.
pub(crate) fn begin(text: &str) -> Result<Begin, String> {
    match text {
        "start" => return Ok(Begin::Start),
        "end" => return Ok(Begin::End),
        _ => {}
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Begin::Offset).map_err(|_| format!("{text:?} is no offset"));
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(Begin::Time(time.as_millisecond()));
    }
    if let Ok(ago) = duration(text) {
        let ago = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
        return Ok(Begin::Time(clock::wall_millis().saturating_sub(ago).max(0)));
    }
    Err(format!(
        "{text:?} is no place; write start, end, an offset, a time like 2026-01-31T12:00:00Z, or 10m"
    ))
}

/// A time of RFC 3339, or how long ago; in milliseconds since 1970.
pub(crate) fn moment(text: &str) -> Result<i64, String> {
    match begin(text) {
        Ok(Begin::Time(millis)) => Ok(millis),
        _ => Err(format!(
            "{text:?} is no time; write one like 2026-01-31T12:00:00Z, or 10m for ten minutes ago"
        )),
    }
}

/// Messages per second: `500`, `500/s` or `6000/m`.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let (number, seconds) = match text.split_once('/') {
        None | Some((_, "s")) => (text.trim_end_matches("/s"), 1.0),
        Some((number, "m")) => (number, 60.0),
        Some((number, "h")) => (number, 3_600.0),
        Some(_) => ("", 1.0),
    };
    let per_second = number.parse::<f64>().unwrap_or(f64::NAN) / seconds;
    if !(SLOWEST..=FASTEST).contains(&per_second) {
        return Err(format!("{text:?} is no rate; write 500/s or 6000/m, at most 10000000/s"));
    }
    Ok(per_second)
}

/// Permission bits: `6`, or `rw`.
pub(crate) fn perm(text: &str) -> Result<i32, String> {
    match text {
        "rw" | "6" => Ok(6),
        "r" | "4" => Ok(4),
        "w" | "2" => Ok(2),
        _ => Err(format!("{text:?} is no permission; write rw (6), r (4) or w (2)")),
    }
}

/// One an hour.
const SLOWEST: f64 = 1.0 / 3_600.0;
const FASTEST: f64 = 10_000_000.0;
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(1_000 * 3_600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_a_sensible_size() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
        for wrong in ["", "3", "s", "-3s", "0s", "3 parsecs", "9999999h"] {
            assert!(duration(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_rate_is_messages_per_time() {
        for (text, per_second) in
            [("500", 500.0), ("500/s", 500.0), ("0.5/s", 0.5), ("6000/m", 100.0), ("1/h", SLOWEST)]
        {
            assert_eq!(rate(text), Ok(per_second), "{text}");
        }
        for wrong in ["", "/s", "0", "-1", "x/s", "5/d", "5/", "NaN", "inf", "1e9"] {
            assert!(rate(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_queue_is_a_broker_and_a_number() {
        assert_eq!(queue_name("broker-0:3"), Ok(QueueName { broker: "broker-0".to_owned(), id: 3 }));
        assert_eq!(queue_name("a:b:0").map(|queue| queue.broker), Ok("a:b".to_owned()));
        for wrong in ["", "broker-0", ":1", "broker-0:", "broker-0:-1", "broker-0:x"] {
            assert!(queue_name(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_place_is_a_word_an_offset_or_a_time() {
        assert_eq!(begin("start"), Ok(Begin::Start));
        assert_eq!(begin("end"), Ok(Begin::End));
        assert_eq!(begin("42"), Ok(Begin::Offset(42)));
        assert_eq!(begin("1970-01-01T00:00:01.5Z"), Ok(Begin::Time(1_500)));
        assert_eq!(begin("1970-01-01T01:00:00+01:00"), Ok(Begin::Time(0)));
        let Ok(Begin::Time(ago)) = begin("10m") else { panic!("10m is a time") };
        assert!((clock::wall_millis() - 600_000 - ago).abs() < 60_000);
        for wrong in ["", "yesterday", "-1", "99999999999999999999", "2026-01-31"] {
            assert!(begin(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_moment_is_a_time_and_nothing_else() {
        assert_eq!(moment("1970-01-01T00:00:01Z"), Ok(1_000));
        assert!(moment("10m").is_ok());
        for wrong in ["start", "42", ""] {
            assert!(moment(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn times_are_shown_to_the_millisecond() {
        assert_eq!(time(1_500), "1970-01-01T00:00:01.500Z");
        assert_eq!(time(i64::MAX), format!("{} ms", i64::MAX));
    }

    #[test]
    fn a_property_has_a_name_and_a_value() {
        assert_eq!(property("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        for wrong in ["", "a", "=b", "a="] {
            assert!(property(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn retry_topics_can_be_read_only() {
        let long = format!("%RETRY%{}", "g".repeat(200));
        assert!(readable_topic(&long).is_ok() && topic(&long).is_err());
        assert!(topic("").is_err() && topic("a/b").is_err());
    }
}
