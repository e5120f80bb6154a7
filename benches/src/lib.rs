//! What a message costs the client, measured as a ratio to the least that it could cost, and beside its peers.
//!
//! [`null_broker`] answers at once and stores nothing, so what is measured against it is the client. [`floor`] sends
//! frames that were built before and awaits each answer by its opaque: nobody who sends messages one by one can be
//! cheaper. [`client`] does the same with the real client. [`suite`] runs the last two in turn against the first,
//! [`profile`] tells where the instructions go, [`memory`] whether anything is left behind, and [`peers`] puts other clients
//! beside ours. How to read the figures is said in `README.md`.

pub mod child;
pub mod client;
pub mod compare;
pub mod document;
pub mod floor;
pub mod glance;
pub mod load;
pub mod measure;
pub mod memory;
pub mod null_broker;
pub mod peers;
pub mod plot;
pub mod profile;
pub mod report;
pub mod suite;
