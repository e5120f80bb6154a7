//! What is said: the RocketMQ remoting protocol as values, without I/O, clock or chance.
//!
//! One frame on the wire:
//!
//! ```text
//!  0        4              8                 8 + header              4 + length
//!  +--------+------+-------+-----------------+-----------------------+
//!  | length | type | header|  header         |  body                 |
//!  | u32    | u8   | u24   |  JSON or binary |  opaque bytes         |
//!  +--------+------+-------+-----------------+-----------------------+
//!           |<------------------- length bytes --------------------->|
//! ```
//!
//! Read from the top: [`frame`] cuts the stream, [`command`] is one frame as a value, [`serialize`] holds the two
//! header encodings, [`header`] pairs every request with its answer, [`body`] and [`message`] are what the bodies
//! contain. The byte rules come from Apache's `RemotingCommand`, `NettyDecoder` and `MessageDecoder`.

pub mod body;
pub mod code;
pub mod command;
pub mod compression;
pub mod error;
pub mod ext;
pub mod frame;
pub mod header;
pub mod message;
pub mod name;
pub mod serialize;

pub use code::{LanguageCode, RequestCode, ResponseCode, Version};
pub use command::{Flags, RemotingCommand};
pub use error::{DecodeError, DecodeErrorKind};
pub use ext::ExtFields;
pub use frame::{FrameReader, StoredReader};
pub use header::{Header, Request};
pub use name::{Group, NameError, Topic};
pub use serialize::HeaderEncoding;
