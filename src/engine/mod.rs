//! The engine: records in, emissions out. No I/O, no clock, no threads.
//!
//! An [`Engine`] has one accumulator per open pane, the watermarks of its shards, and the position
//! reached in each. It decides the [`Outcome`] of each record, when a window is complete, and the
//! window's [`Emission`]. A [`Pipeline`](crate::pipeline::Pipeline) or an adapter above it decides
//! where records come from, what their event time is, and what happens with emissions.
//!
//! The answer does not depend on batches: one by one or in batches, drained in between or at the
//! end, the same records give the same emissions in the same order.

mod batch;
mod control;
mod core;
mod cuts;
mod durable;
mod emission;
#[cfg_attr(not(feature = "spec"), allow(dead_code, reason = "files alone are answered in parts"))]
mod finished_part;
mod fire;
mod firing;
mod group_windows;
mod inherited;
mod of_groups;
mod of_rows;
mod options;
mod partials;
mod pending;
#[cfg(feature = "spec")]
mod preaggregated;
mod recent_ids;
mod row_windows;
mod shards;
#[cfg_attr(not(feature = "spec"), allow(dead_code, reason = "files alone are answered in parts"))]
mod split;
mod stats;

#[cfg(feature = "spec")]
pub(crate) use self::batch::Batch;
pub use self::core::Engine;
pub use control::Control;
pub use emission::{Emission, Outcome};
#[cfg(feature = "spec")]
pub(crate) use finished_part::FinishedPart;
#[cfg(feature = "spec")]
pub(crate) use firing::FiredContent;
pub use options::EngineOptions;
#[cfg(feature = "spec")]
pub(crate) use preaggregated::{Preaggregated, Preaggregation};
pub use recent_ids::RecentIds;
pub use shards::Shard;
pub use stats::Stats;
