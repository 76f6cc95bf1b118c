//! The engine: records in, emissions out. No I/O, no clock, no threads.

mod emission;
mod stats;

pub use emission::{Emission, Outcome};
pub use stats::Stats;
