//! Windowed counts, sums, distincts, percentiles and top-k over records while they flow.

pub mod adapter;
pub mod aggregate;
pub mod engine;
pub mod error;
pub mod hash;
pub mod key;
pub mod limits;
pub mod pipeline;
pub mod record;
pub mod sketch;
#[cfg(feature = "spec")]
pub mod spec;
pub mod time;
pub mod window;

pub use aggregate::Aggregate;
pub use engine::{Emission, Outcome, Stats};
pub use error::{Error, ErrorKind};
pub use hash::Seed;
pub use key::Key;
pub use limits::Limits;
pub use record::{Position, Record, SequenceNumber, ShardId};
pub use time::Timestamp;
pub use window::Window;
