//! What goes wrong, for the caller: a small kind to match, facts as fields, a sentence to print.
//!
//! Every sentence says who caused it, what was tried on which server, and what to do next; it ends with a stable code.

pub(crate) mod blame;
mod code;
mod request;
pub(crate) mod route;
mod send;

pub use code::ErrorCode;
pub(crate) use request::first_line;
pub use request::{ConfigError, ConnectError, RequestError, RequestErrorKind};
pub(crate) use route::RouteError;
pub(crate) use send::SendFailure;
pub use send::{Attempt, SendError, SendErrorKind};
