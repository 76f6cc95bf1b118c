//! What feeds the engine from a transport, each behind its feature. An adapter never imports another.

#[cfg(feature = "files")]
pub mod files;
