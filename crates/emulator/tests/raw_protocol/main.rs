//! The emulator, asked with plain frames over plain sockets.
//!
//! What is expected here was answered by running Apache 5.5.0 and 4.9.7 servers to the same requests.

mod batch;
mod clients;
mod faults;
mod framing;
mod frost;
mod lifecycle;
mod malformed;
mod name_server;
mod name_servers;
mod offsets;
mod pull;
mod query;
mod refusals;
mod send;
mod support;
mod topics;
mod virtual_network;
