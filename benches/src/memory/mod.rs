//! Whether memory stays flat: while messages go by, and while clients come and go.

mod clients;
mod flat;
mod seen;

pub use clients::{Clients, ClientsOptions, churn};
pub use flat::{Flat, FlatOptions, Phases, compare, phases};
pub use seen::Seen;

/// The section of [`Flat`] in BENCHMARKS.md.
pub const FLAT: &str = "memory";
/// The section of [`Clients`] there.
pub const CLIENTS: &str = "clients";

/// What memory may have grown by, in KiB: 8 MiB, for what an allocator keeps and a table that once was larger.
const MAY_GROW: u64 = 8 << 10;
