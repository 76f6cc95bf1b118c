//! The edge rules of windows and watermarks, by their number in docs/SEMANTICS.md, with at least
//! one test each.
//!
//! In each of these rules some known system differs or is wrong.

mod edges;
mod limits;
mod shards;
