//! The engine: records in, emissions out. No I/O, no clock, no threads.
//!
//! An [`Engine`] holds one accumulator per open pane, the watermarks of its shards and the position
//! reached in each, and decides three things: what becomes of a record ([`Outcome`]), when a window
//! is complete, and what it then says ([`Emission`]). Where records come from, what their event
//! time is and what is done with emissions is decided above, by a
//! [`Pipeline`](crate::pipeline::Pipeline) or an adapter.
//!
//! The answer does not depend on how the records were batched: pushing one by one, in batches, and
//! draining in between or at the end give the same emissions in the same order.

mod batch;
mod control;
mod core;
mod durable;
mod emission;
#[cfg_attr(not(feature = "spec"), allow(dead_code, reason = "files alone are answered in parts"))]
mod finished_part;
mod fire;
mod firing;
mod inherited;
mod options;
mod partials;
mod pending;
#[cfg(feature = "spec")]
mod preaggregated;
mod recent_ids;
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
pub use options::EngineOptions;
#[cfg(feature = "spec")]
pub(crate) use preaggregated::{Preaggregated, Preaggregation};
pub use recent_ids::RecentIds;
pub use shards::Shard;
pub use stats::Stats;
