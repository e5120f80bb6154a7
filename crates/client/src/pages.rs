//! The Rust blocks of the README and of the pages in `docs/`, compiled and run as documentation tests. Not part of a build.

#[doc = include_str!("../../../README.md")]
struct Readme;
#[doc = include_str!("../../../docs/getting-started.md")]
struct GettingStarted;
#[doc = include_str!("../../../docs/guarantees.md")]
struct Guarantees;
#[doc = include_str!("../../../docs/timeouts-and-retries.md")]
struct TimeoutsAndRetries;
#[doc = include_str!("../../../docs/configuration.md")]
struct Configuration;
#[doc = include_str!("../../../docs/observing.md")]
struct Observing;
#[doc = include_str!("../../../docs/testing.md")]
struct Testing;
