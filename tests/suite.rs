//! The one test binary: a module an area.

mod model;
mod reference;
mod semantics;
#[cfg(any(feature = "kcl", feature = "lambda"))]
mod wire;

use proptest::test_runner::Config;

/// So many random cases. A failure prints its smallest input; it belongs into a test of its own, not into a file beside the tests.
fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}
