//! The real binary against emulated clusters: what it prints, what it stores, and how it exits.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, also outside of #[test] functions")]

mod bad_input;
mod bench;
mod cat;
mod demo;
mod doctor;
mod emulator;
mod explain;
mod faults;
mod interrupt;
mod messages;
mod name_server;
mod process;
mod produce;
mod screen;
mod topics;
