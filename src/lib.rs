//! Windowed counts, sums, distincts, percentiles and top-k over records while they flow.

pub mod adapter;
pub mod aggregate;
pub mod codec;
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
pub use record::{Position, Record, Sequence, SequenceNumber, ShardId};
pub use time::Timestamp;
pub use window::Window;

/// What a user of pipelines needs, to be imported whole.
pub mod prelude {
    pub use crate::aggregate::Aggregate;
    pub use crate::engine::{Emission, Outcome, Stats};
    pub use crate::error::{Error, ErrorKind};
    pub use crate::hash::Seed;
    pub use crate::key::Key;
    pub use crate::limits::Limits;
    pub use crate::pipeline::{AnyPipeline, BoxedPipeline, Pipeline};
    pub use crate::record::{Position, Record, Sequence, SequenceNumber, ShardId};
    pub use crate::time::{Timestamp, days, hours, millis, minutes, seconds};
    pub use crate::window::{Global, Sliding, Tumbling, Window, Windows};
}
