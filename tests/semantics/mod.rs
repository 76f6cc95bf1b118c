//! The edge rules of windows and watermarks, by their number in docs/SEMANTICS.md, one test or more
//! each.
//!
//! Each is a place where a known system differs or is wrong.

mod edges;
mod limits;
mod shards;
