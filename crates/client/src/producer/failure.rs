//! What a failed send is told: who or what is to blame, what was tried, and the message itself.

use maxq_policy::{Action, Outcome, Stop};

use super::{SendReceipt, send::Send};
use crate::{
    Attempt, ErrorCode, Message, SendError, SendErrorKind,
    error::{RouteError, SendFailure},
};

/// What the last attempt of a send ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastEnd {
    None,
    /// No answer, for this reason.
    Silent(ErrorCode),
    Answered(Action, ErrorCode),
    BadAnswer,
}

impl Send<'_> {
    /// The route has gone away under the send.
    pub(super) fn no_route(mut self) -> Result<SendReceipt, SendError> {
        if let Some(receipt) = self.settle() {
            return Ok(receipt);
        }
        let error = match self.route.publish_info() {
            Err(error) => error,
            Ok(_) => self.client.routes.timed_out(),
        };
        Err(route_failure(&error, self.prepared.message, self.plan.outcome(), self.attempts).into())
    }

    pub(super) fn failure(self, stop: Stop) -> SendFailure {
        let (kind, code) = self.blame(stop);
        let tries = match self.attempts.len() {
            1 => "1 attempt".to_owned(),
            many => format!("{many} attempts"),
        };
        let what = match (stop, self.last) {
            (Stop::NoSuchBroker, _) => "the queue's broker is not in the topic's route".to_owned(),
            (Stop::Deadline, LastEnd::None) => "the deadline was over before the first attempt".to_owned(),
            (Stop::Deadline, _) => format!("the deadline was over after {tries}"),
            (_, LastEnd::Answered(Action::Refused | Action::Access, _)) => "the broker refused it".to_owned(),
            (Stop::Budget, _) => {
                "brokers are busy, and this producer has asked them again too often".to_owned()
            }
            (Stop::Final, LastEnd::Silent(_) | LastEnd::BadAnswer) => {
                "no usable answer came, and this send must not go out twice".to_owned()
            }
            _ => format!("{tries} failed"),
        };
        SendFailure {
            kind,
            code,
            outcome: self.plan.outcome(),
            topic: self.topic.to_string(),
            what,
            attempts: self.attempts,
            messages: vec![self.prepared.message],
        }
    }

    /// Who or what is to blame: the last attempt tells. What is known of the message is the outcome's to say.
    fn blame(&self, stop: Stop) -> (SendErrorKind, ErrorCode) {
        let code = match self.last {
            _ if self.client.is_gone() => ErrorCode::CLOSED,
            _ if stop == Stop::NoSuchBroker => ErrorCode::QUEUE_GONE,
            LastEnd::None => ErrorCode::DEADLINE,
            LastEnd::Silent(code) | LastEnd::Answered(_, code) => code,
            LastEnd::BadAnswer => ErrorCode::ANSWER,
        };
        (SendErrorKind::of(code), code)
    }
}

pub(super) fn route_failure(
    error: &RouteError,
    message: Message,
    outcome: Outcome,
    attempts: Vec<Attempt>,
) -> SendFailure {
    let code = error.code();
    let kind = match SendErrorKind::of(code) {
        kind @ (SendErrorKind::Closed | SendErrorKind::Access) => kind,
        _ => SendErrorKind::NoRoute,
    };
    SendFailure {
        kind,
        code,
        outcome,
        topic: message.topic().to_owned(),
        what: error.to_string(),
        attempts,
        messages: vec![message],
    }
}
