//! The emulator, asked with plain frames over plain sockets.
//!
//! What is expected here was answered by running Apache 5.5.0 and 4.9.7 servers to the same requests.

mod batch;
mod clients;
mod framing;
mod lifecycle;
mod name_server;
mod offsets;
mod pull;
mod query;
mod refusals;
mod send;
mod support;
mod topics;
