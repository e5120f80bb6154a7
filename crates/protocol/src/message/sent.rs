//! The properties that a message leaves with: its user's, and behind them those that every client sets.

use super::{Properties, UniqueId, property};

/// What a sender says of one message, in the order in which it is written.
///
/// Apache's client sets `UNIQ_KEY` and `WAIT` too (`DefaultMQProducerImpl.sendKernelImpl`, `MessageClientIDSetter`).
#[derive(Clone, Copy, Debug)]
pub struct SentProperties<'a> {
    /// The user's.
    pub user: &'a Properties,
    /// `WAIT`: whether the broker answers only when the message is stored as it is configured to.
    pub waits_for_store: bool,
    /// `UNIQ_KEY`.
    pub unique_id: UniqueId,
}

impl SentProperties<'_> {
    /// Length of the text form in bytes.
    pub fn encoded_len(&self) -> usize {
        self.user.encoded_len() + self.before_id().len() + UniqueId::DIGITS + 1
    }

    /// Appends the text form to `out`.
    pub fn encode_into(&self, out: &mut String) {
        out.reserve(self.encoded_len());
        self.user.encode_into(out);
        out.push_str(self.before_id());
        out.push_str(&self.unique_id.to_text());
        out.push('\u{2}');
    }

    /// Appends the bytes of the text form to `out`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.user.write(out);
        out.extend_from_slice(self.before_id().as_bytes());
        out.extend_from_slice(&self.unique_id.digits());
        out.push(2);
    }

    /// Appends `WAIT` alone, which a batch has in its header while each of its messages has all in the body.
    pub fn encode_wait_into(&self, out: &mut String) {
        out.push_str(property::WAIT);
        out.push('\u{1}');
        out.push_str(if self.waits_for_store { "true" } else { "false" });
        out.push('\u{2}');
    }

    /// What stands between the user's properties and the digits of the id.
    const fn before_id(&self) -> &'static str {
        if self.waits_for_store {
            "WAIT\u{1}true\u{2}UNIQ_KEY\u{1}"
        } else {
            "WAIT\u{1}false\u{2}UNIQ_KEY\u{1}"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_that_of_the_text() {
        let user = Properties::from_iter([("KEYS", "a b"), ("TAGS", "ü")]);
        for waits_for_store in [true, false] {
            let sent =
                SentProperties { user: &user, waits_for_store, unique_id: UniqueId::new([7; 10], 1, 2) };
            let mut text = String::new();
            sent.encode_into(&mut text);
            assert_eq!(text.len(), sent.encoded_len());
            let mut bytes = Vec::new();
            sent.write(&mut bytes);
            assert_eq!(bytes, text.as_bytes());
            let wait = if waits_for_store { "true" } else { "false" };
            assert_eq!(
                text,
                format!(
                    "KEYS\u{1}a b\u{2}TAGS\u{1}ü\u{2}WAIT\u{1}{wait}\u{2}\
                     UNIQ_KEY\u{1}07070707070707070707000000010002\u{2}"
                )
            );
        }
    }
}
