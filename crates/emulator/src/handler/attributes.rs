//! Changes of topic attributes: `+key=value,-key` (Apache's `AttributeParser`, `AttributeUtil`, `TopicAttributes`).

use std::collections::BTreeMap;

use maxq_protocol::ResponseCode;

use crate::refusal::Refusal;

/// Whether the topic was there before its attributes were changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Before,
    New,
}

/// Carries out `changes` on the attributes of a topic.
///
/// # Errors
/// The text is malformed, names a key or a value that nobody knows, or takes something from a new topic.
pub(super) fn change(
    topic: Known,
    mut attributes: BTreeMap<String, String>,
    changes: &str,
) -> Result<BTreeMap<String, String>, Refusal> {
    for (key, value) in parse(changes)? {
        match (key.strip_prefix('+'), key.strip_prefix('-')) {
            (Some(key), _) => {
                check(key, value)?;
                attributes.insert(key.to_owned(), value.to_owned());
            }
            (_, Some(key)) if topic == Known::New => {
                let remark = format!("only add attribute is supported while creating topic. key: {key}");
                return Err(refuse(remark));
            }
            (_, key) => {
                let key = key.unwrap_or_default();
                check_key(key)?;
                attributes.remove(key);
            }
        }
    }
    Ok(attributes)
}

/// What is to be added has a value, what is to go has none (`AttributeParser.parseToMap`).
fn parse(changes: &str) -> Result<BTreeMap<&str, &str>, Refusal> {
    let mut parsed = BTreeMap::new();
    for change in changes.split(',').filter(|change| !change.is_empty()) {
        let (key, value) = change.split_once('=').unwrap_or((change, ""));
        let (sign, what) = if change.contains('=') { ('+', "add/alter") } else { ('-', "delete") };
        if !key.contains(sign) {
            return Err(refuse(format!("{what} attribute format is wrong: {key}")));
        }
        if parsed.insert(key, value).is_some() {
            return Err(refuse(format!("key duplication: {key}")));
        }
    }
    Ok(parsed)
}

fn check(key: &str, value: &str) -> Result<(), Refusal> {
    let values = check_key(key)?;
    if key == "message.type" && value == "MIXED" {
        // `enableMixedMessageType` is off by default.
        return Err(Refusal::new(ResponseCode::INVALID_PARAMETER, "MIXED message type is not supported."));
    }
    match values {
        Some(values) if !values.contains(&value) => {
            Err(refuse(format!("value is not in set: [{}]", values.join(", "))))
        }
        None if value.parse::<i64>().is_err() => Err(refuse(format!("For input string: \"{value}\""))),
        _ => Ok(()),
    }
}

/// The values that a key may have; none for a number.
fn check_key(key: &str) -> Result<Option<&'static [&'static str]>, Refusal> {
    let known = KEYS.iter().find(|(known, _)| *known == key);
    known.map(|(_, values)| *values).ok_or_else(|| refuse(format!("unsupported key: {key}")))
}

fn refuse(remark: String) -> Refusal {
    Refusal::new(ResponseCode::SYSTEM_ERROR, remark)
}

const KEYS: [(&str, Option<&[&str]>); 4] = [
    ("queue.type", Some(&["BatchCQ", "SimpleCQ"])),
    ("cleanup.policy", Some(&["DELETE", "COMPACTION"])),
    (
        "message.type",
        Some(&["UNSPECIFIED", "MIXED", "TRANSACTION", "PRIORITY", "FIFO", "DELAY", "LITE", "NORMAL"]),
    ),
    ("reserve.time", None),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(changes: &str) -> Result<String, String> {
        let before = BTreeMap::from([("reserve.time".to_owned(), "5".to_owned())]);
        let after = change(Known::Before, before, changes);
        let text = |pairs: BTreeMap<String, String>| {
            pairs.iter().map(|(key, value)| format!("{key}={value};")).collect::<String>()
        };
        after.map(text).map_err(|refusal| refusal.into_answer().remark.unwrap_or_default())
    }

    #[test]
    fn attributes_are_added_and_taken_away() {
        assert_eq!(changed(""), Ok("reserve.time=5;".to_owned()));
        assert_eq!(changed("+message.type=FIFO,-reserve.time"), Ok("message.type=FIFO;".to_owned()));
    }

    #[test]
    fn a_new_topic_has_nothing_to_lose() {
        let refusal = change(Known::New, BTreeMap::new(), "-message.type").unwrap_err();
        let remark = "only add attribute is supported while creating topic. key: message.type";
        assert_eq!(refusal.into_answer().remark.as_deref(), Some(remark));
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        assert_eq!(changed("+foo=bar"), Err("unsupported key: foo".to_owned()));
        assert_eq!(
            changed("message.type=FIFO"),
            Err("add/alter attribute format is wrong: message.type".to_owned())
        );
        assert_eq!(
            changed("+message.type"),
            Err("delete attribute format is wrong: +message.type".to_owned())
        );
        let twice = changed("+message.type=FIFO,+message.type=FIFO");
        assert_eq!(twice, Err("key duplication: +message.type".to_owned()));
        assert_eq!(changed("+message.type=MIXED"), Err("MIXED message type is not supported.".to_owned()));
        assert!(changed("+message.type=XX").unwrap_err().starts_with("value is not in set: [UNSPECIFIED, "));
    }
}
