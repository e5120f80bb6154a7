//! VIEW_MESSAGE_BY_ID (33).

use super::{Empty, headers};

/// The answer to [`ViewMessageById`] has no fields; its body is one stored message.
pub type ViewedMessage = Empty;

headers! {
    /// Asks for one message by its place in the commit log (Apache's `ViewMessageRequestHeader`).
    struct ViewMessageById: VIEW_MESSAGE_BY_ID -> ViewedMessage {
        /// The topic; old tools do not send it.
        "topic" => topic: Option<String>,
        /// The commit-log offset.
        "offset" => offset: i64,
    }
}
