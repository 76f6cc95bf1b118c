//! The only test binary: one module per area.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

mod bounds;
#[cfg(feature = "cli")]
mod command;
#[cfg(feature = "files")]
mod files;
#[cfg(all(feature = "kafka", feature = "spec"))]
mod kafka;
#[cfg(feature = "kcl")]
mod kcl;
#[cfg(all(feature = "kinesis", feature = "spec"))]
mod kinesis;
#[cfg(all(feature = "lambda", feature = "spec"))]
mod lambda;
mod laws;
mod model;
mod reference;
mod semantics;
mod simulation;
mod snapshot;
#[cfg(feature = "spec")]
mod spec;
#[cfg(all(feature = "kcl", feature = "spec"))]
mod storm;
mod tidy;
#[cfg(any(feature = "kcl", feature = "lambda"))]
mod wire;

use proptest::test_runner::Config;

/// The number of random cases. A failure prints its smallest input, which should become a test of
/// its own, not a file beside the tests.
fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}
