//! Bytes against bytes: vectors that were worked out by hand, and captures from Apache's own classes.

mod java;
mod java497;
mod values;
mod vectors;
