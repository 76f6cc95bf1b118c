//! The declared pipeline: event time, filter, window, aggregate. What a user meets first.
//!
//! ```
//! use streamgauge::prelude::*;
//!
//! struct Hit { ts: i64, status: u16 }
//!
//! let mut pipeline = Pipeline::builder()
//!     .event_time(|hit: &Hit| Timestamp::from_millis(hit.ts))
//!     .filter(|hit| hit.status < 500)
//!     .window(Tumbling::new(seconds(10))?)
//!     .aggregate(count())
//!     .build()?;
//!
//! let hit = |ts, status| Hit { ts, status };
//! let hits = [hit(1_000, 200), hit(2_000, 503), hit(12_000, 200)];
//! let counts: Vec<u64> = pipeline.over(hits).map(|emission| emission.value).collect();
//! assert_eq!(counts, [1, 1]);
//! # Ok::<(), Error>(())
//! ```

mod boxed;
mod builder;
mod event_time;
mod over;
mod run;
mod stages;

pub use boxed::{AnyPipeline, BoxedPipeline};
pub use builder::{Builder, Undeclared};
pub use over::Over;
pub use run::Pipeline;
