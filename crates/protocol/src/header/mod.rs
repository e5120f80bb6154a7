//! One file per conversation: a request names its code and its answer, and client and server share both.
//!
//! Every field travels as text in the ext fields. Which fields are mandatory follows what running servers do: a send
//! or pull without the field fails with code 1.

mod broker;
mod client;
mod offset;
mod pull;
mod route;
mod send;
mod topic;

use std::borrow::Cow;

pub use broker::{
    BrokerRuntimeReply, GetBrokerRuntimeInfo, QueryMessage, QueryMessageReply, ViewMessageById, ViewedMessage,
};
pub use client::{CheckClientConfig, Heartbeat, HeartbeatReply, UnregisterClient};
pub use offset::{
    BoundaryType, GetEarliestStoreTime, GetMaxOffset, GetMinOffset, OffsetReply, QueryConsumerOffset,
    SearchOffset, StoreTimeReply, UpdateConsumerOffset,
};
pub use pull::{PullMessage, PullReply};
pub use route::{
    ClusterInfoReply, GetBrokerClusterInfo, GetRouteInfo, GetTopicList, RouteInfoReply, TopicListReply,
};
pub use send::{SendBatchMessage, SendMessage, SendMessageV1, SendMessageV2, SendReply, StoredReply};
pub use topic::{
    CreateTopic, DeleteTopic, DeleteTopicInNameServer, GetTopicConfig, GetTopicStats, TopicConfigReply,
    TopicStatsReply,
};

use crate::{DecodeError, DecodeErrorKind as Kind, ExtFields, RequestCode, ext::ExtSink};

/// Typed header fields.
pub trait Header: Sized {
    /// Writes the fields that are set.
    fn write<S: ExtSink>(&self, sink: &mut S);

    /// Reads the fields; unknown ones are ignored.
    ///
    /// # Errors
    /// A mandatory field is missing, or one does not parse.
    fn read(ext: &ExtFields) -> Result<Self, DecodeError>;
}

/// A request: its code, and the fields of its successful answer.
pub trait Request: Header {
    /// The request code.
    const CODE: RequestCode;
    /// The typed fields of the answer.
    type Response: Header;
}

/// An answer without fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Empty;

impl Header for Empty {
    fn write<S: ExtSink>(&self, _: &mut S) {}

    fn read(_: &ExtFields) -> Result<Self, DecodeError> {
        Ok(Self)
    }
}

/// A value that travels as the text of one field.
trait Field: Sized {
    fn write<S: ExtSink>(&self, key: &'static str, sink: &mut S);
    fn parse(key: &'static str, text: &str) -> Result<Self, DecodeError>;

    fn read(ext: &ExtFields, key: &'static str) -> Result<Self, DecodeError> {
        match ext.get(key) {
            Some(text) => Self::parse(key, text),
            None => Self::absent(key),
        }
    }

    /// What a missing field means.
    fn absent(key: &'static str) -> Result<Self, DecodeError> {
        Err(DecodeError::new(Kind::Missing, key))
    }
}

impl<T: Field> Field for Option<T> {
    fn write<S: ExtSink>(&self, key: &'static str, sink: &mut S) {
        if let Some(value) = self {
            value.write(key, sink);
        }
    }

    fn parse(key: &'static str, text: &str) -> Result<Self, DecodeError> {
        T::parse(key, text).map(Some)
    }

    fn absent(_: &'static str) -> Result<Self, DecodeError> {
        Ok(None)
    }
}

impl Field for String {
    fn write<S: ExtSink>(&self, key: &'static str, sink: &mut S) {
        sink.field(key, self);
    }

    fn parse(_: &'static str, text: &str) -> Result<Self, DecodeError> {
        Ok(text.to_owned())
    }
}

impl Field for Cow<'_, str> {
    fn write<S: ExtSink>(&self, key: &'static str, sink: &mut S) {
        sink.field(key, self);
    }

    fn parse(_: &'static str, text: &str) -> Result<Self, DecodeError> {
        Ok(Self::Owned(text.to_owned()))
    }
}

impl Field for bool {
    fn write<S: ExtSink>(&self, key: &'static str, sink: &mut S) {
        sink.boolean(key, *self);
    }

    /// Java's `Boolean.parseBoolean`: `true` in any case, everything else is false.
    fn parse(_: &'static str, text: &str) -> Result<Self, DecodeError> {
        Ok(text.eq_ignore_ascii_case("true"))
    }
}

macro_rules! number_fields {
    ($($int:ty)+) => {$(
        impl Field for $int {
            fn write<S: ExtSink>(&self, key: &'static str, sink: &mut S) {
                sink.number(key, i64::from(*self));
            }

            fn parse(key: &'static str, text: &str) -> Result<Self, DecodeError> {
                text.parse().map_err(|_| DecodeError::new(Kind::Malformed(text.chars().take(64).collect()), key))
            }
        }
    )+};
}

number_fields!(i32 i64 u32);

/// A table of headers: `"wire key" => field: Type`, and for a request its code and its answer.
macro_rules! headers {
    ($($(#[$doc:meta])* struct $name:ident $(: $code:ident -> $answer:ty)? {
        $($(#[$field_doc:meta])* $key:literal => $field:ident: $ty:ty,)*
    })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $ty,)*
        }

        impl $crate::header::Header for $name {
            #[allow(unused_variables, reason = "a request without fields writes nothing")]
            fn write<S: $crate::ext::ExtSink>(&self, sink: &mut S) {
                $($crate::header::Field::write(&self.$field, $key, sink);)*
            }

            #[allow(unused_variables, reason = "a request without fields reads nothing")]
            fn read(ext: &$crate::ExtFields) -> Result<Self, $crate::DecodeError> {
                Ok(Self { $($field: $crate::header::Field::read(ext, $key)?,)* })
            }
        }

        $(
            impl $crate::header::Request for $name {
                const CODE: $crate::RequestCode = $crate::RequestCode::$code;
                type Response = $answer;
            }
        )?
    )+};
}

use headers;
