//! What an awaited message costs the client, measured as a ratio to the least that it could cost.
//!
//! [`null_broker`] answers at once and stores nothing, so what is measured against it is the client. [`floor`] sends
//! frames that were built before and awaits each answer by its opaque: nobody who sends messages one by one can be
//! cheaper. [`awaited`] does the same with the real client. [`ratios`] runs the last two in turn against the first.
//! How to read the figures is said in `README.md`.

pub mod child;
pub mod client;
pub mod floor;
pub mod glance;
pub mod load;
pub mod measure;
pub mod null_broker;
pub mod profile;
pub mod ratios;
pub mod report;
