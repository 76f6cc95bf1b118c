//! Durable state: an engine as bytes that fit into their store, and windows of several sources
//! merged into one.
//!
//! A [`Snapshot`] is the whole state of an [`Engine`](crate::engine::Engine) or a
//! [`Pipeline`](crate::pipeline::Pipeline). It can be restored on any machine, by this version or a
//! later one. The pipeline then continues with the same emissions, bit by bit.
//!
//! ```
//! use streamgauge::prelude::*;
//!
//! let pipeline = || {
//!     Pipeline::builder()
//!         .event_time(|at: &i64| Timestamp::from_millis(*at))
//!         .window(seconds(10))
//!         .aggregate(count())
//!         .build()
//! };
//!
//! let mut before = pipeline()?;
//! before.push(&1_000)?;
//! let saved: bytes::Bytes = before.snapshot()?.into_bytes();
//!
//! let mut after = pipeline()?;
//! after.restore(&Snapshot::from_bytes(saved)?)?;
//! after.push(&2_000)?;
//! after.finish();
//! assert_eq!(after.next_emission()?.map(|emission| emission.value), Some(2));
//! # Ok::<(), Error>(())
//! ```
//!
//! # Order of steps
//! Apply records, deliver the emissions, save the snapshot, checkpoint the source. After a crash
//! between any two steps the source delivers again from its checkpoint. Records that the snapshot
//! contains are recognised by their position, and the final answers are the same.
//!
//! # A budget
//! [`snapshot_within`](crate::engine::Control::snapshot_within) makes sketches coarser until the
//! state fits, and reports that: see [`Reductions`].

mod budget;
mod format;
mod partial;
mod state;
mod summary;

pub use crate::aggregate::{Reduced, Reductions};
pub(crate) use budget::least_tolerance;
pub use format::Kind;
pub(crate) use format::{Envelope, EnvelopeWriter, Identity, Tag};
pub(crate) use partial::Origin;
pub use partial::Partial;
pub use state::{Snapshot, base64_len, bytes_in_base64};
pub use summary::{OriginSummary, RecordsSummary, ShardSummary, Summary};
