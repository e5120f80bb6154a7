//! What a failed send is told: who or what is to blame, what was tried, and the message itself.

use maxq_policy::{Action, Outcome, Stop};

use super::{
    prepare::Parcel,
    send::{Send, Stopped},
};
use crate::{
    Attempt, ErrorCode, SendErrorKind,
    error::{RouteError, SendFailure},
    stats::Reason,
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

impl LastEnd {
    /// Why the attempt that follows is made.
    pub(super) fn reason(self) -> Reason {
        match self {
            Self::Silent(ErrorCode::TIMEOUT) => Reason::NoAnswer,
            Self::Silent(ErrorCode::CONNECT | ErrorCode::ADVERTISED_ADDRESS) => Reason::FailedDial,
            Self::Silent(ErrorCode::DEADLINE | ErrorCode::CONNECTION_FULL) => Reason::NotSent,
            Self::Silent(_) => Reason::LostConnection,
            Self::None | Self::Answered(Action::Stored, _) => Reason::Unconfirmed,
            Self::Answered(Action::BackOff, _) => Reason::Busy,
            Self::Answered(Action::RefreshRoute, _) => Reason::StaleRoute,
            Self::Answered(Action::Reconnect, _) => Reason::Leaving,
            Self::Answered(Action::LongForm, _) => Reason::LongForm,
            Self::Answered(_, _) => Reason::Unavailable,
            Self::BadAnswer => Reason::BadAnswer,
        }
    }
}

impl Send {
    pub(super) fn failure(self, stopped: Stopped) -> SendFailure {
        let stop = match stopped {
            Stopped::Plan(stop) => stop,
            Stopped::NoRoute => {
                let error = match self.route.publish_info() {
                    Err(error) => error,
                    Ok(_) => self.client().routes.timed_out(),
                };
                return route_failure(&error, self.prepared.parcel, self.plan.outcome(), self.attempts);
            }
            Stopped::Closing => return self.given_up(),
        };
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
        self.told(kind, code, what)
    }

    fn given_up(self) -> SendFailure {
        let what = "the producer was closed before it could be sent".to_owned();
        self.told(SendErrorKind::Closed, ErrorCode::CLOSED, what)
    }

    fn told(self, kind: SendErrorKind, code: ErrorCode, what: String) -> SendFailure {
        SendFailure {
            kind,
            code,
            outcome: self.plan.outcome(),
            topic: self.topic.to_string(),
            what,
            attempts: self.attempts,
            messages: self.prepared.parcel.into_messages(),
        }
    }

    /// Who or what is to blame: the last attempt tells. What is known of the message is the outcome's to say.
    fn blame(&self, stop: Stop) -> (SendErrorKind, ErrorCode) {
        let code = match self.last {
            _ if self.client().is_gone() => ErrorCode::CLOSED,
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
    parcel: Parcel,
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
        topic: parcel.topic().to_owned(),
        what: error.to_string(),
        attempts,
        messages: parcel.into_messages(),
    }
}
